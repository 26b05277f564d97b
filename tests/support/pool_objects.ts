/** Pools as the API server would give them, small and overridable. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import type { ObjectMeta } from "../../src/base/object_store.ts";
import { expectOk } from "../../src/base/result.ts";
import {
  type PoolFacts,
  type PoolReading,
  readPool,
  readPoolFacts,
} from "../../src/ipam/pool_facts.ts";

/** What a test says of a pool: any field of its spec, and what stands beside it. */
export type PoolInit = Partial<SpiderIpPool["spec"]> & {
  readonly name?: string;
  readonly metadata?: Partial<ObjectMeta>;
  /** Whether its addresses are recorded as SpiderIPs; true if not given. */
  readonly adopted?: boolean;
};

/** A pool with ten addresses of `10.6.0.0/16`, or of `fd00:6::/64` if `ipVersion` is 6. */
export function poolOf(
  { name = "p1", metadata = {}, adopted = true, ...spec }: PoolInit = {},
): SpiderIpPool {
  const isIpv6 = spec.ipVersion === 6 || spec.subnet?.includes(":") === true;
  const object = {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIPPool",
    metadata: { name, uid: `uid-of-${name}`, ...metadata },
    spec: {
      subnet: isIpv6 ? "fd00:6::/64" : "10.6.0.0/16",
      ips: isIpv6 ? ["fd00:6::10-fd00:6::19"] : ["10.6.0.10-10.6.0.19"],
      ...spec,
    },
    status: adopted ? { truth: "SpiderIP" } : {},
  };
  return expectOk(SPIDER_IP_POOLS.parse(object), "the API server would store this pool");
}

/** Facts of a pool that is in order. */
export function factsOf(init: PoolInit = {}): PoolFacts {
  return expectOk(readPoolFacts(poolOf(init)), "this pool is in order");
}

/** Pools by name, as selection is given them. */
export function readingsOf(...pools: readonly PoolInit[]): ReadonlyMap<string, PoolReading> {
  const readings = pools.map(poolOf).map((pool) => [pool.metadata.name, readPool(pool)] as const);
  return new Map(readings);
}
