import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../base/result.ts";
import { globMatches, isPattern, parseGlob } from "./glob.ts";

function matches(pattern: string, name: string): boolean {
  return globMatches(expectOk(parseGlob(pattern), `"${pattern}" is a pattern`), name);
}

Deno.test("isPattern() knows a pattern by its wildcards", () => {
  for (const name of ["p*", "p?", "p[1]", "]x["]) assert.ok(isPattern(name), name);
  for (const name of ["p1", "p[", "]", "p\\", ""]) assert.ok(!isPattern(name), name);
});

Deno.test("globMatches() matches whole names as Go does", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["abc", "abc", true],
    ["abc", "abcd", false],
    ["*", "", true],
    ["*", "abc", true],
    ["*c", "abc", true],
    ["a*", "a", true],
    ["a*", "ab/c", false],
    ["a*/b", "abc/b", true],
    ["a*/b", "a/c/b", false],
    ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
    ["a*b?c*x", "abxbbxdbxebxczzx", true],
    ["a*b?c*x", "abxbbxdbxebxczzy", false],
    ["**x", "aax", true],
    ["ab[c]", "abc", true],
    ["ab[b-d]", "abc", true],
    ["ab[e-g]", "abc", false],
    ["ab[^c]", "abc", false],
    ["ab[^e-g]", "abc", true],
    ["ab[ce-g]", "abg", true],
    ["a[d-b]", "ac", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a?b", "a☺b", true],
    ["a[^a]b", "a☺b", true],
    ["a???b", "a☺b", false],
    ["a?b", "a/b", false],
    ["[a-ζ]*", "α", true],
    ["[\\]a]", "]", true],
    ["[x\\-]", "-", true],
    ["[\\-x]", "a", false],
    ["[*]x", "*x", true],
    ["a]", "a]", true],
  ];
  for (const [pattern, name, expected] of cases) {
    assert.equal(matches(pattern, name), expected, `${pattern} on ${name}`);
  }
});

Deno.test("parseGlob() says what is wrong with a pattern", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a[", 'has "[" without "]"; write "[...]"'],
    ["[a-", 'has "[" without "]"; write "[...]"'],
    ["*[\\", 'has "[" without "]"; write "[...]"'],
    ["[]a]", 'has "]" where a "[...]" needs a character; write "\\]" if it is meant'],
    ["[^]", 'has "]" where a "[...]" needs a character; write "\\]" if it is meant'],
    ["[-x]", 'has "-" where a "[...]" needs a character; write "\\-" if it is meant'],
    ["[a-b-c]", 'has "-" where a "[...]" needs a character; write "\\-" if it is meant'],
    ["*\\", 'ends with "\\"; write "\\\\" if that is meant'],
  ];
  for (const [pattern, error] of cases) {
    assert.deepEqual(parseGlob(pattern), { ok: false, error }, pattern);
  }
});

Deno.test("globMatches() does not take forever where a pattern nearly matches", () => {
  assert.equal(matches("*a".repeat(120) + "*b", "a".repeat(240)), false);
});

/** The slow twin: tries every length for every `*`, on the text of the pattern itself. */
function slowMatches(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  const [first = ""] = pattern;
  if (first === "*") {
    return slowMatches(pattern.slice(1), name) ||
      (name !== "" && slowMatches(pattern, name.slice(1)));
  }
  const [character] = name;
  if (character === undefined) return false;
  const [step = "", body = ""] = /^\[((?:\\.|[^\]\\])*)\]/.exec(pattern) ?? /^\\?./.exec(pattern) ??
    [];
  const fits = first === "?" ||
    (first === "[" ? slowClass(body, character) : step.at(-1) === character);
  return fits && slowMatches(pattern.slice(step.length), name.slice(1));
}

function slowClass(body: string, character: string): boolean {
  const isNegated = body.startsWith("^");
  const members = [...(isNegated ? body.slice(1) : body).matchAll(/\\?(.)(?:-\\?(.))?/g)];
  const isListed = members.some(([, low = "", high = low]) =>
    low <= character && character <= high
  );
  return isListed !== isNegated;
}

const letter = fc.constantFrom("a", "b", "c", "\\-");
const member = fc.tuple(letter, fc.option(letter)).map(([low, high]) =>
  high === null ? low : `${low}-${high}`
);
const classText = fc.tuple(
  fc.constantFrom("", "^"),
  fc.array(member, { minLength: 1, maxLength: 3 }),
)
  .map(([sign, members]) => `[${sign}${members.join("")}]`);
const stepText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("a", "b", "-") },
  { weight: 2, arbitrary: fc.constantFrom("*", "?", "\\*") },
  { weight: 1, arbitrary: classText },
);

Deno.test("property: globMatches() agrees with a slow twin", () => {
  const patterns = fc.array(stepText, { maxLength: 7 }).map((steps) => steps.join(""));
  const names = fc.string({ unit: fc.constantFrom("a", "b", "c", "-", "*"), maxLength: 8 });
  let matched = 0;
  fc.assert(
    fc.property(patterns, names, (pattern, name) => {
      const expected = slowMatches(pattern, name);
      if (expected) matched++;
      assert.equal(matches(pattern, name), expected);
    }),
    { numRuns: 3_000 },
  );
  assert.ok(matched > 20, `only ${matched} of the names matched: the test compares nothing`);
});

Deno.test("property: parseGlob() takes exactly what is well-formed", () => {
  const one = String.raw`(?:\\.|[^\]\-\\])`;
  const all = `(?:${one}(?:-${one})?)+`;
  const wellFormed = new RegExp(String.raw`^(?:[^[\\]|\\.|\[(?:\^${all}|(?!\^)${all})\])*$`, "s");
  const texts = fc.string({ unit: fc.constantFrom(..."ab-^[]\\*?"), maxLength: 9 });
  fc.assert(
    fc.property(texts, (text) => assert.equal(parseGlob(text).ok, wellFormed.test(text))),
    { numRuns: 3_000 },
  );
});
