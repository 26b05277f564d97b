import {
  type CoordinatorPluginConfig,
  readCoordinatorPluginConfig,
} from "../../src/api/cni_config.ts";
import type { Log } from "../../src/base/log.ts";
import type { Random } from "../../src/base/random.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { AgentPorts } from "../../src/cni/agent_line.ts";
import { fileLog, type LogPorts } from "../../src/cni/log_file.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { Agent } from "./agent.ts";
import type { CoordinatorKernel } from "./kernel.ts";
import { type RecordPorts, Records } from "./records.ts";

/** What every command needs of the world. */
export type CommandPorts = AgentPorts & LogPorts & RecordPorts;

/** What the commands that look at the kernel need as well. */
export type PluginPorts = CommandPorts & {
  readonly random: Random;
  readonly kernel: CoordinatorKernel;
};

/** What each command begins with. */
export interface Setting {
  readonly config: CoordinatorPluginConfig;
  readonly agent: Agent;
  readonly records: Records;
  /** Carries the command, and the container's NIC where there is one. */
  readonly log: Log;
}

/**
 * Reads the configuration, and makes what it describes.
 *
 * @param action Command, as the log names it.
 */
export function begin(
  action: string,
  call: CniCall,
  { ports }: { readonly ports: CommandPorts },
): Result<Setting, CniRefusal> {
  const config = readCoordinatorPluginConfig(call.network.config);
  if (!config.ok) return err({ code: CNI_CODES.badConfig, msg: config.error });
  return ok(settingOf(action, call, { ports, config: config.value }));
}

/**
 * As `begin`, for a command that must not fail: what cannot be read of the configuration is as if
 * it were not there, for no ADD came further with it.
 */
export function beginAnyway(
  action: string,
  call: CniCall,
  { ports }: { readonly ports: CommandPorts },
): Setting {
  const config = readCoordinatorPluginConfig(call.network.config);
  if (config.ok) return settingOf(action, call, { ports, config: config.value });
  const bare = readCoordinatorPluginConfig({});
  if (!bare.ok) throw new Error(`An empty configuration is refused: ${bare.error}`);
  const setting = settingOf(action, call, { ports, config: bare.value });
  setting.log.warn("configuration not used", { problem: config.error });
  return setting;
}

function settingOf(
  action: string,
  { network, attachment: { containerId, netns, ifName } }: CniCall,
  { ports, config }: { readonly ports: CommandPorts; readonly config: CoordinatorPluginConfig },
): Setting {
  const nic = containerId === "" ? {} : { ContainerID: containerId, Netns: netns, IfName: ifName };
  return {
    config,
    agent: new Agent(ports, config.socketPath),
    records: new Records(ports),
    log: fileLog(config.log, { logger: "coordinator", ports })
      .with({ Action: action, Network: network.name, ...nic }),
  };
}
