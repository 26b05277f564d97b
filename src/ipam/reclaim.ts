/**
 * Whether an address may be taken back from a pod that never gave it back (design.md 2.1, rule 5):
 * only on proof that nothing uses it any more.
 */
import type { SpiderEndpoint } from "../api/endpoint.ts";
import { isNodeReady, isOutOfService, type Node } from "../api/kubernetes/node.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { isRecord } from "../api/decode.ts";
import { isTerminating } from "../api/metadata.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { addressOfClaim } from "./claim.ts";
import { addressesOf } from "./endpoint.ts";
import { finishText, isDead, isFinished, uidMatches } from "./pod_life.ts";
import type { PodReading } from "./release.ts";
import type { KeeperWord } from "./sticky.ts";

/** A node by a live read of the name that the claim, or else its pod, says. */
export type NodeReading =
  /** It was not read, or could not be. */
  | { readonly kind: "unknown" }
  /** Nobody says which node it is; `areAllReady`: every node is ready, or out of service. */
  | { readonly kind: "unnamed"; readonly areAllReady: boolean }
  | { readonly kind: "absent" }
  | {
    readonly kind: "present";
    readonly isReady: boolean;
    readonly uid: string | undefined;
    readonly bootID: string | undefined;
    /** A person says that it is shut down. */
    readonly isOutOfService: boolean;
    /** When it became ready, or not, by whatever clock: another value says that it changed. */
    readonly readySince?: string | undefined;
  };

/** Whether pods that exist past the end of their deletion lose their addresses, by their node. */
export interface ReclaimSwitches {
  readonly readyNode: boolean;
  readonly notReadyNode: boolean;
}

/** What a decision to reclaim is made of: live reads, none older than the claim's. */
export interface ReclaimFacts {
  readonly claim: SpiderIp;
  /** The pod of the name that the claim says. */
  readonly pod: PodReading;
  readonly node: NodeReading;
  /** What the node was while the pod was known to run there; absent: nobody knows. */
  readonly recordedNode?: {
    readonly uid?: string | undefined;
    readonly bootID?: string | undefined;
  } | undefined;
  /** What the owner of a kept address says; absent: it was not asked. */
  readonly keeper?: KeeperWord | undefined;
  /** Whether `isSuperseded`: then its owner keeps another address instead; absent: it is not. */
  readonly isSuperseded?: boolean | undefined;
  /** What the node's own agent says of sandboxes of this pod UID. */
  readonly sandbox: "present" | "absent" | "unknown";
  readonly switches: ReclaimSwitches;
  /**
   * Since when whoever decides has seen that the pod had ended and the node was as it is now, by
   * the API server's time; absent: only the node's clock says since when, and it may be wrong.
   */
  readonly seenEndedMs?: number | undefined;
  /** The API server's time, Unix milliseconds. */
  readonly nowMs: number;
  /** Added to the grace that a pod is given to end; 0 where absent. */
  readonly extraGraceMs?: number | undefined;
}

/** `reason` is a clause about the address: `its pod lives`. */
export type ReclaimDecision =
  | { readonly verdict: "free"; readonly reason: string }
  | {
    readonly verdict: "keep";
    readonly reason: string;
    /** The server's time from which on another look is worth while; absent: nobody knows. */
    readonly untilMs?: number | undefined;
  }
  /** A fact is missing: with it the decision is made anew. */
  | {
    readonly verdict: "ask";
    readonly need: "keeper" | "node" | "sandbox";
    readonly reason: string;
  };

/** Seconds that a pod is given to end where it says less, or nothing: kubelets take a while. */
const GRACE_SECONDS = 30;
/**
 * Milliseconds that a node has to take the sandbox of a pod down that was seen to have ended:
 * longer than it stays Ready without its kubelet, which does that. A kubelet that was away begins
 * anew: so does the time.
 */
const SANDBOX_MS = 60_000;

/** What a live read of a node says. @param node `undefined`: there is none of this name. */
export function nodeReading(node: Node | undefined): NodeReading {
  if (node === undefined) return { kind: "absent" };
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  return {
    kind: "present",
    isReady: isNodeReady(node),
    uid: node.metadata.uid,
    bootID: node.status?.nodeInfo?.bootID,
    isOutOfService: isOutOfService(node),
    readySince: ready?.lastTransitionTime,
  };
}

/**
 * Decides whether an address is provably free.
 *
 * - A pod that lives keeps it, and so does an owner that still wants it. What an owner wants no
 *   longer stays as long as there is a pod of its name.
 * - A pod that ended gives it up, if its node was ready to say so or cannot run it any more.
 * - A pod that is being deleted and exists long past its grace gives it up as the switches say,
 *   whatever its phase; one whose address was kept does not.
 * - The address of a pod whose object is gone is free once no sandbox of it can be left: the node
 *   is gone, is another one, was started anew or is said to be shut down, or it is ready and its
 *   own agent finds none. Until then it is not, whatever the switches say.
 */
