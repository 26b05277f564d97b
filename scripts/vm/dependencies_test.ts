import assert from "node:assert/strict";
import { dependenciesOf, reduceLock } from "./dependencies.ts";

function npm(name: string, ...dependencies: readonly string[]) {
  return { dependencies, registryUrl: "https://registry.invalid/", localPath: `/npm/${name}` };
}

const GRAPH = {
  modules: [
    {
      specifier: "file:///x/a_test.ts",
      dependencies: [
        { specifier: "./b.ts", code: { specifier: "file:///x/b.ts" } },
        { specifier: "left", code: { specifier: "npm:left@1.0.0" } },
        { specifier: "npm:direct@3", code: { specifier: "npm:direct@3" } },
      ],
    },
    { specifier: "npm:/left@1.0.0", npmPackage: "left@1.0.0" },
  ],
  npmPackages: {
    "left@1.0.0": npm("left", "circle@1.0.0"),
    "circle@1.0.0": npm("circle", "left@1.0.0"),
    "other@2.0.0": npm("other"),
  },
};

Deno.test("dependenciesOf() follows what is imported, round circles, and leaves the rest", () => {
  const { packages, imports } = dependenciesOf(GRAPH);
  assert.deepEqual([...packages.keys()].toSorted(), ["circle@1.0.0", "left@1.0.0"]);
  assert.deepEqual(imports, { left: "npm:left@1.0.0" });
});

Deno.test("reduceLock() keeps the locked hashes of what is left, and nothing else", () => {
  const lock = {
    version: "5",
    specifiers: { "npm:left@1.0.0": "1.0.0", "npm:other@2.0.0": "2.0.0" },
    npm: {
      "left@1.0.0": { integrity: "sha512-l", dependencies: ["circle"] },
      "circle@1.0.0": { integrity: "sha512-c" },
      "other@2.0.0": { integrity: "sha512-o" },
    },
    workspace: { dependencies: ["npm:left@1.0.0", "npm:other@2.0.0"] },
  };
  assert.deepEqual(JSON.parse(reduceLock(JSON.stringify(lock), dependenciesOf(GRAPH))), {
    version: "5",
    specifiers: { "npm:left@1.0.0": "1.0.0" },
    npm: {
      "left@1.0.0": { integrity: "sha512-l", dependencies: ["circle"] },
      "circle@1.0.0": { integrity: "sha512-c" },
    },
    workspace: { dependencies: ["npm:left@1.0.0"] },
  });
});
