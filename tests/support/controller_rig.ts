/** Controllers over a store in memory, on a clock that the test moves. */
import assert from "node:assert/strict";
import type { ControllerSettings } from "../../src/controller/config.ts";
import { Controller } from "../../src/controller/controller.ts";
import type { NodeFiles } from "../../src/controller/discovery/own_network.ts";
import type { PostJson } from "../../src/daemon/network_provider.ts";
import { providedBy } from "./fake_provider.ts";
import type { EnginePorts } from "../../src/controller/engine_ports.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { type Metrics, SILENT_METRICS } from "../../src/base/metrics.ts";
import type {
  ObjectKey,
  ObjectStore,
  Resource,
  StoredObject,
  StoreError,
} from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { EVENTS, type KubeEvent } from "../../src/kube/events.ts";
import type { AdmissionRequest } from "../../src/store/engine.ts";
import type { EngineStore } from "../../src/store/engine_store.ts";
import type { KindDirectory } from "../../src/kube/mod.ts";
import { podGraceSeconds } from "../../src/store/grace.ts";
import { openMemoryStore } from "../../src/store/memory_store.ts";
import { refuseAsServer } from "../../src/agent/standalone/program.ts";
import { ADMISSION_SETTINGS } from "./admission_judge.ts";
import { ManualClock, settle } from "./manual_clock.ts";

/** What a controller is told where nothing is set. */
export const CONTROLLER_SETTINGS: ControllerSettings = {
  namespace: "spiderpool",
  podName: "controller",
  logLevel: "info",
  healthPort: 5720,
  leadership: { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, restMs: 1_000 },
  pools: { workers: 3, queueMax: 10_000, resyncMs: 300_000, triesMax: 500, retryMs: 5_000 },
  lending: {
    isOn: true,
    autoPools: { isOn: true, flexible: 1, ipv4: true, ipv6: true },
    workers: 5,
    queueMax: 10_000,
    resyncMs: 300_000,
    triesMax: 500,
    retryMs: 5_000,
  },
  reclaim: {
    isOn: true,
    switches: { readyNode: true, notReadyNode: true },
    intervalMs: 600_000,
    extraGraceMs: 0,
    workers: 3,
    tracedMax: 100_000,
    scanQueueMax: 5_000,
    roomWaitMs: 3_000,
    requestGapMs: 1_000,
    lookGapMs: 5_000,
    triesMax: 5,
    cleansEndpoints: false,
  },
  discovery: {
    isOn: false,
    coordinatorName: "default",
    resyncMs: 60_000,
    cniFolder: "/etc/cni/net.d",
    ciliumConfigMap: { namespace: "kube-system", name: "cilium-config" },
  },
  networks: { isOn: false, resyncMs: 60_000 },
  webhooks: { port: 5722, rules: ADMISSION_SETTINGS },
  unused: [],
};

/** One replica of a rig. */
export interface Replica {
  readonly name: string;
  readonly controller: Controller;
  /** What it says to the store; a test may cut it off. */
  readonly line: { isCut: boolean };
  /** Stops it as SIGTERM does. */
  stop(): Promise<void>;
}

/** A node without CNI configurations. */
export const NO_FILES: NodeFiles = {
  listFiles: () => Promise.resolve([]),
  readText: (path) => Promise.reject(new Error(`no such file "${path}"`)),
};

/** What a rig may be told. */
export interface ControllerRigOptions {
  readonly settings?: Partial<ControllerSettings>;
  readonly metrics?: Metrics;
  readonly files?: NodeFiles;
  /** Which kinds the server has beside those that are built in. */
  readonly kinds?: KindDirectory;
  /** Told of addresses that are free. */
  readonly post?: PostJson;
  /** Stands between controllers and the store. */
  readonly wrap?: (store: ObjectStore) => ObjectStore;
  /** Refuses writes, beside what a server would refuse. */
  readonly refuse?: (request: AdmissionRequest) => StoreError | undefined;
}

