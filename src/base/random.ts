import { assert } from "./assert.ts";

/** Randomness as a port: a seed makes every run repeatable. */
export interface Random {
  /** A fraction, 0 <= x < 1, with 53 random bits. */
  fraction(): number;
  /** An integer, 0 <= x < bound. `bound` is a positive safe integer. */
  below(bound: number): number;
  /** An integer, 0 <= x < bound, for sizes beyond 2^53. `bound` is positive. */
  bigBelow(bound: bigint): bigint;
}

/** Randomness of the machine (a cryptographic source). Built by entry points only. */
export function systemRandom(): Random {
  const word = new Uint32Array(1);
  return fromUint32(() => {
    crypto.getRandomValues(word);
    return word[0] ?? 0;
  });
}

/**
 * Repeatable randomness: sfc32, seeded through splitmix32. Not for secrets.
 *
 * @param seed Any integer; its low 32 bits count.
 * @source PractRand's sfc32 (public domain), 12 words of warm-up.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  function splitmix(): number {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let counter = 1;
  function sfc32(): number {
    const out = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + out) >>> 0;
    return out;
  }
  for (let index = 0; index < 12; index++) sfc32();
  return fromUint32(sfc32);
}

function fromUint32(next: () => number): Random {
  function fraction(): number {
    return ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
  }
  function bigBelow(bound: bigint): bigint {
    assert(bound > 0n, "a random bound is positive");
    const bits = bound.toString(2).length;
    const words = Math.ceil(bits / 32);
    const mask = (1n << BigInt(bits)) - 1n;
    // Rejection sampling: at most half of the masked values are refused, so two rounds on average.
    for (;;) {
      let value = 0n;
      for (let word = 0; word < words; word++) value = (value << 32n) | BigInt(next());
      value &= mask;
      if (value < bound) return value;
    }
  }
  return {
    fraction,
    below: (bound) => {
      assert(Number.isSafeInteger(bound) && bound > 0, "a random bound is a positive integer");
      return Math.floor(fraction() * bound);
    },
    bigBelow,
  };
}
