import assert from "node:assert/strict";
import { type Lease, LEASES } from "../../src/api/kubernetes/lease.ts";
import { NAMESPACES } from "../../src/api/kubernetes/node.ts";
import { SPIDER_IPS, type SpiderIp } from "../../src/api/spider_ip.ts";
import { WATCH_BOOKMARK_MS } from "../../src/base/limits.ts";
import type { StoreResult, WatchEvent } from "../../src/base/object_store.ts";
import { expectOk } from "../../src/base/result.ts";
import { seededRandom } from "../../src/base/random.ts";
import { ApiClient } from "./api_client.ts";
import { ApiServer } from "./api_server.ts";
import { Control } from "./control.ts";
import { Dice } from "./dice.ts";
import { CALM, type Faults } from "./faults.ts";
import { Life } from "./life.ts";
import { Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

const never = new AbortController().signal;
const key = { namespace: "one", name: "lease" };
const lease: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key };

/** A server with one namespace and one client. */
class World {
  readonly scheduler = new Scheduler();
  readonly server: ApiServer;
  readonly control: Control;
  readonly life = new Life();
  readonly link = { isCut: false };
  readonly client: ApiClient;

  constructor(faults: Partial<Faults> = {}) {
    const { scheduler, life, link } = this;
    const dice = new Dice(seededRandom(5));
    this.server = new ApiServer({ scheduler, trace: new Trace(scheduler), dice });
    this.control = new Control(this.server, "test");
    const metadata = { name: "one", finalizers: ["test/kept"] };
    this.control.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata });
    this.server.faults = { ...CALM, ...faults };
    this.client = new ApiClient(this.server, { life, name: "client", dice, link });
  }

  /** Runs until a call has ended. */
  async done<T>(call: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    call.then(over, over);
    for (let step = 0; step < 100_000 && !isOver; step++) await this.scheduler.step();
    assert.equal(isOver, true, "the call ends");
    return await call;
  }

  create(): Promise<StoreResult<Lease>> {
    return this.done(this.client.create(LEASES, lease, { signal: never }));
  }

  get isStored(): boolean {
    return this.control.get(LEASES, key) !== undefined;
  }

  /** Follows a watch in the background. */
  follow(resourceVersion?: string): { readonly events: WatchEvent<Lease>[]; isOver: boolean } {
    const seen: { readonly events: WatchEvent<Lease>[]; isOver: boolean } = {
      events: [],
      isOver: false,
    };
    const watch = this.client.watch(LEASES, { signal: never, resourceVersion });
    (async () => {
      for await (const event of watch) seen.events.push(event);
      seen.isOver = true;
    })();
    return seen;
  }
}

function codeOf<T>(result: StoreResult<T>): unknown {
  if (result.ok) return "ok";
  const { code } = result.error;
  return "outcomeUnknown" in result.error ? [code, result.error.outcomeUnknown] : code;
}

Deno.test("a refused connection does nothing and says so", async () => {
  const world = new World({ refused: 1 });
  assert.deepEqual(codeOf(await world.create()), ["unavailable", false]);
  assert.equal(world.isStored, false);
});

Deno.test("a lost request does nothing, and its outcome is unknown", async () => {
  const world = new World({ lostRequest: 1 });
  const codes = new Set<string>();
  for (let round = 0; round < 20; round++) codes.add(String(codeOf(await world.create())));
  assert.deepEqual([...codes].sort(), ["timeout,true", "unavailable,true"]);
  await world.scheduler.runUntil(world.scheduler.nowMs + 100_000);
  assert.equal(world.isStored, false);
});

Deno.test("a lost answer is a write that happened, and its outcome is unknown", async () => {
  const world = new World({ lostAnswer: 1 });
  assert.equal(String(codeOf(await world.create())).endsWith(",true"), true);
  assert.equal(world.isStored, true);
});

Deno.test("a late commit happens after the client was told that it is unknown", async () => {
  const world = new World({ lateCommit: 1, lateMsMax: 50_000 });
  assert.deepEqual(codeOf(await world.create()), ["timeout", true]);
  const atTimeout = world.isStored;
  await world.scheduler.runUntil(world.scheduler.nowMs + 60_000);
  assert.deepEqual([atTimeout, world.isStored], [false, true]);
});

Deno.test("a gateway's timeout says nothing: the write is there, or not", async () => {
  const stored = new Set<boolean>();
  const world = new World({ gatewayTimeout: 1 });
  for (let round = 0; round < 20; round++) {
    world.control.remove(LEASES, key);
    assert.deepEqual(codeOf(await world.create()), ["timeout", true]);
    stored.add(world.isStored);
  }
  assert.deepEqual(stored, new Set([true, false]));
});

