/** One look at one SpiderEndpoint: live reads; what it lacks is made, what nobody needs goes. */
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { isTerminating } from "../../api/metadata.ts";
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import { keyText, type StoredObject } from "../../base/object_store.ts";
import { serverNowMs } from "../../base/server_time.ts";
import { keeperKeeps } from "../../daemon/keeper_word.ts";
import { formatObjectName } from "../../ip/mod.ts";
import { addressesOf, markedEndpoint } from "../../ipam/endpoint.ts";
import { isDead, uidMatches } from "../../ipam/pod_life.ts";
import { type PoolFacts, readPool } from "../../ipam/pool_facts.ts";
import { keptEndpoint } from "../../ipam/rebuild.ts";
import { endpointNameOfClaim } from "../../ipam/restore.ts";
import type { WorkOutcome } from "../../kube/mod.ts";
import { withoutFinalizer } from "../admission/rules/mutation.ts";
import type { LeaderParts } from "../parts.ts";
import { rawOf } from "../raw_objects.ts";
import { tellEndpoint } from "./news.ts";
import { isKept } from "./suspects.ts";

/** Milliseconds before an endpoint that somebody else wrote meanwhile is looked at again. */
const AGAIN_MS = 1_000;
/** Milliseconds until pools are looked at again whose older records are not taken over. */
const ADOPTION_MS = 60_000;
/** Milliseconds after which an ADD that made a claim has written its endpoint, or failed. */
const CLAIM_AGE_MS = 120_000;

const RAW_ENDPOINTS = rawOf(SPIDER_ENDPOINTS);
const DONE: WorkOutcome = { code: "done" };

/** Name of an endpoint. */
export interface EndpointKey {
  readonly namespace: string;
  readonly name: string;
}

/** What a look is handed. */
interface Look {
  readonly key: EndpointKey;
  readonly signal: AbortSignal;
}

/** Looks at an endpoint, be it there or not. Every write is of the state that was judged. */
export async function lookAtEndpoint(parts: LeaderParts, look: Look): Promise<WorkOutcome> {
  const stored = await parts.settler.get(RAW_ENDPOINTS, look.key, look);
  if (stored === undefined) return await rebuild(parts, { ...look, endpoint: undefined });
  const read = SPIDER_ENDPOINTS.parse(stored);
  const endpoint = read.ok ? read.value : undefined;
  if (stored.metadata.finalizers?.includes(SPIDERPOOL_FINALIZER)) {
    return await dropFinalizer(parts, { ...look, stored, endpoint });
  }
  if (endpoint === undefined || isTerminating(endpoint)) return DONE;
  if (endpoint.status === undefined) return await rebuild(parts, { ...look, endpoint });
  return await removeOutdated(parts, { ...look, endpoint });
}

/**
 * Takes the reference's finalizer away: what it guards are SpiderIPs now, which need no endpoint.
 * Where the reference's records are still the truth, its own programs look after it.
 */
async function dropFinalizer(
  parts: LeaderParts,
  { stored, endpoint, signal }: Look & {
    readonly stored: StoredObject;
    readonly endpoint: SpiderEndpoint | undefined;
  },
): Promise<WorkOutcome> {
  const { settler, ports: { log } } = parts;
  if (endpoint !== undefined && hasOldPool(parts, endpoint)) {
    return { code: "again", afterMs: ADOPTION_MS };
  }
  const isOurs = ({ metadata }: StoredObject): boolean =>
    !(metadata.finalizers ?? []).includes(SPIDERPOOL_FINALIZER);
  // One that came while its pool was taken over is behind the fence as well from now on.
  const fenced: StoredObject = endpoint === undefined ? stored : markedEndpoint(endpoint);
  const next = withoutFinalizer(fenced);
  const written = await settler.replace(RAW_ENDPOINTS, next, { signal, isOurs });
  if (written.kind === "lost") return { code: "again", afterMs: AGAIN_MS };
  log.info("finalizer taken away", { endpoint: keyText(stored.metadata) });
  if (isTerminating(stored)) {
    tellEndpoint(parts, {
      endpoint: stored,
      reason: "FinalizerRemoved",
      note: `The finalizer "${SPIDERPOOL_FINALIZER}" kept it from going, and nobody waits for it`,
    });
  }
  return DONE;
}

/** Whether a pool of the endpoint still has older records. */
function hasOldPool({ view }: LeaderParts, { status }: SpiderEndpoint): boolean {
  return (status?.current.ips ?? []).flatMap(addressesOf).some(({ pool }) => {
    const found = view.pools.get({ name: pool });
    return found !== undefined && found.status?.truth === undefined;
  });
}

