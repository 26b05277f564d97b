/** Operations in words, for people who read logs and refusals. */
import { unreachable } from "../base/assert.ts";
import type { KernelOperation, RouteSpec, RuleSpec } from "./operation.ts";

/** An operation as the command that does the same: `pod: ip rule add pref 1000 ...`. */
export function operationText(operation: KernelOperation): string {
  const where = "where" in operation ? operation.where : "pod";
  return `${where}: ${commandText(operation)}`;
}

function commandText(operation: KernelOperation): string {
  switch (operation.kind) {
    case "veth_add":
      return `ip link add ${operation.podName} type veth peer name ${operation.nodeName}`;
    case "link_remove":
      return `ip link del ${operation.name}`;
    case "link_state":
      return `ip link set ${operation.name} ${operation.isUp ? "up" : "down"}`;
    case "link_mac":
      return `ip link set ${operation.name} address ${operation.mac}`;
    case "link_queue":
      return `ip link set ${operation.name} txqueuelen ${operation.length}`;
    case "address_add":
    case "address_remove":
      return `ip addr ${verbOf(operation)} ${operation.address} dev ${operation.device}`;
    case "neighbor_set":
    case "neighbor_remove": {
      const { address, mac, device } = operation.neighbor;
      const verb = operation.kind === "neighbor_set" ? "replace" : "del";
      return `ip neigh ${verb} ${address} lladdr ${mac} dev ${device} nud permanent`;
    }
    case "route_add":
    case "route_remove":
      return `ip route ${verbOf(operation)} ${routeText(operation.route)}`;
    case "rule_add":
    case "rule_remove":
      return `ip rule ${verbOf(operation)} ${ruleText(operation.rule)}`;
    case "sysctl_set":
      return `sysctl -w ${operation.path}=${operation.value}`;
    case "marks_set":
      return `nft marks of what comes in by ${operation.device}`;
    case "marks_remove":
      return "nft delete table of marks";
    default:
      return unreachable(operation);
  }
}

function verbOf({ kind }: { readonly kind: string }): "add" | "del" {
  return kind.endsWith("_add") ? "add" : "del";
}

/** A route as `ip route` writes it. */
export function routeText(
  { destination, gateway, device, source, table, nexthops }: RouteSpec,
): string {
  return [
    destination,
    ...(gateway === undefined ? [] : [`via ${gateway}`]),
    ...(device === undefined ? [] : [`dev ${device}`]),
    ...(nexthops ?? []).map((one) => `nexthop via ${one.gateway ?? "?"} dev ${one.device}`),
    ...(source === undefined ? [] : [`src ${source}`]),
    `table ${table}`,
  ].join(" ");
}

function ruleText({ version, priority, from, mark, table }: RuleSpec): string {
  return [
    `pref ${priority}`,
    ...(from === undefined ? [] : [`from ${from}`]),
    ...(mark === undefined ? [] : [`fwmark ${mark}`]),
    `lookup ${table} (IPv${version})`,
  ].join(" ");
}
