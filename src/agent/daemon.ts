/** The agent as a daemon: its start in order, its stop in the reverse order. */
import { AGENT_VARIABLES } from "../api/environment_agent.ts";
import { SPIDER_KINDS } from "../api/kinds.ts";
import { SPIDER_MULTUS_CONFIGS } from "../api/multus_config.ts";
import { SPIDER_SUBNETS } from "../api/subnet.ts";
import type { Clock } from "../base/clock.ts";
import { AGENT_CONNECTIONS_MAX, PROBE_CONNECTIONS_MAX } from "../base/limits.ts";
import { errorText, jsonLog, type Log } from "../base/log.ts";
import { type Metrics, SILENT_METRICS } from "../base/metrics.ts";
import type { MetricsSink } from "../base/metrics_sink.ts";
import type { ProgramPorts } from "../base/program.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import { VERSION } from "../base/version.ts";
import { untilAborted } from "../base/waiting.ts";
import { type AgentSettings, readSettings } from "./config.ts";
import { probeHandler } from "./health.ts";
import type { HttpListener } from "../daemon/http/server.ts";
import type { TellPod } from "../daemon/last_word.ts";
import { metricsHandler } from "../daemon/metrics_page.ts";
import { startMissingKinds } from "../daemon/missing_kinds.ts";
import {
  type FirstContact,
  listenOn,
  startEngine,
  startServer,
  startWatching,
  sure,
  tellUnused,
  untilApiServer,
} from "../daemon/serving.ts";
import type { KindName } from "../kube/mod.ts";
import { agentHandler } from "./server.ts";
import type { AgentEngine } from "./service.ts";
import { askHealthy } from "./socket_health.ts";
import { bindSocket, type SocketPorts } from "./socket_file.ts";
import { type SysctlPorts, tuneSysctls } from "./sysctls.ts";

/** The cluster that an agent works for. */
export interface Cluster extends Disposable, FirstContact {
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
  /** Tells people who look at the pod and not into its log. */
  readonly tellPod: TellPod;
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
  await ports.tellPod(settings.error, { reason: "CannotStart" });
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
      await ports.tellPod(errorText(error), { reason: "CannotRun" });
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
    sure(await tuneSysctls(settings.ipam, { ports: ports.sysctls, log }));
  }
  const sink = settings.metrics && await ports.openMetrics(settings.metrics);
  const metrics = sink?.metrics ?? SILENT_METRICS;
  using cluster = sure(await ports.openCluster(settings, { log, metrics }));
  const { clock, random, tellPod } = ports;
  await untilApiServer(cluster, { clock, log, random, tellPod, signal: stop });
  await tellUnused(settings.unused, { tellPod, signal: stop });
  /** Rejects with the first part that ends by itself. */
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {}); // It may never be waited for.
  await using parts = new AsyncDisposableStack();
  const { engine } = cluster;
  parts.use(startEngine(engine, { clock, log, fail: ended.reject }));
  const kinds = kindsOf(settings);
  const missing = parts.use(startMissingKinds(cluster, { clock, log, kinds }));
  parts.use(startWatching([missing, engine], { clock, log, tellPod }));
  await Promise.race([engine.ready({ signal: stop }), untilAborted(stop), ended.promise]);
  stop.throwIfAborted();
  let hasStarted = false;
  const serving = { clock, log, fail: ended.reject, connectionsMax: PROBE_CONNECTIONS_MAX };
  const probes = probeHandler({
    hasStarted: () => hasStarted,
    askAgent: (options) => askHealthy(settings.socketPath, { ...ports, ...options }),
  });
  const { healthPort, metrics: wanted, socketPath } = settings;
  const { healthPort: healthVariable, metricsPort: metricsVariable } = AGENT_VARIABLES;
  if (healthPort !== undefined) {
    const probed = listenOn(healthPort, { ...ports, variable: healthVariable });
    parts.use(startServer(probed, { ...serving, handler: probes }));
  }
  if (sink !== undefined && wanted !== undefined) {
    const scraped = listenOn(wanted.port, { ...ports, variable: metricsVariable });
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

/** The kinds that an agent works with. */
function kindsOf({ ipam }: AgentSettings): readonly KindName[] {
  return SPIDER_KINDS.filter((kind) =>
    kind !== SPIDER_MULTUS_CONFIGS && (ipam.spiderSubnet || kind !== SPIDER_SUBNETS)
  );
}
