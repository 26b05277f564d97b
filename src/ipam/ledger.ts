/**
 * What an agent knows of who has which address of one pool, and which one it tries next (design.md
 * 2.4). All of it is a hint: the creation of a SpiderIP decides.
 */
import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import { type Address, type Family, RangeSet, type Version, versionOf } from "../ip/mod.ts";
import { ownerShare } from "./share.ts";

/** Milliseconds for which an address that was just released is avoided while others are free. */
export const RELEASED_AVOIDED_MS = 30_000;
/** Milliseconds for which an address that another host answered for is avoided. */
export const CONFLICT_AVOIDED_MS = 600_000;
/** Addresses that are avoided at once; the oldest is forgotten first. */
const AVOIDED_MAX = 10_000;
/** Milliseconds between the beginnings of two lists of one pool, at least; half of it is jitter. */
const LIST_GAP_MS = 200;
/** Refusals that call for another list of a pool without SpiderIPs. */
const LIST_REFUSALS_MIN = 2;
/**
 * Refusals of one request after which it waits for the first list: of a pool that is nearly full
 * they would take longer.
 */
const FIRST_LIST_ROW = 64;
/**
 * SpiderIPs whose list costs a server as much as one more creation that it refuses (measured: 17 us
 * of CPU each, and 2 ms). Counted, not timed: where many requests wait for each other, a refusal
 * takes as long as a list, and lists of everything would follow each other.
 */
const LISTED_PER_REFUSAL = 128;

/** What a pool has to give. */
export interface LedgerSpace<A extends Address> {
  /** `ips` less `excludeIPs`. */
  readonly addresses: RangeSet<A>;
  /** Of any pool. */
  readonly reserved: RangeSet<A>;
}

/** A list of the SpiderIPs of a pool, or of all pools. */
export interface LedgerList {
  /** Monotonic milliseconds at which it was asked for. */
  readonly begunMs: number;
  /** Milliseconds that it took. */
  readonly costMs: number;
  /** Those of the pool. */
  readonly addresses: Iterable<Address>;
  /** Those of all other pools; absent where they were not listed. */
  readonly foreign?: Iterable<Address> | undefined;
  /** Nodes that use the pool. */
  readonly nodes: Iterable<string>;
}

/** Sizes for messages, as decimal texts. */
export interface LedgerCounts {
  /** Addresses of the pool. */
  readonly total: string;
  /** Of them reserved. */
  readonly reserved: string;
  /** Neither reserved nor known as taken. */
  readonly free: string;
}

/**
 * Knows the pool's addresses as sets of ranges; nothing costs time by their number. An address that
 * `choose` gave is nobody else's until `settle` is told what became of it.
 */
export class PoolLedger<A extends Address> {
  readonly version: Version<A>;
  readonly #family: Family<A>;
  readonly #node: string;
  #space: LedgerSpace<A>;
  #listed: RangeSet<A>;
  readonly #refused = new Map<A, number>();
  readonly #own = new Set<A>();
  readonly #inFlight = new Set<A>();
  readonly #released = new Map<A, number>();
  /** Until when each is avoided, in the order in which that was said. */
  readonly #avoided = new Map<A, number>();
  /** When the first of them is avoided no longer, or earlier. */
  #nextForgetMs = Infinity;
  /** Free and not avoided. */
  #fresh: RangeSet<A>;
  /** Free but avoided. */
  #stale: RangeSet<A>;
  #nodes: readonly string[];
  #listBegunMs = -Infinity;
  #listCostMs: number | undefined;
  /** SpiderIPs of the newest list. */
  #listedCount = 0;
  /** Since the last list. */
  #refusalCount = 0;
  /** Addresses that were tried, until the first list. */
  #tryCount = 0;
  #needsFullList = false;

  /** @param options.node The agent's own node. */
  constructor(
    family: Family<A>,
    { space, node }: { readonly space: LedgerSpace<A>; readonly node: string },
  ) {
    this.version = family.version;
    this.#family = family;
    this.#node = node;
    this.#nodes = [node];
    this.#space = space;
    this.#listed = RangeSet.empty(family);
    this.#fresh = RangeSet.empty(family);
    this.#stale = RangeSet.empty(family);
    this.#rebuild();
  }

  /** When the newest list that came in was begun; minus infinity before the first. */
  get listBegunMs(): number {
    return this.#listBegunMs;
  }

  /** What that list took, in milliseconds; 0 before the first. */
  get listCostMs(): number {
    return this.#listCostMs ?? 0;
  }

  /** Whether some refused name is no SpiderIP of this pool: only a list of all tells. */
  get needsFullList(): boolean {
    return this.#needsFullList;
  }

