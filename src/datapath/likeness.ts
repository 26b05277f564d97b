/** When two objects of the kernel are the same one. */
import type { KernelOperation, NeighborSpec, RouteSpec, RuleSpec } from "./operation.ts";

/**
 * What the kernel tells routes apart by: of two with the same text the second is refused as
 * existing. IPv6 does not look at source and scope.
 */
export function routeText(route: RouteSpec): string {
  const { type, device = "", gateway = "", scope, source = "", nexthops = [] } = route;
  const ways = nexthops.map((one) => `${one.device} ${one.gateway ?? ""} ${one.weight}`);
  const rest = route.version === 4 ? `${scope} ${source}` : "";
  return `${slotText(route)}|${type}|${device}|${gateway}|${rest}|${ways.toSorted().join("|")}`;
}

/** What a packet chooses a route by: of two with the same text the first is used. */
export function slotText(route: RouteSpec): string {
  const { version, table, destination, tos = 0, metric, from } = route;
  return `${version}|${table}|${destination}|${tos}|${metric}${
    from === undefined ? "" : `|${from}`
  }`;
}

/** What the kernel tells rules apart by. */
export function ruleText({ version, priority, table, from = "", mark }: RuleSpec): string {
  return `${version}|${priority}|${table}|${from}|${mark ?? ""}`;
}

/** What the kernel tells neighbours apart by. */
export function neighborText({ device, address }: NeighborSpec): string {
  return `${device}|${address}`;
}

/** What an operation changes: of two with the same text the second changes it again. */
export function targetText(operation: KernelOperation): string {
  switch (operation.kind) {
    case "veth_add":
      return `veth|${operation.nodeName}`;
    case "link_remove":
    case "link_state":
    case "link_mac":
    case "link_queue":
      return `${operation.kind}|${operation.where}|${operation.name}`;
    case "address_add":
    case "address_remove":
      return `${operation.kind}|${operation.where}|${operation.device}|${operation.address}`;
    case "neighbor_set":
    case "neighbor_remove":
      return `${operation.kind}|${operation.where}|${neighborText(operation.neighbor)}`;
    case "route_add":
    case "route_remove":
      return `${operation.kind}|${operation.where}|${routeText(operation.route)}`;
    case "rule_add":
    case "rule_remove":
      return `${operation.kind}|${operation.where}|${ruleText(operation.rule)}`;
    case "sysctl_set":
      return `sysctl|${operation.where}|${operation.path}`;
    case "marks_set":
    case "marks_remove":
      return operation.kind;
  }
}
