import { neighborText, routeText, ruleText, slotText } from "./likeness.ts";
import type { CoordinatorFacts, LinkFact, MarksFact, RuleFact } from "./facts.ts";
import {
  type IpVersion,
  type KernelOperation,
  type NeighborSpec,
  PROTOCOL_OWN,
  type RouteSpec,
  type RuleSpec,
  type Step,
  type Where,
} from "./operation.ts";

/** One namespace, as it is once the steps so far are done. */
interface Side {
  links: readonly LinkFact[];
  routes: readonly RouteSpec[];
  rules: readonly RuleFact[];
  neighbors: readonly (NeighborSpec & { readonly isPermanent: boolean })[];
  sysctls: Readonly<Record<string, string>>;
}

/** What to do about routes that are in the way of a wished one. */
export interface RouteManners {
  /**
   * Which routes of the same destination and metric go, because they are the rest of an earlier
   * ADD. Where any other is in the way, the wished route is left out. Absent: nothing is in the
   * way, the route comes after those that are there.
   */
  readonly replaces?: (other: RouteSpec) => boolean;
  /** Whether a route that is there already was made by an ADD of this pod, and goes at its DEL. */
  readonly isOwn?: boolean;
}

/**
 * A plan in the making: what is wished for is compared with what is there, which includes the steps
 * so far. So nothing is planned twice, and nothing that is there already.
 */
export class Draft {
  readonly #pod: Side;
  readonly #node: Side;
  #marks: MarksFact;
  readonly #steps: Step[] = [];
  readonly #kept: Step[] = [];
  readonly #remarks: string[] = [];
  readonly #wishedRoutes = new Set<string>();

  constructor({ pod, node }: CoordinatorFacts) {
    this.#pod = { ...pod };
    this.#node = { ...node };
    this.#marks = pod.marks;
  }

  /** What is to be done. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** What is to be done, and what an earlier ADD did, in the order of a first ADD. */
  get kept(): readonly Step[] {
    return this.#kept;
  }

  /** What was left out. */
  get remarks(): readonly string[] {
    return this.#remarks;
  }

