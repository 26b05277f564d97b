import assert from "node:assert/strict";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import {
  type ObjectStore,
  type StoreError,
  StoreFailure,
  type StoreResult,
} from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err, expectOk, ok } from "../base/result.ts";
import { newClaim } from "../ipam/claim.ts";
import { openMemoryStore } from "../store/memory_store.ts";

import { parseIpv4 } from "../ip/mod.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { LIST_MS_MAX, Settler } from "./settler.ts";

const LOST: StoreError = { code: "timeout", message: "no answer", outcomeUnknown: true };
const AWAY: StoreError = { code: "unavailable", message: "refused", outcomeUnknown: false };
const BUSY: StoreError = { code: "throttled", message: "busy", retryAfterMs: 700 };
const NEVER = new AbortController().signal;

/** What happens to the next calls of one method: done and lost, or not done. */
type Fault = { readonly error: StoreError; readonly isDone: boolean };

function claimOf(podUID: string): SpiderIp {
  const address = expectOk(parseIpv4("10.6.0.10"), "an address");
  return newClaim({ pool: "p", address }, {
    podNamespace: "default",
    podName: podUID,
    podUID,
    containerID: "c",
    nic: "eth0",
    node: "n1",
    endpointName: podUID,
  });
}

function rig(method: "create" | "replace" | "remove" | "get", faults: readonly Fault[]) {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const memory = openMemoryStore({ clock, random });
  const left = [...faults];
  const calls = { count: 0 };
  async function faulty<T>(work: () => Promise<StoreResult<T>>): Promise<StoreResult<T>> {
    calls.count++;
    const fault = left.shift();
    if (fault === undefined) return await work();
    if (fault.isDone) await work();
    return err(fault.error);
  }
  const store: ObjectStore = {
    get: (...args) => method === "get" ? faulty(() => memory.get(...args)) : memory.get(...args),
    list: (...args) => memory.list(...args),
    listRows: (...args) => memory.listRows(...args),
    watch: (...args) => memory.watch(...args),
    create: (...args) =>
      method === "create" ? faulty(() => memory.create(...args)) : memory.create(...args),
    replace: (...args) =>
      method === "replace" ? faulty(() => memory.replace(...args)) : memory.replace(...args),
    replaceStatus: (...args) => memory.replaceStatus(...args),
    remove: (...args) =>
      method === "remove" ? faulty(() => memory.remove(...args)) : memory.remove(...args),
    serverTimeMs: () => memory.serverTimeMs(),
  };
  return { clock, memory, calls, settler: new Settler({ store, clock, random }) };
}

/** Moves time until the work ends. */
async function ended<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  work.then(done, done);
  for (let step = 0; step < 1_000 && !isDone; step++) {
    await settle();
    await clock.advance(clock.nextWakeMs ?? 0);
  }
  return await work;
}

function byPod(podUID: string): (stored: SpiderIp) => boolean {
  return (stored) => stored.spec.podUID === podUID;
}

Deno.test("create() whose answer was lost is created, by repeating it", async () => {
  for (const isDone of [true, false]) {
    const { clock, settler, calls } = rig("create", [{ error: LOST, isDone }]);
    const options = { signal: NEVER, isOurs: byPod("a") };
    const created = await ended(clock, settler.create(SPIDER_IPS, claimOf("a"), options));
    assert.equal(created.kind, "created");
    assert.equal(calls.count, 2);
  }
});

Deno.test("create() of a name that somebody else has exists, lost answer or not", async () => {
  for (const faults of [[], [{ error: LOST, isDone: false }], [{ error: AWAY, isDone: false }]]) {
    const { clock, memory, settler } = rig("create", faults);
    expectOk(await memory.create(SPIDER_IPS, claimOf("other"), { signal: NEVER }), "first");
    const options = { signal: NEVER, isOurs: byPod("a") };
    const created = await ended(clock, settler.create(SPIDER_IPS, claimOf("a"), options));
    assert.equal(created.kind, "exists");
  }
});

Deno.test("create() that was never done is no claim on an object that looks like it", async () => {
  const { clock, memory, settler } = rig("create", [{ error: AWAY, isDone: false }]);
  expectOk(await memory.create(SPIDER_IPS, claimOf("a"), { signal: NEVER }), "first");
  const options = { signal: NEVER, isOurs: byPod("a") };
  const created = await ended(clock, settler.create(SPIDER_IPS, claimOf("a"), options));
  assert.equal(created.kind, "exists", "only an unknown end may have made it");
});

Deno.test("create() waits as long as a busy server asks for", async () => {
  const { clock, settler } = rig("create", [{ error: BUSY, isDone: false }]);
  const options = { signal: NEVER, isOurs: byPod("a") };
  const creating = settler.create(SPIDER_IPS, claimOf("a"), options);
  await settle();
  assert.equal(clock.nextWakeMs, 700);
  assert.equal((await ended(clock, creating)).kind, "created");
});

Deno.test("create() throws a refusal that no repetition changes", async () => {
  const error: StoreError = { code: "forbidden", message: "no", namespaceTerminating: true };
  const { clock, settler } = rig("create", [{ error, isDone: false }]);
  const options = { signal: NEVER, isOurs: byPod("a") };
  const creating = settler.create(SPIDER_IPS, claimOf("a"), options);
  await assert.rejects(
    ended(clock, creating),
    (thrown) => thrown instanceof StoreFailure && thrown.code === "forbidden",
  );
});

