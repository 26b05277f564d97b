/** What is known of pod and node when a plan is made, and what is wished for. */
import type { IpVersion, NeighborSpec, RouteSpec, RuleSpec } from "./operation.ts";

/** A link of a namespace. */
export interface LinkFact {
  readonly index: number;
  readonly name: string;
  readonly isUp: boolean;
  readonly isLoopback: boolean;
  /** Whether it has both `IFF_BROADCAST` and `IFF_MULTICAST`. */
  readonly isBroadcast: boolean;
  readonly mtu: number;
  readonly txQueueLength: number;
  readonly mac?: string;
  /** `veth`, `macvlan`, ...; absent for hardware. */
  readonly kind?: string;
  /** `IFLA_LINK`: index of its peer or parent, in that one's namespace. */
  readonly parentIndex?: number;
}

/** An address of a link. */
export interface AddressFact {
  readonly device: string;
  readonly version: IpVersion;
  /** Without prefix length, canonical. */
  readonly address: string;
  readonly prefixLength: number;
}

/** A rule; one with conditions that `RuleSpec` lacks is `isOther`, and is like none of ours. */
export interface RuleFact extends RuleSpec {
  readonly isOther?: true;
}

/** A neighbour with a hardware address. */
export interface NeighborFact extends NeighborSpec {
  readonly isPermanent: boolean;
}

/** The pod's nf_tables table: as it should be, not there, something else, or impossible. */
export type MarksFact = "set" | "absent" | "other" | "no_nf_tables";

/** Values of sysctls by path, such as `net/ipv4/conf/all/rp_filter`; what is absent has no file. */
export type Sysctls = Readonly<Record<string, string>>;

/** The pod's namespace. */
export interface PodFacts {
  /** By index. */
  readonly links: readonly LinkFact[];
  /** By link, then as the kernel lists them. */
  readonly addresses: readonly AddressFact[];
  /** Of all tables. */
  readonly routes: readonly RouteSpec[];
  readonly rules: readonly RuleFact[];
  readonly neighbors: readonly NeighborFact[];
  readonly sysctls: Sysctls;
  readonly hasIpv6: boolean;
  readonly marks: MarksFact;
}

/** What the node answers to `ip route get` for an address of the pod. */
export interface NodeSource {
  /** Address of the pod. */
  readonly address: string;
  /** Table that has the route. */
  readonly table: number;
  /** Address of the node that it would send from. */
  readonly source: string;
}

/** The node's namespace. */
export interface NodeFacts {
  /** By index; for a DEL only those that matter. */
  readonly links: readonly LinkFact[];
  /** By link, then as the kernel lists them; none for a DEL. */
  readonly addresses: readonly AddressFact[];
  /** Of `hostRuleTable` only. */
  readonly routes: readonly RouteSpec[];
  readonly rules: readonly RuleFact[];
  /** Of the link that leads to the pod only. */
  readonly neighbors: readonly NeighborFact[];
  readonly sysctls: Sysctls;
  /** In the order of the pod's addresses; addresses that the node cannot reach have none. */
  readonly sources: readonly NodeSource[];
}

/** What is known for an ADD. */
export interface CoordinatorFacts {
  readonly pod: PodFacts;
  readonly node: NodeFacts;
}

/** What is known for a DEL. */
export interface RemovalFacts {
  /** `undefined` if the namespace is gone. */
  readonly pod: PodFacts | undefined;
  readonly node: NodeFacts;
}

/** A route for the table of the NIC. */
export interface PolicyRoute {
  /** A network or an address. */
  readonly destination: string;
  readonly gateway: string;
}

/** What an ADD is asked for: configuration, annotation and agent merged, every value checked. */
export interface CoordinatorWish {
  readonly containerId: string;
  /** `CNI_IFNAME`. */
  readonly ifName: string;
  /** `podDefaultCniNic`: the NIC of the cluster's default network. */
  readonly firstNic: string;
  /** `disabled` never comes here. */
  readonly mode: "auto" | "underlay" | "overlay";
  /** Networks reached through the node: overlay pods, then services, then further ones. */
  readonly hijackCidrs: readonly string[];
  readonly policyRoutes: readonly PolicyRoute[];
  readonly tunePodRoutes: boolean;
  /** `podDefaultRouteNic`. */
  readonly defaultRouteNic?: string;
  /**
   * NICs that the pod will get: a default-route NIC among them is waited for, not refused. Absent:
   * not known.
   */
  readonly laterNics?: readonly string[] | undefined;
  readonly hostRuleTable: number;
  /** 0, 1 or 2; absent: left alone. */
  readonly podRpFilter?: number;
  /** Absent: left alone. */
  readonly txQueueLength?: number;
  readonly vethMtu: number;
  /** IPv4, without prefix length. */
  readonly vethLinkAddress?: string;
  /** `0a:1b`. */
  readonly podMacPrefix?: string;
  /** Addresses that `prevResult` says the NIC has, with or without prefix length. */
  readonly addresses: readonly string[];
}
