/** Keys that wait for work: each once, none worked on twice at a time. */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { backoffMs } from "./backoff.ts";

/** Milliseconds before a key that failed once is worked on again; doubles. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 60_000;

/** What a queue is made of. */
export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Keys that wait, are worked on or wait for another try, at most. */
  readonly capacity: number;
  /** Milliseconds between the starts of work on one key, at least; 0 where absent. */
  readonly spacingMs?: number | undefined;
}

/** Why a key was not taken. */
export interface AddError {
  readonly code: "full";
  readonly capacity: number;
}

/** What a key's worker says at the end. */
export type WorkOutcome =
  | { readonly code: "done" }
  /** Work on it again after our back-off. */
  | { readonly code: "failed" }
  /** Work on it again then; not a failure. */
  | { readonly code: "again"; readonly afterMs: number };

interface Entry {
  /** When it may be worked on; monotonic milliseconds. */
  dueMs: number;
  isWorking: boolean;
  /** Added while it was worked on: once more afterwards. */
  isDirty: boolean;
  failures: number;
  lastStartMs: number;
}

/**
 * A queue of keys for reconcilers. A key that is added again before its work starts is one piece of
 * work; added during its work, it is worked on once more. Keys that are due come in the order in
 * which they became so.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #capacity: number;
  readonly #spacingMs: number;
  readonly #entries = new Map<string, Entry>();
  /** Keys that are due, first come first; each is in here or in `#later`, or worked on. */
  readonly #ready = new Set<string>();
  readonly #later = new Set<string>();
  /** When the first key of `#later` is due, or earlier. */
  #laterMs = Infinity;
  #changed = Promise.withResolvers<void>();

  constructor({ clock, random, capacity, spacingMs = 0 }: WorkQueueOptions) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, "a queue holds at least one key");
    this.#clock = clock;
    this.#random = random;
    this.#capacity = capacity;
    this.#spacingMs = spacingMs;
  }

  /** Keys that wait, are worked on or wait for another try. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Asks for work on a key, now or (also when it is waiting for a later try) as soon as it may.
   *
   * @param options.afterMs Milliseconds to wait first; an earlier wish for the same key wins.
   * @outcome `full` The queue holds `capacity` other keys: list again later instead.
   */
  add(key: string, { afterMs = 0 }: { readonly afterMs?: number } = {}): Result<void, AddError> {
    const dueMs = this.#clock.monotonicMs() + afterMs;
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= this.#capacity) {
        return err({ code: "full", capacity: this.#capacity });
      }
      const lastStartMs = -Infinity;
      const fresh = { dueMs, isWorking: false, isDirty: false, failures: 0, lastStartMs };
      this.#entries.set(key, fresh);
      this.#enqueue(key, fresh);
    } else if (entry.isWorking) {
      entry.dueMs = entry.isDirty ? Math.min(entry.dueMs, dueMs) : dueMs;
      entry.isDirty = true;
    } else if (!this.#ready.has(key)) {
      entry.dueMs = Math.min(entry.dueMs, Math.max(dueMs, this.#earliest(entry)));
      this.#enqueue(key, entry);
    }
    this.#notify();
    return ok(undefined);
  }

  /**
   * Works on keys until the signal aborts.
   *
   * @param options.workers Keys worked on at a time.
   * @param options.work Rejects for a bug only: that ends the queue.
   * @throws The signal's reason, or what `work` threw; after all running work has ended.
   */
  async run({ signal, workers, work }: {
    readonly signal: AbortSignal;
    readonly workers: number;
    readonly work: (
      key: string,
      options: { readonly signal: AbortSignal },
    ) => Promise<WorkOutcome>;
  }): Promise<never> {
    assert(workers > 0, "a queue is worked on by someone");
    const ending = new AbortController();
    const both = AbortSignal.any([signal, ending.signal]);
    const loops = Array.from({ length: workers }, async () => {
      try {
        for (;;) await this.#workOnce(work, { signal: both });
      } catch (error) {
        ending.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(loops);
    throw both.reason;
  }

  async #workOnce(
    work: (key: string, options: { readonly signal: AbortSignal }) => Promise<WorkOutcome>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const [key, entry] = await this.#take({ signal });
    const outcome = await work(key, { signal });
    const nowMs = this.#clock.monotonicMs();
    entry.isWorking = false;
    let dueMs: number | undefined = entry.isDirty ? entry.dueMs : undefined;
    if (outcome.code === "failed") {
      const waitMs = backoffMs(entry.failures++, {
        leastMs: RETRY_MS_MIN,
        mostMs: RETRY_MS_MAX,
        random: this.#random,
      });
      // A change may be what lets it go well; but not faster than the back-off.
      dueMs = nowMs + waitMs;
    } else {
      entry.failures = 0;
      if (outcome.code === "again") dueMs = Math.min(dueMs ?? Infinity, nowMs + outcome.afterMs);
    }
    entry.isDirty = false;
    if (dueMs === undefined) this.#entries.delete(key);
    else {
      entry.dueMs = Math.max(dueMs, this.#earliest(entry));
      this.#enqueue(key, entry);
    }
    this.#notify();
  }

  /** Takes the key that is due longest, waiting for one. */
  async #take({ signal }: { readonly signal: AbortSignal }): Promise<readonly [string, Entry]> {
    for (;;) {
      signal.throwIfAborted();
      const nowMs = this.#clock.monotonicMs();
      if (this.#laterMs <= nowMs) this.#promote(nowMs);
      for (const key of this.#ready) {
        const entry = this.#entries.get(key);
        assert(entry !== undefined, "a key that is due has an entry");
        this.#ready.delete(key);
        entry.isWorking = true;
        entry.lastStartMs = nowMs;
        return [key, entry];
      }
      await this.#nextChange({ signal, waitMs: this.#laterMs - nowMs });
    }
  }

  #enqueue(key: string, { dueMs }: Entry): void {
    if (dueMs <= this.#clock.monotonicMs()) {
      this.#later.delete(key);
      this.#ready.add(key);
    } else {
      this.#later.add(key);
      this.#laterMs = Math.min(this.#laterMs, dueMs);
    }
  }

  /** Moves what has become due; costs as much as there are keys that wait for a time. */
  #promote(nowMs: number): void {
    const due: { readonly key: string; readonly dueMs: number }[] = [];
    this.#laterMs = Infinity;
    for (const key of this.#later) {
      const dueMs = this.#entries.get(key)?.dueMs ?? 0;
      if (dueMs <= nowMs) due.push({ key, dueMs });
      else this.#laterMs = Math.min(this.#laterMs, dueMs);
    }
    for (const { key } of due.sort((one, other) => one.dueMs - other.dueMs)) {
      this.#later.delete(key);
      this.#ready.add(key);
    }
  }

  /** Resolves when a key was added or ended, or after `waitMs`. */
  async #nextChange(
    { signal, waitMs }: { readonly signal: AbortSignal; readonly waitMs: number },
  ): Promise<void> {
    const waking = new AbortController();
    const wake = (): void => waking.abort();
    signal.addEventListener("abort", wake, { once: true });
    const changed = this.#changed.promise.then(wake);
    const sleeping = waitMs === Infinity
      ? new Promise<void>((resolve) => waking.signal.addEventListener("abort", () => resolve()))
      : this.#clock.sleep(waitMs, { signal: waking.signal }).catch(() => {}); // Woken early.
    await Promise.race([sleeping, changed]);
    signal.removeEventListener("abort", wake);
    waking.abort();
  }

  #earliest(entry: Entry): number {
    return entry.lastStartMs + this.#spacingMs;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
