/**
 * A scenario's own corner of the cluster: a namespace, pools that carry its name, and addresses
 * that no other scenario has. Everything is written once and made for each family of the cluster.
 */
import { TOOLS_IMAGE } from "../../../scripts/cluster/image.ts";
import type { Installation } from "./installation.ts";

/** Where one scenario is played. */
export interface Corner {
  readonly site: Installation;
  /** Its namespace; names of its pools begin with it. */
  readonly name: string;
  /** Picks its addresses: 10.6.BLOCK.x and fd00:6::BLOCK:x. */
  readonly block: number;
}

/** One promise of the product, and how it is kept. */
export interface Scenario {
  /** Namespace of the scenario. */
  readonly name: string;
  readonly promise: string;
  /** What a person applies. */
  readonly objects: (corner: Corner) => readonly unknown[];
  /** Waits for what was applied, and looks. */
  readonly check: (corner: Corner) => Promise<void>;
}

/** A name and annotations of a namespace; every corner has one of its own. */
export function namespaceOf(
  { name }: Corner,
  annotations: Readonly<Record<string, string>> = {},
): unknown {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, annotations } };
}

/** The macvlan network that every scenario may use. */
export const UNDERLAY = "default/underlay";

/** A network of nodes' NIC eth1 or of a bridge, with Spiderpool as its IPAM. */
export function network(
  name: string,
  { ipam = {}, ...plugin }: {
    readonly type: string;
    readonly ipam?: object;
    readonly [key: string]: unknown;
  },
): unknown {
  const config = { cniVersion: "1.0.0", name, ...plugin, ipam: { type: "spiderpool", ...ipam } };
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name, namespace: "default" },
    spec: { config: JSON.stringify(config) },
  };
}

/** What a pool is made of; `spec` holds fields of the kind, for both families. */
export interface PoolWish {
  /** Last part of the first address; 1 where absent. */
  readonly from?: number;
  /** Addresses. */
  readonly count: number;
  /** 6 and 7 are the underlay's; others exist inside one node only. */
  readonly subnet?: number;
  /** Whether pods get a default route; the first NIC should. */
  readonly gateway?: boolean;
  /** Addresses of the pool that are not given out: last parts of first and last. */
  readonly exclude?: readonly [first: number, last: number];
  /** Networks that pods reach through the underlay's router, by their numbers. */
  readonly routesTo?: readonly number[];
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** One pool for each family of the cluster: `CORNER-NAME-v4` and `CORNER-NAME-v6`. */
export function pools(corner: Corner, name: string, wish: PoolWish): readonly unknown[] {
  const { from = 1, count, subnet = 6, gateway = false, exclude, routesTo } = wish;
  return corner.site.versions.map((version) => {
    const router = routerOf(version, subnet);
    const routes = routesTo?.map((number) => ({ dst: networkOf(version, number), gw: router }));
    return {
      apiVersion: "spiderpool.spidernet.io/v2beta1",
      kind: "SpiderIPPool",
      metadata: { name: poolName(corner, { name, version }) },
      spec: {
        subnet: networkOf(version, subnet),
        ips: [rangeOf(corner, { version, subnet, first: from, last: from + count - 1 })],
        ...(gateway && { gateway: router }),
        ...(routes !== undefined && { routes }),
        ...(exclude !== undefined && {
          excludeIPs: [rangeOf(corner, { version, subnet, first: exclude[0], last: exclude[1] })],
        }),
        ...wish.spec,
      },
    };
  });
}

/** Reserved addresses of each family: last parts of first and last. */
export function reserved(
  corner: Corner,
  [first, last]: readonly [number, number],
): readonly unknown[] {
  return corner.site.versions.map((version) => ({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderReservedIP",
    metadata: { name: `${corner.name}-v${version}` },
    spec: { ips: [rangeOf(corner, { version, subnet: 6, first, last })] },
  }));
}

/** Name of a pool, or of pools where it is a pattern. */
export function poolName(
  corner: Corner,
  { name, version }: { readonly name: string; readonly version: 4 | 6 },
): string {
  return `${corner.name}-${name}-v${version}`;
}

/** `10.6.0.0/16` or `fd00:6::/64`. */
export function networkOf(version: 4 | 6, number: number): string {
  return version === 4 ? `10.${number}.0.0/16` : `fd00:${number}::/64`;
}

/** The router of an underlay subnet. */
export function routerOf(version: 4 | 6, subnet: number): string {
  return version === 4 ? `10.${subnet}.0.1` : `fd00:${subnet}::1`;
}

function rangeOf(corner: Corner, { version, subnet, first, last }: {
  readonly version: 4 | 6;
  readonly subnet: number;
  readonly first: number;
  readonly last: number;
}): string {
  return [first, last].map((number) =>
    version === 4
      ? `10.${subnet}.${corner.block}.${number}`
      : `fd00:${subnet}::${corner.block.toString(16)}:${number.toString(16)}`
  ).join("-");
}

/** Pools by name, as annotations list them: `{"ipv4":[...],"ipv6":[...]}`. */
export function ask(
  corner: Corner,
  ...names: readonly string[]
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    corner.site.versions.map((version) => [
      `ipv${version}`,
      names.map((name) => poolName(corner, { name, version })),
    ]),
  );
}

