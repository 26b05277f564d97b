/** The image of third parties' plugins: what it says is inside, starts, and is installed by it. */
import assert from "node:assert/strict";
import { AGENT_IMAGE } from "../../scripts/build/agent_image.ts";
import { ARCHITECTURES } from "../../scripts/build/arguments.ts";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { PLUGINS_FOLDER, PLUGINS_IMAGE } from "../../scripts/build/plugins_image.ts";
import { GO_SOURCES } from "../../scripts/build/third_party.ts";
import { runOrThrow } from "../../scripts/cluster/process.ts";
import { writeAgentImage, writePluginsImage } from "../../scripts/image.ts";
import { RECORD_FILE } from "../../src/agent/third_party/record.ts";
import { program, root, testWith } from "../support/require.ts";
import { assertIsFor, type ImageManifest, type Layout, startIn, unpackImage } from "./layout.ts";
import { startContainerd } from "./own_containerd.ts";
import type { Descriptor } from "../../scripts/build/oci.ts";

/** Compressed. */
const PLUGINS_MEGABYTES_MAX = 52;
const NAMES = GO_SOURCES.flatMap(({ packages }) => Object.keys(packages)).toSorted();
const ROOT = "0:0";

/** An unpacked archive, and the images in it by architecture. */
interface Made {
  readonly work: string;
  readonly archive: string;
  readonly digest: string;
  readonly layout: Layout;
  readonly images: readonly Descriptor[];
}

async function make(work: string): Promise<Made> {
  const archive = `${work}/plugins.tar`;
  const { digest, bills } = await writePluginsImage(archive, {
    say: () => {},
    architectures: ARCHITECTURES,
  });
  assert.deepEqual([...bills.keys()], ARCHITECTURES);
  const { layout, named } = await unpackImage(archive, `${work}/layout`);
  assert.equal(named.digest, digest);
  assert.equal(named.annotations?.["io.containerd.image.name"], PLUGINS_IMAGE);
  const { manifests } = await layout.json<{ manifests: Descriptor[] }>(named);
  return { work, archive, digest, layout, images: manifests };
}

/** The files of an image, those of the lower layers first. */
async function treeOf({ work, layout }: Made, image: Descriptor): Promise<string> {
  const tree = `${work}/tree-${image.platform?.architecture}`;
  const { layers } = await layout.json<ImageManifest>(image);
  await Deno.mkdir(`${tree}/proc`, { recursive: true });
  for (const layer of layers) {
    await layout.blob(layer);
    await runOrThrow(["tar", "-xzf", layout.placeOf(layer), "-C", tree]);
  }
  return tree;
}

/** Every plugin is a program of that processor, and every module in it has its licence there. */
async function holdsWhatItSays(made: Made): Promise<void> {
  for (const image of made.images) {
    const architecture = image.platform?.architecture;
    assert.ok(architecture !== undefined);
    const tree = await treeOf(made, image);
    const files = await Array.fromAsync(Deno.readDir(`${tree}/${PLUGINS_FOLDER}`));
    assert.deepEqual(files.map(({ name }) => name).toSorted(), NAMES);
    for (const name of NAMES) {
      const file = `${tree}/${PLUGINS_FOLDER}/${name}`;
      const { mode } = await Deno.stat(file);
      assert.equal((mode ?? 0) & 0o7777, 0o755, name);
      await assertIsFor(architecture, file);
    }
    const documents = `${tree}/usr/share/doc/spiderpool-plugins`;
    const bill: { packages: { name: string; versionInfo: string; externalRefs?: object[] }[] } =
      JSON.parse(await Deno.readTextFile(`${documents}/sbom.spdx.json`));
    const modules = bill.packages.filter(({ externalRefs }) => {
      return JSON.stringify(externalRefs ?? []).includes("pkg:golang/");
    });
    const listed = new Set(modules.map(({ name, versionInfo }) => `${name}@${versionInfo}`));
    for (const { module, version } of GO_SOURCES) assert.ok(listed.has(`${module}@${version}`));
    assert.ok(modules.some(({ name }) => name === "std"), "Go's own library is inside too");
    for (const { name, versionInfo } of modules) {
      const folder = `${documents}/licences/${name}@${versionInfo}`;
      const licences = await Array.fromAsync(Deno.readDir(folder));
      assert.ok(licences.some(({ isFile }) => isFile), folder);
    }
  }
}