/** Makes an endpoint, or its status, of the addresses that somebody keeps under its name. */
async function rebuild(
  parts: LeaderParts,
  { key, signal, endpoint }: Look & { readonly endpoint: SpiderEndpoint | undefined },
): Promise<WorkOutcome> {
  const { settler, ports: { store, clock, log } } = parts;
  const claims = await keptClaims(parts, { key, signal });
  const [first] = claims;
  if (first === undefined) return DONE;
  const youngestMs = Math.max(...claims.map(({ metadata }) => {
    return Date.parse(metadata.creationTimestamp ?? "") || 0;
  }));
  const waitMs = youngestMs + CLAIM_AGE_MS - serverNowMs({ store, clock });
  if (waitMs > 0) return { code: "again", afterMs: waitMs };
  const word = await keeperKeeps(parts, { claim: first, signal });
  if (!word.keeps) return DONE; // The addresses go, when their pod is dead.
  const pools = await poolsOf(parts, { claims, signal });
  const liveUid = await liveUidOf(parts, { claims, signal });
  const wanted = keptEndpoint({ key, claims, pools, liveUid });
  if (wanted === undefined) return DONE; // Its pool is gone, which is told of the pool.
  const isOurs = (stored: SpiderEndpoint): boolean =>
    stored.status?.current.uid === wanted.status?.current.uid;
  const written = endpoint === undefined
    ? await settler.create(SPIDER_ENDPOINTS, wanted, { signal, isOurs })
    : await settler.replace(SPIDER_ENDPOINTS, { ...endpoint, status: wanted.status }, {
      signal,
      isOurs,
    });
  if (written.kind === "exists" || written.kind === "lost") {
    return { code: "again", afterMs: AGAIN_MS };
  }
  const addresses = claims.map(({ spec }) => spec.ip);
  log.warn("lost endpoint restored", { endpoint: keyText(key), addresses });
  tellEndpoint(parts, {
    endpoint: written.object,
    reason: "EndpointRestored",
    note: `It was lost, and is made again of ${addresses.join(", ")}. ${word.reason}`,
    isBad: true,
  });
  return DONE;
}

/** The SpiderIPs that are kept under the name of an endpoint. */
async function keptClaims(
  { settler, view }: LeaderParts,
  { key, signal }: Look,
): Promise<readonly SpiderIp[]> {
  const claims: SpiderIp[] = [];
  for (const { metadata: { name } } of view.keptClaimsOf(key)) {
    const claim = await settler.get(SPIDER_IPS, { name }, { signal });
    if (claim !== undefined && isKeptUnder(claim, key)) claims.push(claim);
  }
  return claims;
}

function isKeptUnder(claim: SpiderIp, { namespace, name }: EndpointKey): boolean {
  const { owner, hold, podNamespace } = claim.spec;
  if (owner === undefined || hold !== undefined) return false;
  return podNamespace === namespace && endpointNameOfClaim(claim) === name;
}

async function poolsOf(
  { settler }: LeaderParts,
  { claims, signal }: { readonly claims: readonly SpiderIp[]; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, PoolFacts>> {
  const pools = new Map<string, PoolFacts>();
  for (const name of new Set(claims.map(({ spec }) => spec.pool))) {
    const reading = readPool(await settler.get(SPIDER_IP_POOLS, { name }, { signal }));
    if (reading.kind === "facts") pools.set(name, reading.facts);
  }
  return pools;
}

/** UID of the pod that lives and has one of the claims. */
async function liveUidOf(
  { settler }: LeaderParts,
  { claims, signal }: { readonly claims: readonly SpiderIp[]; readonly signal: AbortSignal },
): Promise<string | undefined> {
  for (const { spec: { podNamespace: namespace, podName: name = "", podUID } } of claims) {
    const pod = await settler.get(PODS, { namespace, name }, { signal });
    if (pod === undefined || podUID === undefined) continue;
    if (uidMatches(pod, podUID) && isDead(pod) === undefined) return podUID;
  }
  return undefined;
}

/**
 * Deletes an endpoint without any address: nobody keeps it, and there is no pod of its name. Where
 * a pod owns it, Kubernetes deletes it, so that is done only where it is wished for.
 */
async function removeOutdated(
  parts: LeaderParts,
  { key, endpoint, signal }: Look & { readonly endpoint: SpiderEndpoint },
): Promise<WorkOutcome> {
  const { settler, view, settings: { reclaim }, ports: { log } } = parts;
  const { uid, ips } = endpoint.status?.current ?? { uid: "", ips: [] };
  if (!reclaim.isOn || hasOldPool(parts, endpoint)) return DONE;
  if (!isKept(endpoint) && !reclaim.cleansEndpoints) return DONE;
  if (await settler.get(PODS, key, { signal }) !== undefined) return DONE;
  if (view.keptClaimsOf(key).length > 0 || view.claimsOfPod(uid).length > 0) return DONE;
  for (const { address } of ips.flatMap(addressesOf)) {
    const claim = await settler.get(SPIDER_IPS, { name: formatObjectName(address) }, { signal });
    const isOwn = claim !== undefined && claim.spec.podNamespace === key.namespace &&
      (claim.spec.podUID === uid || endpointNameOfClaim(claim) === key.name);
    if (isOwn) return DONE; // It goes with its address.
  }
  const why = isKept(endpoint) ? await keeperWord(parts, { key, endpoint, signal }) : undefined;
  if (why?.keeps === true) return DONE;
  const removed = await settler.remove(SPIDER_ENDPOINTS, endpoint, { signal });
  if (removed === "changed") return { code: "again", afterMs: AGAIN_MS };
  log.info("outdated endpoint removed", { endpoint: keyText(key), podUID: uid });
  tellEndpoint(parts, {
    endpoint,
    reason: "EndpointRemoved",
    note: `No address is left of it, and no pod. ${why?.reason ?? "Nobody keeps it"}`,
  });
  return DONE;
}

function keeperWord(
  parts: LeaderParts,
  { key, endpoint, signal }: Look & { readonly endpoint: SpiderEndpoint },
): ReturnType<typeof keeperKeeps> {
  const { ownerControllerType: kind = "", ownerControllerName = "" } = endpoint.status ?? {};
  const isMachine = kind === "VirtualMachineInstance";
  const owner = { kind, name: isMachine ? key.name : ownerControllerName };
  const spec = { podNamespace: key.namespace, podName: key.name, owner };
  return keeperKeeps(parts, { claim: { spec }, signal });
}
