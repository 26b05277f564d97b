import assert from "node:assert/strict";
import { AdmissionWorld, requestOf } from "../../../tests/support/admission_world.ts";
import { poolOf } from "../../../tests/support/pool_objects.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { expectOk } from "../../base/result.ts";
import { formatObjectName, parseAddress } from "../../ip/mod.ts";
import { newHold } from "../../ipam/lending/holds.ts";
import { judgeReview } from "./judge.ts";
import type { RawObject } from "./rules/kind_rules.ts";

function raw(object: unknown): RawObject {
  return JSON.parse(JSON.stringify(object));
}

/** A pool as its user writes it: nobody has adopted it yet. */
function written(init: Parameters<typeof poolOf>[0] = {}): SpiderIpPool {
  const { status: _status, ...pool } = poolOf({ adopted: false, ...init });
  const { uid: _uid, ...metadata } = pool.metadata;
  return { ...pool, metadata };
}

function spiderIp(ip: string, { pool = "p1", pod = "web-0" } = {}) {
  const address = expectOk(parseAddress(ip), "it is an address");
  return expectOk(
    SPIDER_IPS.parse({
      metadata: {
        name: formatObjectName(address),
        labels: { "ipam.spidernet.io/ippool": pool },
      },
      spec: { ip, pool, podNamespace: "default", podName: pod, podUID: `uid-${pod}`, nic: "eth0" },
    }),
    "it is a SpiderIP",
  );
}

function subnet(name: string) {
  return expectOk(
    SPIDER_SUBNETS.parse({
      metadata: { name },
      spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.2-10.6.0.99"], gateway: "10.6.0.1" },
    }),
    "it is a subnet",
  );
}

Deno.test("a pool that shares addresses with another one is refused with both names", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  await world.stored(written({ name: "old" }));
  const object = raw(written({ name: "new", ips: ["10.6.0.15-10.6.0.30"] }));
  const refusal = 'SpiderIPPool "new": Cannot use spec.ips "10.6.0.15-10.6.0.19": SpiderIPPool ' +
    '"old" has these addresses too; leave them out of one of the two';
  const verdict = await world.review("validate", object);
  assert.deepEqual(verdict, {
    allowed: false,
    status: 422,
    message: refusal,
    causes: [{
      reason: "FieldValueForbidden",
      field: "spec.ips",
      message: 'Forbidden: "10.6.0.15-10.6.0.19": SpiderIPPool "old" has these addresses too; ' +
        "leave them out of one of the two",
    }],
    warnings: [],
  });
});

Deno.test("the second of two pools applied together is refused", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  assert.equal(await world.said("validate", raw(written({ name: "one" }))), "admitted");
  const second = raw(written({ name: "two" }));
  assert.equal(await world.said("validate", second), "admitted", "the first was never stored");
  await world.stored(written({ name: "one" }));
  assert.match(await world.said("validate", second), /SpiderIPPool "one" has these addresses too/);
});

Deno.test("a pool that is only known from the copy is in nobody's way", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  await world.stored(written({ name: "old" }));
  world.reads = "unavailable";
  const object = raw(written({ name: "new" }));
  assert.equal(
    await world.said("validate", object),
    'Cannot check SpiderIPPool "new" against others: Cannot reach the API server: connection ' +
      "refused; try again",
  );
  const apart = raw(written({ name: "new", subnet: "10.7.0.0/16", ips: ["10.7.0.5"] }));
  assert.equal(await world.said("validate", apart), "admitted", "the copy says that it is apart");
});

Deno.test("with nothing readable a review fails with a sentence, in time", async () => {
  await using world = new AdmissionWorld();
  world.reads = "unavailable";
  const verdict = await world.review("validate", raw(written()));
  assert.equal(verdict.allowed, false);
  assert.equal(verdict.status, 503);
  world.reads = "hang";
  const late = new AbortController();
  const review = world.review("validate", raw(written()), { signal: late.signal });
  const reason = new Error("too late");
  late.abort(reason);
  await assert.rejects(review, reason);
});

Deno.test("addresses that pods use stay in their pool, and the pod is named", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const previous = raw(await world.stored(written()));
  await world.stored(spiderIp("10.6.0.19"));
  await world.stored(spiderIp("10.6.0.12", { pod: "web-1" }));
  const less = raw(written({ ips: ["10.6.0.10-10.6.0.18"], excludeIPs: ["10.6.0.12"] }));
  assert.equal(
    await world.said("validate", less, { previous }),
    'SpiderIPPool "p1": Cannot use spec.excludeIPs: it takes away "10.6.0.12", which pod ' +
      '"default/web-1" (NIC "eth0") uses; keep the address until that has ended. Cannot use ' +
      'spec.ips: it leaves out "10.6.0.19", which pod "default/web-0" (NIC "eth0") uses; keep ' +
      "the address until that has ended",
  );
  const unused = raw(written({ ips: ["10.6.0.12-10.6.0.19"] }));
  assert.equal(await world.said("validate", unused, { previous }), "admitted");
});

