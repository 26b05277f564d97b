import assert from "node:assert/strict";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { Bell, Rest, Rings, runTogether } from "./waiting.ts";

/** Work that ends a while after it is told to. */
function slowToEnd(ended: string[], name: string) {
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    ended.push(name);
    throw signal.reason;
  };
}

Deno.test("runTogether() waits for all works, also after one has failed", async () => {
  const ended: string[] = [];
  const failing = (): Promise<never> => Promise.reject(new Error("a bug"));
  const works = [slowToEnd(ended, "a"), failing, slowToEnd(ended, "b")];
  await assert.rejects(runTogether(works, { signal: new AbortController().signal }), /a bug/);
  assert.deepEqual(ended, ["a", "b"]);
});

Deno.test("runTogether() ends with the signal's reason, or when every work is done", async () => {
  const ended: string[] = [];
  const stop = new AbortController();
  const running = runTogether([slowToEnd(ended, "a")], { signal: stop.signal });
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  assert.deepEqual(ended, ["a"]);
  await runTogether([() => Promise.resolve(1)], { signal: new AbortController().signal });
});

Deno.test("Rest ends with its time, or with news since the look began", async () => {
  const clock = new ManualClock();
  const end = new AbortController();
  const { signal } = end;
  const rest = new Rest();
  rest.begin();
  rest.end();
  await rest.take(1_000, { clock, signal }); // What came during the look.
  rest.begin();
  let isOver = false;
  const taken = rest.take(1_000, { clock, signal }).then(() => void (isOver = true));
  await clock.advance(999);
  assert.equal(isOver, false);
  await clock.advance(1);
  await taken;
  rest.begin();
  const woken = rest.take(1_000, { clock, signal });
  rest.end();
  await woken;
  rest.begin();
  const ended = rest.take(1_000, { clock, signal });
  end.abort(new Error("over"));
  await assert.rejects(ended, /over/);
});

const NEVER = new AbortController().signal;

Deno.test("Rings hear what rings while nobody waits, once", async () => {
  const clock = new ManualClock();
  const bell = new Bell();
  using rings = new Rings(bell, ["a", "b"]);
  bell.ring("b");
  bell.ring("a");
  assert.equal(await rings.next(clock, { atMostMs: 100, signal: NEVER }), true);
  const next = rings.next(clock, { atMostMs: 100, signal: NEVER });
  bell.ring("c");
  await clock.advance(100);
  assert.equal(await next, false, "it rang before, and another rings now");
});

Deno.test("Rings end a wait at once, also with its signal", async () => {
  const clock = new ManualClock();
  const bell = new Bell();
  const rings = new Rings(bell, ["a"]);
  const rung = rings.next(clock, { atMostMs: 1_000, signal: NEVER });
  bell.ring("a");
  assert.equal(await rung, true);
  const stop = new AbortController();
  const stopped = rings.next(clock, { atMostMs: 1_000, signal: stop.signal });
  stop.abort(new Error("stopped"));
  await assert.rejects(stopped, /stopped/);
  rings[Symbol.dispose]();
  bell.ring("a");
  const late = rings.next(clock, { atMostMs: 10, signal: NEVER });
  await settle();
  await clock.advance(10);
  assert.equal(await late, false, "nobody listens any more");
});
