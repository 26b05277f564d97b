import assert from "node:assert/strict";
import { settle } from "../../tests/support/manual_clock.ts";
import { Joint, type Turn, Turns } from "./turns.ts";

const NEVER = new AbortController().signal;

async function take(turns: Turns, key: string, signal = NEVER): Promise<Turn> {
  const turn = await turns.take(key, { signal });
  assert.ok(turn.ok, "there is room");
  return turn.value;
}

Deno.test("turns of one key follow each other in order, those of others do not wait", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const first = await take(turns, "a");
  const second = take(turns, "a").then((turn) => {
    order.push("second");
    return turn;
  });
  const third = take(turns, "a").then((turn) => {
    order.push("third");
    return turn;
  });
  const other = await take(turns, "b");
  await settle();
  assert.deepEqual(order, []);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await settle();
  assert.deepEqual(order, ["second"], "a turn ends once");
  (await second)[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  other[Symbol.dispose]();
  assert.deepEqual(order, ["second", "third"]);
  assert.equal(turns.count, 0);
  assert.equal(turns.isHeld("a"), false);
});

Deno.test("whoever stops waiting loses his place only", async () => {
  const turns = new Turns();
  const first = await take(turns, "a");
  const controller = new AbortController();
  const leaving = turns.take("a", { signal: controller.signal });
  const staying = take(turns, "a");
  controller.abort(new Error("left"));
  await assert.rejects(leaving, /left/);
  first[Symbol.dispose]();
  (await staying)[Symbol.dispose]();
  assert.equal(turns.count, 0);
});

Deno.test("take() refuses more than the bound, and no longer once there is room", async () => {
  const turns = new Turns(2);
  const first = await take(turns, "a");
  const second = take(turns, "a");
  assert.deepEqual(await turns.take("b", { signal: NEVER }), {
    ok: false,
    error: { code: "queue_full", most: 2 },
  });
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  (await take(turns, "b"))[Symbol.dispose]();
});

Deno.test("work that is asked for twice at a time is done once", async () => {
  const joint = new Joint<number>();
  const result = Promise.withResolvers<number>();
  let starts = 0;
  const ask = () =>
    joint.run("a", {
      signal: NEVER,
      work: () => {
        starts++;
        return result.promise;
      },
    });
  const both = [ask(), ask()];
  result.resolve(7);
  assert.deepEqual(await Promise.all(both), [7, 7]);
  assert.equal(starts, 1);
  assert.equal(await ask(), 7);
  assert.equal(starts, 2, "it is not remembered");
});

Deno.test("joint work is aborted when the last asker leaves, and not before", async () => {
  const joint = new Joint<number>();
  const [one, two] = [new AbortController(), new AbortController()];
  let aborted = false;
  const work = ({ signal }: { readonly signal: AbortSignal }) =>
    new Promise<number>((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(signal.reason);
      });
    });
  const first = joint.run("a", { signal: one.signal, work });
  const second = joint.run("a", { signal: two.signal, work });
  one.abort(new Error("one left"));
  await assert.rejects(first, /one left/);
  assert.equal(aborted, false);
  two.abort(new Error("two left"));
  await assert.rejects(second, /two left/);
  await settle();
  assert.equal(aborted, true);
});
