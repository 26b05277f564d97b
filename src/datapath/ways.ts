import { hostCidr, isUsable, nodeAddresses, usableAddresses } from "./addresses.ts";
import type { Draft } from "./draft.ts";
import type { CoordinatorFacts, CoordinatorWish } from "./facts.ts";
import { routeText } from "./likeness.ts";
import {
  defaultDestination,
  IPV6_METRIC_DEFAULT,
  type IpVersion,
  PROTOCOL_BOOT,
  type RouteSpec,
  SCOPE_LINK,
  SCOPE_UNIVERSE,
  TABLE_MAIN,
  TYPE_UNICAST,
} from "./operation.ts";
import type { Place } from "./place.ts";
import type { CoordinatorRecord } from "./record.ts";
import { REPLY_MARK, RULE_PRIORITY, type Tables } from "./tables.ts";
import type { WishValues } from "./wish_values.ts";

/** What the ways between pod and node are planned from. */
export interface WayWorld {
  readonly wish: CoordinatorWish;
  readonly facts: CoordinatorFacts;
  readonly place: Place;
  readonly tables: Tables;
  readonly values: WishValues;
  readonly record: CoordinatorRecord | undefined;
}

/** The ways between pod and node. */
export interface Ways extends WayWorld {
  /** Addresses of the node. */
  readonly hosts: readonly { readonly version: IpVersion; readonly address: string }[];
  /** The node's address that hijacked packets go to. */
  readonly gateways: ReadonlyMap<IpVersion, string>;
  /** Source of IPv4 packets to the node; IPv6 leaves it to the kernel. */
  readonly source: string | undefined;
  /** Whether a route was made by an earlier ADD, for another gateway than now: it is replaced. */
  readonly isOwn: (route: RouteSpec) => boolean;
}

/** Finds out which addresses the node has for the pod, and by which one it forwards. */
export function findWays(draft: Draft, world: WayWorld): Ways {
  const { wish, facts, place, record } = world;
  const { versions } = place;
  const hosts = nodeAddresses(facts, { hostRuleTable: wish.hostRuleTable, versions });
  const gateways = new Map<IpVersion, string>();
  for (const version of versions) {
    const gateway = keptGateway(world, { version }) ??
      hosts.find((host) => host.version === version)?.address;
    if (gateway !== undefined) gateways.set(version, gateway);
    else draft.remark(`The node has no IPv${version} address: its pods reach nothing through it`);
  }
  const [first] = usableAddresses(facts.pod.addresses, { device: wish.firstNic, version: 4 });
  const earlier = new Set<string>();
  for (const { operation } of record?.steps ?? []) {
    if (operation.kind === "route_add") earlier.add(routeText(operation.route));
  }
  return {
    ...world,
    hosts,
    gateways,
    source: first?.address,
    isOwn: (route) =>
      (place.mode === "underlay" && route.device === place.podLink) ||
      earlier.has(routeText(route)),
  };
}

/** A gateway that the pod uses already stays the gateway, as long as the node has the address. */
function keptGateway(
  { facts: { pod, node }, place, tables, values }: WayWorld,
  { version }: { readonly version: IpVersion },
): string | undefined {
  const own = new Set(node.addresses.map(({ address }) => address));
  const wished = new Set(values.hijacks.map(({ destination }) => destination));
  const isUnderlay = place.mode === "underlay";
  return pod.routes.find(({ gateway = "", ...route }) =>
    route.version === version && route.device === place.podLink &&
    own.has(gateway) && isUsable(gateway) &&
    (wished.has(route.destination) ||
      (isUnderlay && route.table === tables.reply &&
        route.destination === defaultDestination(version)))
  )?.gateway;
}

/** Plans the node's side: how it reaches the NIC, over its end of the pair. */
export function planNode(draft: Draft, { wish, place }: Ways): void {
  const { nodeLink: device } = place;
  const mac = draft.link("pod", place.podLink)?.mac;
  for (const { version, address } of place.addresses) {
    if (mac !== undefined) draft.setNeighbor("node", { version, device, address, mac });
  }
  for (const version of place.versions) {
    const rule = { version, priority: RULE_PRIORITY, table: wish.hostRuleTable };
    draft.addRule("node", rule, { isOwn: false });
  }
  for (const { version, address } of place.addresses) {
    const route = neighborRoute(version, { address, device, table: wish.hostRuleTable });
    draft.addRoute("node", route, { replaces: anyRoute, isOwn: true });
  }
}

