import assert from "node:assert/strict";

const MODULE = new URL(import.meta.resolve("./mod.ts")).pathname;
const CONFIG = new URL(import.meta.resolve("../../deno.json")).pathname;

Deno.test("the examples of the library are such that compile", async () => {
  assert.match(await Deno.readTextFile(MODULE), /```ts\n/);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", "--doc-only", `--config=${CONFIG}`, MODULE],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});

Deno.test("the public library hides no name of src/netlink behind one of elsewhere", async () => {
  const all: Record<string, unknown> = await import("../../mod.ts");
  for (const [name, value] of Object.entries(await import("./mod.ts"))) {
    assert.equal(all[name], value, name);
  }
});
