/** What the commands have in common: the configuration, and the IPAM plugin that it names. */
import { readVlanConfig, type VlanConfig } from "../../src/api/cni_config.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { AgentPorts } from "../../src/cni/agent_line.ts";
import {
  delegate,
  type DelegatePorts,
  type DelegateProblem,
  findPlugin,
} from "../../src/cni/delegate.ts";
import type { JsonObject } from "../../src/cni/network.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import type { CniCommandName } from "../../src/cni/version.ts";
import type { VlanOperation } from "../../src/datapath/vlan_operation.ts";
import type { NicFacts, VlanLink, VlanRefusal } from "../../src/datapath/vlan_plan.ts";

/** An operation that the kernel refused. */
export interface RefusedOperation {
  readonly operation: VlanOperation;
  readonly refusal: VlanRefusal;
  /** One sentence. */
  readonly message: string;
}

/** Node and pod, as the plugin needs them. All throw `NetlinkError`. */
export interface VlanKernel extends Disposable {
  /** What a plan of a NIC on a link of the node is made from. */
  facts(master: string): NicFacts;
  podLinks(): readonly VlanLink[];
  nodeLinks(): readonly VlanLink[];
  /** Addresses of a NIC, with prefix length. */
  addresses(name: string): readonly {
    readonly address: string;
    /** IPv6: it is not looked for on the wire yet, or somebody else has it. */
    readonly state: "usable" | "tentative" | "taken";
  }[];
  /** A setting of the pod, by a path with slashes. */
  setting(path: string): string | undefined;
  /** Does operations in order, up to the first that is refused. */
  apply(operations: readonly VlanOperation[]): Result<undefined, RefusedOperation>;
}

/** What the commands that only pass on need of the world. */
export type CommandPorts = DelegatePorts;

/** What the commands that look at the kernel need as well. */
export interface KernelPorts extends CommandPorts {
  /** @param netns Path of the pod's network namespace. */
  readonly openPod: (netns: string) => VlanKernel;
  /** Nothing, where the namespace is gone. */
  readonly openPodIfThere: (netns: string) => VlanKernel | undefined;
}

/** What ADD needs of the world. */
export type AddPorts = KernelPorts & AgentPorts;

/** Has the IPAM plugin do a command. */
export type AskIpam = (
  command: CniCommandName,
  config: JsonObject,
) => Promise<Result<string, DelegateProblem>>;

/** What a command begins with. */
export interface Setting {
  readonly config: VlanConfig;
  /** Absent: the NIC has no addresses of anybody. */
  readonly ipam: { readonly path: string; readonly ask: AskIpam } | undefined;
}

/** Reads the configuration, and finds the IPAM plugin. */
export function begin(
  { network }: CniCall,
  { ports }: { readonly ports: CommandPorts },
): Result<Setting, CniRefusal> {
  const config = readVlanConfig(network.config);
  if (!config.ok) return err({ code: CNI_CODES.badConfig, msg: config.error });
  const { ipam } = config.value;
  if (ipam === undefined) return ok({ config: config.value, ipam: undefined });
  const found = findPlugin(ipam, ports);
  if (!found.ok) return found;
  const path = found.value;
  const ask: AskIpam = (command, given) => delegate(path, { command, config: given, ports });
  return ok({ config: config.value, ipam: { path, ask } });
}

/** Has the IPAM plugin do a command that is its alone. */
export async function passOn(
  command: CniCommandName,
  call: CniCall,
  { ports }: { readonly ports: CommandPorts },
): Promise<CniOutcome> {
  const setting = begin(call, { ports });
  if (!setting.ok) return setting;
  const done = await setting.value.ipam?.ask(command, call.network.config);
  return done?.ok === false ? err(done.error.refusal) : ok(undefined);
}
