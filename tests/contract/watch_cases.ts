/** Promises of watch. */
import assert from "node:assert/strict";
import { seededRandom } from "../../src/base/random.ts";
import { parallel } from "../support/parallel.ts";
import { follow, type Follower } from "./follower.ts";
import type { ContractCase } from "./harness.ts";
import { THINGS } from "./kinds.ts";
import {
  createThing,
  keyIn,
  listThings,
  must,
  readWatch,
  refusal,
  replaceThing,
  setStage,
  type Stage,
  stateText,
} from "./steps.ts";

export const WATCH_CASES: readonly ContractCase[] = [
  {
    name: "watch() without a version gives what there is, then synced, then changes",
    run: async (harness) => {
      using stage = setStage(harness);
      await createThing(stage, "b");
      const first = await createThing(stage, "a");
      await using watch = readWatch(stage, THINGS);
      assert.deepEqual((await watch.changes(2)).toSorted(), ["added a", "added b"]);
      const synced = await watch.next();
      assert.equal(synced.type, "synced");
      const second = await replaceThing(stage, first, { spec: { size: 2 } });
      const { type, object } = await watch.change();
      assert.equal(type, "modified");
      assert.deepEqual(object, second);
      await using later = readWatch(stage, THINGS, {
        resourceVersion: synced.type === "synced" ? synced.resourceVersion : "",
      });
      assert.deepEqual((await later.change()).object, second);
    },
  },
  {
    name: "watch() from a version gives exactly the changes after it, in order",
    run: async (harness) => {
      using stage = setStage(harness);
      const a = await createThing(stage, "a");
      const b = await createThing(stage, "b");
      const { resourceVersion } = await listThings(stage);
      const a2 = await replaceThing(stage, a, { spec: { size: 2 } });
      const c = await createThing(stage, "c");
      must(await stage.store.remove(THINGS, keyIn(stage, "b"), stage.options));
      const a3 = must(
        await stage.store.replaceStatus(
          THINGS,
          { ...a2, status: { phase: "Ready" } },
          stage.options,
        ),
      );
      await using watch = readWatch(stage, THINGS, { resourceVersion });
      const events = [
        await watch.change(),
        await watch.change(),
        await watch.change(),
        await watch.change(),
      ];
      assert.deepEqual(events.map(({ type, object }) => `${type} ${object.metadata.name}`), [
        "modified a",
        "added c",
        "deleted b",
        "modified a",
      ]);
      assert.deepEqual([events[0]?.object, events[1]?.object, events[3]?.object], [a2, c, a3]);
      const gone = events[2]?.object.metadata;
      assert.equal(gone?.uid, b.metadata.uid);
      assert.notEqual(
        gone?.resourceVersion,
        b.metadata.resourceVersion,
        "the deletion's own version",
      );
      await using rest = readWatch(stage, THINGS, { resourceVersion: gone?.resourceVersion });
      assert.equal(stateText((await rest.change()).object), stateText(a3));
    },
  },
  {
    name:
      "watch() with a selector: moving in is added, moving out is deleted as it last was inside",
    run: async (harness) => {
      using stage = setStage(harness);
      const out = await createThing(stage, "a", { spec: { size: 1 } });
      const { resourceVersion } = out.metadata;
      await using watch = readWatch(stage, THINGS, { resourceVersion, labelSelector: "in=1" });
      const inside = await replaceThing(stage, out, {
        metadata: { ...out.metadata, labels: { in: "1" } },
      });
      const still = await replaceThing(stage, inside, { spec: { size: 2 } });
      const left = await replaceThing(stage, still, {
        metadata: { ...still.metadata, labels: { in: "0" } },
        spec: { size: 3 },
      });
      await replaceThing(stage, left, { spec: { size: 4 } });
      await createThing(stage, "b", { metadata: { labels: { in: "1" } } });
      assert.deepEqual((await watch.change()).object, inside);
      assert.deepEqual(await watch.changes(1), ["modified a"]);
      const { type, object } = await watch.change();
      assert.equal(type, "deleted");
      assert.deepEqual(object.spec, { size: 2 });
      assert.deepEqual(object.metadata.labels, { in: "1" });
      assert.equal(object.metadata.resourceVersion, left.metadata.resourceVersion);
      assert.deepEqual(await watch.changes(1), ["added b"]);
    },
  },
  {
    name: "watch() of one namespace or one name sees nothing else",
    run: async (harness) => {
      using stage = setStage(harness);
      const [, other] = harness.namespaces;
      const { resourceVersion } = await createThing(stage, "first").then(({ metadata }) =>
        metadata
      );
      await using one = readWatch(stage, THINGS, {
        resourceVersion,
        fieldSelector: "metadata.name=b",
      });
      await using all = readWatch(stage, THINGS, { resourceVersion });
      await createThing(stage, "b", { metadata: { namespace: other } });
      await createThing(stage, "a");
      await createThing(stage, "b");
      assert.deepEqual(await all.changes(2), ["added a", "added b"]);
      const { object } = await one.change();
      assert.deepEqual([object.metadata.namespace, object.metadata.name], [stage.namespace, "b"]);
    },
  },
  {
    name: "a quiet watch gets bookmarks, and a watch from a bookmark repeats nothing",
    run: async (harness) => {
      // A server's bookmarks are a minute apart, and a busy one leaves some out.
      using stage = setStage(harness, { hangMs: 400_000 });
      const made = await createThing(stage, "a");
      const { resourceVersion } = made.metadata;
      await using watch = readWatch(stage, THINGS, { resourceVersion });
      const coming = watch.bookmark();
      for (const name of ["b", "c"]) await createThing(stage, name);
      await harness.passBookmark?.();
      const bookmark = await coming;
      assert.notEqual(bookmark, resourceVersion, "a bookmark is newer than what was read");
      const later = await createThing(stage, "d");
      await using resumed = readWatch(stage, THINGS, { resourceVersion: bookmark });
      assert.deepEqual((await resumed.change()).object, later);
    },
  },
  {
    name: "watch() from a version that was compacted fails with gone, and ends",
    needs: ["compact"],
    run: async (harness) => {
      using stage = setStage(harness);
      const { resourceVersion } = await listThings(stage);
      for (const name of ["a", "b", "c"]) await createThing(stage, name);
      await harness.compact?.();
      const { namespace, options } = stage;
      const events = await Array.fromAsync(
        stage.store.watch(THINGS, { ...options, namespace, resourceVersion }),
      );
      const [event] = events;
      assert.equal(events.length, 1);
      assert.ok(event?.type === "failed");
      refusal({ ok: false, error: event.error }, "gone");
    },
  },
  {
    name: "an aborted watch rejects with the signal's reason, waiting or not",
    run: async (harness) => {
      using stage = setStage(harness);
      const closing = new AbortController();
      const events = stage.store.watch(THINGS, {
        namespace: stage.namespace,
        signal: closing.signal,
      })[Symbol.asyncIterator]();
      assert.equal((await events.next()).value?.type, "synced");
      const waiting = events.next();
      closing.abort(new Error("not any more"));
      await assert.rejects(waiting, /not any more/);
      const { signal } = closing;
      const late = stage.store.watch(THINGS, { namespace: stage.namespace, signal });
      await assert.rejects(Array.fromAsync(late), /not any more/);
    },
  },
  {
    name: "a copy kept by watching equals a list after 20 writers did what they liked",
    run: async (harness) => {
      using stage = setStage(harness);
      const closing = new AbortController();
      const signal = AbortSignal.any([closing.signal, stage.options.signal]);
      const { namespace } = stage;
      let follower: Follower | undefined;
      let check: () => void = () => {};
      const following = follow({ store: () => stage.store, back: () => Promise.resolve() }, {
        selection: { namespace, labelSelector: "parity=even" },
        signal,
        update: (now) => {
          follower = now;
          check();
        },
      });
      await parallel(20, (writer) => writeAtRandom(stage, { writer, steps: 25 }));
      const final = await createThing(stage, "final", { metadata: { labels: { parity: "even" } } });
      await new Promise<void>((resolve) => {
        check = () => {
          if (follower?.objects.has(`${namespace}/final`) === true) resolve();
        };
        check();
      });
      closing.abort(new Error("enough"));
      await assert.rejects(following, /enough/);
      const { items } = await listThings(stage, { labelSelector: "parity=even" });
      assert.ok(items.some((item) => item.metadata.uid === final.metadata.uid));
      assert.deepEqual(
        [...follower?.objects.values() ?? []].map(stateText).toSorted(),
        items.map(stateText).toSorted(),
      );
      assert.deepEqual(follower?.doubled, []);
      assert.equal(follower?.listCount, 1);
    },
  },
];

/** Creates, moves in and out of a selection, and removes things of few names; refusals are fine. */
async function writeAtRandom(
  stage: Stage,
  { writer, steps }: { readonly writer: number; readonly steps: number },
): Promise<void> {
  const random = seededRandom(writer);
  for (let step = 0; step < steps; step++) {
    const name = `n${random.below(12)}`;
    const labels = { parity: random.below(2) === 0 ? "even" : "odd" };
    const got = await stage.store.get(THINGS, keyIn(stage, name), stage.options);
    const spec = { size: step };
    if (!got.ok) {
      const made = { apiVersion: "contract.spidernet.io/v1", kind: "Thing" };
      const metadata = { name, namespace: stage.namespace, labels };
      await stage.store.create(THINGS, { ...made, metadata, spec }, stage.options);
    } else if (random.below(3) === 0) {
      const { uid } = got.value.metadata;
      const options = { ...stage.options, preconditions: { uid } };
      await stage.store.remove(THINGS, keyIn(stage, name), options);
    } else {
      const metadata = { ...got.value.metadata, labels };
      await stage.store.replace(THINGS, { ...got.value, metadata, spec }, stage.options);
    }
  }
}
