import assert from "node:assert/strict";
import fc from "fast-check";
import { type Thing, THINGS } from "../../tests/contract/kinds.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import {
  type Operation,
  operations,
  Performer,
  wanted,
} from "../../tests/support/store_operations.ts";
import type { Selection, StoreResult } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import type { EngineStore } from "./engine_store.ts";
import { openMemoryStore } from "./memory_store.ts";
import { openSqliteStore } from "./sqlite_store.ts";

const never = new AbortController().signal;
const NAMESPACE = "n";

function performerOn(store: EngineStore): Performer {
  const { engine } = store;
  function compact(keep: number): void {
    const { revision, compacted } = engine.read((state) => ({
      revision: state.revision,
      compacted: state.compactedRevision,
    }));
    engine.compact(Math.max(compacted, revision - keep));
  }
  return new Performer(store, { namespace: NAMESPACE, signal: never, compact });
}

/** What the twin keeps of an object: everything but creation time, which is always the same. */
interface TwinObject {
  readonly uid: string;
  readonly version: number;
  readonly generation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  readonly leaving: boolean;
  readonly size: number;
  readonly phase: string | undefined;
}

type TwinState = ReadonlyMap<string, TwinObject>;

/** The slow obvious twin: a copy of everything for every revision, and the rules once more. */
class Twin {
  /** Index r: the state at revision r. */
  readonly states: TwinState[] = [new Map()];
  compacted = 0;

  get revision(): number {
    return this.states.length - 1;
  }

  get now(): TwinState {
    return this.states[this.revision] ?? new Map();
  }

  /** Says what the store must answer: a refusal's code, a word, or an object. */
  perform(
    operation: Operation,
    { held, uid }: { readonly held: Thing; readonly uid: string },
  ): TwinObject | string | undefined {
    if (operation.do === "compact") {
      this.compacted = Math.max(this.compacted, this.revision - operation.keep);
      return undefined;
    }
    const old = this.now.get(operation.name);
    if (operation.do === "create") return this.#create(operation, { old, uid });
    const version = held.metadata.resourceVersion;
    if (operation.do !== "remove" && version === undefined) return "invalid";
    if (old === undefined) return "not_found";
    if (held.metadata.uid !== undefined && held.metadata.uid !== old.uid) return "conflict";
    const asksVersion = operation.do !== "remove" || operation.by === "uid_and_version";
    if (asksVersion && version !== undefined && version !== String(old.version)) return "conflict";
    if (operation.do === "remove") return this.#remove(operation, old);
    const want = wanted(operation, held);
    if (operation.do === "status") {
      return this.#put(operation.name, { ...old, phase: want.status?.phase });
    }
    const finalizers = want.metadata.finalizers ?? [];
    if (old.leaving && finalizers.some((one) => !old.finalizers.includes(one))) return "invalid";
    const size = want.spec?.size ?? -1;
    const labels = want.metadata.labels ?? {};
    const generation = old.generation + (size === old.size ? 0 : 1);
    const next = { ...old, labels, finalizers, size, generation };
    if (old.leaving && finalizers.length === 0) {
      this.#drop(operation.name);
      return next;
    }
    return this.#put(operation.name, next);
  }

  #create(
    { name, labels, finalizers, size }: Extract<Operation, { readonly do: "create" }>,
    { old, uid }: { readonly old: TwinObject | undefined; readonly uid: string },
  ): TwinObject | string {
    if (old !== undefined) return "already_exists";
    const fresh = { uid, version: 0, generation: 1, labels, finalizers, size };
    return this.#put(name, { ...fresh, leaving: false, phase: undefined });
  }

  #remove(
    { name, propagation }: Extract<Operation, { readonly do: "remove" }>,
    old: TwinObject,
  ): string {
    let finalizers = old.finalizers;
    if (propagation !== undefined) {
      finalizers = finalizers.filter((one) => one !== "orphan" && one !== "foregroundDeletion");
      if (propagation === "Orphan") finalizers = [...finalizers, "orphan"];
      if (propagation === "Foreground") finalizers = [...finalizers, "foregroundDeletion"];
    }
    if (finalizers.length === 0) {
      this.#drop(name);
      return "removed";
    }
    const generation = old.generation + (old.leaving ? 0 : 1);
    this.#put(name, { ...old, finalizers, generation, leaving: true });
    return "terminating";
  }

  #put(name: string, object: TwinObject): TwinObject {
    const old = this.now.get(name);
    if (old !== undefined && JSON.stringify(old) === JSON.stringify(object)) return old;
    const next = { ...object, version: this.revision + 1 };
    this.states.push(new Map(this.now).set(name, next));
    return next;
  }

  #drop(name: string): void {
    const next = new Map(this.now);
    next.delete(name);
    this.states.push(next);
  }
}

