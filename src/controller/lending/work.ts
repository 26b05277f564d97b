/** What the files of one look share. */
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";
import type { WishMatch } from "../../ipam/lending/wishes.ts";
import type { LeaderParts } from "../parts.ts";
import type { LendingMemory } from "./memory.ts";

/** What a lender shares with the other parts of a term. */
export type LenderParts = Pick<
  LeaderParts,
  "ports" | "settings" | "settler" | "recorder" | "view" | "life" | "metrics"
>;

/** What all of one look shares. */
export interface LookWork {
  readonly parts: LenderParts;
  readonly memory: LendingMemory;
  /** As it was read or written last. */
  subnet: SpiderSubnet;
  /** The pools of its network, each as it was read or written last. */
  readonly pools: Map<string, SpiderIpPool>;
  /** What applications want of it. */
  wishes: WishMatch;
  /** Names of pools that are wanted and cannot be made now. */
  blocked: ReadonlySet<string>;
  /** Names of automatic pools that nobody wants any more. */
  readonly unwanted: Set<string>;
  /** Wishes whose pools are given back: another application needs the addresses. */
  givenBack: ReadonlySet<string>;
  /** Names of the SpiderIPs that it made or found to hold addresses back, and their pools. */
  readonly held: Map<string, string>;
  /** Whether somebody else wrote a pool that was to be changed. */
  hasLost: boolean;
  /** Whether something was refused that may go well later. */
  hasFailed: boolean;
  /** Milliseconds until something is to be asked again; infinite: nothing is. */
  againMs: number;
  readonly signal: AbortSignal;
}
