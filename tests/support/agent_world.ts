/** Everything around an agent's daemon, in memory. */
import type { AgentSettings } from "../../src/agent/config.ts";
import type { Cluster, DaemonPorts } from "../../src/agent/daemon.ts";
import type { SocketPorts } from "../../src/agent/socket_file.ts";
import { SILENT_METRICS } from "../../src/base/metrics.ts";
import type { MetricsSink } from "../../src/base/metrics_sink.ts";
import type { StoreResult } from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { TellPod } from "../../src/daemon/last_word.ts";
import { RecordingService } from "./agent_service.ts";
import { MemoryListener } from "./byte_streams.ts";
import { HttpClient } from "./http_client.ts";
import { ManualClock } from "./manual_clock.ts";

/** Path of the configuration file. */
export const CONFIG_PATH = "/etc/conf.yml";
/** Path of the socket. */
export const SOCKET_PATH = "/run/agent/x.sock";

/** A node, its API server and its files, each as a test wants it. */
export class AgentWorld implements DaemonPorts {
  readonly clock = new ManualClock();
  readonly random = seededRandom(1);
  readonly engine = new RecordingService();
  /** What happened, in order. */
  readonly steps: string[] = [];
  /** Texts of the log. */
  readonly logged: string[] = [];
  readonly errors: string[] = [];
  configuration = `enableIPv4: true\nipamUnixSocketPath: ${SOCKET_PATH}\n`;
  environment: Readonly<Record<string, string>> = {
    SPIDERPOOL_POD_NAMESPACE: "spiderpool",
    SPIDERPOOL_POD_NAME: "agent-x",
    SPIDERPOOL_NODE_NAME: "n1",
  };
  /** Answers of the API server; `undefined` where it is not there. */
  serverAnswers: readonly (true | undefined)[] = [true];
  serverVersion = "v1.34.2";
  /** Plurals of kinds that it does not serve. */
  missingKinds: readonly string[] = [];
  socketListener = new MemoryListener();
  probeListener = new MemoryListener();
  metricsListener = new MemoryListener();
  /** Fails instead of listening on TCP. */
  tcpFailure: Error | undefined;
  /** Whether another agent has the lock. */
  isLocked = false;
  /** Why there is no cluster. */
  clusterRefusal: string | undefined;
  readonly #stop = new AbortController();
  #isSocketThere = false;
  #asks = 0;

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Whether the socket's file is there. */
  get isSocketThere(): boolean {
    return this.#isSocketThere;
  }

  /** Sends SIGTERM. */
  terminate(): void {
    this.#stop.abort(new Error("told to stop"));
  }

  /** Connects to the agent's socket. */
  connect(): HttpClient {
    return new HttpClient(this.socketListener.connect());
  }

  /** Connects to the port of the probes. */
  probe(): HttpClient {
    return new HttpClient(this.probeListener.connect());
  }

  readonly readEnvironment = (name: string): string | undefined => this.environment[name];
  /** What people were told on the pod. */
  readonly told: string[] = [];
  tellPod: TellPod = (note, { reason }) => {
    this.told.push(`${reason}: ${note}`);
    return Promise.resolve();
  };
  readonly writeError = (text: string): void => void this.errors.push(text);
  readonly readText = (path: string): Promise<string> => {
    this.steps.push(`read ${path}`);
    return Promise.resolve(this.configuration);
  };
  readonly writeLog = (line: string): void => {
    const text: unknown = JSON.parse(line).text;
    this.logged.push(String(text));
  };
  readonly sysctls = {
    areThere: (): Promise<boolean> => Promise.resolve(true),
    list: (): Promise<readonly string[]> => Promise.resolve(["eth0"]),
    read: (): Promise<string> => Promise.resolve("7"),
    write: ({ key }: { readonly key: readonly string[] }): Promise<boolean> => {
      this.steps.push(`write ${key.join(".")}`);
      return Promise.resolve(true);
    },
  };
  readonly listenTcp = (port: number): MemoryListener => {
    this.steps.push(`listen ${port}`);
    if (this.tcpFailure !== undefined) throw this.tcpFailure;
    return port === 5711 ? this.metricsListener : this.probeListener;
  };
  /** The page that a scrape gets; its metrics are nobody's. */
  readonly openMetrics = ({ keepsDebug }: { readonly keepsDebug: boolean }): Promise<MetricsSink> =>
    Promise.resolve({
      metrics: SILENT_METRICS,
      contentType: "text/plain; version=0.0.4",
      text: () => Promise.resolve(`debug ${keepsDebug}\n`),
    });
  readonly sockets: SocketPorts = {
    look: (path) => {
      if (path === SOCKET_PATH && this.#isSocketThere) {
        return Promise.resolve({ kind: "socket", identity: "own", mode: 0o600 });
      }
      const isFolder = path === "/run/agent";
      return Promise.resolve(
        isFolder ? { kind: "folder", identity: "folder", mode: 0o755 } : undefined,
      );
    },
    makeFolder: () => Promise.resolve(),
    setMode: () => Promise.resolve(),
    rename: ({ to }) => {
      this.steps.push(`socket ${to}`);
      this.#isSocketThere = true;
      return Promise.resolve();
    },
    remove: (path) => {
      this.steps.push(`remove ${path}`);
      this.#isSocketThere = false;
      return Promise.resolve();
    },
    lock: () => {
      if (this.isLocked) return Promise.resolve(undefined);
      return Promise.resolve({ [Symbol.dispose]: () => void this.steps.push("unlock") });
    },
    listen: () => this.socketListener,
    connect: (path) => {
      if (path === SOCKET_PATH && this.#isSocketThere) {
        return Promise.resolve(this.socketListener.connect());
      }
      return Promise.reject(new Deno.errors.NotFound("No such file or directory"));
    },
  };
  readonly openCluster = (settings: AgentSettings): Promise<Result<Cluster, string>> => {
    this.steps.push(`cluster for ${settings.nodeName}`);
    if (this.clusterRefusal !== undefined) return Promise.resolve(err(this.clusterRefusal));
    return Promise.resolve(ok({
      server: "https://api:6443",
      engine: this.engine,
      askVersion: (): Promise<StoreResult<unknown>> => {
        const answer = this.serverAnswers[Math.min(this.#asks++, this.serverAnswers.length - 1)];
        this.steps.push("ask");
        if (answer !== undefined) return Promise.resolve(ok({ gitVersion: this.serverVersion }));
        const message = "Cannot ask for the version: connection refused";
        return Promise.resolve(err({ code: "unavailable", message, outcomeUnknown: false }));
      },
      askMissing: (kinds) => {
        const missing = this.missingKinds.map((plural) => {
          return kinds.find((kind) => kind.plural === plural);
        });
        return Promise.resolve(ok(missing.filter((kind) => kind !== undefined)));
      },
      [Symbol.dispose]: () => void this.steps.push("close cluster"),
    }));
  };
}
