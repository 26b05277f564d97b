import assert from "node:assert/strict";
import { settle } from "../../tests/support/manual_clock.ts";
import { Gate } from "./gate.ts";

const NEVER = new AbortController().signal;

Deno.test("a gate lets so many through at once, and the next in order", async () => {
  const gate = new Gate(2);
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const pass = (name: string, signal = NEVER) =>
    gate.pass(() => {
      order.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.push(resolve);
      return promise;
    }, { signal });
  const controller = new AbortController();
  const all = [pass("a"), pass("b"), pass("c"), pass("gone", controller.signal), pass("d")];
  controller.abort(new Error("left"));
  await assert.rejects(all[3] ?? Promise.resolve(), /left/);
  assert.deepEqual(order, ["a", "b"]);
  ends.shift()?.();
  await settle();
  assert.deepEqual(order, ["a", "b", "c"]);
  for (let end = ends.shift(); end !== undefined; end = ends.shift()) {
    end();
    await settle();
  }
  assert.deepEqual(order, ["a", "b", "c", "d"]);
  await gate.pass(() => Promise.reject(new Error("failed")), { signal: NEVER }).catch(() => {});
  assert.equal(await gate.pass(() => Promise.resolve(1), { signal: NEVER }), 1);
});
