import assert from "node:assert/strict";
import { type Labels, selectorMismatch, selectorProblem } from "./label_selector.ts";

type Selector = Parameters<typeof selectorMismatch>[0];

/** `wanted / found`, or nothing if the labels are selected. */
function mismatch(selector: Selector, labels: Labels): string | undefined {
  const found = selectorMismatch(selector, labels);
  return found === undefined ? undefined : `${found.wanted} / ${found.found}`;
}

function need(operator: string, ...values: readonly string[]): Selector {
  return { matchExpressions: [{ key: "zone", operator, values }] };
}

Deno.test("selectorMismatch() selects everything with an empty selector", () => {
  assert.equal(mismatch({}, {}), undefined);
  assert.equal(mismatch({ matchLabels: {}, matchExpressions: [] }, { a: "b" }), undefined);
});

Deno.test("selectorMismatch() compares labels exactly and shows both values", () => {
  const selector = { matchLabels: { zone: "a", rack: "r1" } };
  assert.equal(mismatch(selector, { zone: "a", rack: "r1", more: "x" }), undefined);
  assert.equal(mismatch(selector, { zone: "A", rack: "r1" }), "zone=a / zone=A");
  assert.equal(mismatch(selector, { zone: "a" }), "rack=r1 / no label rack");
  assert.equal(mismatch({ matchLabels: { zone: "" } }, {}), 'zone="" / no label zone');
  assert.equal(mismatch({ matchLabels: { zone: "" } }, { zone: "" }), undefined);
});

Deno.test("selectorMismatch() knows the operators of Kubernetes", () => {
  const cases: readonly (readonly [Selector, Labels, string | undefined])[] = [
    [need("In", "a", "b"), { zone: "b" }, undefined],
    [need("In", "a", "b"), { zone: "c" }, "zone in (a,b) / zone=c"],
    [need("In", "a"), {}, "zone in (a) / no label zone"],
    [need("NotIn", "a"), { zone: "b" }, undefined],
    [need("NotIn", "a"), {}, undefined],
    [need("NotIn", "a", "b"), { zone: "a" }, "zone notin (a,b) / zone=a"],
    [need("Exists"), { zone: "" }, undefined],
    [need("Exists"), {}, "with zone / no label zone"],
    [need("DoesNotExist"), {}, undefined],
    [need("DoesNotExist"), { zone: "a" }, "without zone / zone=a"],
    [need("Unheard"), { zone: "a" }, "with zone / zone=a"],
  ];
  for (const [selector, labels, expected] of cases) {
    assert.equal(mismatch(selector, labels), expected, JSON.stringify([selector, labels]));
  }
});

Deno.test("selectorMismatch() takes no inherited member for a label", () => {
  assert.equal(mismatch(need("In", "x"), {}), "zone in (x) / no label zone");
  const selector = { matchExpressions: [{ key: "constructor", operator: "Exists" }] };
  assert.equal(mismatch(selector, {}), "with constructor / no label constructor");
});

Deno.test("selectorMismatch() cuts what is long", () => {
  const values = ["a", "b", "c", "d", "e"];
  assert.equal(
    mismatch({ matchExpressions: [{ key: "zone", operator: "In", values }] }, {}),
    "zone in (a,b,c and 2 more) / no label zone",
  );
});

Deno.test("selectorProblem() refuses what Kubernetes has no meaning for", () => {
  const cases: readonly (readonly [Selector, string | undefined])[] = [
    [{ matchLabels: { a: "b" } }, undefined],
    [need("In", "a"), undefined],
    [need("Exists"), undefined],
    [need("in", "a"), '0.operator "in": "In", "NotIn", "Exists" or "DoesNotExist"'],
    [need("In"), "0.values []: at least one value for In"],
    [need("NotIn"), "0.values []: at least one value for NotIn"],
    [need("Exists", "a"), '0.values ["a"]: no value for Exists'],
    [need("DoesNotExist", "a"), '0.values ["a"]: no value for DoesNotExist'],
    [{ matchExpressions: [{ key: "", operator: "Exists" }] }, '0.key "": the key of a label'],
  ];
  for (const [selector, expected] of cases) {
    const problem = selectorProblem(selector, ["spec", "nodeAffinity"]);
    const text = problem === undefined
      ? undefined
      : `${problem.path.slice(3).join(".")} ${JSON.stringify(problem.value)}: ${problem.allowed}`;
    assert.equal(text, expected);
    if (problem !== undefined) {
      assert.deepEqual(problem.path.slice(0, 3), ["spec", "nodeAffinity", "matchExpressions"]);
    }
  }
});
