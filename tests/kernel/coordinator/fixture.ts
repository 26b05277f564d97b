/**
 * The nodes, the pods and the switch of the coordinator's scenarios: nodes with uplinks, pods with
 * macvlan NICs on those, and a router that all uplinks are plugged into. All addresses are in
 * namespaces of their own.
 */
import { Namespaces, script, words } from "./namespaces.ts";
import { type Asking, type Ended, FixtureNode } from "./node.ts";
import type { Namespace } from "../namespace.ts";
import type { FakeAgent } from "../../build/fake_agent.ts";

export { script } from "./namespaces.ts";
export type { Asking } from "./node.ts";

const CONTAINER = "abcdef0123456789";
/** Networks that the router has, 10.6.0.0/24 and fd00:10:6::/64 the first of them. */
const NETWORKS_MAX = 4;

/** Addresses beyond the router. */
export const AFAR = { 4: "192.0.2.1", 6: "2001:db8::1" } as const;

/** A pod of a node. */
export interface Pod {
  readonly containerId: string;
  readonly namespace: Namespace;
  readonly node: FixtureNode;
  /** Addresses with prefix length, by NIC: what the main plugin would have printed. */
  readonly nics: Map<string, readonly string[]>;
}

/** How a NIC is made. */
export interface NicWish {
  /** Last number of its addresses: 10.6.0.N, fd00:10:6::N. */
  readonly last: number;
  /** Which network it is in; the first if absent. */
  readonly network?: number;
  readonly families?: readonly (4 | 6)[];
  /** Metric of its default routes; absent: the kernel's. */
  readonly metric?: number;
  /** Families that it has a default route for. */
  readonly defaults?: readonly (4 | 6)[];
}

/** What a fixture is made of. */
export interface FixtureWish {
  /** Words that start the plugin; without them the source is run. */
  readonly program?: readonly string[];
  readonly nodeCount?: number;
  /** Networks that every node has an uplink in; only in the first it has addresses. */
  readonly networkCount?: number;
}

/**
 * A node `hn` (10.6.0.2, fd00:10:6::2), further ones (.3, .4), and a router `sw` that has the first
 * addresses of all networks and those of `AFAR`.
 */
export class Fixture implements AsyncDisposable {
  readonly router: Namespace;
  readonly nodes: readonly FixtureNode[];
  readonly #namespaces: Namespaces;
  #podCount = 0;

  private constructor(parts: {
    readonly router: Namespace;
    readonly nodes: readonly FixtureNode[];
    readonly namespaces: Namespaces;
  }) {
    this.router = parts.router;
    this.nodes = parts.nodes;
    this.#namespaces = parts.namespaces;
  }

  static async open(
    { program, nodeCount = 1, networkCount = 1 }: FixtureWish = {},
  ): Promise<Fixture> {
    await using stack = new AsyncDisposableStack();
    const namespaces = stack.use(new Namespaces());
    const router = await namespaces.open();
    const networks = Array.from({ length: networkCount }, (_, index) => index);
    await script(router, [
      `ip address add ${AFAR[4]}/32 dev lo; ip address add ${AFAR[6]}/128 dev lo`,
      "echo 1 > /proc/sys/net/ipv4/ip_forward",
      "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
      ...networks.flatMap((network) => [
        `ip link add br${network} type bridge; ip link set br${network} up`,
        `ip address add ${addressIn(network, { last: 1, version: 4 })} dev br${network}`,
        `ip address add ${addressIn(network, { last: 1, version: 6 })} dev br${network} nodad`,
      ]),
    ]);
    const nodes = await Promise.all(Array.from({ length: nodeCount }, async (_, index) => {
      const node = stack.use(await FixtureNode.open(namespaces, { program }));
      await plugIn(node.namespace, { router, networks, last: 2 + index });
      return node;
    }));
    const kept = stack.move();
    return new Fixture({ router, nodes, namespaces: new Namespaces(kept) });
  }

  /** The first node. */
  get node(): Namespace {
    return this.#first.namespace;
  }

  /** The agent of the first node. */
  get agent(): FakeAgent {
    return this.#first.agent;
  }

