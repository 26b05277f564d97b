/** What people are told of a pool: Events when a condition changes. */
import { SPIDERPOOL_API_VERSION } from "../api/group.ts";
import { POOL_CONDITIONS, type SpiderIpPool } from "../api/ip_pool.ts";
import type { ObjectMeta } from "../base/object_store.ts";
import type { Transition } from "../ipam/conditions.ts";
import type { EventRecorder, ObjectReference } from "../kube/mod.ts";

/** What was done. */
const ACTION = "DeriveStatus";
/** Conditions whose changes people hear of, and whether they are glad when it holds. */
const TOLD: ReadonlyMap<string, "good" | "bad"> = new Map([
  [POOL_CONDITIONS.ready, "good"],
  [POOL_CONDITIONS.exhausted, "bad"],
  [POOL_CONDITIONS.nearlyExhausted, "bad"],
  [POOL_CONDITIONS.invalid, "bad"],
  [POOL_CONDITIONS.notUsable, "bad"],
  [POOL_CONDITIONS.recordsOmitted, "bad"],
  [POOL_CONDITIONS.addressesOutside, "bad"],
]);

/** A pool, as Events name it. */
export function poolReference({ name, uid }: Pick<ObjectMeta, "name" | "uid">): ObjectReference {
  const kind = "SpiderIPPool";
  return { apiVersion: SPIDERPOOL_API_VERSION, kind, name, ...(uid !== undefined && { uid }) };
}

/** Records an Event on an object of ours that is not as it must be. */
export function tellWrong(
  recorder: EventRecorder,
  { kind, metadata, problem }: {
    readonly kind: "SpiderIP" | "SpiderIPPool" | "SpiderReservedIP" | "SpiderSubnet";
    readonly metadata: Pick<ObjectMeta, "name" | "uid">;
    /** What is wrong and what to do, as one sentence. */
    readonly problem: string;
  },
): void {
  recorder.record({
    type: "Warning",
    reason: "Unreadable",
    action: ACTION,
    note: problem,
    regarding: { ...poolReference(metadata), kind },
  });
}

/** Records an Event for each change that people hear of. */
export function tellTransitions(
  recorder: EventRecorder,
  { pool, transitions }: {
    readonly pool: SpiderIpPool;
    readonly transitions: readonly Transition[];
  },
): void {
  const regarding = poolReference(pool.metadata);
  for (const { type, holds, reason, message } of transitions) {
    const told = TOLD.get(type);
    if (told === undefined) continue;
    const isGood = (told === "good") === holds;
    const said = message === "" ? `${type} does not hold any more` : message;
    recorder.record({
      type: isGood ? "Normal" : "Warning",
      reason: holds ? type : reason,
      action: ACTION,
      note: said,
      regarding,
    });
  }
}
