import assert from "node:assert/strict";
import { startDeadline } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import { Dice } from "./dice.ts";
import { Life } from "./life.ts";
import { clockOf, EPOCH_MS, Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

const never = new AbortController().signal;

Deno.test("Scheduler runs what is planned in the order of time, then of planning", async () => {
  const scheduler = new Scheduler();
  const ran: string[] = [];
  const plan = (name: string, ms: number): void => {
    scheduler.after(ms, () => ran.push(`${name}@${scheduler.nowMs}`));
  };
  const dice = new Dice(seededRandom(7));
  const times = Array.from({ length: 200 }, () => dice.between(0, 50));
  times.forEach((ms, index) => plan(String(index), ms));
  scheduler.after(10, () => {}).cancel();
  await scheduler.runUntil(60);
  const expected = times.map((ms, index) => ({ ms, index }))
    .sort((one, other) => one.ms - other.ms || one.index - other.index)
    .map(({ ms, index }) => `${index}@${ms}`);
  assert.deepEqual(ran, expected);
  assert.deepEqual([scheduler.nowMs, scheduler.stepCount], [60, 200]);
  assert.equal(scheduler.nextMs, undefined);
  assert.equal(await scheduler.step(), false);
});

Deno.test("Scheduler.step() lets all that follows without waiting happen first", async () => {
  const scheduler = new Scheduler();
  const ran: string[] = [];
  scheduler.after(1, async () => {
    for (let turn = 0; turn < 50; turn++) await null;
    queueMicrotask(() => ran.push("long after"));
  });
  scheduler.after(1, () => ran.push("second"));
  await scheduler.step();
  assert.deepEqual(ran, ["long after"]);
  await scheduler.step();
  assert.deepEqual(ran, ["long after", "second"]);
});

Deno.test("Scheduler.runUntil() stops where it is told to", async () => {
  const scheduler = new Scheduler();
  let count = 0;
  const again = (): void => {
    count++;
    scheduler.after(10, again);
  };
  again();
  await scheduler.runUntil(1_000, () => count < 5);
  assert.deepEqual([count, scheduler.nowMs], [5, 40]);
});

Deno.test("clockOf() keeps wall clock, monotonic clock and time apart", async () => {
  const scheduler = new Scheduler();
  const clock = clockOf(scheduler, { life: new Life(), skewMs: -5_000 });
  assert.deepEqual([clock.nowMs(), clock.monotonicMs()], [EPOCH_MS - 5_000, 1_000]);
  using deadline = startDeadline(clock, { timeoutMs: 100, what: "a nap", signal: never });
  await scheduler.runUntil(99);
  assert.equal(deadline.signal.aborted, false);
  await scheduler.runUntil(100);
  assert.equal(deadline.signal.aborted, true);
  const controller = new AbortController();
  const sleeping = clock.sleep(10, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(sleeping, /enough/);
  await assert.rejects(clock.sleep(10, { signal: controller.signal }), /enough/);
});

Deno.test("clockOf() never wakes a program whose life has ended", async () => {
  const scheduler = new Scheduler();
  const life = new Life();
  let woke = 0;
  const controller = new AbortController();
  const wake = (): void => {
    woke++;
  };
  const clock = clockOf(scheduler, { life });
  clock.sleep(10, { signal: never }).then(wake, wake);
  clock.sleep(10, { signal: controller.signal }).then(wake, wake);
  life.end();
  controller.abort();
  await scheduler.runUntil(1_000);
  assert.equal(woke, 0);
});

Deno.test("Life.end() runs what waits for it once, and at once what comes later", () => {
  const life = new Life();
  let count = 0;
  life.onEnd(() => count++);
  assert.deepEqual([life.isAlive, count], [true, 0]);
  life.end();
  life.end();
  life.onEnd(() => count++);
  assert.deepEqual([life.isAlive, count], [false, 2]);
});

Deno.test("Dice draws the same from the same seed, and a fork draws for itself", () => {
  const draw = (seed: number, extra: number): readonly unknown[] => {
    const dice = new Dice(seededRandom(seed));
    const fork = dice.fork();
    for (let count = 0; count < extra; count++) dice.chance(0.5);
    return [fork.between(0, 1_000), fork.hex(8), fork.pick("abcdef".split("")), fork.ms(0, 1)];
  };
  assert.deepEqual(draw(1, 0), draw(1, 5));
  assert.notDeepEqual(draw(1, 0), draw(2, 0));
  const dice = new Dice(seededRandom(3));
  const seen = new Set(
    Array.from({ length: 300 }, () => dice.weighted([[1, "a"], [0, "b"], [2, "c"]])),
  );
  assert.deepEqual([...seen].sort(), ["a", "c"]);
});

Deno.test("Trace keeps the newest lines and tells different histories apart", () => {
  const scheduler = new Scheduler();
  const [one, other] = [new Trace(scheduler), new Trace(scheduler)];
  for (let count = 0; count < 2_000; count++) {
    one.note("a", `line ${count}`);
    other.note("a", `line ${count}`);
  }
  assert.equal(one.digest, other.digest);
  assert.equal(one.last(3).at(-1)?.endsWith("line 1999"), true);
  assert.equal(one.last(3).length, 3);
  other.note("a", "one more");
  assert.notEqual(one.digest, other.digest);
});
