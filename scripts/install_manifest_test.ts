import assert from "node:assert/strict";
import { INSTALL_FILE, installText, readList } from "./install_manifest.ts";

Deno.test("manifests/install.yaml is what `deno task generate` writes", async () => {
  const stored = await Deno.readTextFile(INSTALL_FILE);
  assert.equal(stored, await installText(), "install.yaml is stale: run `deno task generate`");
});

Deno.test("readList() refuses what joining files would not do", () => {
  const place = "base/kustomization.yaml";
  const list = (more: string): string => `kind: Kustomization\nresources: [a.yaml]\n${more}`;
  assert.deepEqual(readList(list("apiVersion: x/v1\n"), { place }), ["a.yaml"]);
  const rows: readonly (readonly [text: string, says: RegExp])[] = [
    [list("namePrefix: x-\n"), /^Error: .*kustomization\.yaml: "namePrefix" changes objects, put/],
    ["kind: Kustomization\n", /it names no resources$/],
    ["kind: List\nresources: [a.yaml]\n", /it names no resources$/],
    ["- a.yaml\n", /it is no list of kustomize$/],
  ];
  for (const [text, says] of rows) assert.throws(() => readList(text, { place }), says);
});
