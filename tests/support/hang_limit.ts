/** A signal for tests: it aborts only when the test is stuck. */
export interface HangLimit extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Starts a hang limit; hold it with `using` so that its timer ends with the test.
 *
 * @param ms Generous: it is reached only when something never happens.
 */
export function hangLimit(ms = 120_000): HangLimit {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error(`The test is stuck: nothing happened within ${ms} ms`));
  }, ms);
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Waits for what other threads do, such as cryptography: lets them run until it holds. */
export async function untilTrue(holds: () => boolean | Promise<boolean>): Promise<void> {
  using limit = hangLimit();
  while (!await holds()) {
    limit.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
