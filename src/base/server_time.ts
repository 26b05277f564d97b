/** The time by which servers and their clients agree. */
import type { Clock } from "./clock.ts";
import type { ObjectStore } from "./object_store.ts";

/** The server's time, Unix milliseconds; the own clock's before the first reply. */
export function serverNowMs(
  { store, clock }: {
    readonly store: Pick<ObjectStore, "serverTimeMs">;
    readonly clock: Pick<Clock, "nowMs">;
  },
): number {
  return store.serverTimeMs() ?? clock.nowMs();
}
