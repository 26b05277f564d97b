import {
  AGENT_GONE_MS,
  AGENT_HEALTH_TIMEOUT_MS,
  AGENT_PATHS,
  agentErrorText,
  type CoordinatorArgs,
  type CoordinatorConfig,
  readCoordinatorConfig,
} from "../../src/api/agent.ts";
import { ok } from "../../src/base/result.ts";
import {
  AgentLine,
  type AgentPorts,
  type AgentProblem,
  type AgentResult,
  usable,
} from "../../src/cni/agent_line.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";

/** Questions to the agent at a socket; each command asks one. */
export class Agent {
  readonly #line: AgentLine;

  /** @param path Its unix socket. */
  constructor(ports: AgentPorts, path: string) {
    this.#line = new AgentLine(ports, { path, refusalText: agentErrorText });
  }

  /** Asks what is done for a pod unless the configuration says otherwise. */
  async config(pod: CoordinatorArgs): AgentResult<CoordinatorConfig> {
    const { podNamespace, podName, podUID } = pod;
    const question = {
      method: "GET",
      target: AGENT_PATHS.coordinatorConfig,
      body: JSON.stringify({ podNamespace, podName, podUID }),
    } as const;
    const answer = await this.#line.ask(question, { ...LAST, goneMs: AGENT_GONE_MS });
    return answer.ok ? usable(readCoordinatorConfig(answer.value)) : answer;
  }

  /** Asks whether it serves. */
  async healthy(): AgentResult<void> {
    const answer = await this.#line.ask({ method: "GET", target: AGENT_PATHS.healthy }, LAST);
    return answer.ok ? ok(undefined) : answer;
  }
}

const LAST = { timeoutMs: AGENT_HEALTH_TIMEOUT_MS, isLast: true } as const;

/**
 * A problem with the agent as the runtime is told: one that is away comes back, one that refuses
 * has been asked and says why.
 */
export function agentRefusal({ code, text }: AgentProblem): CniRefusal {
  if (code === "refused") return { code: CNI_CODES.failed, msg: text };
  return {
    code: code === "away" ? CNI_CODES.tryAgain : CNI_CODES.failed,
    msg: `Cannot ask the spiderpool-agent what the coordinator is to do: ${text}`,
  };
}
