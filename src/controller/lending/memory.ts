/** What a term remembers of the Subnets and pools that it writes. */
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";

/**
 * Milliseconds from a creation of a pool whose answer was lost until it is carried out no more:
 * what it was lent goes to nobody else before.
 */
const LATE_MS = 60_000;

/** A pool as it was written, until the copy of it changes. */
interface Written {
  /** Of the copy when it was written. */
  readonly seenVersion: string | undefined;
  readonly pool: SpiderIpPool;
}

/** Nothing in it outlives the term, and nothing that is stored depends on it. */
export class LendingMemory {
  #lender: string;
  readonly #newLender: () => string;
  /** When the term began, monotonic milliseconds. */
  readonly beganMs: number;
  /** Pools that were seen and are gone. */
  readonly gone = new Set<string>();
  /**
   * Names with a record and without a pool: somebody before this term may be about to make it, also
   * if this term has meanwhile made and deleted it.
   */
  readonly unmade = new Set<string>();
  /**
   * Names of pools whose creation this term sent and did not hear of: until when it may be carried
   * out, also if the pool was made and deleted since; monotonic milliseconds.
   */
  readonly lateUntilMs = new Map<string, number>();
  /** UIDs of Subnets whose pools were read from the server itself. */
  readonly listed = new Set<string>();
  /** By name of a SpiderIP that holds an address back: when it may go, monotonic milliseconds. */
  readonly holdEndsMs = new Map<string, number>();
  /** Subnets that wait for a SpiderIP to go. */
  readonly waiting = new Set<string>();
  /**
   * By UID: applications of which no copy knows and that the server has; when it is asked again,
   * monotonic milliseconds, and after how many after that.
   */
  readonly present = new Map<string, { readonly untilMs: number; readonly waitMs: number }>();
  /** By pool: what people were told last. */
  readonly told = new Map<string, string>();
  #resting: { readonly uid: string; readonly ranges: readonly string[]; readonly endMs: number }[] =
    [];
  /** Of those, pools that this term made and no copy had yet. */
  readonly #made = new Set<string>();
  readonly #written = new Map<string, Written>();
  /** By name: resourceVersion of the last write. */
  readonly #subnets = new Map<string, string | undefined>();

  /** @param options.newLender Says who writes; never the same twice. */
  constructor(
    { nowMs, newLender }: { readonly nowMs: number; readonly newLender: () => string },
  ) {
    this.beganMs = nowMs;
    this.#newLender = newLender;
    this.#lender = newLender();
  }

  /** Who writes now. */
  get lender(): string {
    return this.#lender;
  }

  /** A write ended without an answer and may come late: what comes now is of somebody else. */
  renewLender(): void {
    this.#lender = this.#newLender();
  }

  /** Keeps ranges of a Subnet that people took out of their pools. */
  rest(uid: string, { ranges, endMs }: { ranges: readonly string[]; endMs: number }): void {
    if (ranges.length > 0) this.#resting.push({ uid, ranges, endMs });
  }

  /** Those ranges of a Subnet, and when the next of them may be lent; infinite: there are none. */
  resting(
    uid: string,
    { nowMs }: { readonly nowMs: number },
  ): { readonly ranges: readonly string[]; readonly endMs: number } {
    this.#resting = this.#resting.filter(({ endMs }) => endMs > nowMs);
    const own = this.#resting.filter((one) => one.uid === uid);
    const endMs = Math.min(...own.map((one) => one.endMs));
    return { ranges: own.flatMap(({ ranges }) => ranges), endMs };
  }

  /** Keeps what was written. @param seen The copy, which does not know it yet. */
  wrote(pool: SpiderIpPool, { seen }: { readonly seen: SpiderIpPool | undefined }): void {
    const seenVersion = seen?.metadata.resourceVersion;
    this.#written.set(pool.metadata.name, { seenVersion, pool });
  }

  /** Keeps a pool that was made, until a copy has it. @param options.created As it was at first. */
  made(pool: SpiderIpPool, { created }: { readonly created: SpiderIpPool }): void {
    this.wrote(pool, { seen: created });
    this.#made.add(pool.metadata.name);
  }

  /** A pool is not as it was written, or is gone: the copy tells. */
  forget(name: string): void {
    this.#written.delete(name);
    this.#made.delete(name);
  }

  /** Pools that were made, of which no copy may know yet. */
  *unseen(): Generator<SpiderIpPool> {
    for (const name of this.#made) {
      const written = this.#written.get(name);
      if (written !== undefined) yield written.pool;
    }
  }

  /** The answer of a creation was lost. */
  mayBeMadeLate(name: string, { nowMs }: { readonly nowMs: number }): void {
    this.lateUntilMs.set(name, nowMs + LATE_MS);
  }

  /** Keeps that a Subnet was written. */
  wroteSubnet({ metadata: { name, resourceVersion } }: SpiderSubnet): void {
    this.#subnets.set(name, resourceVersion);
  }

  /** Whether an object is as this term wrote it last, or wrote over: that is no news. */
  isOwn({ kind, metadata: { name, resourceVersion } }: SpiderIpPool | SpiderSubnet): boolean {
    if (resourceVersion === undefined) return false;
    if (kind === "SpiderSubnet") return this.#subnets.get(name) === resourceVersion;
    const written = this.#written.get(name);
    return written?.pool.metadata.resourceVersion === resourceVersion ||
      written?.seenVersion === resourceVersion;
  }

  /** The newer of a copy and of what was written over it. */
  newest(seen: SpiderIpPool): SpiderIpPool {
    const { name, resourceVersion, uid } = seen.metadata;
    const written = this.#written.get(name);
    if (written === undefined) return seen;
    const isOlder = written.seenVersion === resourceVersion && written.pool.metadata.uid === uid;
    if (isOlder) return written.pool;
    this.forget(name);
    return seen;
  }

  /** A pool is there no more. */
  removed(name: string): void {
    this.gone.add(name);
    this.forget(name);
    this.told.delete(name);
  }

  /** Whether this is news about a pool; `undefined`: there is nothing to tell. */
  isNews(pool: string, text: string | undefined): boolean {
    if (this.told.get(pool) === text) return false;
    if (text === undefined) this.told.delete(pool);
    else this.told.set(pool, text);
    return text !== undefined;
  }
}
