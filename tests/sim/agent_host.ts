/** The agents of one node: started, killed, stopped, two at a time while they roll over. */
import type {
  IpamAddArgs,
  IpamAddResponse,
  IpamBatchDelArgs,
  IpamDelArgs,
} from "../../src/api/agent.ts";
import { errorText } from "../../src/base/log.ts";
import { ok, type Result } from "../../src/base/result.ts";
import type { AgentFactory, AgentUnderTest } from "./agent_ports.ts";
import { SIM_SETTINGS } from "./agent_ports.ts";
import { ApiClient, type Link } from "./api_client.ts";
import type { ApiServer } from "./api_server.ts";
import type { Dice } from "./dice.ts";
import { Life } from "./life.ts";
import { programLog } from "./program_log.ts";
import type { Referee } from "./referee.ts";
import { clockOf } from "./scheduler.ts";

/** Milliseconds that a call may take, with what it undoes at its end: the engine's own 60 s. */
export const CALL_MS_MAX = 90_000;

/** What a plugin hears. */
export type CallOutcome<T> =
  | { readonly kind: "answer"; readonly value: T; readonly isReference: boolean }
  /** The agent said no. */
  | { readonly kind: "refused"; readonly message: string }
  /** There is no agent, or it died under the call. */
  | { readonly kind: "cut" };

/** An ADD that was answered, at the moment it is. */
export interface AnsweredAdd {
  readonly args: IpamAddArgs;
  readonly response: IpamAddResponse;
  readonly node: string;
  readonly agent: string;
  readonly startedMs: number;
}

/** An ADD that was refused, at the moment it is. */
export interface RefusedAdd extends Omit<AnsweredAdd, "response"> {
  readonly message: string;
  /** Whether the agent's time is up: what it made stays for its successor. */
  readonly isEnding: boolean;
}

/** What the checkers want to hear of. */
export interface CallObserver {
  addStarted(call: Omit<AnsweredAdd, "response">): void;
  /** However it ended, also with the agent. */
  addEnded(call: Omit<AnsweredAdd, "response">): void;
  addAnswered(call: AnsweredAdd): void;
  addRefused(call: RefusedAdd): void;
  releaseStarted(args: IpamDelArgs): void;
  releaseAllStarted(args: IpamBatchDelArgs): void;
}

/** What a host is made of. */
export interface AgentHostOptions {
  readonly server: ApiServer;
  readonly dice: Dice;
  readonly referee: Referee;
  readonly observer: CallObserver;
  readonly makeAgent: AgentFactory;
  /** The agent that is to be replaced; its answers are not looked at. */
  readonly makeReference: AgentFactory;
  readonly node: string;
  readonly link: Link;
  readonly skewMs: number;
  readonly sandboxOf: (podUid: string) => "present" | "absent" | "unknown";
}

/** One running agent. */
interface Process {
  readonly name: string;
  readonly life: Life;
  readonly agent: AgentUnderTest;
  readonly stop: AbortController;
  /** Calls in flight: what each hears when the process dies. */
  readonly calls: Set<() => void>;
  readonly isReference: boolean;
  isStopping: boolean;
}

/** The agents of a node. */
export class AgentHost {
  readonly #options: AgentHostOptions;
  /** Oldest first; the last one listens. */
  readonly #processes: Process[] = [];
  #startCount = 0;
  /** Whether the reference's agent is installed. */
  isReference = false;

  constructor(options: AgentHostOptions) {
    this.#options = options;
  }

  /** How many run. */
  get count(): number {
    return this.#processes.length;
  }

  /** Whether a plugin would be served now. */
  get isServing(): boolean {
    return this.#listener() !== undefined;
  }

  /** Starts one more; from when it is ready, it listens. */
  start(): void {
    const { server, dice, referee, node, link, skewMs } = this.#options;
    const { isReference } = this;
    const makeAgent = isReference ? this.#options.makeReference : this.#options.makeAgent;
    const name = `${isReference ? "old" : "agent"}-${node}.${++this.#startCount}`;
    const life = new Life();
    const store = new ApiClient(server, { life, name, dice: dice.fork(), link });
    const agent = makeAgent({
      store,
      clock: clockOf(server.scheduler, { life, skewMs }),
      random: dice.fork().random,
      log: programLog(server.trace, { name, life }),
      masterSubnets: () => Promise.resolve(ok([])),
      sandboxOf: (podUid) => this.#sandboxOf(podUid, life),
    }, { ipam: SIM_SETTINGS, nodeName: node, identity: name });
    const process: Process = {
      name,
      life,
      agent,
      stop: new AbortController(),
      calls: new Set(),
      isReference,
      isStopping: false,
    };
    this.#processes.push(process);
    server.trace.note(name, "starts");
    agent.run({ signal: process.stop.signal }).then(
      () => this.#ended(process, "it returned"),
      (error) => this.#ended(process, errorText(error)),
    ).catch((error) => referee.report("simulator", errorText(error)));
  }

