/** The pools that each NIC may take an address from, in the order to try them. */
import { nicOf } from "../api/multus_networks.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AnyAddressInCidr } from "../ip/mod.ts";
import { judgePool, type PodFacts } from "./filters.ts";
import { isPattern } from "./glob.ts";
import { furtherNetworks, isFirstNic } from "./multus.ts";
import { inOrder } from "./order.ts";
import type { PoolFacts, PoolReading } from "./pool_facts.ts";
import type { NoPoolReason, Refusal } from "./refusal.ts";
import type { CandidateTrace, NicTrace } from "./trace.ts";
import { type NicWish, type Wish } from "./wish.ts";
import { candidatesOf } from "./wished_pools.ts";

/** What a selection follows from. */
export interface SelectionFacts extends PodFacts {
  /** Addresses of the NIC's master, or why they are not known; used if `matchMasterSubnet`. */
  readonly masterSubnets: Result<readonly AnyAddressInCidr[], string>;
  readonly matchMasterSubnet: boolean;
  /** What `poolsOf` asked for, by name; one that is missing does not exist. */
  readonly pools: ReadonlyMap<string, PoolReading>;
}

/** The pools of one family for one NIC. */
export interface FamilySelection {
  readonly version: 4 | 6;
  /** At least one, in the order to try them. */
  readonly candidates: readonly PoolFacts[];
  /** Of all that were wished, in the user's order. */
  readonly trace: readonly CandidateTrace[];
}

/** The pools for one NIC. */
export interface NicSelection {
  readonly nic: string;
  readonly position?: number | undefined;
  readonly cleanGateway: boolean;
  /** IPv4 before IPv6, at least one of them. */
  readonly families: readonly FamilySelection[];
}

const VERSIONS = [4, 6] as const;

/**
 * Chooses pools for all NICs of a wish. A family that was wished and has no pool left refuses the
 * whole; a family whose patterns match nothing, or that is switched off, is left out.
 *
 * @outcome `no_candidates` Nothing is left for the NIC being added, or for one found by position;
 *   one that keeps its other family (`NicWish.versions`) is left out instead.
 * @outcome `all_filtered` With the traces of every family that has nothing left.
 * @outcome `nic_unknown`, `bad_annotation` The pod has no such network as a NIC is wished on.
 */
export function selectPools(
  wish: Wish,
  facts: SelectionFacts,
): Result<readonly NicSelection[], Refusal> {
  const selected: NicSelection[] = [];
  const failed: NicTrace[] = [];
  for (const nic of wish.nics) {
    const unknown = unknownNicRefusal(nic, { wish, pod: facts.pod });
    if (unknown !== undefined) return err(unknown);
    const families = familiesOf(nic, { wish, facts });
    const { position } = nic;
    if (families.length > 0) {
      const place = position === undefined ? { nic: nic.nic } : { nic: nic.nic, position };
      selected.push({ ...place, cleanGateway: nic.cleanGateway, families });
    } else if (nic.versions === undefined && (position !== undefined || nic.nic === wish.nic)) {
      const reason = noPoolReason(nic, { wish, facts });
      return err({ code: "no_candidates", nic: nic.nic, rule: wish.rule, reason });
    }
    for (const { version, candidates, trace } of families) {
      if (candidates.length > 0) continue;
      failed.push({ nic: shownNic(nic, facts.pod), version, candidates: trace });
    }
  }
  return failed.length > 0 ? err({ code: "all_filtered", traces: failed }) : ok(selected);
}

interface Selecting {
  readonly wish: Wish;
  readonly facts: SelectionFacts;
}

function familiesOf(nic: NicWish, { wish, facts }: Selecting): readonly FamilySelection[] {
  const { pools, settings } = facts;
  const mustMatchMaster = facts.matchMasterSubnet && isBeingAdded(nic, { wish, pod: facts.pod });
  const masterSubnets = mustMatchMaster ? facts.masterSubnets : undefined;
  const place = { nic: shownNic(nic, facts.pod), position: nic.position };
  const families: FamilySelection[] = [];
  for (const version of VERSIONS) {
    if (!(version === 4 ? settings.ipv4 : settings.ipv6)) continue;
    if (nic.versions?.has(version) === false) continue;
    const names = candidatesOf(nic, { rule: wish.rule, version, pools });
    if (names.length === 0) continue;
    const seeker = { ...facts, place, version, masterSubnets };
    const trace = names.map((name) => judgePool({ name, reading: pools.get(name) }, seeker));
    const kept = trace.flatMap(({ pool, droppedBy }) => {
      const reading = pools.get(pool);
      return droppedBy === undefined && reading?.kind === "facts" ? [reading.facts] : [];
    });
    families.push({ version, candidates: inOrder(kept), trace });
  }
  return families;
}

/** Only its master is there to be asked: those of NICs that come later are not. */
function isBeingAdded(
  nic: NicWish,
  { wish, pod }: { readonly wish: Wish; readonly pod: Pod },
): boolean {
  return shownNic(nic, pod) === wish.nic;
}

function noPoolReason(nic: NicWish, { wish, facts }: Selecting): NoPoolReason {
  const { settings, pools } = facts;
  const lists = [{ version: 4, list: nic.ipv4 }, { version: 6, list: nic.ipv6 }] as const;
  const wished = wish.rule === "default"
    ? VERSIONS.filter((version) =>
      candidatesOf(nic, { rule: "default", version, pools }).length > 0
    )
    : lists.filter(({ list }) => list !== undefined).map(({ version }) => version);
  if (wished.length === 0) return { kind: "none_named" };
  const enabled = wished.filter((version) => version === 4 ? settings.ipv4 : settings.ipv6);
  if (enabled.length === 0) return { kind: "family_off", versions: wished };
  const missed = lists.flatMap(({ version, list = [] }) => {
    const patterns = enabled.includes(version) ? list.filter(isPattern) : [];
    return patterns.length === 0 ? [] : [{ version, patterns }];
  });
  return { kind: "no_match", lists: missed };
}

/** NICs that are still to come must be among the pod's networks, or their addresses are lost. */
function unknownNicRefusal(
  nic: NicWish,
  { wish, pod }: { readonly wish: Wish; readonly pod: Pod },
): Refusal | undefined {
  if (wish.rule !== "ippools" || isFirstNic(nic)) return undefined;
  if (isBeingAdded(nic, { wish, pod })) return undefined;
  const read = furtherNetworks(pod);
  if (!read.ok) {
    const { namespace = "", name } = pod.metadata;
    return { code: "bad_annotation", on: "pod", name: `${namespace}/${name}`, message: read.error };
  }
  const networks = read.value.map(nicOf);
  const { position } = nic;
  const isThere = position === undefined ? networks.includes(nic.nic) : position <= networks.length;
  if (isThere) return undefined;
  return { code: "nic_unknown", nic: nic.nic, position, networks };
}

/** A NIC as its user knows it: `net1` also where it is found by its position. */
function shownNic({ nic, position }: NicWish, pod: Pod): string {
  const networks = furtherNetworks(pod);
  if (position === undefined || position === 0 || !networks.ok) return nic;
  const network = networks.value[position - 1];
  return network === undefined ? nic : nicOf(network, position - 1);
}
