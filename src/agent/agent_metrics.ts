/** What an agent counts, under the names that the reference documents (docs/metrics.md). */
import type { Clock } from "../base/clock.ts";
import { type Counter, Durations, type Metrics } from "../base/metrics.ts";
import type { RefusalClass } from "../ipam/refusal.ts";

/** The numbers of one agent. */
export class AgentMetrics {
  readonly allocation: RequestMetrics;
  readonly release: RequestMetrics;
  readonly #waitsForPools: Counter;

  constructor(metrics: Metrics, { clock }: { readonly clock: Clock }) {
    this.allocation = new RequestMetrics(metrics, {
      clock,
      prefix: "spiderpool_ipam_allocation",
      noun: "Allocations",
      conflict: "Addresses that somebody else had taken a moment before",
      failures: [
        ["wrong_input", "what the user wrote is wrong"],
        ["no_available_pool", "there is no pool for the pod"],
        ["ip_used_out", "nothing is left of its pools"],
        ["retries_exhausted", "it was not done in time"],
      ],
    });
    this.release = new RequestMetrics(metrics, {
      clock,
      prefix: "spiderpool_ipam_release",
      noun: "Releases",
      conflict: "SpiderIPs that somebody else had changed a moment before their deletion",
      failures: [["retries_exhausted", "it was not done in time"]],
    });
    this.#waitsForPools = metrics.counter({
      name: "spiderpool_debug_auto_pool_waited_for_available_counts_total",
      help: "ADDs that waited for an automatic pool",
      isDebug: true,
    });
  }

  /** An ADD waits for a pool of its application. */
  waitedForPool(): void {
    this.#waitsForPools.add();
  }
}

interface RequestMetricsOptions {
  readonly clock: Clock;
  readonly prefix: string;
  /** What is asked for, in the plural. */
  readonly noun: string;
  /** What a conflict is. */
  readonly conflict: string;
  /** Classes that are counted by themselves; all others are `internal`. */
  readonly failures: readonly (readonly [RefusalClass, string])[];
}

/** What of its requests of one kind an agent counts. */
export class RequestMetrics {
  readonly #clock: Clock;
  readonly #asked: Counter;
  readonly #failed: Counter;
  readonly #failedOf: ReadonlyMap<RefusalClass, Counter>;
  readonly #failedOtherwise: Counter;
  readonly #conflicts: Counter;
  readonly #durations: Durations;
  readonly #waits: Durations;

  constructor(metrics: Metrics, options: RequestMetricsOptions) {
    const { clock, prefix, noun, conflict, failures } = options;
    const counter = (name: string, help: string): Counter =>
      metrics.counter({ name: `${prefix}_${name}_counts_total`, help });
    this.#clock = clock;
    this.#asked = metrics.counter({
      name: `${prefix}_counts_total`,
      help: `${noun} that were asked for`,
    });
    this.#failed = counter("failure", `${noun} that failed`);
    const failedFor = (name: RefusalClass, why: string): Counter =>
      counter(`err_${name}`, `${noun} that failed: ${why}`);
    this.#failedOf = new Map(failures.map(([name, why]) => [name, failedFor(name, why)]));
    this.#failedOtherwise = failedFor("internal", "for any other reason");
    this.#conflicts = counter("update_ippool_conflict", conflict);
    const what = noun.toLowerCase();
    this.#durations = new Durations(metrics, {
      ...{ prefix, what: "duration" },
      help: `${what}, from request to answer`,
    });
    this.#waits = new Durations(metrics, {
      ...{ prefix, what: "limit_duration" },
      help: `${what}, waiting until others of the same pod are done`,
    });
  }

  /**
   * Counts and times one request.
   *
   * @param options.failureOf What an outcome failed for; `undefined` if it did not. Work that
   *   throws, as it does when its asker has gone, failed too.
   */
  async measure<T>(
    work: () => Promise<T>,
    { failureOf }: { readonly failureOf: (outcome: T) => RefusalClass | undefined },
  ): Promise<T> {
    const startedMs = this.#clock.monotonicMs();
    this.#asked.add();
    let failure: RefusalClass | undefined = "internal";
    try {
      const outcome = await work();
      failure = failureOf(outcome);
      return outcome;
    } finally {
      this.#durations.observeMs(this.#clock.monotonicMs() - startedMs);
      if (failure !== undefined) this.#fail(failure);
    }
  }

  /** A request had its pod's turn after so long. */
  waited(durationMs: number): void {
    this.#waits.observeMs(durationMs);
  }

  /** Somebody else was first: an address, or its SpiderIP, is not as this agent knew it. */
  conflicted(): void {
    this.#conflicts.add();
  }

  #fail(failure: RefusalClass): void {
    this.#failed.add();
    (this.#failedOf.get(failure) ?? this.#failedOtherwise).add();
  }
}
