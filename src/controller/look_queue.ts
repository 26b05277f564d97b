/** Looks that are due: each object once, so many a second, and not for ever where they fail. */
import type { Clock } from "../base/clock.ts";
import { StoreFailure } from "../base/object_store.ts";
import { type WorkOutcome, WorkQueue } from "../kube/mod.ts";
import type { ControllerSettings } from "./config.ts";
import type { EnginePorts } from "./engine_ports.ts";

/** Looks of a second, of all queues together, so that a scan does not disturb who allocates. */
const LOOKS_PER_SECOND = 50;

/** What a queue needs. */
export interface LookParts {
  readonly ports: Pick<EnginePorts, "clock" | "random">;
  readonly settings: Pick<ControllerSettings, "reclaim">;
  readonly pace: LookPace;
}

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

/** Keys that wait for a look. */
export class LookQueue {
  readonly #parts: LookParts;
  readonly #queue: WorkQueue;
  /** Looks in a row that failed, by key. */
  readonly #failures = new Map<string, number>();

  constructor(parts: LookParts) {
    const { ports: { clock, random }, settings: { reclaim } } = parts;
    this.#parts = parts;
    this.#queue = new WorkQueue({ clock, random, capacity: reclaim.tracedMax });
  }

  /** Asks for a look. @returns Whether there was room: a full queue forgets, a scan does not. */
  ask(key: string, afterMs: number): boolean {
    return this.#queue.add(key, { afterMs }).ok;
  }

  /** Looks until the signal aborts; rejects with its reason. */
  async run({ signal, look, tellFailed }: Looking): Promise<never> {
    const { settings: { reclaim }, pace } = this.#parts;
    return await this.#queue.run({
      signal,
      workers: reclaim.workers,
      work: async (key, options) => {
        await pace.turn(options);
        try {
          const outcome = await look(key, options);
          this.#failures.delete(key);
          return outcome;
        } catch (error) {
          if (!(error instanceof StoreFailure)) throw error;
          tellFailed(key, error);
          return this.#afterFailure(key);
        }
      },
    });
  }

  /** A key that fails too often is left to the next scan. */
  #afterFailure(key: string): WorkOutcome {
    const { triesMax, lookGapMs } = this.#parts.settings.reclaim;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    if (failures < triesMax) {
      this.#failures.set(key, failures);
      return { code: "again", afterMs: lookGapMs };
    }
    this.#failures.delete(key);
    return { code: "done" };
  }
}