/** What a pod is made of. */
export interface PodWish {
  /** Value of `ipam.spidernet.io/ippool`. */
  readonly ippool?: unknown;
  /** Value of `ipam.spidernet.io/ippools`. */
  readonly ippools?: unknown;
  /** Networks of net1, net2, and so on; the underlay once where absent. */
  readonly networks?: readonly string[];
  /** Network of eth0; the cluster's overlay where absent. */
  readonly firstNetwork?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly namespace?: string;
  /** Fields of the container beside its name and image. */
  readonly container?: Readonly<Record<string, unknown>>;
}

/** A pod of its own. */
export function pod(corner: Corner, name: string, wish: PodWish): unknown {
  const { metadata, spec } = template(name, wish);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: wish.namespace ?? corner.name, ...metadata },
    spec,
  };
}

/** A Deployment whose pods are spread over both nodes. */
export function deployment(
  corner: Corner,
  name: string,
  { replicas, strategy, ...wish }: PodWish & {
    readonly replicas: number;
    readonly strategy?: unknown;
  },
): unknown {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: corner.name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: template(name, wish),
      ...(strategy !== undefined && { strategy }),
    },
  };
}

/** A StatefulSet that starts its pods together. */
export function statefulSet(
  corner: Corner,
  name: string,
  { replicas, ...wish }: PodWish & { readonly replicas: number },
): unknown {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace: corner.name },
    spec: {
      replicas,
      serviceName: name,
      podManagementPolicy: "Parallel",
      selector: { matchLabels: { app: name } },
      template: template(name, wish),
    },
  };
}

/** A Job whose pods end at once, one after the other. */
export function jobOf(
  corner: Corner,
  name: string,
  { completions, ...wish }: PodWish & { readonly completions: number },
): unknown {
  const { metadata, spec } = template(name, { ...wish, container: { command: ["true"] } });
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: corner.name },
    spec: { completions, template: { metadata, spec: { ...spec, restartPolicy: "Never" } } },
  };
}

/** What workloads make pods of. */
export interface Template {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Labels, annotations and containers of pods. */
export function template(app: string, wish: PodWish): Template {
  const { ippool, ippools, networks = [UNDERLAY], firstNetwork, annotations, node, container } =
    wish;
  const labels = { app };
  return {
    metadata: {
      labels,
      annotations: {
        ...(networks.length > 0 && { "k8s.v1.cni.cncf.io/networks": networks.join(",") }),
        ...(firstNetwork !== undefined && { "v1.multus-cni.io/default-network": firstNetwork }),
        ...(ippool !== undefined && { "ipam.spidernet.io/ippool": JSON.stringify(ippool) }),
        ...(ippools !== undefined && { "ipam.spidernet.io/ippools": JSON.stringify(ippools) }),
        ...annotations,
      },
    },
    spec: {
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(node !== undefined && { nodeSelector: { "kubernetes.io/hostname": node } }),
      topologySpreadConstraints: [{
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: node === undefined ? "DoNotSchedule" : "ScheduleAnyway",
        labelSelector: { matchLabels: labels },
        matchLabelKeys: ["pod-template-hash"],
      }],
      containers: [{ name: "c", image: TOOLS_IMAGE, imagePullPolicy: "Never", ...container }],
    },
  };
}
