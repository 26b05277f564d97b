import assert from "node:assert/strict";
import { assert as promise, AssertionError, unreachable } from "./assert.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { startDeadline, startTimer, systemClock } from "./clock.ts";
import { errorText, jsonLog } from "./log.ts";
import { BoundedQueue } from "./queue.ts";
import { seededRandom, systemRandom } from "./random.ts";
import { err, expectOk, ok } from "./result.ts";

const never = new AbortController().signal;

Deno.test("assert() throws with the promise that was broken", () => {
  assert.throws(() => promise(false, "one is two"), {
    name: "AssertionError",
    message: "Broken invariant: one is two",
  });
  promise(true, "nothing happens");
});

Deno.test("unreachable() names the value, whatever it is", () => {
  assert.throws(() => unreachable("blue" as never), /no case for "blue"/);
  assert.throws(() => unreachable(5n as never), AssertionError);
});

Deno.test("expectOk() gives the value, and keeps the refusal as cause", () => {
  assert.equal(expectOk(ok(3), "three is there"), 3);
  assert.throws(
    () => expectOk(err({ code: "gone" }), "it is there"),
    (error: Error) => (error.cause as { code: string }).code === "gone",
  );
});

Deno.test("sleep() ends early with the signal's reason and leaves no timer", async () => {
  const controller = new AbortController();
  const sleeping = systemClock().sleep(60_000, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(sleeping, /enough/);
});

Deno.test("startDeadline() aborts at its time, naming the work", async () => {
  using deadline = startDeadline(systemClock(), { timeoutMs: 1, what: "a nap", signal: never });
  await assert.rejects(
    systemClock().sleep(60_000, { signal: deadline.signal }),
    { name: "DeadlineError", message: "Gave up on a nap after 1 ms" },
  );
  assert.equal(deadline.remainingMs(), 0);
});

Deno.test("startTimer() acts at each timer's time, in their order", async () => {
  const clock = new ManualClock();
  const rung: string[] = [];
  const start = (name: string, ms: number): Disposable =>
    startTimer(clock, { ms, act: () => rung.push(`${name} at ${clock.monotonicMs()}`) });
  using _late = start("late", 30);
  using _soon = start("soon", 10);
  using _never = start("never", 20);
  _never[Symbol.dispose]();
  using _also = start("also", 10.5);
  assert.equal(clock.sleeperCount, 1, "one sleep serves them all");
  await clock.advance(29);
  assert.deepEqual(rung, ["soon at 10", "also at 10"], "a fraction of a millisecond early");
  await clock.advance(1);
  assert.deepEqual(rung.slice(2), ["late at 30"]);
  assert.equal(clock.sleeperCount, 0);
});

Deno.test("startTimer() leaves no sleep behind once every timer is disposed", () => {
  const clock = new ManualClock();
  const timers = [5, 50, 500].map((ms) =>
    startTimer(clock, { ms, act: () => assert.fail("rung") })
  );
  for (const timer of timers) timer[Symbol.dispose]();
  assert.equal(clock.sleeperCount, 0);
});

Deno.test("startDeadline() passes the caller's abort on, and stops its timer on dispose", () => {
  const caller = new AbortController();
  {
    using deadline = startDeadline(systemClock(), {
      timeoutMs: 60_000,
      what: "a nap",
      signal: caller.signal,
    });
    caller.abort(new Error("stop"));
    assert.equal((deadline.signal.reason as Error).message, "stop");
  }
  using late = startDeadline(systemClock(), {
    timeoutMs: 60_000,
    what: "x",
    signal: caller.signal,
  });
  assert.equal(late.signal.aborted, true);
});

Deno.test("seededRandom() repeats itself for a seed and differs between seeds", () => {
  function draw(seed: number): number[] {
    const random = seededRandom(seed);
    return Array.from({ length: 8 }, () => random.below(1_000_000));
  }
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
});

Deno.test("Random stays inside its bounds and reaches every value of a small one", () => {
  for (const random of [seededRandom(7), systemRandom()]) {
    const small = new Set<number>();
    const big = new Set<bigint>();
    for (let index = 0; index < 2_000; index++) {
      const fraction = random.fraction();
      assert.ok(fraction >= 0 && fraction < 1);
      small.add(random.below(5));
      big.add(random.bigBelow(5n));
      const wide = random.bigBelow(1n << 100n);
      assert.ok(wide >= 0n && wide < 1n << 100n);
    }
    assert.deepEqual([...small].toSorted(), [0, 1, 2, 3, 4]);
    assert.equal(big.size, 5);
  }
  assert.throws(() => seededRandom(1).below(0), /positive/);
  assert.throws(() => seededRandom(1).bigBelow(0n), /positive/);
});

Deno.test("seededRandom() is even: each tenth gets its share within five sigma", () => {
  const random = seededRandom(42);
  const counts = new Array<number>(10).fill(0);
  const draws = 100_000;
  for (let index = 0; index < draws; index++) {
    const tenth = random.below(10);
    counts[tenth] = (counts[tenth] ?? 0) + 1;
  }
  const sigma = Math.sqrt(draws * 0.1 * 0.9);
  for (const count of counts) assert.ok(Math.abs(count - draws / 10) < 5 * sigma, String(count));
});

Deno.test("jsonLog() writes one object a line and spells out errors and bigints", () => {
  const lines: string[] = [];
  const clock = { ...systemClock(), nowMs: () => 0 };
  const log = jsonLog((line) => lines.push(line), { clock, level: "info" }).with({ pool: "p4" });
  const failure = Object.assign(new Error("no answer", { cause: new Error("refused") }), {
    code: "unavailable",
  });
  log.debug("dropped");
  log.error("cannot list", { failure, size: 1n << 64n, text: "not this" });
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [{
    time: "1970-01-01T00:00:00.000Z",
    level: "error",
    text: "cannot list",
    pool: "p4",
    failure: {
      name: "Error",
      text: "no answer",
      code: "unavailable",
      cause: { name: "Error", text: "refused" },
    },
    size: "18446744073709551616",
  }]);
  assert.ok(lines.every((line) => line.endsWith("}\n")));
});

