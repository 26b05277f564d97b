import { seededRandom } from "../../src/base/random.ts";
import { WATCH_BOOKMARK_MS } from "../../src/base/limits.ts";
import { openMemoryStore } from "../../src/store/memory_store.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type Harness, registerCases } from "./harness.ts";
import { fenceTruth } from "./kinds.ts";
import { OBJECT_STORE_CASES } from "./object_store_cases.ts";

const NO_RESTART = "memory does not outlive its process";

registerCases(OBJECT_STORE_CASES, {
  store: "memory",
  open: openHarness,
  skip: Object.fromEntries(
    OBJECT_STORE_CASES.filter(({ needs }) => needs?.includes("restart") === true)
      .map(({ name }) => [name, NO_RESTART]),
  ),
});

function openHarness(): Promise<Harness> {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock, random: seededRandom(1), admit: fenceTruth });
  return Promise.resolve({
    store,
    namespaces: ["contract-a", "contract-b"],
    prefix: "contract",
    passBookmark: () => clock.advance(WATCH_BOOKMARK_MS),
    compact: () => {
      store.engine.compact(store.engine.revision);
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => {
      store[Symbol.dispose]();
      return Promise.resolve();
    },
  });
}
