/** How far one server's cache of one kind is behind the storage. */
import type { Scheduler } from "./scheduler.ts";

interface Arrival {
  readonly revision: number;
  readonly atMs: number;
}

/**
 * Knows which revision a cache shows. Changes arrive in order, each after its own lag, and caches
 * of different kinds (and of different servers) lag on their own: who reads two of them sees things
 * in another order than they happened.
 */
export class CacheOfKind {
  readonly #scheduler: Scheduler;
  readonly #storedRevision: () => number;
  readonly #progressMs: number;
  #applied: number;
  #arrivals: Arrival[] = [];
  #lastArrivalMs = 0;
  #progressAtMs: number;
  readonly #listeners = new Set<() => void>();

  /** @param options.revision Where the cache begins. */
  constructor(
    scheduler: Scheduler,
    { revision, storedRevision, progressMs }: {
      readonly revision: number;
      readonly storedRevision: () => number;
      readonly progressMs: number;
    },
  ) {
    this.#scheduler = scheduler;
    this.#applied = revision;
    this.#storedRevision = storedRevision;
    this.#progressMs = progressMs;
    this.#progressAtMs = scheduler.nowMs;
  }

  /** Revision that the cache shows now. */
  get appliedRevision(): number {
    const { nowMs } = this.#scheduler;
    while (this.#arrivals[0] !== undefined && this.#arrivals[0].atMs <= nowMs) {
      const { revision } = this.#arrivals.shift() as Arrival;
      this.#applied = Math.max(this.#applied, revision);
    }
    // A quiet kind moves on with the storage, as progress notifications make it.
    if (this.#arrivals.length === 0 && nowMs - this.#progressAtMs >= this.#progressMs) {
      this.#progressAtMs = nowMs;
      this.#applied = this.#storedRevision();
    }
    return this.#applied;
  }

  /** Notes a change of the kind, which the cache shows after a while. */
  changed(revision: number, lagMs: number): void {
    const atMs = Math.max(this.#lastArrivalMs, this.#scheduler.nowMs + lagMs);
    this.#lastArrivalMs = atMs;
    this.#arrivals.push({ revision, atMs });
    if (this.#listeners.size === 0) return;
    this.#scheduler.after(atMs - this.#scheduler.nowMs, () => {
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Calls back whenever there is more to see; the returned function ends that. */
  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
