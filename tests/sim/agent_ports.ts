/** What an agent is to the simulation: the service of plugins, and the loops behind it. */
import type { AgentService } from "../../src/agent/service.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Log } from "../../src/base/log.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import type { Random } from "../../src/base/random.ts";
import type { Result } from "../../src/base/result.ts";
import type { AnyAddressInCidr } from "../../src/ip/mod.ts";
import type { IpamSettings } from "../../src/ipam/settings.ts";

/** The outside of an agent. */
export interface AgentPorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly masterSubnets: (
    nic: { readonly netns: string; readonly nic: string },
  ) => Promise<Result<readonly AnyAddressInCidr[], string>>;
  readonly sandboxOf: (podUid: string) => Promise<"present" | "absent" | "unknown">;
}

/** What an agent is told at its start. */
export interface AgentSettings {
  readonly ipam: IpamSettings;
  readonly nodeName: string;
  readonly identity: string;
}

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
  spiderSubnet: false,
  autoPool: false,
  agentNamespace: "spiderpool",
  clusterNetwork: "",
  conflictDetection: false,
  gatewayDetection: false,
  releaseConflicting: true,
};
