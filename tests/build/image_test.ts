/** The agent's image: built without Docker, and everything that its programs need is inside. */
import assert from "node:assert/strict";
import { PROGRAM_NAMES } from "../../main.ts";
import { AGENT_IMAGE, IMAGE_LABELS, IMAGE_USER } from "../../scripts/build/agent_image.ts";
import { ARCHITECTURES } from "../../scripts/build/arguments.ts";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import type { Descriptor } from "../../scripts/build/oci.ts";
import { runOrThrow } from "../../scripts/cluster/process.ts";
import { writeAgentImage } from "../../scripts/image.ts";
import { VERSION } from "../../src/base/version.ts";
import { program, root, testWith } from "../support/require.ts";
import {
  assertIsFor,
  type ImageManifest,
  type Layout,
  PROGRAMS_FOLDER,
  startIn,
  unpackImage,
} from "./layout.ts";
import { startContainerd } from "./own_containerd.ts";

/** Compressed: Deno is 42 of them, libraries and shell 1.5. */
const LAYER_MEGABYTES_MAX = 48;

/** An image of this machine's architecture, unpacked. */
interface Made {
  readonly work: string;
  readonly archive: string;
  readonly digest: string;
  readonly layout: Layout;
  readonly named: Descriptor;
  readonly manifest: ImageManifest;
  /** Folder with the files of all layers. */
  readonly tree: string;
}

async function make(work: string): Promise<Made> {
  const archive = `${work}/image.tar`;
  const tree = `${work}/tree`;
  const { digest } = await writeAgentImage(archive, { say: () => {} });
  const { layout, named } = await unpackImage(archive, `${work}/layout`);
  const manifest = await layout.json<ImageManifest>(named);
  await Deno.mkdir(`${tree}/proc`, { recursive: true });
  for (const layer of manifest.layers) {
    await runOrThrow(["tar", "-xzf", layout.placeOf(layer), "-C", tree]);
  }
  return { work, archive, digest, layout, named, manifest, tree };
}

async function isLayout({ layout, named, digest, manifest }: Made): Promise<void> {
  assert.deepEqual(await layout.read("oci-layout"), { imageLayoutVersion: "1.0.0" });
  assert.equal(named.digest, digest);
  assert.equal(named.annotations?.["io.containerd.image.name"], AGENT_IMAGE);
  assert.deepEqual(manifest.annotations, IMAGE_LABELS);
  const { config, ...rest } = await layout.json<{
    readonly config: { readonly User: string; readonly Labels: object };
    readonly architecture: string;
  }>(manifest.config);
  assert.equal(rest.architecture, ownArchitecture());
  assert.equal(config.User, IMAGE_USER);
  assert.deepEqual(config.Labels, IMAGE_LABELS);
  for (const layer of manifest.layers) {
    assert.equal(layer.mediaType, "application/vnd.oci.image.layer.v1.tar+gzip");
    await layout.blob(layer);
  }
}

function isSmall({ manifest }: Made): void {
  const [seldom, often] = manifest.layers.map(({ size }) => size / 1e6);
  assert.ok(seldom !== undefined && seldom < LAYER_MEGABYTES_MAX, `${seldom} MB`);
  assert.ok(often !== undefined && often < 4, `${often} MB`);
}

async function isForDocker({ layout, manifest }: Made): Promise<void> {
  const [docker] = await layout.read<{ Config: string; Layers: string[] }[]>("manifest.json");
  const blobs = [manifest.config, ...manifest.layers].map(({ digest }) =>
    `blobs/${digest.replace(":", "/")}`
  );
  assert.deepEqual([docker?.Config, ...docker?.Layers ?? []], blobs);
}

async function starts({ work, tree }: Made): Promise<void> {
  const facts = PROGRAM_NAMES.map((name) => Deno.stat(`${tree}${PROGRAMS_FOLDER}/${name}`));
  assert.equal(new Set((await Promise.all(facts)).map(({ ino }) => ino)).size, 1, "one file");
  await Deno.chmod(work, 0o755);
  for (const user of ["0:0", IMAGE_USER]) {
    const ended = await startIn({ tree, user }, ["spiderpool-controller", "--version"]);
    const stdout = `spiderpool-controller ${VERSION}\n`;
    assert.deepEqual(ended, { code: 0, stdout, stderr: "" });
  }
}