export function decideReclaim(facts: ReclaimFacts): ReclaimDecision {
  const { claim, pod: reading, keeper, isSuperseded: isOver = false } = facts;
  if (claim.spec.hold !== undefined) return keep("its pool takes it back");
  const pod = reading.kind === "present" && uidMatches(reading.pod, claim.spec.podUID ?? "")
    ? reading.pod
    : undefined;
  if (pod !== undefined && isDead(pod) === undefined) return keep("its pod lives");
  if (keeper?.keeps === true && !isOver) return keep(`its owner keeps it: ${keeper.reason}`);
  if (keeper === undefined && claim.spec.owner !== undefined) {
    return ask("keeper", "its owner was not asked whether it still wants it");
  }
  const hasSuccessor = reading.kind === "present" && pod === undefined && !isOver;
  if (claim.spec.owner !== undefined && hasSuccessor) {
    // Its agent may be about to hand it on.
    return keep("another pod of its name exists, which may have it");
  }
  if (pod === undefined) return decideGone(facts);
  return isFinished(pod) ? decideFinished(facts, pod) : decideDeleting(facts, pod);
}

/**
 * Whether a claim of a pod that lives is one too many: an ADD that came to no end made it, and the
 * pod's endpoint, which is written before anything is answered, does not list it.
 *
 * @param facts.endpoint Absent, or of another UID: nothing can be said, as somebody may have
 *   deleted it while the pod uses the address.
 * @param facts.olderThanMs More than any ADD takes.
 */
export function isExtra(
  { claim, endpoint, pod, nowMs, olderThanMs }: {
    readonly claim: SpiderIp;
    readonly endpoint: SpiderEndpoint | undefined;
    readonly pod: Pod;
    readonly nowMs: number;
    readonly olderThanMs: number;
  },
): boolean {
  const { metadata, spec } = claim;
  const podUID = spec.podUID ?? "";
  if (spec.hold !== undefined || podUID === "" || !uidMatches(pod, podUID)) return false;
  const current = endpoint?.status?.current;
  if (current === undefined || current.uid === "" || !uidMatches(pod, current.uid)) return false;
  if (addressOfClaim(claim) === undefined || listsClaim(endpoint, claim)) return false;
  const createdMs = Date.parse(metadata.creationTimestamp ?? "");
  return nowMs - createdMs > olderThanMs; // Never true of a time that cannot be read.
}

/** Whether an endpoint lists the address of a claim. */
export function listsClaim(endpoint: SpiderEndpoint | undefined, claim: SpiderIp): boolean {
  const address = addressOfClaim(claim);
  const listed = endpoint?.status?.current.ips.flatMap(addressesOf) ?? [];
  return listed.some((other) => other.address === address);
}

/**
 * Whether the endpoint of a kept claim's pod lists another address for the same NIC and family: a
 * call made the claim, and then somebody else wrote the endpoint, which decides.
 */
export function isSuperseded(
  { claim, endpoint }: {
    readonly claim: SpiderIp;
    readonly endpoint: SpiderEndpoint | undefined;
  },
): boolean {
  const address = addressOfClaim(claim);
  const entry = endpoint?.status?.current.ips.find((nic) => nic.interface === claim.spec.nic);
  if (address === undefined || entry === undefined) return false;
  const listed = addressesOf(entry).filter((other) => typeof other.address === typeof address);
  return listed.length > 0 && listed.every((other) => other.address !== address);
}

function decideGone({ claim, node, recordedNode, sandbox }: ReclaimFacts): ReclaimDecision {
  const name = nodeText(claim);
  if (hasRebooted(node, recordedNode)) return free(`its pod is gone and ${name} started anew`);
  if (sandbox === "present") return keep(`its pod is gone, but ${name} still has a sandbox of it`);
  switch (node.kind) {
    case "unknown":
      return ask("node", `its pod is gone, but nobody looked whether ${name} is ready`);
    case "unnamed":
      return node.areAllReady
        ? free("its pod is gone and every node is ready")
        : keep("its pod is gone, but it may still run on a node that is not ready");
    case "absent":
      return free(`its pod and ${name} are gone`);
    case "present":
      break;
  }
  const proof = proofAgainst(node, recordedNode);
  if (proof !== undefined) return free(`its pod is gone and ${name} ${proof}`);
  if (!node.isReady) return keep(`its pod is gone, but may still run: ${name} is not ready`);
  return sandbox === "absent"
    ? free(`its pod is gone and ${name} has no sandbox of it`)
    : ask("sandbox", `its pod is gone, but ${name} did not say whether it has a sandbox of it`);
}

