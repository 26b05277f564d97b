import assert from "node:assert/strict";
import fc from "fast-check";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { parseApplication } from "../../api/subnet_records.ts";
import { expectOk } from "../../base/result.ts";
import { poolOf } from "../applications.ts";
import type { TopController } from "../top_controller.ts";
import {
  applicationOfPool,
  type ApplicationWish,
  applicationWish,
  matchWishes,
  poolToMake,
  recordedApplication,
  withWish,
} from "./wishes.ts";

const SUBNET = expectOk(
  SPIDER_SUBNETS.parse({
    metadata: { name: "s", uid: "uid-of-s" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"] },
  }),
  "a subnet",
);

function wishOf(
  application: Partial<TopController>,
  { count = 3, nic = "eth0", reclaim = true }: {
    readonly count?: number;
    readonly nic?: string;
    readonly reclaim?: boolean;
  } = {},
): ApplicationWish {
  const controller = {
    ...{ apiVersion: "apps/v1", kind: "Deployment", namespace: "default", name: "web", uid: "u-1" },
    ...application,
  };
  return applicationWish({
    identity: { application: controller, nic, version: 4, subnet: "s" },
    number: { kind: "fixed", count },
    reclaim,
    count,
  });
}

function made(wish: ApplicationWish): SpiderIpPool {
  const pool = poolToMake(wish, { subnet: SUBNET, ips: ["10.6.0.10"] });
  return expectOk(SPIDER_IP_POOLS.parse(pool), "a pool that the server would take");
}

const ALL = { isOwn: () => true };

Deno.test("matchWishes() finds pools, tells those to make, and waits for a name", () => {
  const [web, other, ending] = [wishOf({}), wishOf({ uid: "u-2" }), wishOf({ name: "ending" })];
  const terminating = made(ending);
  const pools = new Map([
    [web.pool.name, made(web)],
    [ending.pool.name, {
      ...terminating,
      metadata: { ...terminating.metadata, deletionTimestamp: "2026-11-28T00:00:00Z" },
    }],
  ]);
  const match = matchWishes([web, other, ending], { pools, ...ALL });
  assert.deepEqual([...match.made], [[web.pool.name, web]]);
  assert.deepEqual([...match.missing.keys()], [other.pool.name]);
  const none = matchWishes([web], { pools, isOwn: () => false });
  assert.deepEqual([none.made.size, none.missing.size], [0, 0]);
});

Deno.test("poolToMake() and applicationOfPool() keep names of any length", () => {
  const long = "a".repeat(253);
  const wish = wishOf({ name: long, apiVersion: "games.example.com/v1", kind: "Game" });
  const pool = made(wish);
  assert.ok(pool.metadata.name.length <= 253, pool.metadata.name);
  for (const value of Object.values(pool.metadata.labels ?? {})) assert.ok(value.length <= 63);
  const application = applicationOfPool(pool);
  assert.deepEqual(application, wish.identity.application);
  assert.deepEqual(
    expectOk(parseApplication(recordedApplication(wish.identity.application)), "an application"),
    { group: "games.example.com", version: "v1", kind: "Game", namespace: "default", name: long },
  );
  const core = wishOf({ apiVersion: "v1", kind: "ReplicationController" });
  assert.deepEqual(applicationOfPool(made(core)), core.identity.application);
  assert.equal(recordedApplication(core.identity.application).split("_").length, 4);
});

Deno.test("withWish() adds to what people wrote, and changes nothing twice", () => {
  const stays = made(wishOf({}, { reclaim: false }));
  const annotations = { ...stays.metadata.annotations, note: "mine" };
  const next = withWish(
    { ...stays, metadata: { ...stays.metadata, annotations } },
    wishOf({ uid: "u-2" }, { count: 7 }),
  );
  assert.deepEqual(next.metadata.annotations, {
    "ipam.spidernet.io/ippool-ip-number": "7",
    note: "mine",
  });
  assert.equal(next.metadata.labels?.["ipam.spidernet.io/owner-application-uid"], "u-2");
  assert.equal(next.metadata.labels?.["ipam.spidernet.io/ippool-reclaim"], "true");
  assert.equal(withWish(next, wishOf({ uid: "u-2" }, { count: 7 })), next);
});

const anyWish = fc.record({
  name: fc.constantFrom("a", "b"),
  uid: fc.constantFrom("u-1", "u-2"),
  nic: fc.constantFrom("eth0", "net1"),
  reclaim: fc.boolean(),
}).map(({ name, uid, nic, reclaim }) => wishOf({ name, uid }, { nic, reclaim }));

Deno.test("property: matchWishes() finds what a look at each pool does", () => {
  fc.assert(
    fc.property(fc.array(anyWish), fc.array(anyWish), (wishes, had) => {
      const pools = new Map(had.map((wish) => [wish.pool.name, made(wish)]));
      const { made: found, missing } = matchWishes(wishes, { pools, ...ALL });
      for (const wish of wishes) {
        const twin = poolOf(pools.values(), wish.identity);
        if (twin !== undefined) assert.ok(found.has(twin.metadata.name));
        else assert.ok(missing.has(wish.pool.name) && !pools.has(wish.pool.name));
      }
      assert.ok([...found.keys()].every((name) => pools.has(name)));
      assert.ok([...missing.keys()].every((name) => !pools.has(name)));
    }),
  );
});
