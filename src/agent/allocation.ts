/** New addresses for NICs: which pools may be had, and one address of each family from them. */
import { assert } from "../base/assert.ts";
import { type StoreError, StoreFailure } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AnyAddressInCidr } from "../ip/mod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { addressOfClaim, type Holder, isHeldBy, reboundClaim } from "../ipam/claim.ts";
import type { NicAllocation } from "../ipam/endpoint.ts";
import type { PoolFacts, PoolReading } from "../ipam/pool_facts.ts";
import type { Refusal } from "../ipam/refusal.ts";
import { type NicSelection, selectPools } from "../ipam/selection.ts";
import { readWish } from "../ipam/wish.ts";
import { poolsOf, type ReadWish } from "../ipam/wished_pools.ts";
import { type Adding, holderOf } from "./adding.ts";
import { untilAdopted } from "./adopted_pools.ts";
import { lendersWord, mayGrow, waitsUntilMs, whenMade, withKeptPools } from "./automatic_pools.ts";
import type { Claimed, ClaimWish } from "./claimer.ts";
import type { AgentParts } from "./parts.ts";
import type { Reserved } from "../ipam/reserved.ts";

/** Reads which pools the pod's NICs may have, and those pools. */
export async function readPools(
  parts: AgentParts,
  adding: Adding,
): Promise<Result<ReadWish, Refusal>> {
  const { args, pod, controller, keeper, signal } = adding;
  const namespace = await parts.view.namespace(args.podNamespace, { signal });
  if (namespace === undefined) {
    return err({ code: "namespace_unknown", namespace: args.podNamespace });
  }
  const asked = readWish({
    pod,
    controller,
    namespaceAnnotations: namespace.annotations ?? {},
    request: {
      nic: args.ifName,
      defaultIpv4Pools: args.defaultIPv4IPPool,
      defaultIpv6Pools: args.defaultIPv6IPPool,
      cleanGateway: args.cleanGateway,
      matchMasterSubnet: args.matchMasterSubnet,
    },
    settings: parts.settings.ipam,
  });
  if (!asked.ok) return asked;
  const wish = withKeptPools(parts, { wish: asked.value, controller, keeper });
  const all = parts.reader.names();
  const names = poolsOf(wish, all);
  const wanted = names.kind === "all" ? all : names.names;
  return ok({ wish, pools: await parts.reader.read(wanted, { signal }) });
}

/** Some NICs of a wish, each with the families that are to be given. */
export interface NicsToGive {
  readonly read: ReadWish;
  /** Names as in the wish, with the families that are wanted; absent: all. */
  readonly nics: ReadonlyMap<string, ReadonlySet<4 | 6> | undefined>;
  /** The name that the claims of a NIC carry, where it is another than the wish's. */
  readonly renamed: ReadonlyMap<string, string>;
}

/** Takes addresses for NICs. What was taken is in `adding.created`, also after a refusal. */
export async function allocate(
  parts: AgentParts,
  { adding, give }: { readonly adding: Adding; readonly give: NicsToGive },
): Promise<Result<readonly NicAllocation[], Refusal>> {
  const reserved = await parts.reader.reserved({ signal: adding.signal });
  const selected = await selectWhenMade(parts, { adding, give, reserved });
  if (!selected.ok) return selected;
  const wishes = selected.value.flatMap((nic) => wishesOf(parts, { adding, give, nic, reserved }));
  const claimed = await claimAll(parts, { adding, give, wishes });
  if (!claimed.ok) return claimed;
  return ok(selected.value.map(({ nic, position, cleanGateway }) => ({
    nic,
    position,
    cleanGateway,
    families: claimed.value.filter((one) => one.wishedNic === nic),
  })));
}

/** Chooses pools; those of an application are waited for. */
async function selectWhenMade(
  parts: AgentParts,
  { adding, give, reserved }: {
    readonly adding: Adding;
    readonly give: NicsToGive;
    readonly reserved: Reserved;
  },
): Promise<Result<readonly NicSelection[], Refusal>> {
  const { read, nics } = give;
  const { automatic, nic } = read.wish;
  if (automatic === undefined) return await select(parts, { adding, give, reserved });
  return await whenMade(parts, {
    ...{ adding, read, automatic, versions: nics.get(nic) },
    select: (made) => select(parts, { adding, give: { ...give, read: made }, reserved }),
  });
}