/** A stored thing as the twin keeps it. */
function twinOf({ metadata, spec, status }: Thing): TwinObject {
  return {
    uid: metadata.uid ?? "",
    version: Number(metadata.resourceVersion),
    generation: metadata.generation ?? 0,
    labels: metadata.labels ?? {},
    finalizers: metadata.finalizers ?? [],
    leaving: metadata.deletionTimestamp !== undefined,
    size: spec?.size ?? -1,
    phase: status?.phase,
  };
}

function answerOf(
  answer: StoreResult<Thing | "removed" | "terminating"> | undefined,
): TwinObject | string | undefined {
  if (answer === undefined) return undefined;
  if (!answer.ok) return answer.error.code;
  return typeof answer.value === "string" ? answer.value : twinOf(answer.value);
}

/** Selections, and the same said in plain code. */
const SELECTIONS: readonly {
  readonly selection: Selection;
  readonly has: (name: string, object: TwinObject) => boolean;
}[] = [
  { selection: {}, has: () => true },
  { selection: { labelSelector: "in=1" }, has: (_, { labels }) => labels["in"] === "1" },
  { selection: { labelSelector: "in!=1" }, has: (_, { labels }) => labels["in"] !== "1" },
  { selection: { labelSelector: "tier" }, has: (_, { labels }) => "tier" in labels },
  {
    selection: { labelSelector: "in in (0,1),!tier" },
    has: (_, { labels }) => "in" in labels && !("tier" in labels),
  },
  { selection: { namespace: NAMESPACE, fieldSelector: "metadata.name=b" }, has: (n) => n === "b" },
  { selection: { fieldSelector: "spec.size!=1" }, has: (_, { size }) => size !== 1 },
  { selection: { namespace: "other" }, has: () => false },
];

function sorted(state: TwinState): readonly (readonly [string, TwinObject])[] {
  return [...state].toSorted(([one], [other]) => one < other ? -1 : 1);
}

