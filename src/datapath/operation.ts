/**
 * What is done to the kernel, as plain data: addresses are text, links are names, so that an
 * operation can be kept in a file on the node and be undone by another process.
 */

/** The network namespace that an operation is done in. */
export type Where = "pod" | "node";

/** The family of an address, route or rule. */
export type IpVersion = 4 | 6;

/** `RT_TABLE_MAIN`. */
export const TABLE_MAIN = 254;
/** `RTPROT_BOOT`: what `ip route add` gives a route, and the reference as well. */
export const PROTOCOL_BOOT = 3;
/** `RTPROT_RA`: learned from a router. */
export const PROTOCOL_RA = 9;
/**
 * `FRA_PROTOCOL` of the rules made here: so they are told from those of others. No program of the
 * list in iproute2's `rt_protos` has it.
 */
export const PROTOCOL_OWN = 83;
/** `RT_SCOPE_UNIVERSE`: reached through a gateway. */
export const SCOPE_UNIVERSE = 0;
/** `RT_SCOPE_LINK`: a neighbour. */
export const SCOPE_LINK = 253;
/** `RTN_UNICAST`. */
export const TYPE_UNICAST = 1;
/** What the kernel makes of an IPv6 route without a metric. */
export const IPV6_METRIC_DEFAULT = 1024;

/** One way of a route that has several. */
export interface NexthopSpec {
  readonly device: string;
  /** Of either family. */
  readonly gateway?: string | undefined;
  /** 1 to 256. */
  readonly weight: number;
  readonly isOnlink?: true | undefined;
}

/**
 * A route with all that it carries. An IPv6 route has one way: the kernel shows those of one metric
 * together, but keeps, adds and removes them one by one.
 */
export interface RouteSpec {
  readonly version: IpVersion;
  /** `10.6.0.0/24`; the default routes are `0.0.0.0/0` and `::/0`. */
  readonly destination: string;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  /** `RTA_PRIORITY`: 0 is none for IPv4; IPv6 always has one. */
  readonly metric: number;
  readonly tos?: number | undefined;
  /** Absent for several nexthops, and for routes that lead nowhere. */
  readonly device?: string | undefined;
  /** Of either family. */
  readonly gateway?: string | undefined;
  readonly source?: string | undefined;
  /** IPv6: the route is only for packets from this network. */
  readonly from?: string | undefined;
  readonly isOnlink?: true | undefined;
  /** By number: `RTAX_MTU` is 2. */
  readonly metrics?: Readonly<Record<string, number>> | undefined;
  /** The TCP congestion control, such as `bbr`. */
  readonly congestion?: string | undefined;
  readonly realms?: number | undefined;
  /** Number of a nexthop object that says where packets go. */
  readonly nexthopId?: number | undefined;
  /** `RTA_PREF` of IPv6; absent for medium. */
  readonly preference?: number | undefined;
  /** IPv4 only: at least two. */
  readonly nexthops?: readonly NexthopSpec[] | undefined;
}

/** A rule of policy routing that looks up a table. */
export interface RuleSpec {
  readonly version: IpVersion;
  readonly priority: number;
  readonly table: number;
  /** `10.6.0.6/32`; absent: all. */
  readonly from?: string | undefined;
  readonly mark?: number | undefined;
  /** `FRA_PROTOCOL`, absent for 0. */
  readonly protocol?: number | undefined;
}

/** A permanent neighbour. */
export interface NeighborSpec {
  readonly version: IpVersion;
  readonly device: string;
  readonly address: string;
  /** `0a:1b:0a:06:00:07`. */
  readonly mac: string;
}

/** One change of the kernel. Each that adds succeeds where its object is there already. */
export type KernelOperation =
  /** `ip link add POD mtu M address A type veth peer name NODE mtu M address B netns NODE` */
  | {
    readonly kind: "veth_add";
    readonly podName: string;
    readonly nodeName: string;
    readonly mtu: number;
    readonly podMac: string;
    readonly nodeMac: string;
  }
  /** `ip link del NAME` */
  | { readonly kind: "link_remove"; readonly where: Where; readonly name: string }
  /** `ip link set NAME up|down` */
  | {
    readonly kind: "link_state";
    readonly where: Where;
    readonly name: string;
    readonly isUp: boolean;
  }
  /** `ip link set NAME address MAC` */
  | {
    readonly kind: "link_mac";
    readonly where: Where;
    readonly name: string;
    readonly mac: string;
  }
  /** `ip link set NAME txqueuelen LENGTH` */
  | {
    readonly kind: "link_queue";
    readonly where: Where;
    readonly name: string;
    readonly length: number;
  }
  /** `ip addr add|del ADDRESS dev DEVICE`; the address has its prefix length. */
  | {
    readonly kind: "address_add" | "address_remove";
    readonly where: Where;
    readonly device: string;
    readonly address: string;
  }
  /** `ip neigh replace ADDRESS lladdr MAC dev DEVICE nud permanent`, `ip neigh del` */
  | {
    readonly kind: "neighbor_set" | "neighbor_remove";
    readonly where: Where;
    readonly neighbor: NeighborSpec;
  }
  /** `ip route append`, `ip route del`; an identical route is no second one. */
  | {
    readonly kind: "route_add" | "route_remove";
    readonly where: Where;
    readonly route: RouteSpec;
  }
  /** `ip rule add|del ... pref PRIORITY` */
  | { readonly kind: "rule_add" | "rule_remove"; readonly where: Where; readonly rule: RuleSpec }
  /** `sysctl -w`; the path has slashes, for a link's name may have dots. */
  | {
    readonly kind: "sysctl_set";
    readonly where: Where;
    readonly path: string;
    readonly value: string;
  }
  /** The pod's nf_tables tables: what comes in by DEVICE is marked, and so are the replies. */
  | { readonly kind: "marks_set"; readonly device: string; readonly mark: number }
  /** `nft delete table ip spiderpool; nft delete table ip6 spiderpool` */
  | { readonly kind: "marks_remove" };

/** An operation and what takes it back. */
export interface Step {
  readonly operation: KernelOperation;
  /** Absent where nothing is to be restored: what was removed was the rest of a dead pod. */
  readonly undo?: KernelOperation | undefined;
}

/** The destination of the default route. */
export function defaultDestination(version: IpVersion): string {
  return version === 4 ? "0.0.0.0/0" : "::/0";
}

/** Whether a route is a default route. */
export function isDefaultRoute({ version, destination }: RouteSpec): boolean {
  return destination === defaultDestination(version);
}
