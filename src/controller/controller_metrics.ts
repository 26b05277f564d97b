/** What a controller counts, under the reference's documented names. */
import type { Counter, Gauges, Metrics } from "../base/metrics.ts";
import { readControlledIpPools } from "../api/subnet_records.ts";
import type { SpiderSubnet } from "../api/subnet.ts";
import type { PoolStatus } from "../ipam/pool_status.ts";

/** Numbers of one replica; those of pools and Subnets are there while it leads. */
export class ControllerMetrics {
  readonly #reclaimed: Counter;
  readonly #reclaimFailed: Counter;
  readonly #conflicts: Counter;
  readonly #total: Gauges;
  readonly #available: Gauges;
  /** Names. */
  readonly #subnets = new Set<string>();
  readonly #subnetPools: Gauges;
  readonly #subnetTotal: Gauges;
  readonly #subnetAvailable: Gauges;

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
    metrics.sampled({
      name: "spiderpool_total_subnet_counts",
      help: "SpiderSubnets, as the leader sees them; 0 where a controller does not lead",
      type: "gauge",
      read: () => this.#subnets.size,
    });
    const ofSubnet = { label: "SpiderSubnet", isDebug: true };
    this.#subnetPools = metrics.gauges({
      ...ofSubnet,
      name: "spiderpool_debug_subnet_ippool_counts",
      help: "Pools that a SpiderSubnet lends to",
    });
    this.#subnetTotal = metrics.gauges({
      ...ofSubnet,
      name: "spiderpool_debug_subnet_total_ip_counts",
      help: "Addresses that a SpiderSubnet may lend",
    });
    this.#subnetAvailable = metrics.gauges({
      ...ofSubnet,
      name: "spiderpool_debug_subnet_available_ip_counts",
      help: "Addresses of a SpiderSubnet that no pool has",
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

  /** A Subnet is as its status says. */
  lent({ metadata: { name }, status = {} }: SpiderSubnet): void {
    const { totalIPCount = 0, allocatedIPCount = 0, controlledIPPools } = status;
    const records = readControlledIpPools(controlledIPPools);
    this.#subnets.add(name);
    this.#subnetPools.set(name, records.ok ? Object.keys(records.value).length : 0);
    this.#subnetTotal.set(name, totalIPCount);
    this.#subnetAvailable.set(name, totalIPCount - allocatedIPCount);
  }

  /** A Subnet is gone. */
  subnetGone(subnet: string): void {
    this.#subnets.delete(subnet);
    for (const gauges of this.#ofSubnets()) gauges.remove(subnet);
  }

  /** This replica leads no longer. */
  clear(): void {
    this.#subnets.clear();
    for (const gauges of this.#ofSubnets()) gauges.clear();
    this.#total.clear();
    this.#available.clear();
  }

  #ofSubnets(): readonly Gauges[] {
    return [this.#subnetPools, this.#subnetTotal, this.#subnetAvailable];
  }
}
