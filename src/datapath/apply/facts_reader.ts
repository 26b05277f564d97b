import { parseAddress } from "../../ip/address.ts";
import { formatAddress } from "../../ip/address.ts";
import { listAddresses } from "../../netlink/address.ts";
import { findLink, listLinks } from "../../netlink/link.ts";
import { listNeighbors } from "../../netlink/neighbor.ts";
import { type Netns, withNetns } from "../../netlink/netns.ts";
import { listRoutes, lookUpRoute } from "../../netlink/route.ts";
import { listRules } from "../../netlink/rule.ts";
import type { NetlinkSocket } from "../../netlink/socket.ts";
import { readSysctl } from "../../netlink/sysctl.ts";
import type { LinkRecord } from "../../netlink/wire/link.ts";
import { isUsable } from "../addresses.ts";
import type {
  CoordinatorFacts,
  CoordinatorWish,
  NodeFacts,
  NodeSource,
  PodFacts,
  RemovalFacts,
  Sysctls,
} from "../facts.ts";
import { isDefaultRoute, PROTOCOL_RA, type Step, type Where } from "../operation.ts";
import { nodeVethName, POD_VETH } from "../place.ts";
import type { CoordinatorRecord } from "../record.ts";
import type { RemovalWish } from "../remove_plan.ts";
import { readMarks } from "./marks.ts";
import { addressFact, linkFact, neighborFacts, routeSpecs, ruleFact } from "./objects.ts";

/** A namespace with a socket in it. */
export interface OpenSide {
  readonly netns: Netns;
  readonly socket: NetlinkSocket;
  /** Indices of links, as far as they are known. */
  readonly indexes: Map<string, number>;
}

/** Reads what an ADD needs to know. @throws {NetlinkError} */
export function readAddFacts(
  wish: CoordinatorWish,
  { pod, node }: { readonly pod: OpenSide; readonly node: OpenSide },
): CoordinatorFacts {
  const { ifName, firstNic, hostRuleTable, containerId, podRpFilter } = wish;
  const notices = [
    `net/ipv4/conf/${ifName}/arp_notify`,
    `net/ipv6/conf/${ifName}/ndisc_notify`,
  ];
  const lists = readLists(pod.socket);
  const names = lists.links.map(({ name }) => name);
  const hasIpv6 = hasIpv6In(pod);
  const announced = lists.routes.filter((route) =>
    route.protocol === PROTOCOL_RA && isDefaultRoute(route)
  );
  const sysctls = readSysctls(pod, [
    ...(podRpFilter === undefined ? [] : ["all", "default", ...names])
      .map((name) => `net/ipv4/conf/${name}/rp_filter`),
    ...names.map((name) => `net/ipv4/conf/${name}/arp_filter`),
    ...(hasIpv6 ? ["default", ...names] : []).map((name) => `net/ipv6/conf/${name}/disable_ipv6`),
    ...notices,
    ...announced.map(({ device = "" }) => `net/ipv6/conf/${device}/accept_ra_defrtr`),
  ]);
  const marks = ifName === firstNic ? readMarks(pod.netns, { hasIpv6 }) : "absent";
  const first = lists.links.find(({ name }) => name === firstNic);
  const links = listLinks(node.socket);
  const nodeVeth = nodeVethName(containerId);
  const ends = links.filter(({ name, index }) => name === nodeVeth || index === first?.parentIndex);
  const nodeNames = namesOf(links);
  return {
    pod: { ...lists, sysctls, hasIpv6, marks },
    node: {
      ...readNodeTables(node.socket, { table: hostRuleTable, ends, names: nodeNames }),
      links: links.map(linkFact),
      addresses: listAddresses(node.socket).map((one) => addressFact(one, { names: nodeNames })),
      sysctls: readSysctls(node, [`net/ipv6/conf/${nodeVeth}/accept_ra`]),
      sources: readSources(node.socket, lists),
    },
  };
}

/** Reads what a DEL needs to know; of the node little. @throws {NetlinkError} */
export function readRemovalFacts(
  wish: RemovalWish,
  { pod, node, record }: {
    readonly pod: OpenSide | undefined;
    readonly node: OpenSide;
    readonly record: CoordinatorRecord | undefined;
  },
): RemovalFacts {
  const podFacts = pod === undefined ? undefined : readPodForRemoval(pod, { wish, record });
  const name = record?.nodeLink ?? nodeVethName(wish.containerId);
  const first = podFacts?.links.find((link) => link.name === wish.firstNic);
  const peer = record === undefined && first?.parentIndex !== undefined
    ? findLink(node.socket, { index: first.parentIndex })
    : undefined;
  const ends = [findLink(node.socket, { name }), peer].filter((one) => one !== undefined);
  const table = record?.hostRuleTable ?? wish.hostRuleTable;
  return {
    pod: podFacts,
    node: {
      ...readNodeTables(node.socket, { table, ends, names: namesOf(ends) }),
      links: ends.map(linkFact),
      addresses: [],
      sysctls: readSysctls(node, sysctlsOf(record?.steps ?? [], "node")),
      sources: [],
    },
  };
}

