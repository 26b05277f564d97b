/** What happened, in order: the last operations for people, a digest of all for comparing runs. */
import type { Scheduler } from "./scheduler.ts";

/** Operations that a failure shows. */
const SHOWN_MAX = 400;

/** A record of operations, of bounded size. */
export class Trace {
  readonly #scheduler: Scheduler;
  readonly #sink: ((line: string) => void) | undefined;
  #lines: string[] = [];
  #count = 0;
  #digest = 0xcbf29ce484222325n;

  /** @param sink Gets every line as it comes. */
  constructor(scheduler: Scheduler, sink?: (line: string) => void) {
    this.#scheduler = scheduler;
    this.#sink = sink;
  }

  /** Notes an operation of one actor. */
  note(actor: string, text: string): void {
    const { nowMs, stepCount } = this.#scheduler;
    const line = `${String(stepCount).padStart(6)} ${(nowMs / 1_000).toFixed(3).padStart(9)} ` +
      `${actor.padEnd(12)} ${text}`;
    this.#count++;
    this.#digest = digestOf(this.#digest, line);
    this.#sink?.(line);
    this.#lines.push(line);
    if (this.#lines.length > 2 * SHOWN_MAX) this.#lines = this.#lines.slice(-SHOWN_MAX);
  }

  /** Operations noted. */
  get count(): number {
    return this.#count;
  }

  /** The same for the same operations at the same times. */
  get digest(): string {
    return this.#digest.toString(16).padStart(16, "0");
  }

  /** The newest operations, oldest first. */
  last(count = SHOWN_MAX): readonly string[] {
    return this.#lines.slice(-count);
  }
}

/** One line folded into 64 bits, by FNV-1a: enough to tell runs apart. */
function digestOf(digest: bigint, line: string): bigint {
  let hash = 0x811c9dc5;
  for (let index = 0; index < line.length; index++) {
    hash = Math.imul(hash ^ line.charCodeAt(index), 0x01000193);
  }
  return BigInt.asUintN(64, (digest ^ BigInt(hash >>> 0)) * 0x100000001b3n);
}