/** A cluster with controllers. It ends when it is disposed. */
export class ControllerRig implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly store: EngineStore;
  readonly #options: ControllerRigOptions;
  readonly #life = new AbortController();
  readonly #replicas: Replica[] = [];
  #count = 0;

  constructor(options: ControllerRigOptions = {}) {
    this.#options = options;
    this.store = openMemoryStore({
      clock: this.clock,
      random: seededRandom(7),
      admit: (request) => refuseAsServer(request) ?? options.refuse?.(request),
      graceSeconds: podGraceSeconds,
    });
  }

  /** A rig with one controller that leads. */
  static async start(options: ControllerRigOptions = {}): Promise<ControllerRig> {
    const rig = new ControllerRig(options);
    await rig.startController("a");
    return rig;
  }

  /** The signal of everything that the test itself asks of the store. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** Starts a replica. */
  async startController(name: string): Promise<Replica> {
    const line = { isCut: false };
    const ports: EnginePorts = {
      store: cuttable(this.#options.wrap?.(this.store) ?? this.store, { line, clock: this.clock }),
      clock: this.clock,
      random: seededRandom(++this.#count),
      log: SILENT_LOG,
      metrics: this.#options.metrics ?? SILENT_METRICS,
      files: this.#options.files ?? NO_FILES,
      kinds: this.#options.kinds,
      ...providedBy(this.#options, { clock: this.clock }),
    };
    const settings = { ...CONTROLLER_SETTINGS, ...this.#options.settings, podName: name };
    const controller = new Controller(ports, settings);
    const stop = new AbortController();
    const running = controller.run({ signal: stop.signal }).catch((error: unknown) => {
      if (error !== stop.signal.reason) throw error;
    });
    const replica: Replica = {
      name,
      controller,
      line,
      stop: async () => {
        stop.abort(new Error("told to stop"));
        line.isCut = false;
        let isDone = false;
        const done = running.finally(() => void (isDone = true));
        for (let step = 0; step < 1_000 && !isDone; step++) await this.clock.advance(10);
        await done;
      },
    };
    this.#replicas.push(replica);
    await settle();
    return replica;
  }

  /** Who leads; at most one. */
  leader(): string | undefined {
    const leaders = this.#replicas.filter(({ controller }) => controller.isLeader);
    assert.ok(leaders.length <= 1, `${leaders.map(({ name }) => name)} lead`);
    return leaders[0]?.name;
  }

  /** Stores what a parser makes of a plain object. */
  async make<T extends StoredObject>(resource: Resource<T>, value: unknown): Promise<T> {
    const object = expectOk(resource.parse(value), "it can be read");
    const { signal } = this;
    const created = expectOk(await this.store.create(resource, object, { signal }), "created");
    const status: unknown = Reflect.get(object, "status");
    if (!resource.hasStatus || status === undefined) return created;
    return expectOk(
      await this.store.replaceStatus(resource, { ...created, status }, { signal }),
      "",
    );
  }

  /** An object that is there. */
  async read<T extends StoredObject>(resource: Resource<T>, key: ObjectKey): Promise<T> {
    return expectOk(await this.store.get(resource, key, { signal: this.signal }), "it is there");
  }

  /** Events by reason and what they regard. */
  async events(): Promise<readonly KubeEvent[]> {
    const listed = await this.store.list(EVENTS, { signal: this.signal });
    return expectOk(listed, "events are listed").items;
  }

  /** Stops every replica. */
  async stopAll(): Promise<void> {
    for (const replica of this.#replicas.splice(0)) await replica.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAll();
    this.#life.abort(new Error("the test ends"));
    this.store[Symbol.dispose]();
  }
}

/** A store whose calls get no answer while the line is cut. */
function cuttable(
  store: ObjectStore,
  { line, clock }: { readonly line: { readonly isCut: boolean }; readonly clock: ManualClock },
): ObjectStore {
  const METHODS = new Set([
    "get",
    "list",
    "listRows",
    "create",
    "replace",
    "replaceStatus",
    "remove",
  ]);
  return new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      if (!METHODS.has(String(name))) return method.bind(target);
      return async (...args: unknown[]) => {
        if (!line.isCut) return await method.apply(target, args);
        const { signal, timeoutMs = 10_000 } = args.at(-1) as {
          readonly signal: AbortSignal;
          readonly timeoutMs?: number;
        };
        await clock.sleep(timeoutMs, { signal });
        return {
          ok: false,
          error: { code: "timeout", message: "no answer", outcomeUnknown: true },
        };
      };
    },
  });
}
