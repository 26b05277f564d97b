/**
 * Time as a port. Everything that waits or measures goes through it, so that the simulator can run
 * the real code on its own time.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump; use it for stamps only. */
  nowMs(): number;
  /** Never goes back; milliseconds from an arbitrary origin. Use it for durations and deadlines. */
  monotonicMs(): number;
  /**
   * Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted.
   * Zero or less still yields once to the event loop.
   */
  sleep(ms: number, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** The machine's clock. Built by entry points only; everything else is handed a `Clock`. */
export function systemClock(): Clock {
  return { nowMs: () => Date.now(), monotonicMs: () => performance.now(), sleep };
}

function sleep(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, Math.max(0, ms));
    function abort(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** A signal that aborts at a deadline of the given clock, or with its parent. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Milliseconds left on the clock, never negative. */
  remainingMs(): number;
}

/** Thrown (as the signal's reason) when a deadline passes. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  readonly code = "deadline";
}

/**
 * Why the sleep of a timer ends that was disposed. One for all: an `abort()` without a reason makes
 * an error with a stack, which costs more than the rest of a timer.
 */
const DISPOSED = new Error("The timer was disposed");

/** Does something after a while, unless it is disposed first. */
export function startTimer(
  clock: Clock,
  { ms, act }: { readonly ms: number; readonly act: () => void },
): Disposable {
  const timer = new AbortController();
  clock.sleep(ms, { signal: timer.signal }).then(act, () => {}); // Rejects when it is disposed.
  return { [Symbol.dispose]: () => timer.abort(DISPOSED) };
}

/**
 * Starts a deadline. Dispose it (`using`) so that its timer ends with the work it bounds.
 *
 * @param timeoutMs Milliseconds from now on `clock`.
 * @param options.what Names the work in the error: `Gave up on listing pools after 3000 ms`.
 * @param options.signal The caller's signal: its abort passes through with its own reason.
 */
export function startDeadline(
  clock: Clock,
  { timeoutMs, what, signal }: {
    readonly timeoutMs: number;
    readonly what: string;
    readonly signal: AbortSignal;
  },
): Deadline {
  const controller = new AbortController();
  const endsAtMs = clock.monotonicMs() + timeoutMs;
  const passOn = (): void => controller.abort(signal.reason);
  if (signal.aborted) passOn();
  signal.addEventListener("abort", passOn, { once: true });
  const timer = startTimer(clock, {
    ms: timeoutMs,
    act: () => controller.abort(new DeadlineError(`Gave up on ${what} after ${timeoutMs} ms`)),
  });
  return {
    signal: controller.signal,
    remainingMs: () => Math.max(0, endsAtMs - clock.monotonicMs()),
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", passOn);
      timer[Symbol.dispose]();
    },
  };
}
