/** Promises of get, list and listRows. */
import assert from "node:assert/strict";
import { keyText } from "../../src/base/object_store.ts";
import type { ContractCase } from "./harness.ts";
import { PLOTS, THING_METADATA, THINGS } from "./kinds.ts";
import {
  createPlot,
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
  stateText,
  thing,
} from "./steps.ts";

export const READ_CASES: readonly ContractCase[] = [
  {
    name: "list() gives the objects of one namespace, or of all, in the order of their names",
    run: async (harness) => {
      using stage = setStage(harness);
      const [, other] = harness.namespaces;
      for (const name of ["c", "a.b", "a-b", "a"]) await createThing(stage, name);
      await createThing(stage, "b", { metadata: { namespace: other } });
      assert.deepEqual(names((await listThings(stage)).items), ["a", "a-b", "a.b", "c"]);
      assert.deepEqual(names((await listThings(stage, { namespace: other })).items), ["b"]);
      const all = await listThings(stage, { namespace: undefined });
      const ours = all.items.filter(({ metadata }) =>
        harness.namespaces.includes(metadata.namespace ?? "")
      );
      assert.deepEqual(names(ours), ["a", "a-b", "a.b", "c", "b"]);
    },
  },
  {
    name: "list() in pages gives every object once, as it was when the first page was read",
    run: async (harness) => {
      using stage = setStage(harness);
      for (let index = 10; index < 17; index++) await createThing(stage, `a${index}`);
      const before = await listThings(stage);
      const first = await listThings(stage, { limit: 3 });
      assert.deepEqual(names(first.items), ["a10", "a11", "a12"]);
      await createThing(stage, "a125");
      await replaceThing(stage, await getThing(stage, "a13"), { spec: { size: 1 } });
      must(await stage.store.remove(THINGS, keyIn(stage, "a14"), stage.options));
      const second = await listThings(stage, { limit: 3, continuation: first.continuation });
      must(await stage.store.remove(THINGS, keyIn(stage, "a16"), stage.options));
      const third = await listThings(stage, { limit: 3, continuation: second.continuation });
      assert.equal(third.continuation, undefined);
      assert.deepEqual([...first.items, ...second.items, ...third.items], before.items);
      assert.equal(second.resourceVersion, first.resourceVersion);
      assert.equal(third.resourceVersion, first.resourceVersion);
      const now = await listThings(stage, { limit: 6 });
      assert.deepEqual(names(now.items), ["a10", "a11", "a12", "a125", "a13", "a15"]);
      assert.equal(now.continuation, undefined, "a full last page has no continuation");
    },
  },
  {
    name: "list() with a continuation of a state that was compacted is gone",
    needs: ["compact"],
    run: async (harness) => {
      using stage = setStage(harness);
      for (const name of ["a", "b", "c"]) await createThing(stage, name);
      const first = await listThings(stage, { limit: 1 });
      await createThing(stage, "d");
      await harness.compact?.();
      const { continuation } = first;
      const { namespace } = stage;
      const options = { ...stage.options, namespace, limit: 1, continuation };
      refusal(await stage.store.list(THINGS, options), "gone");
      assert.deepEqual(names((await listThings(stage)).items), ["a", "b", "c", "d"]);
    },
  },
  {
    name: "list() selects by labels: equality, sets, presence",
    run: async (harness) => {
      using stage = setStage(harness);
      const key = "ipam.spidernet.io/ippool";
      await createThing(stage, "a", { metadata: { labels: { [key]: "p4", tier: "1" } } });
      await createThing(stage, "b", { metadata: { labels: { [key]: "p4" } } });
      await createThing(stage, "c", { metadata: { labels: { [key]: "p6", tier: "" } } });
      await createThing(stage, "d");
      const expected: Readonly<Record<string, string>> = {
        [`${key}=p4`]: "ab",
        [`${key}==p4,tier=1`]: "a",
        [`${key}!=p4`]: "cd",
        [`${key} in (p4, p6),!tier`]: "b",
        [`${key} notin (p6)`]: "abd",
        [key]: "abc",
        [`!${key}`]: "d",
        "tier=": "c",
        "tier in (1,)": "ac",
        "absent=x": "",
        "": "abcd",
      };
      for (const [labelSelector, found] of Object.entries(expected)) {
        const { items } = await listThings(stage, { labelSelector });
        assert.equal(names(items).join(""), found, labelSelector);
      }
      const page = await listThings(stage, { labelSelector: key, limit: 2 });
      const rest = await listThings(stage, {
        labelSelector: key,
        limit: 2,
        continuation: page.continuation,
      });
      assert.deepEqual(names([...page.items, ...rest.items]), ["a", "b", "c"]);
    },
  },
  {
    name: "list() selects by metadata.name and metadata.namespace",
    run: async (harness) => {
      using stage = setStage(harness);
      const [namespace, other] = harness.namespaces;
      await createThing(stage, "a");
      await createThing(stage, "b");
      await createThing(stage, "a", { metadata: { namespace: other } });
      const expected: Readonly<Record<string, readonly string[]>> = {
        "metadata.name=a": [`${namespace}/a`, `${other}/a`],
        [`metadata.name==a,metadata.namespace=${other}`]: [`${other}/a`],
        [`metadata.namespace=${namespace}`]: [`${namespace}/a`, `${namespace}/b`],
        [`metadata.namespace=${namespace},metadata.name!=a`]: [`${namespace}/b`],
        "metadata.name=absent": [],
      };
      for (const [fieldSelector, found] of Object.entries(expected)) {
        const { items } = await listThings(stage, { namespace: undefined, fieldSelector });
        const ours = items.filter(({ metadata }) =>
          harness.namespaces.includes(metadata.namespace ?? "")
        );
        assert.deepEqual(ours.map(({ metadata }) => keyText(metadata)), found, fieldSelector);
      }
    },
  },
  {
    name: "list() refuses a selector and a continuation that cannot be read",
    run: async (harness) => {
      using stage = setStage(harness);
      const wrong = [
        { labelSelector: "a=b=c" },
        { labelSelector: "a in b" },
        { labelSelector: "not a key" },
        { labelSelector: "a=not!a.value" },
        { fieldSelector: "metadata.name" },
        { continuation: "not a continuation", limit: 1 },
      ];
      const { namespace } = stage;
      for (const options of wrong) {
        const answer = await stage.store.list(THINGS, { ...stage.options, namespace, ...options });
        refusal(answer, "invalid");
      }
    },
  },
  {
    name: "get() and list() not older than a version that was seen show at least that",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a");
      const notOlderThan = made.metadata.resourceVersion;
      const listed = await listThings(stage, { notOlderThan });
      assert.deepEqual(listed.items, [made]);
      const key = keyIn(stage, "a");
      const got = await stage.store.get(THINGS, key, { ...stage.options, notOlderThan });
      assert.deepEqual(must(got), made);
      must(await stage.store.get(THINGS, key, { ...stage.options, notOlderThan: "0" }));
      await listThings(stage, { notOlderThan: "0", labelSelector: "app=x" });
    },
  },
  {
    name: "a metadata-only read has the whole metadata and nothing else",
    run: async (harness) => {
      using stage = setStage(harness);
      const made = await createThing(stage, "a", {
        metadata: { labels: { app: "x" }, annotations: { note: "n" }, finalizers: ["x.io/y"] },
        spec: { size: 1 },
      });
      const { managedFields: _managed, ...metadata } = made.metadata;
      const expected = { apiVersion: made.apiVersion, kind: made.kind, metadata };
      const { namespace } = stage;
      const key = keyIn(stage, "a");
      const got = must(await stage.store.get(THING_METADATA, key, stage.options));
      assert.deepEqual(got, expected);
      const list = await stage.store.list(THING_METADATA, { ...stage.options, namespace });
      assert.deepEqual(must(list).items, [expected]);
      await using watch = readWatch(stage, THING_METADATA);
      assert.deepEqual((await watch.change()).object, expected);
      await release(stage, "a");
    },
  },
  {
    name: "listRows() gives names and the columns of the kind as texts",
    run: async (harness) => {
      using stage = setStage(harness);
      await createThing(stage, "a", { spec: { colour: "red", size: 3 } });
      await createThing(stage, "b");
      const { namespace } = stage;
      const rows = must(
        await stage.store.listRows(THINGS, { ...stage.options, namespace, limit: 1 }),
      );
      assert.deepEqual(Array.from(rows.rows), [
        { key: keyIn(stage, "a"), cells: { Colour: "red", Size: "3" } },
      ]);
      const { continuation } = rows;
      const rest = must(
        await stage.store.listRows(THINGS, { ...stage.options, namespace, limit: 1, continuation }),
      );
      assert.deepEqual(Array.from(rest.rows), [{
        key: keyIn(stage, "b"),
        cells: { Colour: "", Size: "" },
      }]);
      const some = must(
        await stage.store.listRows(THINGS, { ...stage.options, namespace, columns: ["Size"] }),
      );
      assert.deepEqual(Array.from(some.rows, ({ cells }) => cells), [{ Size: "3" }, { Size: "" }]);
      await createPlot(stage, "a", { spec: { owner: "me" } });
      const plots = must(
        await stage.store.listRows(PLOTS, {
          ...stage.options,
          fieldSelector: `metadata.name=${harness.prefix}-a`,
        }),
      );
      assert.deepEqual(Array.from(plots.rows), [{
        key: { name: `${harness.prefix}-a` },
        cells: { Owner: "me" },
      }]);
    },
  },
  {
    name: "an object that its parser refuses is reported, never hidden",
    run: async (harness) => {
      using stage = setStage(harness);
      await createThing(stage, "a");
      const odd = thing(stage, "odd", { spec: { colour: "unspeakable" } });
      const written = refusal(await stage.store.create(THINGS, odd, stage.options), "broken");
      assert.match(written.message, /spec\.colour/);
      refusal(await stage.store.create(THINGS, odd, stage.options), "already_exists");
      const got = await stage.store.get(THINGS, keyIn(stage, "odd"), stage.options);
      assert.match(refusal(got, "broken").message, /"unspeakable"/);
      const listed = await listThings(stage);
      assert.deepEqual(names(listed.items), ["a"]);
      assert.deepEqual(listed.broken.map(({ key }) => key), [keyIn(stage, "odd")]);

      await using watch = readWatch(stage, THINGS, { resourceVersion: listed.resourceVersion });
      must(await stage.store.remove(THINGS, keyIn(stage, "odd"), stage.options));
      const event = await watch.next();
      assert.equal(event.type, "broken");
      if (event.type !== "broken") return;
      assert.equal(event.change, "deleted");
      assert.deepEqual(event.object.key, keyIn(stage, "odd"));
      assert.match(event.object.problem, /spec\.colour/);
      assert.notEqual(event.resourceVersion, listed.resourceVersion);
    },
  },
  {
    name: "a list's version is the place from which a watch goes on",
    run: async (harness) => {
      using stage = setStage(harness);
      await createThing(stage, "a");
      const { items, resourceVersion } = await listThings(stage);
      await using watch = readWatch(stage, THINGS, { resourceVersion });
      const later = await createThing(stage, "b");
      const { type, object } = await watch.change();
      assert.equal(type, "added");
      assert.equal(stateText(object), stateText(later));
      assert.equal(items.length, 1);
    },
  },
];

/** Takes the finalizers off, so that a server can clean the namespace. */
async function release(stage: Stage, name: string): Promise<void> {
  const object = await getThing(stage, name);
  await replaceThing(stage, object, { metadata: { ...object.metadata, finalizers: [] } });
}
