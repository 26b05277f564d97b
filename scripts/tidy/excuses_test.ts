import assert from "node:assert/strict";
import { checkExcuses, excusesIn } from "./excuses.ts";
import { tokenize } from "./tokens.ts";
import { treeOf } from "./tree.ts";

function refusals(text: string): string {
  return checkExcuses(treeOf([{ path: "src/ip/x.ts", text }]))
    .map(({ line, message }) => `${line} ${message}`).join();
}

Deno.test("excusesIn() reads the kind, the reason and the lines it speaks for", () => {
  const text = "/** Doc.\n * tidy: codec: every attribute of one message\n */\nf(); // tidy: x\n";
  assert.deepEqual(excusesIn(tokenize(text)), [
    { kind: "codec", reason: "every attribute of one message", lines: [1, 4], isAtTop: true },
    { kind: "x", reason: "", lines: [4, 5], isAtTop: false },
  ]);
});

Deno.test("checkExcuses() knows what can be claimed, and wants a reason", () => {
  assert.match(refusals("a;\n// tidy: layer, because I want it so\nb;"), /^2 "tidy: layer" is no/);
  assert.match(refusals("// tidy: table\na;"), /^1 "tidy: table" gives no reason/);
  assert.match(refusals("// tidy: cast, because it is\na;"), /gives no reason/);
  for (const kind of ["table", "codec", "cast"]) {
    assert.equal(refusals(`// tidy: ${kind}, because one row reads best in one place\na;`), "");
  }
});
