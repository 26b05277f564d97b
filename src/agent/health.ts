/** The API of the agent's TCP port: what a kubelet asks. */
import { AGENT_STATUS } from "../api/agent.ts";
import type { Result } from "../base/result.ts";
import type { HttpHandler } from "../daemon/http/connection.ts";
import { routed } from "../daemon/routes.ts";
import { AGENT_OPERATIONS } from "./operations.ts";

/** What probes are answered from. */
export interface ProbeSources {
  /** Whether the agent has started once. */
  readonly hasStarted: () => boolean;
  /** Asks the agent over its own socket, as a plugin does. */
  readonly askAgent: (options: { readonly signal: AbortSignal }) => Promise<Result<void, string>>;
}

/** Answers probes: startup by the agent's word, readiness and liveness by its socket's answer. */
export function probeHandler({ hasStarted, askAgent }: ProbeSources): HttpHandler {
  const startup: HttpHandler = () => {
    if (hasStarted()) return Promise.resolve({ status: AGENT_STATUS.ok });
    const json = "Cannot serve yet: the agent is starting: its log says what it waits for";
    return Promise.resolve({ status: AGENT_STATUS.failed, json });
  };
  const alive: HttpHandler = async (_request, options) => {
    const answer = await askAgent(options);
    if (answer.ok) return { status: AGENT_STATUS.ok };
    return { status: AGENT_STATUS.failed, json: answer.error };
  };
  return routed({ startup, readiness: alive, liveness: alive }, {
    operations: AGENT_OPERATIONS,
    elsewhere: "ask the agent's unix socket",
  });
}
