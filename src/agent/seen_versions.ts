/** The newest resourceVersion of a SpiderIP that this agent has seen: lists must not be older. */
export class SeenVersions {
  #newest = "0";

  /** For `notOlderThan`; `0`, whatever the server has, before the first. */
  get newest(): string {
    return this.#newest;
  }

  /**
   * Takes note of a version. Answers overtake each other, so the larger number wins: versions of
   * one kind are numbers that grow in every API server there is (and by promise since 1.35). Where
   * they are none, the last one seen is as good.
   */
  note(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined || resourceVersion === "") return;
    const isNumber = /^\d+$/.test(resourceVersion) && /^\d+$/.test(this.#newest);
    if (isNumber && BigInt(resourceVersion) <= BigInt(this.#newest)) return;
    this.#newest = resourceVersion;
  }
}
