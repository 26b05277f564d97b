import assert from "node:assert/strict";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import type { Clock } from "../base/clock.ts";
import type { ObjectStore, StoreResult } from "../base/object_store.ts";
import { expectOk } from "../base/result.ts";
import { type Random, seededRandom } from "../base/random.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { LeadershipLost, LeaseCandidate, LEASES } from "./lease.ts";

const KEY = { namespace: "kube-system", name: "controller" };
const never = new AbortController().signal;

/** A machine's own clock: another rate and wall time, and nothing wakes while it is paused. */
class MachineClock implements Clock {
  readonly #base: Clock;
  readonly #rate: number;
  readonly #offsetMs: number;
  #resumed: PromiseWithResolvers<void> | undefined;
  /** Whether the network to the store is down. */
  isCut = false;

  constructor(
    base: Clock,
    { rate, offsetMs }: { readonly rate: number; readonly offsetMs: number },
  ) {
    this.#base = base;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  get isPaused(): boolean {
    return this.#resumed !== undefined;
  }
  pause(): void {
    this.#resumed ??= Promise.withResolvers();
  }
  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }
  /** Nothing of a paused machine runs. */
  async gate(): Promise<void> {
    while (this.#resumed !== undefined) await this.#resumed.promise;
  }
  nowMs(): number {
    return this.#base.nowMs() + this.#offsetMs;
  }
  monotonicMs(): number {
    return this.#base.monotonicMs() * this.#rate + this.#offsetMs;
  }
  async sleep(ms: number, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#base.sleep(ms / this.#rate, options);
    await this.gate();
  }
}

interface Candidate {
  readonly name: string;
  readonly lease: LeaseCandidate;
  readonly clock: MachineClock;
  /** The signal of the work that was started last. */
  fence: AbortSignal | undefined;
  /** How often it led. */
  terms: number;
  readonly stop: AbortController;
  running: Promise<void>;
}

function startCandidate(
  name: string,
  { store, clock, random, lookMs }: {
    readonly store: ObjectStore;
    readonly clock: MachineClock;
    readonly random: Random;
    readonly lookMs?: number;
  },
): Candidate {
  const lease = new LeaseCandidate({ store, clock, random, key: KEY, identity: name, lookMs });
  const stop = new AbortController();
  const candidate: Candidate = {
    name,
    lease,
    clock,
    fence: undefined,
    terms: 0,
    stop,
    running: Promise.resolve(),
  };
  candidate.running = lease.run({
    signal: stop.signal,
    work: async ({ signal }) => {
      candidate.fence = signal;
      candidate.terms++;
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  });
  candidate.running.catch(() => {}); // Looked at when the test stops it.
  return candidate;
}

async function stopCandidate(candidate: Candidate): Promise<void> {
  candidate.stop.abort(new Error("stopped"));
  await assert.rejects(candidate.running, /stopped/);
}

/** Lost requests, lost replies, late commits and silence, on the way to a good store. */
function faulty(
  store: ObjectStore,
  { random, base, machine, faults }: {
    readonly random: Random;
    readonly base: ManualClock;
    readonly machine: MachineClock;
    readonly faults: { on: boolean };
  },
): ObjectStore {
  async function carry<T>(
    call: () => Promise<StoreResult<T>>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<StoreResult<T>> {
    const lost: StoreResult<T> = {
      ok: false,
      error: { code: "unavailable", message: "lost", outcomeUnknown: true },
    };
    if (machine.isCut) await base.sleep(1_000, { signal });
    if (machine.isCut) return lost;
    const fate = faults.on ? random.below(20) : 9;
    await base.sleep(random.below(400), { signal });
    if (fate === 0) return lost;
    if (fate === 1) {
      // Committed when the caller has long given up.
      base.sleep(random.below(20_000), { signal: never }).then(call).catch(() => {});
      await base.sleep(60_000, { signal });
    }
    const result = await call();
    if (fate === 2) return lost;
    if (fate === 3) await base.sleep(60_000, { signal });
    await base.sleep(random.below(400), { signal });
    await machine.gate();
    return result;
  }
  return {
    get: (resource, key, options) =>
      carry(() => store.get(resource, key, { ...options, signal: never }), options),
    create: (resource, object, options) =>
      carry(() => store.create(resource, object, { ...options, signal: never }), options),
    replace: (resource, object, options) =>
      carry(() => store.replace(resource, object, { ...options, signal: never }), options),
  } as Partial<ObjectStore> as ObjectStore;
}

Deno.test("LeaseCandidate leads at once where there is no Lease, and renews it", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const clock = new MachineClock(base, { rate: 1, offsetMs: 0 });
  const candidate = startCandidate("a", { store, clock, random });
  await settle();
  assert.equal(candidate.lease.isLeader, true);
  await base.advance(60_000);
  assert.equal(candidate.lease.isLeader, true);
  assert.equal(candidate.terms, 1);
  const lease = expectOk(await store.get(LEASES, KEY, { signal: never }), "it is there");
  assert.equal(lease.spec?.holderIdentity, "a");
  assert.equal(lease.spec?.leaseDurationSeconds, 15);
  assert.equal(lease.spec?.leaseTransitions, 1);
  assert.match(lease.spec?.renewTime ?? "", /^2025-01-01T00:00:\d\d\.\d{6}Z$/);
  await stopCandidate(candidate);
});

Deno.test("LeaseCandidate gives the Lease up when stopped, and the next leads soon", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const clock = new MachineClock(base, { rate: 1, offsetMs: 0 });
  const a = startCandidate("a", { store, clock, random });
  await settle();
  const b = startCandidate("b", { store, clock, random });
  await base.advance(30_000);
  assert.equal(b.terms, 0);
  await stopCandidate(a);
  await base.advance(3_300);
  assert.equal(b.lease.isLeader, true);
  await stopCandidate(b);
});