  /** Kills all of them at once: nothing they were about to do is done. */
  crash(): void {
    for (const process of this.#processes.splice(0)) this.#kill(process, "is killed");
  }

  /** Asks all of them to end; calls in flight have a while to finish. */
  stop(graceMs: number): void {
    for (const process of [...this.#processes]) this.#stopOne(process, graceMs);
  }

  /** A new one beside the old one, which goes a while after the new one serves, or dies. */
  rollOver({ overlapMs, graceMs }: { readonly overlapMs: number; readonly graceMs: number }): void {
    const old = [...this.#processes];
    this.start();
    this.#options.server.scheduler.after(overlapMs, () => {
      for (const process of old) this.#stopOne(process, graceMs);
    });
  }

  add(
    args: IpamAddArgs,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<CallOutcome<IpamAddResponse>> {
    const { observer, server, node } = this.#options;
    const process = this.#listener();
    if (process === undefined) return Promise.resolve({ kind: "cut" });
    const call = { args, node, agent: process.name, startedMs: server.scheduler.nowMs };
    if (!process.isReference) observer.addStarted(call);
    return this.#call(process, {
      what: `ADD ${args.podNamespace}/${args.podName} ${args.ifName} ${args.containerID}`,
      signal,
      body: () => process.agent.add(args, { signal }),
      onAnswer: (response) => observer.addAnswered({ ...call, response }),
      onRefusal: (message) => {
        observer.addRefused({ ...call, message, isEnding: process.stop.signal.aborted });
      },
    }).finally(() => {
      if (!process.isReference) observer.addEnded(call);
    });
  }

  release(
    args: IpamDelArgs,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<CallOutcome<void>> {
    const process = this.#listener();
    if (process === undefined) return Promise.resolve({ kind: "cut" });
    this.#options.observer.releaseStarted(args);
    return this.#call(process, {
      what: `DEL ${args.podNamespace}/${args.podName} ${args.ifName} ${args.containerID}`,
      signal,
      body: () => process.agent.release(args, { signal }),
    });
  }

  releaseAll(
    args: IpamBatchDelArgs,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<CallOutcome<void>> {
    const process = this.#listener();
    if (process === undefined) return Promise.resolve({ kind: "cut" });
    this.#options.observer.releaseAllStarted(args);
    return this.#call(process, {
      what: `DEL all of ${args.podNamespace}/${args.podName} ${args.containerID}`,
      signal,
      body: () => process.agent.releaseAll(args, { signal }),
    });
  }

  #listener(): Process | undefined {
    return this.#processes.findLast(({ agent, isStopping }) => !isStopping && agent.isReady);
  }

  #call<T>(process: Process, { what, signal, body, onAnswer, onRefusal }: {
    readonly what: string;
    readonly signal: AbortSignal;
    readonly body: () => Promise<Result<T, { readonly message: string }>>;
    readonly onAnswer?: (value: T) => void;
    readonly onRefusal?: (message: string) => void;
  }): Promise<CallOutcome<T>> {
    const { server, referee } = this.#options;
    server.trace.note(process.name, what);
    return new Promise((resolve) => {
      const limit = server.scheduler.after(CALL_MS_MAX, () => {
        referee.report("call_hangs", `${what} was not answered within ${CALL_MS_MAX} ms`);
      });
      const done = (outcome: CallOutcome<T>): void => {
        limit.cancel();
        process.calls.delete(cut);
        resolve(outcome);
      };
      const cut = (): void => done({ kind: "cut" });
      process.calls.add(cut);
      body().then((result) => {
        if (!process.life.isAlive) return;
        if (result.ok) {
          server.trace.note(process.name, `${what}: answered ${JSON.stringify(result.value)}`);
          if (!process.isReference) onAnswer?.(result.value);
          const { isReference } = process;
          return done({ kind: "answer", value: result.value, isReference });
        }
        const { message } = result.error;
        server.trace.note(process.name, `${what}: refused, ${message}`);
        if (!process.isReference) onRefusal?.(message);
        done({ kind: "refused", message });
      }, (error) => {
        if (!process.life.isAlive) return;
        const stopped = process.stop.signal;
        const isReason = (signal.aborted && error === signal.reason) ||
          (stopped.aborted && error === stopped.reason);
        if (!isReason) {
          referee.report("call_throws", `${what}: ${errorText(error)}`);
        }
        server.trace.note(process.name, `${what}: given up`);
        done({ kind: "cut" });
      });
    });
  }

  #sandboxOf(podUid: string, life: Life): Promise<"present" | "absent" | "unknown"> {
    const { server, dice, sandboxOf } = this.#options;
    return new Promise((resolve) => {
      server.scheduler.after(dice.ms(0, 2), () => {
        const answer = sandboxOf(podUid);
        if (life.isAlive) resolve(answer);
      });
    });
  }

  #stopOne(process: Process, graceMs: number): void {
    if (process.isStopping || !process.life.isAlive) return;
    const { server } = this.#options;
    server.trace.note(process.name, "stops");
    process.isStopping = true;
    const startedMs = server.scheduler.nowMs;
    const look = (): void => {
      if (!process.life.isAlive) return;
      const isOver = server.scheduler.nowMs - startedMs >= graceMs;
      if (process.calls.size > 0 && !isOver) return void server.scheduler.after(500, look);
      process.stop.abort(new Error("The agent stops"));
      server.scheduler.after(1_000, () => {
        if (process.life.isAlive) this.#kill(process, "is gone");
      });
    };
    look();
  }

  #kill(process: Process, how: string): void {
    this.#options.server.trace.note(process.name, how);
    const index = this.#processes.indexOf(process);
    if (index >= 0) this.#processes.splice(index, 1);
    process.life.end();
    for (const cut of [...process.calls]) cut();
  }

  #ended(process: Process, why: string): void {
    if (!process.life.isAlive || process.stop.signal.aborted) return;
    this.#options.referee.report("agent_ends", `${process.name} ended by itself: ${why}`);
  }
}