  get #first(): FixtureNode {
    const [first] = this.nodes;
    if (first === undefined) throw new Error("A fixture has a node");
    return first;
  }

  /** Makes a pod without a NIC. */
  async pod({ node = this.#first }: { readonly node?: FixtureNode } = {}): Promise<Pod> {
    const index = this.#podCount++;
    const containerId = `${index === 0 ? "" : String.fromCharCode(96 + index)}${CONTAINER}`;
    const namespace = await this.#namespaces.open();
    return { containerId, namespace, node, nics: new Map() };
  }

  /** Makes a pod with macvlan NICs. */
  async podWith(
    nics: Readonly<Record<string, NicWish>>,
    options: { readonly node?: FixtureNode } = {},
  ): Promise<Pod> {
    const pod = await this.pod(options);
    for (const [name, wish] of Object.entries(nics)) await this.addNic(pod, name, wish);
    return pod;
  }

  /** Gives a pod a macvlan NIC, as a main plugin leaves it. */
  async addNic(
    { namespace, nics, node }: Pod,
    name: string,
    { last, network = 0, families = [4, 6], metric, defaults = families }: NicWish,
  ): Promise<void> {
    const on = `ip link add link up${network} name m${last} type macvlan mode bridge`;
    await script(node.namespace, [on, `ip link set m${last} netns ${namespace.pid} name ${name}`]);
    const weight = metric === undefined ? "" : ` metric ${metric}`;
    const addresses = families.map((version) => addressIn(network, { last, version }));
    await script(namespace, [
      `ip link set ${name} up`,
      ...addresses.map((address) =>
        `ip address add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`
      ),
      ...defaults.map((version) =>
        `ip -${version} route add default via ${routerIn(network, version)} dev ${name}${weight}`
      ),
    ]);
    nics.set(name, addresses);
  }

  /**
   * Gives a pod the NIC of an overlay network, `eth0` unless told otherwise, as calico makes it:
   * 10.244.1.N, fd00:244::N, its other end `caliN` on the node.
   */
  async addOverlayNic(
    { namespace, nics, node }: Pod,
    { last, name = "eth0" }: { readonly last: number; readonly name?: string },
  ): Promise<void> {
    const end = `cali${last}`;
    await script(node.namespace, [
      `ip link add ${end} address ee:ee:ee:ee:ee:ee type veth peer name o${last}`,
      `ip link set o${last} netns ${namespace.pid} name ${name}; ip link set ${end} up`,
      `ip -6 address add fe80::1/64 dev ${end} nodad`,
      `ip route add 10.244.1.${last} dev ${end}; ip -6 route add fd00:244::${last} dev ${end}`,
    ]);
    await script(namespace, [
      `ip link set ${name} up; ip address add 10.244.1.${last}/32 dev ${name}`,
      `ip address add fd00:244::${last}/128 dev ${name} nodad`,
      `ip neigh add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev ${name} nud permanent`,
      `ip route add 169.254.1.1 dev ${name} scope link`,
      `ip route add default via 169.254.1.1 dev ${name}`,
      `ip -6 route add default via fe80::1 dev ${name}`,
    ]);
    nics.set(name, [`10.244.1.${last}/32`, `fd00:244::${last}/128`]);
  }

  /** Starts the plugin on the pod's node as a container runtime does. */
  run(
    command: string,
    pod: Pod,
    asking: Asking & { readonly ifName: string },
  ): Promise<Ended> {
    return pod.node.run(command, pod, asking);
  }

  /** An ADD that succeeds, and its result. */
  add(pod: Pod, ifName: string, asking: Asking = {}): Promise<Readonly<Record<string, unknown>>> {
    return pod.node.add(pod, { ...asking, ifName });
  }

  /** An ADD of every NIC of a pod, in the order of their making. */
  async addAll(pod: Pod, asking: Asking = {}): Promise<void> {
    for (const nic of pod.nics.keys()) await this.add(pod, nic, asking);
  }

  /** A DEL that succeeds. */
  del(pod: Pod, ifName: string, asking: Asking = {}): Promise<void> {
    return pod.node.del(pod, { ...asking, ifName });
  }

  /** Names of what coordinators keep on the first node, the lock left out. */
  records(): Promise<readonly string[]> {
    return this.#first.records();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#namespaces[Symbol.asyncDispose]();
  }
}

/** An address with the length of its network's prefix. */
export function addressIn(
  network: number,
  { last, version }: { readonly last: number; readonly version: 4 | 6 },
): string {
  if (network >= NETWORKS_MAX) throw new Error(`There is no network ${network}`);
  return version === 4 ? `10.${6 + network}.0.${last}/24` : `fd00:10:${6 + network}::${last}/64`;
}

/** Address of the router in a network. */
export function routerIn(network: number, version: 4 | 6): string {
  return addressIn(network, { last: 1, version }).replace(/\/.*/, "");
}

/** Gives a node an uplink in each network, and addresses in the first. */
async function plugIn(
  node: Namespace,
  { router, networks, last }: {
    readonly router: Namespace;
    readonly networks: readonly number[];
    readonly last: number;
  },
): Promise<void> {
  for (const network of networks) {
    const port = `p${last}-${network}`;
    await router.run(
      ...words(`ip link add ${port} type veth peer name up${network} netns ${node.pid}`),
    );
    await router.run(...words(`ip link set ${port} master br${network} up`));
  }
  await script(node, [
    ...networks.map((network) => `ip link set up${network} up`),
    ...([4, 6] as const).map((version) =>
      `ip address add ${addressIn(0, { last, version })} dev up0${version === 6 ? " nodad" : ""}`
    ),
    ...([4, 6] as const).map((version) =>
      `ip -${version} route add default via ${routerIn(0, version)}`
    ),
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
  ]);
}
