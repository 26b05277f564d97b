/** Makes SpiderIPs: picks addresses out of pools in order, and carries each creation through. */
import { StoreFailure } from "../base/object_store.ts";
import type { Clock } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Random } from "../base/random.ts";
import { type Address, versionOf } from "../ip/mod.ts";
import { ANNOTATION_IP_NUMBER } from "../api/annotations.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { type Holder, isHeldBy, newClaim } from "../ipam/claim.ts";
import type { PoolFacts } from "../ipam/pool_facts.ts";
import type { NoAddress } from "../ipam/refusal.ts";
import type { FamilySelection } from "../ipam/selection.ts";
import { type CandidateTrace, cappedTrace, exhaustedTrace, laterTrace } from "../ipam/trace.ts";
import type { RequestMetrics } from "./agent_metrics.ts";
import type { OwnClaims } from "./own_claims.ts";
import type { PoolBook } from "./pool_book.ts";
import type { PoolReader } from "./pool_reader.ts";
import type { Reserved } from "../ipam/reserved.ts";
import { type Settler, UnsettledFailure } from "../kube/settler.ts";

/** Milliseconds that an ADD waits for an address to come free before it says that none is. */
export const FULL_WAIT_MS = 5_000;

/** What a claimer needs. */
export interface ClaimerOptions {
  readonly settler: Settler;
  readonly clock: Clock;
  readonly random: Random;
  readonly claims: OwnClaims;
  readonly book: PoolBook;
  /** Pools may change while an ADD waits for an address of them. */
  readonly reader: Pick<PoolReader, "read">;
  /** Told of refused creations. */
  readonly metrics: Pick<RequestMetrics, "conflicted">;
  /** Most addresses of one pool in use, as far as is known; absent: no bound. */
  readonly poolAddressesMax?: number | undefined;
}

/** Who wants addresses, and since when. */
export interface ClaimWish {
  readonly holder: Holder;
  readonly nic: string;
  readonly selection: FamilySelection;
  readonly reserved: Reserved;
  /** Monotonic milliseconds at which the ADD began: older lists prove no exhaustion. */
  readonly begunMs: number;
  /** Monotonic milliseconds until which it waits at least, where nothing is free. */
  readonly untilMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** Who wants one certain address. */
export type CreationWish = Pick<ClaimWish, "holder" | "reserved" | "signal">;

/** A SpiderIP that its holder has. */
export interface Taken {
  readonly claim: SpiderIp;
  /** Whether it was there: another agent of the node may have answered it. */
  readonly wasThere: boolean;
}

/** An address that was taken. */
export interface Claimed extends Taken {
  readonly facts: PoolFacts;
  readonly address: Address;
}

/** A creation whose end is not known: it may be stored, now or later. */
interface Pending {
  readonly facts: PoolFacts;
  readonly address: Address;
  /** When it was last tried, in monotonic milliseconds. */
  readonly triedMs: number;
  /** Until when (monotonic milliseconds) it may still come, if it was refused since. */
  readonly untilMs: number;
}

/** Which addresses of a pool count: those that other hosts answered for are a last resort. */
type Choice = "sound" | "any";

/** Milliseconds for which a creation is remembered although its pod is not seen: copies lag. */
const PENDING_KEPT_MS = 600_000;

/** Milliseconds after which a server has done what it was asked for, or never does it. */
const UNSETTLED_MS = 120_000;

/**
 * Claims one address at a time. While the end of a creation is unknown, the same NIC and family of
 * the same pod tries no other address, in this call or a later one (design.md 2.1, rule 8).
 */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  /**
   * Whether nothing can be had of any of these pools at the moment: known without asking for one.
   * Lists each pool that looks full once.
   */
  async isFull(wish: ClaimWish): Promise<boolean> {
    for (const facts of await this.#candidatesOf(wish)) {
      if (!await this.#poolIsFull(facts, { wish, choice: "any" })) return false;
    }
    return true;
  }

  /**
   * Takes an address of the first pool that has one, waiting a little where none has. One that
   * another host answered for is taken only where no pool has any other.
   *
   * @outcome `exhausted` Lists that began after the ADD did leave nothing of any pool.
   */
  async claim(wish: ClaimWish): Promise<Result<Claimed, NoAddress>> {
    const settled = await this.#settlePending(wish);
    if (settled !== undefined) return ok(settled);
    const { clock, book } = this.#options;
    const { trace, version } = wish.selection;
    using rings = book.follow(wish.selection.candidates);
    let candidates = await this.#candidatesOf(wish);
    const untilMs = Math.max(clock.monotonicMs() + FULL_WAIT_MS, wish.untilMs ?? -Infinity);
    for (;;) {
      for (const choice of ["sound", "any"] as const) {
        for (const facts of candidates) {
          const claimed = await this.#claimFrom(facts, { wish, choice });
          if (claimed !== undefined) return ok(claimed);
        }
      }
      const full = candidates.map((facts) => this.#fullTrace(facts));
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) {
        const later = laterTrace(trace, { later: full });
        const nicTrace = { nic: wish.nic, version, candidates: later };
        return err({ code: "exhausted", trace: nicTrace });
      }
      await book.waitForFree(candidates, { rings, atMostMs: leftMs, signal: wish.signal });
      candidates = await this.#currentOf(candidates, wish);
    }
  }

  /** The pools to begin with: automatic ones may have grown since they were selected. */
  async #candidatesOf(wish: ClaimWish): Promise<readonly PoolFacts[]> {
    const { candidates } = wish.selection;
    const mayHaveGrown = candidates.some(({ isAutomatic }) => isAutomatic);
    return mayHaveGrown ? await this.#currentOf(candidates, wish) : candidates;
  }