Deno.test("of many addresses that are taken away those in use are found", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const ips = ["10.6.0.0-10.6.255.255"];
  const previous = raw(await world.stored(written({ ips })));
  for (let last = 1; last <= 9; last++) {
    await world.stored(spiderIp(`10.6.9.${last}`, { pod: `web-${last}` }));
  }
  await world.stored(spiderIp("10.6.8.8", { pool: "other" }));
  const said = await world.said("validate", raw(written({ ips: ["10.6.0.0-10.6.0.9"] })), {
    previous,
  });
  assert.equal(said.match(/it leaves out/g)?.length, 5);
  assert.match(said, /4 more addresses are in use; keep them too$/);
  assert.doesNotMatch(said, /10\.6\.8\.8/);
});

Deno.test("what a pool gives back may be taken away from it, few addresses or many", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const previous = raw(await world.stored(written({ ips: ["10.6.0.10-10.6.0.99"] })));
  for (let last = 20; last <= 99; last++) {
    const address = expectOk(parseAddress(`10.6.0.${last}`), "an address");
    await world.stored(newHold({ pool: "p1", address }));
  }
  for (const ips of [["10.6.0.10-10.6.0.95"], ["10.6.0.10-10.6.0.19"]]) {
    assert.equal(await world.said("validate", raw(written({ ips })), { previous }), "admitted");
  }
  await world.stored(spiderIp("10.6.0.19"));
  const less = raw(written({ ips: ["10.6.0.10-10.6.0.18"] }));
  assert.match(await world.said("validate", less, { previous }), /"10\.6\.0\.19", which pod/);
  assert.match(
    await world.said("validate", raw(previous), { operation: "DELETE" }),
    /in use is given back: "10\.6\.0\.19" of pod "default\/web-0" \(NIC "eth0"\)$/,
  );
});

Deno.test("a deletion says what it waits for, or is refused", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const pool = raw(await world.stored(written()));
  assert.equal(await world.said("validate", pool, { operation: "DELETE" }), "admitted");
  await world.stored(spiderIp("10.6.0.12"));
  assert.equal(
    await world.said("validate", pool, { operation: "DELETE" }),
    'admitted; SpiderIPPool "p1" gives out nothing more, and stays until what is in use is given ' +
      'back: "10.6.0.12" of pod "default/web-0" (NIC "eth0")',
  );
  world.reads = "unavailable";
  assert.equal(await world.said("validate", pool, { operation: "DELETE" }), "admitted");

  await using strict = new AdmissionWorld({ refuseDeletionInUse: true });
  await strict.stored(spiderIp("10.6.0.12"));
  const verdict = await strict.review("validate", pool, { operation: "DELETE" });
  assert.deepEqual(verdict, {
    allowed: false,
    status: 403,
    message: 'Cannot delete SpiderIPPool "p1": in use are "10.6.0.12" of pod "default/web-0" ' +
      '(NIC "eth0"); delete these first, or write "enableValidatingResourcesDeletedWebhook: ' +
      'false" into the ConfigMap "spiderpool-conf" and restart the controller',
  });
  const lent = { controlledIPPools: '{"web":{"ips":["10.6.0.5"]},"none":{"ips":[]}}' };
  const inUse = raw({ ...subnet("s"), status: lent });
  assert.match(
    await strict.said("validate", inUse, { operation: "DELETE" }),
    /^Cannot delete SpiderSubnet "s": in use are addresses of SpiderIPPool "web"; delete/,
  );
});

Deno.test("a pool is given to a subnet that exists, never to an expected one", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const expected = raw({ ...subnet("s"), metadata: { name: "s", uid: "u" } });
  assert.equal(await world.said("validate", expected), "admitted");
  const pool = raw(written({ ips: ["10.6.0.10"] }));
  const alone = await world.review("mutate", pool);
  assert.ok(alone.allowed);
  assert.ok(!alone.patch?.some(({ path }) => path.includes("ownerReferences")));

  const { uid } = (await world.stored(subnet("s"))).metadata;
  const owned = await world.review("mutate", pool);
  assert.ok(owned.allowed);
  const added = owned.patch?.map(({ path }) => path);
  assert.deepEqual(added, [
    "/metadata/labels",
    "/metadata/finalizers",
    "/metadata/ownerReferences",
    "/spec/ipVersion",
    "/spec/gateway",
  ]);
  assert.match(JSON.stringify(owned.patch), new RegExp(`"uid":"${uid}"`));
});