/** Lists and reads every state that is still known. */
function checkPast(store: EngineStore, twin: Twin): void {
  for (let at = twin.compacted; at <= twin.revision; at++) {
    const state = twin.states[at] ?? new Map();
    const page = expectOk(store.engine.list(THINGS, { at }), "the state is known");
    assert.deepEqual(
      page.objects.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`),
      sorted(state).map(([name, { version }]) => `${name} ${version}`),
    );
    for (const name of ["a", "b"]) {
      const got = store.engine.get(THINGS, { key: { namespace: NAMESPACE, name }, at });
      const version = got.ok ? got.value.metadata.resourceVersion : undefined;
      assert.equal(version, state.get(name)?.version.toString());
    }
  }
}

async function checkLists(store: EngineStore, twin: Twin): Promise<void> {
  for (const { selection, has } of SELECTIONS) {
    const list = expectOk(await store.list(THINGS, { ...selection, signal: never }), "it lists");
    const expected = sorted(twin.now).filter(([name, object]) => has(name, object));
    assert.deepEqual(list.items.map(twinOf), expected.map(([, object]) => object));
    assert.equal(list.resourceVersion, String(twin.revision));
  }
}

/** Replays the history from each revision and compares it with the differences of the states. */
async function checkWatches(store: EngineStore, twin: Twin): Promise<void> {
  for (const { selection, has } of SELECTIONS) {
    for (let from = twin.compacted; from < twin.revision; from += 3) {
      const expected = eventsBetween(twin, { from, has });
      const seen = await readEvents(store, { selection, from, count: expected.length });
      assert.deepEqual(seen, expected);
    }
  }
  if (twin.compacted === 0) return;
  const resourceVersion = String(twin.compacted - 1);
  const events = await Array.fromAsync(store.watch(THINGS, { resourceVersion, signal: never }));
  assert.deepEqual(events.map((event) => event.type === "failed" && event.error.code), ["gone"]);
}

interface TwinEvent {
  /** Type and name. */
  readonly what: string;
  readonly object: TwinObject;
}

function eventsBetween(
  { states }: Twin,
  { from, has }: {
    readonly from: number;
    readonly has: (name: string, object: TwinObject) => boolean;
  },
): readonly TwinEvent[] {
  const events: TwinEvent[] = [];
  for (let revision = from + 1; revision < states.length; revision++) {
    const before: TwinState = states[revision - 1] ?? new Map();
    const after: TwinState = states[revision] ?? new Map();
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      const old = before.get(name);
      const now = after.get(name);
      if (old?.version === now?.version) continue;
      const was = old !== undefined && has(name, old);
      const is = now !== undefined && has(name, now);
      if (is) events.push({ what: `${was ? "modified" : "added"} ${name}`, object: now });
      else if (was) events.push({ what: `deleted ${name}`, object: { ...old, version: revision } });
    }
  }
  return events;
}

async function readEvents(
  store: EngineStore,
  { selection, from, count }: {
    readonly selection: Selection;
    readonly from: number;
    readonly count: number;
  },
): Promise<readonly TwinEvent[]> {
  const events: TwinEvent[] = [];
  if (count === 0) return events;
  const options = { ...selection, resourceVersion: String(from), signal: never };
  for await (const event of store.watch(THINGS, options)) {
    assert.ok(event.type === "added" || event.type === "modified" || event.type === "deleted");
    const { name } = event.object.metadata;
    events.push({ what: `${event.type} ${name}`, object: twinOf(event.object) });
    if (events.length === count) break;
  }
  return events;
}

Deno.test("property: a memory store answers, lists and replays as its slow twin", async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (sequence) => {
      using store = openMemoryStore({ clock: new ManualClock(), random: seededRandom(1) });
      const performer = performerOn(store);
      const twin = new Twin();
      let pages: PagedList | undefined;
      for (const operation of sequence) {
        const held = await performer.heldFor(operation);
        const answer = await performer.perform(operation, held);
        const created = answer?.ok === true && typeof answer.value !== "string"
          ? answer.value.metadata.uid ?? ""
          : "";
        assert.deepEqual(answerOf(answer), twin.perform(operation, { held, uid: created }));
        await checkLists(store, twin);
        pages = await turnPage(store, { twin, pages });
      }
      checkPast(store, twin);
      await checkWatches(store, twin);
    }),
    { numRuns: 300 },
  );
});

/** A list that is read page by page while everything changes. */
interface PagedList {
  readonly revision: number;
  readonly seen: readonly Thing[];
  readonly continuation: string;
}

/** Reads the next page of a list, or begins one; at the end it must be the state it began at. */
async function turnPage(
  store: EngineStore,
  { twin, pages }: { readonly twin: Twin; readonly pages: PagedList | undefined },
): Promise<PagedList | undefined> {
  const options = { signal: never, limit: 1, continuation: pages?.continuation };
  const page = await store.list(THINGS, options);
  const revision = pages?.revision ?? twin.revision;
  if (!page.ok) {
    assert.equal(page.error.code, "gone");
    assert.ok(revision < twin.compacted, "only a compacted state is gone");
    return undefined;
  }
  assert.ok(revision >= twin.compacted, "a compacted state is gone");
  const seen = [...pages?.seen ?? [], ...page.value.items];
  const { continuation } = page.value;
  if (continuation !== undefined) return { revision, seen, continuation };
  const expected = sorted(twin.states[revision] ?? new Map()).map(([, object]) => object);
  assert.deepEqual(seen.map(twinOf), expected);
  return undefined;
}

Deno.test("property: an SQLite store answers as a memory store", async () => {
  const folder = await Deno.makeTempDir({ prefix: "property-" });
  let run = 0;
  try {
    await fc.assert(
      fc.asyncProperty(operations, async (sequence) => {
        const path = `${folder}/${run++}.db`;
        const settings = { clock: new ManualClock(), historyChangesMax: 12 };
        using memory = openMemoryStore({ ...settings, random: seededRandom(1) });
        const opening = { ...settings, random: seededRandom(1), path, signal: never };
        using sqlite = await openSqliteStore(opening);
        const performers = [performerOn(memory), performerOn(sqlite)];
        for (const operation of sequence) {
          const answers = [];
          for (const performer of performers) {
            answers.push(await performer.perform(operation, await performer.heldFor(operation)));
          }
          assert.deepEqual(answers[1], answers[0]);
        }
        assert.deepEqual(await everything(sqlite), await everything(memory));
      }),
      { numRuns: 40 },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Lists by every selection, in pages, and the whole history. */
async function everything(store: EngineStore): Promise<unknown> {
  const lists = [];
  for (const { selection } of SELECTIONS) {
    let continuation: string | undefined;
    do {
      const page = await store.list(THINGS, {
        ...selection,
        signal: never,
        limit: 2,
        continuation,
      });
      lists.push(page);
      continuation = page.ok ? page.value.continuation : undefined;
    } while (continuation !== undefined);
  }
  const history = store.engine.read((state) => ({
    revision: state.revision,
    compacted: state.compactedRevision,
    changes: [...state.changes({ after: state.compactedRevision })],
  }));
  return { lists, history };
}
