/** Random operations, answered as the store in memory answers them: it is every test's fake. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ObjectStore, StoreResult } from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openMemoryStore } from "../../src/store/memory_store.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type Operation, operations, Performer } from "../support/store_operations.ts";
import type { ContractCase } from "./harness.ts";
import { fenceTruth, type Thing, THINGS } from "./kinds.ts";
import { must, setStage, type Stage } from "./steps.ts";

/** Sequences of operations, each on names of its own. */
const SEQUENCES = 60;
const SEED = 20_251_124;

export const RANDOM_CASES: readonly ContractCase[] = [{
  name: "random operations are answered as the store in memory answers them",
  run: async (harness) => {
    using stage = setStage(harness);
    const memory = openMemoryStore({
      clock: new ManualClock(),
      random: seededRandom(1),
      admit: fenceTruth,
    });
    const { namespace } = stage;
    const { signal } = stage.options;
    const performers = [harness.store, memory].map((store) =>
      new Performer(store, { namespace, signal })
    );
    const sequences = fc.sample(operations, { numRuns: SEQUENCES, seed: SEED });
    for (const [number, sequence] of sequences.entries()) {
      const done: Operation[] = [];
      for (const operation of sequence.map((one) => placed(one, number))) {
        done.push(operation);
        const [real, expected] = await Promise.all(performers.map(async (performer) => {
          const held = await performer.heldFor(operation);
          return outcomeOf(await performer.perform(operation, held), held);
        }));
        assert.deepEqual(real, expected, `${JSON.stringify(done.slice(-5))} after ${done.length}`);
      }
    }
    const [real, expected] = await Promise.all(
      [harness.store, memory].map((store) => contentOf(store, stage)),
    );
    assert.deepEqual(real, expected);
    await releaseAll(stage);
  },
}];

/**
 * The operation on a name of its sequence. A cluster may run a garbage collector, which finishes
 * `Foreground` and `Orphan` deletions at its own time: they become `Background`.
 */
function placed(operation: Operation, sequence: number): Operation {
  if (operation.do === "compact") return operation;
  const name = `s${sequence}-${operation.name}`;
  if (operation.do !== "remove" || operation.propagation === undefined) {
    return { ...operation, name };
  }
  return { ...operation, name, propagation: "Background" };
}

/** An answer without what differs from store to store: uids, versions and times themselves. */
function outcomeOf(
  answer: StoreResult<Thing | "removed" | "terminating"> | undefined,
  held: Thing,
): unknown {
  if (answer === undefined) return undefined;
  if (!answer.ok) return answer.error.code;
  if (typeof answer.value === "string") return answer.value;
  const { uid, resourceVersion } = answer.value.metadata;
  return {
    ...essence(answer.value),
    sameUid: uid === held.metadata.uid,
    sameVersion: resourceVersion === held.metadata.resourceVersion,
  };
}

function essence({ metadata, spec, status }: Thing): Readonly<Record<string, unknown>> {
  const { name, generation, labels = {}, finalizers = [], deletionTimestamp } = metadata;
  return {
    name,
    generation,
    labels: { ...labels },
    finalizers: [...finalizers],
    leaving: deletionTimestamp !== undefined,
    grace: metadata["deletionGracePeriodSeconds"],
    spec,
    status,
  };
}

async function contentOf(store: ObjectStore, { namespace, options }: Stage): Promise<unknown> {
  return must(await store.list(THINGS, { ...options, namespace })).items.map(essence);
}

/** Takes all finalizers off, so that a server can clean the namespace. */
async function releaseAll({ store, namespace, options }: Stage): Promise<void> {
  const { items } = must(await store.list(THINGS, { ...options, namespace }));
  for (const item of items) {
    const metadata = { ...item.metadata, finalizers: [] };
    must(await store.replace(THINGS, { ...item, metadata }, options));
  }
}