Deno.test("a pool of a subnet stays inside it", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const { uid = "" } = (await world.stored(subnet("s"))).metadata;
  const owner = { kind: "SpiderSubnet", apiVersion: "a/b", name: "s", uid, controller: true };
  const metadata = { ownerReferences: [owner] };
  const pool = raw(written({ ips: ["10.6.0.98-10.6.0.101"], metadata }));
  assert.match(
    await world.said("validate", pool),
    /: Cannot use spec\.ips "10\.6\.0\.100-10\.6\.0\.101": SpiderSubnet "s" does not have these/,
  );
  const orphan = raw(written({ metadata: { ownerReferences: [{ ...owner, name: "t" }] } }));
  assert.match(await world.said("validate", orphan), /SpiderSubnet "t", .* does not exist; create/);
});

Deno.test("what else there is counts for subnets, coordinators, reserved ones", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  await world.stored(subnet("s"));
  assert.match(
    await world.said("validate", raw(subnet("t"))),
    /: Cannot use spec\.subnet "10\.6\.0\.0\/16": SpiderSubnet "s" has this network; add/,
  );
  const coordinator = {
    kind: "SpiderCoordinator",
    metadata: { name: "second" },
    spec: { podCIDRType: "auto" },
  };
  assert.equal(
    await world.said("validate", coordinator),
    'admitted; SpiderCoordinator "second" is not looked at: only "default" is kept up to date; ' +
      "change that one instead",
  );
  await world.stored(spiderIp("10.6.0.12"));
  const reserved = {
    kind: "SpiderReservedIP",
    metadata: { name: "r" },
    spec: { ips: ["10.6.0.12"] },
  };
  assert.equal(
    await world.said("validate", reserved),
    'admitted; in use are "10.6.0.12" of pod "default/web-0" (NIC "eth0"): pods keep what they ' +
      "have until they end",
  );
});

Deno.test("two networks do not keep one NetworkAttachmentDefinition", async () => {
  await using world = new AdmissionWorld();
  const spec = { cniType: "custom" };
  const metadata = {
    name: "a",
    namespace: "default",
    annotations: { "multus.spidernet.io/cr-name": "net" },
  };
  const kind = "SpiderMultusConfig";
  const apiVersion = "spiderpool.spidernet.io/v2beta1";
  await world.stored({ apiVersion, kind, metadata, spec });
  const second = { kind, metadata: { name: "net", namespace: "default" }, spec };
  assert.equal(
    await world.said("validate", second),
    'SpiderMultusConfig "default/net": Cannot use metadata.name "net": ' +
      'NetworkAttachmentDefinition "net" of this namespace is kept by SpiderMultusConfig "a"; ' +
      "choose another name",
  );
  const unnamed = { ...second, metadata: { generateName: "net-", namespace: "default" } };
  assert.match(
    await world.said("mutate", { ...unnamed, spec: { cniType: "bridge" } }),
    /^a new SpiderMultusConfig: Cannot use spec\.cniType "bridge": write "macvlan", /,
  );
  const elsewhere = { kind, metadata: { name: "net", namespace: "other" }, spec };
  assert.equal(await world.said("validate", elsewhere), "admitted");
  await world.stored({
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: elsewhere.metadata,
  });
  assert.equal(
    await world.said("validate", elsewhere),
    'admitted; NetworkAttachmentDefinition "net" of this namespace was made by somebody else and ' +
      "stays as it is; delete it, and it is made anew",
  );
});

Deno.test("judgeReview() lets foreign kinds through and refuses what it cannot know", async () => {
  await using world = new AdmissionWorld();
  const judge = world.judges.get("spiderippool");
  assert.ok(judge !== undefined);
  const { signal } = new AbortController();
  const options = { judge, question: "validate", signal } as const;
  const request = requestOf(raw(written({ subnet: "x" })));
  assert.deepEqual(
    await judgeReview({ ...request, group: "", kind: "Pod", version: "v1" }, options),
    {
      allowed: true,
      warnings: ["Spiderpool has no rule for Pod.v1: its webhook configuration names too much"],
    },
  );
  assert.deepEqual(await judgeReview({ ...request, version: "v9" }, options), {
    allowed: false,
    status: 400,
    message: "Cannot judge SpiderIPPool.v9.spiderpool.spidernet.io: this webhook is for " +
      "SpiderIPPool.v2beta1; correct the webhook configuration",
  });
  assert.deepEqual(await judgeReview({ ...request, subResource: "status" }, options), {
    allowed: true,
  });
  assert.equal((await judgeReview(request, options)).allowed, false);
  const empty = await judgeReview({ ...request, object: undefined }, options);
  assert.equal(empty.allowed, false);
});
