/** Virtual time: a queue of what happens next, one step at a time. */
import { setImmediate } from "node:timers";
import { assert } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Life } from "./life.ts";

/** Something that will happen. */
export interface Timer {
  readonly dueMs: number;
  cancel(): void;
}

interface Entry extends Timer {
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Runs what was planned in the order of time, then of planning. A step is one planned thing and
 * everything that follows from it without waiting: all microtasks have run when it ends. Time moves
 * only between steps.
 */
export class Scheduler {
  readonly #heap: Entry[] = [];
  #nowMs = 0;
  #order = 0;
  #stepCount = 0;

  /** Milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Steps begun. */
  get stepCount(): number {
    return this.#stepCount;
  }

  /** When the next thing happens; `undefined` if nothing is planned. */
  get nextMs(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.dueMs;
  }

  /** Plans something for later. */
  after(ms: number, run: () => void): Timer {
    const entry: Entry = {
      dueMs: this.#nowMs + onGrid(ms),
      order: this.#order++,
      run,
      cancel: () => {
        entry.run = undefined;
      },
    };
    this.#push(entry);
    return entry;
  }

  /** Does the next step. @returns Whether there was one. */
  async step(): Promise<boolean> {
    this.#dropCancelled();
    const next = this.#pop();
    if (next === undefined) return false;
    assert(next.dueMs >= this.#nowMs, "time does not go back");
    this.#nowMs = next.dueMs;
    this.#stepCount++;
    next.run?.();
    await settle();
    return true;
  }

  /** Does every step up to a time, and moves on to it. */
  async runUntil(endMs: number, goesOn: () => boolean = () => true): Promise<void> {
    for (let next = this.nextMs; next !== undefined && next <= endMs; next = this.nextMs) {
      if (!goesOn()) return;
      await this.step();
    }
    if (goesOn()) this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) this.#pop();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent])) break;
      heap[index] = heap[parent] as Entry;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

/** Milliseconds on a grid that doubles add and subtract without rounding. */
function onGrid(ms: number): number {
  return Math.ceil(Math.max(0, ms) * 1_024) / 1_024;
}

function isBefore(one: Entry | undefined, other: Entry | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}

/** Resolves when every microtask, and every one that those start, has run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

/** The wall clock of the simulated world at its start. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * A machine's clock. A sleep of a life that has ended never resolves: nothing of a dead program
 * runs on. One that ends in a pause of the program resolves after it.
 *
 * @param options.skewMs How far the wall clock of this machine is off.
 */
export function clockOf(
  scheduler: Scheduler,
  { life, skewMs = 0 }: { readonly life: Life; readonly skewMs?: number },
): Clock {
  const originMs = scheduler.nowMs - 1_000; // A monotonic clock has its own origin.
  return {
    nowMs: () => EPOCH_MS + scheduler.nowMs + skewMs,
    monotonicMs: () => scheduler.nowMs - originMs,
    sleep: (ms, { signal }) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      return new Promise((resolve, reject) => {
        const abort = (): void => {
          timer.cancel();
          if (life.isAlive) reject(signal.reason);
        };
        const timer = scheduler.after(ms, () =>
          life.deliver(() => {
            signal.removeEventListener("abort", abort);
            resolve();
          }));
        signal.addEventListener("abort", abort, { once: true });
      });
    },
  };
}
