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
 * Why a sleep ends that is not needed any more. One for all: an `abort()` without a reason makes an
 * error with a stack, which costs more than the rest of a timer.
 */
const NOT_NEEDED = new Error("The timer was disposed");

/**
 * Does something after a while, unless it is disposed first. All timers of a clock share one sleep,
 * until the earliest of them ends: most are disposed long before, and a sleep of its own for each
 * took a twentieth of an agent's time.
 */
export function startTimer(
  clock: Clock,
  { ms, act }: { readonly ms: number; readonly act: () => void },
): Disposable {
  let timers = timersOf.get(clock);
  if (timers === undefined) {
    timers = new Timers(clock);
    timersOf.set(clock, timers);
  }
  return timers.start(ms, act);
}

const timersOf = new WeakMap<Clock, Timers>();

interface Timer extends Disposable {
  /** Monotonic milliseconds. */
  readonly endsMs: number;
  readonly act: () => void;
}

/** Timers of one clock. Nothing sleeps while there are none. */
class Timers {
  readonly #clock: Clock;
  readonly #pending = new Set<Timer>();
  #sleep: { readonly untilMs: number; readonly end: AbortController } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(ms: number, act: () => void): Timer {
    const endsMs = this.#clock.monotonicMs() + ms;
    const timer: Timer = { endsMs, act, [Symbol.dispose]: () => this.#stop(timer) };
    this.#pending.add(timer);
    if (this.#sleep === undefined || endsMs < this.#sleep.untilMs) this.#sleepUntil(endsMs);
    return timer;
  }

  #stop(timer: Timer): void {
    this.#pending.delete(timer);
    if (this.#pending.size === 0) this.#wake();
  }

  #wake(): void {
    this.#sleep?.end.abort(NOT_NEEDED);
    this.#sleep = undefined;
  }

  #sleepUntil(untilMs: number): void {
    this.#wake();
    const end = new AbortController();
    this.#sleep = { untilMs, end };
    const ms = Math.max(0, untilMs - this.#clock.monotonicMs());
    this.#clock.sleep(ms, { signal: end.signal }).then(() => this.#ring(), () => {});
  }

  #ring(): void {
    this.#sleep = undefined;
    const nowMs = this.#clock.monotonicMs();
    const due: Timer[] = [];
    let nextMs = Infinity;
    for (const timer of this.#pending) {
      if (timer.endsMs - nowMs < 1) due.push(timer); // A sleep may end a fraction early.
      else nextMs = Math.min(nextMs, timer.endsMs);
    }
    for (const timer of due) this.#pending.delete(timer);
    if (nextMs < Infinity) this.#sleepUntil(nextMs);
    for (const timer of due.sort((one, other) => one.endsMs - other.endsMs)) timer.act();
  }
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
