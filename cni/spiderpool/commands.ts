import type { IpamConfig } from "../../src/api/cni_config.ts";
import type { Log } from "../../src/base/log.ts";
import { ok, type Result } from "../../src/base/result.ts";
import type { AgentPorts, AgentProblem } from "../../src/cni/agent_line.ts";
import { fileLog, type LogPorts } from "../../src/cni/log_file.ts";
import type { PodIdentity } from "../../src/cni/pod.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import { Agent } from "./agent.ts";
import { readPluginConfig } from "./config.ts";
import type { Prove } from "./nic.ts";

/** What the plugin needs of the world. */
export type PluginPorts = AgentPorts & LogPorts;

/** What an ADD needs besides: how addresses are looked at on the wire, loaded if they are to be. */
export interface AddPorts extends PluginPorts {
  readonly loadProbing: () => Promise<Prove>;
}

/** What each command begins with. */
export interface Setting {
  readonly config: IpamConfig;
  readonly agent: Agent;
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
  { network, attachment }: CniCall,
  { ports }: { readonly ports: PluginPorts },
): Result<Setting, CniRefusal> {
  const config = readPluginConfig(network);
  if (!config.ok) return config;
  const { containerId, netns, ifName } = attachment;
  const nic = containerId === "" ? {} : { ContainerID: containerId, Netns: netns, IfName: ifName };
  return ok({
    config: config.value,
    agent: new Agent(ports, config.value.socketPath),
    log: fileLog(config.value.log, { logger: "spiderpool", ports })
      .with({ Action: action, Network: network.name, ...nic }),
  });
}

/** A pod, as each line of the log names it. */
export function podFields({ podName, podNamespace, podUID }: PodIdentity): {
  readonly PodName: string;
  readonly PodNamespace: string;
  readonly PodUID: string;
} {
  return { PodName: podName, PodNamespace: podNamespace, PodUID: podUID };
}

/** What is said where the agent does not serve; people look for these words. */
export function unhealthyText({ text }: AgentProblem): string {
  return `unhealthy spiderpool-agent backend: ${text}`;
}

/** `tryAgain` where the agent is away: it comes back. */
export function codeOf({ code }: AgentProblem): CniRefusal["code"] {
  return code === "away" ? CNI_CODES.tryAgain : CNI_CODES.failed;
}
