/** Parts of a daemon: each starts, says in the log how it fares, and ends when it is disposed. */
import { isRecord } from "../api/decode.ts";
import type { Variable } from "../api/environment.ts";
import { type Clock, startDeadline } from "../base/clock.ts";
import {
  API_SERVER_ASK_MS,
  API_SERVER_RETRY_MS_MAX,
  API_SERVER_RETRY_MS_MIN,
  ENGINE_LOOK_MS,
  STOP_ABORT_MS,
} from "../base/limits.ts";
import { errorText, type Log } from "../base/log.ts";
import type { CallOptions, StoreResult } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import { untilAborted } from "../base/waiting.ts";
import { backoffMs, type KindName } from "../kube/mod.ts";
import type { TellPod } from "./last_word.ts";
import type { HttpHandler } from "./http/connection.ts";
import { type HttpListener, HttpServer } from "./http/server.ts";

/** For waits that only their time ends. */
const NEVER = new AbortController().signal;

/** Thrown where a daemon cannot go on; its text is one sentence. */
export class DaemonFailure extends Error {
  override readonly name = "DaemonFailure";
}

/** What every part is given. */
export interface Surroundings {
  readonly clock: Clock;
  readonly log: Log;
}

/** The API server, as it is asked for the first time. */
export interface FirstContact {
  /** Where it is, for the log. */
  readonly server: string;
  /** A read that it answers to everybody who may talk to it. */
  readonly askVersion: (options: CallOptions) => Promise<StoreResult<unknown>>;
  /** Another one: which of some kinds it does not serve. */
  readonly askMissing: (
    kinds: readonly KindName[],
    options: CallOptions,
  ) => Promise<StoreResult<readonly KindName[]>>;
}

/** The oldest minor version of Kubernetes 1 on which all works: its definitions can have rules. */
export const KUBERNETES_MINOR_MIN = 25;

/** What an answer to `askVersion` says against the server, as a sentence. */
export function versionProblem(answer: unknown): string | undefined {
  const text = isRecord(answer) ? answer.gitVersion : undefined;
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(typeof text === "string" ? text : "") ?? [];
  if (major === undefined || minor === undefined) return undefined; // It does not say.
  if (Number(major) > 1 || Number(minor) >= KUBERNETES_MINOR_MIN) return undefined;
  return `Kubernetes ${text} is older than 1.${KUBERNETES_MINOR_MIN}: it does not enforce the ` +
    "rules of our kinds, nor keep writers of older versions out; update the cluster";
}

