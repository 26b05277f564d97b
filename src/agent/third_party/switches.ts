/** Which plugins the switches ask for. Pure. */
import { PLUGIN_VARIABLES, type PluginEnvironment } from "../../api/environment_agent.ts";

/**
 * Plugins of containernetworking, as they are in the image. Their `vlan` is not among them: a node
 * has one program of that name, and it is ours.
 */
export const STANDARD_PLUGINS = [
  "bandwidth",
  "bridge",
  "dhcp",
  "dummy",
  "firewall",
  "host-device",
  "host-local",
  "ipvlan",
  "loopback",
  "macvlan",
  "portmap",
  "ptp",
  "sbr",
  "static",
  "tap",
  "tuning",
  "vrf",
] as const;

/** What each switch installs; `vlan` is the agent's. */
const SWITCHES = [
  ["multus", ["multus"]],
  ["standard", STANDARD_PLUGINS],
  ["ovs", ["ovs"]],
  ["rdma", ["rdma"]],
  ["sriov", ["sriov"]],
  ["ibSriov", ["ib-sriov"]],
  ["ipoib", ["ipoib"]],
] as const;

/** A plugin that is asked for. */
export interface WantedPlugin {
  /** Name of its file. */
  readonly name: string;
  /** Name of the variable that asks for it. */
  readonly variable: string;
}

/** Plugins that the switches ask for, each with the variable that does. */
export function wantedPlugins(switches: PluginEnvironment): readonly WantedPlugin[] {
  return SWITCHES.flatMap(([key, names]) => {
    const { name: variable } = PLUGIN_VARIABLES[key];
    return switches[key] ? names.map((name) => ({ name, variable })) : [];
  });
}
