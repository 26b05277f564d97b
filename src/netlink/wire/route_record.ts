/** What a route is, apart from how it is written: `wire/route.ts` has the bytes. */
import { assert } from "../../base/assert.ts";
import { type Address, formatAddress, versionOf } from "../../ip/address.ts";
import { type AnyCidr, formatCidr } from "../../ip/cidr.ts";

/** Numbers of the tables that every kernel has. */
export const ROUTE_TABLE = { default: 253, main: 254, local: 255 } as const;
/** How far away a destination is; `nowhere` in a removal means any. */
export const ROUTE_SCOPE = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;
/** Who made a route: `boot` is whoever does not say, `ra` a router's advertisement. */
export const ROUTE_PROTOCOL = { kernel: 2, boot: 3, static: 4, ra: 9, dhcp: 16 } as const;
/** What a route does with a packet. */
export const ROUTE_TYPE = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const;

/** Numbers of the metrics of a route. The congestion control, which is a text, is apart. */
export const ROUTE_METRIC = {
  lock: 1,
  mtu: 2,
  window: 3,
  rtt: 4,
  rttvar: 5,
  ssthresh: 6,
  cwnd: 7,
  advmss: 8,
  reordering: 9,
  hoplimit: 10,
  initcwnd: 11,
  features: 12,
  rtoMin: 13,
  initrwnd: 14,
  quickack: 15,
  fastopenNoCookie: 17,
} as const;

/** Metrics by their number (`ROUTE_METRIC`); one that is not there is the kernel's default. */
export type RouteMetrics = Readonly<Record<number, number>>;

/** Tunnel headers that a route puts around a packet, as the kernel wrote them. */
export interface Encapsulation {
  /** LWTUNNEL_ENCAP number: 1 MPLS, 5 SEG6, ... */
  readonly type: number;
  /** Attributes of that type, unread. */
  readonly attributes: Uint8Array;
}

/** Where packets go next. */
export interface RouteHop {
  /** Of the link they leave by. */
  readonly linkIndex: number | undefined;
  /** The router; one of the other family is an IPv4 destination behind an IPv6 router. */
  readonly gateway: Address | undefined;
  /** The router is taken to be on the link, although no route says so. */
  readonly isOnlink: boolean;
  /** The link is down, or has lost its carrier. Read only. */
  readonly isDead: boolean;
  /** Destination realm in the lower 16 bits, source realm in the upper ones. */
  readonly realms: number | undefined;
  readonly encapsulation: Encapsulation | undefined;
}

/** One way of a route that has several. */
export interface RouteNexthop extends RouteHop {
  /** Share of the packets: 1 to 256. */
  readonly weight: number;
}

/**
 * A route with everything the kernel says of it that it also takes: a record that was read makes
 * the same route again, in whichever table.
 */
export interface RouteRecord extends RouteHop {
  readonly family: 4 | 6;
  /** Nothing is the default route. */
  readonly destination: AnyCidr | undefined;
  /** The route is only for packets from here (IPv6). */
  readonly source: AnyCidr | undefined;
  readonly table: number;
  /** `ROUTE_PROTOCOL`. */
  readonly protocol: number;
  /** `ROUTE_SCOPE`; always universe for IPv6. */
  readonly scope: number;
  /** `ROUTE_TYPE`. */
  readonly type: number;
  readonly tos: number;
  /** Metric: lower wins. 0 is none for IPv4; IPv6 has 1024 where none was given. */
  readonly priority: number;
  /** Source address that the node's own packets get. */
  readonly prefSource: Address | undefined;
  readonly metrics: RouteMetrics;
  /** Name of the TCP congestion control, such as `bbr`. */
  readonly congestionControl: string | undefined;
  /** Preference of an IPv6 router: 0 medium, 1 high, 3 low. */
  readonly pref: number | undefined;
  /** Seconds until an IPv6 route goes, rounded up. */
  readonly expiresSeconds: number | undefined;
  /** Ways of a multipath route; such a route has no link and no gateway of its own. */
  readonly nexthops: readonly RouteNexthop[];
  /** Number of a nexthop object: it, not this record, then says where packets go. */
  readonly nexthopId: number | undefined;
  /** A cached answer, not a route that somebody made. Read only. */
  readonly isCloned: boolean;
}

/** A route to make: what is not said is as `routeOf` says. */
export type RouteSpec =
  & Pick<RouteRecord, "family">
  & Partial<Omit<RouteRecord, "nexthops">>
  & { readonly nexthops?: readonly NexthopSpec[] };

/** One way of a multipath route to make. */
export type NexthopSpec = Partial<RouteNexthop>;

