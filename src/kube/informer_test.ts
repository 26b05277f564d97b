import assert from "node:assert/strict";
import { hangLimit } from "../../tests/support/hang_limit.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { type Thing, THINGS } from "../../tests/contract/kinds.ts";
import type {
  ListOptions,
  ObjectStore,
  StoreError,
  WatchEvent,
  WatchOptions,
} from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { Informer, type InformerOptions } from "./informer.ts";
import type { InformerEvent } from "./subscription.ts";

type Answer = Result<
  { items: Thing[]; broken?: string[]; version: string; more?: string },
  StoreError
>;

/** A store whose lists and watches a test answers by hand. */
class ScriptedStore {
  readonly lists: { readonly options: ListOptions; answer(value: Answer): void }[] = [];
  readonly watches: {
    readonly options: WatchOptions;
    send(event: WatchEvent<Thing>): void;
    end(): void;
  }[] = [];

  asStore(): ObjectStore {
    return {
      list: (_resource: unknown, options: ListOptions) =>
        new Promise((resolve, reject) => {
          options.signal.addEventListener("abort", () => reject(options.signal.reason));
          this.lists.push({
            options,
            answer: (answer) =>
              resolve(
                answer.ok
                  ? ok({
                    items: answer.value.items,
                    broken: (answer.value.broken ?? []).map((name) => ({
                      key: { namespace: "n", name },
                      problem: "bad",
                    })),
                    resourceVersion: answer.value.version,
                    continuation: answer.value.more,
                  })
                  : answer,
              ),
          });
        }),
      watch: (_resource: unknown, options: WatchOptions) => this.#watch(options),
    } as unknown as ObjectStore;
  }

  async *#watch(options: WatchOptions): AsyncGenerator<WatchEvent<Thing>> {
    const waiting: (WatchEvent<Thing> | "end")[] = [];
    let wake = Promise.withResolvers<void>();
    options.signal.addEventListener("abort", () => wake.resolve());
    this.watches.push({
      options,
      send: (event) => {
        waiting.push(event);
        wake.resolve();
      },
      end: () => {
        waiting.push("end");
        wake.resolve();
      },
    });
    for (;;) {
      await wake.promise;
      options.signal.throwIfAborted();
      const event = waiting.shift();
      if (event === undefined) wake = Promise.withResolvers();
      else if (event === "end") return;
      else yield event;
    }
  }
}

function thing(name: string, version: string, { uid = `u-${name}`, colour = "red" } = {}): Thing {
  const metadata = { namespace: "n", name, uid, resourceVersion: version };
  return { apiVersion: "contract.spidernet.io/v1", kind: "Thing", metadata, spec: { colour } };
}

interface Rig extends AsyncDisposable {
  readonly script: ScriptedStore;
  readonly clock: ManualClock;
  readonly informer: Informer<Thing>;
  readonly signal: AbortSignal;
}

function start(options: Partial<InformerOptions<Thing>> = {}): Rig {
  const script = new ScriptedStore();
  const clock = new ManualClock();
  const limit = hangLimit();
  const ending = new AbortController();
  const informer = new Informer(script.asStore(), THINGS, {
    clock,
    random: seededRandom(1),
    indexes: { colour: ({ spec }) => spec?.colour === undefined ? [] : [spec.colour] },
    ...options,
  });
  const running = informer.run({ signal: ending.signal });
  const ended = assert.rejects(running, /end of the test/);
  return {
    script,
    clock,
    informer,
    signal: limit.signal,
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("end of the test"));
      await ended;
      limit[Symbol.dispose]();
    },
  };
}

async function listed(rig: Rig, items: Thing[], version: string): Promise<void> {
  await settle();
  rig.script.lists.at(-1)?.answer(ok({ items, version }));
  await settle();
}

function told(event: InformerEvent<Thing>): string {
  switch (event.type) {
    case "synced":
      return "synced";
    case "broken":
      return `broken ${event.change} ${event.object.key.name}`;
    case "modified":
      return `modified ${event.object.metadata.name} ${event.previous.metadata.resourceVersion}>` +
        `${event.object.metadata.resourceVersion}`;
    default:
      return `${event.type} ${event.object.metadata.name}`;
  }
}