Deno.test("errorText() joins a chain of causes and says nothing twice", () => {
  const root = new Error("connection refused");
  const middle = new Error("Cannot reach the server: connection refused", { cause: root });
  assert.equal(
    errorText(new Error("Cannot list pools", { cause: middle })),
    "Cannot list pools: Cannot reach the server: connection refused",
  );
  assert.equal(errorText("plain"), "plain");
});

Deno.test("BoundedQueue hands out items in order and says when it is full", async () => {
  const queue = new BoundedQueue<number>(2);
  assert.deepEqual([queue.push(1), queue.push(2)], [ok(undefined), ok(undefined)]);
  assert.deepEqual(queue.push(3), err({ code: "full", capacity: 2 }));
  assert.deepEqual(
    [await queue.take({ signal: never }), await queue.take({ signal: never })],
    [1, 2],
  );
});

Deno.test("BoundedQueue.take() waits, survives an aborted waiter, ends with close()", async () => {
  const queue = new BoundedQueue<number>(1);
  const impatient = new AbortController();
  const first = queue.take({ signal: impatient.signal });
  const second = queue.take({ signal: never });
  impatient.abort(new Error("left"));
  await assert.rejects(first, /left/);
  queue.push(7);
  assert.equal(await second, 7);
  queue.push(8);
  queue.close();
  assert.deepEqual(queue.push(9), err({ code: "closed" }));
  assert.equal(await queue.take({ signal: never }), 8);
  assert.equal(await queue.take({ signal: never }), undefined);
});

Deno.test("property: BoundedQueue equals an array, whatever the order of calls", async () => {
  const random = seededRandom(3);
  const queue = new BoundedQueue<number>(10);
  const twin: number[] = [];
  for (let step = 0; step < 5_000; step++) {
    if (random.below(2) === 0) {
      const pushed = queue.push(step);
      assert.equal(pushed.ok, twin.length < 10);
      if (pushed.ok) twin.push(step);
    } else if (twin.length > 0) {
      assert.equal(await queue.take({ signal: never }), twin.shift());
    }
    assert.equal(queue.size, twin.length);
  }
});
