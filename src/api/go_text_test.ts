import assert from "node:assert/strict";
import { parseGoBool, parseGoDuration, parseGoInteger } from "./go_text.ts";

Deno.test("parseGoBool() takes Go's spellings and no other", () => {
  for (const text of ["1", "t", "T", "TRUE", "true", "True"]) assert.equal(parseGoBool(text), true);
  for (const text of ["0", "f", "F", "FALSE", "false", "False"]) {
    assert.equal(parseGoBool(text), false);
  }
  for (const text of ["", "yes", "tRUE", " true", "2"]) assert.equal(parseGoBool(text), undefined);
});

Deno.test("parseGoInteger() takes signed decimals that a double holds", () => {
  assert.equal(parseGoInteger("0"), 0);
  assert.equal(parseGoInteger("+12"), 12);
  assert.ok(Object.is(parseGoInteger("-0"), 0));
  assert.equal(parseGoInteger("-007"), -7);
  for (const text of ["", "+", "1.0", "1e3", "0x10", " 1", "1_000", "9007199254740993"]) {
    assert.equal(parseGoInteger(text), undefined, text);
  }
});

Deno.test("parseGoDuration() sums the parts, in milliseconds", () => {
  const cases: readonly [string, number][] = [
    ["50s", 50_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["250ms", 250],
    ["2000us", 2],
    ["-3s", -3_000],
    ["0", 0],
  ];
  for (const [text, ms] of cases) assert.equal(parseGoDuration(text), ms, text);
  for (const text of ["", "5", "s", "5 s", "5s ", "5sx", "5d", "-", "1s\n"]) {
    assert.equal(parseGoDuration(text), undefined, text);
  }
});
