/** Waiting until the records that the reference kept of a pool are taken over (design.md 2.3). */
import type { PoolFacts, PoolReading } from "../ipam/pool_facts.ts";
import { Rings } from "../base/waiting.ts";
import type { AgentParts } from "./parts.ts";
import { poolKey } from "./news_keys.ts";

/** Key of the bell `unadopted`: whatever pool is waited for. */
export const ANY_POOL = "";

/** Milliseconds until the next look at a pool, if the watch tells nothing of it. */
const LOOK_MS = 200;
/** Milliseconds that is waited for that. */
const WAIT_MS = 20_000;

/**
 * Waits a while for those of the pools that matter.
 *
 * @param options.matters Whether a pool is waited for at all.
 * @returns The pools as they then are; some may still not be taken over.
 */
export async function untilAdopted(
  { reader, ports: { clock }, unadopted, news }: AgentParts,
  { pools, matters, signal }: {
    readonly pools: ReadonlyMap<string, PoolReading>;
    readonly matters: (facts: PoolFacts) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<ReadonlyMap<string, PoolReading>> {
  const untilMs = clock.monotonicMs() + WAIT_MS;
  const found = new Map(pools);
  using rings = new Rings(news, Array.from(pools.keys(), poolKey));
  for (;;) {
    const waiting = [...found].filter(([, reading]) => {
      return reading.kind === "facts" && !reading.facts.isAdopted && matters(reading.facts);
    }).map(([name]) => name);
    if (waiting.length === 0 || clock.monotonicMs() >= untilMs) return found;
    unadopted.ring(ANY_POOL);
    await rings.next(clock, { atMostMs: LOOK_MS, signal });
    for (const name of waiting) found.set(name, await reader.readLive(name, { signal }));
  }
}
