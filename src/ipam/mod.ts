/**
 * Decisions about addresses, without IO: which pools a NIC may have and why not others
 * (`readWish`, `selectPools`, `sayRefusal`), which address is tried (`PoolLedger`), what a DEL
 * frees (`releasable`), and when an address is provably free (`decideReclaim`).
 */
export { type Holder, type Keeper, newClaim, reboundClaim } from "./claim.ts";
export { type LedgerCounts, type LedgerList, type LedgerSpace, PoolLedger } from "./ledger.ts";
export { isDead, isFinished, uidMatches } from "./pod_life.ts";
export {
  type BrokenPool,
  type FactsOf,
  type PoolFacts,
  type PoolReading,
  readPool,
  readPoolFacts,
} from "./pool_facts.ts";
export {
  decideReclaim,
  isExtra,
  type NodeReading,
  nodeReading,
  type ReclaimDecision,
  type ReclaimFacts,
  type ReclaimSwitches,
} from "./reclaim.ts";
export { classOfRefusal, type Refusal, type RefusalClass } from "./refusal.ts";
export { sayRefusal } from "./refusal_text.ts";
export { type PodReading, releasable, type Release, type ReleaseRequest } from "./release.ts";
export {
  type FamilySelection,
  type NicSelection,
  type SelectionFacts,
  selectPools,
} from "./selection.ts";
export type { IpamSettings } from "./settings.ts";
export { keeperOf, machineKeeps, statefulSetKeeps } from "./sticky.ts";
export { firstOwner, ownerAbove, type OwnerStep, type TopController } from "./top_controller.ts";
export { type CandidateTrace, type DropRule, type NicTrace } from "./trace.ts";
export { type NicRequest, type NicWish, readWish, type Wish, type WishFacts } from "./wish.ts";
export { type PoolNames, poolsOf } from "./wished_pools.ts";