Deno.test("LeaseCandidate looks rarely where it may, and soon when it is hurried", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const clock = new MachineClock(base, { rate: 1, offsetMs: 0 });
  const a = startCandidate("a", { store, clock, random });
  await settle();
  let looks = 0;
  const counted = {
    get: (...args: Parameters<ObjectStore["get"]>) => {
      looks++;
      return store.get(...args);
    },
    replace: (...args: Parameters<ObjectStore["replace"]>) => store.replace(...args),
  } as Partial<ObjectStore> as ObjectStore;
  const b = startCandidate("b", { store: counted, clock, random, lookMs: 60_000 });
  await base.advance(600_000);
  assert.ok(looks >= 7 && looks <= 21, `${looks} looks in ten minutes`);
  assert.equal(b.terms, 0);
  looks = 0;
  for (let ms = 0; ms < 60_000; ms += 100) {
    b.lease.hurry();
    await base.advance(100);
  }
  assert.ok(looks >= 18 && looks <= 57, `${looks} looks in a minute of hurry`);
  await stopCandidate(a);
  b.lease.hurry();
  await base.advance(3_300);
  assert.equal(b.lease.isLeader, true);
  await stopCandidate(b);
});

Deno.test("LeaseCandidate looks at once when it is woken, and says who leads", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const clock = new MachineClock(base, { rate: 1, offsetMs: 0 });
  const a = startCandidate("a", { store, clock, random });
  await settle();
  const b = startCandidate("b", { store, clock, random });
  await settle();
  assert.deepEqual([a.lease.holder, b.lease.holder], ["a", "a"]);
  await stopCandidate(a);
  assert.equal(b.lease.isLeader, false);
  b.lease.wake();
  await settle();
  assert.deepEqual([b.lease.isLeader, b.lease.holder], [true, "b"]);
  await stopCandidate(b);
});

Deno.test("LeaseCandidate leads where the leader died, without any hurry", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const clock = new MachineClock(base, { rate: 1, offsetMs: 0 });
  const dead = new MachineClock(base, { rate: 1, offsetMs: 0 });
  const a = startCandidate("a", { store, clock: dead, random });
  await settle();
  const b = startCandidate("b", { store, clock, random, lookMs: 60_000 });
  await base.advance(20_000);
  dead.pause();
  await base.advance(180_000);
  assert.equal(b.lease.isLeader, true);
  dead.resume();
  await base.advance(20_000);
  await stopCandidate(a);
  await stopCandidate(b);
});

