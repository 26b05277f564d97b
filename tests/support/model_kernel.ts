/**
 * Two namespaces as a plan sees them, in memory: what `ip` would refuse is refused, and what goes
 * with a link goes with it.
 */
import { cidrContains, IPV4, IPV6, parseCidr } from "../../src/ip/mod.ts";
import type {
  AddressFact,
  CoordinatorFacts,
  LinkFact,
  MarksFact,
  NeighborFact,
  NodeSource,
  RuleFact,
} from "../../src/datapath/facts.ts";
import {
  type IpVersion,
  type KernelOperation,
  type RouteSpec,
  TABLE_MAIN,
  type Where,
} from "../../src/datapath/operation.ts";
import { routeText, ruleText } from "../../src/datapath/likeness.ts";

interface Side {
  links: LinkFact[];
  addresses: AddressFact[];
  routes: RouteSpec[];
  rules: RuleFact[];
  neighbors: NeighborFact[];
  sysctls: Record<string, string>;
}

const LINK: Omit<LinkFact, "index" | "name"> = {
  isUp: true,
  isLoopback: false,
  isBroadcast: true,
  mtu: 1500,
  txQueueLength: 1000,
};
const ROUTE = { protocol: 3, scope: 0, type: 1 };

/** A pod and its node. */
export class ModelKernel {
  pod: Side = emptySide();
  node: Side = emptySide();
  marks: MarksFact = "absent";
  hasIpv6 = true;
  /** What the node answers for addresses that an earlier ADD put into its table. */
  oddSource = "172.17.0.1";
  #index = 1;

  side(where: Where): Side {
    return where === "pod" ? this.pod : this.node;
  }

  addLink(where: Where, name: string, more: Partial<LinkFact> = {}): LinkFact {
    const index = ++this.#index;
    const mac = `02:00:00:00:00:${index.toString(16).padStart(2, "0")}`;
    const link = { ...LINK, index, name, mac, ...more };
    this.side(where).links.push(link);
    const { sysctls } = this.side(where);
    sysctls[`net/ipv4/conf/${name}/rp_filter`] = sysctls["net/ipv4/conf/default/rp_filter"] ?? "0";
    for (const key of ["arp_filter", "arp_notify"]) sysctls[`net/ipv4/conf/${name}/${key}`] = "0";
    if (this.hasIpv6) {
      const disable = sysctls["net/ipv6/conf/default/disable_ipv6"] ?? "0";
      sysctls[`net/ipv6/conf/${name}/disable_ipv6`] = disable;
      sysctls[`net/ipv6/conf/${name}/ndisc_notify`] = "0";
      sysctls[`net/ipv6/conf/${name}/accept_ra`] = "1";
      sysctls[`net/ipv6/conf/${name}/accept_ra_defrtr`] = "1";
    }
    return link;
  }

  /** An address with its connected route. */
  addAddress(where: Where, device: string, text: string): void {
    const [address = "", length = ""] = text.split("/");
    const version: IpVersion = address.includes(":") ? 6 : 4;
    if (version === 6) this.side(where).sysctls[`net/ipv6/conf/${device}/disable_ipv6`] = "0";
    this.side(where).addresses.push({ device, version, address, prefixLength: Number(length) });
    if (this.#link(where, device).isUp) this.#connect(where, device);
  }

  #connect(where: Where, device: string): void {
    const side = this.side(where);
    const own = side.addresses.filter((one) => one.device === device);
    for (const { version, address, prefixLength } of own) {
      if (prefixLength === (version === 4 ? 32 : 128)) continue;
      const route = version === 4
        ? { scope: 253, metric: 0, source: address }
        : { scope: 0, metric: 256 };
      const destination = networkOf(address, prefixLength);
      const full = { ...ROUTE, ...route, protocol: 2, version, destination, table: 254, device };
      if (!side.routes.some((one) => routeText(one) === routeText(full))) side.routes.push(full);
    }
  }

  addRoute(
    where: Where,
    route: Partial<RouteSpec> & Pick<RouteSpec, "version" | "destination">,
  ): void {
    const metric = route.version === 6 ? 1024 : 0;
    this.#addRoute(where, { ...ROUTE, table: TABLE_MAIN, metric, ...route });
  }

  facts(hostRuleTable = 500): CoordinatorFacts {
    const { pod, node } = structuredClone({ pod: this.pod, node: this.node });
    const routes = node.routes.filter(({ table }) => table === hostRuleTable);
    const sources: NodeSource[] = [];
    for (const { version, address } of pod.addresses) {
      if (routes.some(({ destination }) => destination.startsWith(`${address}/`))) {
        sources.push({ address, table: hostRuleTable, source: this.oddSource });
        continue;
      }
      const own = node.addresses.find((one) => one.version === version);
      if (own !== undefined) sources.push({ address, table: TABLE_MAIN, source: own.address });
    }
    return {
      pod: { ...pod, hasIpv6: this.hasIpv6, marks: this.marks },
      node: { ...node, routes, sources },
    };
  }

