/** Operations of the coordinator as what `ip -batch`, `nft` and the shell do the same with. */
import type { KernelOperation, RouteSpec, RuleSpec } from "../../../src/datapath/operation.ts";

/** `RTAX_MTU` and `RTAX_ADVMSS`, as `ip route` spells them. */
const METRICS: Readonly<Record<string, string>> = { "2": "mtu", "8": "advmss" };

/** Where commands are done. */
export interface Place {
  /** Path of the pod's network namespace. */
  readonly netns: string;
  /** A process in the node's. */
  readonly nodePid: number;
}

/**
 * One shell script, to be run in the node's namespace: each side's list in one `ip -batch`, rules
 * of IPv6 in a second one, marks by one `nft`, settings by the shell. The pod's side is entered
 * once.
 */
export function scriptOf(operations: readonly KernelOperation[], place: Place): string {
  const pod = sideScript(operations.filter((one) => whereOf(one) === "pod"), place);
  const node = sideScript(operations.filter((one) => whereOf(one) === "node"), place);
  return ["set -e", ...inPod(pod, place), ...node].join("\n");
}

/** The same programs started, with nothing for them to do. */
export function idleScriptOf(operations: readonly KernelOperation[], place: Place): string {
  const idle = (lines: readonly string[]): readonly string[] => {
    return lines.filter((line) => /^(ip|nft) /.test(line))
      .map((line) => `${line.split(" <<")[0]} </dev/null`);
  };
  const pod = sideScript(operations.filter((one) => whereOf(one) === "pod"), place);
  const node = sideScript(operations.filter((one) => whereOf(one) === "node"), place);
  return ["set -e", ...inPod(idle(pod), place), ...idle(node)].join("\n");
}

function inPod(lines: readonly string[], { netns }: Place): readonly string[] {
  if (lines.length === 0) return [];
  return [`nsenter --net=${netns} sh -e <<'POD'`, ...lines, "POD"];
}

function sideScript(
  operations: readonly KernelOperation[],
  place: Place,
): readonly string[] {
  // Of a rule without an address only an option tells the family, and a list has none.
  const isOf6 = (one: KernelOperation): boolean => "rule" in one && one.rule.version === 6;
  const batch = operations.flatMap((one) => isOf6(one) ? [] : batchLine(one, place) ?? []);
  const batch6 = operations.flatMap((one) => isOf6(one) ? batchLine(one, place) ?? [] : []);
  const rules = operations.flatMap((one) => nftText(one) ?? []);
  return [
    ...(batch.length === 0 ? [] : ["ip -batch - <<'IP'", ...batch, "IP"]),
    ...(batch6.length === 0 ? [] : ["ip -6 -batch - <<'IP'", ...batch6, "IP"]),
    ...(rules.length === 0 ? [] : ["nft -f - <<'NFT'", ...rules, "NFT"]),
    ...operations.flatMap((one) => {
      if (one.kind !== "sysctl_set") return [];
      return [`printf %s '${one.value}' >'/proc/sys/${one.path}'`];
    }),
  ];
}

function whereOf(operation: KernelOperation): "pod" | "node" {
  return "where" in operation ? operation.where : "pod";
}

/** A line of a batch; `undefined` where `ip` cannot do it. */
function batchLine(operation: KernelOperation, { nodePid }: Place): string | undefined {
  switch (operation.kind) {
    case "veth_add": {
      const { podName, nodeName, mtu, podMac, nodeMac } = operation;
      return `link add ${podName} mtu ${mtu} address ${podMac} type veth ` +
        `peer name ${nodeName} mtu ${mtu} address ${nodeMac} netns ${nodePid}`;
    }
    case "link_remove":
      return `link del ${operation.name}`;
    case "link_state":
      return `link set ${operation.name} ${operation.isUp ? "up" : "down"}`;
    case "link_mac":
      return `link set ${operation.name} address ${operation.mac}`;
    case "link_queue":
      return `link set ${operation.name} txqueuelen ${operation.length}`;
    case "address_add":
    case "address_remove": {
      const verb = operation.kind === "address_add" ? "add" : "del";
      return `addr ${verb} ${operation.address} dev ${operation.device}`;
    }
    case "neighbor_set": {
      const { address, mac, device } = operation.neighbor;
      return `neigh replace ${address} lladdr ${mac} dev ${device} nud permanent`;
    }
    case "neighbor_remove":
      return `neigh del ${operation.neighbor.address} dev ${operation.neighbor.device}`;
    case "route_add":
      return `route append ${routeText(operation.route)}`;
    case "route_remove":
      return `route del ${routeText(operation.route)}`;
    case "rule_add":
      return `rule add ${ruleText(operation.rule)}`;
    case "rule_remove":
      return `rule del ${ruleText(operation.rule)}`;
    case "sysctl_set":
    case "marks_set":
    case "marks_remove":
      return undefined;
  }
}

/** @throws {Error} The route carries what these benchmarks never make. */
function routeText(route: RouteSpec): string {
  const { destination, table, protocol, scope, type, metric, device, gateway, source } = route;
  const metrics = Object.entries(route.metrics ?? {});
  const isPlain = type === 1 && metrics.every(([number]) => number in METRICS) &&
    route.nexthops === undefined && route.congestion === undefined && device !== undefined;
  if (!isPlain) throw new Error(`No words for the route ${JSON.stringify(route)}`);
  return [
    destination,
    ...(gateway === undefined ? [] : [`via ${gateway}`]),
    `dev ${device}`,
    `table ${table} proto ${protocol}`,
    // Scopes are IPv4's.
    ...(route.version === 4 ? [`scope ${scope}`] : []),
    ...(metric === 0 ? [] : [`metric ${metric}`]),
    ...(source === undefined ? [] : [`src ${source}`]),
    ...(route.isOnlink === true ? ["onlink"] : []),
    ...metrics.map(([number, value]) => `${METRICS[number]} ${value}`),
  ].join(" ");
}

function ruleText({ priority, table, from, mark, protocol }: RuleSpec): string {
  return [
    `pref ${priority} from ${from ?? "all"}`,
    ...(mark === undefined ? [] : [`fwmark ${mark}`]),
    `lookup ${table}`,
    ...(protocol === undefined ? [] : [`protocol ${protocol}`]),
  ].join(" ");
}

function nftText(operation: KernelOperation): string | undefined {
  if (operation.kind === "marks_remove") {
    return "delete table ip spiderpool\ndelete table ip6 spiderpool";
  }
  if (operation.kind !== "marks_set") return undefined;
  const { device, mark } = operation;
  return ["ip", "ip6"].map((family) =>
    `table ${family} spiderpool {
  chain prerouting {
    type filter hook prerouting priority mangle;
    iifname "${device}" ct state new meta mark set ${mark}
    meta mark ${mark} ct mark set meta mark
  }
  chain output {
    type route hook output priority mangle;
    ct mark ${mark} meta mark set ct mark
  }
}`
  ).join("\n");
}
