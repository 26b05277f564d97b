/** How often work on one object is tried again. */
import type { WorkOutcome } from "../kube/mod.ts";

/** Failures in a row, by key. */
export class Tries {
  readonly #failures = new Map<string, number>();
  readonly #max: number;
  readonly #gapMs: number | undefined;

  /**
   * @param options.max Tries in a row; after them a key waits for whatever asks for it next.
   * @param options.gapMs Milliseconds between two; absent: there is no second one.
   */
  constructor({ max, gapMs }: { readonly max: number; readonly gapMs: number | undefined }) {
    this.#max = max;
    this.#gapMs = gapMs;
  }

  /** What comes after a try that failed. */
  failed(key: string): WorkOutcome {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    if (this.#gapMs === undefined || failures >= this.#max) {
      this.#failures.delete(key);
      return { code: "done" };
    }
    this.#failures.set(key, failures);
    return { code: "again", afterMs: this.#gapMs };
  }

  /** A try went well. */
  clear(key: string): void {
    this.#failures.delete(key);
  }
}
