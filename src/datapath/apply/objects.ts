/** What the kernel lists, in the words of plans. */
import { formatAddress } from "../../ip/address.ts";
import { formatCidr } from "../../ip/cidr.ts";
import type { LinkRecord } from "../../netlink/wire/link.ts";
import { IFF } from "../../netlink/wire/link.ts";
import type { AddressRecord } from "../../netlink/wire/address.ts";
import { NEIGHBOR_STATE, type NeighborRecord } from "../../netlink/wire/neighbor.ts";
import type { RouteHop, RouteRecord } from "../../netlink/wire/route_record.ts";
import { RULE_ACTION, type RuleRecord } from "../../netlink/wire/rule.ts";
import type { AddressFact, LinkFact, NeighborFact, RuleFact } from "../facts.ts";
import { defaultDestination, type RouteSpec } from "../operation.ts";

/** Names of links by index. */
export type LinkNames = ReadonlyMap<number, string>;

const TABLE_LOCAL = 255;
const MARK_MASK_ALL = 0xffff_ffff;

/** A link as a plan knows it. */
export function linkFact(link: LinkRecord): LinkFact {
  const { flags } = link;
  return {
    index: link.index,
    name: link.name,
    isUp: link.isUp,
    isLoopback: (flags & IFF.LOOPBACK) !== 0,
    isBroadcast: (flags & IFF.BROADCAST) !== 0 && (flags & IFF.MULTICAST) !== 0,
    mtu: link.mtu,
    txQueueLength: link.txQueueLength,
    ...(link.address !== undefined && { mac: link.address }),
    ...(link.kind !== undefined && { kind: link.kind }),
    ...(link.parentIndex !== undefined && { parentIndex: link.parentIndex }),
  };
}

/** An address as a plan knows it. */
export function addressFact(
  { linkIndex, family, address, prefixLength }: AddressRecord,
  { names }: { readonly names: LinkNames },
): AddressFact {
  const device = nameOf(linkIndex, names);
  return { device, version: family, address: formatAddress(address), prefixLength };
}

/**
 * A route as a plan knows it: of IPv6 one for each way. Routes of the local table, and those into a
 * tunnel header, are none: no plan touches them.
 */
export function routeSpecs(
  route: RouteRecord,
  { names }: { readonly names: LinkNames },
): readonly RouteSpec[] {
  const { family: version, nexthops } = route;
  const hops = [route, ...nexthops];
  if (route.table === TABLE_LOCAL || hops.some((hop) => hop.encapsulation !== undefined)) return [];
  const base = {
    version,
    destination: route.destination === undefined
      ? defaultDestination(version)
      : formatCidr(route.destination),
    table: route.table,
    protocol: route.protocol,
    scope: route.scope,
    type: route.type,
    metric: route.priority,
    ...(route.tos !== 0 && { tos: route.tos }),
    ...(route.prefSource !== undefined && { source: formatAddress(route.prefSource) }),
    ...(route.source !== undefined && { from: formatCidr(route.source) }),
    ...(Object.keys(route.metrics).length > 0 && { metrics: route.metrics }),
    ...(route.congestionControl !== undefined && { congestion: route.congestionControl }),
    ...(route.realms !== undefined && { realms: route.realms }),
    ...(route.nexthopId !== undefined && { nexthopId: route.nexthopId }),
    ...(route.pref !== undefined && route.pref !== 0 && { preference: route.pref }),
  };
  const way = (hop: RouteHop) => ({
    ...(hop.linkIndex !== undefined && { device: nameOf(hop.linkIndex, names) }),
    ...(hop.gateway !== undefined && { gateway: formatAddress(hop.gateway) }),
    ...(hop.isOnlink && { isOnlink: true as const }),
  });
  if (nexthops.length === 0) return [{ ...base, ...way(route) }];
  if (version === 6) return nexthops.map((hop) => ({ ...base, ...way(hop) }));
  const ways = nexthops.map((hop) => ({ device: "", ...way(hop), weight: hop.weight }));
  return [{ ...base, nexthops: ways }];
}

/** A rule as a plan knows it. */
export function ruleFact(rule: RuleRecord): RuleFact {
  const { fwMark, fwMask } = rule;
  const conditions = [
    rule.to,
    rule.inputName,
    rule.outputName,
    rule.suppressPrefixLength,
    rule.suppressGroup,
    rule.goto,
    rule.realms,
    rule.tunnelId,
    rule.users,
    rule.ipProtocol,
    rule.sourcePorts,
    rule.destinationPorts,
  ];
  const isOther = rule.action !== RULE_ACTION.table || rule.isInverted || rule.isL3mdev ||
    rule.tos !== 0 || conditions.some((condition) => condition !== undefined) ||
    (fwMark !== undefined && (fwMask ?? MARK_MASK_ALL) !== MARK_MASK_ALL);
  return {
    version: rule.family,
    priority: rule.priority,
    table: rule.table,
    ...(rule.from !== undefined && { from: formatCidr(rule.from) }),
    ...(fwMark !== undefined && { mark: fwMark }),
    ...(rule.protocol !== 0 && { protocol: rule.protocol }),
    ...(isOther && { isOther: true as const }),
  };
}

/** A neighbour as a plan knows it; none without a hardware address. */
export function neighborFacts(
  { family, linkIndex, address, macAddress: mac, state, isProxy }: NeighborRecord,
  { names }: { readonly names: LinkNames },
): readonly NeighborFact[] {
  if (mac === undefined || isProxy) return [];
  const isPermanent = (state & NEIGHBOR_STATE.permanent) !== 0;
  const device = nameOf(linkIndex, names);
  return [{ version: family, device, address: formatAddress(address), mac, isPermanent }];
}

/** A link without a name here is one that no plan names. */
function nameOf(index: number, names: LinkNames): string {
  return names.get(index) ?? `#${index}`;
}
