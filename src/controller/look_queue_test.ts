import assert from "node:assert/strict";
import { seededRandom } from "../base/random.ts";
import { StoreFailure } from "../base/object_store.ts";
import type { WorkOutcome } from "../kube/mod.ts";
import { CONTROLLER_SETTINGS } from "../../tests/support/controller_rig.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import type { ReclaimSettings } from "./config.ts";
import { LookPace, LookQueue } from "./look_queue.ts";

const DONE: WorkOutcome = { code: "done" };

/** A queue on a clock of its own, with everything that it was asked to look at. */
class Rig implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly queue: LookQueue;
  readonly looked: string[] = [];
  readonly failed: string[] = [];
  readonly #life = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(change: Partial<ReclaimSettings> = {}, pace?: LookPace) {
    this.queue = new LookQueue({
      ports: { clock: this.clock, random: seededRandom(1) },
      settings: { reclaim: { ...CONTROLLER_SETTINGS.reclaim, ...change } },
      pace: pace ?? new LookPace(this.clock),
    });
  }

  get signal(): AbortSignal {
    return this.#life.signal;
  }

  start(
    look: (key: string, options: { readonly signal: AbortSignal }) => Promise<WorkOutcome> = () =>
      Promise.resolve(DONE),
  ): void {
    this.#running = this.queue.run({
      signal: this.signal,
      look: (key, options) => {
        this.looked.push(key);
        return look(key, options);
      },
      tellFailed: (key) => void this.failed.push(key),
    }).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort(new Error("the test ends"));
    await this.#running;
  }
}

function keys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `key-${index}`);
}

function refuse(): Promise<WorkOutcome> {
  const error = { code: "forbidden", message: "no", namespaceTerminating: false } as const;
  return Promise.reject(new StoreFailure(error));
}

Deno.test("no more looks begin than 50 a second", async () => {
  await using rig = new Rig({ scanQueueMax: 1_000 });
  rig.start();
  await rig.queue.scan(keys(500), { signal: rig.signal });
  await rig.clock.advance(2_000);
  assert.ok(Math.abs(rig.looked.length - 100) <= 1, `${rig.looked.length} looks`);
});

Deno.test("SPIDERPOOL_GC_IP_WORKER_NUM: so many looks go on at a time", async () => {
  for (const workers of [1, 4]) {
    await using rig = new Rig({ workers });
    const { promise, resolve } = Promise.withResolvers<WorkOutcome>();
    rig.start(() => promise);
    await rig.queue.scan(keys(10), { signal: rig.signal });
    await rig.clock.advance(1_000);
    assert.equal(rig.looked.length, workers);
    resolve(DONE);
  }
});

Deno.test("SPIDERPOOL_GC_CHANNEL_BUFFER: a scan lets so many wait at a time", async () => {
  await using rig = new Rig({ scanQueueMax: 7 });
  let given = 0;
  function* many(): Iterable<string> {
    for (const key of keys(100)) {
      given++;
      yield key;
    }
  }
  const scanning = rig.queue.scan(many(), { signal: rig.signal });
  await settle();
  assert.equal(given, 8, "the eighth finds no room");
  rig.start();
  await rig.clock.advance(10_000);
  assert.equal(await scanning, 100);
  assert.equal(rig.looked.length, 100);
});

Deno.test("SPIDERPOOL_GC_SIGNAL_TIMEOUT_DURATION: so long a scan waits for room", async () => {
  await using rig = new Rig({ scanQueueMax: 2, roomWaitMs: 3_000 });
  let asked: number | undefined;
  const scanning = rig.queue.scan(keys(9), { signal: rig.signal }).then((count) => asked = count);
  await rig.clock.advance(2_900);
  assert.equal(asked, undefined);
  await rig.clock.advance(200);
  assert.equal(await scanning, 2);
});

Deno.test("SPIDERPOOL_GC_DEFAULT_INTERVAL_DURATION: a scan is due so often", async () => {
  await using rig = new Rig({ intervalMs: 600_000 });
  let isDue = false;
  const waiting = rig.queue.untilScan({ signal: rig.signal }).then(() => isDue = true);
  await rig.clock.advance(599_000);
  assert.equal(isDue, false);
  await rig.clock.advance(1_000);
  await waiting;
});

Deno.test("SPIDERPOOL_GC_MAX_PODENTRY_DB_CAP: what finds no room is a scan's", async () => {
  await using rig = new Rig({ tracedMax: 2, requestGapMs: 0 });
  for (const key of keys(3)) rig.queue.ask(key, 60_000);
  let isDue = false;
  const waiting = rig.queue.untilScan({ signal: rig.signal }).then(() => isDue = true);
  await rig.clock.advance(1);
  assert.equal(isDue, true, "a scan is made for it");
  await waiting;
  rig.start();
  await rig.clock.advance(120_000);
  assert.deepEqual(rig.looked, ["key-0", "key-1"]);
});

Deno.test("SPIDERPOOL_GC_HTTP_REQUEST_TIME_GAP: so long a wanted scan waits", async () => {
  await using rig = new Rig({ tracedMax: 1, requestGapMs: 5_000 });
  for (const key of keys(2)) rig.queue.ask(key, 60_000);
  let isDue = false;
  const waiting = rig.queue.untilScan({ signal: rig.signal }).then(() => isDue = true);
  await rig.clock.advance(4_900);
  assert.equal(isDue, false);
  await rig.clock.advance(200);
  assert.equal(isDue, true);
  await waiting;
});

Deno.test("SPIDERPOOL_GC_PODENTRY_MAX_RETRIES: so many looks may fail in a row", async () => {
  for (const [triesMax, expected] of [[5, 5], [1, 1], [0, 1]] as const) {
    await using rig = new Rig({ triesMax });
    rig.start(refuse);
    rig.queue.ask("a", 0);
    await rig.clock.advance(600_000);
    assert.equal(rig.failed.length, expected);
    rig.queue.ask("a", 0);
    await rig.clock.advance(600_000);
    assert.equal(rig.failed.length, 2 * expected, "and is tried again when it is asked for");
  }
});

Deno.test("SPIDERPOOL_GC_TRACE_POD_GAP_DURATION: so long after a failed look", async () => {
  await using rig = new Rig({ lookGapMs: 20_000 });
  rig.start(refuse);
  rig.queue.ask("a", 0);
  await rig.clock.advance(19_000);
  assert.equal(rig.failed.length, 1);
  await rig.clock.advance(2_000);
  assert.equal(rig.failed.length, 2);
});

Deno.test("a look that nobody answers is given up, and the others come", async () => {
  await using rig = new Rig({ workers: 1, triesMax: 1 });
  rig.start((key, { signal }) =>
    key === "silent"
      ? rig.clock.sleep(Infinity, { signal }).then(() => DONE)
      : Promise.resolve(DONE)
  );
  for (const key of ["silent", "other"]) rig.queue.ask(key, 0);
  await rig.clock.advance(59_000);
  assert.deepEqual([rig.looked, rig.failed], [["silent"], []]);
  await rig.clock.advance(2_000);
  assert.deepEqual([rig.looked, rig.failed], [["silent", "other"], ["silent"]]);
});
