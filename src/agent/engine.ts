/** The engine of an agent: the real `AgentService`, over whatever store it is given. */
import { DeadlineError, startDeadline } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import { SILENT_METRICS } from "../base/metrics.ts";
import { StoreFailure } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  AGENT_STATUS,
  type CoordinatorArgs,
  type CoordinatorConfig,
  type IpamAddArgs,
  type IpamAddResponse,
  type IpamBatchDelArgs,
  type IpamDelArgs,
  type WorkloadEndpointStatus,
} from "../api/agent.ts";
import { classOfRefusal, type Refusal, type RefusalClass } from "../ipam/refusal.ts";
import { sayRefusal } from "../ipam/refusal_text.ts";
import { addNic } from "./add_flow.ts";
import { podText } from "./adding.ts";
import { runAdoption } from "./adopting.ts";
import { AgentMetrics, type RequestMetrics } from "./agent_metrics.ts";
import { Claimer } from "./claimer.ts";
import { giveConflictsBack } from "./conflict_flow.ts";
import { CoordinatorReader } from "./coordinator_reader.ts";
import { KnownEndpoints } from "./known_endpoints.ts";
import { ADD_MS_MAX } from "./limits.ts";
import { coordinatorConfig, podStatus } from "./look_ups.ts";
import { NodeView } from "./node_view.ts";
import { OwnClaims } from "./own_claims.ts";
import { Owners } from "./owners.ts";
import type { AgentParts, EnginePorts, EngineSettings } from "./parts.ts";
import { Lenders } from "./lenders.ts";
import { PoolBook } from "./pool_book.ts";
import { tellOfPods, tellOfPools } from "./news.ts";
import { PoolReader } from "./pool_reader.ts";
import { missingMaster } from "./missing_master.ts";
import { releaseAllNics, releaseNic } from "./release_flow.ts";
import { Reporter } from "./reporter.ts";
import { SeenVersions } from "./seen_versions.ts";
import type {
  AgentEngine,
  EndpointQuestion,
  ServiceFailure,
  ServiceOptions,
  ServiceResult,
} from "./service.ts";
import { ProviderFailure } from "../daemon/provided_claims.ts";
import { Settler } from "../kube/settler.ts";
import { SETTLE_GAP_MS, Settling } from "./settle_flow.ts";
import { Joint, Turns } from "./turns.ts";
import { Bell } from "../base/waiting.ts";

export type { EnginePorts, EngineSettings } from "./parts.ts";

/** Milliseconds before claims that could not be listed are listed again. */
const RELOAD_GAP_MS = 1_000;

/**
 * Gives and frees addresses for the pods of one node. What it keeps in memory is a hint that may be
 * lost at any moment: the truth is in SpiderIPs and SpiderEndpoints.
 */
export class IpamEngine implements AgentEngine {
  readonly #parts: AgentParts;
  readonly #turns = new Turns();
  readonly #adds = new Joint<Result<IpamAddResponse, Refusal>>();
  readonly #life = new AbortController();
  readonly #settling: Settling;
  readonly #reporter: Reporter;
  readonly #loaded = Promise.withResolvers<void>();
  #isLoaded = false;

  constructor(ports: EnginePorts, settings: EngineSettings) {
    this.#parts = partsOf(ports, { settings, lifetime: this.#life.signal });
    this.#reporter = new Reporter(ports, settings);
    this.#settling = new Settling(this.#parts, { turns: this.#turns, reporter: this.#reporter });
  }

  /** Whether it serves: copies are there, and the node's own claims are known. */
  get isReady(): boolean {
    return this.#isLoaded && this.#parts.view.hasSynced;
  }

  /** Why a copy is not up to date. */
  get problem(): string | undefined {
    return this.#parts.view.problem;
  }

