/** Queues of callers: each waits in the order in which it came. */
import { assert } from "./assert.ts";

/** Somebody in a queue. */
export interface Waiter {
  readonly start: () => void;
}

/** Lets a number of callers through at once; the others wait in the order in which they came. */
export class Gate {
  readonly #waiters: Waiter[] = [];
  #free: number;

  /** @param atOnce How many pass at once. */
  constructor(atOnce: number) {
    assert(atOnce > 0, "a gate lets somebody through");
    this.#free = atOnce;
  }

  /**
   * Does the work once there is room for it.
   *
   * @throws The signal's reason, if it aborts while waiting; else what the work throws.
   */
  async pass<T>(
    work: () => Promise<T>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<T> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await waitIn(this.#waiters, { signal });
    try {
      return await work();
    } finally {
      const next = this.#waiters.shift();
      if (next === undefined) this.#free++;
      else next.start();
    }
  }
}

/**
 * Waits at the end of a queue until its owner starts this waiter.
 *
 * @throws The signal's reason, if it aborts first: the waiter has then left the queue.
 */
export function waitIn(
  waiters: Waiter[],
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiter: Waiter = {
      start: () => {
        signal.removeEventListener("abort", abort);
        resolve();
      },
    };
    const abort = (): void => {
      waiters.splice(waiters.indexOf(waiter), 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    waiters.push(waiter);
  });
}
