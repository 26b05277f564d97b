/**
 * Addresses that an endpoint lists already: each is answered only after its SpiderIP was read, and
 * taken over or made again where that is right (design.md 2.1, rules 3 and 7).
 */
import { err, ok, type Result } from "../base/result.ts";
import { type Address, formatAddress, formatObjectName } from "../ip/mod.ts";
import { ANNOTATION_MIGRATION_JOB_NAME } from "../api/annotations.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { VIRTUAL_MACHINE_INSTANCE_MIGRATIONS } from "../api/kubernetes/kube_virt.ts";
import { ADOPTION_LEASE } from "../api/leases.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { reboundClaim } from "../ipam/claim.ts";
import { addressesOf, type EndpointAddress } from "../ipam/endpoint.ts";
import type { PoolFacts, PoolReading } from "../ipam/pool_facts.ts";
import type { Refusal } from "../ipam/refusal.ts";
import { rebindDecision } from "../ipam/sticky.ts";
import { positionalNic } from "../ipam/wish.ts";
import { type Adding, confirmPod, holderOf } from "./adding.ts";
import { untilAdopted } from "./adopted_pools.ts";
import { podOf } from "./known_endpoints.ts";
import type { AgentParts } from "./parts.ts";
import { allEnded } from "../base/waiting.ts";

/** Tries to take over one claim that others change at the same time. */
const REBINDS_MAX = 8;

/** What became of one entry of an endpoint. */
export interface KeptEntry {
  readonly index: number;
  readonly entry: EndpointNic;
  /** Addresses that are the pod's. */
  readonly kept: readonly EndpointAddress[];
  /** Addresses that somebody else has by now, or whose pool is gone. */
  readonly lost: readonly EndpointAddress[];
}

/** Makes sure of every address that an endpoint lists. */
export async function keepEntries(
  parts: AgentParts,
  { adding, endpoint, askedIndex }: {
    readonly adding: Adding;
    readonly endpoint: SpiderEndpoint;
    /** Entry of the NIC that is being added; absent: it has none yet. */
    readonly askedIndex: number | undefined;
  },
): Promise<Result<readonly KeptEntry[], Refusal>> {
  const entries: KeptEntry[] = [];
  /** The reference gave one address to two NICs on one pool: the first of them keeps it. */
  const taken = new Set<string>();
  for (const [index, entry] of (endpoint.status?.current.ips ?? []).entries()) {
    const nic = index === askedIndex ? adding.args.ifName : entry.interface;
    const kept: EndpointAddress[] = [];
    const lost: EndpointAddress[] = [];
    const all = addressesOf(entry);
    const addresses = all.filter(({ address }) => !taken.has(formatObjectName(address)));
    lost.push(...all.filter((place) => !addresses.includes(place)));
    const outcomes = await allEnded(addresses.map((place) =>
      keepAddress(parts, {
        adding,
        place,
        nic: nic === "" ? positionalNic(index) : nic,
        isUnnamed: entry.interface === "",
        // One that was made up from claims was answered by nobody.
        isOwn: podOf(endpoint) === adding.apiUID && isStored(endpoint),
      })
    ));
    for (const [at, place] of addresses.entries()) {
      const outcome = outcomes[at];
      if (outcome === undefined) continue;
      if (!outcome.ok) return outcome;
      (outcome.value === undefined ? lost : kept).push(place);
    }
    for (const { address } of kept) taken.add(formatObjectName(address));
    entries.push({ index, entry, kept, lost });
  }
  return ok(entries);
}

function isStored({ metadata }: SpiderEndpoint): boolean {
  return metadata.resourceVersion !== undefined;
}

interface Place {
  readonly adding: Adding;
  readonly place: EndpointAddress;
  readonly nic: string;
  /** Whether the endpoint does not say which NIC it is for. */
  readonly isUnnamed: boolean;
  /** Whether the endpoint is stored as this pod's, not as that of one of its name before it. */
  readonly isOwn: boolean;
}

/**
 * Makes sure of one address.
 *
 * @returns Its claim; `undefined` if the pod cannot have it any more.
 */
export async function keepAddress(
  parts: AgentParts,
  wish: Place,
): Promise<Result<SpiderIp | undefined, Refusal>> {
  const { adding, place } = wish;
  const { settler, claims } = parts;
  const { signal } = adding;
  const name = formatObjectName(place.address);
  for (let attempt = 0; attempt < REBINDS_MAX; attempt++) {
    const claim = await settler.get(SPIDER_IPS, { name }, { signal });
    if (claim === undefined) {
      const adoption = await adoptionOf(parts, wish);
      if (adoption === "waited") continue; // The claim may be there by now.
      if (adoption === "not") return err({ code: "unavailable", message: tellUnadopted(place) });
      const made = await makeAgain(parts, wish);
      if (made === undefined || made.spec.containerID === adding.args.containerID) return ok(made);
      continue; // An earlier call's, for another sandbox.
    }
    const decision = await decide(parts, { ...wish, claim });
    if (!decision.ok) return decision;
    if (decision.value === "lost") return ok(undefined);
    const next = reboundClaim(claim, holderOf(adding, { nic: wish.nic, parts }));
    if (!isChanged(claim, next)) {
      claims.note(claim);
      return ok(claim);
    }
    const isOurs = (stored: SpiderIp): boolean => !isChanged(stored, next);
    const written = await settler.replace(SPIDER_IPS, next, { signal, isOurs });
    if (written.kind === "replaced") {
      claims.note(written.object);
      return ok(written.object);
    }
  }
  const message = `Cannot take over address "${formatAddress(place.address)}": others change it ` +
    `without end; look at SpiderIP "${name}"`;
  return err({ code: "unavailable", message });
}

