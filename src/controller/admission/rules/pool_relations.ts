/** What a pool or a subnet has to do with others: no address is of two, or lost to a pod. */
import type { SpiderIpPool } from "../../../api/ip_pool.ts";
import { isAutomaticPool } from "../../../api/labels.ts";
import type { SpiderSubnet } from "../../../api/subnet.ts";
import { type LoanRecords, readControlledIpPools } from "../../../api/subnet_records.ts";
import { AddressSet, networksOverlap } from "./address_set.ts";
import { type Space, type SpaceObject, spaceOf } from "./address_space.ts";
import { type Fault, fault, forbidden } from "./fault.ts";
import type { Reviewed } from "./settings.ts";

const IPS = ["spec", "ips"];

/** Says what a new or grown pool shares with another one; nothing if that is nothing. */
export function overlapFault(
  { object, previous }: Reviewed<SpiderIpPool>,
  other: SpiderIpPool,
): Fault | undefined {
  const { name } = other.metadata;
  const [space, otherSpace] = [spaceOf(object), spaceOf(other)];
  if (name === object.metadata.name || space === undefined || otherSpace === undefined) return;
  const network = previous === undefined
    ? networkFault(object, { space, other: otherSpace, called: `SpiderIPPool "${name}"` })
    : undefined;
  if (network !== undefined) return network;
  const shared = grownBy(space, previous).intersect(otherSpace.addresses);
  if (shared.isEmpty) return undefined;
  const why = `SpiderIPPool "${name}" has these addresses too; leave them out of one of the two`;
  return forbidden(IPS, String(shared), { why });
}

/** Says what a new subnet shares with another one. Two never have the same network. */
export function subnetOverlapFault(
  { object, previous }: Reviewed<SpiderSubnet>,
  other: SpiderSubnet,
): Fault | undefined {
  const { name } = other.metadata;
  const [space, otherSpace] = [spaceOf(object), spaceOf(other)];
  if (previous !== undefined || space === undefined || otherSpace === undefined) return undefined;
  if (name === object.metadata.name) return undefined;
  const called = `SpiderSubnet "${name}"`;
  if (space.network !== otherSpace.network) {
    return networkFault(object, { space, other: otherSpace, called });
  }
  const why = `${called} has this network; add the addresses to it instead`;
  return forbidden(["spec", "subnet"], object.spec.subnet, { why });
}

/** Says why a new subnet does not go with a pool that is there. */
export function subnetPoolFault(
  { object, previous }: Reviewed<SpiderSubnet>,
  pool: SpiderIpPool,
): Fault | undefined {
  const [space, poolSpace] = [spaceOf(object), spaceOf(pool)];
  if (previous !== undefined || space === undefined || poolSpace === undefined) return undefined;
  const called = `SpiderIPPool "${pool.metadata.name}"`;
  if (space.network !== poolSpace.network) {
    return networkFault(object, { space, other: poolSpace, called });
  }
  const outside = poolSpace.addresses.subtract(space.addresses);
  if (outside.isEmpty) return undefined;
  const why = `${called} of the same network has ${outside}; write these addresses here as well`;
  return fault(IPS, undefined, { why });
}

/** Lists the loans that a smaller subnet would no longer have the addresses of. */
export function loanFaults(reviewed: Reviewed<SpiderSubnet>): readonly Fault[] {
  const removed = removedAddresses(reviewed);
  if (removed === undefined) return [];
  return Object.entries(loansOf(reviewed.previous)).flatMap(([pool, { ips }]) => {
    const lost = lentTo(reviewed.object, ips).intersect(removed);
    if (lost.isEmpty) return [];
    const why = `it no longer has ${lost}, lent to SpiderIPPool "${pool}"; take them out of that ` +
      `pool first`;
    return [forbidden(IPS, undefined, { why })];
  });
}

/**
 * Lists what a new or grown pool takes from its subnet without being lent it. An automatic pool has
 * no more than its record says; another one has what the subnet has and no other pool is lent.
 */
export function subnetBoundFaults(
  { object, previous }: Reviewed<SpiderIpPool>,
  subnet: SpiderSubnet,
): readonly Fault[] {
  const [space, bound] = [spaceOf(object), spaceOf(subnet)];
  if (space === undefined || bound === undefined) return [];
  const grown = grownBy(space, previous);
  const called = `SpiderSubnet "${subnet.metadata.name}"`;
  const outside = grown.subtract(bound.addresses);
  if (!outside.isEmpty) {
    const why = `${called} does not have these addresses; add them there first`;
    return [forbidden(IPS, String(outside), { why })];
  }
  const loans = loansOf(subnet);
  const { name } = object.metadata;
  const beyond = grown.subtract(lentTo(subnet, loans[name]?.ips ?? []));
  // What is lent to one is lent to no other: so 1,000 pools are not each compared with all records.
  if (beyond.isEmpty) return [];
  const faults = Object.entries(loans).flatMap(([pool, { ips }]) => {
    const taken = grown.intersect(lentTo(subnet, ips));
    if (pool === name || taken.isEmpty) return [];
    const why = `${called} has lent these addresses to SpiderIPPool "${pool}"; leave them out`;
    return [forbidden(IPS, String(taken), { why })];
  });
  if (!isAutomaticPool(object)) return faults;
  const why = `${called} has not lent these addresses to this automatic pool; change the number ` +
    `of addresses at the application instead`;
  return [...faults, forbidden(IPS, String(beyond), { why })];
}

/** What a pool or a subnet no longer has after a change; `undefined` for nothing. */
export function removedAddresses(
  { object, previous }: Reviewed<SpaceObject>,
): AddressSet | undefined {
  const [space, before] = [spaceOf(object), previous && spaceOf(previous)];
  if (space === undefined || before === undefined) return undefined;
  const removed = before.addresses.subtract(space.addresses);
  return removed.isEmpty ? undefined : removed;
}

/** Pools that are lent addresses, and which; empty where the record cannot be read. */
export function loansOf(subnet: SpiderSubnet | undefined): LoanRecords {
  const read = readControlledIpPools(subnet?.status?.controlledIPPools);
  return read.ok ? read.value : {};
}

/** What a space has that it had not before. */
function grownBy(space: Space, previous: SpaceObject | undefined): AddressSet {
  const before = previous === undefined ? undefined : spaceOf(previous);
  return before === undefined ? space.addresses : space.addresses.subtract(before.addresses);
}

function lentTo(subnet: SpiderSubnet, ips: readonly string[]): AddressSet {
  const space = spaceOf(subnet);
  return space === undefined ? AddressSet.empty : AddressSet.parse(space.cidr, ips) ??
    AddressSet.empty;
}

/** Two networks are the same or share nothing: addresses of pods would have two prefix lengths. */
function networkFault(
  object: SpaceObject,
  { space, other, called }: {
    readonly space: Space;
    readonly other: Space;
    readonly called: string;
  },
): Fault | undefined {
  if (space.network === other.network || !networksOverlap(space.cidr, other.cidr)) return undefined;
  const why = `it overlaps "${other.network}" of ${called}; write the same network, or one that ` +
    `shares no address with it`;
  return forbidden(["spec", "subnet"], object.spec.subnet, { why });
}
