/** The controller as a daemon: its start in order, its stop in the reverse order. */
import { CONTROLLER_VARIABLES } from "../api/environment_controller.ts";
import { SPIDER_KINDS } from "../api/kinds.ts";
import type { Clock } from "../base/clock.ts";
import { PROBE_CONNECTIONS_MAX, REVIEW_MS, WEBHOOK_LEAVE_MS } from "../base/limits.ts";
import { errorText, jsonLog, type Log } from "../base/log.ts";
import { type Metrics, SILENT_METRICS } from "../base/metrics.ts";
import type { MetricsSink } from "../base/metrics_sink.ts";
import type { ProgramPorts } from "../base/program.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import { VERSION } from "../base/version.ts";
import { untilAborted } from "../base/waiting.ts";
import type { HttpListener } from "../daemon/http/server.ts";
import type { TellPod } from "../daemon/last_word.ts";
import { metricsHandler } from "../daemon/metrics_page.ts";
import { startMissingKinds } from "../daemon/missing_kinds.ts";
import {
  type Engine,
  type FirstContact,
  listenOn,
  startEngine,
  startServer,
  startWatching,
  sure,
  tellUnused,
  untilApiServer,
} from "../daemon/serving.ts";
import { type ControllerSettings, readSettings } from "./config.ts";
import type { DaemonOptions } from "./arguments.ts";
import { probeHandler, type ProbeSources } from "./health.ts";

/** What a controller does, whichever replica it is. */
export interface ControllerEngine extends Engine {
  /** Whether one of the controllers leads, and does its work if it is this one. */
  leadership(): Result<void, string>;
  /** Whether the webhooks answer over their own port; absent: there are none. */
  readonly askWebhooks?: ProbeSources["askWebhooks"];
}

/** The cluster that a controller works for. */
export interface Cluster extends Disposable, FirstContact {
  readonly engine: ControllerEngine;
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
  /** Begins to count. */
  readonly openMetrics: (options: { readonly keepsDebug: boolean }) => Promise<MetricsSink>;
  /** Listens on all addresses of the node. */
  readonly listenTcp: (port: number) => HttpListener;
  /** Finds the cluster, without asking it anything. The refusal is one sentence. */
  readonly openCluster: (
    settings: ControllerSettings,
    options: { readonly log: Log; readonly metrics: Metrics },
  ) => Promise<Result<Cluster, string>>;
}

/**
 * Runs until it is told to stop or cannot go on.
 *
 * @returns The exit code: 0 after a stop.
 */
export async function runDaemon(options: DaemonOptions, ports: DaemonPorts): Promise<number> {
  const settings = await readSettings(options, ports);
  if (!settings.ok) {
    ports.writeError(`${settings.error}\n`);
    await ports.tellPod(settings.error, { reason: "CannotStart" });
    return 1;
  }
  const { podName, logLevel, unused } = settings.value;
  const log = jsonLog(ports.writeLog, { clock: ports.clock, level: logLevel });
  log.info("controller starts", { version: VERSION, pod: podName });
  for (const setting of unused) log.warn("a setting has no effect", { setting });
  try {
    await serve(settings.value, { ports, log });
  } catch (error) {
    if (!(ports.stop.aborted && error === ports.stop.reason)) {
      log.error("controller ends", { error });
      ports.writeError(`${errorText(error)}\n`);
      await ports.tellPod(errorText(error), { reason: "CannotRun" });
      return 1;
    }
  }
  log.info("controller has stopped");
  return 0;
}

/**
 * Starts part after part, and ends them in the reverse order: the probes last of all, since the
 * Lease is given up before.
 *
 * @throws {DaemonFailure} If a part cannot be had.
 * @throws What the engine or a server ended with, if one ended by itself.
 */
async function serve(
  settings: ControllerSettings,
  { ports, log }: { readonly ports: DaemonPorts; readonly log: Log },
): Promise<void> {
  const { clock, random, stop, tellPod } = ports;
  const sink = settings.metrics && await ports.openMetrics(settings.metrics);
  const metrics = sink?.metrics ?? SILENT_METRICS;
  using cluster = sure(await ports.openCluster(settings, { log, metrics }));
  /** Rejects with the first part that ends by itself. */
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {}); // It may never be waited for.
  await using parts = new AsyncDisposableStack();
  const { engine } = cluster;
  let hasStarted = false;
  const serving = { clock, log, fail: ended.reject, connectionsMax: PROBE_CONNECTIONS_MAX };
  const { healthPort, metrics: wanted } = settings;
  const { healthPort: healthVariable, metricsPort: metricsVariable } = CONTROLLER_VARIABLES;
  const probed = listenOn(healthPort, { ...ports, variable: healthVariable });
  const handler = probeHandler({
    hasStarted: () => hasStarted,
    leadership: () => engine.leadership(),
    askWebhooks: engine.askWebhooks,
  });
  parts.use(startServer(probed, { ...serving, handler }));
  if (sink !== undefined && wanted !== undefined) {
    const scraped = listenOn(wanted.port, { ...ports, variable: metricsVariable });
    parts.use(startServer(scraped, { ...serving, handler: metricsHandler(sink) }));
  }
  const contact = untilApiServer(cluster, { clock, log, random, tellPod, signal: stop });
  await Promise.race([contact, ended.promise]);
  await tellUnused(settings.unused, { tellPod, signal: stop });
  // The webhooks serve on for a while, and then answer what they were asked last.
  const leaveMs = WEBHOOK_LEAVE_MS + REVIEW_MS;
  parts.use(startEngine(engine, { clock, log, fail: ended.reject, leaveMs }));
  const missing = startMissingKinds(cluster, { clock, log, kinds: SPIDER_KINDS });
  parts.use(startWatching([parts.use(missing), engine], { clock, log, tellPod }));
  hasStarted = true;
  log.info("controller serves", { healthPort, server: cluster.server });
  await Promise.race([untilAborted(stop), ended.promise]);
}