  /** The pools as they are now: those that may no longer be used stay out. */
  async #currentOf(
    candidates: readonly PoolFacts[],
    { signal }: ClaimWish,
  ): Promise<readonly PoolFacts[]> {
    const names = candidates.map(({ name }) => name);
    const readings = await this.#options.reader.read(names, { signal });
    return candidates.flatMap(({ name, uid }) => {
      const reading = readings.get(name);
      if (reading?.kind !== "facts" || reading.facts.uid !== uid) return [];
      const { isTerminating, isDisabled, notUsable } = reading.facts;
      return isTerminating || isDisabled || notUsable !== undefined ? [] : [reading.facts];
    });
  }

  /**
   * Claims one certain address, which its holder had before.
   *
   * @returns `undefined` if somebody else has it by now.
   */
  async reclaim(
    place: { readonly facts: PoolFacts; readonly address: Address },
    wish: CreationWish,
  ): Promise<Taken | undefined> {
    this.#options.book.open(place.facts, wish.reserved).attempt(place.address);
    return await this.#create(place, { ...wish, mayBeDone: true });
  }

  /** Forgets creations of pods that are no more: claims of dead pods are found by a list. */
  keepOnly(podUIDs: ReadonlySet<string>): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [key, { triedMs }] of this.#pending) {
      const isSeen = podUIDs.has(key.slice(0, key.indexOf(" ")));
      if (!isSeen && nowMs - triedMs > PENDING_KEPT_MS) this.#pending.delete(key);
    }
  }

  async #poolIsFull(
    facts: PoolFacts,
    { wish, choice }: { readonly wish: ClaimWish; readonly choice: Choice },
  ): Promise<boolean> {
    const { book, clock } = this.#options;
    const ledger = book.open(facts, wish.reserved);
    const isFull = (): boolean =>
      this.#isCapped(facts) ||
      (choice === "any" ? ledger.isEmpty : ledger.hasOnlyConflicting(clock.monotonicMs()));
    if (!isFull()) return false;
    if (book.isFull(facts)) return true;
    await book.refresh(facts, { sinceMs: wish.begunMs, signal: wish.signal });
    if (!isFull()) return false;
    book.noteFull(facts);
    return true;
  }

  async #claimFrom(
    facts: PoolFacts,
    { wish, choice }: { readonly wish: ClaimWish; readonly choice: Choice },
  ): Promise<Claimed | undefined> {
    const { clock, random, book } = this.#options;
    const ledger = book.open(facts, wish.reserved);
    for (let refusedInRow = 0;; refusedInRow++) {
      if (await this.#poolIsFull(facts, { wish, choice })) return undefined;
      const nowMs = clock.monotonicMs();
      if (ledger.wantsList(nowMs, { spread: random.fraction(), refusedInRow })) {
        await book.refresh(facts, { sinceMs: nowMs, signal: wish.signal });
      }
      const isSound = choice === "sound";
      const address = ledger.choose(random, clock.monotonicMs(), { isSound });
      if (address === undefined) continue; // Known as full by now: the next turn says so.
      const taken = await this.#create({ facts, address }, wish);
      if (taken !== undefined) return { facts, address, ...taken };
    }
  }

  /** Creates the SpiderIP of an address that the ledger has in flight. */
  async #create(
    { facts, address }: Pick<Pending, "facts" | "address">,
    wish: CreationWish & { readonly mayBeDone?: boolean },
  ): Promise<Taken | undefined> {
    const { settler, clock, claims, book, metrics } = this.#options;
    const { holder, signal, mayBeDone } = wish;
    const ledger = book.open(facts, wish.reserved);
    const key = pendingKey(holder, versionOf(address));
    const startedMs = clock.monotonicMs();
    const untilMs = this.#pending.get(key)?.untilMs ?? -Infinity;
    this.#pending.set(key, { facts, address, triedMs: startedMs, untilMs });
    try {
      const object = newClaim({ pool: facts.name, address }, holder);
      const isOurs = (stored: SpiderIp): boolean =>
        isHeldBy(stored, holder) && stored.spec.pool === facts.name;
      const created = await settler.create(SPIDER_IPS, object, { signal, isOurs, mayBeDone });
      this.#pending.delete(key);
      const nowMs = clock.monotonicMs();
      if (created.kind === "exists") {
        metrics.conflicted();
        ledger.settle(address, { kind: "refused", nowMs });
        return undefined;
      }
      ledger.settle(address, { kind: "claimed" });
      claims.note(created.object);
      return { claim: created.object, wasThere: created.wasThere };
    } catch (error) {
      const nowMs = clock.monotonicMs();
      // Aborted: the address may be ours, so it stays pending. Refused for good: it is not, unless
      // a try before that may still come.
      if (error instanceof UnsettledFailure && untilMs === -Infinity) {
        const mayComeMs = nowMs + UNSETTLED_MS;
        this.#pending.set(key, { facts, address, triedMs: startedMs, untilMs: mayComeMs });
      } else if (error instanceof StoreFailure && nowMs >= untilMs) this.#pending.delete(key);
      ledger.settle(address, { kind: "refused", nowMs });
      throw error;
    }
  }

  /** Carries through what an earlier call of the same NIC and family left open. */
  async #settlePending(wish: ClaimWish): Promise<Claimed | undefined> {
    const { candidates, version } = wish.selection;
    const pending = this.#pending.get(pendingKey(wish.holder, version));
    if (pending === undefined) return undefined;
    const taken = await this.reclaim(pending, wish);
    if (taken === undefined) return undefined;
    const facts = candidates.find(({ name }) => name === pending.facts.name);
    // Of a pool that is none of its own any more: the settling of extra claims frees it.
    return facts === undefined ? undefined : { facts, address: pending.address, ...taken };
  }

  #isCapped(facts: PoolFacts): boolean {
    const max = this.#options.poolAddressesMax;
    const counts = max === undefined ? undefined : this.#options.book.counts(facts);
    if (max === undefined || counts === undefined) return false;
    return BigInt(counts.total) - BigInt(counts.reserved) - BigInt(counts.free) >= BigInt(max);
  }

  #fullTrace(facts: PoolFacts): CandidateTrace {
    const max = this.#options.poolAddressesMax;
    if (max !== undefined && this.#isCapped(facts)) return cappedTrace(facts.name, { max });
    const counts = this.#options.book.counts(facts);
    const size = counts === undefined ? 0n : BigInt(counts.total) - BigInt(counts.reserved);
    return exhaustedTrace(facts.name, { size, ...(facts.isAutomatic && AUTOMATIC_REMEDY) });
  }
}

/** Nobody adds addresses to such a pool by hand. */
const AUTOMATIC_REMEDY = {
  remedy: `write a bigger number in annotation "${ANNOTATION_IP_NUMBER}" of the application's ` +
    "pods, or delete pods that hold some",
};

function pendingKey({ podUID, nic }: Holder, version: 4 | 6): string {
  return `${podUID} ${version} ${nic}`;
}