async function select(
  parts: AgentParts,
  { adding, give: { read, nics }, reserved }: {
    readonly adding: Adding;
    readonly give: NicsToGive;
    readonly reserved: Reserved;
  },
): Promise<Result<readonly NicSelection[], Refusal>> {
  const { args, pod, controller, signal } = adding;
  const namespace = await parts.view.namespace(args.podNamespace, { signal });
  const wanted = read.wish.nics.filter(({ nic }) => nics.has(nic));
  const wish = {
    ...read.wish,
    nics: wanted.map((nic) => ({ ...nic, versions: nics.get(nic.nic) ?? nic.versions })),
  };
  const pools = await adoptedPools(parts, { adding, read });
  return selectPools(wish, {
    pod,
    nodeName: parts.settings.nodeName,
    nodeLabels: await parts.view.nodeLabels({ signal }),
    namespaceLabels: namespace?.labels ?? {},
    controller,
    masterSubnets: await masterSubnets(parts, adding),
    matchMasterSubnet: args.matchMasterSubnet,
    pools,
    reserved,
    settings: parts.settings.ipam,
  });
}

async function masterSubnets(
  parts: AgentParts,
  { args }: Adding,
): Promise<Result<readonly AnyAddressInCidr[], string>> {
  if (!args.matchMasterSubnet) return ok([]);
  return await parts.ports.masterSubnets({ netns: args.netNamespace, nic: args.ifName });
}

/** Waits for pools that an address may come from. */
function adoptedPools(
  parts: AgentParts,
  { adding: { signal }, read }: { readonly adding: Adding; readonly read: ReadWish },
): Promise<ReadonlyMap<string, PoolReading>> {
  const isDefault = read.wish.rule === "default";
  const matters = (facts: PoolFacts): boolean =>
    !facts.isTerminating && !facts.isDisabled && (facts.isDefault || !isDefault);
  return untilAdopted(parts, { pools: read.pools, matters, signal });
}

interface NicClaim extends ClaimWish {
  /** Name of the NIC in the wish. */
  readonly wishedNic: string;
}

function wishesOf(
  parts: AgentParts,
  { adding, give, nic, reserved }: {
    readonly adding: Adding;
    readonly give: NicsToGive;
    readonly nic: NicSelection;
    readonly reserved: Reserved;
  },
): readonly NicClaim[] {
  const name = give.renamed.get(nic.nic) ?? nic.nic;
  const { begunMs, signal } = adding;
  const holder = holderOf(adding, { nic: name, parts });
  return nic.families.map((selection) => {
    return { wishedNic: nic.nic, nic: nic.nic, holder, selection, reserved, begunMs, signal };
  });
}

type GivenAddress = Claimed & { readonly wishedNic: string };

/**
 * Claims every family of every NIC. A family that is known to have nothing is asked first, so that
 * nothing is created that would have to be given back.
 */
async function claimAll(
  parts: AgentParts,
  { adding, give, wishes }: {
    readonly adding: Adding;
    readonly give: NicsToGive;
    readonly wishes: readonly NicClaim[];
  },
): Promise<Result<readonly GivenAddress[], Refusal>> {
  const given: GivenAddress[] = [];
  const rest: NicClaim[] = [];
  for (const wish of wishes) {
    const left = await leftover(parts, { adding, wish });
    if (left !== undefined) given.push({ ...left, wishedNic: wish.wishedNic });
    else rest.push(wish);
  }
  const others: NicClaim[] = [];
  for (const wish of rest) {
    const isFull = rest.length > 1 && await parts.claimer.isFull(wish);
    if (!isFull) {
      others.push(wish);
      continue;
    }
    const claimed = await claimOne(parts, { adding, give, wish });
    if (!claimed.ok) return claimed;
    given.push(claimed.value);
  }
  const outcomes = await Promise.allSettled(others.map((wish) => {
    return claimOne(parts, { adding, give, wish });
  }));
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
    if (!outcome.value.ok) return outcome.value;
    given.push(outcome.value.value);
  }
  return ok(given);
}

async function claimOne(
  parts: AgentParts,
  { adding, give, wish }: {
    readonly adding: Adding;
    readonly give: NicsToGive;
    readonly wish: NicClaim;
  },
): Promise<Result<GivenAddress, Refusal>> {
  const claimed = await claimAny(parts, { adding, give, wish });
  if (!claimed.ok) return claimed;
  const given = { ...claimed.value, wishedNic: wish.wishedNic };
  const { claim, wasThere } = given;
  const isOfThis = claim.spec.containerID === wish.holder.containerID;
  // One of this sandbox that was there may be an answered one, of another agent of the node.
  (isOfThis && wasThere ? adding.found : adding.created).set(claim.metadata.name, claim);
  if (isOfThis) return ok(given);
  // An earlier call began it, for another sandbox.
  const taken = await takeLeftover(parts, { claim, wish });
  if (taken === undefined) throw new StoreFailure(changedMeanwhile(claim));
  adding.created.set(claim.metadata.name, taken);
  return ok({ ...given, claim: taken });
}

