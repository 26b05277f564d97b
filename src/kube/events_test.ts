import assert from "node:assert/strict";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import type { ObjectStore } from "../base/object_store.ts";
import { expectOk } from "../base/result.ts";
import { seededRandom } from "../base/random.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { EventRecorder, EVENTS, type Happening, type KubeEvent } from "./events.ts";

const never = new AbortController().signal;
const POD = { apiVersion: "v1", kind: "Pod", namespace: "n", name: "web-0", uid: "u" };
const FULL: Happening = {
  type: "Warning",
  reason: "PoolExhausted",
  action: "Allocate",
  note: "no free address is left",
  regarding: POD,
};

interface Rig extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly recorder: EventRecorder;
  readonly store: ObjectStore;
  events(): Promise<readonly KubeEvent[]>;
}

function start(): Rig {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const store = openMemoryStore({ clock, random });
  const recorder = new EventRecorder({
    store,
    clock,
    random,
    controller: "spidernet.io/test",
    instance: "node-1",
  });
  const ending = new AbortController();
  const ended = assert.rejects(recorder.run({ signal: ending.signal }), /end of the test/);
  return {
    clock,
    recorder,
    store,
    events: async () => {
      await settle();
      return expectOk(await store.list(EVENTS, { signal: never }), "memory lists").items;
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort(new Error("end of the test"));
      await ended;
      store[Symbol.dispose]();
    },
  };
}

Deno.test("EventRecorder writes an event as the API wants it", async () => {
  await using rig = start();
  rig.recorder.record({ ...FULL, related: { apiVersion: "v1", kind: "Node", name: "n1" } });
  const [event] = await rig.events();
  assert.ok(event !== undefined);
  assert.match(event.metadata.name, /^web-0\.[0-9a-f]{16}$/);
  assert.equal(event.metadata.namespace, "n");
  assert.equal(event.eventTime, "2025-01-01T00:00:00.000000Z");
  assert.equal(event.reportingController, "spidernet.io/test");
  assert.equal(event.reportingInstance, "node-1");
  assert.deepEqual([event.type, event.reason, event.action], [
    "Warning",
    "PoolExhausted",
    "Allocate",
  ]);
  assert.equal(event.note, "no free address is left");
  assert.deepEqual(event.regarding, POD);
  assert.equal(event.related?.name, "n1");
  assert.equal(event.series, undefined);
});

Deno.test("EventRecorder puts the events of cluster-scoped objects into default", async () => {
  await using rig = start();
  rig.recorder.record({ ...FULL, regarding: { apiVersion: "v1", kind: "Node", name: "n1" } });
  assert.equal((await rig.events())[0]?.metadata.namespace, "default");
});

Deno.test("EventRecorder joins repetitions into a series, written once a minute", async () => {
  await using rig = start();
  rig.recorder.record(FULL);
  await settle();
  for (let count = 0; count < 500; count++) {
    rig.recorder.record({ ...FULL, note: `try ${count}` });
  }
  const [first, ...more] = await rig.events();
  assert.equal(more.length, 0);
  assert.equal(first?.series, undefined, "not written yet");
  await rig.clock.advance(60_000);
  await rig.clock.advance(60_000);
  const [second] = await rig.events();
  assert.equal(second?.metadata.name, first?.metadata.name);
  assert.equal(second?.series?.count, 501);
  assert.equal(second?.series?.lastObservedTime, "2025-01-01T00:00:00.000000Z");
});

Deno.test("EventRecorder begins a new event when a series was quiet for six minutes", async () => {
  await using rig = start();
  rig.recorder.record(FULL);
  await rig.clock.advance(360_000);
  rig.recorder.record(FULL);
  assert.equal((await rig.events()).length, 2);
});

Deno.test("EventRecorder begins a new event when the stored one has expired", async () => {
  await using rig = start();
  rig.recorder.record(FULL);
  const [old] = await rig.events();
  const key = { namespace: "n", name: old?.metadata.name ?? "" };
  await rig.store.remove(EVENTS, key, { signal: never });
  for (let minute = 0; minute < 3; minute++) {
    rig.recorder.record(FULL);
    await rig.clock.advance(61_000);
  }
  const [fresh] = await rig.events();
  assert.ok(fresh !== undefined && fresh.metadata.name !== key.name);
});

Deno.test("EventRecorder gives one object 25 events at once, then two a minute", async () => {
  await using rig = start();
  for (let index = 0; index < 40; index++) {
    rig.recorder.record({ ...FULL, reason: `Reason${index}` });
  }
  assert.equal((await rig.events()).length, 25);
  assert.equal(rig.recorder.droppedCount, 15);
  rig.recorder.record({ ...FULL, regarding: { ...POD, name: "other" } });
  assert.equal((await rig.events()).length, 26);
  await rig.clock.advance(60_000);
  for (let index = 50; index < 60; index++) {
    rig.recorder.record({ ...FULL, reason: `Reason${index}` });
  }
  assert.equal((await rig.events()).length, 28);
});

Deno.test("EventRecorder drops what waits beyond its bound, and says how much", async () => {
  await using rig = start();
  for (let index = 0; index < 500; index++) {
    rig.recorder.record({ ...FULL, regarding: { ...POD, name: `web-${index}` } });
  }
  assert.ok(rig.recorder.droppedCount >= 299, `${rig.recorder.droppedCount}`);
  await rig.clock.advance(1_000);
  const written = (await rig.events()).length;
  assert.equal(written, 500 - rig.recorder.droppedCount);
});

Deno.test("EventRecorder keeps notes to a kilobyte, and goes on after a failed write", async () => {
  await using rig = start();
  rig.recorder.record({ ...FULL, regarding: { ...POD, name: "NOT VALID" } });
  await settle();
  assert.equal(rig.recorder.error?.code, "invalid");
  rig.recorder.record({ ...FULL, note: "ä".repeat(2_000) });
  const [event] = await rig.events();
  const bytes = new TextEncoder().encode(event?.note);
  assert.ok(bytes.length <= 1_024 && bytes.length > 1_000);
  assert.equal(rig.recorder.error, undefined);
});