  /** Says why something was left out. */
  remark(sentence: string): void {
    if (!this.#remarks.includes(sentence)) this.#remarks.push(sentence);
  }

  links(where: Where): readonly LinkFact[] {
    return this.#side(where).links;
  }

  routes(where: Where): readonly RouteSpec[] {
    return this.#side(where).routes;
  }

  rules(where: Where): readonly RuleFact[] {
    return this.#side(where).rules;
  }

  link(where: Where, name: string): LinkFact | undefined {
    return this.#side(where).links.find((link) => link.name === name);
  }

  /** Makes the pair; both links are down then. */
  addVeth(
    pair: Omit<Extract<KernelOperation, { readonly kind: "veth_add" }>, "kind">,
  ): void {
    const base = { isUp: false, isLoopback: false, isBroadcast: true, mtu: pair.mtu };
    const veth = { ...base, kind: "veth", txQueueLength: 0, index: 0 };
    this.#pod.links = [...this.#pod.links, { ...veth, name: pair.podName, mac: pair.podMac }];
    this.#node.links = [...this.#node.links, { ...veth, name: pair.nodeName, mac: pair.nodeMac }];
    this.#do({ kind: "veth_add", ...pair }, {
      kind: "link_remove",
      where: "node",
      name: pair.nodeName,
    });
  }

  /** Keeps a pair that an earlier ADD made: its DEL removes it. */
  keepVeth(pair: Omit<Extract<KernelOperation, { readonly kind: "veth_add" }>, "kind">): void {
    const undo = { kind: "link_remove", where: "node", name: pair.nodeName } as const;
    this.#kept.push({ operation: { kind: "veth_add", ...pair }, undo });
  }

  /** Removes what is left of a dead pod; it does not come back. */
  removeLink(where: Where, name: string): void {
    const side = this.#side(where);
    side.links = side.links.filter((link) => link.name !== name);
    side.routes = side.routes.filter((route) => route.device !== name);
    side.neighbors = side.neighbors.filter((one) => one.device !== name);
    this.#do({ kind: "link_remove", where, name });
  }

  setUp(where: Where, name: string): void {
    const link = this.link(where, name);
    if (link === undefined || link.isUp) return;
    this.#change(where, { ...link, isUp: true });
    const base = { kind: "link_state", where, name } as const;
    this.#do({ ...base, isUp: true }, { ...base, isUp: false });
  }

  setMac(where: Where, { name, mac }: { readonly name: string; readonly mac: string }): void {
    const link = this.link(where, name);
    if (link === undefined || link.mac === mac) return;
    this.#change(where, { ...link, mac });
    const base = { kind: "link_mac", where, name } as const;
    this.#do(
      { ...base, mac },
      link.mac === undefined ? undefined : { ...base, mac: link.mac },
    );
  }

  setQueue(
    where: Where,
    { name, length }: { readonly name: string; readonly length: number },
  ): void {
    const link = this.link(where, name);
    if (link === undefined || link.txQueueLength === length) return;
    this.#change(where, { ...link, txQueueLength: length });
    const base = { kind: "link_queue", where, name } as const;
    this.#do({ ...base, length }, { ...base, length: link.txQueueLength });
  }

  /** The address goes with its link. @param options.isThere Whether the link has it already. */
  addAddress(
    where: Where,
    { device, address, isThere }: {
      readonly device: string;
      readonly address: string;
      readonly isThere: boolean;
    },
  ): void {
    if (isThere) return;
    const base = { where, device, address };
    this.#do({ kind: "address_add", ...base }, { kind: "address_remove", ...base });
  }

  /** Writes a sysctl that has a file. */
  setSysctl(
    where: Where,
    { path, value }: { readonly path: string; readonly value: string },
  ): void {
    const side = this.#side(where);
    const before = side.sysctls[path];
    if (before === undefined || before === value) return;
    side.sysctls = { ...side.sysctls, [path]: value };
    const base = { kind: "sysctl_set", where, path } as const;
    this.#do({ ...base, value }, { ...base, value: before });
  }

  /** Writes a sysctl of a link that this plan makes: it goes with the link. */
  setNewSysctl(
    where: Where,
    { path, value }: { readonly path: string; readonly value: string },
  ): void {
    this.#do({ kind: "sysctl_set", where, path, value });
  }

  setNeighbor(where: Where, neighbor: NeighborSpec): void {
    const side = this.#side(where);
    const text = neighborText(neighbor);
    const before = side.neighbors.find((one) => neighborText(one) === text);
    const operation = { kind: "neighbor_set", where, neighbor } as const;
    if (before?.isPermanent === true && before.mac === neighbor.mac) {
      // On the node it leads to the pod, so it is ours; the pod's own go with its namespace.
      if (where === "node") {
        this.#kept.push({ operation, undo: { ...operation, kind: "neighbor_remove" } });
      }
      return;
    }
    const others = side.neighbors.filter((one) => one !== before);
    side.neighbors = [...others, { ...neighbor, isPermanent: true }];
    if (before?.isPermanent === true && where === "pod") {
      const { isPermanent: _, ...old } = before;
      return this.#do(operation, { kind: "neighbor_set", where, neighbor: old });
    }
    this.#do(operation, { kind: "neighbor_remove", where, neighbor });
  }

  /** @returns Whether the route is there now, or was left out. */
  addRoute(
    where: Where,
    route: RouteSpec,
    { replaces, isOwn = false }: RouteManners = {},
  ): boolean {
    const side = this.#side(where);
    const operation = { kind: "route_add", where, route } as const;
    const undo = { kind: "route_remove", where, route } as const;
    const text = (one: RouteSpec) => `${where} ${routeText(one)}`;
    if (side.routes.some((one) => routeText(one) === routeText(route))) {
      if (isOwn) this.#kept.push({ operation, undo });
      this.#wishedRoutes.add(text(route));
      return true;
    }
    if (replaces !== undefined) {
      const others = side.routes.filter((one) => slotText(one) === slotText(route));
      // Two wishes for one destination: the first stays, however often it is planned.
      const isRest = (one: RouteSpec) => replaces(one) && !this.#wishedRoutes.has(text(one));
      if (!others.every(isRest)) return false;
      for (const other of others) this.#dropRoute(where, other);
    }
    side.routes = [...side.routes, route];
    this.#wishedRoutes.add(text(route));
    this.#do(operation, undo);
    return true;
  }

  /** Removes the rest of an earlier ADD, or of a dead pod: it does not come back. */
  #dropRoute(where: Where, route: RouteSpec): void {
    const side = this.#side(where);
    side.routes = side.routes.filter((one) => one !== route);
    this.#do({ kind: "route_remove", where, route });
  }

  /** Removes a route that the DEL brings back. */
  removeRoute(where: Where, route: RouteSpec): void {
    const side = this.#side(where);
    side.routes = side.routes.filter((one) => one !== route);
    this.#do({ kind: "route_remove", where, route }, { kind: "route_add", where, route });
  }

  /** @param options.isOwn Whether it goes at the DEL of this NIC, also if it is there already. */
  addRule(
    where: Where,
    spec: Omit<RuleSpec, "protocol">,
    { isOwn }: { readonly isOwn: boolean },
  ): void {
    const side = this.#side(where);
    const same = side.rules.find((one) => one.isOther !== true && ruleText(one) === ruleText(spec));
    const rule = { ...spec, protocol: PROTOCOL_OWN };
    const step: Step = {
      operation: { kind: "rule_add", where, rule },
      undo: { kind: "rule_remove", where, rule },
    };
    if (same === undefined) {
      side.rules = [...side.rules, rule];
      this.#do(step.operation, step.undo);
    } else if (isOwn && same.protocol === PROTOCOL_OWN) this.#kept.push(step);
  }

  /**
   * The priority that the kernel itself would give a rule now: one before the second in its list,
   * for the first is the one of the table of local addresses.
   */
  nextPriority(where: Where, version: IpVersion): number {
    const [, second] = this.#side(where).rules
      .filter((rule) => rule.version === version)
      .map(({ priority }) => priority)
      .toSorted((a, b) => a - b);
    return second === undefined ? RULE_PRIORITY_MAX : Math.max(1, second - 1);
  }

  setMarks({ device, mark }: { readonly device: string; readonly mark: number }): void {
    const operation = { kind: "marks_set", device, mark } as const;
    const undo = { kind: "marks_remove" } as const;
    if (this.#marks === "set") {
      this.#kept.push({ operation, undo });
      return;
    }
    this.#marks = "set";
    this.#do(operation, undo);
  }

  #do(operation: KernelOperation, undo?: KernelOperation): void {
    const step: Step = undo === undefined ? { operation } : { operation, undo };
    this.#steps.push(step);
    this.#kept.push(step);
  }

  #side(where: Where): Side {
    return where === "pod" ? this.#pod : this.#node;
  }

  #change(where: Where, link: LinkFact): void {
    const side = this.#side(where);
    side.links = side.links.map((one) => one.name === link.name ? link : one);
  }
}

/** Just before the table `main`. */
const RULE_PRIORITY_MAX = 32_765;