  /** Resolves once it serves. */
  async ready({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#parts.view.waitForSync({ signal });
    await this.#loaded.promise;
    signal.throwIfAborted();
  }

  /** Watches, settles and takes pools over until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    const end = (): void => this.#life.abort(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    try {
      await Promise.all([
        this.#parts.view.run({ signal }),
        this.#settleAgain({ signal }),
        this.#settling.run({ signal }),
        runAdoption(this.#parts, { signal }),
        tellOfPools(this.#parts, { signal }),
        tellOfPods(this.#parts, { signal }),
        this.#reporter.run({ signal }),
      ]);
      signal.throwIfAborted();
      throw new Error("An engine ends with its signal only");
    } finally {
      this.#life.abort(new Error("The agent has ended"));
      signal.removeEventListener("abort", end);
    }
  }

  /** Joins a request for the same NIC of the same sandbox that is under way. */
  async add(
    args: IpamAddArgs,
    { signal }: ServiceOptions,
  ): Promise<Result<IpamAddResponse, ServiceFailure>> {
    const problem = args.podName === "" ? NO_POD : args.fixed !== undefined ? NO_FIXED : undefined;
    if (problem !== undefined) return err(problem);
    const key = JSON.stringify([podText(args), args.podUID, args.containerID, args.ifName]);
    const { metrics: { allocation: metrics }, ports: { log } } = this.#parts;
    const fields = { pod: podText(args), podUID: args.podUID, nic: args.ifName };
    const result = await metrics.measure(() =>
      this.#adds.run(key, {
        signal,
        work: async (options) => {
          const what = `giving NIC "${args.ifName}" its addresses`;
          const work = (inTime: AbortSignal) => addNic(this.#parts, { args, signal: inTime });
          const given = await this.#carryOut(args, { ...options, what, metrics, work });
          if (!given.ok) this.#reporter.refused(args, given.error);
          return given;
        },
      }), { failureOf });
    if (!result.ok) {
      const message = sayRefusal(result.error);
      log.warn("address refused", { ...fields, code: result.error.code, problem: message });
      return err({ status: AGENT_STATUS.failed, message });
    }
    log.info("address given", { ...fields, addresses: result.value.ips.map((ip) => ip.address) });
    return result;
  }

  /** Frees what the NIC of an ended sandbox had. */
  async release(args: IpamDelArgs, options: ServiceOptions): ServiceResult<void> {
    if (args.podName === "") return ok(undefined); // No ADD was answered without one.
    const what = `releasing the addresses of NIC "${args.ifName}"`;
    const work = async (signal: AbortSignal): Promise<Result<void, Refusal>> => {
      const missing = missingMaster(this.#parts, args);
      if (missing !== undefined) this.#reporter.masterMissing(args, missing);
      await releaseNic(this.#parts, { args, signal });
      return ok(undefined);
    };
    const { metrics: { release: metrics } } = this.#parts;
    const released = await metrics.measure(() => {
      return this.#carryOut(args, { ...options, what, metrics, work });
    }, { failureOf });
    return asService(released);
  }

  /** Frees what a pod has after a failed ADD. */
  async releaseAll(args: IpamBatchDelArgs, options: ServiceOptions): ServiceResult<void> {
    const what = "releasing the addresses of a pod";
    const { metrics: { release: metrics } } = this.#parts;
    const { conflicts } = args;
    if (conflicts !== undefined) this.#reporter.conflicts(args, conflicts);
    const work = async (signal: AbortSignal) =>
      ok(
        conflicts === undefined
          ? await releaseAllNics(this.#parts, { args, signal })
          : await giveConflictsBack(this.#parts, { args, conflicts, signal }),
      );
    const released = await metrics.measure(() => {
      return this.#carryOut(args, { ...options, what, metrics, work });
    }, { failureOf: (one) => one.ok && !one.value.ok ? "internal" : failureOf(one) });
    return released.ok ? released.value : asService(released);
  }

  /** Looks at once at every claim of the node. */
  async settle({ signal }: ServiceOptions): ServiceResult<void> {
    const settled = await this.#inTime({ signal, what: "settling" }, async (inTime) => {
      return ok(await this.#settling.settle({ signal: inTime }));
    });
    return settled.ok ? ok(undefined) : asService(settled);
  }

  /** What a pod has: of its endpoint, what SpiderIPs say too. */
  async endpoint(
    pod: EndpointQuestion,
    { signal }: ServiceOptions,
  ): ServiceResult<WorkloadEndpointStatus> {
    if (pod.podName === "") return err(NO_POD);
    const found = await this.#inTime({ signal, what: "reading an endpoint" }, async (inTime) => {
      return ok(await podStatus(this.#parts, { pod, signal: inTime }));
    });
    if (!found.ok) return asService(found);
    if (found.value !== undefined) return ok(found.value);
    const message = `SpiderEndpoint not found for pod ${podText(pod)}`;
    return err({ status: AGENT_STATUS.notFound, message });
  }

  /** What coordinators do unless their own configuration says otherwise. */
  async coordinatorConfig(
    args: CoordinatorArgs,
    { signal }: ServiceOptions,
  ): ServiceResult<CoordinatorConfig> {
    const what = "reading the SpiderCoordinator";
    const read = await this.#inTime({ signal, what }, async (inTime) => {
      return ok(await coordinatorConfig(this.#parts, { args, signal: inTime }));
    });
    if (!read.ok) return asService(read);
    if (read.value.ok) return read.value;
    return err({ status: AGENT_STATUS.failed, message: read.value.error });
  }

  /** Waits for the pod's turn, and bounds the time of the whole. */
  #carryOut<T>(
    pod: { readonly podNamespace: string; readonly podName: string },
    { work, metrics, ...options }: {
      readonly signal: AbortSignal;
      readonly what: string;
      readonly metrics: RequestMetrics;
      readonly work: (signal: AbortSignal) => Promise<Result<T, Refusal>>;
    },
  ): Promise<Result<T, Refusal>> {
    return this.#inTime(options, async (inTime) => {
      const { clock } = this.#parts.ports;
      const askedMs = clock.monotonicMs();
      const turn = await this.#turns.take(podText(pod), { signal: inTime });
      metrics.waited(clock.monotonicMs() - askedMs);
      if (!turn.ok) return err({ code: "queue_full", max: turn.error.most });
      using _turn = turn.value;
      return await work(inTime);
    });
  }

