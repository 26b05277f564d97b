/** Which pools are left out for a NIC, and by what: the rules in their order. */
import type { Pod } from "../api/kubernetes/pod.ts";
import { APPLICATION_AFFINITY_LABELS } from "../api/labels.ts";
import type { Result } from "../base/result.ts";
import {
  type AnyAddressInCidr,
  cidrContains,
  formatAddressInCidr,
  formatCidr,
  type Ipv4,
  type Ipv6,
  type RangeSet,
} from "../ip/mod.ts";
import { brief, briefValues, counted, quoted, quotedNames } from "./brief.ts";
import { type Labels, selectorMismatch } from "./label_selector.ts";
import { networkOf, type NicPlace, qualifiedNetwork } from "./multus.ts";
import type { PoolFacts, PoolReading } from "./pool_facts.ts";
import type { IpamSettings } from "./settings.ts";
import type { TopController } from "./top_controller.ts";
import { type CandidateTrace, type DropRule, keptTrace } from "./trace.ts";

/** What pools are compared with. */
export interface PodFacts {
  readonly pod: Pod;
  readonly nodeName: string;
  readonly nodeLabels: Labels;
  readonly namespaceLabels: Labels;
  readonly controller: TopController;
  /** Addresses that pods never get, whatever pool they are in. */
  readonly reserved: { readonly ipv4: RangeSet<Ipv4>; readonly ipv6: RangeSet<Ipv6> };
  readonly settings: IpamSettings;
}

/** One NIC and family of the pod. */
export interface Seeker extends PodFacts {
  readonly place: NicPlace;
  readonly version: 4 | 6;
  /**
   * Addresses of the NIC's master, of which the pool's subnet must have one; or why they are not
   * known. `undefined`: any subnet will do.
   */
  readonly masterSubnets: Result<readonly AnyAddressInCidr[], string> | undefined;
}

/** A rule about pools: why it leaves one out, as the end of a sentence that the pool begins. */
type Filter = (pool: PoolFacts, seeker: Seeker) => string | undefined;

/** In the order in which they are asked; the first that says no is the one that is told. */
const FILTERS: readonly (readonly [DropRule, Filter])[] = [
  ["terminating", (pool) => pool.isTerminating ? "is being deleted" : undefined],
  ["disabled", (pool) => pool.isDisabled ? "is disabled" : undefined],
  ["notUsable", unusableBecause],
  ["notAdopted", unadoptedBecause],
  ["family", otherFamilyBecause],
  ["node", otherNodeBecause],
  ["namespace", otherNamespaceBecause],
  ["pod", otherPodBecause],
  ["multus", otherNetworkBecause],
  ["masterSubnet", otherMasterBecause],
  ["nothingLeft", emptyBecause],
];

/** Says whether a NIC may have a pool, and if not, by which rule and what it compared. */
export function judgePool(
  { name, reading = { kind: "absent" } }: {
    readonly name: string;
    readonly reading?: PoolReading | undefined;
  },
  seeker: Seeker,
): CandidateTrace {
  switch (reading.kind) {
    case "absent":
      return { pool: name, droppedBy: "absent", detail: "does not exist" };
    case "broken":
      return { pool: name, droppedBy: "broken", detail: `is broken: ${reading.problem}` };
    case "facts":
      for (const [droppedBy, filter] of FILTERS) {
        const detail = filter(reading.facts, seeker);
        if (detail !== undefined) return { pool: name, droppedBy, detail };
      }
      return keptTrace(name);
  }
}

function unusableBecause({ notUsable }: PoolFacts): string | undefined {
  if (notUsable === undefined) return undefined;
  return `must not be used: ${notUsable === "" ? "no reason is given" : notUsable}`;
}

function unadoptedBecause({ isAdopted }: PoolFacts): string | undefined {
  if (isAdopted) return undefined;
  return "is not ready, its addresses are not recorded as SpiderIPs yet (status.truth)";
}

function otherFamilyBecause(pool: PoolFacts, { version }: Seeker): string | undefined {
  if (pool.version === version) return undefined;
  return `is an IPv${pool.version} pool (${formatCidr(pool.subnet)})`;
}

function otherNodeBecause(
  { nodeNames, nodeAffinity }: PoolFacts,
  { nodeName, nodeLabels }: Seeker,
): string | undefined {
  if (nodeNames.length > 0) {
    if (nodeNames.includes(nodeName)) return undefined;
    return `is for nodes ${quotedNames(nodeNames)}, this node is ${quoted(nodeName)}`;
  }
  if (nodeAffinity === undefined) return undefined;
  const mismatch = selectorMismatch(nodeAffinity, nodeLabels);
  if (mismatch === undefined) return undefined;
  return `is for nodes ${mismatch.wanted}, this node ${quoted(nodeName)} has ${mismatch.found}`;
}

