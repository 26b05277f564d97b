/** The agent as a daemon: its start in order, its stop in the reverse order. */
import type { Variable } from "../api/environment.ts";
import { AGENT_VARIABLES } from "../api/environment_agent.ts";
import { type Clock, startDeadline } from "../base/clock.ts";
import {
  AGENT_CONNECTIONS_MAX,
  API_SERVER_ASK_MS,
  API_SERVER_RETRY_MS_MAX,
  API_SERVER_RETRY_MS_MIN,
  ENGINE_LOOK_MS,
  PROBE_CONNECTIONS_MAX,
  STOP_ABORT_MS,
} from "../base/limits.ts";
import { errorText, jsonLog, type Log } from "../base/log.ts";
import { type Metrics, SILENT_METRICS } from "../base/metrics.ts";
import type { MetricsSink } from "../base/metrics_sink.ts";
import type { CallOptions, StoreResult } from "../base/object_store.ts";
import type { ProgramPorts } from "../base/program.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import { VERSION } from "../base/version.ts";
import { backoffMs } from "../kube/mod.ts";
import { type AgentSettings, readSettings } from "./config.ts";
import { probeHandler } from "./health.ts";
import type { HttpHandler } from "./http/connection.ts";
import { type HttpListener, HttpServer } from "./http/server.ts";
import { metricsHandler } from "./metrics_page.ts";
import { agentHandler } from "./server.ts";
import type { AgentEngine } from "./service.ts";
import { askHealthy } from "./socket_health.ts";
import { bindSocket, type SocketPorts } from "./socket_file.ts";
import { type SysctlPorts, sysctlsOf, tuneSysctls } from "./sysctls.ts";

/** The cluster that an agent works for. */
export interface Cluster extends Disposable {
  /** Where its API server is, for the log. */
  readonly server: string;
  /** A read that the API server answers to everybody who may talk to it. */
  readonly askVersion: (options: CallOptions) => Promise<StoreResult<unknown>>;
  readonly engine: AgentEngine;
}

/** What the daemon needs of the world. */
export interface DaemonPorts extends Pick<ProgramPorts, "readEnvironment" | "writeError"> {
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the daemon is told to stop. */
  readonly stop: AbortSignal;
  readonly readText: (path: string) => Promise<string>;
  readonly writeLog: (line: string) => void;
  readonly sysctls: SysctlPorts;
  readonly sockets: SocketPorts;
  /** Begins to count. */
  readonly openMetrics: (options: { readonly keepsDebug: boolean }) => Promise<MetricsSink>;
  /** Listens on all addresses of the node. */
  readonly listenTcp: (port: number) => HttpListener;
  /** Finds the cluster, without asking it anything. The refusal is one sentence. */
  readonly openCluster: (
    settings: AgentSettings,
    options: EngineContext,
  ) => Promise<Result<Cluster, string>>;
}

/** Where an engine says what it does. */
export interface EngineContext {
  readonly log: Log;
  readonly metrics: Metrics;
}

/** For waits that only their time ends. */
const NEVER = new AbortController().signal;

/** Thrown where the daemon cannot go on; its text is one sentence. */
class DaemonFailure extends Error {
  override readonly name = "DaemonFailure";
}

/**
 * Runs until it is told to stop or cannot go on.
 *
 * @param configPath The configuration file.
 * @returns The exit code: 0 after a stop.
 */
export async function runDaemon(configPath: string, ports: DaemonPorts): Promise<number> {
  const settings = await readSettings(configPath, ports);
  if (settings.ok) return await serveAgent(settings.value, ports);
  ports.writeError(`${settings.error}\n`);
  return 1;
}

/** As `runDaemon`, with settings that were read. */
export async function serveAgent(settings: AgentSettings, ports: DaemonPorts): Promise<number> {
  const { nodeName, podName, logLevel, unused } = settings;
  const log = jsonLog(ports.writeLog, { clock: ports.clock, level: logLevel });
  log.info("agent starts", { version: VERSION, node: nodeName, pod: podName });
  for (const setting of unused) log.warn("a setting has no effect", { setting });
  try {
    await serve(settings, { ports, log });
  } catch (error) {
    if (!(ports.stop.aborted && error === ports.stop.reason)) {
      log.error("agent ends", { error });
      ports.writeError(`${errorText(error)}\n`);
      return 1;
    }
  }
  log.info("agent has stopped");
  return 0;
}

interface Running {
  readonly ports: DaemonPorts;
  readonly log: Log;
}

/**
 * Starts part after part, and ends them in the reverse order: first no plugin connects any more,
 * then requests in flight end, then the probes, then the engine.
 *
 * @throws {DaemonFailure} If a part cannot be had.
 * @throws What the engine or a server ended with, if one ended by itself.
 */