/** Only plugins are new to a node that has the agent's image. */
async function sharesLayers({ work, layout, images }: Made): Promise<void> {
  const archive = `${work}/agent.tar`;
  await writeAgentImage(archive, { say: () => {} });
  const { layout: agent, named } = await unpackImage(archive, `${work}/agent`);
  assert.equal(named.annotations?.["io.containerd.image.name"], AGENT_IMAGE);
  const known = new Set(
    (await agent.json<ImageManifest>(named)).layers.map(({ digest }) => digest),
  );
  const own = images.find(({ platform }) => platform?.architecture === ownArchitecture());
  assert.ok(own !== undefined);
  const { layers } = await layout.json<ImageManifest>(own);
  assert.deepEqual([known.size, layers.length], [2, 4]);
  const fresh = layers.filter(({ digest }) => !known.has(digest));
  assert.equal(fresh.length, 2);
  const megabytes = fresh.reduce((sum, { size }) => sum + size, 0) / 1e6;
  assert.ok(megabytes < PLUGINS_MEGABYTES_MAX, `${megabytes} MB`);
}

/** As the init container does it: no library, nothing of this machine. */
async function installs({ work }: Made): Promise<void> {
  const tree = `${work}/tree-${ownArchitecture()}`;
  await Deno.mkdir(`${tree}/host`);
  await Deno.writeTextFile(`${tree}/host/portmap`, "theirs");
  const command = ["spiderpool-agent", "install-third-party"];
  const folders = ["--from", `/${PLUGINS_FOLDER}`, "--to", "/host"];
  const environment = { INSTALL_CNI_PLUGINS: "true" };
  const ended = await startIn({ tree, user: ROOT, environment }, [...command, ...folders]);
  assert.deepEqual([ended.code, ended.stderr], [0, ""], "each plugin was started");
  assert.match(ended.stdout, /^Installed .+\nLeft alone in \/host, .+: "portmap"; .+\n$/);
  const there = (await Array.fromAsync(Deno.readDir(`${tree}/host`))).map(({ name }) => name);
  assert.deepEqual(there.toSorted(), [RECORD_FILE, ...NAMES]);
  assert.equal(await Deno.readTextFile(`${tree}/host/portmap`), "theirs");
  const again = await startIn({ tree, user: ROOT, environment }, [...command, ...folders]);
  assert.match(again.stdout, /^Up to date in \/host: .+\nLeft alone in \/host, .+"portmap"; .+\n$/);
  const refused = await startIn({
    tree,
    user: ROOT,
    environment: { INSTALL_SRIOV_PLUGIN: "true" },
  }, [...command, ...folders]);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /does not have "sriov", which INSTALL_SRIOV_PLUGIN asks for/);
}

async function isTaken({ work, archive, digest }: Made): Promise<void> {
  await using containerd = await startContainerd(`${work}/containerd`);
  await containerd.ctr("images", "import", "--all-platforms", "--no-unpack", archive);
  const listed = await containerd.ctr("images", "ls", `name==${PLUGINS_IMAGE}`);
  assert.ok(listed.includes(digest), listed);
  assert.ok(listed.includes("linux/amd64,linux/arm64"), listed);
}

testWith({
  name: "the image of third parties' plugins holds what it says, for both architectures",
  needs: [root, ...["containerd", "ctr", "npm", "apt-get", "go"].map((name) => program(name))],
  async fn(test) {
    const work = await Deno.makeTempDir({ prefix: "plugins-image-" });
    try {
      const made = await make(work);
      await Deno.chmod(work, 0o755);
      await test.step("plugins, licences and modules are inside", () => holdsWhatItSays(made));
      await test.step("only plugins are new beside the agent's", () => sharesLayers(made));
      await test.step("its program installs them", () => installs(made));
      await test.step("a second build has the same bytes", async () => {
        await writePluginsImage(`${work}/again.tar`, {
          say: () => {},
          architectures: ARCHITECTURES,
        });
        await runOrThrow(["cmp", made.archive, `${work}/again.tar`]);
      });
      await test.step("containerd takes it", () => isTaken(made));
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});
