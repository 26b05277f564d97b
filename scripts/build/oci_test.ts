import assert from "node:assert/strict";
import type { Architecture } from "./arguments.ts";
import { type Descriptor, digestOf, imageArchive, type OciImage, ociImage } from "./oci.ts";

const LABELS = { "org.opencontainers.image.version": "1.2.3" };
const REFERENCE = "registry.example.com:5000/x/y:1.2.3";

function image(architecture: Architecture, text: string = architecture): OciImage {
  const compressed = new TextEncoder().encode(text);
  return ociImage({
    architecture,
    layers: [{ compressed, diffId: digestOf(new TextEncoder().encode(`tar of ${text}`)) }],
    command: ["x"],
    environment: ["PATH=/bin"],
    user: "1:2",
    labels: LABELS,
  });
}

/** Files of a tar by path: what of it `writeTar` writes. */
function filesOf(tar: Uint8Array): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const decoder = new TextDecoder();
  for (let at = 0; tar[at] !== 0 && at < tar.length;) {
    const name = decoder.decode(tar.subarray(at, at + 100)).replace(/\0.*$/s, "");
    const size = parseInt(decoder.decode(tar.subarray(at + 124, at + 135)), 8);
    files.set(name, decoder.decode(tar.subarray(at + 512, at + 512 + size)));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

Deno.test("ociImage() gives a configuration and a manifest that name each other's digests", () => {
  const { manifest, configuration, layers, blobs } = image("arm64");
  assert.deepEqual(manifest.platform, { architecture: "arm64", os: "linux" });
  for (const { digest, size } of [manifest, configuration, ...layers]) {
    const bytes = blobs.get(digest);
    assert.ok(bytes !== undefined);
    assert.equal(digestOf(bytes), digest);
    assert.equal(bytes.length, size);
  }
  const text = new TextDecoder().decode(blobs.get(manifest.digest));
  const document: { readonly config: Descriptor; readonly layers: readonly Descriptor[] } = JSON
    .parse(text);
  assert.deepEqual([document.config, ...document.layers], [configuration, ...layers]);
  const config = JSON.parse(new TextDecoder().decode(blobs.get(configuration.digest)));
  assert.equal(config.architecture, "arm64");
  assert.deepEqual(config.config, {
    User: "1:2",
    Env: ["PATH=/bin"],
    Cmd: ["x"],
    Labels: LABELS,
  });
  assert.equal(config.created, undefined, "no time is in it");
});

Deno.test("ociImage() has the same digest for the same parts only", () => {
  assert.equal(image("amd64").manifest.digest, image("amd64").manifest.digest);
  assert.notEqual(image("amd64").manifest.digest, image("amd64", "other").manifest.digest);
});

Deno.test("imageArchive() of one image is a layout, and a Docker archive of the same blobs", () => {
  const one = image("amd64");
  const { bytes, digest } = imageArchive([one], { reference: REFERENCE, labels: LABELS });
  const files = filesOf(bytes);
  assert.equal(digest, one.manifest.digest);
  const index: { readonly manifests: readonly Descriptor[] } = JSON.parse(
    files.get("index.json") ?? "",
  );
  assert.deepEqual(index.manifests.map(({ digest, annotations }) => [digest, annotations]), [
    [digest, {
      "io.containerd.image.name": REFERENCE,
      "org.opencontainers.image.ref.name": "1.2.3",
    }],
  ]);
  const [docker] = JSON.parse(files.get("manifest.json") ?? "");
  assert.deepEqual(docker.RepoTags, [REFERENCE]);
  for (const place of [docker.Config, ...docker.Layers]) assert.ok(files.has(place), place);
});

Deno.test("imageArchive() of two has one name for an index of both", () => {
  const both = [image("amd64"), image("arm64")];
  const { bytes, digest } = imageArchive(both, { reference: REFERENCE, labels: LABELS });
  const files = filesOf(bytes);
  assert.ok(!files.has("manifest.json"), "Docker's own archives have one architecture");
  const { manifests } = JSON.parse(files.get("index.json") ?? "");
  assert.deepEqual(manifests.map((one: Descriptor) => one.digest), [digest]);
  const index = JSON.parse(files.get(`blobs/${digest.replace(":", "/")}`) ?? "");
  assert.deepEqual(index.manifests, both.map(({ manifest }) => manifest));
  for (const name of both.flatMap(({ blobs }) => [...blobs.keys()])) {
    assert.ok(files.has(`blobs/${name.replace(":", "/")}`), name);
  }
});
