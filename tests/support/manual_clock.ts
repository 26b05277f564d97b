import { assert } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";

/** Moves of time until work that does not end counts as stuck. */
const STEPS_MAX = 100_000;
/** Milliseconds of one such move at most: what wakes nobody must not take for ever either. */
const STEP_MS_MAX = 50;

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/**
 * A `Clock` that moves only when a test says so. Sleepers wake in the order of their due times
 * (then of their calls), each with everything it started settled before the next one wakes.
 */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #order = 0;
  #sleepers = new Set<Sleeper>();

  /** @param options.nowMs Wall clock at the start; 2025-01-01T00:00:00Z where absent. */
  constructor({ nowMs = Date.UTC(2025, 0, 1) }: { readonly nowMs?: number } = {}) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** How many calls of `sleep` wait now. */
  get sleeperCount(): number {
    return this.#sleepers.size;
  }

  /** Milliseconds until the next sleeper wakes; `undefined` when nobody sleeps. */
  get nextWakeMs(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.dueMs - this.#monotonicMs;
  }

  sleep(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const sleeper: Sleeper = {
        dueMs: this.#monotonicMs + Math.max(0, ms),
        order: this.#order++,
        wake: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Moves time on, waking everyone whose time comes, also those who go to sleep on the way. */
  async advance(ms: number): Promise<void> {
    assert(ms >= 0, "time does not go back");
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next.dueMs <= endMs; next = this.#next()) {
      this.#moveTo(next.dueMs);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#moveTo(endMs);
  }

  /** Sets the wall clock, as NTP does: sleepers and the monotonic clock do not notice. */
  setNowMs(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }

  #next(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      const earlier = first === undefined || sleeper.dueMs < first.dueMs ||
        (sleeper.dueMs === first.dueMs && sleeper.order < first.order);
      if (earlier) first = sleeper;
    }
    return first;
  }
}

/** Resolves when every promise that is already due, and what follows from it, has run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0)); // A macrotask: all microtasks go first.
}

/** Moves time from one sleeper to the next until some work ends. @returns What it came to. */
export async function untilDone<T>(
  work: Promise<T>,
  { clock }: { readonly clock: ManualClock },
): Promise<T> {
  let hasEnded = false;
  const end = (): void => void (hasEnded = true);
  work.then(end, end);
  for (let step = 0; step < STEPS_MAX; step++) {
    await settle();
    if (hasEnded) return await work;
    await clock.advance(Math.max(1, Math.min(clock.nextWakeMs ?? 1, STEP_MS_MAX)));
  }
  throw new Error("What the test waits for does not come");
}

/** Moves time by steps until some work ends. @returns What it came to. */
export async function runToEnd<T>(
  work: Promise<T>,
  { clock, stepMs }: { readonly clock: ManualClock; readonly stepMs: number },
): Promise<T> {
  let hasEnded = false;
  const end = (): void => void (hasEnded = true);
  work.then(end, end);
  while (!hasEnded) await clock.advance(stepMs);
  return await work;
}
