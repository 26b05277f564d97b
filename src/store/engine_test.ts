import assert from "node:assert/strict";
import { type Thing, THINGS } from "../../tests/contract/kinds.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { Resource, StoredObject } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err, expectOk, ok } from "../base/result.ts";
import type { Change } from "./backend.ts";
import type { AdmissionRequest, EngineOptions } from "./engine.ts";
import type { EngineStore } from "./engine_store.ts";
import { podGraceSeconds } from "./grace.ts";
import { isRawObject, type RawObject } from "./json_value.ts";
import { openMemoryStore } from "./memory_store.ts";

const signal = new AbortController().signal;

function open(options: Partial<EngineOptions> = {}): EngineStore {
  return openMemoryStore({ clock: new ManualClock(), random: seededRandom(1), ...options });
}

function thing(name: string, size = 0): Thing {
  const metadata = { name, namespace: "n" };
  return { apiVersion: "contract.spidernet.io/v1", kind: "Thing", metadata, spec: { size } };
}

async function create(store: EngineStore, name: string): Promise<Thing> {
  return expectOk(await store.create(THINGS, thing(name), { signal }), "the name is free");
}

Deno.test("admit() sees what is and would be stored, and can refuse it", async () => {
  const asked: string[] = [];
  function admit({ operation, key, object, previous, read }: AdmissionRequest) {
    const other = read(THINGS, { namespace: "n", name: "a" })?.metadata.name;
    const versions = [previous, object].map((one) => one?.metadata.resourceVersion ?? "none");
    asked.push(`${operation} ${key.name} ${versions.join("->")} beside ${other}`);
    return operation === "remove"
      ? { code: "forbidden", message: "Not you", namespaceTerminating: false } as const
      : undefined;
  }
  using store = open({ admit });
  const made = await create(store, "a");
  expectOk(await store.replace(THINGS, { ...made, spec: { size: 1 } }, { signal }), "it is read");
  const removed = await store.remove(THINGS, { namespace: "n", name: "a" }, { signal });
  assert.deepEqual(removed, {
    ok: false,
    error: { code: "forbidden", message: "Not you", namespaceTerminating: false },
  });
  await store.create(THINGS, thing("Not a name"), { signal });
  assert.deepEqual(asked, [
    "create a none->1 beside undefined",
    "replace a 1->2 beside a",
    "remove a 2->none beside a",
  ]);
  assert.equal(store.engine.revision, 2);
});

Deno.test("onCommit() is told of every change before the writer is", async () => {
  const changes: Change[] = [];
  using store = open({ onCommit: (change) => changes.push(change) });
  const creating = create(store, "a");
  assert.equal(changes.length, 1, "the change happened when the call was made");
  const made = await creating;
  await store.replace(THINGS, made, { signal });
  await store.create(THINGS, thing("a"), { signal });
  await store.remove(THINGS, { namespace: "n", name: "a" }, { signal });
  assert.deepEqual(
    changes.map(({ revision, key, object, previous }) => ({
      revision,
      key,
      object: object?.metadata.uid,
      previous: previous?.metadata.uid,
    })),
    [
      { revision: 1, key: "n/a", object: made.metadata.uid, previous: undefined },
      { revision: 2, key: "n/a", object: undefined, previous: made.metadata.uid },
    ],
  );
});

