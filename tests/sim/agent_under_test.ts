/** The agent that the simulation is about. */
import { IpamEngine } from "../../src/agent/engine.ts";
import type { AgentPorts, AgentSettings, AgentUnderTest } from "./agent_ports.ts";

/** Makes the real agent's engine. */
export function agentUnderTest(ports: AgentPorts, settings: AgentSettings): AgentUnderTest {
  return new IpamEngine(ports, settings);
}
