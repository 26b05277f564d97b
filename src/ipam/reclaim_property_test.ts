import assert from "node:assert/strict";
import fc from "fast-check";
import { podReadings } from "../../tests/support/decision_arbitraries.ts";
import { claimOf, nodeThat } from "../../tests/support/decision_objects.ts";
import { isTerminating } from "../api/metadata.ts";
import { isDead, uidMatches } from "./pod_life.ts";
import { decideReclaim, type NodeReading, type ReclaimFacts } from "./reclaim.ts";

const nodes: fc.Arbitrary<NodeReading> = fc.oneof(
  fc.constantFrom<NodeReading>(
    { kind: "unknown" },
    { kind: "absent" },
    { kind: "unnamed", areAllReady: true },
    { kind: "unnamed", areAllReady: false },
  ),
  fc.record({
    isReady: fc.boolean(),
    uid: fc.constantFrom("uid-node", "uid-other", undefined),
    bootID: fc.constantFrom("boot-1", "boot-2", undefined),
    isOutOfService: fc.boolean(),
  }).map(nodeThat),
);

const keeper = { kind: "StatefulSet", name: "web" } as const;
const claims = fc.record({
  podUID: fc.constantFrom("uid-1", "uid-2", ""),
  keeper: fc.constantFrom(undefined, keeper),
}).map((holder) => claimOf({ holder }));

const facts: fc.Arbitrary<ReclaimFacts> = fc.record({
  claim: claims,
  pod: podReadings,
  node: nodes,
  recordedNode: fc.constantFrom(undefined, { uid: "uid-node", bootID: "boot-1" }, {}),
  keeper: fc.constantFrom(
    undefined,
    { keeps: true, reason: "It is wanted" },
    { keeps: false, reason: "It is not wanted" },
  ),
  sandbox: fc.constantFrom("present", "absent", "unknown"),
  switches: fc.record({ readyNode: fc.boolean(), notReadyNode: fc.boolean() }),
  nowMs: fc.integer({ min: 0, max: 120_000 }).map((ms) => {
    return Date.parse("2026-01-01T00:00:00Z") + ms;
  }),
});

/** The pod that the claim names, if it exists. */
function podOfClaim({ claim, pod }: ReclaimFacts) {
  if (pod.kind === "absent") return undefined;
  return uidMatches(pod.pod, claim.spec.podUID ?? "") ? pod.pod : undefined;
}

/** Whether the node as it is now cannot run what ran on the recorded one. */
function isOver({ node, recordedNode }: ReclaimFacts): boolean {
  if (node.kind === "absent") return true;
  if (node.kind !== "present") return false;
  const isOther = (before: string | undefined, now: string | undefined): boolean =>
    before !== undefined && now !== undefined && before !== now;
  return node.isOutOfService || isOther(recordedNode?.uid, node.uid) ||
    isOther(recordedNode?.bootID, node.bootID);
}

Deno.test("property: decideReclaim() never frees while the pod lives", () => {
  fc.assert(fc.property(facts, (facts) => {
    const pod = podOfClaim(facts);
    if (pod === undefined || isDead(pod) !== undefined) return;
    assert.equal(decideReclaim(facts).verdict, "keep");
  }));
});

Deno.test("property: decideReclaim() never frees a gone pod's address without proof", () => {
  fc.assert(
    fc.property(facts, (facts) => {
      if (podOfClaim(facts) !== undefined || isOver(facts)) return;
      const { verdict } = decideReclaim(facts);
      const { node, sandbox } = facts;
      const isProven = node.kind === "unnamed"
        ? node.areAllReady && sandbox !== "present"
        : node.kind === "present" && node.isReady && sandbox === "absent";
      if (!isProven) assert.notEqual(verdict, "free");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("property: decideReclaim() never frees what its node's agent still sees running", () => {
  fc.assert(
    fc.property(facts, (facts) => {
      const { node, recordedNode, sandbox } = facts;
      if (podOfClaim(facts) !== undefined || sandbox !== "present") return;
      const isRebooted = node.kind === "present" && node.bootID !== undefined &&
        recordedNode?.bootID !== undefined && node.bootID !== recordedNode.bootID;
      if (!isRebooted) assert.notEqual(decideReclaim(facts).verdict, "free");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("property: decideReclaim() never frees what its owner may still want", () => {
  fc.assert(
    fc.property(facts, (facts) => {
      if (facts.claim.spec.owner === undefined || facts.keeper?.keeps === false) return;
      assert.notEqual(decideReclaim(facts).verdict, "free");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("property: decideReclaim() trusts the end of a pod only on a ready or lost node", () => {
  fc.assert(
    fc.property(facts, (facts) => {
      const pod = podOfClaim(facts);
      if (pod?.status?.phase !== "Failed" || isTerminating(pod) || isOver(facts)) return;
      const { node } = facts;
      if (node.kind === "present" && node.isReady) return;
      assert.notEqual(decideReclaim(facts).verdict, "free");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("property: decideReclaim() asks for nothing once it has every fact", () => {
  fc.assert(
    fc.property(facts, (facts) => {
      const { node, sandbox, keeper, claim } = facts;
      const isWhole = node.kind !== "unknown" && node.kind !== "unnamed" &&
        sandbox !== "unknown" && (keeper !== undefined || claim.spec.owner === undefined);
      if (isWhole) assert.notEqual(decideReclaim(facts).verdict, "ask");
    }),
    { numRuns: 1_000 },
  );
});
