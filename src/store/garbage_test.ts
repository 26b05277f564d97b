import assert from "node:assert/strict";
import { PLOTS, type Thing, THINGS } from "../../tests/contract/kinds.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { OwnerReference, RemoveOptions, StoredObject } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import type { EngineStore } from "./engine_store.ts";
import { collectGarbage } from "./garbage.ts";
import { openMemoryStore } from "./memory_store.ts";

const signal = new AbortController().signal;
const KINDS = [THINGS, PLOTS];

function open(): EngineStore {
  return openMemoryStore({ clock: new ManualClock(), random: seededRandom(1) });
}

function ownedBy(
  { apiVersion, kind, metadata }: StoredObject,
  { blocking = false }: { readonly blocking?: boolean } = {},
): OwnerReference {
  const { name, uid = "" } = metadata;
  return { apiVersion, kind, name, uid, blockOwnerDeletion: blocking };
}

async function create(
  store: EngineStore,
  name: string,
  ownerReferences: readonly OwnerReference[] = [],
): Promise<Thing> {
  const metadata = { name, namespace: "n", ownerReferences };
  const object = { apiVersion: "contract.spidernet.io/v1", kind: "Thing", metadata };
  return expectOk(await store.create(THINGS, object, { signal }), "the name is free");
}

async function remove(
  store: EngineStore,
  name: string,
  propagation?: RemoveOptions["propagation"],
): Promise<string> {
  const key = { namespace: "n", name };
  return expectOk(await store.remove(THINGS, key, { signal, propagation }), "it is there");
}

async function remaining(store: EngineStore): Promise<string[]> {
  const { items } = expectOk(await store.list(THINGS, { signal }), "it lists");
  return items.map(({ metadata }) =>
    [metadata.name, ...(metadata.ownerReferences ?? []).map(({ name }) => name)].join("<")
  );
}

Deno.test("collectGarbage() deletes what nobody owns any more, through generations", async () => {
  using store = open();
  const owner = await create(store, "owner");
  const child = await create(store, "child", [ownedBy(owner)]);
  await create(store, "grandchild", [ownedBy(child)]);
  await create(store, "free");
  assert.equal(collectGarbage(store.engine, KINDS), 0);
  assert.equal(await remove(store, "owner", "Background"), "removed");
  assert.equal(collectGarbage(store.engine, KINDS), 2);
  assert.deepEqual(await remaining(store), ["free"]);
});

Deno.test("collectGarbage() knows an owner by its uid, not by its name alone", async () => {
  using store = open();
  const owner = await create(store, "owner");
  await create(store, "child", [ownedBy(owner)]);
  await remove(store, "owner");
  await create(store, "owner");
  collectGarbage(store.engine, KINDS);
  assert.deepEqual(await remaining(store), ["owner"]);
});

Deno.test("collectGarbage() keeps what has a living owner, and forgets the dead one", async () => {
  using store = open();
  const owners = [await create(store, "dead"), await create(store, "living")];
  await create(store, "child", owners.map((owner) => ownedBy(owner)));
  await remove(store, "dead");
  collectGarbage(store.engine, KINDS);
  assert.deepEqual(await remaining(store), ["child<living", "living"]);
});

Deno.test("collectGarbage() keeps what it cannot resolve", async () => {
  using store = open();
  const pod = { apiVersion: "v1", kind: "Pod", name: "p", uid: "u" };
  await create(store, "of-a-pod", [pod]);
  const thing = await create(store, "owner");
  const metadata = { name: "plot", ownerReferences: [ownedBy(thing)] };
  const plot = { apiVersion: "contract.spidernet.io/v1", kind: "Plot", metadata };
  expectOk(await store.create(PLOTS, plot, { signal }), "the name is free");
  await remove(store, "owner");
  assert.equal(collectGarbage(store.engine, KINDS), 0);
  const { items } = expectOk(await store.list(PLOTS, { signal }), "it lists");
  assert.equal(items.length, 1, "a cluster-scoped object cannot have a namespaced owner");
});

Deno.test("collectGarbage() ends a Foreground deletion after what blocks it", async () => {
  using store = open();
  const owner = await create(store, "owner");
  const child = await create(store, "child", [ownedBy(owner, { blocking: true })]);
  await create(store, "grandchild", [ownedBy(child, { blocking: true })]);
  assert.equal(await remove(store, "owner", "Foreground"), "terminating");
  assert.deepEqual(await remaining(store), ["child<owner", "grandchild<child", "owner"]);
  const order: string[] = [];
  const revision = store.engine.revision;
  collectGarbage(store.engine, KINDS);
  store.engine.read((state) => {
    for (const { key, object } of state.changes({ after: revision })) {
      if (object === undefined) order.push(key);
    }
  });
  assert.deepEqual(order, ["n/grandchild", "n/child", "n/owner"]);
});

Deno.test("collectGarbage() frees the dependents of an owner deleted with Orphan", async () => {
  using store = open();
  const owner = await create(store, "owner");
  await create(store, "child", [ownedBy(owner)]);
  assert.equal(await remove(store, "owner", "Orphan"), "terminating");
  collectGarbage(store.engine, KINDS);
  assert.deepEqual(await remaining(store), ["child"]);
});

Deno.test("collectGarbage() ends although a rule refuses its deletion", async () => {
  using store = openMemoryStore({
    clock: new ManualClock(),
    random: seededRandom(1),
    admit: ({ operation, key }) =>
      operation === "remove" && key.name === "child"
        ? { code: "forbidden", message: "Not this one", namespaceTerminating: false }
        : undefined,
  });
  const owner = await create(store, "owner");
  await create(store, "child", [ownedBy(owner)]);
  await remove(store, "owner");
  assert.equal(collectGarbage(store.engine, KINDS), 0);
  assert.deepEqual(await remaining(store), ["child<owner"]);
});