  async #inTime<T>(
    { signal, what }: { readonly signal: AbortSignal; readonly what: string },
    work: (signal: AbortSignal) => Promise<Result<T, Refusal>>,
  ): Promise<Result<T, Refusal>> {
    using deadline = startDeadline(this.#parts.ports.clock, {
      timeoutMs: ADD_MS_MAX,
      what,
      signal: AbortSignal.any([signal, this.#life.signal]),
    });
    try {
      return await work(deadline.signal);
    } catch (error) {
      if (error instanceof StoreFailure) return err(refusalOf(error));
      if (!(error instanceof DeadlineError)) throw error;
      const { settler, lifetime } = this.#parts;
      // What several requests wait for is read with the agent's own signal.
      const cause = settler.problemOf(deadline.signal) ?? settler.problemOf(lifetime) ??
        errorText(error);
      return err({ code: "deadline", what, cause });
    }
  }

  /** Loads the node's claims, then settles them again and again. */
  async #settleAgain({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    const { claims, view, ports: { clock, log } } = this.#parts;
    await view.waitForSync({ signal });
    for (;;) {
      try {
        if (!this.#isLoaded) {
          await claims.reload({ signal });
          this.#isLoaded = true;
          this.#loaded.resolve();
        }
        const { freed, failed } = await this.#settling.settleKnown({ signal });
        if (freed + failed > 0) log.info("claims settled", { freed, failed });
      } catch (error) {
        if (!(error instanceof StoreFailure)) throw error;
        log.warn("claims not settled", { problem: errorText(error) });
      }
      await clock.sleep(this.#isLoaded ? SETTLE_GAP_MS : RELOAD_GAP_MS, { signal });
    }
  }
}

function partsOf(
  ports: EnginePorts,
  { settings, lifetime }: {
    readonly settings: EngineSettings;
    readonly lifetime: AbortSignal;
  },
): AgentParts {
  const { store, clock, random, log } = ports;
  const { nodeName } = settings;
  const settler = new Settler(ports);
  const metrics = new AgentMetrics(ports.metrics ?? SILENT_METRICS, { clock });
  const versions = new SeenVersions();
  const view = new NodeView({ store, settler, clock, random, nodeName });
  const reader = new PoolReader({ store, settler, view, log, lifetime });
  const book: PoolBook = new PoolBook({
    ...{ store, settler, clock, log, versions, nodeName, lifetime },
    ownClaims: () => claims.all(),
  });
  const claims = new OwnClaims({ store, settler, clock, versions, nodeName }, book);
  const poolAddressesMax = settings.ipam.poolAddressesMax;
  const claimer = new Claimer({
    ...{ settler, clock, random, claims, book, reader, poolAddressesMax },
    metrics: metrics.allocation,
  });
  return {
    ...{ ports, settings, settler, view, reader, book, claims, claimer, versions, metrics },
    lifetime,
    unadopted: new Bell(),
    news: new Bell(),
    lenders: new Lenders(settler, { lifetime }),
    owners: new Owners(settler, { lifetime }),
    coordinators: new CoordinatorReader({ store, settler, clock, lifetime }),
    endpoints: new KnownEndpoints(settler),
  };
}

const NO_POD: ServiceFailure = {
  status: AGENT_STATUS.failed,
  message: "Cannot tell which pod this is for: CNI_ARGS has no K8S_POD_NAMESPACE and no " +
    "K8S_POD_NAME, which Kubernetes' runtimes set; without Kubernetes, start the agent with " +
    "--standalone",
};

const NO_FIXED: ServiceFailure = {
  status: AGENT_STATUS.failed,
  message: 'Cannot use "fixed": it is for containers without Kubernetes; leave it out, and let a ' +
    "StatefulSet keep the addresses of its pods",
};

function refusalOf(failure: StoreFailure): Refusal {
  const { code, message, error } = failure;
  if (failure instanceof ProviderFailure) return { code: "provider", message };
  if (code === "forbidden" || error.code === "invalid") return { code: "forbidden", message };
  return { code: "unavailable", message };
}

function failureOf(result: Result<unknown, Refusal>): RefusalClass | undefined {
  return result.ok ? undefined : classOfRefusal(result.error);
}

function asService<T>(result: Result<T, Refusal>): Result<T, ServiceFailure> {
  if (result.ok) return result;
  return err({ status: AGENT_STATUS.failed, message: sayRefusal(result.error) });
}
