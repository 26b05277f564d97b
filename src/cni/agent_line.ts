/** Questions to the agent of a node at its unix socket, and why there is no answer. */
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  type AgentConnection,
  type AgentQuestion,
  ANSWER_BYTES_MAX,
  ask,
  type AskRefusal,
} from "./agent_client.ts";

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
  /** Nobody listens, or whoever did ended before it had answered: a successor may come. */
  readonly isGone?: true;
}

/** Answer of the agent. */
export type AgentResult<T> = Promise<Result<T, AgentProblem>>;

/** How long a question may take, and what follows it. */
export interface Asking {
  readonly timeoutMs: number;
  /** Whether this is the last question of the process. */
  readonly isLast?: boolean;
  /**
   * Milliseconds for which the question is asked again while the agent is gone; absent: not at all.
   * For questions that may be asked twice.
   */
  readonly goneMs?: number;
}

/** Which agent is asked. */
export interface AgentAddress {
  /** Its unix socket. */
  readonly path: string;
  /** The text of an error's body. */
  readonly refusalText: (body: string) => string;
}

/** Status of a success. */
const STATUS_OK = 200;
/** Characters of an agent's sentence that are passed on: all of any that our agent says. */
const REFUSAL_LENGTH_MAX = 4_096;
/** Milliseconds between two tries while the agent's queue of connections is full. */
const BUSY_WAIT_MS = 20;
/** Milliseconds between two tries while the agent is gone. */
const GONE_WAIT_MS = 100;

/** Questions to the agent at a socket, one connection each. */
export class AgentLine {
  readonly #ports: AgentPorts;
  readonly #address: AgentAddress;

  constructor(ports: AgentPorts, address: AgentAddress) {
    this.#ports = ports;
    this.#address = address;
  }

  /** Asks, and gives the body of a success. */
  async ask(question: AgentQuestion, { isLast = false, goneMs = 0, ...rest }: Asking): AgentResult<
    string
  > {
    const { clock, deadline, endConnecting } = this.#ports;
    const untilMs = clock.monotonicMs() + goneMs;
    for (;;) {
      const signal = deadline(rest.timeoutMs);
      const isFinal = goneMs === 0;
      const answer = await this.#askOnce(question, { ...rest, signal, isLast: isLast && isFinal });
      const isOver = answer.ok || answer.error.isGone !== true || clock.monotonicMs() >= untilMs;
      if (isOver && isLast && !isFinal) endConnecting();
      if (isOver) return answer;
      await clock.sleep(GONE_WAIT_MS, { signal }).catch(() => {});
    }
  }

  async #askOnce(
    question: AgentQuestion,
    { signal, timeoutMs, isLast }: {
      readonly signal: AbortSignal;
      readonly timeoutMs: number;
      readonly isLast: boolean;
    },
  ): AgentResult<string> {
    const opened = await this.#connect({ signal, timeoutMs });
    if (isLast) this.#ports.endConnecting();
    if (!opened.ok) return opened;
    using connection = opened.value;
    const answer = await ask(connection, question, { signal });
    if (!answer.ok) return err(this.#unanswered(answer.error, { timeoutMs }));
    const { status, body } = answer.value;
    if (status === STATUS_OK) return ok(body);
    const text = this.#address.refusalText(body).slice(0, REFUSAL_LENGTH_MAX);
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
        return ok(await this.#ports.connect(this.#address.path));
      } catch (error) {
        if (!isNamed(error, "WouldBlock")) return err(this.#unreachable(error));
        if (signal.aborted) return err(this.#unanswered({ code: "aborted" }, { timeoutMs }));
      }
      await this.#ports.clock.sleep(BUSY_WAIT_MS, { signal }).catch(() => {});
    }
  }

  #unreachable(error: unknown): AgentProblem {
    const remedy = "see that the spiderpool-agent pod of this node runs";
    if (isNamed(error, "NotFound")) {
      const text = `there is no socket "${this.#address.path}"; ${remedy}, or correct ` +
        `ipam_unix_socket_path of the CNI configuration`;
      return { code: "away", text, isGone: true };
    }
    if (isNamed(error, "ConnectionRefused")) {
      const text = `nothing listens at "${this.#address.path}"; ${remedy}`;
      return { code: "away", text, isGone: true };
    }
    const text = `cannot connect to "${this.#address.path}": ${errorText(error)}; ${remedy}`;
    return { code: "away", text };
  }

  #unanswered(
    refusal: AskRefusal,
    { timeoutMs }: { readonly timeoutMs: number },
  ): AgentProblem {
    const peer = `the spiderpool-agent at "${this.#address.path}"`;
    const look = "see its log";
    switch (refusal.code) {
      case "aborted": {
        return { code: "away", text: `${peer} did not answer within ${timeoutMs} ms; ${look}` };
      }
      case "cut": {
        const cause = refusal.cause === undefined ? "" : `: ${errorText(refusal.cause)}`;
        const text = `${peer} closed the connection before it had answered${cause}; it may have ` +
          `been restarted, ${look}`;
        return { code: "away", text, isGone: true };
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
}

/** A decoded answer, or why it is none that can be used. */
export function usable<T>(decoded: Result<T, string>): Result<T, AgentProblem> {
  if (decoded.ok) return decoded;
  return err({ code: "broken", text: `${decoded.error}; see that agent and plugin fit` });
}

/** Whether the system says this, by the name that Deno gives its errors. */
function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
