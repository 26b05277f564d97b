/** Waiting for what others do, for no longer than a signal allows. */
import type { Clock } from "./clock.ts";

/** Resolves when the signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * The outcome of work that somebody else owns.
 *
 * @throws The signal's reason, if it aborts first: the work goes on without this waiter.
 */
export function orAborted<T>(
  work: Promise<T>,
  { signal }: { readonly signal: AbortSignal },
): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * The outcomes of works that run at once. Where one throws, the others are waited for before that
 * is told: nothing may run on after whoever began it has ended.
 */
export async function allEnded<T>(works: Iterable<Promise<T>>): Promise<T[]> {
  const all = [...works];
  await Promise.allSettled(all);
  return await Promise.all(all);
}

/**
 * Runs works until all have ended. The first that throws ends the others: nothing runs on after
 * whoever began it has ended.
 *
 * @throws What the first one threw.
 */
export async function runTogether(
  works: Iterable<(options: { readonly signal: AbortSignal }) => Promise<unknown>>,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(Array.from(works, async (work) => {
    try {
      await work({ signal: both });
    } catch (error) {
      failure ??= { error };
      ending.abort(error);
    }
  }));
  if (failure !== undefined) throw failure.error;
}

/** Work by key that several may ask for at a time and that is then done once for all of them. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** Joins the work under this key, or starts it. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return flying;
    const flight = work();
    this.#flights.set(key, flight);
    const land = (): void => {
      this.#flights.delete(key);
    };
    flight.then(land, land);
    return flight;
  }
}

/** Why a rest ends early. */
const WOKEN = new Error("There is news");

/** A rest between two looks that news ends: also news of the time since the look began. */
export class Rest {
  #ending = new AbortController();

  /** A look begins: what comes from here on is looked at afterwards. */
  begin(): void {
    this.#ending = new AbortController();
  }

  /** There is something to look at. */
  end(): void {
    this.#ending.abort(WOKEN);
  }

  /** Rests until the time is over or there is news. @throws The signal's reason. */
  async take(
    ms: number,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<void> {
    const either = AbortSignal.any([signal, this.#ending.signal]);
    await clock.sleep(ms, { signal: either }).catch((reason) => {
      if (reason !== WOKEN) throw reason;
    });
  }
}

/**
 * Hears a bell for one waiter, also while that is busy: what rings between two waits ends the next
 * one at once.
 */
export class Rings implements Disposable {
  readonly #bells = new DisposableStack();
  readonly #rest = new Rest();
  #hasRung = false;

  /** @param keys Of the bell; any of them wakes. */
  constructor(bell: Bell, keys: Iterable<string>) {
    for (const key of keys) {
      this.#bells.use(bell.listen(key, () => {
        this.#hasRung = true;
        this.#rest.end();
      }));
    }
  }

  /**
   * Waits for a ring since the last wait ended, or since the beginning.
   *
   * @returns Whether it rang, and not only the time is up.
   * @throws The signal's reason, if it aborts first.
   */
  async next(
    clock: Clock,
    { atMostMs, signal }: { readonly atMostMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    await this.#rest.take(atMostMs, { clock, signal });
    const hasRung = this.#hasRung;
    this.#hasRung = false;
    this.#rest.begin();
    return hasRung;
  }

  [Symbol.dispose](): void {
    this.#bells.dispose();
  }
}

/** Wakes whoever waits for something to happen under a key. */
export class Bell {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Wakes those who wait for this key now. */
  ring(key: string): void {
    for (const wake of this.#waiting.get(key) ?? []) wake();
  }

  /** Calls back at each ring of a key until it is disposed. */
  listen(key: string, wake: () => void): Disposable {
    const wakers = this.#waiting.get(key) ?? new Set();
    wakers.add(wake);
    this.#waiting.set(key, wakers);
    return {
      [Symbol.dispose]: () => {
        wakers.delete(wake);
        if (wakers.size === 0 && this.#waiting.get(key) === wakers) this.#waiting.delete(key);
      },
    };
  }
}
