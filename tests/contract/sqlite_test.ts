import { WATCH_BOOKMARK_MS } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { EngineStore } from "../../src/store/engine_store.ts";
import { openSqliteStore } from "../../src/store/sqlite_store.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type Ending, type Harness, registerCases } from "./harness.ts";
import { fenceTruth } from "./kinds.ts";
import { OBJECT_STORE_CASES } from "./object_store_cases.ts";

registerCases(OBJECT_STORE_CASES, { store: "sqlite", open: openHarness });

const never = new AbortController().signal;

async function openHarness(): Promise<Harness> {
  const folder = await Deno.makeTempDir({ prefix: "contract-" });
  const clock = new ManualClock();
  const random = seededRandom(1);
  let generation = 0;
  function open(): Promise<EngineStore> {
    const path = `${folder}/store-${generation}.db`;
    return openSqliteStore({ path, clock, random, admit: fenceTruth, signal: never });
  }
  let store = await open();
  return {
    get store() {
      return store;
    },
    namespaces: ["contract-a", "contract-b"],
    prefix: "contract",
    passBookmark: () => clock.advance(WATCH_BOOKMARK_MS),
    compact: () => {
      store.engine.compact(store.engine.revision);
      return Promise.resolve();
    },
    restart: async (ending: Ending) => {
      if (ending === "kill") copyAsFound(`${folder}/store-${generation}.db`, ++generation);
      store[Symbol.dispose]();
      store = await open();
    },
    [Symbol.asyncDispose]: async () => {
      store[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/**
 * What a kill -9 leaves: the file and its log as they are, with nothing tidied up. Synchronous, so
 * that nothing is acknowledged after the copy. Whether a kill in the middle of a write is survived
 * too, `src/store/sqlite_crash_test.ts` tries with a process.
 */
function copyAsFound(path: string, generation: number): void {
  const copy = path.replace(/-\d+\.db$/, `-${generation}.db`);
  for (const end of ["", "-wal"]) Deno.copyFileSync(path + end, copy + end);
}