  /** All that a DEL must restore, in an order of its own. */
  snapshot(): unknown {
    const sideText = ({ links, addresses, routes, rules, neighbors, sysctls }: Side) => ({
      links: links.map((link) => JSON.stringify(link)).toSorted(),
      addresses: addresses.map((one) => JSON.stringify(one)).toSorted(),
      routes: routes.map((one) => `${routeText(one)} ${one.protocol} ${one.preference}`).toSorted(),
      rules: rules.map(ruleText).toSorted(),
      neighbors: neighbors.map((one) => JSON.stringify(one)).toSorted(),
      sysctls: Object.entries(sysctls).map(String).toSorted(),
    });
    return { pod: sideText(this.pod), node: sideText(this.node), marks: this.marks };
  }

  copy(): ModelKernel {
    const copy = new ModelKernel();
    copy.pod = structuredClone(this.pod);
    copy.node = structuredClone(this.node);
    copy.marks = this.marks;
    copy.hasIpv6 = this.hasIpv6;
    copy.oddSource = this.oddSource;
    copy.#index = this.#index;
    return copy;
  }

  /** The namespace of the pod ends, with its end of each pair. */
  endPod(): void {
    for (const { name, kind } of [...this.pod.links]) {
      if (kind === "veth") this.removeLink("pod", name);
    }
    this.pod = emptySide();
    this.marks = "absent";
  }

  removeLink(where: Where, name: string): void {
    const { index, kind, parentIndex } = this.#link(where, name);
    const other = where === "pod" ? "node" : "pod";
    this.#drop(where, name);
    if (kind !== "veth") return;
    const peer = this.side(other).links.find((one) =>
      one.index === parentIndex && one.parentIndex === index
    );
    if (peer !== undefined) this.#drop(other, peer.name);
  }

