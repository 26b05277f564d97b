/**
 * ADD: the same answer for the same NIC of the same pod, however often it is asked (design.md 2.1).
 * First every SpiderIP is stored, then the SpiderEndpoint, which is the commit point, then the
 * answer is given.
 */
import { isDeepStrictEqual } from "node:util";
import { err, ok, type Result } from "../base/result.ts";
import { formatObjectName } from "../ip/mod.ts";
import type { IpamAddArgs, IpamAddResponse } from "../api/agent.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import type { Route } from "../api/parts.ts";
import { DEFAULT_NIC } from "../api/pod_annotations.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { answerOf } from "../ipam/answer.ts";
import {
  addressesOf,
  type EndpointAddress,
  endpointNics,
  findNic,
  newEndpoint,
  withNicNamed,
  withNics,
  withoutNics,
} from "../ipam/endpoint.ts";
import type { Refusal } from "../ipam/refusal.ts";
import { changedNics } from "../ipam/sticky.ts";
import { type NicWish, positionalNic } from "../ipam/wish.ts";
import { allowedPools, type ReadWish } from "../ipam/wished_pools.ts";
import { type Adding, beginAdding, confirmPod, dropClaims, podText } from "./adding.ts";
import { allocate, readPools } from "./allocation.ts";
import { isMigrationTarget, keepEntries, type KeptEntry } from "./keeping.ts";
import { podOf } from "./known_endpoints.ts";
import { isWhole, withMendedNic, withWholeLayout } from "./mending.ts";
import type { AgentParts } from "./parts.ts";
import { withProvided } from "./provider_flow.ts";
import { rebuiltEndpoint, surrender } from "./sticky_claims.ts";

/** Times that an ADD begins again because somebody else wrote the endpoint in between. */
const ATTEMPTS_MAX = 10;
/** Milliseconds between two of them, after the second; grows by itself each time. */
const ATTEMPT_GAP_MS = 50;

/**
 * Milliseconds from the beginning of an ADD after which its pod and its SpiderIPs are read once
 * more before it is answered: the pod may have outlived its deletion and lost them, or be gone, and
 * a successor may have taken over and lost what was kept.
 */
const SURE_MS = 5_000;

/** A pass over the endpoint: what it is to say, and which of its NICs may be answered. */
interface Draft {
  readonly endpoint: SpiderEndpoint;
  readonly isChanged: boolean;
  /** Entries whose addresses were made sure of. */
  readonly sure: readonly EndpointNic[];
  /** Addresses that were kept for the pod and that it is no longer to have. */
  readonly surrendered: readonly EndpointAddress[];
}

/** Gives a NIC its addresses. */
export async function addNic(
  parts: AgentParts,
  { args, signal }: { readonly args: IpamAddArgs; readonly signal: AbortSignal },
): Promise<Result<IpamAddResponse, Refusal>> {
  const begun = await beginAdding(parts, { args, signal });
  if (!begun.ok) return begun;
  const adding = begun.value;
  let isDone = false;
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (attempt > 1) await parts.ports.clock.sleep(ATTEMPT_GAP_MS * attempt, { signal });
      const draft = await drafted(parts, { adding, isFirst: attempt === 0 });
      if (draft === "again") continue;
      if (!draft.ok) return draft;
      const stored = await commit(parts, { adding, draft: draft.value });
      if (stored === undefined) continue;
      isDone = true;
      await dropSuperfluous(parts, { adding, stored });
      await surrender(parts, { adding, stored, addresses: draft.value.surrendered });
      const lost = await lostMeanwhile(parts, { adding, nics: draft.value.sure });
      if (lost !== undefined) {
        isDone = false;
        return err(lost);
      }
      return ok(await answer(parts, { adding, nics: draft.value.sure }));
    }
    const { namespace, name } = adding.endpointKey;
    const message =
      `Cannot store SpiderEndpoint "${namespace}/${name}": others change it without ` +
      `end; look who writes it`;
    return err({ code: "unavailable", message });
  } finally {
    const { created, former } = adding;
    if (!isDone && created.size + former.size > 0) {
      parts.endpoints.forget(adding.apiUID);
      await dropClaims(parts, new Map([...former, ...created]).values());
    }
  }
}

