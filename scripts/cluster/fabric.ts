/** The data-centre switch: a bridge for nodes, a bridge for the underlay, routers on both. Pure. */
import type { ClusterPlan, NodePlan } from "./plan.ts";

/** Bridge that carries node addresses, the API server and the machine's own link. */
export const NODE_BRIDGE = "br-node";
/** Bridge that carries the underlay: macvlan parents of all nodes are on it. */
export const UNDERLAY_BRIDGE = "br-underlay";

/** Shell that makes a network namespace forward, with addresses usable at once. */
export const ROUTER_SYSCTLS = [
  "echo 1 >/proc/sys/net/ipv4/ip_forward",
  "[ ! -d /proc/sys/net/ipv6 ] || {",
  "  echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
  "  echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad",
  "  echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra",
  "}",
].join("\n");

/** Setup script of the holder that is the switch. */
export function fabricSetup(): string {
  return ["mount -t proc proc /proc", ROUTER_SYSCTLS, "ip link set lo up"].join("\n");
}

/** `ip -batch` lines for bridges and their addresses, inside the switch. */
export function fabricCommands(plan: ClusterPlan): readonly string[] {
  return [
    ...[NODE_BRIDGE, UNDERLAY_BRIDGE].flatMap((bridge) => [
      `link add ${bridge} type bridge stp_state 0 mcast_snooping 0`,
      `link set ${bridge} up`,
    ]),
    ...plan.fabricCidrs.map((cidr) => `address add ${cidr} dev ${NODE_BRIDGE}${nodad(cidr)}`),
    ...plan.underlays.map(({ cidr, gateway }) => {
      const length = cidr.split("/")[1] ?? "";
      return `address add ${gateway}/${length} dev ${UNDERLAY_BRIDGE}${nodad(cidr)}`;
    }),
  ];
}

/**
 * `ip -batch` lines inside the switch, once the nodes are there. Webhooks and exec: the API server
 * lives here and must reach pods of the overlay.
 */
export function fabricRouteCommands(plan: ClusterPlan): readonly string[] {
  return podRoutes(plan.nodes);
}

/** `ip -batch` lines inside the switch and every other node, once one more node is there. */
export function joinRouteCommands(node: NodePlan): readonly string[] {
  return podRoutes([node]);
}

/** `ip -batch` lines, run on the machine: its link to the switch. */
export function hostCommands(plan: ClusterPlan, fabricPid: number): readonly string[] {
  return [
    `link add ${plan.hostLink} type veth peer name machine netns ${fabricPid}`,
    ...plan.hostCidrs.map((cidr) => `address add ${cidr} dev ${plan.hostLink}${nodad(cidr)}`),
    `link set ${plan.hostLink} up`,
  ];
}

/** `ip -batch` lines inside the switch, once the machine's link is there. */
export function hostPortCommands(): readonly string[] {
  return [`link set machine master ${NODE_BRIDGE} up`];
}

/** `ip -batch` lines inside the switch: a node's two cables. */
export function nodePortCommands(
  node: { readonly fabricLink: string; readonly underlayLink: string },
  nodePid: number,
): readonly string[] {
  return [
    `link add ${node.fabricLink} type veth peer name eth0 netns ${nodePid}`,
    `link add ${node.underlayLink} type veth peer name eth1 netns ${nodePid}`,
    `link set ${node.fabricLink} master ${NODE_BRIDGE} up`,
    `link set ${node.underlayLink} master ${UNDERLAY_BRIDGE} up`,
  ];
}

/** `ip -batch` lines inside a node: addresses, and routes to the pods of the other nodes. */
export function nodeNetworkCommands(plan: ClusterPlan, number: number): readonly string[] {
  const own = plan.nodes.find((node) => node.number === number);
  const lengths = plan.fabricCidrs.map((cidr) => cidr.split("/")[1] ?? "");
  return [
    "link set lo up",
    // A node that is rebooted keeps its hardware address: others have it in their caches.
    `link set eth0 address 02:00:00:00:00:${number.toString(16).padStart(2, "0")} up`,
    "link set eth1 up",
    ...(own?.addresses ?? []).map((address, position) =>
      `address add ${address}/${lengths[position]} dev eth0${nodad(address)}`
    ),
    ...plan.fabricAddresses.map((address) =>
      `route add ${address.includes(":") ? "::/0" : "0.0.0.0/0"} via ${address}`
    ),
    ...podRoutes(plan.nodes.filter((node) => node.number !== number)),
  ];
}

function podRoutes(nodes: readonly NodePlan[]): readonly string[] {
  return nodes.flatMap((node) =>
    node.podCidrs.map((cidr, position) => `route add ${cidr} via ${node.addresses[position]}`)
  );
}

function nodad(cidr: string): string {
  return cidr.includes(":") ? " nodad" : "";
}
