/** Who works on which pod: one at a time, in the order of asking, and never too many in all. */
import { assert } from "../base/assert.ts";
import { type Waiter, waitIn } from "../base/gate.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Requests that work or wait at once, over all pods. */
export const TURNS_MAX = 1_000;

/** A turn; it ends when it is disposed. */
export type Turn = Disposable;

/**
 * Turns by key. A key's turns follow each other in the order in which they were asked for; those of
 * different keys do not wait for each other.
 */
export class Turns {
  /** Keys with a turn, and who waits for the next one. */
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #most: number;
  #count = 0;

  /** @param most Turns held or waited for at once. */
  constructor(most = TURNS_MAX) {
    assert(most > 0, "there is at least one turn");
    this.#most = most;
  }

  /** Turns held or waited for. */
  get count(): number {
    return this.#count;
  }

  /** Whether somebody works on the key. */
  isHeld(key: string): boolean {
    return this.#waiting.has(key);
  }

  /**
   * Waits for a turn.
   *
   * @outcome `queue_full` So many turns are held or waited for already.
   * @throws The signal's reason, if it aborts first.
   */
  async take(
    key: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<Turn, { readonly code: "queue_full"; readonly most: number }>> {
    signal.throwIfAborted();
    if (this.#count >= this.#most) return err({ code: "queue_full", most: this.#most });
    this.#count++;
    const waiters = this.#waiting.get(key);
    if (waiters === undefined) this.#waiting.set(key, []);
    else {
      try {
        await waitIn(waiters, { signal });
      } catch (error) {
        this.#count--;
        throw error;
      }
    }
    let isOver = false;
    return ok({
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        this.#end(key);
      },
    });
  }

  #end(key: string): void {
    this.#count--;
    const next = this.#waiting.get(key)?.shift();
    if (next === undefined) this.#waiting.delete(key);
    else next.start();
  }
}

interface Shared<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  askers: number;
}

/** Work that is asked for twice at a time is done once. */
export class Joint<T> {
  readonly #shared = new Map<string, Shared<T>>();

  /**
   * Starts the work, or joins it where it runs already under this key. It is aborted once nobody
   * waits for it any more.
   *
   * @throws The signal's reason, if it aborts first; else what the work throws.
   */
  run(
    key: string,
    { signal, work }: {
      readonly signal: AbortSignal;
      readonly work: (options: { readonly signal: AbortSignal }) => Promise<T>;
    },
  ): Promise<T> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const shared = this.#shared.get(key) ?? this.#start(key, work);
    shared.askers++;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reject(signal.reason);
        if (--shared.askers > 0) return;
        shared.controller.abort(signal.reason);
        // Whoever asks from now on gets work of his own.
        if (this.#shared.get(key) === shared) this.#shared.delete(key);
      };
      signal.addEventListener("abort", leave, { once: true });
      shared.promise.then(resolve, reject).finally(() => {
        signal.removeEventListener("abort", leave);
      });
    });
  }

  #start(
    key: string,
    work: (options: { readonly signal: AbortSignal }) => Promise<T>,
  ): Shared<T> {
    const controller = new AbortController();
    const promise = work({ signal: controller.signal });
    const shared: Shared<T> = { promise, controller, askers: 0 };
    this.#shared.set(key, shared);
    const forget = (): void => {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
    };
    promise.then(forget, forget);
    return shared;
  }
}
