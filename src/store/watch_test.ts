import assert from "node:assert/strict";
import { type Thing, THINGS } from "../../tests/contract/kinds.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { LIST_PAGE_OBJECTS, WATCH_BOOKMARK_MS } from "../base/limits.ts";
import type { Resource, WatchEvent } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import type { EngineStore } from "./engine_store.ts";
import { openMemoryStore } from "./memory_store.ts";

const signal = new AbortController().signal;

/** Another kind, whose changes are none of a watch of things. */
const OTHERS: Resource<Thing> = { ...THINGS, kind: "Other", plural: "others" };

/** A store on a clock that a test moves, and writers to it. */
interface Desk extends Disposable {
  readonly clock: ManualClock;
  readonly store: EngineStore;
  create(name: string, resource?: Resource<Thing>): Promise<Thing>;
}

function makeDesk({ historyChangesMax }: { readonly historyChangesMax: number }): Desk {
  const clock = new ManualClock();
  const store = openMemoryStore({ clock, random: seededRandom(1), historyChangesMax });
  return {
    clock,
    store,
    create: async (name, resource = THINGS) => {
      const { kind } = resource;
      const metadata = { name, namespace: "n" };
      const object = { apiVersion: "contract.spidernet.io/v1", kind, metadata };
      return expectOk(await store.create(resource, object, { signal }), "the name is free");
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

function text(event: WatchEvent<Thing>): string {
  switch (event.type) {
    case "added":
    case "modified":
    case "deleted":
      return `${event.type} ${event.object.metadata.name}`;
    case "broken":
      return `broken ${event.object.key.name}`;
    case "synced":
    case "bookmark":
      return `${event.type} ${event.resourceVersion}`;
    case "failed":
      return `failed ${event.error.code}`;
  }
}

async function nextText(events: AsyncIterator<WatchEvent<Thing>, void>): Promise<string> {
  const { done, value } = await events.next();
  return done === true || value === undefined ? "the end" : text(value);
}

/** Collects what a watch delivers until it ends. */
async function collect(watch: AsyncIterable<WatchEvent<Thing>>, into: string[]): Promise<void> {
  for await (const event of watch) into.push(text(event));
}

Deno.test("a reader slower than the history is gone, not served with a gap", async () => {
  using desk = makeDesk({ historyChangesMax: 10 });
  const events = desk.store.watch(THINGS, { resourceVersion: "0", signal })[Symbol.asyncIterator]();
  await desk.create("first");
  assert.equal(await nextText(events), "added first");
  for (let index = 0; index < 30; index++) await desk.create(`a${index}`);
  assert.equal(await nextText(events), "failed gone");
  assert.equal((await events.next()).done, true, "a failure is the last event");
});

Deno.test("a slow reader within the history gets everything, in batches", async () => {
  const count = LIST_PAGE_OBJECTS * 2 + 10;
  using desk = makeDesk({ historyChangesMax: count * 2 });
  const events = desk.store.watch(THINGS, { resourceVersion: "0", signal })[Symbol.asyncIterator]();
  for (let index = 0; index < count; index++) await desk.create(`a${index}`);
  for (let index = 0; index < count; index++) {
    assert.equal(await nextText(events), `added a${index}`);
  }
  await events.return?.();
  assert.equal(desk.clock.sleeperCount, 0, "a reader that leaves takes its timers along");
});

Deno.test("a quiet watch outlives the history of other kinds", async () => {
  using desk = makeDesk({ historyChangesMax: 10 });
  const seen: string[] = [];
  const watching = collect(desk.store.watch(THINGS, { signal }), seen);
  await settle();
  for (let index = 0; index < 50; index++) await desk.create(`a${index}`, OTHERS);
  await desk.create("mine");
  await settle();
  assert.deepEqual(seen, ["synced 0", "added mine"]);
  desk.store[Symbol.dispose]();
  await watching;
});

Deno.test("bookmarks come at their pace and tell of other kinds' changes", async () => {
  using desk = makeDesk({ historyChangesMax: 10 });
  const seen: string[] = [];
  const watching = collect(desk.store.watch(THINGS, { signal }), seen);
  await desk.clock.advance(WATCH_BOOKMARK_MS - 1);
  assert.deepEqual(seen, ["synced 0"]);
  await desk.clock.advance(1);
  await desk.create("theirs", OTHERS);
  await desk.create("mine");
  await desk.create("later", OTHERS);
  await desk.clock.advance(WATCH_BOOKMARK_MS * 2);
  assert.deepEqual(seen, ["synced 0", "bookmark 0", "added mine", "bookmark 3", "bookmark 3"]);
  desk.store[Symbol.dispose]();
  await watching;
});

Deno.test("the list that a watch begins with is of one state", async () => {
  const count = LIST_PAGE_OBJECTS + 10;
  using desk = makeDesk({ historyChangesMax: count * 3 });
  for (let index = 0; index < count; index++) await desk.create(`a${1_000 + index}`);
  const events = desk.store.watch(THINGS, { signal })[Symbol.asyncIterator]();
  assert.equal(await nextText(events), "added a1000");
  await desk.create("a9999");
  const last = { namespace: "n", name: `a${1_000 + count - 1}` };
  expectOk(await desk.store.remove(THINGS, last, { signal }), "it is there");
  for (let index = 1; index < count; index++) {
    assert.equal(await nextText(events), `added a${1_000 + index}`);
  }
  assert.equal(await nextText(events), `synced ${count}`);
  assert.equal(await nextText(events), "added a9999");
  assert.equal(await nextText(events), `deleted ${last.name}`);
  await events.return?.();
});

Deno.test("an aborted watch leaves no timer, even if nobody reads it any more", async () => {
  using desk = makeDesk({ historyChangesMax: 10 });
  const closing = new AbortController();
  const events = desk.store.watch(THINGS, { signal: closing.signal })[Symbol.asyncIterator]();
  await events.next();
  await settle();
  assert.equal(desk.clock.sleeperCount, 1);
  closing.abort(new Error("enough"));
  await settle();
  assert.equal(desk.clock.sleeperCount, 0);
  await assert.rejects(events.next(), /enough/);
});

Deno.test("many watches of one store each see every change once", async () => {
  using desk = makeDesk({ historyChangesMax: 1_000 });
  const seen = Array.from({ length: 50 }, () => new Array<string>());
  const watching = seen.map((into) => collect(desk.store.watch(THINGS, { signal }), into));
  await settle();
  for (let index = 0; index < 20; index++) {
    await desk.create(`a${index}`);
    if (index % 3 === 0) await settle(); // Some changes meet a waiting reader, some a busy one.
  }
  await settle();
  const expected = Array.from({ length: 20 }, (_, index) => `added a${index}`);
  for (const events of seen) assert.deepEqual(events, ["synced 0", ...expected]);
  desk.store[Symbol.dispose]();
  await Promise.all(watching);
});

Deno.test("a watch that cannot begin says why and ends", async () => {
  using desk = makeDesk({ historyChangesMax: 10 });
  for (const options of [{ labelSelector: "a b" }, { resourceVersion: "x" }]) {
    const seen: string[] = [];
    await collect(desk.store.watch(THINGS, { ...options, signal }), seen);
    assert.deepEqual(seen, ["failed invalid"]);
  }
});