Deno.test("replace() whose answer was lost is read back and compared", async () => {
  for (const isDone of [true, false]) {
    const { clock, memory, settler } = rig("replace", [{ error: LOST, isDone }]);
    const made = expectOk(await memory.create(SPIDER_IPS, claimOf("a"), { signal: NEVER }), "a");
    const next = { ...made, spec: { ...made.spec, podUID: "b" } };
    const options = { signal: NEVER, isOurs: byPod("b") };
    const replaced = await ended(clock, settler.replace(SPIDER_IPS, next, options));
    assert.equal(replaced.kind, "replaced");
    assert.notEqual(
      replaced.kind === "replaced" ? replaced.object.metadata.resourceVersion : "",
      made.metadata.resourceVersion,
    );
  }
});

Deno.test("replace() of an object that somebody changed or deleted is lost", async () => {
  const { clock, memory, settler } = rig("replace", []);
  const made = expectOk(await memory.create(SPIDER_IPS, claimOf("a"), { signal: NEVER }), "a");
  const theirs = { ...made, spec: { ...made.spec, podUID: "them" } };
  expectOk(await memory.replace(SPIDER_IPS, theirs, { signal: NEVER }), "theirs");
  const next = { ...made, spec: { ...made.spec, podUID: "b" } };
  const options = { signal: NEVER, isOurs: byPod("b") };
  assert.equal((await ended(clock, settler.replace(SPIDER_IPS, next, options))).kind, "lost");
  const key = { name: made.metadata.name };
  expectOk(await memory.remove(SPIDER_IPS, key, { signal: NEVER }), "deleted");
  assert.equal((await ended(clock, settler.replace(SPIDER_IPS, next, options))).kind, "lost");
});

Deno.test("remove() is repeated with the same preconditions until it is known", async () => {
  for (const isDone of [true, false]) {
    const { clock, memory, settler } = rig("remove", [{ error: LOST, isDone }]);
    const made = expectOk(await memory.create(SPIDER_IPS, claimOf("a"), { signal: NEVER }), "a");
    const removed = settler.remove(SPIDER_IPS, made, { signal: NEVER });
    assert.equal(await ended(clock, removed), "gone");
    const key = { name: made.metadata.name };
    assert.equal((await memory.get(SPIDER_IPS, key, { signal: NEVER })).ok, false);
  }
});

Deno.test("remove() leaves what changed, and what is another object of the name", async () => {
  const { clock, memory, settler } = rig("remove", []);
  const made = expectOk(await memory.create(SPIDER_IPS, claimOf("a"), { signal: NEVER }), "a");
  const theirs = { ...made, spec: { ...made.spec, podUID: "them" } };
  const now = expectOk(await memory.replace(SPIDER_IPS, theirs, { signal: NEVER }), "theirs");
  const removing = settler.remove(SPIDER_IPS, made, { signal: NEVER });
  assert.equal(await ended(clock, removing), "changed");
  const key = { name: made.metadata.name };
  expectOk(await memory.remove(SPIDER_IPS, key, { signal: NEVER }), "deleted");
  expectOk(await memory.create(SPIDER_IPS, claimOf("b"), { signal: NEVER }), "another");
  assert.equal(await ended(clock, settler.remove(SPIDER_IPS, now, { signal: NEVER })), "gone");
  assert.equal((await memory.get(SPIDER_IPS, key, { signal: NEVER })).ok, true);
});

Deno.test("get() waits out what passes by itself, and says what it was", async () => {
  const faults = Array.from({ length: 100 }, () => ({ error: AWAY, isDone: false }));
  const { clock, settler } = rig("get", faults);
  const controller = new AbortController();
  const { signal } = controller;
  const getting = settler.get(SPIDER_IPS, { name: "10.6.0.10" }, { signal });
  await settle();
  await clock.advance(5_000);
  controller.abort(new Error("enough"));
  await assert.rejects(getting, /enough/);
  assert.equal(settler.problemOf(signal), "refused");
});

Deno.test("read() lets a server recover that cannot answer all lists", async () => {
  const { clock, settler } = rig("get", []);
  const asked: { readonly atMs: number; readonly timeoutMs: number }[] = [];
  const reading = settler.read(async ({ signal, timeoutMs }) => {
    asked.push({ atMs: clock.monotonicMs(), timeoutMs });
    if (asked.length > 3) return ok("rows");
    await clock.sleep(timeoutMs, { signal });
    return err(LOST);
  }, { signal: NEVER, timeoutMs: LIST_MS_MAX });
  for (let step = 0; step < 600; step++) await clock.advance(1_000);
  assert.deepEqual(await reading, ok("rows"));
  assert.deepEqual(asked.map(({ timeoutMs }) => timeoutMs), Array(4).fill(LIST_MS_MAX));
  const restsMs = asked.slice(1).map(({ atMs }, index) => {
    return atMs - (asked[index]?.atMs ?? NaN) - LIST_MS_MAX;
  });
  assert.ok(Math.max(...restsMs) > 2_000, `rests of ${restsMs} ms are more than those of a call`);
  assert.ok(Math.max(...restsMs) <= LIST_MS_MAX, `rests of ${restsMs} ms`);
});

Deno.test("find() does not wait for a kind that is not served, and says for how long", async () => {
  const unserved: Fault = { error: { ...AWAY, isUnserved: true }, isDone: false };
  const { settler, clock } = rig("get", [
    ...[unserved, unserved, { error: AWAY, isDone: false }],
  ]);
  const find = () => settler.find(SPIDER_IPS, { name: "10.6.0.10" }, { signal: NEVER });
  assert.deepEqual(await find(), { kind: "unserved", forMs: 0 });
  await clock.advance(61_000);
  assert.deepEqual(await find(), { kind: "unserved", forMs: 61_000 });
  const later = find();
  await clock.advance(5_000);
  assert.deepEqual(await later, { kind: "absent" }, "what does not answer is waited for");
});
