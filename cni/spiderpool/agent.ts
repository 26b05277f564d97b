import {
  AGENT_CALL_TIMEOUT_MS,
  AGENT_HEALTH_TIMEOUT_MS,
  AGENT_PATHS,
  AGENT_STATUS,
  agentErrorText,
  type IpamAddArgs,
  type IpamAddResponse,
  type IpamDelArgs,
  readIpamAddResponse,
  readWorkloadEndpointStatus,
  type WorkloadEndpointStatus,
} from "../../src/api/agent.ts";
import type { Clock } from "../../src/base/clock.ts";
import { errorText } from "../../src/base/log.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import {
  type AgentAnswer,
  type AgentConnection,
  type AgentQuestion,
  ANSWER_BYTES_MAX,
  ask,
  type AskRefusal,
} from "../../src/cni/agent_client.ts";

/** What asking the agent needs of the world. */
export interface AgentPorts {
  /** Opens a connection to a unix socket, or throws what the system says. */
  readonly connect: (path: string) => Promise<AgentConnection>;
  /** A signal that aborts after a time; its timer does not keep the process. */
  readonly deadline: (timeoutMs: number) => AbortSignal;
  readonly clock: Clock;
  /** No further connection is going to be opened: gives the right to up. */
  readonly endConnecting: () => void;
}

/** Why the agent gave nothing. */
export interface AgentProblem {
  /** `away`: nobody listens, or nobody answers. `refused`: the agent said no, in its own words. */
  readonly code: "away" | "refused" | "broken";
  /** The agent's own sentence, unchanged, if it refused; else what is wrong and what to do. */
  readonly text: string;
  /** Status of the answer, if there was a whole one. */
  readonly status?: number;
}

/** Answer of the agent. */
export type AgentResult<T> = Promise<Result<T, AgentProblem>>;

/** Characters of an agent's sentence that are passed on: all of any that our agent says. */
const REFUSAL_LENGTH_MAX = 4_096;
/** Milliseconds between two tries while the agent's queue of connections is full. */
const BUSY_WAIT_MS = 20;

interface Asking {
  readonly timeoutMs: number;
  /** Whether this is the last question of the process. */
  readonly isLast?: boolean;
}

/** Questions to the agent at a socket, one connection each. */
export class Agent {
  readonly #ports: AgentPorts;
  readonly #path: string;

  /** @param path Its unix socket. */
  constructor(ports: AgentPorts, path: string) {
    this.#ports = ports;
    this.#path = path;
  }