/** Takes an address; where a pool of an application has none, it is waited for more of them. */
async function claimAny(
  parts: AgentParts,
  { adding, give: { read: { wish: { automatic } } }, wish }: {
    readonly adding: Adding;
    readonly give: NicsToGive;
    readonly wish: NicClaim;
  },
): Promise<Result<Claimed, Refusal>> {
  const claimed = await parts.claimer.claim(wish);
  if (automatic === undefined || claimed.ok || claimed.error.code !== "exhausted") return claimed;
  const { version, candidates } = wish.selection;
  const { number, pools } = automatic;
  const lending = { pools: pools.filter((pool) => pool.version === version), signal: wish.signal };
  const said = await lendersWord(parts, lending);
  const isToGrow = said === undefined &&
    candidates.some(({ name: pool }) => mayGrow(parts, { pool, number }));
  const untilMs = isToGrow ? waitsUntilMs(parts, adding) : -Infinity;
  if (parts.ports.clock.monotonicMs() >= untilMs) return err({ ...claimed.error, said });
  const later = await parts.claimer.claim({ ...wish, untilMs });
  if (later.ok || later.error.code !== "exhausted") return later;
  return err({ ...later.error, said: await lendersWord(parts, lending) });
}

function changedMeanwhile({ metadata: { name } }: SpiderIp): StoreError {
  return { code: "conflict", message: `SpiderIP "${name}" was changed while it was taken` };
}

/** An address that this NIC of this very pod was given before, by a call that came to no end. */
async function leftover(
  parts: AgentParts,
  { adding, wish }: { readonly adding: Adding; readonly wish: NicClaim },
): Promise<Claimed | undefined> {
  const { claims, settler } = parts;
  const { selection, holder, signal } = wish;
  for (const known of claims.ofPod(holder)) {
    const facts = selection.candidates.find(({ name }) => name === known.spec.pool);
    if (facts === undefined || !mayTake(known, holder)) continue;
    const { name } = known.metadata;
    const claim = await settler.get(SPIDER_IPS, { name }, { signal });
    if (claim === undefined || !mayTake(claim, holder)) {
      claims.forget(known);
      continue;
    }
    const taken = await takeLeftover(parts, { claim, wish });
    const address = taken === undefined ? undefined : addressOfClaim(taken);
    if (taken === undefined || address === undefined) continue;
    // Of this sandbox another NIC's ADD may have answered it; one of a former sandbox is nobody's.
    const isOfThis = claim.spec.containerID === holder.containerID;
    (isOfThis ? adding.found : adding.created).set(name, taken);
    return { facts, address, claim: taken, wasThere: true };
  }
  return undefined;
}

/** Whether a claim is of this NIC of the pod, or was taken over from a record that named none. */
function mayTake(claim: SpiderIp, holder: Holder): boolean {
  const isOfNone = claim.spec.podUID === holder.podUID && (claim.spec.nic ?? "") === "";
  return isHeldBy(claim, holder) || isOfNone;
}

/** Makes a leftover the sandbox's own. */
async function takeLeftover(
  { settler, claims }: AgentParts,
  { claim, wish: { holder, signal } }: { readonly claim: SpiderIp; readonly wish: NicClaim },
): Promise<SpiderIp | undefined> {
  if (claim.spec.containerID === holder.containerID) return claim;
  const isOurs = (stored: SpiderIp): boolean =>
    isHeldBy(stored, holder) && stored.spec.containerID === holder.containerID;
  const next = reboundClaim(claim, holder);
  const written = await settler.replace(SPIDER_IPS, next, { signal, isOurs });
  if (written.kind === "lost") return undefined;
  claims.note(written.object);
  return written.object;
}

/** Facts of a pool that an endpoint names; `undefined` if there is no such pool any more. */
export async function factsOf(
  { reader }: AgentParts,
  { pool, signal }: { readonly pool: string; readonly signal: AbortSignal },
): Promise<PoolFacts | undefined> {
  const reading = (await reader.read([pool], { signal })).get(pool);
  assert(reading !== undefined, "a pool that is read has a reading");
  return reading.kind === "facts" ? reading.facts : undefined;
}
