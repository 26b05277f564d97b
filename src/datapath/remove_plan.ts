import { hostCidr } from "./addresses.ts";
import type { PodFacts, RemovalFacts } from "./facts.ts";
import { neighborText, routeText, ruleText } from "./likeness.ts";
import {
  type KernelOperation,
  PROTOCOL_OWN,
  type RouteSpec,
  type Step,
  type Where,
} from "./operation.ts";
import { nodeVethName, POD_VETH } from "./place.ts";
import type { CoordinatorRecord } from "./record.ts";
import { REPLY_MARK, RULE_PRIORITY } from "./tables.ts";

/** What a DEL knows without anybody's answer. */
export interface RemovalWish {
  readonly containerId: string;
  readonly ifName: string;
  /** `podDefaultCniNic`. */
  readonly firstNic: string;
  /** Of the configuration; that of the record counts where there is one. */
  readonly hostRuleTable: number;
  /** Addresses that `prevResult` says the NIC has, with or without prefix length. */
  readonly addresses: readonly string[];
}

/**
 * Plans the DEL of one NIC: pod and node go back to how they were before its ADD.
 *
 * Only what is as a step left it is taken back. What is gone is left out, and so is the pod's side
 * where its namespace is gone. The NICs of a pod go in any order: what they share, the pair, goes
 * with the one that brought it.
 *
 * @param record What the ADD left; without it (an ADD of the reference, a lost file) what can be
 *   told to be this NIC's goes.
 */
export function planRemove(
  record: CoordinatorRecord | undefined,
  facts: RemovalFacts,
  { wish }: { readonly wish: RemovalWish },
): readonly KernelOperation[] {
  const steps = record?.steps ?? stepsWithoutRecord(wish, facts);
  const due = steps.toReversed().flatMap((step) => {
    const { undo } = step;
    return undo !== undefined && !isShared(step) && isDue(step, { undo, facts }) ? [undo] : [];
  });
  const going = linksThatGo(steps, due);
  const operations = due.filter((operation) => !going.has(linkText(operation)));
  const table = record?.hostRuleTable ?? wish.hostRuleTable;
  return [...operations, ...sharedRules(table, { operations, facts })];
}

/** The node's rule is for all pods: it goes with the last of them, see `sharedRules`. */
function isShared({ operation }: Step): boolean {
  return operation.kind === "rule_add" && operation.where === "node";
}

/**
 * The node's rules that no pod needs any more: the table that they look up is empty then. Those
 * that somebody else made stay.
 */
function sharedRules(
  table: number,
  { operations, facts: { node } }: {
    readonly operations: readonly KernelOperation[];
    readonly facts: RemovalFacts;
  },
): readonly KernelOperation[] {
  const removed = new Set<string>();
  const links = new Set<string>();
  for (const operation of operations) {
    if (operation.kind === "route_remove") removed.add(routeText(operation.route));
    if (operation.kind === "link_remove") links.add(operation.name);
  }
  const others = node.routes.filter((route) =>
    route.table === table && !removed.has(routeText(route)) &&
    (route.device === undefined || !links.has(route.device))
  );
  return node.rules.filter((rule) =>
    rule.isOther !== true && rule.from === undefined && rule.mark === undefined &&
    rule.protocol === PROTOCOL_OWN && rule.priority === RULE_PRIORITY && rule.table === table &&
    !others.some(({ version }) => version === rule.version)
  ).map((rule) => ({ kind: "rule_remove", where: "node", rule }));
}

/** Both ends of a pair that is removed: what is on them goes with them. */
function linksThatGo(
  steps: readonly Step[],
  due: readonly KernelOperation[],
): ReadonlySet<string> {
  const removed = new Set(due.map((one) => one.kind === "link_remove" ? one.name : undefined));
  const links = new Set<string>();
  for (const { operation } of steps) {
    if (operation.kind !== "veth_add" || !removed.has(operation.nodeName)) continue;
    links.add(`node ${operation.nodeName}`);
    links.add(`pod ${operation.podName}`);
  }
  return links;
}

/** The link that an operation is about, unless it removes it. */
function linkText(operation: KernelOperation): string {
  switch (operation.kind) {
    case "link_state":
    case "link_mac":
    case "link_queue":
      return `${operation.where} ${operation.name}`;
    case "address_add":
    case "address_remove":
      return `${operation.where} ${operation.device}`;
    case "neighbor_set":
    case "neighbor_remove":
      return `${operation.where} ${operation.neighbor.device}`;
    case "route_remove":
      return `${operation.where} ${operation.route.device ?? ""}`;
    default:
      return "";
  }
}

