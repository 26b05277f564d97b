import assert from "node:assert/strict";
import { type Finding, transitionsOf, withConditions } from "./conditions.ts";

const OPTIONS = { nowMs: Date.UTC(2025, 0, 1), generation: 3 };
const LATER = { nowMs: Date.UTC(2025, 0, 2), generation: 3 };
const READY: Finding = { type: "Ready", holds: true, reason: "Usable", message: "m" };

Deno.test("withConditions() changes a time with the status alone", () => {
  const first = withConditions(undefined, [READY], OPTIONS);
  assert.deepEqual(first, [{
    type: "Ready",
    status: "True",
    lastTransitionTime: "2025-01-01T00:00:00Z",
    reason: "Usable",
    message: "m",
    observedGeneration: 3,
  }]);
  const [same] = withConditions(first, [{ ...READY, message: "n" }], LATER);
  assert.deepEqual([same?.lastTransitionTime, same?.message], ["2025-01-01T00:00:00Z", "n"]);
  const [other] = withConditions(first, [{ ...READY, holds: false }], LATER);
  assert.deepEqual([other?.status, other?.lastTransitionTime], ["False", "2025-01-02T00:00:00Z"]);
});

Deno.test("withConditions() leaves conditions of others alone", () => {
  const foreign = {
    type: "Foreign",
    status: "Unknown",
    lastTransitionTime: "x",
    reason: "R",
    message: "",
  } as const;
  assert.deepEqual(withConditions([foreign], [READY], OPTIONS)[0], foreign);
});

Deno.test("withConditions() says nothing of what may never have held", () => {
  const rare: Finding = { ...READY, type: "Rare", isOptional: true };
  assert.deepEqual(withConditions([], [{ ...rare, holds: false }], OPTIONS), []);
  const held = withConditions([], [rare], OPTIONS);
  assert.equal(withConditions(held, [{ ...rare, holds: false }], LATER)[0]?.status, "False");
});

Deno.test("transitionsOf() tells changes, and of new conditions those that hold", () => {
  const one = withConditions([], [READY, { ...READY, type: "Bad", holds: false }], OPTIONS);
  assert.deepEqual(transitionsOf(undefined, one).map(({ type }) => type), ["Ready"]);
  assert.deepEqual(transitionsOf(one, one), []);
  const other = withConditions(one, [{ ...READY, holds: false, reason: "Gone" }], LATER);
  assert.deepEqual(transitionsOf(one, other), [
    { type: "Ready", holds: false, reason: "Gone", message: "m" },
  ]);
});