function otherNamespaceBecause(
  { namespaceNames, namespaceAffinity }: PoolFacts,
  { pod, namespaceLabels }: Seeker,
): string | undefined {
  const namespace = pod.metadata.namespace ?? "";
  if (namespaceNames.length > 0) {
    if (namespaceNames.includes(namespace)) return undefined;
    return `is for namespaces ${quotedNames(namespaceNames)}, this pod is in ${quoted(namespace)}`;
  }
  if (namespaceAffinity === undefined) return undefined;
  const mismatch = selectorMismatch(namespaceAffinity, namespaceLabels);
  if (mismatch === undefined) return undefined;
  return `is for namespaces ${mismatch.wanted}, namespace ${quoted(namespace)} has ` +
    mismatch.found;
}

function otherPodBecause(pool: PoolFacts, seeker: Seeker): string | undefined {
  const { podAffinity } = pool;
  if (podAffinity === undefined) return undefined;
  if (pool.isAutomatic) return otherApplicationBecause(podAffinity.matchLabels ?? {}, seeker);
  const mismatch = selectorMismatch(podAffinity, seeker.pod.metadata.labels ?? {});
  if (mismatch === undefined) return undefined;
  return `is for pods ${mismatch.wanted}, this pod has ${mismatch.found}`;
}

/** An automatic pool was made for one application, which its selector spells out. */
function otherApplicationBecause(wanted: Labels, { controller }: Seeker): string | undefined {
  const { group, version, kind, namespace, name } = APPLICATION_AFFINITY_LABELS;
  const isSame = wanted[kind] === controller.kind && wanted[name] === controller.name &&
    wanted[namespace] === controller.namespace &&
    isGroupVersion({ group: wanted[group], version: wanted[version] }, controller);
  if (isSame) return undefined;
  const owner = `${wanted[kind] ?? "?"} ${wanted[namespace] ?? "?"}/${wanted[name] ?? "?"}`;
  const own = `${controller.kind} ${controller.namespace}/${controller.name}`;
  return `is for ${quoted(owner)}, this pod belongs to ${quoted(own)} of ${
    brief(controller.apiVersion)
  }`;
}

/** `v1` was written with group and version exchanged by some releases of the reference. */
function isGroupVersion(
  { group, version }: { readonly group: string | undefined; readonly version: string | undefined },
  { apiVersion }: TopController,
): boolean {
  if (group === undefined || version === undefined) return false;
  if (group === "") return version === apiVersion;
  if (apiVersion.includes("/")) return `${group}/${version}` === apiVersion;
  return version === "" && group === apiVersion;
}

/** An automatic pool is made for one NIC: nothing more is asked about it. */
function isMadeForNic({ isAutomatic, podAffinity }: PoolFacts): boolean {
  return isAutomatic && podAffinity !== undefined;
}

function otherNetworkBecause(pool: PoolFacts, seeker: Seeker): string | undefined {
  const { multusNames } = pool;
  if (multusNames.length === 0 || isMadeForNic(pool)) return undefined;
  const { place, settings } = seeker;
  const wanted = multusNames.map((name) => qualifiedNetwork(name, settings));
  const found = networkOf(place, seeker);
  const nic = quoted(place.nic);
  if (found.kind === "unknown") {
    return `is for networks ${briefValues(wanted)}, that of NIC ${nic} is not known: ` +
      found.reason;
  }
  if (wanted.includes(found.network)) return undefined;
  return `is for networks ${briefValues(wanted)}, NIC ${nic} is on ${brief(found.network)}`;
}

function otherMasterBecause(pool: PoolFacts, seeker: Seeker): string | undefined {
  const { masterSubnets, place } = seeker;
  if (masterSubnets === undefined || pool.multusNames.length > 0 || isMadeForNic(pool)) {
    return undefined;
  }
  const master = `the master of NIC ${quoted(place.nic)}`;
  const subnet = formatCidr(pool.subnet);
  if (!masterSubnets.ok) {
    return `has subnet ${subnet}, what ${master} has is not known: ${masterSubnets.error}`;
  }
  if (masterSubnets.value.some((address) => isInside(address, pool))) return undefined;
  const has = masterSubnets.value.map(formatAddressInCidr);
  return `has subnet ${subnet}, ${master} has ${has.length === 0 ? "none" : briefValues(has)}`;
}

function isInside(at: AnyAddressInCidr, pool: PoolFacts): boolean {
  if (pool.version === 4) return at.version === 4 && cidrContains(pool.subnet, at.address);
  return at.version === 6 && cidrContains(pool.subnet, at.address);
}

function emptyBecause(pool: PoolFacts, { reserved }: Seeker): string | undefined {
  if (pool.emptyBecause !== undefined) return pool.emptyBecause;
  const left = pool.version === 4
    ? pool.addresses.lowestOutside(reserved.ipv4)
    : pool.addresses.lowestOutside(reserved.ipv6);
  if (left !== undefined) return undefined;
  const all = counted(pool.addresses.size, { one: "address", more: "addresses" });
  return `has ${all}, and SpiderReservedIPs reserve every one`;
}