  /** Whether no address is left that could be tried. */
  get isEmpty(): boolean {
    return this.#fresh.isEmpty && this.#stale.isEmpty;
  }

  /** Whether nothing is left but, at most, addresses that other hosts answered for. */
  hasOnlyConflicting(nowMs: number): boolean {
    this.#forgetAvoided(nowMs);
    return this.#fresh.isEmpty && this.#soundStale(nowMs).isEmpty;
  }

  /** What there is. */
  counts(): LedgerCounts {
    const { addresses, reserved } = this.#space;
    const free = this.#family.plus(this.#fresh.size, this.#stale.size);
    return {
      total: String(addresses.size),
      reserved: String(addresses.intersect(reserved).size),
      free: String(free),
    };
  }

  /** The pool or the reserved addresses changed. */
  setSpace(space: LedgerSpace<A>): void {
    const same = space.addresses === this.#space.addresses &&
      space.reserved === this.#space.reserved;
    if (same) return;
    this.#space = space;
    this.#rebuild();
  }

  /**
   * An address to try: the agent's own share first, then any; what was just given back comes last,
   * and after that what conflicted. Each at random.
   *
   * @param options.isSound Rather none than one that conflicted.
   * @returns `undefined` if every address is reserved, known as taken or being tried.
   */
  choose(
    random: Random,
    nowMs: number,
    { isSound = false }: { readonly isSound?: boolean } = {},
  ): A | undefined {
    this.#forgetAvoided(nowMs);
    const sound = this.#fresh.isEmpty ? this.#soundStale(nowMs) : this.#fresh;
    const set = sound.isEmpty && !isSound ? this.#stale : sound;
    if (set.isEmpty) return undefined;
    const address = ownerShare(set, { node: this.#node, nodes: this.#nodes, random });
    this.#inFlight.add(address);
    this.#take(address);
    return address;
  }

  /** Of what is avoided, what is so for no longer than an address that is given back now. */
  #soundStale(nowMs: number): RangeSet<A> {
    if (this.#stale.isEmpty) return this.#stale;
    const worst: A[] = [];
    for (const [address, untilMs] of this.#avoided) {
      if (untilMs - nowMs > RELEASED_AVOIDED_MS) worst.push(address);
    }
    if (worst.length === 0) return this.#stale;
    return this.#stale.subtract(RangeSet.ofAddresses(this.#family, worst));
  }

  /**
   * Takes note of an address that is to be tried whatever is known of it: an old one of its holder.
   */
  attempt(address: Address): void {
    this.#inFlight.add(this.#mine(address));
    this.#take(this.#mine(address));
  }

  /** What became of an address that was tried. `refused`: somebody else has it. */
  settle(
    address: Address,
    outcome:
      | { readonly kind: "claimed" | "dropped" }
      | { readonly kind: "refused"; readonly nowMs: number },
  ): void {
    const mine = this.#mine(address);
    this.#inFlight.delete(mine);
    this.#tryCount++;
    if (outcome.kind === "claimed") {
      this.claimed(mine);
    } else if (outcome.kind === "refused") {
      this.#refused.set(mine, outcome.nowMs);
      this.#refusalCount++;
    }
    this.#give(mine);
  }

  /** An address of this node is in use, as its own claims say. */
  claimed(address: Address): void {
    const mine = this.#mine(address);
    this.#own.add(mine);
    this.#released.delete(mine);
    this.#take(mine);
  }

  /** An address of this node was given back. */
  released(address: Address, nowMs: number): void {
    const mine = this.#mine(address);
    this.#own.delete(mine);
    this.#refused.delete(mine);
    this.#listed = this.#listed.without(mine);
    this.#released.set(mine, nowMs);
    if (this.#released.size > AVOIDED_MAX) {
      const oldest = this.#released.keys().next();
      if (!oldest.done) this.#released.delete(oldest.value);
    }
    this.avoid(mine, nowMs + RELEASED_AVOIDED_MS);
    this.#give(mine);
  }

  /** Leaves an address alone until then while others are free. */
  avoid(address: Address, untilMs: number): void {
    const mine = this.#mine(address);
    const endsMs = Math.max(this.#avoided.get(mine) ?? -Infinity, untilMs);
    this.#avoided.delete(mine);
    this.#avoided.set(mine, endsMs);
    this.#nextForgetMs = Math.min(this.#nextForgetMs, endsMs);
    if (this.#fresh.has(mine)) {
      this.#fresh = this.#fresh.without(mine);
      this.#stale = this.#stale.with(mine);
    }
    const oldest = this.#avoided.keys().next();
    if (this.#avoided.size > AVOIDED_MAX && !oldest.done) this.#unavoid(oldest.value);
  }

  /**
   * Whether refusals have cost as much as another list would. Before the first list as many of the
   * pool's addresses are taken to be in use as tries were refused: then the number of tries
   * decides, and a pool of up to 128 addresses is listed after one refusal. The first list tells
   * which nodes share the pool, so it is worth having while the pool is filling.
   *
   * @param options.spread A random fraction: spreads the lists of several agents.
   * @param options.refusedInRow Refusals of the request that asks.
   */
  wantsList(
    nowMs: number,
    { spread, refusedInRow }: { readonly spread: number; readonly refusedInRow: number },
  ): boolean {
    if (nowMs - this.#listBegunMs < LIST_GAP_MS * (1 + spread / 2)) return false;
    if (this.#listCostMs !== undefined) {
      return this.#refusalCount >= LIST_REFUSALS_MIN + this.#listedCount / LISTED_PER_REFUSAL;
    }
    if (this.#refusalCount === 0) return false;
    const triesMin = Number(this.#space.addresses.size) / LISTED_PER_REFUSAL;
    return this.#tryCount >= triesMin || refusedInRow >= FIRST_LIST_ROW;
  }

  /** A list came in. Older than what is known by own writes is what it says of those. */
  listed({ begunMs, costMs, addresses, foreign, nodes }: LedgerList): void {
    if (begunMs < this.#listBegunMs) return;
    const others = this.#notReleasedSince(begunMs, foreign ?? []);
    const overlaps = others.some((address) => this.#space.addresses.has(address));
    const own = this.#notReleasedSince(begunMs, addresses);
    this.#listed = RangeSet.ofAddresses(this.#family, [...own, ...others]);
    this.#needsFullList = overlaps;
    for (const [address, refusedMs] of this.#refused) {
      if (refusedMs >= begunMs) continue;
      this.#refused.delete(address);
      // Refused, yet not of this pool: another pool's range overlaps, or it was freed since.
      if (foreign === undefined && !this.#listed.has(address)) this.#needsFullList = true;
    }
    for (const [address, releasedMs] of this.#released) {
      if (releasedMs < begunMs) this.#released.delete(address);
    }
    this.#nodes = [...new Set([this.#node, ...nodes])].sort();
    this.#listBegunMs = begunMs;
    this.#listCostMs = costMs;
    this.#listedCount = own.length + others.length;
    this.#refusalCount = 0;
    this.#rebuild();
  }

  #notReleasedSince(begunMs: number, addresses: Iterable<Address>): readonly A[] {
    const found: A[] = [];
    for (const address of addresses) {
      if (!isOf(this.#family, address)) continue;
      if ((this.#released.get(address) ?? -Infinity) < begunMs) found.push(address);
    }
    return found;
  }

  #isTaken(address: A): boolean {
    return this.#inFlight.has(address) || this.#own.has(address) || this.#refused.has(address) ||
      this.#listed.has(address);
  }

  #take(address: A): void {
    this.#fresh = this.#fresh.without(address);
    this.#stale = this.#stale.without(address);
  }

  #give(address: A): void {
    const { addresses, reserved } = this.#space;
    if (this.#isTaken(address) || !addresses.has(address) || reserved.has(address)) return;
    if (this.#avoided.has(address)) this.#stale = this.#stale.with(address);
    else this.#fresh = this.#fresh.with(address);
  }

  #unavoid(address: A): void {
    this.#avoided.delete(address);
    if (!this.#stale.has(address)) return;
    this.#stale = this.#stale.without(address);
    this.#fresh = this.#fresh.with(address);
  }

  #forgetAvoided(nowMs: number): void {
    if (nowMs < this.#nextForgetMs) return;
    this.#nextForgetMs = Infinity;
    for (const [address, untilMs] of this.#avoided) {
      if (untilMs <= nowMs) this.#unavoid(address);
      else this.#nextForgetMs = Math.min(this.#nextForgetMs, untilMs);
    }
  }

  #rebuild(): void {
    const { addresses, reserved } = this.#space;
    const family = this.#family;
    const known = [...this.#inFlight, ...this.#own, ...this.#refused.keys()];
    const free = addresses.subtract(reserved).subtract(this.#listed)
      .subtract(RangeSet.ofAddresses(family, known));
    const avoided = RangeSet.ofAddresses(family, this.#avoided.keys());
    this.#fresh = free.subtract(avoided);
    this.#stale = free.intersect(avoided);
  }

  #mine(address: Address): A {
    assert(isOf(this.#family, address), "an address is of its pool's family");
    return address;
  }
}

function isOf<A extends Address>(family: Family<A>, address: Address): address is A {
  return versionOf(address) === family.version;
}