/** Whether a claim is the NIC's already, may be taken over, or is somebody else's. */
async function decide(
  parts: AgentParts,
  { adding, claim, nic, isUnnamed, place }: Place & { readonly claim: SpiderIp },
): Promise<Result<"take" | "lost", Refusal>> {
  const { spec } = claim;
  // Pools may share addresses: one that was given back may have come again out of another pool.
  if (spec.hold !== undefined || spec.pool !== place.pool) return ok("lost");
  if (spec.podUID === adding.podUID) {
    const named = spec.nic ?? "";
    const isOwn = named === nic || isUnnamed || named === "" || named.startsWith("#");
    return ok(isOwn ? "take" : "lost");
  }
  if (!isKeptFor(adding, claim)) return ok("lost");
  const { args, pod } = adding;
  const current = await confirmPod(parts, adding);
  if (!current.ok) return current;
  const recordedName = spec.podName ?? "";
  const recorded = recordedName === args.podName
    ? current.value
    : await parts.view.livePod({ namespace: args.podNamespace, name: recordedName }, adding);
  const decision = rebindDecision({
    claim,
    pod,
    holder: holderOf(adding, { nic, parts }),
    recorded: recorded === undefined ? { kind: "absent" } : { kind: "present", pod: recorded },
    isMigrationTarget: await isMigrationTarget(parts, adding),
  });
  switch (decision.kind) {
    case "ours":
    case "rebind":
      return ok("take");
    case "refuse":
      return err({ code: "address_held", address: spec.ip, reason: decision.reason });
  }
}

/** Whether a claim was kept by whoever keeps the addresses of this pod too. */
export function isKeptFor({ keeper, args }: Adding, { spec }: SpiderIp): boolean {
  if (keeper === undefined || spec.podNamespace !== args.podNamespace) return false;
  if (spec.owner?.kind !== keeper.kind || spec.owner.name !== keeper.name) return false;
  return keeper.kind !== "StatefulSet" || spec.podName === args.podName;
}

/**
 * Whether the claim's absence means anything: not before the records of its pool were taken over.
 *
 * @returns `waited`: they were only just now.
 */
async function adoptionOf(
  parts: AgentParts,
  { adding: { signal }, place: { pool } }: Place,
): Promise<"done" | "waited" | "not"> {
  const pools = await parts.reader.read([pool], { signal });
  if (!isUnadopted(pools.get(pool))) return "done";
  const later = await untilAdopted(parts, { pools, matters: () => true, signal });
  return isUnadopted(later.get(pool)) ? "not" : "waited";
}

function isUnadopted(reading: PoolReading | undefined): boolean {
  return reading?.kind === "facts" && !reading.facts.isAdopted;
}

function tellUnadopted({ address, pool }: EndpointAddress): string {
  return `Cannot give the pod its address "${formatAddress(address)}": the records of IPPool ` +
    `"${pool}" have not been taken over; the log of the agent that holds the Lease ` +
    `"${ADOPTION_LEASE}" says why`;
}

/** Creates a claim that is gone although its pod lives: somebody deleted it. */
async function makeAgain(
  parts: AgentParts,
  { adding, place, nic, isOwn }: Place,
): Promise<SpiderIp | undefined> {
  const { reader, claimer } = parts;
  const { signal } = adding;
  const reading = (await reader.read([place.pool], { signal })).get(place.pool);
  if (reading?.kind !== "facts" || !reading.facts.isAdopted) return undefined;
  if (!hasAddress(reading.facts, place.address)) return undefined;
  const reserved = await reader.reserved({ signal });
  const taken = await claimer.reclaim(
    { facts: reading.facts, address: place.address },
    { holder: holderOf(adding, { nic, parts }), reserved, signal },
  );
  // Of this very pod it stays also if this call fails: its NIC may be up with it.
  if (taken === undefined) return undefined;
  const { claim, wasThere } = taken;
  if (!isOwn && !wasThere) adding.created.set(claim.metadata.name, claim);
  return claim;
}

function hasAddress(facts: PoolFacts, address: Address): boolean {
  if (facts.version === 4) return typeof address === "number" && facts.addresses.has(address);
  return typeof address === "bigint" && facts.addresses.has(address);
}

/** Whether the pod is what a machine that still runs elsewhere is being moved to. */
export async function isMigrationTarget(
  { settler }: AgentParts,
  { pod, signal }: Adding,
): Promise<boolean> {
  const name = pod.metadata.annotations?.[ANNOTATION_MIGRATION_JOB_NAME];
  if (name === undefined || name === "") return false;
  const key = { namespace: pod.metadata.namespace, name };
  const found = await settler.find(VIRTUAL_MACHINE_INSTANCE_MIGRATIONS, key, { signal });
  return found.kind === "found";
}

function isChanged(one: SpiderIp, other: SpiderIp): boolean {
  const fields = ["podNamespace", "podName", "podUID", "containerID", "nic", "node"] as const;
  const hasOtherOwner = one.spec.owner?.kind !== other.spec.owner?.kind ||
    one.spec.owner?.name !== other.spec.owner?.name;
  return hasOtherOwner || fields.some((field) => one.spec[field] !== other.spec[field]);
}
