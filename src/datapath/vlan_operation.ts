/** What the plugin vlan does to the kernel. */
import type { Result } from "../base/result.ts";
import type { RouteSpec } from "./operation.ts";
import { routeText } from "./operation_text.ts";

/** One change, in the pod unless it says otherwise. */
export type VlanOperation =
  /** On the node: `ip link add link MASTER name NAME netns POD mtu M address A type vlan id ID` */
  | {
    readonly kind: "vlan_add";
    readonly name: string;
    readonly master: string;
    readonly id: number;
    readonly mtu: number;
    readonly mac?: string | undefined;
  }
  /** `ip link set NAME name TO` */
  | { readonly kind: "rename"; readonly name: string; readonly to: string }
  /** `ip link set NAME up` */
  | { readonly kind: "up"; readonly name: string }
  /** `ip link del NAME` */
  | { readonly kind: "remove"; readonly name: string }
  /** `sysctl -w PATH=VALUE`; the path has slashes, for a link's name may have dots. */
  | { readonly kind: "sysctl"; readonly path: string; readonly value: string }
  /** `ip addr add ADDRESS dev NAME` */
  | { readonly kind: "address_add"; readonly name: string; readonly address: string }
  /** `ip route add ...` */
  | { readonly kind: "route_add"; readonly route: RouteSpec };

/** Operations, or why there are none. A sentence names the object and the remedy. */
export type VlanPlan = Result<readonly VlanOperation[], string>;

/** An operation as `ip` writes it. */
export function vlanText(operation: VlanOperation): string {
  switch (operation.kind) {
    case "vlan_add": {
      const { name, master, id, mtu, mac } = operation;
      const address = mac === undefined ? "" : ` address ${mac}`;
      return `ip link add link ${master} name ${name} netns POD mtu ${mtu}${address} type vlan ` +
        `id ${id}`;
    }
    case "rename":
      return `ip link set ${operation.name} name ${operation.to}`;
    case "up":
      return `ip link set ${operation.name} up`;
    case "remove":
      return `ip link del ${operation.name}`;
    case "sysctl":
      return `sysctl -w ${operation.path}=${operation.value}`;
    case "address_add":
      return `ip addr add ${operation.address} dev ${operation.name}`;
    case "route_add":
      return `ip route add ${routeText(operation.route)}`;
  }
}