/**
 * Why an ADD that took long must not be answered any more: its pod or one of its addresses is gone.
 * Nobody takes one from a pod that has only just come: where nothing is slow, nothing is read.
 */
async function lostMeanwhile(
  parts: AgentParts,
  { adding, nics }: { readonly adding: Adding; readonly nics: readonly EndpointNic[] },
): Promise<Refusal | undefined> {
  const { ports: { clock }, settler, claims } = parts;
  const addresses = nics.flatMap(addressesOf).map(({ address }) => formatObjectName(address));
  for (let sinceMs = adding.begunMs; clock.monotonicMs() - sinceMs > SURE_MS;) {
    sinceMs = clock.monotonicMs();
    const current = await confirmPod(parts, adding);
    if (!current.ok) return current.error;
    for (const name of addresses) {
      const claim = await settler.get(SPIDER_IPS, { name }, { signal: adding.signal });
      if (claim?.spec.podUID === adding.podUID) continue;
      const known = claims.get(name);
      if (known !== undefined) claims.forget(known);
      const message =
        `SpiderIP "${name}" was taken back from pod "${podText(adding.args)}" while ` +
        "it waited for its addresses; its kubelet asks again while there is such a pod";
      return { code: "unavailable", message };
    }
  }
  return undefined;
}

async function drafted(
  parts: AgentParts,
  { adding, isFirst }: { readonly adding: Adding; readonly isFirst: boolean },
): Promise<Result<Draft, Refusal> | "again"> {
  const found = await currentEndpoint(parts, { adding, isFirst });
  if (found === "again") return "again";
  if (!found.ok) return found;
  return await draftOn(parts, { adding, found: found.value });
}

/**
 * The endpoint to build on. For a pod that nothing is known of none is read: creating it tells
 * whether there is one. One of a former pod without a keeper is removed.
 */
async function currentEndpoint(
  parts: AgentParts,
  { adding, isFirst }: { readonly adding: Adding; readonly isFirst: boolean },
): Promise<Result<SpiderEndpoint | undefined, Refusal> | "again"> {
  const { endpoints, claims } = parts;
  const { args, apiUID, podUID, keeper, endpointKey, signal } = adding;
  if (isFirst && keeper === undefined) {
    const known = endpoints.get(apiUID);
    if (known !== undefined && findNic(known, args.ifName) === undefined) return ok(known);
    const isNew = known === undefined &&
      !claims.ofPod(args).some(({ spec }) => spec.podUID === podUID);
    if (isNew) return ok(undefined);
  }
  const endpoint = await endpoints.read(endpointKey, { signal });
  if (endpoint === undefined) {
    noteFormer(parts, adding);
    return ok(await rebuiltEndpoint(parts, adding));
  }
  const isEnding = endpoint.metadata.deletionTimestamp !== undefined;
  if (podOf(endpoint) === apiUID && !isEnding) return ok(endpoint);
  if (keeper !== undefined && !isEnding) return ok(endpoint);
  const current = await confirmPod(parts, adding);
  if (!current.ok) return current;
  if (!await endpoints.remove(endpoint, { signal })) return "again";
  return ok(keeper === undefined ? undefined : withoutVersion(endpoint));
}

/** Remembers what former sandboxes of a pod without an endpoint left: nobody was told of it. */
function noteFormer({ claims }: AgentParts, { args, podUID, former }: Adding): void {
  for (const claim of claims.ofPod(args)) {
    const { podUID: uid, containerID = "", owner, hold } = claim.spec;
    if (uid !== podUID || owner !== undefined || hold !== undefined) continue;
    if (containerID !== "" && containerID !== args.containerID) {
      former.set(claim.metadata.name, claim);
    }
  }
}

/** A kept endpoint that somebody deletes is made again with what it said. */
function withoutVersion(endpoint: SpiderEndpoint): SpiderEndpoint {
  const { name, namespace, labels, annotations } = endpoint.metadata;
  return { ...endpoint, metadata: { name, namespace, labels, annotations } };
}

