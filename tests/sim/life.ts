/** How long a program runs: until it ends or is killed. */

/** A life that is over never begins again; a restarted program has a new one. */
export class Life {
  #isAlive = true;
  #onEnd: (() => void)[] = [];

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Runs something when the life ends, at once if it has. */
  onEnd(run: () => void): void {
    if (this.#isAlive) this.#onEnd.push(run);
    else run();
  }

  end(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    for (const run of this.#onEnd.splice(0)) run();
  }
}
