/** How badly the API server and the network behave. */
import type { Dice, Latency } from "./dice.ts";

/** Chances are shares of the requests of one kind; a world in which all are 0 is calm. */
export interface Faults {
  /** From the client to the server, and back. */
  readonly latency: Latency;
  /** The connection is refused: nothing is done, and the client knows. */
  readonly refused: number;
  /** The request never arrives. */
  readonly lostRequest: number;
  /** The request is carried out, its answer never arrives. */
  readonly lostAnswer: number;
  /** The client is told `unavailable` or `timeout`, and a write happens after that. */
  readonly lateCommit: number;
  /** How long after. */
  readonly lateMsMax: number;
  /** 504 in time: whether a write happened is not said. */
  readonly gatewayTimeout: number;
  /** 429 with a time to wait. */
  readonly throttled: number;
  /** 403 of the authorizer, for a moment. */
  readonly forbidden: number;
  /** 422 of a webhook or policy, for a moment. */
  readonly invalid: number;
  /** How far the server's cache of one kind is behind. */
  readonly cacheLag: Latency;
  /** From the cache to a watch's reader. */
  readonly watchDelay: Latency;
  /** Chance, at each event, that a watch says nothing more and does not end. */
  readonly watchStalls: number;
  /** How long a watch lasts. */
  readonly watchMsMin: number;
  readonly watchMsMax: number;
}

/** Nothing goes wrong; only time passes. */
export const CALM: Faults = {
  latency: { leastMs: 1, mostMs: 5, slow: 0, slowestMs: 5 },
  refused: 0,
  lostRequest: 0,
  lostAnswer: 0,
  lateCommit: 0,
  lateMsMax: 0,
  gatewayTimeout: 0,
  throttled: 0,
  forbidden: 0,
  invalid: 0,
  cacheLag: { leastMs: 1, mostMs: 20, slow: 0, slowestMs: 20 },
  watchDelay: { leastMs: 1, mostMs: 10, slow: 0, slowestMs: 10 },
  watchStalls: 0,
  watchMsMin: 300_000,
  watchMsMax: 600_000,
};

/** Draws a world: some faults often, some seldom, others never, so that each is also seen alone. */
export function drawFaults(dice: Dice): Faults {
  if (dice.chance(0.15)) return CALM;
  const share = (most: number): number => {
    return dice.weighted([[4, 0], [3, most / 4], [2, most / 2], [1, most]]);
  };
  const isSlow = dice.chance(0.4);
  return {
    latency: {
      leastMs: 1,
      mostMs: dice.pick([3, 20, 100]),
      slow: isSlow ? 0.05 : 0,
      slowestMs: dice.pick([500, 4_000, 15_000]),
    },
    refused: share(0.05),
    lostRequest: share(0.05),
    lostAnswer: share(0.1),
    lateCommit: share(0.1),
    lateMsMax: dice.pick([300, 5_000, 58_000]),
    gatewayTimeout: share(0.05),
    throttled: share(0.1),
    forbidden: share(0.02),
    invalid: share(0.02),
    cacheLag: {
      leastMs: 1,
      mostMs: dice.pick([5, 50, 500]),
      slow: dice.pick([0, 0.02, 0.2]),
      slowestMs: dice.pick([1_000, 10_000]),
    },
    watchDelay: {
      leastMs: 1,
      mostMs: dice.pick([5, 50, 500]),
      slow: dice.pick([0, 0.02, 0.2]),
      slowestMs: dice.pick([1_000, 20_000]),
    },
    watchStalls: share(0.02),
    watchMsMin: 5_000,
    watchMsMax: dice.pick([30_000, 120_000, 600_000]),
  };
}
