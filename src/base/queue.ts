import { assert } from "./assert.ts";
import { err, ok, type Result } from "./result.ts";

/** Why a queue did not take an item. */
export type PushError =
  | { readonly code: "full"; readonly capacity: number }
  | { readonly code: "closed" };

/**
 * A first-in, first-out queue with a bound: the producer is told when it is full, the consumer
 * waits when it is empty. Any number of producers and consumers; each item is taken once.
 */
export class BoundedQueue<T> {
  readonly #capacity: number;
  #items: T[] = [];
  #head = 0;
  #waiting: { readonly resolve: (item: T | undefined) => void }[] = [];
  #closed = false;

  /** @param capacity Items held at most; at least 1. */
  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, "a queue holds at least one item");
    this.#capacity = capacity;
  }

  /** Items that wait to be taken. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /**
   * Adds an item without waiting.
   *
   * @outcome `full` The queue holds `capacity` items; nothing was added.
   * @outcome `closed` `close()` was called; nothing was added.
   */
  push(item: T): Result<void, PushError> {
    if (this.#closed) return err({ code: "closed" });
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      waiter.resolve(item);
      return ok(undefined);
    }
    if (this.size >= this.#capacity) return err({ code: "full", capacity: this.#capacity });
    this.#items.push(item);
    return ok(undefined);
  }

  /**
   * Takes the oldest item, waiting for one.
   *
   * @returns `undefined` once the queue is closed and empty.
   * @throws The signal's reason, if it aborts first; no item is lost.
   */
  take({ signal }: { readonly signal: AbortSignal }): Promise<T | undefined> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.size > 0) return Promise.resolve(this.#shift());
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const waiter = {
        resolve: (item: T | undefined): void => {
          signal.removeEventListener("abort", abort);
          resolve(item);
        },
      };
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  /** Takes no more items; those it holds are still handed out, then `take` answers `undefined`. */
  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(undefined);
  }

  #shift(): T | undefined {
    const item = this.#items[this.#head++];
    // Amortised constant: the used front is cut off once it is the larger half.
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
