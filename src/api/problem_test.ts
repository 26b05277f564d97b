import assert from "node:assert/strict";
import * as z from "zod";
import { choices, pathText, problemSentence, shown } from "./problem.ts";
import { problemsOf, readSchema, wholeNumberSchema } from "./schema.ts";

Deno.test("problemSentence() names place, value, reason and remedy", () => {
  const cases: readonly [Parameters<typeof problemSentence>, string][] = [
    [[{ path: ["a", "b", 3], value: 5, allowed: "4 or 6" }], "Cannot use a.b[3] 5: write 4 or 6"],
    [[{ path: [], value: "x", allowed: "y" }], 'Cannot use the value "x": write y'],
    [
      [{ path: ["a"], value: undefined, allowed: "a list" }],
      "Cannot use a: it is missing; write a list",
    ],
    [
      [{ path: ["a"], value: 1, allowed: "each name once", reason: "it is listed twice" }],
      "Cannot use a 1: it is listed twice; write each name once",
    ],
    [
      [{ path: ["a"], value: 1, allowed: "2" }, { root: "the file" }],
      "Cannot use a of the file 1: write 2",
    ],
    [
      [{ path: [], value: 1, allowed: "2" }, { root: "the file" }],
      "Cannot use the file 1: write 2",
    ],
    [
      [{ path: ["a"], value: 1, allowed: "2" }, { more: 1 }],
      "Cannot use a 1: write 2 (and 1 more problem)",
    ],
    [
      [{ path: ["a"], value: 1, allowed: "2" }, { more: 2 }],
      "Cannot use a 1: write 2 (and 2 more problems)",
    ],
  ];
  for (const [given, sentence] of cases) assert.equal(problemSentence(...given), sentence);
});

Deno.test("pathText() quotes names that are no identifier", () => {
  assert.equal(pathText(["metadata", "labels", "a.b/c", 0]), 'metadata.labels["a.b/c"][0]');
  assert.equal(pathText([0, "x", "__proto__", ""]), '[0].x.__proto__[""]');
});

Deno.test("shown() is JSON, cut where it gets long", () => {
  assert.equal(shown({ a: [1] }), '{"a":[1]}');
  assert.equal(shown(undefined), "undefined");
  assert.equal(shown(2n ** 64n), "18446744073709551616");
  assert.equal(shown("x".repeat(500)), `"${"x".repeat(99)}…`);
});

Deno.test("choices() reads like a sentence", () => {
  assert.equal(choices([]), "nothing");
  assert.equal(choices(["a"]), '"a"');
  assert.equal(choices([4, 6]), "4 or 6");
  assert.equal(choices(["a", "b", "c"]), '"a", "b" or "c"');
});

Deno.test("problemsOf() says what each issue of zod wants", () => {
  const cases: readonly [z.ZodType, unknown, string][] = [
    [z.string(), 1, "a string"],
    [z.boolean(), "x", "true or false"],
    [z.number(), "x", "a number"],
    [z.int(), "x", "a number"],
    [z.int(), 1.5, "a whole number"],
    [z.array(z.string()), {}, "a list"],
    [z.looseObject({}), [], "an object"],
    [z.record(z.string(), z.string()), 1, "an object"],
    [z.literal("a"), "b", '"a"'],
    [z.enum(["a", "b"]), "c", '"a" or "b"'],
    [z.date(), "x", "a value of type date"],
    [z.number().min(2), 1, "a number of at least 2"],
    [z.number().max(2), 3, "a number of at most 2"],
    [wholeNumberSchema({ min: 2, max: 3 }), 1, "a whole number from 2 to 3"],
    [wholeNumberSchema({ min: 2, max: 3 }), 2.5, "a whole number from 2 to 3"],
    [wholeNumberSchema(), "x", "a whole number"],
    [z.string().max(2), "abc", "at most 2 characters"],
    [z.string().min(1), "", "at least 1 character"],
    [z.array(z.string()).min(2), [], "at least 2 items"],
    [z.array(z.string()).max(1), ["a", "b"], "at most 1 item"],
    [z.string().regex(/^a$/), "b", "a string that matches /^a$/"],
    [z.strictObject({}), { a: 1, b: 2 }, 'nothing named "a" or "b" there'],
    [z.string().refine(() => false, { params: { allowed: "a poem" } }), "x", "a poem"],
    [z.string().refine(() => false, { error: "It does not rhyme" }), "x", "It does not rhyme"],
  ];
  for (const [schema, value, allowed] of cases) {
    const parsed = schema.safeParse(value);
    assert.ok(!parsed.success, JSON.stringify(value));
    assert.deepEqual(problemsOf(parsed.error.issues, value).map((problem) => problem.allowed), [
      allowed,
    ]);
  }
});

Deno.test("readSchema() shows the value at the path, also inside records and lists", () => {
  const schema = z.looseObject({ a: z.record(z.string(), z.array(z.looseObject({ b: z.int() }))) });
  assert.deepEqual(readSchema(schema, { a: { "x/y": [{ b: 1 }, { b: 2.5 }] } }), {
    ok: false,
    error: 'Cannot use a["x/y"][1].b 2.5: write a whole number',
  });
});
