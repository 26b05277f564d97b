/** What a real API server makes of `manifests/install.yaml` and of what kubectl renders. */
import assert from "node:assert/strict";
import { runOrThrow } from "../../scripts/cluster/process.ts";
import { program, testWith } from "../support/require.ts";
import { identityOf, type InstalledObject, objectsIn } from "../support/manifest_objects.ts";
import { apiServer, applyKinds, kubectl, kubectlOk } from "./kubectl.ts";

const needs = [apiServer, program("kubectl")];
const STRICT = ["--dry-run=server", "--validate=strict"];

/** Folders that a person applies, but for one that needs the kinds of cert-manager. */
async function foldersOf(): Promise<readonly string[]> {
  const overlays = await Array.fromAsync(Deno.readDir("manifests/overlays"));
  const names = overlays.filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  return [
    ...["init", "multus", "uninstall", "give_back"].map((name) => `manifests/${name}`),
    ...names.toSorted().flatMap((name) => {
      return [`manifests/overlays/${name}`, `manifests/overlays/${name}/networks`];
    }),
  ];
}

/** The namespace and the kinds are made; nothing that asks for an answer is. */
async function prepare(): Promise<void> {
  await kubectlOk(["apply", "-f", "manifests/rbac/00-namespace.yaml"]);
  await applyKinds();
}

/** What kubectl renders of a folder; it asks no server. */
async function rendered(folder: string): Promise<readonly InstalledObject[]> {
  return objectsIn(await runOrThrow(["kubectl", "kustomize", folder]));
}

testWith({
  name: "install.yaml is what kubectl renders of manifests/base",
  needs: [program("kubectl")],
  async fn() {
    const installed = objectsIn(await Deno.readTextFile("manifests/install.yaml"));
    const [ours, kubectls] = [installed, await rendered("manifests/base")].map((objects) =>
      new Map(objects.map((object) => [identityOf(object), object]))
    );
    assert.deepEqual(ours, kubectls);
  },
});

testWith({
  name: "an API server takes install.yaml as plain kubectl apply sends it, every field known",
  needs,
  async fn() {
    await prepare();
    const said = await kubectlOk(["apply", ...STRICT, "-f", "manifests/install.yaml"]);
    const objects = objectsIn(await Deno.readTextFile("manifests/install.yaml"));
    const lines = said.trim().split("\n");
    assert.equal(lines.length, objects.length);
    for (const line of lines) {
      assert.match(line, /(?:created|configured|unchanged) \(server dry run\)$/);
    }
  },
});

testWith({
  name: "an API server takes each folder that is applied as kubectl renders it",
  needs,
  async fn(test) {
    await prepare();
    for (const folder of await foldersOf()) {
      await test.step(folder, async () => {
        const { success, stderr } = await kubectl(["apply", ...STRICT, "-k", folder]);
        assert.ok(success, stderr);
      });
    }
  },
});
