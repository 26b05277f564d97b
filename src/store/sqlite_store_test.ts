import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Thing, THINGS } from "../../tests/contract/kinds.ts";
import { hangLimit } from "../../tests/support/hang_limit.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { STORE_CALL_MS, STORE_POLL_MS } from "../base/limits.ts";
import { StoreFailure, type WatchEvent } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import { Engine } from "./engine.ts";
import { EngineStore } from "./engine_store.ts";
import { SqliteBackend } from "./sqlite_backend.ts";
import { openDatabase, SCHEMA_VERSION } from "./sqlite_file.ts";
import { openSqliteStore } from "./sqlite_store.ts";

const never = new AbortController().signal;

/** A folder of its own for one test, and stores in it. */
interface Desk extends AsyncDisposable {
  readonly path: string;
  readonly clock: ManualClock;
  open(options?: { readonly path?: string; readonly create?: boolean }): Promise<EngineStore>;
}

async function makeDesk(): Promise<Desk> {
  const folder = await Deno.makeTempDir({ prefix: "store-" });
  const path = `${folder}/store.db`;
  const clock = new ManualClock();
  return {
    path,
    clock,
    open: (options) =>
      openSqliteStore({ path, clock, random: seededRandom(1), signal: never, ...options }),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function thing(name: string, text = ""): Thing {
  const metadata = { name, namespace: "n" };
  return { apiVersion: "contract.spidernet.io/v1", kind: "Thing", metadata, spec: { text } };
}

async function create(store: EngineStore, name: string): Promise<Thing> {
  return expectOk(await store.create(THINGS, thing(name), { signal: never }), "the name is free");
}

async function refusalOf(opening: Promise<EngineStore>): Promise<StoreFailure> {
  try {
    using _store = await opening;
  } catch (error) {
    assert.ok(error instanceof StoreFailure, String(error));
    assert.doesNotMatch(error.message, /\n/, "one sentence, one line");
    return error;
  }
  return assert.fail("the store opened");
}

Deno.test("openSqliteStore() makes a file for its owner only, synced at each commit", async () => {
  await using desk = await makeDesk();
  using store = await desk.open();
  await create(store, "a");
  assert.equal(((await Deno.stat(desk.path)).mode ?? 0) & 0o777, 0o600);
  using database = openDatabase(desk.path, { create: false });
  assert.equal(database.prepare("PRAGMA journal_mode").get()?.["journal_mode"], "wal");
  assert.equal(database.prepare("PRAGMA synchronous").get()?.["synchronous"], 2, "FULL");
});

Deno.test("openSqliteStore() keeps objects, uids and versions across runs", async () => {
  await using desk = await makeDesk();
  let made: Thing;
  {
    using store = await desk.open();
    made = await create(store, "a");
    await create(store, "b");
    expectOk(
      await store.remove(THINGS, { namespace: "n", name: "b" }, { signal: never }),
      "it is there",
    );
  }
  using store = await desk.open();
  const key = { namespace: "n", name: "a" };
  assert.deepEqual(expectOk(await store.get(THINGS, key, { signal: never }), "it is kept"), made);
  assert.equal((await create(store, "b")).metadata.resourceVersion, "4", "versions go on");
  const events: string[] = [];
  const { resourceVersion } = made.metadata;
  const watching = watchNames(store.watch(THINGS, { resourceVersion, signal: never }), events);
  await settle();
  assert.deepEqual(events, ["added b", "deleted b", "added b"], "and so does the history");
  store[Symbol.dispose]();
  await watching;
});

Deno.test("openSqliteStore() refuses a file of a newer version untouched", async () => {
  await using desk = await makeDesk();
  (await desk.open())[Symbol.dispose]();
  const database = new DatabaseSync(desk.path);
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  database.close();
  const before = await Deno.readFile(desk.path);
  const { message, code } = await refusalOf(desk.open());
  assert.equal(code, "invalid");
  assert.equal(
    message,
    `Cannot use store file "${desk.path}": it was written by a newer version of this program ` +
      `(schema 2, this one knows up to 1): use that version`,
  );
  assert.deepEqual(await Deno.readFile(desk.path), before);
});

Deno.test("openSqliteStore() refuses what is no store: other databases, other files", async () => {
  await using desk = await makeDesk();
  const database = new DatabaseSync(desk.path);
  database.exec("CREATE TABLE recipes (name TEXT)");
  database.close();
  assert.match((await refusalOf(desk.open())).message, /a database of another program/);
  const path = `${desk.path}.txt`;
  await Deno.writeTextFile(path, "Not a database. ".repeat(1_000));
  assert.match((await refusalOf(desk.open({ path }))).message, /is damaged or no store \(file is/);
  assert.equal(await Deno.readTextFile(path), "Not a database. ".repeat(1_000));
});

Deno.test("openSqliteStore() refuses a damaged file instead of serving half of it", async () => {
  await using desk = await makeDesk();
  {
    using store = await desk.open();
    for (let index = 0; index < 200; index++) await create(store, `a${index}`);
  }
  const bytes = await Deno.readFile(desk.path);
  bytes.fill(0xa5, 4_096 * 3, 4_096 * 6); // Three whole pages; the header is fine.
  await Deno.writeFile(desk.path, bytes);
  const failure = await refusalOf(desk.open());
  assert.equal(failure.code, "unavailable");
  assert.match(failure.message, /is damaged or no store \(.*\): put a copy of it back, or move it/);
});

Deno.test("openSqliteStore() says what to do when the file cannot be opened", async () => {
  await using desk = await makeDesk();
  const absent = await refusalOf(desk.open({ create: false }));
  assert.match(absent.message, /No such file.*; name a store file that exists/);
  const nowhere = await refusalOf(desk.open({ path: `${desk.path}/no/folder` }));
  assert.match(nowhere.message, /; make its directory first/);
  const folder = await refusalOf(desk.open({ path: desk.path.replace("/store.db", "") }));
  assert.equal(folder.code, "unavailable");
  assert.match(folder.message, /^Cannot open store file ".*": Is a directory/);
});

Deno.test("a write waits for another process's lock, and says so in one sentence", async () => {
  await using desk = await makeDesk();
  using store = await desk.open();
  const other = new DatabaseSync(desk.path);
  other.exec("BEGIN IMMEDIATE");
  const waiting = store.create(THINGS, thing("a"), { signal: never });
  const hurried = store.create(THINGS, thing("b"), { signal: never, timeoutMs: 50 });
  const listed = expectOk(await store.list(THINGS, { signal: never }), "readers are not kept out");
  assert.deepEqual(listed.items, []);
  await desk.clock.advance(60);
  assert.deepEqual(await hurried, {
    ok: false,
    error: {
      code: "timeout",
      message: `Cannot use store file "${desk.path}": another process has kept it locked for 50 ms`,
      outcomeUnknown: false,
    },
  });
  other.exec("ROLLBACK");
  other.close();
  await desk.clock.advance(10);
  assert.equal(expectOk(await waiting, "the lock is free").metadata.name, "a");
  const { items } = expectOk(await store.list(THINGS, { signal: never }), "it lists");
  assert.deepEqual(items.map(({ metadata }) => metadata.name), ["a"], "a timeout stored nothing");
});

Deno.test("openSqliteStore() waits for a lock, not for ever, and can be cancelled", async () => {
  await using desk = await makeDesk();
  const other = new DatabaseSync(desk.path);
  other.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE t (a); BEGIN EXCLUSIVE");
  const opening = refusalOf(desk.open());
  await settle();
  await desk.clock.advance(STORE_CALL_MS + 100);
  const { code, message } = await opening;
  assert.equal(code, "timeout");
  assert.match(message, /another process has kept it locked for 10000 ms$/);
  const signal = AbortSignal.abort(new Error("not any more"));
  const { path, clock } = desk;
  await assert.rejects(openSqliteStore({ path, clock, random: seededRandom(1), signal }), /more/);
  other.close();
});

Deno.test("a full disk refuses the write, loses nothing, and may have room later", async () => {
  await using desk = await makeDesk();
  (await desk.open())[Symbol.dispose]();
  const database = openDatabase(desk.path, { create: false });
  const full = storeOn(database, desk);
  await create(full, "a");
  const pages = database.prepare("PRAGMA page_count").get()?.["page_count"];
  database.prepare(`PRAGMA max_page_count = ${pages}`).get();
  const big = thing("b", "x".repeat(1_000_000));
  const answer = await full.create(THINGS, big, { signal: never });
  assert.deepEqual(answer, {
    ok: false,
    error: {
      code: "unavailable",
      message: `Cannot write to store file "${desk.path}": the disk is full, free some space; ` +
        `nothing was changed`,
      outcomeUnknown: false,
    },
  });
  const { items } = expectOk(await full.list(THINGS, { signal: never }), "it still reads");
  assert.deepEqual(items.map(({ metadata }) => metadata.name), ["a"]);
  database.prepare("PRAGMA max_page_count = 1000000").get();
  const later = expectOk(await full.create(THINGS, big, { signal: never }), "there is room again");
  assert.equal(later.metadata.resourceVersion, "2", "the refused write took no version");
  full[Symbol.dispose]();
});

function storeOn(database: DatabaseSync, { path, clock }: Desk): EngineStore {
  const backend = new SqliteBackend(database, { path });
  return new EngineStore(new Engine(backend, { clock, random: seededRandom(1) }), { clock });
}

Deno.test("two processes on one file: a name has one winner, watches see both", async () => {
  await using desk = await makeDesk();
  using limit = hangLimit();
  using one = await desk.open();
  using other = await desk.open();
  const closing = new AbortController();
  const signal = AbortSignal.any([closing.signal, limit.signal]);
  const events: string[] = [];
  const watching = watchNames(one.watch(THINGS, { signal }), events);
  await settle();
  assert.deepEqual(events, ["synced"]);
  const answers = await Promise.all(
    [one, other].map((store) => store.create(THINGS, thing("a"), { signal: never })),
  );
  assert.deepEqual(answers.map(({ ok }) => ok), [true, false]);
  await create(other, "b");
  await settle();
  assert.deepEqual(events, ["synced", "added a"], "nobody told this process of b yet");
  await desk.clock.advance(STORE_POLL_MS);
  assert.deepEqual(events, ["synced", "added a", "added b"]);
  closing.abort(new Error("enough"));
  await assert.rejects(watching, /enough/);
});

async function watchNames(
  watch: AsyncIterable<WatchEvent<Thing>>,
  events: string[],
): Promise<void> {
  for await (const event of watch) {
    events.push(
      "object" in event && event.type !== "broken"
        ? `${event.type} ${event.object.metadata.name}`
        : event.type,
    );
  }
}

Deno.test("a watch is gone when another process forgot what this one had not seen", async () => {
  await using desk = await makeDesk();
  using one = await desk.open();
  using other = await desk.open();
  const events: string[] = [];
  const watching = watchNames(one.watch(THINGS, { signal: never }), events);
  await settle();
  await create(other, "a");
  await create(other, "b");
  other.engine.compact(1);
  await desk.clock.advance(STORE_POLL_MS);
  await watching;
  assert.deepEqual(events, ["synced", "failed"]);
});

Deno.test("a write whose rule throws leaves nothing behind, and the store goes on", async () => {
  await using desk = await makeDesk();
  let broken = true;
  function admit(): undefined {
    if (broken) throw new Error("the rule is broken");
  }
  const { path, clock } = desk;
  using store = await openSqliteStore({
    path,
    clock,
    random: seededRandom(1),
    signal: never,
    admit,
  });
  await assert.rejects(create(store, "a"), /the rule is broken/);
  broken = false;
  assert.equal((await create(store, "b")).metadata.resourceVersion, "1");
});

Deno.test("a closed store is unavailable, and its watches end in the ordinary way", async () => {
  await using desk = await makeDesk();
  const store = await desk.open();
  const events: string[] = [];
  const watching = watchNames(store.watch(THINGS, { signal: never }), events);
  await settle();
  store[Symbol.dispose]();
  store[Symbol.dispose](); // Closing twice is closing once.
  await watching;
  assert.deepEqual(events, ["synced"]);
  assert.equal(desk.clock.sleeperCount, 0, "no timer is left");
  const answer = await store.list(THINGS, { signal: never });
  assert.deepEqual(answer, {
    ok: false,
    error: {
      code: "unavailable",
      message: "Cannot use the store: it was closed",
      outcomeUnknown: false,
    },
  });
});
