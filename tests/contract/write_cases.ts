/** Promises of create, replace and replaceStatus. */
import assert from "node:assert/strict";
import { OBJECT_BYTES_MAX } from "../../src/base/limits.ts";
import { parallel } from "../support/parallel.ts";
import type { ContractCase } from "./harness.ts";
import { PLOTS, type Thing, THINGS, TRUTH_FENCE_MESSAGE } from "./kinds.ts";
import {
  createPlot,
  createThing,
  getThing,
  keyIn,
  listThings,
  must,
  names,
  plot,
  readWatch,
  refusal,
  replaceThing,
  setStage,
  thing,
} from "./steps.ts";

/** Writers that race for one name. */
const WRITERS = 50;

export const WRITE_CASES: readonly ContractCase[] = [
  {
    name: "create() answers with what get() reads: uid, version, generation 1, creation time",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a", {
        metadata: { labels: { app: "x" }, annotations: { note: "Any text: 1 < 2" } },
        spec: { colour: "red", size: 3, extra: { deep: [1, { two: null }] } },
      });
      const { uid, resourceVersion, generation, creationTimestamp } = made.metadata;
      assert.match(uid ?? "", /^[0-9a-f-]{36}$/);
      assert.notEqual(resourceVersion ?? "", "");
      assert.equal(generation, 1);
      assert.match(creationTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.deepEqual(made.metadata.labels, { app: "x" });
      assert.deepEqual(made.metadata.annotations, { note: "Any text: 1 < 2" });
      assert.deepEqual(made.spec, { colour: "red", size: 3, extra: { deep: [1, { two: null }] } });
      assert.deepEqual(await getThing(stage, "a"), made);
      assert.ok(Number.isFinite(stage.store.serverTimeMs()), "a reply tells the server's time");
    },
  },
  {
    name: "create() lets exactly one of 50 writers have a name",
    run: async (harness) => {
      using stage = setStage(harness);
      const answers = await parallel(WRITERS, (writer) =>
        stage.store.create(
          THINGS,
          thing(stage, "10.6.0.17", { spec: { size: writer } }),
          stage.options,
        ));
      const winners = answers.filter((answer) => answer.ok);
      assert.equal(winners.length, 1);
      for (const answer of answers) if (!answer.ok) refusal(answer, "already_exists");
      assert.deepEqual([await getThing(stage, "10.6.0.17")], winners.map(must));
    },
  },
  {
    name: "create() refuses a name that is no RFC 1123 subdomain, and stores nothing",
    run: async (harness) => {
      using stage = setStage(harness);
      for (const name of ["A", "a_b", "-a", "a-", "a..b", "a/b", "ä", "a".repeat(254)]) {
        const object = thing(stage, name);
        const { message } = refusal(
          await stage.store.create(THINGS, object, stage.options),
          "invalid",
        );
        assert.ok(message.includes(name.slice(0, 60)), `${message} names ${name}`);
      }
      assert.deepEqual((await listThings(stage)).items, []);
      for (
        const name of ["10.6.0.17", "2001-0db8-0000-0000-0000-0000-0000-0001", "a".repeat(253)]
      ) {
        await createThing(stage, name);
      }
    },
  },
  {
    name: "create() refuses metadata that the API refuses",
    run: async (harness) => {
      using stage = setStage(harness);
      const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "u", controller: true };
      const wrong: readonly Readonly<Record<string, unknown>>[] = [
        { resourceVersion: "1" },
        { namespace: undefined },
        { labels: { "not a key": "x" } },
        { labels: { app: "not a value!" } },
        { labels: { app: "a".repeat(64) } },
        { finalizers: ["not a finalizer"] },
        { ownerReferences: [{ ...owner, uid: "" }] },
        { ownerReferences: [owner, { ...owner, uid: "v" }] },
        { annotations: { big: "x".repeat(262_145) } },
      ];
      for (const metadata of wrong) {
        const object = thing(stage, "a", { metadata });
        refusal(await stage.store.create(THINGS, object, stage.options), "invalid");
      }
      const placed = plot(stage, "a");
      const inNamespace = {
        ...placed,
        metadata: { ...placed.metadata, namespace: stage.namespace },
      };
      refusal(await stage.store.create(PLOTS, inNamespace, stage.options), "invalid");
      const alien = { ...thing(stage, "a"), kind: "Plot" };
      refusal(await stage.store.create(THINGS, alien, stage.options), "invalid");
    },
  },
  {
    name: "create() keeps finalizers and owners, and drops status where it is a subresource",
    run: async (harness) => {
      using stage = setStage(harness);
      const owner = await createThing(stage, "owner");
      const metadata = {
        ownerReferences: [{
          apiVersion: owner.apiVersion,
          kind: owner.kind,
          name: "owner",
          uid: owner.metadata.uid ?? "",
          controller: true,
          blockOwnerDeletion: false,
        }],
      };
      const made = await createThing(stage, "owned", { metadata, status: { phase: "Ready" } });
      assert.equal(made.status, undefined);
      assert.deepEqual(made.metadata.ownerReferences, metadata.ownerReferences);
      const other = await createPlot(stage, "a", { status: { phase: "Ready" } });
      assert.deepEqual(other.status, { phase: "Ready" });
    },
  },
  {
    name: "create() and replace() refuse an object over 1,500,000 bytes clearly",
    run: async (harness) => {
      using stage = setStage(harness);
      const fits = await createThing(stage, "fits", { spec: { text: "x".repeat(1_400_000) } });
      assert.equal((await getThing(stage, "fits")).spec?.text?.length, 1_400_000);
      const text = "x".repeat(1_600_000);
      const tooBig = thing(stage, "a", { spec: { text } });
      for (
        const answer of [
          await stage.store.create(THINGS, tooBig, stage.options),
          await stage.store.replace(THINGS, { ...fits, spec: { text } }, stage.options),
        ]
      ) {
        const { message } = refusal(answer, "invalid");
        assert.match(message, /\b1600\d{3}\b/, "the refusal says how big it is");
        assert.ok(message.includes(String(OBJECT_BYTES_MAX)), "the refusal says what is allowed");
        assert.ok(message.length < 500, "the refusal does not repeat the object");
      }
      assert.deepEqual(names((await listThings(stage)).items), ["fits"]);
    },
  },
  {
    name: "replace() refuses a stale version, another uid, no version, and what is not there",
    run: async (harness) => {
      using stage = setStage(harness);
      const first = await createThing(stage, "a", { spec: { size: 1 } });
      const second = await replaceThing(stage, first, { spec: { size: 2 } });
      assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
      const { resourceVersion: _version, ...unread } = second.metadata;
      const otherUid = { ...second.metadata, uid: "00000000-0000-4000-8000-000000000000" };
      const absent = { ...second.metadata, name: "b" };
      async function attempt(metadata: Thing["metadata"]) {
        const object = { ...second, metadata, spec: { size: 9 } };
        return await stage.store.replace(THINGS, object, stage.options);
      }
      refusal(await attempt(first.metadata), "conflict");
      refusal(await attempt(otherUid), "conflict");
      refusal(await attempt(unread), "invalid");
      refusal(await attempt(absent), "not_found");
      assert.deepEqual(await getThing(stage, "a"), second);
    },
  },
  {
    name: "replace() lets exactly one of 50 writers of one version through",
    run: async (harness) => {
      using stage = setStage(harness);
      const read = await createThing(stage, "a");
      const answers = await parallel(
        WRITERS,
        (writer) =>
          stage.store.replace(THINGS, { ...read, spec: { size: writer + 1 } }, stage.options),
      );
      const winners = answers.filter((answer) => answer.ok);
      assert.equal(winners.length, 1);
      for (const answer of answers) if (!answer.ok) refusal(answer, "conflict");
      assert.deepEqual([await getThing(stage, "a")], winners.map(must));
    },
  },
  {
    name: "replace() does not touch status, replaceStatus() touches nothing else",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a", {
        metadata: { labels: { app: "x" } },
        spec: { size: 1 },
      });
      const named = must(
        await stage.store.replaceStatus(THINGS, {
          ...made,
          metadata: { ...made.metadata, labels: { app: "y" }, annotations: { note: "n" } },
          spec: { size: 2 },
          status: { phase: "Ready" },
        }, stage.options),
      );
      assert.deepEqual(named.status, { phase: "Ready" });
      assert.deepEqual(named.spec, { size: 1 });
      assert.deepEqual(named.metadata.labels, { app: "x" });
      assert.equal(named.metadata.annotations, undefined);
      const grown = await replaceThing(stage, named, {
        spec: { size: 3 },
        status: { phase: "Lost" },
      });
      assert.deepEqual(grown.status, { phase: "Ready" });
      assert.deepEqual(grown.spec, { size: 3 });
      const { status: _status, ...bare } = grown;
      assert.deepEqual((await replaceThing(stage, bare, {})).status, { phase: "Ready" });
      const area = await createPlot(stage, "a");
      const status = { phase: "Ready" };
      refusal(
        await stage.store.replaceStatus(PLOTS, { ...area, status }, stage.options),
        "invalid",
      );
      const whole = must(await stage.store.replace(PLOTS, { ...area, status }, stage.options));
      assert.deepEqual(whole.status, status);
    },
  },
  {
    name: "generation counts changes of the spec, not of metadata or status",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a", { spec: { size: 1 } });
      const labelled = await replaceThing(stage, made, {
        metadata: { ...made.metadata, labels: { app: "x" }, generation: 77 },
      });
      assert.equal(labelled.metadata.generation, 1);
      const status = { phase: "Ready" };
      const stated = must(
        await stage.store.replaceStatus(THINGS, { ...labelled, status }, stage.options),
      );
      assert.equal(stated.metadata.generation, 1);
      const grown = await replaceThing(stage, stated, { spec: { size: 2 } });
      assert.equal(grown.metadata.generation, 2);
      const area = await createPlot(stage, "a");
      const changed = must(await stage.store.replace(PLOTS, { ...area, status }, stage.options));
      assert.equal(changed.metadata.generation, 2, "status is content where it is no subresource");
    },
  },
  {
    name: "a write that changes nothing keeps the version and is no event",
    run: async (harness) => {
      using stage = setStage(harness);
      const spec = { size: 1, colour: "red" };
      const made = await createThing(stage, "a", { spec });
      await using watch = readWatch(stage, THINGS, {
        resourceVersion: made.metadata.resourceVersion,
      });
      const same = await replaceThing(stage, made, { spec: { colour: "red", size: 1 } });
      assert.deepEqual(same, made);
      const { status: _status, ...bare } = made;
      assert.deepEqual(must(await stage.store.replaceStatus(THINGS, bare, stage.options)), made);
      await createThing(stage, "b");
      assert.deepEqual(await watch.changes(1), ["added b"]);
    },
  },
  {
    name: "replace() and replaceStatus() obey the kind's own rules (the truth fence)",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a");
      const fenced = must(
        await stage.store.replaceStatus(
          THINGS,
          { ...made, status: { truth: "SpiderIP", phase: "Ready" } },
          stage.options,
        ),
      );
      for (const status of [undefined, {}, { phase: "Lost" }]) {
        const answer = await stage.store.replaceStatus(
          THINGS,
          status === undefined ? { ...made, metadata: fenced.metadata } : { ...fenced, status },
          stage.options,
        );
        assert.ok(refusal(answer, "invalid").message.includes(TRUTH_FENCE_MESSAGE));
      }
      assert.deepEqual(await getThing(stage, "a"), fenced);
      const status = { truth: "SpiderIP", phase: "Lost" };
      must(await stage.store.replaceStatus(THINGS, { ...fenced, status }, stage.options));
    },
  },
  {
    name: "nothing that a caller does to objects given or received changes what is stored",
    run: async (harness) => {
      using stage = setStage(harness);
      const labels: Record<string, string> = { app: "x" };
      const given = thing(stage, "a", { metadata: { labels }, spec: { size: 1 } });
      const made = must(await stage.store.create(THINGS, given, stage.options));
      const before = JSON.stringify(made);
      labels["app"] = "spoiled";
      const listed = (await listThings(stage)).items[0];
      for (const received of [made, await getThing(stage, "a"), listed]) {
        try {
          Object.assign(received?.spec ?? {}, { size: 99 });
          Object.assign(received?.metadata.labels ?? {}, { app: "spoiled" });
        } catch {
          // Frozen: even better.
        }
      }
      assert.equal(JSON.stringify(await getThing(stage, "a")), before);
      const { items } = await listThings(stage, { labelSelector: "app=x" });
      assert.deepEqual(names(items), ["a"]);
    },
  },
  {
    name: "a call whose signal is aborted rejects with the reason and does nothing",
    run: async (harness) => {
      using stage = setStage(harness);
      const signal = AbortSignal.abort(new Error("not any more"));
      await assert.rejects(stage.store.create(THINGS, thing(stage, "a"), { signal }), /any more/);
      await assert.rejects(stage.store.list(THINGS, { signal }), /any more/);
      await assert.rejects(stage.store.get(THINGS, keyIn(stage, "a"), { signal }), /any more/);
      assert.deepEqual((await listThings(stage)).items, []);
    },
  },
];