Deno.test("a store with the same seed and clock gives the same uids and times", async () => {
  async function make(): Promise<Thing> {
    using store = open();
    return await create(store, "a");
  }
  const made = await make();
  assert.deepEqual(await make(), made);
  assert.match(
    made.metadata.uid ?? "",
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal(made.metadata.creationTimestamp, "2025-01-01T00:00:00Z");
});

Deno.test("the history keeps historyChangesMax changes and at most a tenth more", async () => {
  using store = open({ historyChangesMax: 20 });
  for (let index = 0; index < 100; index++) {
    await create(store, `a${index}`);
    const { revision, compacted } = store.engine.read((state) => ({
      revision: state.revision,
      compacted: state.compactedRevision,
    }));
    assert.ok(revision - compacted <= 22, `${revision - compacted} changes are kept`);
    if (revision > 22) assert.ok(revision - compacted >= 20);
  }
});

Deno.test("a version from the future is no version of this store: gone for a watch", async () => {
  using store = open();
  await create(store, "a");
  const watch = store.watch(THINGS, { resourceVersion: "2", signal });
  const [event] = await Array.fromAsync(watch);
  assert.ok(event?.type === "failed" && event.error.code === "gone", "its store was another one");
  const listed = await store.list(THINGS, { signal, notOlderThan: "2" });
  assert.deepEqual(
    listed,
    err({
      code: "timeout",
      message:
        "Cannot list things.contract.spidernet.io: resourceVersion 2 is newer than the newest " +
        "change, 1",
      outcomeUnknown: false,
    }),
  );
  for (const notOlderThan of ["abc", "-1", "1e3", ""]) {
    const refused = await store.list(THINGS, { signal, notOlderThan });
    assert.ok(!refused.ok && refused.error.code === "invalid", notOlderThan);
  }
});

Deno.test("a refusal is one sentence that says what was tried", async () => {
  using store = open();
  await create(store, "a");
  const answers = [
    await store.create(THINGS, thing("a"), { signal }),
    await store.create(THINGS, thing("A"), { signal }),
    await store.replace(THINGS, thing("a"), { signal }),
    await store.remove(THINGS, { namespace: "n", name: "b" }, { signal }),
    await store.get(THINGS, { name: "a" }, { signal }),
    await store.list(THINGS, { signal, limit: -1 }),
    await store.list(THINGS, { signal, labelSelector: "a b" }),
  ];
  assert.deepEqual(
    answers.map((answer) => answer.ok ? "done" : answer.error.message),
    [
      'Cannot create Thing "n/a": it already exists',
      'Cannot create Thing "n/A": metadata.name "A" is not a name: use 1 to 253 lower-case ' +
      'letters, digits, "-" and ".", with a letter or digit at both ends of each part',
      'Cannot replace Thing "n/a": metadata.resourceVersion is missing: read the object ' +
      "first and replace what was read",
      'Cannot delete Thing "n/b": it does not exist',
      'Cannot get Thing "a": metadata.namespace is missing: things.contract.spidernet.io are ' +
      "namespaced",
      "Cannot list things.contract.spidernet.io: limit -1 is not a whole number from 0",
      'Cannot select things.contract.spidernet.io: label selector "a b" cannot be read: "b" ' +
      'stands where "," or its end should',
    ].map((text) => text.replace("missing: things.contract.spidernet.io", "missing: things")),
  );
});

Deno.test("an object that is no JSON, too deep or wrongly typed is refused", async () => {
  using store = open();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  let deep: unknown = "bottom";
  for (let level = 0; level < 500; level++) deep = [deep];
  const wrong: readonly StoredObject[] = [
    { ...thing("a"), spec: cycle } as Thing,
    { ...thing("a"), spec: { size: 1n } } as unknown as Thing,
    { ...thing("a"), spec: { deep } } as unknown as Thing,
    { ...thing("a"), metadata: { name: 5, namespace: "n" } } as unknown as Thing,
    { ...thing("a"), metadata: undefined } as unknown as Thing,
    {
      ...thing("a"),
      metadata: { name: "a", namespace: "n", labels: { a: 1 } },
    } as unknown as Thing,
    { ...thing("a"), metadata: { name: "a", namespace: "n", finalizers: "x" } } as unknown as Thing,
    { ...thing("a"), metadata: { name: "a", namespace: "n", ownerReferences: [1] } } as never,
  ];
  for (const object of wrong) {
    const answer = await store.create(THINGS, object as Thing, { signal });
    assert.ok(!answer.ok && answer.error.code === "invalid");
    assert.doesNotMatch(answer.error.message, /\n|\[object/);
  }
  assert.equal(store.engine.revision, 0);
});

interface Pod extends RawObject {}
const PODS: Resource<Pod> = {
  group: "",
  version: "v1",
  kind: "Pod",
  plural: "pods",
  namespaced: true,
  hasStatus: true,
  columns: [],
  view: "full",
  parse: (value) => isRawObject(value) ? ok(value) : err("no object"),
};

Deno.test("a removed pod on a node stays for its grace period, as a kubelet needs it", async () => {
  using store = open({ graceSeconds: podGraceSeconds });
  const spec = { nodeName: "n1", terminationGracePeriodSeconds: 20 };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "n" }, spec };
  const key = { namespace: "n", name: "p" };
  async function remove(gracePeriodSeconds?: number): Promise<string> {
    return expectOk(await store.remove(PODS, key, { signal, gracePeriodSeconds }), "it is there");
  }
  async function deadline(): Promise<unknown> {
    const { metadata } = expectOk(await store.get(PODS, key, { signal }), "it is there");
    return [metadata.deletionTimestamp, metadata["deletionGracePeriodSeconds"]];
  }
  expectOk(await store.create(PODS, pod, { signal }), "the name is free");
  assert.equal(await remove(), "terminating");
  assert.deepEqual(await deadline(), ["2025-01-01T00:00:20Z", 20]);
  assert.equal(await remove(60), "terminating");
  assert.deepEqual(await deadline(), ["2025-01-01T00:00:20Z", 20], "never longer");
  assert.equal(await remove(5), "terminating");
  assert.deepEqual(await deadline(), ["2025-01-01T00:00:05Z", 5], "shorter if asked");
  assert.equal(await remove(0), "removed");
  for (const change of [{ spec: {} }, { status: { phase: "Succeeded" } }]) {
    expectOk(await store.create(PODS, pod, { signal }), "the name is free");
    const made = expectOk(await store.get(PODS, key, { signal }), "it is there");
    const write = "spec" in change ? store.replace : store.replaceStatus;
    await write.call(store, PODS, { ...made, ...change }, { signal });
    assert.equal(await remove(), "removed", "nothing runs that could end");
  }
});
