/** What a controller counts, under the reference's documented names. */
import type { Counter, Gauges, Metrics } from "../base/metrics.ts";
import type { PoolStatus } from "../ipam/pool_status.ts";

/** Numbers of one replica; those of pools are there while it leads. */
export class ControllerMetrics {
  readonly #reclaimed: Counter;
  readonly #reclaimFailed: Counter;
  readonly #conflicts: Counter;
  readonly #total: Gauges;
  readonly #available: Gauges;

  /** @param options.countPools How many pools there are, as far as this replica knows. */
  constructor(metrics: Metrics, { countPools }: { readonly countPools: () => number }) {
    this.#reclaimed = metrics.counter({
      name: "spiderpool_ip_gc_counts_total",
      help: "Addresses of dead pods that were freed",
    });
    this.#reclaimFailed = metrics.counter({
      name: "spiderpool_ip_gc_failure_counts_total",
      help: "Looks at addresses that failed",
    });
    this.#conflicts = metrics.counter({
      name: "spiderpool_ipam_release_update_ippool_conflict_counts_total",
      help: "SpiderIPs of dead pods that somebody else had changed a moment before their deletion",
    });
    metrics.sampled({
      name: "spiderpool_total_ippool_counts",
      help: "SpiderIPPools, as the leader sees them; 0 where a controller does not lead",
      type: "gauge",
      read: countPools,
    });
    const ofPool = { label: "SpiderIPPool", isDebug: true };
    this.#total = metrics.gauges({
      ...ofPool,
      name: "spiderpool_debug_ippool_total_ip_counts",
      help: "Addresses that pods may have of a pool",
    });
    this.#available = metrics.gauges({
      ...ofPool,
      name: "spiderpool_debug_ippool_available_ip_counts",
      help: "Addresses of a pool that are free",
    });
  }

  /** An address was freed. */
  reclaimed(): void {
    this.#reclaimed.add();
  }

  /** A look at an address failed. */
  reclaimFailed(): void {
    this.#reclaimFailed.add();
  }

  /** The SpiderIP of a dead pod was not deleted: it is not as it was a moment before. */
  conflicted(): void {
    this.#conflicts.add();
  }

  /** A pool is as its status says. */
  derived(pool: string, { totalIPCount = 0, freeIPCount = 0 }: PoolStatus): void {
    this.#total.set(pool, totalIPCount);
    this.#available.set(pool, freeIPCount);
  }

  /** A pool is gone. */
  gone(pool: string): void {
    this.#total.remove(pool);
    this.#available.remove(pool);
  }

  /** This replica leads no longer. */
  clear(): void {
    this.#total.clear();
    this.#available.clear();
  }
}
