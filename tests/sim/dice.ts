/** Choices, all from one seed. */
import { assert } from "../../src/base/assert.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";

/** A latency: most often between the first two, with the given chance up to the third. */
export interface Latency {
  readonly leastMs: number;
  readonly mostMs: number;
  /** Chance of a long one. */
  readonly slow: number;
  readonly slowestMs: number;
}

/** A stream of choices. */
export class Dice {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** A stream of its own: what one part of the world draws does not change another's draws. */
  fork(): Dice {
    return new Dice(seededRandom(this.random.below(2 ** 32)));
  }

  chance(share: number): boolean {
    return this.random.fraction() < share;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + this.random.below(most - least + 1);
  }

  /** Milliseconds, not rounded: no two things happen at one time by accident. */
  ms(leastMs: number, mostMs: number): number {
    return leastMs + this.random.fraction() * (mostMs - leastMs);
  }

  latency({ leastMs, mostMs, slow, slowestMs }: Latency): number {
    return this.chance(slow) ? this.ms(mostMs, slowestMs) : this.ms(leastMs, mostMs);
  }

  pick<T>(list: readonly T[]): T {
    const chosen = list[this.random.below(list.length)];
    assert(chosen !== undefined, "something can be picked");
    return chosen;
  }

  /** Picks by weight; a weight of 0 is never picked. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    const total = list.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.random.fraction() * total;
    for (const [weight, value] of list) {
      left -= weight;
      if (left < 0) return value;
    }
    return this.pick(list.filter(([weight]) => weight > 0))[1];
  }

  /** `count` characters of hex. */
  hex(count: number): string {
    let text = "";
    while (text.length < count) text += this.random.below(2 ** 32).toString(16).padStart(8, "0");
    return text.slice(0, count);
  }
}
