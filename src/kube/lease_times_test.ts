import assert from "node:assert/strict";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { ObjectStore } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { LeadershipLost, LeaseCandidate } from "./lease.ts";

const KEY = { namespace: "kube-system", name: "controller" };
const AWAY = Promise.resolve({
  ok: false,
  error: { code: "unavailable", message: "no answer", outcomeUnknown: false },
});

Deno.test("LeaseCandidate keeps the times that it is given", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const times = { durationMs: 30_000, renewDeadlineMs: 12_000, retryMs: 3_000, restMs: 5_000 };
  let isCut = false;
  const cuttable = {
    get: (...args: Parameters<ObjectStore["get"]>) => isCut ? AWAY : store.get(...args),
    create: (...args: Parameters<ObjectStore["create"]>) => store.create(...args),
    replace: (...args: Parameters<ObjectStore["replace"]>) => isCut ? AWAY : store.replace(...args),
  } as unknown as ObjectStore;
  const common = { clock: base, random, key: KEY };
  const lease = new LeaseCandidate({ ...common, ...times, store: cuttable, identity: "a" });
  let lost: unknown;
  const stop = new AbortController();
  const running = lease.run({
    signal: stop.signal,
    work: ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          lost = signal.reason;
          reject(signal.reason);
        });
      }),
  });
  running.catch(() => {});
  await base.advance(30_000);
  assert.equal(lease.isLeader, true);
  isCut = true;
  await base.advance(8_000);
  assert.equal(lease.isLeader, true, "it still may renew");
  await base.advance(4_100);
  assert.ok(lost instanceof LeadershipLost);
  isCut = false;
  await base.advance(4_000);
  assert.equal(lease.isLeader, false, "it rests");
  await base.advance(6_000);
  assert.equal(lease.isLeader, true);
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  assert.throws(() => {
    return new LeaseCandidate({ ...common, store, identity: "a", renewDeadlineMs: 14_500 });
  }, /a leader stops before another may lead/);
});

Deno.test("LeaseCandidate takes every duration of whole seconds from two on", () => {
  const clock = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock, random });
  const common = { clock, random, store, key: KEY, identity: "a" };
  for (let durationMs = 2_000; durationMs <= 60_000; durationMs += 1_000) {
    assert.equal(new LeaseCandidate({ ...common, durationMs }).isLeader, false);
  }
  assert.throws(
    () => new LeaseCandidate({ ...common, durationMs: 1_000 }),
    /a Lease lasts long enough to be renewed/,
  );
});