async function draftOn(
  parts: AgentParts,
  { adding, found }: { readonly adding: Adding; readonly found: SpiderEndpoint | undefined },
): Promise<Result<Draft, Refusal>> {
  const { pod, controller, keeper, endpointKey } = adding;
  const base = found ??
    newEndpoint({ pod, controller, keeper, endpointName: endpointKey.name, nics: [] });
  const read = memoized(() => readPools(parts, adding));
  let endpoint = base;
  let surrendered: readonly EndpointAddress[] = [];
  if (keeper !== undefined && found !== undefined) {
    const wished = await read();
    if (!wished.ok) return wished;
    endpoint = withWholeLayout(endpoint, wished.value.wish);
    const changed = await changedEntries(adding, { endpoint, read });
    if (!changed.ok) return changed;
    const entries = endpoint.status?.current.ips ?? [];
    surrendered = changed.value.flatMap((at) => addressesOf(entries[at] ?? NO_NIC));
    endpoint = withoutNics(endpoint, changed.value);
  }
  const asked = findNic(endpoint, adding.args.ifName);
  if (asked?.isUnnamed === true) {
    endpoint = withNicNamed(endpoint, { index: asked.index, nic: adding.args.ifName });
  }
  const kept = await keepEntries(parts, { adding, endpoint, askedIndex: asked?.index });
  if (!kept.ok) return kept;
  const mine = kept.value.find(({ index }) => index === asked?.index);
  if (mine === undefined) {
    const added = await withNewNics(parts, { adding, endpoint, read });
    if (!added.ok) return added;
    endpoint = added.value;
  } else if (!await isWhole(parts, { adding, mine, read })) {
    const mended = await withMendedNic(parts, { adding, endpoint, mine, read });
    if (!mended.ok) return mended;
    endpoint = mended.value;
  }
  endpoint = withNics(endpoint, { pod, controller, keeper, nics: [] });
  const provided = await withProvided(parts, { adding, endpoint, found });
  if (!provided.ok) return provided;
  endpoint = provided.value;
  const isChanged = found === undefined || found.metadata.resourceVersion === undefined ||
    !isDeepStrictEqual(endpoint, found);
  const sure = sureEntries(endpoint, { adding, kept: kept.value });
  return ok({ endpoint, isChanged, sure, surrendered });
}

const NO_NIC: EndpointNic = { interface: "", vlan: 0 };

/** Indexes of a kept endpoint's NICs whose pools the pod's user no longer names. */
async function changedEntries(
  { args }: Adding,
  { endpoint, read }: {
    readonly endpoint: SpiderEndpoint;
    readonly read: () => Promise<Result<ReadWish, Refusal>>;
  },
): Promise<Result<readonly number[], Refusal>> {
  const wished = await read();
  if (!wished.ok) return wished;
  const { wish, pools } = wished.value;
  return ok(changedNics(endpoint, { nic: args.ifName, allowed: allowedPools(wish, pools) }));
}

/** Adds the NIC, and with it every other one that the same annotation lists. */
async function withNewNics(
  parts: AgentParts,
  { adding, endpoint, read }: {
    readonly adding: Adding;
    readonly endpoint: SpiderEndpoint;
    readonly read: () => Promise<Result<ReadWish, Refusal>>;
  },
): Promise<Result<SpiderEndpoint, Refusal>> {
  const wished = await read();
  if (!wished.ok) return wished;
  const { args, pod, controller, keeper } = adding;
  const present = new Set((endpoint.status?.current.ips ?? []).map((entry) => entry.interface));
  const { nics: wishedNics } = wished.value.wish;
  const isLayout = wishedNics.some(({ position }) => position !== undefined);
  if (isLayout && present.size > 0) {
    // Every item of the list is somebody's by now.
    return err({ code: "nic_beyond_list", nic: args.ifName, count: wishedNics.length });
  }
  const missing = wishedNics.filter((nic) => !present.has(nic.nic));
  const renamed = renamedNics(missing, args.ifName);
  const nics = new Map(missing.map((nic) => [nic.nic, undefined]));
  const allocated = await allocate(parts, { adding, give: { read: wished.value, nics, renamed } });
  if (!allocated.ok) return allocated;
  const made = endpointNics(allocated.value, unplacedRoutes(endpoint, wished.value.wish.routes));
  for (const { dst, gw } of made.unplaced) {
    parts.ports.log.info("route left out: its gateway is in no subnet of the NIC", { dst, gw });
  }
  const named = made.nics.map((nic, at) => {
    const name = renamed.get(allocated.value[at]?.nic ?? "");
    return name === undefined ? nic : { ...nic, interface: name };
  });
  return ok(withNics(endpoint, { pod, controller, keeper, nics: named }));
}

