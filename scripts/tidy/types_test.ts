import assert from "node:assert/strict";
import { treeOf } from "./tree.ts";
import { checkEnums, checkSuppressions } from "./types.ts";

Deno.test("checkEnums() refuses an enum in any file, and only an enum", () => {
  for (const text of ["enum A { B }", "export const enum A { B }", "declare enum A { B }"]) {
    const found = checkEnums(treeOf([{ path: "tests/x.ts", text: `\n${text}` }]));
    assert.deepEqual(found.map(({ line }) => line), [2], text);
  }
  for (const text of [`const a = { enum: ["b"] };`, `z.enum(["b"]);`, `// enum A { B }`]) {
    assert.deepEqual(checkEnums(treeOf([{ path: "src/api/x.ts", text }])), [], text);
  }
});

Deno.test("checkSuppressions() wants one line, a reason, and none of the kept promises", () => {
  function messages(text: string, path: string): string {
    return checkSuppressions(treeOf([{ path, text }])).map(({ message }) => message).join();
  }
  const ignore = "deno-lint-ignore";
  const path = "src/kube/x.ts";
  assert.match(messages(`// ${ignore}-file\n`, path), /for a whole file/);
  assert.match(messages(`// ${ignore} require-await\nf();`, path), /say why after the rule/);
  assert.match(messages(`// ${ignore} no-explicit-any -- it is\nf();`, path), /not switched off/);
  assert.match(messages(`// ${ignore} a no-console -- it is\nf();`, "main.ts"), /not switched off/);
  assert.match(messages("// @ts-expect-error wrong\nf();", path), /mend the type/);
  assert.equal(messages(`// ${ignore} require-await -- the port wants a promise\n`, path), "");
  assert.equal(messages(`// ${ignore} no-console -- the sink\nf();`, "scripts/x.ts"), "");
  assert.equal(messages("// @ts-expect-error must not compile\nf();", "src/ip/x_test.ts"), "");
  assert.equal(messages(`const text = "// ${ignore}-file";`, path), "");
});
