import assert from "node:assert/strict";
import { expectOk } from "../../base/result.ts";
import { IPV4, parseCidr, parseRangeSet, RangeSet } from "../../ip/mod.ts";
import { lendingSteps } from "./steps.ts";

const CIDR = expectOk(parseCidr(IPV4, "10.6.0.0/24"), "a network");

Deno.test("lendingSteps() waits for pods that got meanwhile what was to be held back", () => {
  const addresses = expectOk(parseRangeSet(IPV4, ["10.6.0.1-10.6.0.4"]), "addresses");
  const nothing = RangeSet.empty(IPV4);
  const kind = { isAutomatic: true, isTerminating: false, isNew: false };
  const steps = lendingSteps({
    ...{ version: 4, family: IPV4, cidr: CIDR, total: addresses, isOurs: true },
    loans: new Map([["a", { addresses }]]),
    borrowers: [{ name: "a", called: "a", addresses, ...kind, wanted: 2 }],
    isTerminating: false,
    isGone: () => false,
    unlendable: () => nothing,
    useOf: () => ({ used: nothing, held: nothing }),
  });
  const first = steps.next();
  assert.ok(first.done !== true && first.value.kind === "hold");
  const end = steps.next({ kind: "hold", held: new Map([["a", nothing]]) });
  assert.ok(end.done === true);
  assert.deepEqual([...end.value.inUse], ["a"]);
  assert.deepEqual([...end.value.unfinished], []);
});
