/** What an agent is to the simulation: the service of plugins, and the loops behind it. */
import type { EnginePorts, EngineSettings } from "../../src/agent/engine.ts";
import type { AgentService } from "../../src/agent/service.ts";
import type { IpamSettings } from "../../src/ipam/settings.ts";

/** The outside of an agent. */
export type AgentPorts = EnginePorts;
/** What an agent is told at its start. */
export type AgentSettings = EngineSettings;

/** An agent that can be run. */
export interface AgentUnderTest extends AgentService {
  /** Its loops, until the signal aborts. */
  run(options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** Whether its socket is open. */
  readonly isReady: boolean;
}

/** Makes an agent. */
export type AgentFactory = (ports: AgentPorts, settings: AgentSettings) => AgentUnderTest;

/** What the simulated installation chose. */
export const SIM_SETTINGS: IpamSettings = {
  ipv4: true,
  ipv6: true,
  statefulSet: true,
  kubevirt: true,
  spiderSubnet: true,
  autoPool: true,
  agentNamespace: "spiderpool",
  clusterNetwork: "",
  conflictDetection: false,
  gatewayDetection: false,
  releaseConflicting: true,
};