function readPodForRemoval(
  pod: OpenSide,
  { wish, record }: {
    readonly wish: RemovalWish;
    readonly record: CoordinatorRecord | undefined;
  },
): PodFacts {
  const steps = record?.steps ?? [];
  const hasIpv6 = hasIpv6In(pod);
  const mayMark = record === undefined
    ? wish.ifName === wish.firstNic
    : steps.some(({ operation }) => operation.kind === "marks_set");
  return {
    ...readLists(pod.socket),
    sysctls: readSysctls(pod, sysctlsOf(steps, "pod")),
    hasIpv6,
    marks: mayMark ? readMarks(pod.netns, { hasIpv6 }) : "absent",
  };
}

function sysctlsOf(steps: readonly Step[], where: Where): readonly string[] {
  return steps.flatMap(({ operation }) =>
    operation.kind === "sysctl_set" && operation.where === where ? [operation.path] : []
  );
}

/** The lists of a namespace; links first, for their names. */
function readLists(
  socket: NetlinkSocket,
): Pick<PodFacts, "links" | "addresses" | "routes" | "rules" | "neighbors"> {
  const links = listLinks(socket);
  const names = namesOf(links);
  const addresses = listAddresses(socket).map((one) => addressFact(one, { names }));
  return {
    links: links.map(linkFact),
    addresses: links.flatMap(({ name }) => addresses.filter(({ device }) => device === name)),
    routes: listRoutes(socket).flatMap((route) => routeSpecs(route, { names })),
    rules: listRules(socket).map(ruleFact),
    neighbors: listNeighbors(socket).flatMap((one) => neighborFacts(one, { names })),
  };
}

function readNodeTables(
  socket: NetlinkSocket,
  { table, ends, names }: {
    readonly table: number;
    readonly ends: readonly LinkRecord[];
    readonly names: ReadonlyMap<number, string>;
  },
): Pick<NodeFacts, "routes" | "rules" | "neighbors"> {
  return {
    routes: listRoutes(socket, { table }).flatMap((route) => routeSpecs(route, { names })),
    rules: listRules(socket).map(ruleFact),
    neighbors: ends.flatMap(({ index }) => listNeighbors(socket, { linkIndex: index }))
      .flatMap((one) => neighborFacts(one, { names })),
  };
}

/** What the node would send to each address of the pod from. What it cannot reach has no answer. */
function readSources(
  socket: NetlinkSocket,
  { links, addresses }: Pick<PodFacts, "links" | "addresses">,
): readonly NodeSource[] {
  const loopbacks = new Set(links.filter((link) => link.isLoopback).map(({ name }) => name));
  const sources: NodeSource[] = [];
  for (const { device, address } of addresses) {
    const parsed = parseAddress(address);
    if (!parsed.ok || !isUsable(address) || loopbacks.has(device) || device === POD_VETH) continue;
    const found = lookUpRoute(socket, { address: parsed.value });
    if (!found.ok || found.value.prefSource === undefined) continue;
    const { table, prefSource } = found.value;
    sources.push({ address, table, source: formatAddress(prefSource) });
  }
  return sources;
}

/** Values of sysctls; what has no file has none. */
function readSysctls(side: OpenSide, paths: readonly string[]): Sysctls {
  if (paths.length === 0) return {};
  return withNetns(side.netns, () => {
    const values: Record<string, string> = {};
    for (const path of new Set(paths)) {
      const value = readSysctl(path.split("/"));
      if (value.ok) values[path] = value.value;
    }
    return values;
  });
}

/** Whether the kernel has IPv6: it is the same of all namespaces. */
export function hasIpv6In(side: OpenSide): boolean {
  return "net/ipv6/conf/all/disable_ipv6" in
    readSysctls(side, ["net/ipv6/conf/all/disable_ipv6"]);
}

function namesOf(links: readonly LinkRecord[]): ReadonlyMap<number, string> {
  return new Map(links.map(({ index, name }) => [index, name]));
}