async function serve(settings: AgentSettings, { ports, log }: Running): Promise<void> {
  const { stop } = ports;
  if (settings.tunesSysctls) {
    sure(await tuneSysctls(sysctlsOf(settings.ipam), { ports: ports.sysctls, log }));
  }
  const sink = settings.metrics && await ports.openMetrics(settings.metrics);
  const metrics = sink?.metrics ?? SILENT_METRICS;
  using cluster = sure(await ports.openCluster(settings, { log, metrics }));
  await untilApiServer(cluster, { ports, log });
  /** Rejects with the first part that ends by itself. */
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {}); // It may never be waited for.
  await using parts = new AsyncDisposableStack();
  const { engine } = cluster;
  parts.use(startEngine(engine, { ports, log, fail: ended.reject }));
  parts.use(startWatching(engine, { ports, log }));
  await Promise.race([engine.ready({ signal: stop }), untilAborted(stop), ended.promise]);
  stop.throwIfAborted();
  let hasStarted = false;
  const serving = { ports, log, fail: ended.reject, connectionsMax: PROBE_CONNECTIONS_MAX };
  const probes = probeHandler({
    hasStarted: () => hasStarted,
    askAgent: (options) => askHealthy(settings.socketPath, { ...ports, ...options }),
  });
  const { healthPort, metrics: wanted, socketPath } = settings;
  const { healthPort: healthVariable, metricsPort: metricsVariable } = AGENT_VARIABLES;
  if (healthPort !== undefined) {
    const probed = listenTcp(healthPort, { variable: healthVariable, ports });
    parts.use(startServer(probed, { ...serving, handler: probes }));
  }
  if (sink !== undefined && wanted !== undefined) {
    const scraped = listenTcp(wanted.port, { variable: metricsVariable, ports });
    parts.use(startServer(scraped, { ...serving, handler: metricsHandler(sink) }));
  }
  const socket = parts.use(sure(await bindSocket(socketPath, ports.sockets)));
  if (socket.warning !== undefined) log.warn("the socket is not safe", { why: socket.warning });
  parts.use(startServer(socket.listener, {
    ...serving,
    handler: agentHandler(engine),
    connectionsMax: AGENT_CONNECTIONS_MAX,
  }));
  parts.defer(() => socket.withdraw());
  hasStarted = true;
  log.info("agent serves", { socketPath, healthPort, server: cluster.server });
  await Promise.race([untilAborted(stop), ended.promise]);
}

/** Waits for the API server as long as it takes: without it nothing can be answered. */
async function untilApiServer(cluster: Cluster, { ports, log }: Running): Promise<void> {
  const { clock, random, stop: signal } = ports;
  for (let failures = 0;; failures++) {
    const answer = await cluster.askVersion({ signal, timeoutMs: API_SERVER_ASK_MS });
    if (answer.ok) return;
    const { message: problem } = answer.error;
    log.warn("waiting for the API server", { server: cluster.server, problem });
    const leastMs = API_SERVER_RETRY_MS_MIN;
    const waitMs = backoffMs(failures, { leastMs, mostMs: API_SERVER_RETRY_MS_MAX, random });
    await clock.sleep(waitMs, { signal });
  }
}

/** Runs the engine until it is disposed. @param options.fail Told if it ends by itself. */
function startEngine(
  engine: AgentEngine,
  { ports: { clock }, log, fail }: Running & { readonly fail: (error: unknown) => void },
): AsyncDisposable {
  const work = new AbortController();
  const running = engine.run({ signal: work.signal }).catch((error) => {
    if (!work.signal.aborted) fail(error);
    else if (error !== work.signal.reason) log.error("the engine met a bug", { error });
  });
  return {
    [Symbol.asyncDispose]: async () => {
      using deadline = startDeadline(clock, {
        timeoutMs: STOP_ABORT_MS,
        what: "the engine's end",
        signal: NEVER,
      });
      work.abort(new DaemonFailure("The agent stops"));
      await Promise.race([running, untilAborted(deadline.signal)]);
      if (deadline.signal.aborted) log.error("the engine does not end");
    },
  };
}

/** Says in the log what is wrong with the engine, once for each problem, until it is disposed. */
function startWatching(engine: AgentEngine, { ports: { clock }, log }: Running): AsyncDisposable {
  const end = new AbortController();
  async function watch(): Promise<void> {
    let said: string | undefined;
    for (;;) {
      await clock.sleep(ENGINE_LOOK_MS, end);
      const { problem } = engine;
      if (problem !== undefined && problem !== said) {
        log.warn("the engine is hindered", { problem });
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
function startServer(
  listener: HttpListener,
  { ports: { clock }, log, fail, handler, connectionsMax }: Running & {
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

function listenTcp(
  port: number,
  { variable, ports }: { readonly variable: Variable<number>; readonly ports: DaemonPorts },
): HttpListener {
  try {
    return ports.listenTcp(port);
  } catch (cause) {
    throw new DaemonFailure(
      `Cannot listen on TCP port ${port}: ${errorText(cause)}: stop what listens there, or set ` +
        variable.name,
    );
  }
}

/** @throws {DaemonFailure} If the result is a refusal. */
function sure<T>(result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw new DaemonFailure(result.error);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