function decideFinished(facts: ReclaimFacts, pod: Pod): ReclaimDecision {
  const { claim, node, recordedNode, seenEndedMs = 0, nowMs } = facts;
  const name = nodeText(claim);
  const ended = `its pod ${finishText(pod)}`;
  if (node.kind === "absent") return free(`${ended} and ${name} is gone`);
  if (node.kind !== "present") return ask("node", `${ended}, but nobody looked at ${name}`);
  const proof = proofAgainst(node, recordedNode);
  if (proof !== undefined) return free(`${ended} and ${name} ${proof}`);
  if (!node.isReady) {
    if (isTerminating(pod)) return decideDeleting(facts, pod);
    return keep(`${ended}, but ${name} is not ready to say so`);
  }
  // Controllers write `Failed` for a pod whose node is away; the node may be back, and the pod up.
  if (!haveContainersEnded(pod)) return keep(`${ended}, but ${name} did not say so`);
  const ownMs = graceMs(facts, pod.spec.terminationGracePeriodSeconds);
  const dueMs = Math.max(lastFinishMs(pod) + ownMs, seenEndedMs + SANDBOX_MS);
  return nowMs < dueMs
    ? keep(`${ended}, but its sandbox may still be about to`, dueMs)
    : free(`${ended} and ${name} is ready`);
}

function decideDeleting(facts: ReclaimFacts, pod: Pod): ReclaimDecision {
  const { claim, node, recordedNode, switches, nowMs } = facts;
  const name = nodeText(claim);
  const { deletionTimestamp, deletionGracePeriodSeconds: seconds } = pod.metadata;
  const dueMs = Date.parse(deletionTimestamp ?? "") +
    graceMs(facts, typeof seconds === "number" ? seconds : undefined);
  if (!isTerminating(pod) || !(nowMs >= dueMs)) {
    return keep("its pod still has time to end", Number.isNaN(dueMs) ? undefined : dueMs);
  }
  if (node.kind === "absent") return free(`its pod is being deleted and ${name} is gone`);
  if (node.kind !== "present") {
    return ask("node", `its pod is being deleted, but nobody looked at ${name}`);
  }
  const proof = proofAgainst(node, recordedNode);
  if (proof !== undefined) return free(`its pod is being deleted and ${name} ${proof}`);
  if (claim.spec.owner !== undefined) return keep("its pod still exists, and was to keep it");
  const state = node.isReady ? "ready" : "not ready";
  return (node.isReady ? switches.readyNode : switches.notReadyNode)
    ? free(`its pod should have ended by now and ${name} is ${state}`)
    : keep(`its pod still exists on ${name}, which is ${state}`);
}

/** Why a pod that ran on the recorded node cannot run on it any more: ends `the node`. */
function proofAgainst(
  node: NodeReading & { readonly kind: "present" },
  recorded: ReclaimFacts["recordedNode"],
): string | undefined {
  if (hasRebooted(node, recorded)) return "started anew";
  if (isOther(recorded?.uid, node.uid)) return "is another one of its name";
  return node.isOutOfService ? "is out of service" : undefined;
}

function hasRebooted(node: NodeReading, recorded: ReclaimFacts["recordedNode"]): boolean {
  return node.kind === "present" && isOther(recorded?.bootID, node.bootID);
}

/** Whether both are known and differ. */
function isOther(before: string | undefined, now: string | undefined): boolean {
  return before !== undefined && before !== "" && now !== undefined && now !== "" &&
    before !== now;
}

/**
 * The API server has added the grace once already; the reference adds it again, and so do we. One
 * that is shorter than the default counts as the default: who freed the address of a pod with one
 * second of grace after two would do so under a kubelet that is only a little slow.
 *
 * @source spiderpool `pkg/gcmanager`
 */
function graceMs({ extraGraceMs = 0 }: ReclaimFacts, seconds = GRACE_SECONDS): number {
  return Math.max(seconds, GRACE_SECONDS) * 1_000 + extraGraceMs;
}

/** Whether a kubelet said of each container that it ended: nobody else does. */
function haveContainersEnded({ spec, status }: Pod): boolean {
  const statuses = status?.containerStatuses ?? [];
  return spec.containers.every(({ name }) => {
    return statuses.some((one) => one.name === name && isRecord(one.state?.terminated));
  });
}

/** When the last container of a pod ended, as its node says; 0 if it says nothing. */
function lastFinishMs({ status }: Pod): number {
  let lastMs = 0;
  for (const { state } of status?.containerStatuses ?? []) {
    if (!isRecord(state?.terminated)) continue;
    const finishedMs = Date.parse(String(state.terminated.finishedAt));
    if (finishedMs > lastMs) lastMs = finishedMs;
  }
  return lastMs;
}

function nodeText({ spec }: SpiderIp): string {
  const { node = "" } = spec;
  return node === "" ? "its node" : `node ${JSON.stringify(node)}`;
}

function keep(reason: string, untilMs?: number): ReclaimDecision {
  return { verdict: "keep", reason, untilMs };
}

function free(reason: string): ReclaimDecision {
  return { verdict: "free", reason };
}

function ask(need: "keeper" | "node" | "sandbox", reason: string): ReclaimDecision {
  return { verdict: "ask", need, reason };
}
