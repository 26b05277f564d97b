import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import {
  anything,
  decode,
  type Decoder,
  flag,
  integer,
  listOf,
  members,
  oneOf,
  optional,
  otherwise,
  read,
  recordOf,
  stored,
  text,
} from "./decode.ts";

function value<T>(decoder: Decoder<T>, document: unknown): T {
  return expectOk(read(decoder, document), "it is valid");
}

Deno.test("decoders say path, value and what is allowed", () => {
  const shape = stored({
    a: text,
    list: optional(listOf(stored({ n: integer({ min: 1, max: 3 }) }))),
    map: optional(recordOf(flag)),
    kind: optional(oneOf(["x", "y", "z"])),
  });
  const cases: readonly [unknown, string][] = [
    [null, "Cannot use the value null: write an object"],
    [undefined, "Cannot use the value: it is missing; write an object"],
    [[], "Cannot use the value []: write an object"],
    [{}, "Cannot use a: it is missing; write a string"],
    [{ a: null }, "Cannot use a null: write a string"],
    [{ a: "", list: {} }, "Cannot use list {}: write a list"],
    [
      { a: "", list: [{ n: 1 }, {}] },
      "Cannot use list[1].n: it is missing; write a whole number from 1 to 3",
    ],
    [{ a: "", list: [{ n: 1.5 }] }, "Cannot use list[0].n 1.5: write a whole number from 1 to 3"],
    [{ a: "", list: [{ n: 4 }] }, "Cannot use list[0].n 4: write a whole number from 1 to 3"],
    [{ a: "", map: { "x.y/z": 1 } }, 'Cannot use map["x.y/z"] 1: write true or false'],
    [{ a: "", kind: "w" }, 'Cannot use kind "w": write "x", "y" or "z"'],
    [{ a: 1n }, "Cannot use a 1: write a string"],
    [{ a: ["x".repeat(200)] }, `Cannot use a ["${"x".repeat(98)}…: write a string`],
  ];
  for (const [document, sentence] of cases) {
    assert.deepEqual(read(shape, document), { ok: false, error: sentence });
  }
});

Deno.test("integer() says the bounds there are", () => {
  const allowed = (decoder: Decoder<number>) => {
    const decoded = decode(decoder, "x");
    return decoded.ok ? "" : decoded.error.allowed;
  };
  assert.equal(allowed(integer()), "a whole number");
  assert.equal(allowed(integer({ min: 0 })), "a whole number of at least 0");
  assert.equal(allowed(integer({ max: 9 })), "a whole number of at most 9");
});

Deno.test("members() reads as Go does: any case, null as absent, the last one wins", () => {
  const decoder = members({ podName: text, count: otherwise(integer(), 7), on: optional(flag) });
  assert.deepEqual(value(decoder, { PODNAME: "a", other: 1 }), { podName: "a", count: 7 });
  assert.deepEqual(value(decoder, { podName: "a", podname: "b", Count: 1, on: null }), {
    podName: "b",
    count: 1,
  });
  assert.deepEqual(value(decoder, { podName: "a", podname: null }), { podName: "a", count: 7 });
  assert.deepEqual(read(decoder, { PodName: null }), {
    ok: false,
    error: "Cannot use podName: it is missing; write a string",
  });
  assert.deepEqual(read(decoder, { PodName: 1 }), {
    ok: false,
    error: "Cannot use PodName 1: write a string",
  });
});

Deno.test("members() takes no member from a prototype", () => {
  const decoder = members({ constructor: otherwise(text, "none"), toString: optional(text) });
  assert.deepEqual(value(decoder, {}).constructor, "none");
  const polluted = JSON.parse('{"__proto__":{"podName":"a"}}');
  assert.equal(read(members({ podName: text }), polluted).ok, false);
});

Deno.test("stored() keeps the object itself, with what it does not know", () => {
  const decoder = stored({ a: text, b: optional(listOf(stored({ c: optional(text) }))) });
  const object = { a: "x", b: [{ c: "y", later: 1 }], later: { deep: true } };
  assert.equal(value(decoder, object), object);
});

Deno.test("stored() drops null, fills in defaults, and copies only then", () => {
  const decoder = stored({
    a: optional(text),
    b: otherwise(text, "b"),
    c: optional(stored({ d: optional(text) })),
  });
  const object = { a: null, c: { d: null, later: 1 }, later: 2 };
  assert.deepEqual(value(decoder, object), { b: "b", c: { later: 1 }, later: 2 });
  assert.deepEqual(object, { a: null, c: { d: null, later: 1 }, later: 2 });
  const whole = { b: "x", c: {} };
  assert.equal(value(decoder, whole), whole);
});

Deno.test("listOf() and recordOf() give what the items decode to", () => {
  const item = members({ n: otherwise(integer(), 1) });
  assert.deepEqual(value(listOf(item), [{}, { n: 2 }]), [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(value(recordOf(item), { a: {}, b: { n: 2 } }), { a: { n: 1 }, b: { n: 2 } });
  const list = [1, "a"];
  assert.equal(value(listOf(anything), list), list);
  const map = { a: 1 };
  assert.equal(value(recordOf(anything), map), map);
});

Deno.test("decode() lets a bug through", () => {
  const broken: Decoder<never> = () => {
    throw new TypeError("a bug");
  };
  assert.throws(() => decode(listOf(broken), [1]), /^TypeError: a bug$/);
});
