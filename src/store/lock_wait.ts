import type { Clock } from "../base/clock.ts";
import { StoreFailure, type StoreResult } from "../base/object_store.ts";
import { err } from "../base/result.ts";

/** A pause between two tries doubles up to this many times its first length. */
const PAUSE_GROWTH_MAX = 32;

/**
 * Runs a synchronous call, again and again while another process holds the store.
 *
 * @param body Returns its answer or throws a `StoreFailure`; `throttled` means locked.
 * @outcome `timeout` The lock was held for `timeoutMs`; nothing was done.
 * @throws The signal's reason.
 */
export async function waitForLock<T>(
  body: () => StoreResult<T>,
  { clock, signal, timeoutMs }: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
  },
): Promise<StoreResult<T>> {
  const startMs = clock.monotonicMs();
  for (let growth = 1;; growth = Math.min(growth * 2, PAUSE_GROWTH_MAX)) {
    signal.throwIfAborted();
    const answer = attempt(body);
    if (answer.ok || answer.error.code !== "throttled") return answer;
    const waitedMs = clock.monotonicMs() - startMs;
    const pauseMs = Math.min(answer.error.retryAfterMs * growth, timeoutMs - waitedMs);
    if (pauseMs <= 0) {
      const message = `${answer.error.message} for ${Math.round(waitedMs)} ms`;
      return err({ code: "timeout", message, outcomeUnknown: false });
    }
    await clock.sleep(pauseMs, { signal });
  }
}

function attempt<T>(body: () => StoreResult<T>): StoreResult<T> {
  try {
    return body();
  } catch (error) {
    if (error instanceof StoreFailure) return err(error.error);
    throw error;
  }
}