  /** Asks whether it serves. */
  async healthy(
    { timeoutMs = AGENT_HEALTH_TIMEOUT_MS, isLast = false }: Partial<Asking> = {},
  ): AgentResult<void> {
    const answer = await this.#ask({ method: "GET", target: AGENT_PATHS.healthy }, {
      timeoutMs,
      isLast,
    });
    return answer.ok ? ok(undefined) : answer;
  }

  /** Asks for the addresses of a NIC. */
  async add(args: IpamAddArgs): AgentResult<IpamAddResponse> {
    const question = {
      method: "POST",
      target: AGENT_PATHS.ip,
      body: JSON.stringify(args),
    } as const;
    const answer = await this.#ask(question, { timeoutMs: AGENT_CALL_TIMEOUT_MS, isLast: true });
    return answer.ok ? this.#read(readIpamAddResponse(answer.value.body)) : answer;
  }

  /** Has the addresses of a NIC released. */
  async release(args: IpamDelArgs): AgentResult<void> {
    const question = {
      method: "DELETE",
      target: AGENT_PATHS.ip,
      body: JSON.stringify(args),
    } as const;
    const answer = await this.#ask(question, { timeoutMs: AGENT_CALL_TIMEOUT_MS, isLast: true });
    return answer.ok ? ok(undefined) : answer;
  }

  /** Asks what a pod has; without Kubernetes the agent goes by container and NIC. */
  async endpoint(
    { podNamespace, podName, containerID, ifName }: {
      readonly podNamespace: string;
      readonly podName: string;
      readonly containerID: string;
      readonly ifName: string;
    },
  ): AgentResult<WorkloadEndpointStatus> {
    const query = { podNamespace, podName, containerID, ifName };
    const pairs = Object.entries(query).map(([key, text]) => `${key}=${encodeURIComponent(text)}`);
    const target = `${AGENT_PATHS.workloadEndpoint}?${pairs.join("&")}`;
    const answer = await this.#ask({ method: "GET", target }, {
      timeoutMs: AGENT_HEALTH_TIMEOUT_MS,
      isLast: true,
    });
    return answer.ok ? this.#read(readWorkloadEndpointStatus(answer.value.body)) : answer;
  }

  /** Has the addresses of dead pods of this node looked for at once. */
  async settle(): AgentResult<void> {
    const answer = await this.#ask({ method: "POST", target: AGENT_PATHS.ips }, {
      timeoutMs: AGENT_CALL_TIMEOUT_MS,
      isLast: true,
    });
    return answer.ok ? ok(undefined) : answer;
  }

  async #ask(question: AgentQuestion, { timeoutMs, isLast }: Asking): AgentResult<AgentAnswer> {
    const signal = this.#ports.deadline(timeoutMs);
    const opened = await this.#connect({ signal, timeoutMs });
    if (isLast) this.#ports.endConnecting();
    if (!opened.ok) return opened;
    using connection = opened.value;
    const answer = await ask(connection, question, { signal });
    if (!answer.ok) return err(this.#unanswered(answer.error, { timeoutMs }));
    const { status, body } = answer.value;
    if (status === AGENT_STATUS.ok) return answer;
    const text = agentErrorText(body).slice(0, REFUSAL_LENGTH_MAX);
    return err({
      code: "refused",
      status,
      text: text === "" ? `the spiderpool-agent answered ${status} and no text` : text,
    });
  }

  /** A full queue is waited for: the agent is there and has much to do. */
  async #connect(
    { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): AgentResult<AgentConnection> {
    for (;;) {
      try {
        return ok(await this.#ports.connect(this.#path));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) return err(this.#unreachable(error));
        if (signal.aborted) return err(this.#unanswered({ code: "aborted" }, { timeoutMs }));
      }
      await this.#ports.clock.sleep(BUSY_WAIT_MS, { signal }).catch(() => {});
    }
  }

  #unreachable(error: unknown): AgentProblem {
    const remedy = "see that the spiderpool-agent pod of this node runs";
    if (error instanceof Deno.errors.NotFound) {
      const text = `there is no socket "${this.#path}"; ${remedy}, or correct ` +
        `ipam_unix_socket_path of the CNI configuration`;
      return { code: "away", text };
    }
    if (error instanceof Deno.errors.ConnectionRefused) {
      return { code: "away", text: `nothing listens at "${this.#path}"; ${remedy}` };
    }
    const text = `cannot connect to "${this.#path}": ${errorText(error)}; ${remedy}`;
    return { code: "away", text };
  }

  #unanswered(
    refusal: AskRefusal,
    { timeoutMs }: { readonly timeoutMs: number },
  ): AgentProblem {
    const peer = `the spiderpool-agent at "${this.#path}"`;
    const look = "see its log";
    switch (refusal.code) {
      case "aborted": {
        return { code: "away", text: `${peer} did not answer within ${timeoutMs} ms; ${look}` };
      }
      case "cut": {
        const cause = refusal.cause === undefined ? "" : `: ${errorText(refusal.cause)}`;
        const text = `${peer} closed the connection before it had answered${cause}; it may have ` +
          `been restarted, ${look}`;
        return { code: "away", text };
      }
      case "not_http":
        return {
          code: "broken",
          text: `what ${peer} answers is no HTTP: ${refusal.what}; ${look}`,
        };
      case "too_long": {
        const text = `the answer of ${peer} has more than ${ANSWER_BYTES_MAX} bytes; ${look}`;
        return { code: "broken", text };
      }
    }
  }

  #read<T>(decoded: Result<T, string>): Result<T, AgentProblem> {
    if (decoded.ok) return decoded;
    return err({ code: "broken", text: `${decoded.error}; see that agent and plugin fit` });
  }
}
