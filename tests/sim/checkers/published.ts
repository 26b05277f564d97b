/** What controllers tell of pools, compared with the SpiderIPs there are. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../../src/api/ip_pool.ts";
import type { SpiderIp } from "../../../src/api/spider_ip.ts";
import type { Facts } from "./facts.ts";
import type { Unrest } from "./unrest.ts";

/** Numbers and records that a pool should tell. */
interface Expected {
  readonly allocatedIPs: Readonly<Record<string, unknown>>;
  readonly allocatedIPCount: number;
  readonly totalIPCount: number;
  readonly freeIPCount: number;
}

/** Pools whose status is not what is stored, or that nobody took over. */
export function findUnpublished(facts: Facts): readonly Unrest[] {
  const claims = facts.claims();
  return facts.control.list(SPIDER_IP_POOLS).flatMap((pool) => {
    const problem = problemOf(pool, expectedOf(pool, { claims, facts }));
    if (problem === undefined) return [];
    return [{ rule: "unpublished", message: `pool ${pool.metadata.name}: ${problem}` }];
  });
}

function expectedOf(
  { metadata: { name } }: SpiderIpPool,
  { claims, facts }: { readonly claims: readonly SpiderIp[]; readonly facts: Facts },
): Expected {
  const own = claims.filter(({ spec }) => spec.pool === name);
  const addresses = facts.pools.now(name)?.addresses ?? new Set();
  const reserved = facts.pools.reservedNow();
  const taken = new Set(own.map(({ spec }) => spec.ip));
  const free = [...addresses].filter((address) => !reserved.has(address) && !taken.has(address));
  return {
    allocatedIPs: Object.fromEntries(own.map(({ spec }) => {
      const { ip, podNamespace = "", podName = "", podUID = "" } = spec;
      return [ip, { pod: `${podNamespace}/${podName}`, podUid: podUID }];
    })),
    allocatedIPCount: own.length,
    totalIPCount: addresses.size,
    freeIPCount: free.length,
  };
}

function problemOf({ status = {} }: SpiderIpPool, expected: Expected): string | undefined {
  if (status.truth === undefined) return "it is not taken over";
  const told = {
    allocatedIPs: status.allocatedIPs === undefined ? {} : JSON.parse(status.allocatedIPs),
    allocatedIPCount: status.allocatedIPCount,
    totalIPCount: status.totalIPCount,
    freeIPCount: status.freeIPCount,
  };
  const isSame = textOf(told) === textOf(expected);
  return isSame ? undefined : `its status tells ${textOf(told)}, and it is ${textOf(expected)}`;
}

/** With keys in order, so that equal ones read alike. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part) => {
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).sort(([one], [two]) => one < two ? -1 : 1));
  });
}