/** Whether a step was done, and nobody has changed since what it left. */
function isDue(
  { operation }: Step,
  { undo, facts }: { readonly undo: KernelOperation; readonly facts: RemovalFacts },
): boolean {
  const side = sideOf(undo, facts);
  if (side === undefined) return false;
  switch (undo.kind) {
    case "link_remove":
      return side.links.some(({ name, kind }) => name === undo.name && kind === "veth");
    case "link_state":
      return side.links.some(({ name, isUp }) => name === undo.name && isUp !== undo.isUp);
    case "link_mac":
      return operation.kind === "link_mac" &&
        side.links.some(({ name, mac }) => name === undo.name && mac === operation.mac);
    case "link_queue":
      return operation.kind === "link_queue" &&
        side.links.some((link) =>
          link.name === undo.name && link.txQueueLength === operation.length
        );
    case "address_remove":
      return side.addresses.some(({ device, address, prefixLength }) =>
        device === undo.device && `${address}/${prefixLength}` === undo.address
      );
    case "neighbor_set":
    case "neighbor_remove":
      return operation.kind === "neighbor_set" &&
        side.neighbors.some((one) =>
          one.isPermanent && one.mac === operation.neighbor.mac &&
          neighborText(one) === neighborText(undo.neighbor)
        );
    case "route_remove":
      return side.routes.some((one) => routeText(one) === routeText(undo.route));
    case "route_add":
      return devicesOf(undo.route).every((device) =>
        side.links.some(({ name }) => name === device)
      ) &&
        !side.routes.some((one) => routeText(one) === routeText(undo.route));
    case "rule_remove":
      return side.rules.some((one) =>
        one.isOther !== true && one.protocol === undo.rule.protocol &&
        ruleText(one) === ruleText(undo.rule)
      );
    case "sysctl_set":
      return operation.kind === "sysctl_set" && side.sysctls[undo.path] === operation.value;
    case "marks_remove":
      return facts.pod?.marks === "set" || facts.pod?.marks === "other";
    case "veth_add":
    case "address_add":
    case "rule_add":
    case "marks_set":
      return true; // No step is taken back by these.
  }
}

function sideOf(undo: KernelOperation, { pod, node }: RemovalFacts) {
  return whereOf(undo) === "pod" ? pod : node;
}

/** The namespace that an operation is done in. */
export function whereOf(operation: KernelOperation): Where {
  return "where" in operation ? operation.where : "pod";
}

function devicesOf({ device, nexthops = [] }: RouteSpec): readonly string[] {
  return device === undefined ? nexthops.map((nexthop) => nexthop.device) : [device];
}

/** What an ADD whose record is lost, or one of the reference, must have done at least. */
function stepsWithoutRecord(
  { containerId, ifName, firstNic, hostRuleTable, addresses }: RemovalWish,
  facts: RemovalFacts,
): readonly Step[] {
  const nodeName = nodeVethName(containerId);
  const own = new Set(addresses.map((address) => address.split("/", 1)[0] ?? ""));
  const devices = [nodeName, overlayLinkName(firstNic, facts)];
  const steps: Step[] = [];
  if (ifName === firstNic) {
    const pair = { podName: POD_VETH, nodeName, mtu: 0, podMac: "", nodeMac: "" };
    const undo = { kind: "link_remove", where: "node", name: nodeName } as const;
    steps.push({ operation: { kind: "veth_add", ...pair }, undo });
  }
  for (const neighbor of facts.node.neighbors) {
    if (!own.has(neighbor.address) || !devices.includes(neighbor.device)) continue;
    const operation = { kind: "neighbor_set", where: "node", neighbor } as const;
    steps.push({ operation, undo: { ...operation, kind: "neighbor_remove" } });
  }
  const destinations = new Set([...own].filter((one) => one !== "").map(hostCidr));
  for (const route of facts.node.routes) {
    if (route.table !== hostRuleTable || !destinations.has(route.destination)) continue;
    if (route.device === undefined || !devices.includes(route.device)) continue;
    const operation = { kind: "route_add", where: "node", route } as const;
    steps.push({ operation, undo: { ...operation, kind: "route_remove" } });
  }
  return facts.pod === undefined
    ? steps
    : [...steps, ...podStepsWithoutRecord(facts.pod, { own, isFirst: ifName === firstNic })];
}

/** Rules made here, and the marks that come with the first NIC. */
function podStepsWithoutRecord(
  pod: PodFacts,
  { own, isFirst }: { readonly own: ReadonlySet<string>; readonly isFirst: boolean },
): readonly Step[] {
  const steps: Step[] = [];
  for (const rule of pod.rules) {
    const [address = ""] = rule.from?.split("/", 1) ?? [];
    const isMine = own.has(address) || (isFirst && rule.mark === REPLY_MARK);
    if (rule.isOther === true || rule.protocol !== PROTOCOL_OWN || !isMine) continue;
    const operation = { kind: "rule_add", where: "pod", rule } as const;
    steps.push({ operation, undo: { ...operation, kind: "rule_remove" } });
  }
  if (isFirst && pod.marks !== "absent") {
    const undo = { kind: "marks_remove" } as const;
    steps.push({ operation: { kind: "marks_set", device: POD_VETH, mark: REPLY_MARK }, undo });
  }
  return steps;
}

/** The node's end of the first NIC, if that is a pair; see `findPlace`. */
function overlayLinkName(firstNic: string, { pod, node }: RemovalFacts): string {
  const first = pod?.links.find(({ name }) => name === firstNic);
  if (first?.parentIndex === undefined) return "";
  return node.links.find((link) =>
    link.index === first.parentIndex && link.parentIndex === first.index
  )?.name ?? "";
}
