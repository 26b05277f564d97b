/** The agent that the simulation is about. */
import type { AgentFactory } from "./agent_ports.ts";
import { naiveAgents } from "./naive_agent.ts";

/** Makes the real agent's engine. */
export const agentUnderTest: AgentFactory = naiveAgents("none");
