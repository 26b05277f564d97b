/** Where checkers report. */
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/** A broken rule. */
export interface Violation {
  /** A short name of the rule: what a mutant must be caught by, what a report is sorted by. */
  readonly rule: string;
  readonly message: string;
  readonly step: number;
  readonly timeMs: number;
}

/** Keeps the first violation; the run ends after the step that showed it. */
export class Referee {
  readonly #scheduler: Scheduler;
  readonly #trace: Trace;
  #violation: Violation | undefined;

  constructor(scheduler: Scheduler, trace: Trace) {
    this.#scheduler = scheduler;
    this.#trace = trace;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** Never throws: it is called from inside of what is checked. */
  report(rule: string, message: string): void {
    this.#trace.note("referee", `${rule}: ${message}`);
    this.#violation ??= {
      rule,
      message,
      step: this.#scheduler.stepCount,
      timeMs: this.#scheduler.nowMs,
    };
  }
}
