import assert from "node:assert/strict";
import { readImageArguments } from "./image.ts";

Deno.test("readImageArguments() takes a file, or the one of this architecture in dist", () => {
  assert.deepEqual(readImageArguments(["--out", "x.tar"]), { ok: true, value: "x.tar" });
  const otherwise = readImageArguments([]);
  assert.ok(otherwise.ok);
  assert.match(otherwise.value, /\/dist\/spiderpool-agent-(?:amd64|arm64)\.tar$/);
});

Deno.test("readImageArguments() names what it does not take", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["x.tar"], /^Unknown argument "x\.tar": use --out FILE\.tar$/],
    [["--out"], /^Argument "--out" has no value: add a file$/],
    [["--out", "x.tar", "y"], /^Unknown argument "y": use --out FILE\.tar$/],
  ];
  for (const [args, sentence] of cases) {
    const file = readImageArguments(args);
    assert.ok(!file.ok);
    assert.match(file.error, sentence);
  }
});