const NO_HOP: RouteHop = {
  linkIndex: undefined,
  gateway: undefined,
  isOnlink: false,
  isDead: false,
  realms: undefined,
  encapsulation: undefined,
};
/** Scopes of the types of route that do not lead away. */
const SCOPE_OF_TYPE: Readonly<Record<number, number>> = {
  [ROUTE_TYPE.local]: ROUTE_SCOPE.host,
  [ROUTE_TYPE.broadcast]: ROUTE_SCOPE.link,
  [ROUTE_TYPE.anycast]: ROUTE_SCOPE.link,
  [ROUTE_TYPE.multicast]: ROUTE_SCOPE.link,
};

/**
 * Completes a route as `ip route add` does: protocol boot, type unicast, and the main table unless
 * the type belongs to the local one. The scope is link where an IPv4 route has neither a router nor
 * several ways, and universe otherwise.
 */
export function routeOf(spec: RouteSpec): RouteRecord {
  const nexthops = (spec.nexthops ?? []).map(nexthopOf);
  const { destination } = spec;
  return {
    source: undefined,
    table: isLocal(spec.type) ? ROUTE_TABLE.local : ROUTE_TABLE.main,
    protocol: ROUTE_PROTOCOL.boot,
    scope: scopeOf(spec),
    type: ROUTE_TYPE.unicast,
    tos: 0,
    priority: 0,
    prefSource: undefined,
    metrics: {},
    congestionControl: undefined,
    pref: undefined,
    expiresSeconds: undefined,
    nexthopId: undefined,
    isCloned: false,
    ...NO_HOP,
    ...spec,
    destination: destination?.prefixLength === 0 ? undefined : destination,
    nexthops,
  };
}

/** Completes one way of a multipath route: of weight 1. */
export function nexthopOf(spec: NexthopSpec): RouteNexthop {
  return { ...NO_HOP, weight: 1, ...spec };
}

function isLocal(type: number | undefined): boolean {
  const { local, broadcast, anycast } = ROUTE_TYPE;
  return type === local || type === broadcast || type === anycast;
}

function scopeOf({ family, type, gateway, nexthops = [], nexthopId }: RouteSpec): number {
  if (family === 6) return ROUTE_SCOPE.universe;
  const scope = SCOPE_OF_TYPE[type ?? ROUTE_TYPE.unicast];
  if (scope !== undefined) return scope;
  if (type !== undefined && type !== ROUTE_TYPE.unicast) return ROUTE_SCOPE.universe;
  const leadsAway = gateway !== undefined || nexthops.length > 0 || nexthopId !== undefined;
  return leadsAway ? ROUTE_SCOPE.universe : ROUTE_SCOPE.link;
}

/**
 * Names a route in a message, as `ip route` prints it, links by number: `10.0.0.0/8 via 10.6.0.1
 * dev #3 table 500`.
 */
export function describeRoute(spec: RouteSpec): string {
  const route = routeOf(spec);
  const type = Object.entries(ROUTE_TYPE).find(([, number]) => number === route.type)?.[0];
  const ways = [
    ...describeHop(route),
    ...route.nexthops.flatMap((hop) => ["nexthop", ...describeHop(hop), `weight ${hop.weight}`]),
  ];
  return [
    ...(type === "unicast" ? [] : [type ?? `type ${route.type}`]),
    route.destination === undefined ? "default" : formatCidr(route.destination),
    ...(route.source === undefined ? [] : [`from ${formatCidr(route.source)}`]),
    ...(route.tos === 0 ? [] : [`tos ${route.tos}`]),
    ...(route.nexthopId === undefined ? [] : [`nhid ${route.nexthopId}`]),
    ...ways,
    ...(route.table === ROUTE_TABLE.main ? [] : [`table ${route.table}`]),
    ...(route.prefSource === undefined ? [] : [`src ${formatAddress(route.prefSource)}`]),
    ...(route.priority === 0 ? [] : [`metric ${route.priority}`]),
  ].join(" ");
}

function describeHop({ gateway, linkIndex, isOnlink }: RouteHop): readonly string[] {
  return [
    ...(gateway === undefined ? [] : [`via ${formatAddress(gateway)}`]),
    ...(linkIndex === undefined ? [] : [`dev #${linkIndex}`]),
    ...(isOnlink ? ["onlink"] : []),
  ];
}

/** Asserts what a route to write must hold, whoever made it. */
export function assertRoute(route: RouteRecord): void {
  const { family, destination, source, prefSource, nexthops } = route;
  for (const cidr of [destination, source]) {
    assert(cidr === undefined || cidr.version === family, "a route's networks are of its family");
  }
  const isOwn = prefSource === undefined || versionOf(prefSource) === family;
  assert(isOwn, "a route's source address is of its family");
  for (const { weight } of nexthops) {
    assert(Number.isInteger(weight) && weight >= 1 && weight <= 256, "a weight is 1 to 256");
  }
}
