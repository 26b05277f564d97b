import assert from "node:assert/strict";
import { checkCycles, checkPlugins } from "./graph.ts";
import { treeOf } from "./tree.ts";

function tree(files: Readonly<Record<string, string>>): ReturnType<typeof treeOf> {
  return treeOf(Object.entries(files).map(([path, text]) => ({ path, text })));
}

Deno.test("checkCycles() finds a circle through three files and writes it out", () => {
  const found = checkCycles(tree({
    "src/base/a.ts": `import "./b.ts";`,
    "src/base/b.ts": `\nimport type { C } from "./c.ts";`,
    "src/base/c.ts": `\n\nexport * from "./a.ts";`,
  }));
  assert.equal(found.length, 1);
  assert.deepEqual([found[0]?.path, found[0]?.line], ["src/base/c.ts", 3]);
  assert.match(
    found[0]?.message ?? "",
    /src\/base\/a\.ts -> src\/base\/b\.ts -> src\/base\/c\.ts -> src\/base\/a\.ts/,
  );
});

Deno.test("checkCycles() finds a file that imports itself, and every circle of several", () => {
  assert.equal(checkCycles(tree({ "src/base/a.ts": `import "./a.ts";` })).length, 1);
  const two = checkCycles(tree({
    "src/ip/a.ts": `import "./b.ts"; import "./c.ts";`,
    "src/ip/b.ts": `import "./a.ts";`,
    "src/ip/c.ts": `import "./a.ts";`,
  }));
  assert.equal(two.length, 2);
});

Deno.test("checkCycles() accepts a diamond", () => {
  assert.deepEqual(
    checkCycles(tree({
      "src/base/a.ts": `import "./b.ts"; import "./c.ts";`,
      "src/base/b.ts": `import "./d.ts";`,
      "src/base/c.ts": `import "./d.ts";`,
      "src/base/d.ts": "",
    })),
    [],
  );
});

Deno.test("checkPlugins() follows the plugins' imports to each heavy package and folder", () => {
  for (const name of ["zod", "@kubernetes/client-node", "prom-client", "yaml"]) {
    const found = checkPlugins(tree({
      "cni/vlan/main.ts": `import { run } from "./add.ts";`,
      "cni/vlan/add.ts": `import { x } from "../../src/api/x.ts";`,
      "src/api/x.ts": `import { z } from "${name}";`,
    }));
    assert.equal(found.length, 1, name);
    assert.equal(found[0]?.path, "src/api/x.ts");
    assert.match(
      found[0]?.message ?? "",
      new RegExp(`: cni/vlan/add.ts -> src/api/x.ts -> ${name}`),
    );
  }
  for (const target of ["src/agent/x.ts", "src/controller/x.ts"]) {
    const found = checkPlugins(tree({
      "cni/vlan/main.ts": `const x = await import("../../${target}");`,
      [target]: "",
    }));
    assert.equal(found.length, 1, target);
  }
});

Deno.test("checkPlugins() looks at what every plugin shares before there is a plugin", () => {
  for (const path of ["src/cni/x.ts", "src/api/agent.ts", "main.ts"]) {
    const up = "../".repeat(path.split("/").length - 1) || "./";
    const files = { [path]: `import "${up}src/api/x.ts";`, "src/api/x.ts": `import "zod";` };
    assert.equal(checkPlugins(tree(files)).length, 1, path);
  }
});

Deno.test("checkPlugins() lets main.ts load a program on demand, but not with itself", () => {
  const agent = { "src/agent/x.ts": "" };
  assert.equal(checkPlugins(tree({ ...agent, "main.ts": `import "./src/agent/x.ts";` })).length, 1);
  const onDemand = { ...agent, "main.ts": `await import("./src/agent/x.ts");` };
  assert.deepEqual(checkPlugins(tree(onDemand)), []);
  const hidden = {
    ...agent,
    "main.ts": `import "./src/base/x.ts";`,
    "src/base/x.ts": `await import("../agent/x.ts");`,
  };
  assert.equal(checkPlugins(tree(hidden)).length, 1);
});

Deno.test("checkPlugins() ignores types, tests and what no plugin reaches", () => {
  assert.deepEqual(
    checkPlugins(tree({
      "cni/vlan/main.ts": `import type { X } from "../../src/api/x.ts";`,
      "cni/vlan/main_test.ts": `import { z } from "zod";`,
      "src/api/x.ts": `import { z } from "zod";`,
    })),
    [],
  );
});

Deno.test("checkPlugins() lets an import of types pass only if all of it is erased", () => {
  const found = checkPlugins(tree({
    "cni/vlan/main.ts": `import { type X } from "../../src/api/x.ts";`,
    "src/api/x.ts": `import { z } from "zod";`,
  }));
  assert.equal(found.length, 1);
});