async function take(
  events: AsyncGenerator<InformerEvent<Thing>>,
  count: number,
): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const { value } = await events.next();
    texts.push(told(value));
  }
  return texts;
}

const GONE: StoreError = { code: "gone", message: "too old" };
const DOWN: StoreError = { code: "unavailable", message: "down", outcomeUnknown: false };

Deno.test("Informer lists in pages, then watches where the list ended", async () => {
  await using rig = start();
  await settle();
  assert.equal(rig.informer.hasSynced, false);
  assert.equal(rig.informer.isStale, true);
  assert.equal(rig.script.lists[0]?.options.limit, 500);
  assert.equal(rig.script.lists[0]?.options.notOlderThan, undefined);
  rig.script.lists[0]?.answer(ok({ items: [thing("a", "1")], version: "5", more: "c" }));
  await settle();
  assert.equal(rig.informer.hasSynced, false);
  rig.script.lists[1]?.answer(ok({ items: [thing("b", "2")], broken: ["x"], version: "5" }));
  await rig.informer.waitForSync({ signal: rig.signal });
  await settle();
  assert.equal(rig.script.watches[0]?.options.resourceVersion, "5");
  assert.equal(rig.informer.get({ namespace: "n", name: "b" })?.metadata.resourceVersion, "2");
  assert.equal(rig.informer.broken({ namespace: "n", name: "x" })?.problem, "bad");
  assert.equal(rig.informer.get({ namespace: "n", name: "x" }), undefined);
  assert.deepEqual(rig.informer.status(), {
    hasSynced: true,
    staleMs: 0,
    objectCount: 2,
    brokenCount: 1,
    listCount: 1,
    watchCount: 1,
    error: undefined,
  });
});

Deno.test("Informer lists a selection from a cache, never older than seen", async () => {
  await using rig = start({ selection: { labelSelector: "a=b" } });
  await settle();
  assert.equal(rig.script.lists[0]?.options.notOlderThan, "0");
  assert.equal(rig.script.lists[0]?.options.limit, undefined);
  await listed(rig, [], "5");
  rig.script.watches[0]?.send({ type: "bookmark", resourceVersion: "9" });
  rig.script.watches[0]?.send({ type: "failed", error: GONE });
  await settle();
  await rig.clock.advance(200);
  assert.equal(rig.script.lists[1]?.options.notOlderThan, "9");
  rig.script.lists[1]?.answer(err(DOWN));
  await rig.clock.advance(400);
  // Perhaps no server has version 9 any more: then the truth is read.
  assert.equal(rig.script.lists[2]?.options.notOlderThan, undefined);
});

Deno.test("Informer resumes at the newest version seen, without a list", async () => {
  await using rig = start();
  await listed(rig, [], "5");
  await rig.clock.advance(1_000);
  rig.script.watches[0]?.send({ type: "added", object: thing("a", "6") });
  rig.script.watches[0]?.end();
  await settle();
  assert.equal(rig.script.watches[1]?.options.resourceVersion, "6");
  await rig.clock.advance(1_000);
  rig.script.watches[1]?.send({ type: "bookmark", resourceVersion: "8" });
  rig.script.watches[1]?.send({ type: "failed", error: DOWN });
  await settle();
  assert.equal(rig.informer.status().error, DOWN);
  await rig.clock.advance(200);
  assert.equal(rig.script.watches[2]?.options.resourceVersion, "8");
  rig.script.watches[2]?.send({
    type: "broken",
    change: "modified",
    object: { key: { namespace: "n", name: "a" }, problem: "p" },
    resourceVersion: "9",
  });
  rig.script.watches[2]?.end();
  await settle();
  assert.equal(rig.script.watches[3]?.options.resourceVersion, "9");
  assert.equal(rig.informer.status().error, undefined);
  assert.equal(rig.script.lists.length, 1);
});

