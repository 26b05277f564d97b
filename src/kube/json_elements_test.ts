import assert from "node:assert/strict";
import fc from "fast-check";
import { JsonElementReader } from "./json_elements.ts";

/** What is written into a text. */
const EDITS = '[]{},:"\\1 ';

/** Reads a text that comes in pieces. @param cuts Where pieces begin. */
function read(text: string, cuts: readonly number[] = []) {
  const elements: unknown[] = [];
  const begun: unknown[] = [];
  const reader = new JsonElementReader("rows", {
    begin: (before) => begun.push(before),
    elements: (some) => elements.push(...some),
  });
  const starts = [0, ...cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b)];
  for (const [index, start] of starts.entries()) reader.push(text.slice(start, starts[index + 1]));
  return { around: reader.end(), elements, begun };
}

Deno.test("property: JsonElementReader reads what JSON.parse reads, however it is cut", () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const name = fc.oneof(fc.string(), fc.constantFrom("rows", 'a"rows', '\\"rows', 'a,"rows'));
  const around = fc.array(fc.tuple(name, value), { maxLength: 4 });
  const cuts = fc.array(fc.nat(500), { maxLength: 8 });
  const space = fc.constantFrom(undefined, 1, "\t");
  const input = [around, fc.array(value), around, cuts, space] as const;
  fc.assert(
    fc.property(
      ...input,
      (before, rows, after, at, indent) => {
        const other = (list: readonly (readonly [string, unknown])[]) =>
          list.filter(([key]) => key !== "rows" && key !== "__proto__");
        const members = new Map<string, unknown>([...other(before), ["rows", rows]]);
        const object = Object.fromEntries([...members, ...other(after)]);
        const found = read(JSON.stringify(object, undefined, indent), at);
        const whole = JSON.parse(JSON.stringify(object));
        const { around, elements } = found;
        assert.deepEqual({ around, elements }, {
          around: { ...whole, rows: [] },
          elements: whole.rows,
        });
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("property: JsonElementReader refuses what JSON.parse refuses", () => {
  const edit = fc.record({
    at: fc.nat(80),
    length: fc.nat(3),
    text: fc.constantFrom(...EDITS),
  });
  const cuts = fc.array(fc.nat(80), { maxLength: 3 });
  const good = '{"kind":"Table","rows":[{"cells":["a",1]},{"cells":[]}],"tail":{"rows":[1]}}';
  fc.assert(
    fc.property(edit, cuts, ({ at, length, text }, some) => {
      const edited = good.slice(0, at) + text + good.slice(at + length);
      let whole: unknown;
      try {
        whole = JSON.parse(edited);
      } catch {
        assert.throws(() => read(edited, some), SyntaxError, edited);
        return;
      }
      assert.ok(whole !== undefined);
      read(edited, some);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("JsonElementReader gives nothing of a list that is missing, empty or deeper", () => {
  for (const text of ["{}", '{"rows":[]}', '{"rows": [ ] }', '{"a":{"rows":[1]}}', '{"rows":1}']) {
    const { around, elements } = read(text);
    assert.deepEqual({ around, elements }, { around: JSON.parse(text), elements: [] });
  }
});

Deno.test("JsonElementReader says what came before the list once it begins", () => {
  const { begun } = read('{"kind":"Table","deep":{"rows":[0]},"rows":[1,2],"tail":1}', [20, 40]);
  assert.deepEqual(begun, [{ kind: "Table", deep: { rows: [0] }, rows: [] }]);
});