/** The address was another pod's, which is dead: what is left of that one leads nowhere. */
function anyRoute(): boolean {
  return true;
}

/** Plans the pod's side: how it reaches the node, and what the node forwards. */
export function planRoutes(draft: Draft, ways: Ways): void {
  const { place, tables, values } = ways;
  const { podLink: device } = place;
  const mac = draft.link("node", place.nodeLink)?.mac;
  for (const { version, address } of place.isFirst ? ways.hosts : []) {
    if (mac !== undefined) draft.setNeighbor("pod", { version, device, address, mac });
  }
  const hostTables = place.isFirst ? [tables.nic, TABLE_MAIN] : [tables.nic];
  for (const { version, address } of ways.hosts) {
    for (const table of hostTables) {
      const route = neighborRoute(version, { address, device, table });
      draft.addRoute("pod", sourced(route, ways), { replaces: ways.isOwn });
    }
  }
  // An overlay NIC answers by its own table from the first one on, also to what the node forwards.
  const own = place.isFirst && place.mode === "underlay" ? [] : [tables.nic];
  for (const { version, destination } of values.hijacks) {
    const gateway = ways.gateways.get(version);
    if (gateway === undefined) continue;
    for (const table of place.isFirst ? [TABLE_MAIN, ...own] : own) {
      const route = gatewayRoute(version, { destination, gateway, device, table });
      draft.addRoute("pod", sourced(route, ways), { replaces: ways.isOwn });
    }
  }
}

/** Plans that replies to what came in from the node leave the same way. */
export function planReplies(draft: Draft, ways: Ways): void {
  const { place: { podLink: device }, tables: { reply: table }, gateways } = ways;
  if (gateways.size === 0) return;
  draft.setMarks({ device, mark: REPLY_MARK });
  for (const [version, gateway] of gateways) {
    const rule = { version, priority: RULE_PRIORITY, table, mark: REPLY_MARK };
    draft.addRule("pod", rule, { isOwn: true });
    const destination = defaultDestination(version);
    const route = gatewayRoute(version, { destination, gateway, device, table });
    draft.addRoute("pod", sourced(route, ways), { replaces: ways.isOwn });
  }
}

/** Plans the routes of the configuration over the NIC itself. */
export function planPolicies(draft: Draft, ways: Ways): void {
  const { place, tables, values } = ways;
  const table = place.mode === "underlay" && place.isFirst ? TABLE_MAIN : tables.nic;
  for (const { version, destination, gateway } of values.policies) {
    if (!place.versions.includes(version)) continue;
    const route = gatewayRoute(version, {
      destination,
      gateway,
      device: place.nic.name,
      table,
    });
    // A copy of another NIC's route is no rest of this one's.
    const replaces = (other: RouteSpec) => other.device === route.device && ways.isOwn(other);
    draft.addRoute("pod", route, { replaces });
  }
}

function sourced(route: RouteSpec, { source }: Ways): RouteSpec {
  return route.version === 6 || source === undefined ? route : { ...route, source };
}

function base(version: IpVersion, { isNeighbor }: { readonly isNeighbor: boolean }) {
  return {
    version,
    protocol: PROTOCOL_BOOT,
    // The kernel shows no scope of IPv6 routes.
    scope: isNeighbor && version === 4 ? SCOPE_LINK : SCOPE_UNIVERSE,
    type: TYPE_UNICAST,
    metric: version === 4 ? 0 : IPV6_METRIC_DEFAULT,
  } as const;
}

function neighborRoute(
  version: IpVersion,
  { address, device, table }: {
    readonly address: string;
    readonly device: string;
    readonly table: number;
  },
): RouteSpec {
  const destination = hostCidr(address);
  return { ...base(version, { isNeighbor: true }), destination, device, table };
}

function gatewayRoute(
  version: IpVersion,
  way: {
    readonly destination: string;
    readonly gateway: string;
    readonly device: string;
    readonly table: number;
  },
): RouteSpec {
  return { ...base(version, { isNeighbor: false }), ...way };
}
