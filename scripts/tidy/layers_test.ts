import assert from "node:assert/strict";
import { checkLayers } from "./layers.ts";
import { treeOf } from "./tree.ts";

/** Findings of the rule on the tree of these files, every one of them also holding its imports. */
function refusals(files: Readonly<Record<string, string>>): readonly string[] {
  const tree = treeOf(Object.entries(files).map(([path, text]) => ({ path, text })));
  return checkLayers(tree).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

/** Whether a file may import another file: both exist, the second is empty. */
function mayImport(path: string, target: string): boolean {
  const up = "../".repeat(path.split("/").length - 1) || "./";
  return refusals({ [path]: `import "${up}${target}";\n`, [target]: "" }).length === 0;
}

function mayImportPackage(path: string, name: string): boolean {
  return refusals({ [path]: `import "${name}";\n` }).length === 0;
}

const FILES = [
  "src/base/x.ts",
  "src/ip/x.ts",
  "src/netlink/x.ts",
  "src/kube/x.ts",
  "src/store/x.ts",
  "src/api/x.ts",
  "src/cni/x.ts",
  "src/ipam/x.ts",
  "src/datapath/plan.ts",
  "src/datapath/apply.ts",
  "src/daemon/x.ts",
  "src/agent/x.ts",
  "src/controller/x.ts",
  "src/init/x.ts",
  "src/cli/x.ts",
  "src/dashboard/x.ts",
  "cni/spiderpool/add.ts",
  "cni/vlan/add.ts",
  "mod.ts",
];

const ENTRIES = [
  "cni/spiderpool/main.ts",
  "src/agent/main.ts",
  "src/controller/main.ts",
  "src/init/main.ts",
  "src/cli/main.ts",
];

Deno.test("checkLayers() holds the table of the style page, pair by pair", () => {
  const L0 = ["src/base/x.ts", "src/ip/x.ts"];
  const TO_L3 = FILES.slice(0, 10);
  const allowed: Readonly<Record<string, readonly string[]>> = {
    "src/base/x.ts": [],
    "src/ip/x.ts": ["src/base/x.ts"],
    "src/netlink/x.ts": L0,
    "src/kube/x.ts": L0,
    "src/store/x.ts": L0,
    "src/api/x.ts": L0,
    "src/cni/x.ts": L0,
    "src/ipam/x.ts": [...L0, "src/api/x.ts"],
    "src/datapath/plan.ts": [...L0, "src/api/x.ts"],
    "src/datapath/apply.ts": [...L0, "src/api/x.ts", "src/netlink/x.ts", "src/datapath/plan.ts"],
    "src/daemon/x.ts": [...L0, "src/kube/x.ts", "src/api/x.ts", "src/ipam/x.ts"],
    "src/agent/x.ts": [...TO_L3, "src/daemon/x.ts"],
    "src/controller/x.ts": [...TO_L3, "src/daemon/x.ts"],
    "src/init/x.ts": [...TO_L3, "src/daemon/x.ts"],
    "src/cli/x.ts": TO_L3,
    "src/dashboard/x.ts": TO_L3,
    "cni/spiderpool/add.ts": TO_L3,
    "cni/vlan/add.ts": TO_L3,
    "mod.ts": ["src/ip/x.ts", "src/ipam/x.ts", "src/netlink/x.ts", "src/kube/x.ts"],
  };
  for (const from of FILES) {
    for (const to of FILES) {
      if (from === to) continue;
      const expected = allowed[from]?.includes(to) ?? false;
      assert.equal(mayImport(from, to), expected, `${from} imports ${to}`);
    }
    assert.equal(mayImport(from, "tests/support/x.ts"), false, `${from} imports tests`);
    assert.equal(mayImport(from, "scripts/x.ts"), false, `${from} imports scripts`);
    assert.equal(mayImport(from, "src/base/x_test.ts"), false, `${from} imports a test`);
    for (const entry of [...ENTRIES, "src/daemon/machine.ts"]) {
      assert.equal(mayImport(from, entry), false, `${from} imports ${entry}`);
    }
  }
});

Deno.test("checkLayers() lets entry points, tests, benchmarks and scripts import anything", () => {
  const free = [
    "main.ts",
    ...ENTRIES,
    "scripts/bundle.ts",
    "tests/sim/x.ts",
    "src/base/x_test.ts",
    "src/base/x_bench.ts",
  ];
  for (const from of free) {
    for (const to of [...FILES, "src/daemon/machine.ts"]) {
      assert.equal(mayImport(from, to), true, `${from} imports ${to}`);
    }
  }
  for (const entry of ENTRIES) assert.equal(mayImport("main.ts", entry), true, entry);
  assert.equal(mayImport("main.ts", "scripts/x.ts"), false);
});

Deno.test("checkLayers() gives each package to the parts that need it", () => {
  const owners: Readonly<Record<string, readonly string[]>> = {
    "ipaddr.js": ["src/ip/x.ts"],
    "zod": ["src/api/x.ts", "src/agent/config.ts", "src/controller/config.ts", "src/cli/config.ts"],
    "@kubernetes/client-node": ["src/kube/x.ts"],
    "prom-client": ["src/agent/x.ts", "src/controller/x.ts", "src/base/metrics_sink.ts"],
    "@peculiar/x509": ["src/controller/x.ts"],
    "yaml": [
      "src/kube/x.ts",
      "src/store/x.ts",
      "src/daemon/x.ts",
      "src/agent/x.ts",
      "src/agent/config.ts",
      "src/controller/x.ts",
      "src/controller/config.ts",
      "src/init/x.ts",
      "src/cli/x.ts",
      "src/cli/config.ts",
    ],
    "fast-check": [],
  };
  const candidates = new Set([...FILES, "src/api/agent.ts", ...Object.values(owners).flat()]);
  for (const [name, paths] of Object.entries(owners)) {
    for (const path of candidates) {
      assert.equal(mayImportPackage(path, name), paths.includes(path), `${path} imports ${name}`);
    }
    assert.equal(mayImportPackage("main.ts", name), true, `main.ts imports ${name}`);
    assert.equal(mayImportPackage("src/base/x_test.ts", name), true, `a test imports ${name}`);
  }
});

Deno.test("checkLayers() sees every form of import, types too", () => {
  const forms = [
    `import { a } from "../ipam/x.ts";`,
    `import type { A } from "../ipam/x.ts";`,
    `import * as all from "../ipam/x.ts";`,
    `import "../ipam/x.ts";`,
    `export { a } from "../ipam/x.ts";`,
    `export * from "../ipam/x.ts";`,
    `export type { A } from "../ipam/x.ts";`,
    `const x = await import("../ipam/x.ts");`,
    `let x: import("../ipam/x.ts").A;`,
    `import {\n  a,\n  type B as C,\n} from "../ipam/x.ts";`,
  ];
  for (const form of forms) {
    const found = refusals({ "src/base/a.ts": `\n${form}\n`, "src/ipam/x.ts": "" });
    assert.equal(found.length, 1, form);
    assert.match(found[0] ?? "", /^src\/base\/a\.ts:2 src\/base \(L0\) must not import src\/ipam/);
  }
  const text =
    `// import "../ipam/x.ts";\nconst a = 'import "../ipam/x.ts"';\nconst b = \`import\`;\n`;
  assert.deepEqual(refusals({ "src/base/a.ts": text, "src/ipam/x.ts": "" }), []);
});

Deno.test("checkLayers() refuses what it cannot place", () => {
  assert.match(
    refusals({ "src/stuff/a.ts": "" }).join(),
    /src\/stuff is no part of the layer table/,
  );
  assert.match(refusals({ "cni/a.ts": "" }).join(), /no part of the layer table/);
  assert.match(refusals({ "src/base/a.ts": `import "./gone.ts";` }).join(), /is not in the tree/);
  assert.match(refusals({ "src/agent/a.ts": `import(name);` }).join(), /computed import/);
  for (const specifier of ["npm:zod", "jsr:@std/path", "https://example.org/x.ts"]) {
    for (const path of ["src/agent/a.ts", "scripts/a.ts", "tests/sim/a.ts"]) {
      assert.match(
        refusals({ [path]: `import "${specifier}";` }).join(),
        /goes around the import map/,
      );
    }
  }
});

Deno.test("checkLayers() names siblings as such", () => {
  const found = refusals({ "src/agent/a.ts": `import "../cli/b.ts";`, "src/cli/b.ts": "" });
  assert.match(found.join(), /siblings never import each other/);
});

Deno.test("checkLayers() knows no entry but those of programs", () => {
  for (const path of ["src/base/main.ts", "src/ipam/main.ts", "src/dashboard/main.ts"]) {
    assert.equal(mayImportPackage(path, "prom-client"), false, path);
  }
  assert.equal(mayImportPackage("src/agent/server/main.ts", "@peculiar/x509"), false);
});
