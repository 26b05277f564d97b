/** Promises of remove: preconditions, finalizers, and names that are used again. */
import assert from "node:assert/strict";
import { parallel } from "../support/parallel.ts";
import type { ContractCase } from "./harness.ts";
import { type Thing, THINGS } from "./kinds.ts";
import {
  createThing,
  getThing,
  keyIn,
  listThings,
  must,
  names,
  readWatch,
  refusal,
  replaceThing,
  setStage,
  type Stage,
  thing,
} from "./steps.ts";

/** Writers that race to remove one object. */
const REMOVERS = 50;
const FINALIZERS = ["contract.spidernet.io/first", "contract.spidernet.io/second"] as const;

async function remove(
  stage: Stage,
  name: string,
  preconditions?: {
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  },
) {
  return await stage.store.remove(THINGS, keyIn(stage, name), { ...stage.options, preconditions });
}

export const REMOVE_CASES: readonly ContractCase[] = [
  {
    name: "remove() removes; the object is then not found, also by a second remove()",
    run: async (harness) => {
      using stage = setStage(harness);
      await createThing(stage, "a");
      await createThing(stage, "b");
      assert.equal(must(await remove(stage, "a")), "removed");
      refusal(await stage.store.get(THINGS, keyIn(stage, "a"), stage.options), "not_found");
      refusal(await remove(stage, "a"), "not_found");
      assert.deepEqual(names((await listThings(stage)).items), ["b"]);
    },
  },
  {
    name: "remove() with a precondition of another uid or version removes nothing",
    run: async (harness) => {
      using stage = setStage(harness);
      const first = await createThing(stage, "a");
      const { uid, resourceVersion } = first.metadata;
      const second = await replaceThing(stage, first, { spec: { size: 2 } });
      refusal(await remove(stage, "a", { uid, resourceVersion }), "conflict");
      refusal(
        await remove(stage, "a", {
          uid: "00000000-0000-4000-8000-000000000000",
          resourceVersion: second.metadata.resourceVersion,
        }),
        "conflict",
      );
      assert.deepEqual(await getThing(stage, "a"), second);
      const held = { uid, resourceVersion: second.metadata.resourceVersion };
      assert.equal(must(await remove(stage, "a", held)), "removed");
    },
  },
  {
    name: "remove() with the uid of a former owner of the name leaves the new one alone",
    run: async (harness) => {
      using stage = setStage(harness);
      const former = await createThing(stage, "a", { spec: { size: 1 } });
      must(
        await stage.store.replaceStatus(
          THINGS,
          { ...former, status: { phase: "Ready" } },
          stage.options,
        ),
      );
      must(await remove(stage, "a", { uid: former.metadata.uid }));
      const latter = await createThing(stage, "a");
      assert.notEqual(latter.metadata.uid, former.metadata.uid);
      assert.equal(latter.metadata.generation, 1);
      assert.equal(latter.status, undefined);
      assert.equal(latter.spec, undefined);
      refusal(await remove(stage, "a", { uid: former.metadata.uid }), "conflict");
      assert.deepEqual(await getThing(stage, "a"), latter);
    },
  },
  {
    name: "remove() lets exactly one of 50 removers of one version remove",
    run: async (harness) => {
      using stage = setStage(harness);
      const { uid, resourceVersion } = (await createThing(stage, "a")).metadata;
      const answers = await parallel(
        REMOVERS,
        () => remove(stage, "a", { uid, resourceVersion }),
      );
      const removals = answers.filter((answer) => answer.ok);
      assert.deepEqual(removals.map(must), ["removed"]);
      for (const answer of answers) {
        if (!answer.ok && answer.error.code !== "conflict") refusal(answer, "not_found");
      }
    },
  },
  {
    name: "an object with finalizers is kept until the last one is removed",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a", { metadata: { finalizers: FINALIZERS } });
      await using watch = readWatch(stage, THINGS, {
        resourceVersion: made.metadata.resourceVersion,
      });
      assert.equal(must(await remove(stage, "a")), "terminating");
      const leaving = await getThing(stage, "a");
      assert.match(leaving.metadata.deletionTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.deepEqual(leaving.metadata.finalizers, FINALIZERS);
      assert.equal(leaving.metadata.generation, 2, "the beginning of the end is counted");
      assert.equal(must(await remove(stage, "a")), "terminating");
      assert.deepEqual(await getThing(stage, "a"), leaving);
      refusal(await stage.store.create(THINGS, thing(stage, "a"), stage.options), "already_exists");

      const changed = await replaceThing(stage, leaving, { spec: { size: 7 } });
      assert.equal(changed.metadata.deletionTimestamp, leaving.metadata.deletionTimestamp);
      const half = await replaceThing(stage, changed, withFinalizers(changed, [FINALIZERS[1]]));
      assert.deepEqual((await getThing(stage, "a")).metadata.finalizers, [FINALIZERS[1]]);
      const last = await replaceThing(stage, half, withFinalizers(half, []));
      assert.equal(last.metadata.resourceVersion, half.metadata.resourceVersion);
      refusal(await stage.store.get(THINGS, keyIn(stage, "a"), stage.options), "not_found");

      assert.deepEqual(await watch.changes(3), ["modified a", "modified a", "modified a"]);
      const { type, object } = await watch.change();
      assert.equal(type, "deleted");
      assert.equal(object.metadata.uid, made.metadata.uid);
      assert.deepEqual(object.spec, { size: 7 });
      assert.notEqual((await createThing(stage, "a")).metadata.uid, made.metadata.uid);
    },
  },
  {
    name: "an object that is being deleted takes no new finalizer and cannot be kept",
    run: async (harness) => {
      using stage = setStage(harness);
      await createThing(stage, "a", { metadata: { finalizers: [FINALIZERS[0]] } });
      must(await remove(stage, "a"));
      const leaving = await getThing(stage, "a");
      const more = { ...leaving, ...withFinalizers(leaving, FINALIZERS) };
      refusal(await stage.store.replace(THINGS, more, stage.options), "invalid");
      const { deletionTimestamp, ...metadata } = leaving.metadata;
      const kept = await replaceThing(stage, leaving, {
        metadata: { ...metadata, labels: { app: "x" } },
      });
      assert.equal(kept.metadata.deletionTimestamp, deletionTimestamp);
    },
  },
  {
    name: "taking the last finalizer off an object that is not being deleted keeps it",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a", { metadata: { finalizers: [FINALIZERS[0]] } });
      await replaceThing(stage, made, withFinalizers(made, []));
      assert.deepEqual(names((await listThings(stage)).items), ["a"]);
      assert.equal(must(await remove(stage, "a")), "removed");
    },
  },
];

function withFinalizers(
  { metadata }: Thing,
  finalizers: readonly string[],
): Pick<Thing, "metadata"> {
  return { metadata: { ...metadata, finalizers } };
}
