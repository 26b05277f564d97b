/** Looks that are due: each object once, so many a second, and not for ever where they fail. */
import { type Clock, DeadlineError, startDeadline } from "../base/clock.ts";
import { StoreFailure } from "../base/object_store.ts";
import { type WorkOutcome, WorkQueue } from "../kube/mod.ts";
import type { ControllerSettings } from "./config.ts";
import type { EnginePorts } from "./engine_ports.ts";
import { Tries } from "./tries.ts";

/** Looks of a second, of all queues together, so that a scan does not disturb who allocates. */
const LOOKS_PER_SECOND = 50;

/** Milliseconds for one look: what the server does not answer must not stop the others. */
const LOOK_MS_MAX = 60_000;

/** When the next look may begin. */
export class LookPace {
  readonly #clock: Clock;
  /** Before when no further look begins; monotonic milliseconds. */
  #nextMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is the caller's turn. */
  async turn({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = startMs + 1_000 / LOOKS_PER_SECOND;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, { signal });
  }
}

/** What a queue needs. */
export interface LookParts {
  readonly ports: Pick<EnginePorts, "clock" | "random">;
  readonly settings: Pick<ControllerSettings, "reclaim">;
  readonly pace: LookPace;
}

/** What a queue does with its keys. */
export interface Looking {
  readonly signal: AbortSignal;
  /** A look; one that the store refuses is one that failed. */
  readonly look: (
    key: string,
    options: { readonly signal: AbortSignal },
  ) => Promise<WorkOutcome>;
  /** A look failed. */
  readonly tellFailed: (key: string, failure: StoreFailure) => void;
}

/** Keys that wait for a look: those that an event asks for, and those that a scan finds. */
export class LookQueue {
  readonly #parts: LookParts;
  readonly #queue: WorkQueue;
  readonly #tries: Tries;
  /** What a scan found and nobody has looked at yet. */
  readonly #found = new Set<string>();
  #looked = Promise.withResolvers<void>();
  /** An event found no room. */
  #forgotten = Promise.withResolvers<void>();

  constructor(parts: LookParts) {
    const { ports: { clock, random }, settings: { reclaim } } = parts;
    this.#parts = parts;
    this.#queue = new WorkQueue({ clock, random, capacity: reclaim.tracedMax });
    this.#tries = new Tries({ max: reclaim.triesMax, gapMs: reclaim.lookGapMs });
  }

  /** Asks for a look. A full queue forgets, and wants a scan instead. */
  ask(key: string, afterMs: number): void {
    if (!this.#queue.add(key, { afterMs }).ok) this.#forgotten.resolve();
  }

  /**
   * Asks for a look at each key, as fast as there is room among those that wait.
   *
   * @returns How many were asked for. Where no room comes in time, the rest is the next scan's.
   */
  async scan(
    keys: Iterable<string>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<number> {
    const { scanQueueMax } = this.#parts.settings.reclaim;
    let asked = 0;
    for (const key of keys) {
      if (this.#found.size >= scanQueueMax && !await this.#waitForRoom({ signal })) break;
      if (!this.#queue.add(key).ok) break;
      this.#found.add(key);
      asked++;
    }
    return asked;
  }

  /** Resolves when the next scan is due: by time, or because an event found no room. */
  async untilScan({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock }, settings: { reclaim } } = this.#parts;
    await clock.sleep(Math.min(reclaim.requestGapMs, reclaim.intervalMs), { signal });
    const leftMs = Math.max(0, reclaim.intervalMs - reclaim.requestGapMs);
    await this.#within(leftMs, { what: this.#forgotten.promise, signal });
    this.#forgotten = Promise.withResolvers();
  }

  /** Looks until the signal aborts; rejects with its reason. */
  async run({ signal, look, tellFailed }: Looking): Promise<never> {
    const { ports: { clock }, settings: { reclaim }, pace } = this.#parts;
    return await this.#queue.run({
      signal,
      workers: reclaim.workers,
      work: async (key, options) => {
        await pace.turn(options);
        if (this.#found.delete(key)) this.#looked.resolve();
        try {
          using deadline = startDeadline(clock, {
            timeoutMs: LOOK_MS_MAX,
            what: "a look",
            signal: options.signal,
          });
          const outcome = await look(key, deadline);
          this.#tries.clear(key);
          return outcome;
        } catch (error) {
          const failure = asFailure(error);
          if (failure === undefined) throw error;
          tellFailed(key, failure);
          return this.#tries.failed(key);
        }
      },
    });
  }

  /** @returns Whether there is room. */
  async #waitForRoom({ signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    this.#looked = Promise.withResolvers();
    const { roomWaitMs } = this.#parts.settings.reclaim;
    return await this.#within(roomWaitMs, { what: this.#looked.promise, signal });
  }

  /** @returns Whether it came to pass in time. */
  async #within(
    waitMs: number,
    { what, signal }: { readonly what: Promise<void>; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const waiting = new AbortController();
    const slept = this.#parts.ports.clock.sleep(waitMs, {
      signal: AbortSignal.any([signal, waiting.signal]),
    }).then(() => false, () => false);
    const came = await Promise.race([what.then(() => true), slept]);
    waiting.abort();
    signal.throwIfAborted();
    return came;
  }
}

/** Why a look failed; `undefined` if that is a fault of ours, or the end of all. */
function asFailure(error: unknown): StoreFailure | undefined {
  if (error instanceof StoreFailure) return error;
  if (!(error instanceof DeadlineError)) return undefined;
  return new StoreFailure({ code: "timeout", message: error.message, outcomeUnknown: true });
}
