/**
 * Every name and address of a cluster, computed from its name, number, families and node count.
 * Pure: the same wish gives the same plan, so `down` needs nothing but the state file.
 */

/** Address families in which a cluster's networks exist. */
export type ClusterFamily = "ipv4" | "ipv6" | "dual";

/** What a person asks for. */
export interface ClusterWish {
  readonly name: string;
  /** 0 gives a control plane alone. */
  readonly nodeCount: number;
  readonly family: ClusterFamily;
}

/** One node's names and addresses. Lists hold one entry a family, IPv4 first. */
export interface NodePlan {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly addresses: readonly string[];
  readonly podCidrs: readonly string[];
  /** The data-centre switch's end of the node's two links, names of at most 15 bytes. */
  readonly fabricLink: string;
  readonly underlayLink: string;
}

/** A subnet of the underlay, with its router on the switch. */
export interface UnderlayPlan {
  readonly cidr: string;
  readonly gateway: string;
}

/** The whole cluster. */
export interface ClusterPlan extends ClusterWish {
  /** Number of the cluster on this machine, from 0; it picks the range of the node network. */
  readonly index: number;
  /** Link between the machine and the switch, so that kubectl works from outside. */
  readonly hostLink: string;
  readonly hostCidrs: readonly string[];
  /** The switch's own addresses on the node network, with prefix length. */
  readonly fabricCidrs: readonly string[];
  readonly fabricAddresses: readonly string[];
  readonly podCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  /** First address of each service range: the Service `kubernetes`. */
  readonly apiServiceAddresses: readonly string[];
  readonly underlays: readonly UnderlayPlan[];
  readonly nodes: readonly NodePlan[];
}

/** Clusters side by side on one machine. */
export const CLUSTERS_MAX = 64;
/** Nodes of one cluster: what a machine with a few cores can carry. */
export const NODES_MAX = 32;
/** Port of the API server on the switch's address. */
export const API_PORT = 6443;

/** Names a cluster may have: it becomes part of link, folder and node names. */
export const CLUSTER_NAME_PATTERN = /^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/;

/**
 * Lays a cluster out. The node network is in 198.18.0.0/15 (RFC 2544, benchmarks: no real network
 * uses it) and in a unique local range, since the machine's own routes meet it; everything else is
 * seen inside the cluster's namespaces only.
 */
export function planCluster(wish: ClusterWish, { index }: { readonly index: number }): ClusterPlan {
  const v4 = wish.family !== "ipv6";
  const v6 = wish.family !== "ipv4";
  function families(ipv4: string, ipv6: string): readonly string[] {
    return [...(v4 ? [ipv4] : []), ...(v6 ? [ipv6] : [])];
  }
  const net4 = `198.18.${index}`;
  const net6 = `fd98:18:${index.toString(16)}:`;
  const underlays = [6, 7].flatMap((number) => [
    ...(v4 ? [{ cidr: `10.${number}.0.0/16`, gateway: `10.${number}.0.1` }] : []),
    ...(v6 ? [{ cidr: `fd00:${number}::/64`, gateway: `fd00:${number}::1` }] : []),
  ]);
  return {
    ...wish,
    index,
    hostLink: `spc${index}`,
    hostCidrs: families(`${net4}.254/24`, `${net6}:fe/64`),
    fabricCidrs: families(`${net4}.1/24`, `${net6}:1/64`),
    fabricAddresses: families(`${net4}.1`, `${net6}:1`),
    podCidrs: families("10.244.0.0/16", "fd00:10:244::/48"),
    serviceCidrs: families("10.96.0.0/16", "fd00:10:96::/112"),
    apiServiceAddresses: families("10.96.0.1", "fd00:10:96::1"),
    underlays,
    nodes: Array.from({ length: wish.nodeCount }, (_, position) => {
      const number = position + 1;
      return {
        name: `${wish.name}-node${number}`,
        number,
        addresses: families(`${net4}.${10 + number}`, `${net6}:${(16 + number).toString(16)}`),
        podCidrs: families(`10.244.${number}.0/24`, `fd00:10:244:${number.toString(16)}::/64`),
        fabricLink: `n${number}`,
        underlayLink: `u${number}`,
      };
    }),
  };
}

/** The API server's address as nodes and the machine reach it: `https://…:6443`. */
export function apiServerUrl(plan: ClusterPlan): string {
  const address = plan.fabricAddresses[0] ?? "127.0.0.1";
  return `https://${address.includes(":") ? `[${address}]` : address}:${API_PORT}`;
}