  #drop(where: Where, name: string): void {
    const side = this.side(where);
    side.links = side.links.filter((link) => link.name !== name);
    side.addresses = side.addresses.filter(({ device }) => device !== name);
    side.neighbors = side.neighbors.filter(({ device }) => device !== name);
    side.routes = side.routes.filter((route) =>
      route.device !== name && !route.nexthops?.some(({ device }) => device === name)
    );
    for (const path of Object.keys(side.sysctls)) {
      if (path.split("/").includes(name)) delete side.sysctls[path];
    }
  }

  perform(operation: KernelOperation): void {
    switch (operation.kind) {
      case "veth_add": {
        const { podName, nodeName, mtu, podMac, nodeMac } = operation;
        for (const [where, name] of [["pod", podName], ["node", nodeName]] as const) {
          if (this.side(where).links.some((link) => link.name === name)) {
            throw refused("EEXIST", name);
          }
        }
        const base = { kind: "veth", isUp: false, mtu, txQueueLength: 0 };
        const inPod = this.addLink("pod", podName, { ...base, mac: podMac });
        const { index } = inPod;
        const onNode = this.addLink("node", nodeName, {
          ...base,
          mac: nodeMac,
          parentIndex: index,
        });
        this.#change("pod", { ...inPod, parentIndex: onNode.index });
        break;
      }
      case "link_remove":
        this.removeLink(operation.where, operation.name);
        break;
      case "link_state":
        this.#setUp(operation.where, operation);
        break;
      case "link_mac":
        this.#change(operation.where, { ...this.#named(operation), mac: operation.mac });
        break;
      case "link_queue":
        this.#change(operation.where, {
          ...this.#named(operation),
          txQueueLength: operation.length,
        });
        break;
      case "address_add":
        this.addAddress(operation.where, operation.device, operation.address);
        break;
      case "address_remove": {
        const side = this.side(operation.where);
        side.addresses = side.addresses.filter(({ device, address, prefixLength }) =>
          device !== operation.device || `${address}/${prefixLength}` !== operation.address
        );
        break;
      }
      default:
        this.#performTable(operation);
    }
  }

  #performTable(operation: KernelOperation): void {
    switch (operation.kind) {
      case "neighbor_set":
      case "neighbor_remove": {
        const side = this.side(operation.where);
        const { neighbor } = operation;
        this.#link(operation.where, neighbor.device);
        side.neighbors = side.neighbors.filter(({ device, address }) =>
          device !== neighbor.device || address !== neighbor.address
        );
        if (operation.kind === "neighbor_set") {
          side.neighbors.push({ ...neighbor, isPermanent: true });
        }
        break;
      }
      case "route_add":
        this.#addRoute(operation.where, operation.route);
        break;
      case "route_remove": {
        const side = this.side(operation.where);
        const text = routeText(operation.route);
        const count = side.routes.length;
        side.routes = side.routes.filter((one) => routeText(one) !== text);
        if (side.routes.length === count) throw refused("ESRCH", text);
        break;
      }
      case "rule_add":
      case "rule_remove": {
        const side = this.side(operation.where);
        const text = ruleText(operation.rule);
        const others = side.rules.filter((one) => ruleText(one) !== text);
        const isThere = others.length < side.rules.length;
        if (operation.kind === "rule_remove") {
          if (!isThere) throw refused("ENOENT", text);
          side.rules = others;
        } else if (!isThere) side.rules.push(operation.rule);
        break;
      }
      case "sysctl_set": {
        const { sysctls } = this.side(operation.where);
        if (sysctls[operation.path] === undefined) throw refused("ENOENT", operation.path);
        sysctls[operation.path] = operation.value;
        break;
      }
      case "marks_set":
        this.marks = "set";
        break;
      case "marks_remove":
        this.marks = "absent";
        break;
      default:
        throw new Error(`no case for ${operation.kind}`);
    }
  }

  #setUp(where: Where, { name, isUp }: { readonly name: string; readonly isUp: boolean }): void {
    this.#change(where, { ...this.#link(where, name), isUp });
    const side = this.side(where);
    if (isUp) this.#connect(where, name);
    else side.routes = side.routes.filter(({ device }) => device !== name);
  }

  #addRoute(where: Where, route: RouteSpec): void {
    const side = this.side(where);
    if (side.routes.some((one) => routeText(one) === routeText(route))) return;
    for (const way of route.nexthops ?? [route]) {
      const { device = "", gateway } = way;
      if (!this.#link(where, device).isUp) throw refused("ENETDOWN", device);
      if (gateway === undefined || way.isOnlink === true) continue;
      const isNear = side.routes.some((one) =>
        one.version === route.version && one.gateway === undefined && one.device === device &&
        (one.table === route.table || one.table === TABLE_MAIN) && holds(one.destination, gateway)
      );
      if (!isNear) throw refused("ENETUNREACH", `${route.destination} via ${gateway}`);
    }
    const { source } = route;
    if (source !== undefined && !side.addresses.some(({ address }) => address === source)) {
      throw refused("EINVAL", `source ${source}`);
    }
    side.routes.push(route);
  }

  #named({ where, name }: { readonly where: Where; readonly name: string }): LinkFact {
    return this.#link(where, name);
  }

  #link(where: Where, name: string): LinkFact {
    const link = this.side(where).links.find((one) => one.name === name);
    if (link === undefined) throw refused("ENODEV", name);
    return link;
  }

  #change(where: Where, link: LinkFact): void {
    const side = this.side(where);
    side.links = side.links.map((one) => one.name === link.name ? link : one);
  }
}

function emptySide(): Side {
  const lo = { ...LINK, index: 1, name: "lo", isLoopback: true, isBroadcast: false };
  const rules = [4, 6].flatMap((version): RuleFact[] => {
    const base: { version: IpVersion } = { version: version === 4 ? 4 : 6 };
    const all = [{ ...base, priority: 0, table: 255 }, { ...base, priority: 32766, table: 254 }];
    return version === 4 ? [...all, { ...base, priority: 32767, table: 253 }] : all;
  });
  return {
    links: [lo],
    addresses: [],
    routes: [],
    rules,
    neighbors: [],
    sysctls: {
      "net/ipv4/conf/all/rp_filter": "2",
      "net/ipv4/conf/default/rp_filter": "2",
      "net/ipv6/conf/default/disable_ipv6": "1",
    },
  };
}

function refused(errno: string, what: string): Error {
  return new Error(`${errno}: ${what}`);
}

function holds(cidr: string, address: string): boolean {
  if (cidr.includes(":")) {
    const [net, one] = [parseCidr(IPV6, cidr), IPV6.parse(address)];
    return net.ok && one.ok && cidrContains(net.value, one.value);
  }
  const [net, one] = [parseCidr(IPV4, cidr), IPV4.parse(address)];
  return net.ok && one.ok && cidrContains(net.value, one.value);
}

function networkOf(address: string, prefixLength: number): string {
  if (address.includes(":")) {
    const parsed = IPV6.parse(address);
    if (!parsed.ok) throw new Error(address);
    return `${IPV6.format(IPV6.networkOf(parsed.value, prefixLength))}/${prefixLength}`;
  }
  const parsed = IPV4.parse(address);
  if (!parsed.ok) throw new Error(address);
  return `${IPV4.format(IPV4.networkOf(parsed.value, prefixLength))}/${prefixLength}`;
}