Deno.test("429, 403 and 422 do nothing", async () => {
  for (const fault of ["throttled", "forbidden", "invalid"] as const) {
    const world = new World({ [fault]: 1 });
    const result = await world.create();
    assert.equal(codeOf(result), fault);
    assert.equal(world.isStored, false);
    if (!result.ok && result.error.code === "throttled") {
      assert.ok(result.error.retryAfterMs >= 1_000);
    }
  }
});

Deno.test("a slow server lets a client's time run out, and writes all the same", async () => {
  const latency = { leastMs: 300, mostMs: 400, slow: 0, slowestMs: 400 };
  const world = new World({ latency });
  const call = world.client.create(LEASES, lease, { signal: never, timeoutMs: 200 });
  assert.deepEqual(codeOf(await world.done(call)), ["timeout", true]);
  assert.equal(world.isStored, false);
  await world.scheduler.runUntil(1_000);
  assert.equal(world.isStored, true);
});

Deno.test("a cancelled request rejects with the reason; what was sent still happens", async () => {
  const world = new World();
  const controller = new AbortController();
  const call = world.client.create(LEASES, lease, { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  await assert.rejects(call, /no longer wanted/);
  await world.scheduler.runUntil(1_000);
  assert.equal(world.isStored, true);
});

Deno.test("a client whose life is over hears nothing and sends nothing", async () => {
  const world = new World();
  let heard = 0;
  const hear = (): void => {
    heard++;
  };
  world.client.create(LEASES, lease, { signal: never }).then(hear, hear);
  const seen = world.follow();
  world.life.end();
  const late = { ...lease, metadata: { ...key, name: "late" } };
  world.client.create(LEASES, late, { signal: never }).then(hear, hear);
  await world.scheduler.runUntil(100_000);
  assert.equal(heard, 0);
  assert.deepEqual(seen, { events: [], isOver: false });
  assert.equal(world.isStored, true, "what was sent before may happen");
  assert.equal(world.control.get(LEASES, late.metadata), undefined);
});

Deno.test("a cut link lets nothing be heard", async () => {
  const world = new World();
  world.link.isCut = true;
  for (let round = 0; round < 5; round++) {
    assert.equal(String(codeOf(await world.create())).endsWith(",true"), true);
  }
});

Deno.test("a restart breaks what is open; connections are refused until it is over", async () => {
  const world = new World({ latency: { leastMs: 50, mostMs: 60, slow: 0, slowestMs: 60 } });
  const seen = world.follow();
  await world.scheduler.runUntil(100);
  const call = world.client.create(LEASES, lease, { signal: never });
  world.server.restart(5_000);
  assert.deepEqual(codeOf(await world.done(call)), ["unavailable", true]);
  assert.deepEqual(codeOf(await world.create()), ["unavailable", false]);
  await world.scheduler.runUntil(6_000);
  assert.equal(seen.isOver, true);
  assert.equal(world.isStored, false);
  assert.equal(codeOf(await world.create()), "ok");
});

Deno.test("a busy server answers everything with 429", async () => {
  const world = new World();
  world.server.throttle(1_000);
  assert.equal(codeOf(await world.create()), "throttled");
  await world.scheduler.runUntil(1_100);
  assert.equal(codeOf(await world.create()), "ok");
});

Deno.test("a read from the cache shows the past, and a quorum read the present", async () => {
  const world = new World({
    cacheLag: { leastMs: 2_000, mostMs: 2_001, slow: 0, slowestMs: 2_001 },
  });
  const read = async (notOlderThan?: string): Promise<unknown> => {
    return codeOf(await world.done(world.client.get(LEASES, key, { signal: never, notOlderThan })));
  };
  assert.equal(await read("0"), "not_found");
  const stored = expectOk(await world.create(), "nothing goes wrong");
  assert.equal(await read("0"), "not_found");
  assert.equal(await read(), "ok");
  const { items } = expectOk(
    await world.done(world.client.list(LEASES, { signal: never, notOlderThan: "0" })),
    "a cache answers",
  );
  assert.deepEqual(items, []);
  const startedMs = world.scheduler.nowMs;
  assert.equal(
    await read(stored.metadata.resourceVersion),
    "ok",
    "it waits until it is fresh enough",
  );
  assert.ok(world.scheduler.nowMs - startedMs > 1_000);
  assert.equal(await read("0"), "ok");
});

Deno.test("a cache that does not become fresh enough in 3 s is a timeout", async () => {
  const world = new World({
    cacheLag: { leastMs: 9_000, mostMs: 9_001, slow: 0, slowestMs: 9_001 },
  });
  const options = { signal: never, notOlderThan: "0" };
  await world.done(world.client.get(LEASES, key, options));
  const stored = expectOk(await world.create(), "nothing goes wrong");
  const notOlderThan = stored.metadata.resourceVersion;
  const read = world.client.get(LEASES, key, { signal: never, notOlderThan });
  assert.deepEqual(codeOf(await world.done(read)), ["timeout", false]);
});

Deno.test("two writers of one version: one of them is in conflict", async () => {
  const world = new World();
  const stored = expectOk(await world.create(), "nothing goes wrong");
  const edit = (holderIdentity: string): Promise<StoreResult<Lease>> => {
    return world.client.replace(LEASES, { ...stored, spec: { holderIdentity } }, { signal: never });
  };
  const results = await world.done(Promise.all([edit("a"), edit("b")]));
  assert.deepEqual(results.map(codeOf).sort(), ["conflict", "ok"]);
});

Deno.test("a watch shows every change in order, late, and ends by itself", async () => {
  const world = new World({
    watchDelay: { leastMs: 500, mostMs: 900, slow: 0, slowestMs: 900 },
    watchMsMin: 20_000,
    watchMsMax: 30_000,
  });
  const seen = world.follow();
  await world.scheduler.runUntil(1_000);
  world.control.create(LEASES, lease);
  for (const holderIdentity of ["a", "b", "c"]) {
    world.control.change(LEASES, key, (now) => ({ ...now, spec: { holderIdentity } }));
  }
  await world.scheduler.runUntil(1_400);
  assert.deepEqual(seen.events.map(({ type }) => type), ["synced"]);
  await world.scheduler.runUntil(3_000);
  const holders = seen.events.slice(1).map((event) => {
    return event.type === "added" || event.type === "modified"
      ? event.object.spec?.holderIdentity
      : "";
  });
  assert.deepEqual(holders, [undefined, "a", "b", "c"]);
  assert.equal(seen.isOver, false);
  await world.scheduler.runUntil(40_000);
  assert.equal(seen.isOver, true);
});

Deno.test("a watch may fall silent without an end", async () => {
  const world = new World({ watchStalls: 1 });
  const seen = world.follow();
  await world.scheduler.runUntil(1_000);
  world.control.create(LEASES, lease);
  await world.scheduler.runUntil(10 * WATCH_BOOKMARK_MS);
  assert.deepEqual([seen.events.length, seen.isOver], [1, false]);
});

Deno.test("a watch from before a compaction is gone", async () => {
  const world = new World();
  const before = String(world.server.engine.revision);
  world.control.create(LEASES, lease);
  await world.scheduler.runUntil(6_000); // Nothing is forgotten that a cache still needs.
  world.server.compact();
  const seen = world.follow(before);
  await world.scheduler.runUntil(7_000);
  const [event] = seen.events;
  assert.equal(event?.type === "failed" && event.error.code, "gone");
  assert.equal(seen.isOver, true);
});

Deno.test("caches of two kinds show changes in another order than they happened", async () => {
  const world = new World({ cacheLag: { leastMs: 0, mostMs: 1_000, slow: 0, slowestMs: 1_000 } });
  const { server, control } = world;
  let reordered = 0;
  for (let round = 0; round < 30; round++) {
    const [leases, claims] = [server.cache(LEASES, 0), server.cache(SPIDER_IPS, 0)];
    const first = control.create(LEASES, { ...lease, metadata: { ...key, name: `l${round}` } });
    const second = control.create(SPIDER_IPS, claimOf(`10.0.0.${round}`));
    await world.scheduler.runUntil(world.scheduler.nowMs + 500);
    const showsFirst = leases.appliedRevision >= Number(first?.metadata.resourceVersion);
    const showsSecond = claims.appliedRevision >= Number(second?.metadata.resourceVersion);
    if (showsSecond && !showsFirst) reordered++;
    await world.scheduler.runUntil(world.scheduler.nowMs + 2_000);
  }
  assert.ok(reordered > 0, "it happens");
});

Deno.test("a namespace that is being deleted takes nothing new, finally", async () => {
  const world = new World();
  world.control.remove(NAMESPACES, { name: "one" });
  const result = await world.create();
  assert.equal(
    !result.ok && result.error.code === "forbidden" && result.error.namespaceTerminating,
    true,
  );
});

Deno.test("the rules of the definitions hold: an alias of an address is refused", async () => {
  const world = new World();
  const alias = { ...claimOf("fd00::1"), metadata: { name: "fd00--1" } };
  const refused = await world.done(world.client.create(SPIDER_IPS, alias, { signal: never }));
  assert.equal(codeOf(refused), "invalid");
});

Deno.test("serverTimeMs() is the time of the last answer, in whole seconds", async () => {
  const world = new World();
  assert.equal(world.client.serverTimeMs(), undefined);
  await world.scheduler.runUntil(12_345);
  await world.create();
  assert.equal(world.client.serverTimeMs(), Date.UTC(2026, 0, 1, 0, 0, 12));
});

function claimOf(ip: string): SpiderIp {
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIP",
    metadata: { name: ip },
    spec: { ip, pool: "p", podNamespace: "one", podName: "a", podUID: "u" },
  };
}
