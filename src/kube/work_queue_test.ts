import assert from "node:assert/strict";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { seededRandom } from "../base/random.ts";
import { type WorkOutcome, WorkQueue } from "./work_queue.ts";

interface Rig extends AsyncDisposable {
  readonly queue: WorkQueue;
  readonly clock: ManualClock;
  /** Keys in the order in which work on them started. */
  readonly started: string[];
  /** Ends the work that has run longest on a key. */
  finish(key: string, outcome?: WorkOutcome): Promise<void>;
  readonly running: ReadonlyMap<string, unknown>;
}

function start({ workers = 2, capacity = 10, spacingMs = 0 } = {}): Rig {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock, random: seededRandom(1), capacity, spacingMs });
  const started: string[] = [];
  const running = new Map<string, PromiseWithResolvers<WorkOutcome>>();
  const ending = new AbortController();
  const run = queue.run({
    signal: ending.signal,
    workers,
    work: (key) => {
      assert.equal(running.has(key), false, `${key} is worked on twice at a time`);
      started.push(key);
      const work = Promise.withResolvers<WorkOutcome>();
      running.set(key, work);
      return work.promise;
    },
  });
  const ended = assert.rejects(run, /end of the test/);
  return {
    queue,
    clock,
    started,
    running,
    finish: async (key, outcome = { code: "done" }) => {
      const work = running.get(key);
      assert.ok(work !== undefined, `${key} is worked on`);
      running.delete(key);
      work.resolve(outcome);
      await settle();
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("end of the test"));
      for (const work of running.values()) work.resolve({ code: "done" });
      await ended;
    },
  };
}

Deno.test("WorkQueue works on a key once however often it was added before", async () => {
  await using rig = start({ workers: 1 });
  for (const key of ["a", "b", "a", "b", "a"]) assert.ok(rig.queue.add(key).ok);
  await settle();
  await rig.finish("a");
  await rig.finish("b");
  assert.deepEqual(rig.started, ["a", "b"]);
  assert.equal(rig.queue.size, 0);
});

Deno.test("WorkQueue works once more on a key added during its work, not beside it", async () => {
  await using rig = start();
  rig.queue.add("a");
  await settle();
  rig.queue.add("a");
  rig.queue.add("a");
  await settle();
  assert.deepEqual(rig.started, ["a"]);
  await rig.finish("a");
  assert.deepEqual(rig.started, ["a", "a"]);
  await rig.finish("a");
  assert.equal(rig.queue.size, 0);
});

Deno.test("WorkQueue tries a failed key again, later each time, until it works", async () => {
  await using rig = start();
  rig.queue.add("a");
  await settle();
  const waits: number[] = [];
  for (let failure = 0; failure < 12; failure++) {
    await rig.finish("a", { code: "failed" });
    rig.queue.add("b");
    await settle();
    await rig.finish("b");
    const waitMs = rig.clock.nextWakeMs ?? 0;
    waits.push(waitMs);
    await rig.clock.advance(waitMs);
  }
  const full = waits.map((_ms, index) => Math.min(60_000, 100 * 2 ** index));
  assert.ok(waits.every((ms, index) => ms <= (full[index] ?? 0) && ms >= (full[index] ?? 0) / 2));
  await rig.finish("a");
  rig.queue.add("a");
  await settle();
  await rig.finish("a", { code: "failed" });
  assert.ok((rig.clock.nextWakeMs ?? Infinity) <= 100);
});

Deno.test("WorkQueue works on a key again when it said so, earlier if it is added", async () => {
  await using rig = start();
  rig.queue.add("a");
  await settle();
  await rig.finish("a", { code: "again", afterMs: 5_000 });
  await rig.clock.advance(4_999);
  assert.equal(rig.started.length, 1);
  await rig.clock.advance(1);
  assert.equal(rig.started.length, 2);
  await rig.finish("a", { code: "again", afterMs: 5_000 });
  rig.queue.add("a");
  await settle();
  assert.equal(rig.started.length, 3);
});

Deno.test("WorkQueue keeps the starts of one key apart", async () => {
  await using rig = start({ spacingMs: 1_000 });
  rig.queue.add("a");
  await settle();
  rig.queue.add("a");
  await rig.finish("a");
  assert.equal(rig.started.length, 1);
  await rig.clock.advance(999);
  assert.equal(rig.started.length, 1);
  await rig.clock.advance(1);
  assert.equal(rig.started.length, 2);
});

Deno.test("WorkQueue refuses keys beyond its capacity, never one that it holds", async () => {
  await using rig = start({ workers: 1, capacity: 2 });
  rig.queue.add("a");
  rig.queue.add("b");
  assert.deepEqual(rig.queue.add("c"), { ok: false, error: { code: "full", capacity: 2 } });
  assert.ok(rig.queue.add("b").ok);
  await settle();
  await rig.finish("a");
  assert.ok(rig.queue.add("c").ok);
});

Deno.test("WorkQueue ends with what its work threw, after the others", async () => {
  const clock = new ManualClock();
  const queue = new WorkQueue({ clock, random: seededRandom(1), capacity: 10 });
  const other = Promise.withResolvers<WorkOutcome>();
  let otherSignal: AbortSignal | undefined;
  const run = queue.run({
    signal: new AbortController().signal,
    workers: 2,
    work: (key, { signal }) => {
      if (key === "bug") return Promise.reject(new Error("a bug"));
      otherSignal = signal;
      return other.promise;
    },
  });
  queue.add("other");
  queue.add("bug");
  await settle();
  assert.equal(otherSignal?.aborted, true);
  other.resolve({ code: "done" });
  await assert.rejects(run, /a bug/);
});

Deno.test("property: WorkQueue works on every key after its last change", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const random = seededRandom(seed);
    await using rig = start({ workers: 3 });
    const changed = new Map<string, number>();
    const seen = new Map<string, number>();
    const working = new Map<string, number>();
    for (let step = 0; step < 100; step++) {
      const key = `k${random.below(6)}`;
      if (random.below(2) === 0) {
        changed.set(key, step);
        assert.ok(rig.queue.add(key).ok);
      } else {
        const [first] = rig.running.keys();
        const outcome = random.below(3) === 0 ? "failed" as const : "done" as const;
        if (first !== undefined) {
          if (outcome === "done") seen.set(first, working.get(first) ?? -1);
          working.delete(first);
          await rig.finish(first, { code: outcome });
        } else await rig.clock.advance(500);
      }
      await settle();
      for (const key of rig.running.keys()) if (!working.has(key)) working.set(key, step);
    }
    while (rig.queue.size > 0) {
      for (const key of [...rig.running.keys()]) {
        seen.set(key, working.get(key) ?? 1_000);
        working.delete(key);
        await rig.finish(key);
      }
      await rig.clock.advance(60_000);
    }
    for (const [key, step] of changed) {
      assert.ok((seen.get(key) ?? -1) >= step, `seed ${seed}: the change of ${key} was seen`);
    }
  }
});