/** Waits for the API server as long as it takes: without it nothing can be done. */
export async function untilApiServer(
  { server, askVersion }: FirstContact,
  { clock, log, random, tellPod, signal }: Surroundings & {
    readonly random: Random;
    readonly tellPod: TellPod;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  for (let failures = 0;; failures++) {
    const answer = await askVersion({ signal, timeoutMs: API_SERVER_ASK_MS });
    if (answer.ok) {
      const unsupported = versionProblem(answer.value);
      if (unsupported !== undefined) {
        log.warn("the API server is not supported", { server, problem: unsupported });
        // It never fails, and nobody waits for it who is told to stop.
        const told = tellPod(unsupported, { reason: "UnsupportedKubernetes" });
        await Promise.race([told, untilAborted(signal)]);
      }
      return;
    }
    const { message: problem } = answer.error;
    log.warn("waiting for the API server", { server, problem });
    const leastMs = API_SERVER_RETRY_MS_MIN;
    const waitMs = backoffMs(failures, { leastMs, mostMs: API_SERVER_RETRY_MS_MAX, random });
    await clock.sleep(waitMs, { signal });
  }
}

/** Says on the pod what is set and does nothing; the log has it too. */
export async function tellUnused(
  unused: readonly string[],
  { tellPod, signal }: { readonly tellPod: TellPod; readonly signal: AbortSignal },
): Promise<void> {
  for (const setting of unused) {
    const told = tellPod(`A setting has no effect: ${setting}`, { reason: "SettingWithoutEffect" });
    await Promise.race([told, untilAborted(signal)]);
  }
}

/** What a daemon exists for. */
export interface Engine {
  /** Works until the signal aborts, then rejects with its reason. */
  run(options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** What hinders it, as a sentence. */
  readonly problem: string | undefined;
}

/**
 * Runs an engine until it is disposed.
 *
 * @param options.fail Told if it ends by itself.
 * @param options.leaveMs Milliseconds that its end takes in any case.
 */
export function startEngine(
  engine: Pick<Engine, "run">,
  { clock, log, fail, leaveMs = 0 }: Surroundings & {
    readonly fail: (error: unknown) => void;
    readonly leaveMs?: number;
  },
): AsyncDisposable {
  const work = new AbortController();
  const running = engine.run({ signal: work.signal }).catch((error) => {
    if (!work.signal.aborted) fail(error);
    else if (error !== work.signal.reason) log.error("the engine met a bug", { error });
  });
  return {
    [Symbol.asyncDispose]: async () => {
      using deadline = startDeadline(clock, {
        timeoutMs: leaveMs + STOP_ABORT_MS,
        what: "the engine's end",
        signal: NEVER,
      });
      work.abort(new DaemonFailure("The program stops"));
      await Promise.race([running, untilAborted(deadline.signal)]);
      if (deadline.signal.aborted) log.error("the engine does not end");
    },
  };
}

/**
 * Says in the log and as an Event what is wrong with the engine, until it is disposed.
 *
 * @param parts What may hinder it: of several problems the first is said.
 */
export function startWatching(
  parts: readonly Pick<Engine, "problem">[],
  { clock, log, tellPod }: Surroundings & { readonly tellPod: TellPod },
): AsyncDisposable {
  const end = new AbortController();
  async function watch(): Promise<void> {
    let said: string | undefined;
    for (;;) {
      await clock.sleep(ENGINE_LOOK_MS, end);
      const problem = parts.map((part) => part.problem).find((one) => one !== undefined);
      if (problem !== undefined && problem !== said) {
        log.warn("the engine is hindered", { problem });
        await Promise.race([tellPod(problem, { reason: "Hindered" }), untilAborted(end.signal)]);
      }
      if (problem === undefined && said !== undefined) log.info("the engine is well again");
      said = problem;
    }
  }
  const watching = watch().catch((error) => {
    if (!end.signal.aborted) log.error("nobody looks at the engine any more", { error });
  });
  return {
    [Symbol.asyncDispose]: () => {
      end.abort();
      return watching;
    },
  };
}

/** Serves a listener until it is disposed. @param options.fail Told if it ends by itself. */
export function startServer(
  listener: HttpListener,
  { clock, log, fail, handler, connectionsMax }: Surroundings & {
    readonly fail: (error: unknown) => void;
    readonly handler: HttpHandler;
    readonly connectionsMax: number;
  },
): AsyncDisposable {
  const server = new HttpServer(listener, {
    clock,
    log,
    connectionsMax,
    handler: async (request, options) => {
      const fromMs = clock.monotonicMs();
      const reply = await handler(request, options);
      const { method, path } = request;
      const ms = Math.round(clock.monotonicMs() - fromMs);
      log.debug("request answered", { method, path, status: reply.status, ms });
      return reply;
    },
  });
  const running = server.run().catch(fail);
  return {
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await running;
    },
  };
}

/**
 * Listens on a TCP port of the node.
 *
 * @param port The setting's value. @param options.variable What sets it, for the message.
 * @throws {DaemonFailure} If it cannot.
 */
export function listenOn(
  port: number,
  { variable, listenTcp }: {
    readonly variable: Pick<Variable<unknown>, "name">;
    readonly listenTcp: (port: number) => HttpListener;
  },
): HttpListener {
  try {
    return listenTcp(port);
  } catch (cause) {
    throw new DaemonFailure(
      `Cannot listen on TCP port ${port}: ${errorText(cause)}: stop what listens there, or set ` +
        variable.name,
    );
  }
}

/** The value of a result. @throws {DaemonFailure} If it is a refusal. */
export function sure<T>(result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new DaemonFailure(result.error);
}
