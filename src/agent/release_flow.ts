/** DEL: frees what the sandbox that ended had, and nothing of any other (design.md 2.1, rule 4). */
import { err, ok, type Result } from "../base/result.ts";
import type { IpamBatchDelArgs, IpamDelArgs } from "../api/agent.ts";
import { AGENT_STATUS } from "../api/agent.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { CONFLICT_AVOIDED_MS } from "../ipam/ledger.ts";
import { isDead, uidMatches } from "../ipam/pod_life.ts";
import { type PodReading, releasable } from "../ipam/release.ts";
import { podOf } from "./known_endpoints.ts";
import type { AgentParts } from "./parts.ts";
import type { ServiceFailure } from "./service.ts";
import { keeperKeeps } from "../daemon/keeper_word.ts";
import { removeClaim } from "../daemon/provided_claims.ts";

/** Times that a claim is looked at again because it changed between read and deletion. */
const TRIES_MAX = 5;

/** Frees the addresses of one NIC, if its pod is dying or gone. */
export async function releaseNic(
  parts: AgentParts,
  { args, signal }: { readonly args: IpamDelArgs; readonly signal: AbortSignal },
): Promise<void> {
  const pod = await dyingPod(parts, { args, signal });
  const known = parts.claims.ofPod(args);
  const { free, sticky } = releasable(known, { request: { ...args, nic: args.ifName }, pod });
  for (const claim of free) await freeClaim(parts, { claim, args, signal });
  for (const claim of sticky) await freeUnkept(parts, { claim, args, signal });
  if (free.length > 0) parts.endpoints.forget(free[0]?.spec.podUID ?? "");
}

/** The pod of a DEL. A copy that shows it dying is believed, since nothing dies twice. */
async function dyingPod(
  { view }: AgentParts,
  { args, signal }: {
    readonly args: Pick<IpamDelArgs, "podNamespace" | "podName" | "podUID">;
    readonly signal: AbortSignal;
  },
): Promise<PodReading> {
  const key = { namespace: args.podNamespace, name: args.podName };
  const copy = view.pods.get(key);
  const isDying = copy !== undefined && args.podUID !== "" && uidMatches(copy, args.podUID) &&
    isDead(copy) !== undefined;
  const pod = isDying ? copy : await view.livePod(key, { signal });
  return pod === undefined ? { kind: "absent" } : { kind: "present", pod };
}

interface Freeing {
  readonly claim: SpiderIp;
  readonly args: IpamDelArgs;
  readonly signal: AbortSignal;
}

/** Deletes a claim; one that changed since it was read is judged again. */
async function freeClaim(
  parts: AgentParts,
  { claim, args, signal }: Freeing,
): Promise<boolean> {
  const { settler, claims, metrics, ports } = parts;
  let current = claim;
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    if (await removeClaim(parts, current, { signal }) === "gone") {
      claims.forget(current);
      const { ip: address, pool, nic } = current.spec;
      ports.log.info("address released", { address, pool, nic, podUID: current.spec.podUID });
      return true;
    }
    metrics.release.conflicted();
    const again = await settler.get(SPIDER_IPS, { name: claim.metadata.name }, { signal });
    if (again === undefined) {
      claims.forget(current);
      return true;
    }
    claims.note(again);
    const pod = await dyingPod(parts, { args, signal });
    const { free } = releasable([again], { request: { ...args, nic: args.ifName }, pod });
    if (free.length === 0) return false;
    current = again;
  }
  return false;
}

/** Frees a kept claim if its keeper does not want it any more, and then its endpoint. */
async function freeUnkept(parts: AgentParts, freeing: Freeing): Promise<void> {
  const { claim, signal } = freeing;
  const kept = await keeperKeeps(parts, { claim, signal });
  const { ip: address } = claim.spec;
  parts.ports.log.info("address of a kept pod looked at", { address, ...kept });
  if (kept.keeps) return;
  if (await removeClaim(parts, claim, { signal }) !== "gone") return;
  parts.claims.forget(claim);
  await removeKeptEndpoint(parts, { claim, signal });
}

/** Removes the endpoint of a pod that nobody keeps addresses for; it has no owner to go with. */
export async function removeKeptEndpoint(
  { endpoints }: AgentParts,
  { claim, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<void> {
  const { podNamespace: namespace, podName, podUID, owner } = claim.spec;
  if (namespace === undefined || podName === undefined || owner === undefined) return;
  const name = owner.kind === "StatefulSet" ? podName : owner.name;
  const endpoint = await endpoints.read({ namespace, name }, { signal });
  if (endpoint === undefined || podOf(endpoint) !== podUID) return;
  await endpoints.remove(endpoint, { signal });
}

/**
 * Frees everything that a pod has after its ADD failed on the wire. Addresses that somebody keeps
 * stay: they are never exchanged.
 *
 * The endpoint goes first: what it lists would be given again.
 */
export async function releaseAllNics(
  parts: AgentParts,
  { args, signal }: { readonly args: IpamBatchDelArgs; readonly signal: AbortSignal },
): Promise<Result<void, ServiceFailure>> {
  const { claims, book, settings } = parts;
  const own = claims.ofPod(args).filter(({ spec }) => {
    return args.podUID === "" || spec.podUID === args.podUID;
  });
  const kept = own.filter(({ spec }) => spec.owner !== undefined);
  if (args.isReleaseConflictIPs) {
    if (!settings.ipam.releaseConflicting) return err(STATELESS_FORBIDDEN);
    if (kept.length > 0) return err(STATEFUL_FORBIDDEN);
  }
  const free = own.filter(({ spec }) => {
    return spec.owner === undefined && spec.containerID === args.containerID;
  });
  const [first] = free;
  if (first === undefined) return ok(undefined);
  await emptyEndpoint(parts, { claim: first, signal });
  for (const claim of free) {
    if (await removeClaim(parts, claim, { signal }) !== "gone") continue;
    claims.forget(claim);
    book.avoid(claim, { forMs: CONFLICT_AVOIDED_MS });
  }
  return ok(undefined);
}

/** The settings say so. */
export const STATELESS_FORBIDDEN: ServiceFailure = {
  status: AGENT_STATUS.statelessReleaseForbidden,
  message: "forbid releasing IPs for stateless workload",
};
/** Of a kept address. The space at its end is the reference's: somebody may compare. */
export const STATEFUL_FORBIDDEN: ServiceFailure = {
  status: AGENT_STATUS.statefulReleaseForbidden,
  message: "forbid releasing IPs for stateful workload ",
};

async function emptyEndpoint(
  { endpoints }: AgentParts,
  { claim: { spec }, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<void> {
  const { podNamespace: namespace, podName: name, podUID } = spec;
  if (namespace === undefined || name === undefined) return;
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const endpoint = await endpoints.read({ namespace, name }, { signal });
    if (endpoint === undefined || podOf(endpoint) !== podUID) return;
    if (await endpoints.write(withoutAddresses(endpoint), { signal }) !== undefined) return;
  }
}

function withoutAddresses(endpoint: SpiderEndpoint): SpiderEndpoint {
  const { status } = endpoint;
  if (status === undefined) return endpoint;
  return { ...endpoint, status: { ...status, current: { ...status.current, ips: [] } } };
}
