/** Every operation of the agent's API, on its socket or on the port of the probes. */
import { AGENT_PATHS, RUNTIME_PATHS } from "../api/agent.ts";

/** `METHOD path` of each operation. */
export const AGENT_OPERATIONS = {
  healthy: `GET ${AGENT_PATHS.healthy}`,
  add: `POST ${AGENT_PATHS.ip}`,
  release: `DELETE ${AGENT_PATHS.ip}`,
  settle: `POST ${AGENT_PATHS.ips}`,
  releaseAll: `DELETE ${AGENT_PATHS.ips}`,
  endpoint: `GET ${AGENT_PATHS.workloadEndpoint}`,
  coordinatorConfig: `GET ${AGENT_PATHS.coordinatorConfig}`,
  startup: `GET ${RUNTIME_PATHS.startup}`,
  readiness: `GET ${RUNTIME_PATHS.readiness}`,
  liveness: `GET ${RUNTIME_PATHS.liveness}`,
} as const;