Deno.test("Informer lists again when its version is gone, and tells the difference", async () => {
  await using rig = start();
  await listed(rig, [thing("a", "1"), thing("b", "2"), thing("c", "3")], "5");
  const events = rig.informer.events({ signal: rig.signal });
  assert.deepEqual(await take(events, 4), ["added a", "added b", "added c", "synced"]);
  rig.script.watches[0]?.send({ type: "failed", error: GONE });
  await settle();
  await rig.clock.advance(200);
  const c = thing("c", "9", { uid: "another" });
  await listed(rig, [thing("a", "1"), thing("b", "8"), c, thing("d", "7")], "10");
  assert.deepEqual(await take(events, 4), ["modified b 2>8", "deleted c", "added c", "added d"]);
  assert.equal(rig.script.watches[1]?.options.resourceVersion, "10");
  await events.return(undefined);
});

Deno.test("Informer counts 90 s of silence as broken, until a server answers again", async () => {
  await using rig = start();
  await listed(rig, [], "5");
  await rig.clock.advance(60_000);
  rig.script.watches[0]?.send({ type: "bookmark", resourceVersion: "6" });
  await settle();
  await rig.clock.advance(89_000);
  assert.equal(rig.script.watches.length, 1);
  assert.equal(rig.informer.isStale, false);
  await rig.clock.advance(2_000);
  assert.equal(rig.informer.isStale, true);
  assert.match(rig.informer.status().error?.message ?? "", /neither event nor bookmark came/);
  assert.equal(rig.script.watches[1]?.options.resourceVersion, "6");
  rig.script.watches[1]?.options.onBegin?.();
  assert.equal(rig.informer.isStale, false);
});

Deno.test("Informer backs off, longer each time, and as long as a 429 asks", async () => {
  await using rig = start();
  await settle();
  const waits: number[] = [];
  for (let index = 0; index < 12; index++) {
    rig.script.lists[index]?.answer(err(DOWN));
    await settle();
    waits.push(rig.clock.nextWakeMs ?? 0);
    await rig.clock.advance(30_000);
  }
  assert.ok(waits.every((ms, index) => ms <= Math.min(30_000, 200 * 2 ** index)), waits.join());
  assert.ok(waits.every((ms, index) => ms >= Math.min(30_000, 200 * 2 ** index) / 2));
  rig.script.lists[12]?.answer(err({ code: "throttled", message: "busy", retryAfterMs: 55_000 }));
  await settle();
  assert.equal(rig.clock.nextWakeMs, 55_000);
});

Deno.test("Informer waits before the next watch if one ends as it begins", async () => {
  await using rig = start();
  await listed(rig, [], "5");
  rig.script.watches[0]?.options.onBegin?.();
  rig.script.watches[0]?.end();
  await settle();
  assert.equal(rig.script.watches.length, 1);
  await rig.clock.advance(200);
  assert.equal(rig.script.watches.length, 2);
});

Deno.test("Informer.events() joins what a slow reader has not seen, to the newest", async () => {
  await using rig = start();
  await listed(rig, [thing("a", "1"), thing("b", "1")], "5");
  const events = rig.informer.events({ signal: rig.signal });
  assert.deepEqual(await take(events, 3), ["added a", "added b", "synced"]);
  const watch = rig.script.watches[0];
  watch?.send({ type: "modified", object: thing("a", "6") });
  watch?.send({ type: "added", object: thing("c", "7") });
  watch?.send({ type: "modified", object: thing("a", "8") });
  watch?.send({ type: "deleted", object: thing("c", "9") });
  watch?.send({ type: "modified", object: thing("b", "10") });
  watch?.send({ type: "deleted", object: thing("b", "11") });
  watch?.send({ type: "added", object: thing("d", "12") });
  watch?.send({ type: "modified", object: thing("d", "13") });
  await settle();
  assert.deepEqual(await take(events, 3), ["modified a 1>8", "deleted b", "added d"]);
  await events.return(undefined);
});