Deno.test("LeaseCandidate stops its work well before another leads", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const clock = new MachineClock(base, { rate: 1, offsetMs: 0 });
  let cut = false;
  const unreachable = {
    get: (...args: Parameters<ObjectStore["get"]>) => cut ? silent(args[2]) : store.get(...args),
    create: (...args: Parameters<ObjectStore["create"]>) => store.create(...args),
    replace: (...args: Parameters<ObjectStore["replace"]>) =>
      cut ? silent(args[2]) : store.replace(...args),
  } as unknown as ObjectStore;
  async function silent(
    { signal, timeoutMs = 1_000 }: {
      readonly signal: AbortSignal;
      readonly timeoutMs?: number | undefined;
    },
  ): Promise<unknown> {
    await base.sleep(timeoutMs, { signal });
    return { ok: false, error: { code: "timeout", message: "no answer", outcomeUnknown: true } };
  }
  const a = startCandidate("a", { store: unreachable, clock, random });
  await settle();
  const b = startCandidate("b", { store, clock, random });
  await base.advance(20_000);
  cut = true;
  let lostMs: number | undefined;
  let takenMs: number | undefined;
  for (let ms = 0; takenMs === undefined; ms += 50) {
    await base.advance(50);
    if (a.fence?.aborted === true) lostMs ??= ms;
    if (b.lease.isLeader) takenMs = ms;
    assert.ok(ms < 60_000, "b leads in the end");
  }
  assert.ok(a.fence?.reason instanceof LeadershipLost);
  assert.match(String(a.fence?.reason), /Lost the Lease "controller": /);
  assert.ok(lostMs !== undefined && takenMs - lostMs >= 4_900, `${lostMs} ${takenMs}`);
  cut = false;
  await stopCandidate(b);
  await base.advance(20_000);
  assert.equal(a.terms, 2, "it stands again");
  await stopCandidate(a);
});

Deno.test("LeaseCandidate ends with its work, and throws what it threw", async () => {
  const base = new ManualClock();
  const random = seededRandom(1);
  using store = openMemoryStore({ clock: base, random });
  const lease = new LeaseCandidate({ store, clock: base, random, key: KEY, identity: "a" });
  await lease.run({ signal: never, work: () => Promise.resolve() });
  const given = expectOk(await store.get(LEASES, KEY, { signal: never }), "it is there");
  assert.equal(given.spec?.holderIdentity, undefined);
  const run = lease.run({ signal: never, work: () => Promise.reject(new Error("a bug")) });
  await assert.rejects(run, /a bug/);
});

Deno.test("property: no two lead at a time, whatever is lost, late, skewed or paused", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const random = seededRandom(seed);
    const base = new ManualClock();
    using store = openMemoryStore({ clock: base, random });
    const faults = { on: true };
    const candidates = ["a", "b", "c"].map((name) => {
      const rate = 0.95 + random.fraction() / 10;
      const clock = new MachineClock(base, { rate, offsetMs: random.below(1_000_000) });
      const own = seededRandom(seed * 100 + name.charCodeAt(0));
      const way = faulty(store, { random: own, base, machine: clock, faults });
      return startCandidate(name, { store: way, clock, random: own });
    });
    for (let step = 0; step < 400; step++) {
      await base.advance(400);
      const leading = candidates.filter(({ lease }) => lease.isLeader);
      assert.ok(leading.length <= 1, `seed ${seed}, step ${step}: ${leading.map((c) => c.name)}`);
      for (const candidate of candidates) {
        if (!candidate.clock.isPaused && !candidate.lease.isLeader) {
          const stopped = candidate.fence?.aborted ?? true;
          assert.ok(stopped, `seed ${seed}, step ${step}: ${candidate.name} still works`);
        }
        const { isCut } = candidate.clock;
        if (random.below(isCut ? 60 : 150) === 0) candidate.clock.isCut = !isCut;
        if (random.below(250) === 0) candidate.clock.pause();
        else if (random.below(40) === 0) candidate.clock.resume();
      }
    }
    faults.on = false;
    for (const { clock } of candidates) {
      clock.isCut = false;
      clock.resume();
    }
    await base.advance(60_000);
    assert.equal(candidates.filter(({ lease }) => lease.isLeader).length, 1, `seed ${seed}`);
    const stopping = Promise.all(candidates.map(stopCandidate));
    for (let round = 0; round < 5; round++) await base.advance(20_000);
    await stopping;
  }
});
