/** One ADD: who asks, for which pod, and what it made so far. */
import { StoreFailure } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { IpamAddArgs } from "../api/agent.ts";
import type { ProviderAllocation } from "../api/provider.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import type { Holder, Keeper } from "../ipam/claim.ts";
import { isDead, uidMatches } from "../ipam/pod_life.ts";
import type { NoPod } from "../ipam/refusal.ts";
import { endpointNameOf, keeperOf } from "../ipam/sticky.ts";
import type { TopController } from "../ipam/top_controller.ts";
import { removeClaim } from "../daemon/provided_claims.ts";
import type { AgentParts } from "./parts.ts";
import { allEnded } from "../base/waiting.ts";
import { startDeadline } from "../base/clock.ts";

/** Milliseconds for undoing what a failed ADD made. */
const ROLLBACK_MS = 10_000;

/** One ADD. */
export interface Adding {
  readonly args: IpamAddArgs;
  readonly pod: Pod;
  /** UID that the API knows the pod by: what its endpoint says. */
  readonly apiUID: string;
  /** UID that its node knows it by, which differs for static pods only: what its claims say. */
  readonly podUID: string;
  readonly controller: TopController;
  readonly keeper: Keeper | undefined;
  readonly endpointKey: { readonly namespace: string; readonly name: string };
  /** Monotonic milliseconds. */
  readonly begunMs: number;
  readonly signal: AbortSignal;
  /**
   * SpiderIPs that this call created, or took over from a former sandbox, by name: none of them
   * survives a failure.
   */
  readonly created: Map<string, SpiderIp>;
  /** SpiderIPs that this sandbox had before, by name: a NIC may be up with them, so they stay. */
  readonly found: Map<string, SpiderIp>;
  /**
   * SpiderIPs of former sandboxes of this pod that no endpoint lists, by name: a sandbox is down
   * before the next one is made, so they go if this call fails.
   */
  readonly former: Map<string, SpiderIp>;
  /** What the network provider said in this call, by address. */
  readonly provided: Map<string, ProviderAllocation>;
}

/** `namespace/name` of a pod, for messages. */
export function podText(
  { podNamespace, podName }: { readonly podNamespace: string; readonly podName: string },
): string {
  return `${podNamespace}/${podName}`;
}

/**
 * Finds the pod of an ADD and who stands behind it. The copy of the node's pods is believed where
 * it has this very UID; anything else is read live.
 *
 * @outcome `pod_gone` `uid_mismatch` `other_node` `pod_dead` The pod may have no address any more.
 */
export async function beginAdding(
  parts: AgentParts,
  { args, signal }: { readonly args: IpamAddArgs; readonly signal: AbortSignal },
): Promise<Result<Adding, NoPod>> {
  const begunMs = parts.ports.clock.monotonicMs();
  const key = { namespace: args.podNamespace, name: args.podName };
  const copy = parts.view.pods.isStale ? undefined : parts.view.pods.get(key);
  const isCurrent = copy !== undefined && args.podUID !== "" && uidMatches(copy, args.podUID);
  const pod = isCurrent ? copy : await parts.view.livePod(key, { signal });
  if (pod === undefined) return err({ code: "pod_gone", pod: podText(args) });
  const apiUID = pod.metadata.uid ?? "";
  if (!uidMatches(pod, args.podUID)) {
    return err({ code: "uid_mismatch", pod: podText(args), asked: args.podUID, found: apiUID });
  }
  const { nodeName } = parts.settings;
  const found = pod.spec.nodeName ?? "";
  // A runtime that knows no UID may speak of a former pod: the pod of that name is elsewhere.
  if (found !== nodeName) {
    return err({ code: "other_node", pod: podText(args), asked: nodeName, found });
  }
  const reason = isDead(pod);
  if (reason !== undefined) return err({ code: "pod_dead", pod: podText(args), reason });
  const controller = await parts.owners.of(pod, { signal });
  const { ipam } = parts.settings;
  const keeper = keeperOf(controller, ipam);
  const name = endpointNameOf(pod, { controller, settings: ipam });
  const endpointKey = { namespace: args.podNamespace, name };
  return ok({
    ...{ args, pod, apiUID, controller, keeper, endpointKey, begunMs, signal },
    podUID: args.podUID === "" ? apiUID : args.podUID,
    created: new Map(),
    found: new Map(),
    former: new Map(),
    provided: new Map(),
  });
}

/** Who holds an address of one NIC, once this ADD has given it. */
export function holderOf(
  { args, podUID, keeper, endpointKey }: Adding,
  { nic, parts }: { readonly nic: string; readonly parts: AgentParts },
): Holder {
  return {
    podNamespace: args.podNamespace,
    podName: args.podName,
    podUID,
    containerID: args.containerID,
    nic,
    node: parts.settings.nodeName,
    keeper,
    endpointName: endpointKey.name,
  };
}

/**
 * Reads the pod live before something is taken from another UID of its name: an old copy must not
 * decide that (design.md 2.1, rule 7).
 *
 * @returns The pod as it is now.
 */
export async function confirmPod(
  parts: AgentParts,
  { args, apiUID, signal }: Adding,
): Promise<Result<Pod, NoPod>> {
  const key = { namespace: args.podNamespace, name: args.podName };
  const pod = await parts.view.livePod(key, { signal });
  if (pod === undefined) return err({ code: "pod_gone", pod: podText(args) });
  const found = pod.metadata.uid ?? "";
  if (found === apiUID) return ok(pod);
  return err({ code: "uid_mismatch", pod: podText(args), asked: apiUID, found });
}

/** Deletes claims that nobody was told of. What cannot be deleted now is settled later. */
export async function dropClaims(
  parts: AgentParts,
  claims: Iterable<SpiderIp>,
): Promise<void> {
  using deadline = startDeadline(parts.ports.clock, {
    timeoutMs: ROLLBACK_MS,
    what: "giving back addresses of a failed ADD",
    signal: parts.lifetime,
  });
  await allEnded(Array.from(claims, (claim) => drop(parts, { claim, signal: deadline.signal })));
}

async function drop(
  parts: AgentParts,
  { claim, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<void> {
  const { claims, ports, lifetime } = parts;
  try {
    if (await removeClaim(parts, claim, { signal }) === "gone") claims.forget(claim);
  } catch (error) {
    if (!(error instanceof StoreFailure) && !signal.aborted) throw error;
    if (lifetime.aborted) return;
    ports.log.warn("address not given back yet", { address: claim.spec.ip, error });
  }
}