/** The pod's own routes that no NIC of it has yet: each is for one. */
function unplacedRoutes(
  endpoint: SpiderEndpoint,
  routes: readonly Route[],
): readonly Route[] {
  const placed = (endpoint.status?.current.ips ?? []).flatMap((entry) => entry.routes ?? []);
  return routes.filter(({ dst, gw }) => {
    return !placed.some((other) => other.dst === dst && other.gw === gw);
  });
}

/** Where a positional list is first asked for another NIC than `eth0`, that is its second item. */
function renamedNics(
  nics: readonly NicWish[],
  asked: string,
): ReadonlyMap<string, string> {
  const isPositional = nics.some(({ position }) => position !== undefined);
  if (!isPositional || asked === DEFAULT_NIC) return new Map();
  return new Map([[positionalNic(1), asked]]);
}

/** Entries all of whose addresses are the pod's: those that were kept whole, and the new ones. */
function sureEntries(
  endpoint: SpiderEndpoint,
  { adding, kept }: { readonly adding: Adding; readonly kept: readonly KeptEntry[] },
): readonly EndpointNic[] {
  const sure = new Set([...adding.created.keys(), ...adding.found.keys()]);
  for (const entry of kept) {
    for (const { address } of entry.kept) sure.add(formatObjectName(address));
  }
  return (endpoint.status?.current.ips ?? []).filter((entry) => {
    return addressesOf(entry).every(({ address }) => sure.has(formatObjectName(address)));
  });
}

/** Stores the draft. @returns `undefined` if somebody else wrote the endpoint meanwhile. */
async function commit(
  { endpoints }: AgentParts,
  { adding: { signal }, draft }: { readonly adding: Adding; readonly draft: Draft },
): Promise<SpiderEndpoint | undefined> {
  if (!draft.isChanged) return draft.endpoint;
  return await endpoints.write(draft.endpoint, { signal });
}

/**
 * Deletes claims of this pod's NICs that their endpoint does not list: of this call, of an earlier
 * one that came to no end, of pools that the user no longer names.
 */
async function dropSuperfluous(
  parts: AgentParts,
  { adding, stored }: { readonly adding: Adding; readonly stored: SpiderEndpoint },
): Promise<void> {
  const entries = stored.status?.current.ips ?? [];
  const listed = new Set(
    entries.flatMap(addressesOf).map(({ address }) => formatObjectName(address)),
  );
  const nics = new Set(entries.map((entry) => entry.interface));
  const isOver = ({ metadata, spec }: SpiderIp): boolean =>
    !listed.has(metadata.name) && spec.podUID === adding.podUID && nics.has(spec.nic ?? "");
  const over = new Map(
    parts.claims.ofPod(adding.args).filter(isOver).map((claim) => [claim.metadata.name, claim]),
  );
  for (const [name, claim] of [...adding.created, ...adding.found]) {
    if (!listed.has(name)) over.set(name, claim);
  }
  if (over.size > 0) await dropClaims(parts, over.values());
}

async function answer(
  parts: AgentParts,
  { adding, nics }: { readonly adding: Adding; readonly nics: readonly EndpointNic[] },
): Promise<IpamAddResponse> {
  const { conflictDetection, gatewayDetection } = parts.settings.ipam;
  // While a machine moves, its old pod still answers for the address: that is no conflict.
  const isMoving = conflictDetection && adding.keeper?.kind === "VirtualMachineInstance" &&
    await isMigrationTarget(parts, adding);
  return answerOf(nics, { conflictDetection: conflictDetection && !isMoving, gatewayDetection });
}

function memoized<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => result ??= work();
}