async function saysWhatIsInside({ tree }: Made): Promise<void> {
  const documents = `${tree}/usr/share/doc`;
  const bill: { readonly packages: readonly { readonly name: string }[] } = JSON.parse(
    await Deno.readTextFile(`${documents}/spiderpool/sbom.spdx.json`),
  );
  const names = new Set(bill.packages.map(({ name }) => name));
  for (const name of ["spiderpool-deno", "deno", "zod", "prom-client", "libc6", "busybox"]) {
    assert.ok(names.has(name), `${name} is not in the bill of materials`);
  }
  assert.ok(!names.has("fast-check"), "what only tests need is not inside");
  for (const name of ["spiderpool", "libc6", "busybox"]) {
    assert.ok((await Deno.stat(`${documents}/${name}/copyright`)).size > 0, name);
  }
}

async function isTaken({ work, archive, digest }: Made): Promise<void> {
  await using containerd = await startContainerd(`${work}/containerd`);
  await containerd.ctr("images", "import", "--snapshotter=native", archive);
  const listed = await containerd.ctr("images", "ls", `name==${AGENT_IMAGE}`);
  assert.ok(listed.includes(digest), listed);
  assert.ok(listed.includes(`linux/${ownArchitecture()}`), listed);
  const snapshots = await containerd.ctr("snapshots", "--snapshotter=native", "ls");
  assert.match(snapshots, /sha256:.*Committed/);
}

testWith({
  name: "the agent's image is the same for the same programs, and containerd takes it",
  needs: [root, program("containerd"), program("ctr"), program("apt-get")],
  async fn(test) {
    const work = await Deno.makeTempDir({ prefix: "image-" });
    try {
      const made = await make(work);
      await test.step("its layout is OCI's, each blob what its descriptor says", () => {
        return isLayout(made);
      });
      await test.step("it is small, and a newer version brings little", () => isSmall(made));
      await test.step("a Docker without OCI finds the same blobs", () => isForDocker(made));
      await test.step("a program starts, whoever starts it", () => starts(made));
      await test.step("it says whose what is inside is", () => saysWhatIsInside(made));
      await test.step("a second build has the same bytes", async () => {
        await writeAgentImage(`${work}/again.tar`, { say: () => {} });
        await runOrThrow(["cmp", made.archive, `${work}/again.tar`]);
      });
      await test.step("containerd unpacks what the digests say", () => isTaken(made));
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});

testWith({
  name: "the agent's image is of both architectures under one name",
  needs: [root, program("containerd"), program("ctr"), program("npm"), program("apt-get")],
  async fn() {
    const work = await Deno.makeTempDir({ prefix: "images-" });
    const archive = `${work}/image.tar`;
    try {
      const { digest, bills } = await writeAgentImage(archive, {
        say: () => {},
        architectures: ARCHITECTURES,
      });
      assert.deepEqual([...bills.keys()], ARCHITECTURES);
      const { layout, named } = await unpackImage(archive, `${work}/layout`);
      assert.equal(named.digest, digest);
      const index = await layout.json<{ manifests: Descriptor[] }>(named);
      assert.deepEqual(index.manifests.map(({ platform }) => platform?.architecture), [
        ...ARCHITECTURES,
      ]);
      for (const descriptor of index.manifests) {
        const { layers: [system] } = await layout.json<ImageManifest>(descriptor);
        assert.ok(system !== undefined && descriptor.platform !== undefined);
        const { architecture } = descriptor.platform;
        const tree = `${work}/${architecture}`;
        await Deno.mkdir(tree);
        await runOrThrow(["tar", "-xzf", layout.placeOf(system), "-C", tree]);
        for (const place of [`${PROGRAMS_FOLDER}/spiderpool.runtime/deno`, "/bin/busybox"]) {
          await assertIsFor(architecture, `${tree}${place}`);
        }
      }
      await using containerd = await startContainerd(`${work}/containerd`);
      await containerd.ctr("images", "import", "--all-platforms", "--no-unpack", archive);
      const listed = await containerd.ctr("images", "ls", `name==${AGENT_IMAGE}`);
      assert.ok(listed.includes(digest), listed);
      assert.ok(listed.includes("linux/amd64,linux/arm64"), listed);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});
