/** A Subnet as other Subnets see it, when it is decided which applications have all they want. */
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { isTerminating } from "../../api/metadata.ts";
import type { Address } from "../../ip/mod.ts";
import type { LoanGround } from "../../ipam/lending/plan.ts";
import type { Supply } from "../../ipam/lending/together.ts";
import { goesWithApplication } from "../../ipam/lending/wishes.ts";
import type { LookWork } from "./work.ts";

/** What a look found; it tells what the look lends and makes too. */
export function supplyOf<A extends Address>(
  work: LookWork,
  { loans, free }: LoanGround<A>,
): Supply {
  const { wishes, blocked, pools } = work;
  const poolNames = new Map(Array.from(wishes.made, ([name, wish]) => [wish.pool.name, name]));
  const poolOf = (wish: string): string => poolNames.get(wish) ?? wish;
  const lentTo = (wish: string): number => Number(loans.get(poolOf(wish))?.addresses.size ?? 0);
  return {
    free: () => Number(free().size),
    lentTo,
    isMade: (wish) => pools.has(poolOf(wish)),
    isBlocked: (wish) => blocked.has(wish),
    spareOf: (wish) => {
      const pool = pools.get(poolOf(wish));
      return pool !== undefined && mayGiveBack(pool, work) ? lentTo(wish) : 0;
    },
  };
}

/** Whether no pod has anything of a pool, and nobody said that it is to stay. */
export function mayGiveBack(pool: SpiderIpPool, { parts: { view } }: LookWork): boolean {
  const { metadata: { name }, status } = pool;
  if (isTerminating(pool) || !goesWithApplication(pool) || status?.truth === undefined) {
    return false;
  }
  return view.claimsOf(name).length === 0;
}
