import assert from "node:assert/strict";
import { tokenize } from "./tokens.ts";

function texts(source: string): readonly string[] {
  return tokenize(source).slice(0, -1).map(({ text }) => text);
}

function kinds(source: string): readonly string[] {
  return tokenize(source).slice(0, -1).map(({ kind, text }) => `${kind} ${text}`);
}

Deno.test("tokenize() tells a regular expression from a division", () => {
  assert.deepEqual(kinds("a = /b/g;").at(2), "regex /b/g");
  assert.deepEqual(texts("a / b / c"), ["a", "/", "b", "/", "c"]);
  assert.deepEqual(texts("(a) / b / c").at(3), "/");
  assert.deepEqual(kinds("if (a) /b/.test(c)").at(4), "regex /b/");
  assert.deepEqual(texts("x[0] / y / z").at(4), "/");
  assert.deepEqual(kinds("return /[/]\"'`/.test(x)").at(1), "regex /[/]\"'`/");
  assert.deepEqual(kinds("f(/\\//u, 1)").at(2), "regex /\\//u");
  assert.deepEqual(kinds("`${/a/}`").at(1), "regex /a/");
});

Deno.test("tokenize() cuts templates at their expressions, however deep", () => {
  assert.deepEqual(texts("`a${b}c`"), ["`a${", "b", "}c`"]);
  assert.deepEqual(texts("`${{ a: `x${1}` }}`"), [
    "`${",
    "{",
    "a",
    ":",
    "`x${",
    "1",
    "}`",
    "}",
    "}`",
  ]);
  assert.deepEqual(texts("`no $ {here} \\${ \\` end`").length, 1);
});

Deno.test("tokenize() hides code in strings and comments, keeps comments with what follows", () => {
  assert.deepEqual(texts('"// no" + \'import "x"\' // yes'), ['"// no"', "+", "'import \"x\"'"]);
  const [first, end] = tokenize("#!/bin/sh\n// a\n/* b\n*/ x // c\n");
  assert.deepEqual(first?.comments.map(({ text, line }) => [text, line]), [
    ["#!/bin/sh", 1],
    ["// a", 2],
    ["/* b\n*/", 3],
  ]);
  assert.deepEqual([first?.text, first?.line], ["x", 4]);
  assert.deepEqual([end?.kind, end?.comments[0]?.text], ["end", "// c"]);
});

Deno.test("tokenize() counts lines through templates and escapes", () => {
  const tokens = tokenize("`a\nb`\n'c\\\nd'\nx");
  assert.deepEqual(tokens.map(({ line }) => line), [1, 3, 5, 5]);
});

Deno.test("tokenize() reads numbers, private names and the signs that matter", () => {
  assert.deepEqual(texts("1_000n 0xFFn .5e-3 1.5"), ["1_000n", "0xFFn", ".5e-3", "1.5"]);
  assert.deepEqual(texts("this.#a?.b ?? [...c] => d"), [
    "this",
    ".",
    "#a",
    "?.",
    "b",
    "??",
    "[",
    "...",
    "c",
    "]",
    "=>",
    "d",
  ]);
  assert.deepEqual(texts("Map<A, Set<B>>"), ["Map", "<", "A", ",", "Set", "<", "B", ">", ">"]);
});

Deno.test("tokenize() loses no character: tokens, comments and space make the text", async () => {
  for (const name of ["tokens.ts", "tokens_test.ts", "layers.ts"]) {
    const source = await Deno.readTextFile(new URL(`./${name}`, import.meta.url));
    let at = 0;
    for (const token of tokenize(source)) {
      for (const piece of [...token.comments, token]) {
        assert.equal(source.slice(at, piece.at).trim(), "", `${name} line ${piece.line}`);
        assert.equal(source.slice(piece.at, piece.at + piece.text.length), piece.text);
        at = piece.at + piece.text.length;
      }
    }
    assert.equal(source.slice(at).trim(), "");
  }
});
