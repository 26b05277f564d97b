/** The simulated server, while nothing goes wrong, keeps the same contract as the real one. */
import { NAMESPACES } from "../../src/api/kubernetes/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Harness, registerCases } from "../contract/harness.ts";
import { fenceTruth } from "../contract/kinds.ts";
import { OBJECT_STORE_CASES } from "../contract/object_store_cases.ts";
import { ApiClient } from "./api_client.ts";
import { ApiServer } from "./api_server.ts";
import { Control } from "./control.ts";
import { Dice } from "./dice.ts";
import { Life } from "./life.ts";
import { Scheduler, settle } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** Milliseconds after which every cache of a calm server shows everything. */
const CAUGHT_UP_MS = 6_000;

registerCases(OBJECT_STORE_CASES, { store: "simulated server", open: openHarness });

function openHarness(): Promise<Harness> {
  const scheduler = new Scheduler();
  const dice = new Dice(seededRandom(1));
  const trace = new Trace(scheduler);
  const server = new ApiServer({ scheduler, trace, dice, admit: fenceTruth });
  const control = new Control(server, "test");
  const namespaces = ["contract-a", "contract-b"] as const;
  for (const name of namespaces) {
    control.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  const life = new Life();
  const store = new ApiClient(server, { life, name: "test", dice, link: { isCut: false } });
  const pump = startPump(scheduler);
  const sleep = (ms: number): Promise<void> => {
    return new Promise((resolve) => scheduler.after(ms, resolve));
  };
  return Promise.resolve({
    store,
    namespaces,
    prefix: "contract",
    compact: async () => {
      await sleep(CAUGHT_UP_MS);
      server.engine.compact(server.engine.revision);
    },
    restart: async () => {
      server.restart(1_000);
      await sleep(1_500);
    },
    [Symbol.asyncDispose]: async () => {
      life.end();
      await pump.stop();
    },
  });
}

/** Steps as long as the test runs: whatever it waits for is planned in virtual time. */
function startPump(scheduler: Scheduler): { stop(): Promise<void> } {
  let isStopped = false;
  async function pump(): Promise<void> {
    while (!isStopped) if (!await scheduler.step()) await settle();
  }
  const running = pump();
  return {
    stop: () => {
      isStopped = true;
      return running;
    },
  };
}
