/** One look at one address: live reads, a decision, and a deletion with preconditions. */
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { isNodeReady, isOutOfService, NODES } from "../../api/kubernetes/node.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import { pagesOf } from "../../base/pages.ts";
import { serverNowMs } from "../../base/server_time.ts";
import { keeperKeeps } from "../../daemon/keeper_word.ts";
import type { SeenSince } from "../../daemon/seen_since.ts";
import { isFinished } from "../../ipam/pod_life.ts";
import { removeClaim } from "../../daemon/provided_claims.ts";
import {
  decideReclaim,
  isSuperseded,
  type NodeReading,
  nodeReading,
  type ReclaimDecision,
  type ReclaimFacts,
} from "../../ipam/reclaim.ts";
import { endpointNameOfClaim } from "../../ipam/restore.ts";
import type { LeaderParts } from "../parts.ts";

/** Facts that one decision asks for, at most. */
const QUESTIONS_MAX = 4;

/** What became of an address. */
export type Looked =
  /** `untilMs`: the server's time from which on another look is worth while. */
  | { readonly kind: "kept"; readonly reason: string; readonly untilMs?: number | undefined }
  | { readonly kind: "freed"; readonly claim: SpiderIp; readonly reason: string }
  /** It names no pod: nobody gives it back. */
  | { readonly kind: "nobodys"; readonly claim: SpiderIp }
  /** It is free already, by whomever. */
  | { readonly kind: "gone" }
  /** Somebody wrote it meanwhile: another look is due. */
  | { readonly kind: "changed" };

/**
 * Frees an address if it is provably free. The proof is made of reads that are younger than that of
 * the SpiderIP, and the deletion is of exactly the state that was judged.
 */
export async function lookAt(
  parts: LeaderParts,
  { name, endings, signal }: {
    readonly name: string;
    readonly endings: SeenSince;
    readonly signal: AbortSignal;
  },
): Promise<Looked> {
  const { settler } = parts;
  const claim = await settler.get(SPIDER_IPS, { name }, { signal });
  if (claim === undefined) return { kind: "gone" };
  const { podNamespace = "", podName = "", hold } = claim.spec;
  if (hold === undefined && (podNamespace === "" || podName === "")) {
    return { kind: "nobodys", claim };
  }
  const decision = await decide(parts, { claim, endings, signal });
  if (decision.verdict === "keep") {
    return { kind: "kept", reason: decision.reason, untilMs: decision.untilMs };
  }
  if (decision.verdict === "ask") return { kind: "kept", reason: decision.reason };
  const removed = await removeClaim(parts, claim, { signal });
  if (removed === "changed") return { kind: "changed" };
  await removeKeptEndpoint(parts, { claim, signal });
  return { kind: "freed", claim, reason: decision.reason };
}

/** The core's decision, with each fact that it asks for. */
async function decide(
  parts: LeaderParts,
  { claim, endings, signal }: {
    readonly claim: SpiderIp;
    readonly endings: SeenSince;
    readonly signal: AbortSignal;
  },
): Promise<ReclaimDecision> {
  const { settler, ports: { store, clock }, settings: { reclaim } } = parts;
  const { podNamespace: namespace = "", podName: podName = "" } = claim.spec;
  if (claim.spec.hold !== undefined || podName === "" || namespace === "") {
    return { verdict: "keep", reason: "no pod is said to have it" };
  }
  const pod = await settler.get(PODS, { namespace, name: podName }, { signal });
  const nowMs = serverNowMs({ store, clock });
  let facts: ReclaimFacts = {
    claim,
    pod: pod === undefined ? { kind: "absent" } : { kind: "present", pod },
    node: { kind: "unknown" },
    // Only a node's own agent knows; where it must be asked, that agent reclaims.
    sandbox: "unknown",
    switches: reclaim.switches,
    nowMs,
    extraGraceMs: reclaim.extraGraceMs,
  };
  for (let asked = 0; asked < QUESTIONS_MAX; asked++) {
    const decision = decideReclaim(facts);
    if (decision.verdict !== "ask" || decision.need === "sandbox") return decision;
    if (decision.need === "keeper") {
      const keeper = await keeperKeeps(parts, { claim, signal });
      const key = { namespace, name: endpointNameOfClaim(claim) };
      const endpoint = await settler.get(SPIDER_ENDPOINTS, key, { signal });
      facts = { ...facts, keeper, isSuperseded: isSuperseded({ claim, endpoint }) };
    } else {
      const podNode = pod?.metadata.uid === claim.spec.podUID ? pod?.spec.nodeName : undefined;
      const name = claim.spec.node || podNode;
      const node = await readNode(parts, { name, signal });
      const seenEndedMs = pod !== undefined && isFinished(pod)
        ? endings.sinceMs(pod.metadata.uid ?? "", { node, nowMs })
        : undefined;
      facts = { ...facts, node, seenEndedMs };
    }
  }
  return { verdict: "keep", reason: "not everything is known of its pod" };
}

/** The node of a name, or whether every node is ready where nobody knows the name. */
async function readNode(
  { settler, ports: { store } }: LeaderParts,
  { name, signal }: { readonly name: string | undefined; readonly signal: AbortSignal },
): Promise<NodeReading> {
  if (name !== undefined && name !== "") {
    return nodeReading(await settler.get(NODES, { name }, { signal }));
  }
  const pages = pagesOf((page) =>
    settler.read((options) => store.list(NODES, { ...options, ...page }), { signal })
  );
  for await (const { items, broken } of pages) {
    const isSettled = items.every((node) => isNodeReady(node) || isOutOfService(node));
    if (broken.length > 0 || !isSettled) {
      return { kind: "unnamed", areAllReady: false };
    }
  }
  return { kind: "unnamed", areAllReady: true };
}

/** The endpoint of a kept pod has no owner that it goes with. */
async function removeKeptEndpoint(
  { settler }: LeaderParts,
  { claim, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<void> {
  const { owner, podNamespace: namespace, podUID } = claim.spec;
  if (owner === undefined || namespace === undefined) return;
  const key = { namespace, name: endpointNameOfClaim(claim) };
  const endpoint = await settler.get(SPIDER_ENDPOINTS, key, { signal });
  if (endpoint === undefined || endpoint.status?.current.uid !== podUID) return;
  await settler.remove(SPIDER_ENDPOINTS, endpoint, { signal });
}
