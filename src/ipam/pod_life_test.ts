import assert from "node:assert/strict";
import { podOf } from "../../tests/support/decision_objects.ts";
import { isDead, isFinished, uidMatches } from "./pod_life.ts";

const deletionTimestamp = "2026-01-01T00:00:00Z";

/** Policy, phase, reason; whether the pod ended, and what is said of it. */
const LIVES: readonly (readonly [
  restartPolicy: string | undefined,
  phase: string | undefined,
  reason: string | undefined,
  death: string | undefined,
])[] = [
  [undefined, undefined, undefined, undefined],
  ["Always", "Pending", undefined, undefined],
  ["Never", "Running", undefined, undefined],
  ["Never", "Unknown", "NodeLost", undefined],
  ["Always", "Succeeded", undefined, undefined],
  [undefined, "Succeeded", undefined, undefined],
  ["OnFailure", "Succeeded", undefined, "has ended (Succeeded)"],
  ["Never", "Succeeded", "", "has ended (Succeeded)"],
  ["Never", "Failed", undefined, "has ended (Failed)"],
  ["OnFailure", "Failed", "DeadlineExceeded", "has ended (Failed: DeadlineExceeded)"],
  ["Always", "Failed", "Evicted", "has ended (Failed: Evicted)"],
  ["Always", "Failed", "Terminated", "has ended (Failed: Terminated)"],
];

Deno.test("isDead() and isFinished() say which phases are final, by restart policy", () => {
  for (const [restartPolicy, phase, reason, death] of LIVES) {
    const pod = podOf({ spec: { restartPolicy }, status: { phase, reason } });
    assert.equal(isDead(pod), death, `${restartPolicy} ${phase} ${reason}`);
    assert.equal(isFinished(pod), death !== undefined);
  }
});

Deno.test("isDead() names the deletion, isFinished() leaves a pod that only ends its work", () => {
  const pod = podOf({ metadata: { deletionTimestamp } });
  assert.equal(isDead(pod), "is being deleted since 2026-01-01T00:00:00Z");
  assert.equal(isFinished(pod), false);
});

Deno.test("isFinished() takes a pod without status for one that has not begun", () => {
  const { status: _status, ...pod } = podOf();
  assert.equal(isFinished(pod), false);
  assert.equal(isDead(pod), undefined);
});

Deno.test("uidMatches() takes the API's UID, a static pod's hash and an unknown one", () => {
  const pod = podOf({ metadata: { annotations: { "kubernetes.io/config.hash": "abc" } } });
  for (const uid of ["uid-1", "abc", ""]) assert.equal(uidMatches(pod, uid), true);
  assert.equal(uidMatches(pod, "uid-2"), false);
  assert.equal(uidMatches(podOf(), "abc"), false);
});
