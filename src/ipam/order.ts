/** Which of several pools is asked first. */
import type { PoolFacts } from "./pool_facts.ts";

/** What makes a pool the more special one, from the strongest to the weakest. */
const MARKS: readonly ((pool: PoolFacts) => boolean)[] = [
  ({ podAffinity }) => podAffinity !== undefined,
  ({ nodeNames }) => nodeNames.length > 0,
  ({ nodeAffinity }) => nodeAffinity !== undefined,
  ({ namespaceNames }) => namespaceNames.length > 0,
  ({ namespaceAffinity }) => namespaceAffinity !== undefined,
  ({ multusNames }) => multusNames.length > 0,
];

/**
 * Puts the pools that are for fewer pods first; among equals the user's order stays.
 *
 * @source spiderpool `pkg/ippoolmanager` ByPoolPriority; there equals come in random order.
 */
export function inOrder(pools: readonly PoolFacts[]): readonly PoolFacts[] {
  const ranked = pools.map((pool) => ({ pool, rank: rankOf(pool) }));
  return ranked.sort((one, other) => other.rank - one.rank).map(({ pool }) => pool);
}

/** One bit for each mark, the strongest the highest. */
function rankOf(pool: PoolFacts): number {
  return MARKS.reduce((rank, isMarked) => rank * 2 + (isMarked(pool) ? 1 : 0), 0);
}