Deno.test("Informer.events() tells what breaks, is mended, and is deleted broken", async () => {
  await using rig = start();
  await listed(rig, [thing("a", "1")], "5");
  const events = rig.informer.events({ signal: rig.signal });
  await take(events, 2);
  const object = { key: { namespace: "n", name: "a" }, problem: "bad" };
  const watch = rig.script.watches[0];
  watch?.send({ type: "broken", change: "modified", object, resourceVersion: "6" });
  assert.deepEqual(await take(events, 1), ["broken modified a"]);
  assert.deepEqual(rig.informer.byIndex({ index: "colour", value: "red" }), []);
  watch?.send({ type: "modified", object: thing("a", "7") });
  assert.deepEqual(await take(events, 1), ["added a"]);
  watch?.send({ type: "broken", change: "modified", object, resourceVersion: "8" });
  await take(events, 1);
  watch?.send({ type: "broken", change: "deleted", object, resourceVersion: "9" });
  assert.deepEqual(await take(events, 1), ["broken deleted a"]);
  await events.return(undefined);
});

Deno.test("property: copy, indexes and a reader's copy equal a rebuild", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = seededRandom(seed);
    await using rig = start();
    await listed(rig, [], "0");
    const events = rig.informer.events({ signal: rig.signal });
    assert.equal(told((await events.next()).value), "synced");
    const truth = new Map<string, Thing>();
    const reader = new Map<string, Thing>();
    for (let step = 1; step <= 60; step++) {
      const name = `t${random.below(5)}`;
      const colour = ["red", "blue", "green"][random.below(3)] ?? "red";
      const old = truth.get(name);
      const watch = rig.script.watches.at(-1);
      if (old !== undefined && random.below(3) === 0) {
        truth.delete(name);
        watch?.send({ type: "deleted", object: thing(name, `${step}`) });
      } else {
        const uid = old?.metadata.uid ?? `u${step}`;
        const object = thing(name, `${step}`, { uid, colour });
        truth.set(name, object);
        watch?.send({ type: old === undefined ? "added" : "modified", object });
      }
      if (random.below(10) === 0) {
        watch?.send({ type: "failed", error: GONE });
        await settle();
        await rig.clock.advance(200);
        await listed(rig, [...truth.values()], `${step}`);
      }
      await settle();
      assert.deepEqual(new Set(rig.informer.objects()), new Set(truth.values()), `seed ${seed}`);
      for (const value of ["red", "blue", "green"]) {
        const expected = [...truth.values()].filter(({ spec }) => spec?.colour === value);
        assert.deepEqual(
          new Set(rig.informer.byIndex({ index: "colour", value })),
          new Set(expected),
        );
      }
      if (random.below(4) !== 0 && step < 60) continue;
      const marker = thing("marker", `m${step}`, { uid: `m${step}` });
      watchNow(rig).send({ type: "added", object: marker });
      for (;;) {
        const { value } = await events.next();
        assert.ok(value.type !== "synced" && value.type !== "broken");
        const { name } = value.object.metadata;
        if (value.type === "modified" || value.type === "deleted") {
          const before = value.type === "modified" ? value.previous : value.object;
          assert.equal(reader.get(name), before, `seed ${seed}: previous is what was seen`);
        } else assert.equal(reader.has(name), false, `seed ${seed}: added twice`);
        if (value.type === "deleted") reader.delete(name);
        else reader.set(name, value.object);
        if (value.object === marker) break;
      }
      reader.delete("marker");
      assert.deepEqual(new Set(reader.values()), new Set(truth.values()), `seed ${seed}`);
      watchNow(rig).send({ type: "deleted", object: marker });
      await settle();
      const { value } = await events.next();
      assert.equal(told(value), "deleted marker");
    }
    await events.return(undefined);
  }
});

function watchNow(rig: Rig): ScriptedStore["watches"][number] {
  const watch = rig.script.watches.at(-1);
  assert.ok(watch !== undefined);
  return watch;
}
