import assert from "node:assert/strict";
import { startDeadline } from "../../src/base/clock.ts";
import { ManualClock } from "./manual_clock.ts";

const never = new AbortController().signal;

Deno.test("ManualClock wakes sleepers in the order of their times, also twice", async () => {
  const clock = new ManualClock();
  const woken: string[] = [];
  async function sleepTwice(name: string, ms: number): Promise<void> {
    for (let turn = 0; turn < 2; turn++) {
      await clock.sleep(ms, { signal: never });
      woken.push(`${name}@${clock.monotonicMs()}`);
    }
  }
  const both = Promise.all([sleepTwice("slow", 20), sleepTwice("fast", 10)]);
  assert.equal(clock.sleeperCount, 2);
  assert.equal(clock.nextWakeMs, 10);
  await clock.advance(9);
  assert.deepEqual(woken, []);
  await clock.advance(31);
  assert.deepEqual(woken, ["fast@10", "slow@20", "fast@20", "slow@40"]);
  await both;
  assert.equal(clock.sleeperCount, 0);
  assert.equal(clock.nextWakeMs, undefined);
});

Deno.test("ManualClock keeps the wall clock and the monotonic clock apart", async () => {
  const clock = new ManualClock({ nowMs: 1_000 });
  await clock.advance(5);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [1_005, 5]);
  clock.setNowMs(50);
  await clock.advance(5);
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [55, 10]);
  await assert.rejects(clock.advance(-1), /does not go back/);
});

Deno.test("ManualClock.sleep() ends with the signal's reason and is forgotten", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const sleeping = clock.sleep(10, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(sleeping, /enough/);
  await assert.rejects(clock.sleep(10, { signal: controller.signal }), /enough/);
  assert.equal(clock.sleeperCount, 0);
});

Deno.test("ManualClock drives a deadline", async () => {
  const clock = new ManualClock();
  using deadline = startDeadline(clock, { timeoutMs: 100, what: "a nap", signal: never });
  await clock.advance(99);
  assert.equal(deadline.signal.aborted, false);
  await clock.advance(1);
  assert.equal((deadline.signal.reason as Error).message, "Gave up on a nap after 100 ms");
});
