/** How long a program runs: until it ends or is killed; and when it does nothing for a while. */

/** A life that is over never begins again; a restarted program has a new one. */
export class Life {
  #isAlive = true;
  #onEnd: (() => void)[] = [];
  /** What came while it was paused, the oldest first; absent: it is not. */
  #held: (() => void)[] | undefined;

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#held !== undefined;
  }

  /** Runs something when the life ends, at once if it has. */
  onEnd(run: () => void): void {
    if (this.#isAlive) this.#onEnd.push(run);
    else run();
  }

  /** Lets the program hear of something: now, when its pause is over, or never if it is dead. */
  deliver(run: () => void): void {
    if (!this.#isAlive) return;
    if (this.#held === undefined) run();
    else this.#held.push(run);
  }

  /** From now on the program does nothing, as under a long collection of garbage. */
  pause(): void {
    if (this.#isAlive) this.#held ??= [];
  }

  /**
   * Ends a pause: the program hears of everything that it missed, in order, before anything else.
   *
   * @param later Plans the next step of the program.
   */
  resume(later: (run: () => void) => void): void {
    if (this.#held === undefined || !this.#isAlive) return;
    const next = this.#held.shift();
    if (next === undefined) {
      this.#held = undefined;
      return;
    }
    next();
    later(() => this.resume(later));
  }

  end(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#held = undefined;
    for (const run of this.#onEnd.splice(0)) run();
  }
}
