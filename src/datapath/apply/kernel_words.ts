/** What plans say, in the words of the kernel. */
import { expectOk } from "../../base/result.ts";
import { type Address, parseAddress } from "../../ip/address.ts";
import { type AnyCidr, parseAnyCidr } from "../../ip/cidr.ts";
import { type MacAddress, parseMac } from "../../netlink/wire/mac.ts";
import type { NeighborSpec as KernelNeighbor } from "../../netlink/wire/neighbor.ts";
import type { RouteSpec as KernelRoute } from "../../netlink/wire/route_record.ts";
import type { RuleSpec as KernelRule } from "../../netlink/wire/rule.ts";
import { isDefaultRoute, type NeighborSpec, type RouteSpec, type RuleSpec } from "../operation.ts";

/** Gives the index of a link; nothing if it is not there. */
export type IndexOf = (name: string) => number | undefined;

/** A hardware address of an operation. */
export function macOf(text: string): MacAddress {
  return expectOk(parseMac(text), "operations have whole hardware addresses");
}

/** An address of an operation. */
export function addressOf(text: string): Address {
  return expectOk(parseAddress(text), "operations have canonical addresses");
}

function cidrOf(text: string): AnyCidr {
  return expectOk(parseAnyCidr(text), "operations have canonical networks");
}

/** A route as the kernel takes it; nothing if a link of it is not there. */
export function kernelRoute(route: RouteSpec, indexOf: IndexOf): KernelRoute | undefined {
  const hop = kernelHop(route, indexOf);
  const nexthops = (route.nexthops ?? []).map((one) => {
    const way = kernelHop(one, indexOf);
    return way === undefined ? undefined : { ...way, weight: one.weight };
  });
  const present = nexthops.filter((one) => one !== undefined);
  if (hop === undefined || present.length < nexthops.length) return undefined;
  return {
    family: route.version,
    destination: isDefaultRoute(route) ? undefined : cidrOf(route.destination),
    table: route.table,
    protocol: route.protocol,
    scope: route.scope,
    type: route.type,
    priority: route.metric,
    tos: route.tos ?? 0,
    prefSource: route.source === undefined ? undefined : addressOf(route.source),
    source: route.from === undefined ? undefined : cidrOf(route.from),
    metrics: route.metrics ?? {},
    congestionControl: route.congestion,
    realms: route.realms,
    nexthopId: route.nexthopId,
    pref: route.preference,
    nexthops: present,
    ...hop,
  };
}

function kernelHop(
  { device, gateway, isOnlink }: Pick<RouteSpec, "device" | "gateway" | "isOnlink">,
  indexOf: IndexOf,
) {
  const linkIndex = device === undefined ? undefined : indexOf(device);
  if (device !== undefined && linkIndex === undefined) return undefined;
  return {
    linkIndex,
    gateway: gateway === undefined ? undefined : addressOf(gateway),
    isOnlink: isOnlink === true,
  };
}

/** A rule as the kernel takes it. */
export function kernelRule(
  { version, priority, table, from, mark, protocol }: RuleSpec,
): KernelRule {
  return {
    family: version,
    priority,
    table,
    from: from === undefined ? undefined : cidrOf(from),
    fwMark: mark,
    protocol: protocol ?? 0,
  };
}

/** A permanent neighbour as the kernel takes it. */
export function kernelNeighbor(
  { address, mac }: NeighborSpec,
  { linkIndex }: { readonly linkIndex: number },
): KernelNeighbor {
  return { linkIndex, address: addressOf(address), macAddress: macOf(mac) };
}
