import assert from "node:assert/strict";
import { ANNOTATION_IP_NUMBER } from "../../api/annotations.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import type { Resource, StoredObject } from "../../base/object_store.ts";
import { expectOk } from "../../base/result.ts";
import { parseAddress } from "../../ip/mod.ts";
import { newClaim } from "../../ipam/claim.ts";
import { CONTROLLER_SETTINGS, ControllerRig } from "../../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";

const LATER_MS = 1_000;
/** Nobody has the addresses of these tests: reclaim would free them. */
const WITHOUT_PODS = {
  settings: { reclaim: { ...CONTROLLER_SETTINGS.reclaim, isOn: false } },
};

function subnetObject(spec: object = {}): object {
  return {
    metadata: { name: "s" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"], ...spec },
  };
}

/** A pool made for an application. @param number What it should have. */
function automatic(name: string, number: string, { ips = [] }: { ips?: string[] } = {}): object {
  return {
    metadata: {
      name,
      labels: { "ipam.spidernet.io/owner-application-name": name },
      annotations: { [ANNOTATION_IP_NUMBER]: number },
    },
    spec: { subnet: "10.6.0.0/16", ips },
    status: { truth: "SpiderIP" },
  };
}

function byHand(name: string, spec: object): object {
  return {
    metadata: { name, finalizers: [SPIDERPOOL_FINALIZER] },
    spec: { subnet: "10.6.0.0/16", ...spec },
    status: { truth: "SpiderIP" },
  };
}

function claimOf(ip: string, pool: string): SpiderIp {
  const address = expectOk(parseAddress(ip), "an address");
  const who = { podNamespace: "default", podName: "a", podUID: "u", endpointName: "a" };
  return newClaim({ pool, address }, { ...who, containerID: "c", nic: "eth0", node: "n1" });
}

function pool(rig: ControllerRig, name: string): Promise<SpiderIpPool> {
  return rig.read(SPIDER_IP_POOLS, { name });
}

function subnet(rig: ControllerRig): Promise<SpiderSubnet> {
  return rig.read(SPIDER_SUBNETS, { name: "s" });
}

/** What the record says. */
async function record(rig: ControllerRig): Promise<Readonly<Record<string, unknown>>> {
  const text = (await subnet(rig)).status?.controlledIPPools ?? "{}";
  const entries = Object.entries<{ ips: readonly string[] }>(JSON.parse(text));
  return Object.fromEntries(entries.map(([name, { ips }]) => [name, ips.join(",")]));
}

async function change<T extends StoredObject>(
  rig: ControllerRig,
  resource: Resource<T>,
  { name, edit }: { readonly name: string; readonly edit: (object: T) => T },
): Promise<void> {
  const stored = await rig.read(resource, { name });
  expectOk(await rig.store.replace(resource, edit(stored), { signal: rig.signal }), "changed");
}

function wish(rig: ControllerRig, name: string, number: string): Promise<void> {
  const edit = (stored: SpiderIpPool): SpiderIpPool => ({
    ...stored,
    metadata: { ...stored.metadata, annotations: { [ANNOTATION_IP_NUMBER]: number } },
  });
  return change(rig, SPIDER_IP_POOLS, { name, edit });
}

async function remove(
  rig: ControllerRig,
  resource: Resource<StoredObject>,
  name: string,
): Promise<void> {
  expectOk(await rig.store.remove(resource, { name }, { signal: rig.signal }), "removed");
}

async function isThere(
  rig: ControllerRig,
  resource: Resource<StoredObject>,
  name: string,
): Promise<boolean> {
  return (await rig.store.get(resource, { name }, { signal: rig.signal })).ok;
}

Deno.test("a pool of a person belongs to the subnet of its network, and is recorded", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, byHand("p", { ips: ["10.6.0.10-10.6.0.12"] }));
  await rig.make(SPIDER_IP_POOLS, byHand("strange", { subnet: "10.7.0.0/16" }));
  const routes = [{ dst: "10.9.0.0/16", gw: "10.6.0.2" }];
  await rig.make(SPIDER_SUBNETS, subnetObject({ gateway: "10.6.0.1", routes }));
  await rig.clock.advance(LATER_MS);
  const { metadata, spec } = await pool(rig, "p");
  const { uid, finalizers, labels } = (await subnet(rig)).metadata;
  assert.deepEqual(metadata.ownerReferences?.map(({ uid, controller }) => [uid, controller]), [
    [uid, true],
  ]);
  assert.equal(metadata.labels?.["ipam.spidernet.io/owner-spider-subnet"], "s");
  assert.deepEqual([spec.gateway, spec.routes], ["10.6.0.1", routes]);
  assert.deepEqual(finalizers, [SPIDERPOOL_FINALIZER]);
  assert.equal(labels?.["ipam.spidernet.io/subnet-cidr"], "10-6-0-0-16");
  assert.deepEqual(await record(rig), { p: "10.6.0.10-10.6.0.12" });
  const { totalIPCount, allocatedIPCount } = (await subnet(rig)).status ?? {};
  assert.deepEqual([totalIPCount, allocatedIPCount], [10, 3]);
  assert.equal((await pool(rig, "strange")).metadata.ownerReferences, undefined);

  const edit = (stored: SpiderIpPool): SpiderIpPool => ({
    ...stored,
    spec: { ...stored.spec, ips: ["10.6.0.12-10.6.0.13"] },
  });
  await change(rig, SPIDER_IP_POOLS, { name: "p", edit });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await record(rig), { p: "10.6.0.12-10.6.0.13" });
});

Deno.test("a pool whose status is written meanwhile becomes its subnet's own", async () => {
  let isOver = false;
  await using rig = await ControllerRig.start({
    ...WITHOUT_PODS,
    wrap: (store) => ({
      ...forwardingStore(store),
      replace: async (resource, object, options) => {
        if (!isOver && object.metadata.name === "p") {
          isOver = true;
          const { status, ...stored } = await pool(rig, "p");
          const counted = { ...stored, status: { ...status, totalIPCount: 7 } };
          expectOk(await rig.store.replaceStatus(SPIDER_IP_POOLS, counted, options), "written");
        }
        return await store.replace(resource, object, options);
      },
    }),
  });
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.clock.advance(LATER_MS);
  await rig.make(SPIDER_IP_POOLS, byHand("p", { ips: ["10.6.0.10"] }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual([isOver, await record(rig)], [true, { p: "10.6.0.10" }]);
});

Deno.test("wishes that come together are one write, and the pools follow", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.make(SPIDER_IPS, claimOf("10.6.0.11", "another"));
  await rig.clock.advance(LATER_MS);
  const before = (await subnet(rig)).metadata.resourceVersion;
  const records: unknown[] = [];
  const watching = (async () => {
    const options = { signal: rig.signal, resourceVersion: before };
    for await (const event of rig.store.watch(SPIDER_SUBNETS, options)) {
      if (event.type === "modified") records.push(event.object.status?.controlledIPPools);
    }
  })().catch(() => {});
  for (const name of ["a", "b", "c"]) await rig.make(SPIDER_IP_POOLS, automatic(name, "3"));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await pool(rig, "a")).spec.ips, ["10.6.0.10", "10.6.0.12-10.6.0.13"]);
  assert.deepEqual((await pool(rig, "b")).spec.ips, ["10.6.0.14-10.6.0.16"]);
  assert.deepEqual((await pool(rig, "c")).spec.ips, ["10.6.0.17-10.6.0.19"]);
  assert.equal(records.length, 1, JSON.stringify(records));
  void watching;
});

Deno.test("a pool gives back what no pod uses, and nobody gets it for a while", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject({ ips: ["10.6.0.10-10.6.0.14"] }));
  await rig.make(SPIDER_IP_POOLS, automatic("a", "5"));
  await rig.clock.advance(LATER_MS);
  await rig.make(SPIDER_IPS, claimOf("10.6.0.14", "a"));
  await rig.make(SPIDER_IP_POOLS, automatic("b", "2"));
  await wish(rig, "a", "2");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await pool(rig, "a")).spec.ips, ["10.6.0.10", "10.6.0.14"]);
  assert.deepEqual(await record(rig), { a: "10.6.0.10,10.6.0.14", b: "" });
  const held = await rig.read(SPIDER_IPS, { name: "10.6.0.12" });
  assert.deepEqual(held.spec, { ip: "10.6.0.12", pool: "a", hold: "shrink" });
  const told = (await rig.events()).map(({ reason, regarding }) => `${regarding?.name} ${reason}`);
  assert.ok(told.includes("b InsufficientAddresses"), String(told));
  assert.ok(told.includes("s InsufficientAddresses"), String(told));

  await rig.clock.advance(12_000);
  assert.equal(await isThere(rig, SPIDER_IPS, "10.6.0.12"), false);
  assert.deepEqual((await pool(rig, "b")).spec.ips, ["10.6.0.11-10.6.0.12"]);
});

Deno.test("a pool gives the rest back when its pods end", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.make(SPIDER_IP_POOLS, automatic("a", "2"));
  await rig.clock.advance(LATER_MS);
  for (const ip of ["10.6.0.10", "10.6.0.11"]) await rig.make(SPIDER_IPS, claimOf(ip, "a"));
  await wish(rig, "a", "0");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await pool(rig, "a")).spec.ips, ["10.6.0.10-10.6.0.11"]);
  await remove(rig, SPIDER_IPS, "10.6.0.10");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await pool(rig, "a")).spec.ips, ["10.6.0.11"]);
  await remove(rig, SPIDER_IPS, "10.6.0.11");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual([(await pool(rig, "a")).spec.ips, await record(rig)], [[], { a: "" }]);
});

Deno.test("a new leader gives pools what they are lent, and lets go what was held", async () => {
  await using rig = new ControllerRig(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, automatic("grew", "2"));
  await rig.make(SPIDER_IP_POOLS, automatic("shrank", "1", { ips: ["10.6.0.12"] }));
  const controlledIPPools = JSON.stringify({
    grew: { ips: ["10.6.0.10-10.6.0.11"], application: "apps_v1_Deployment_default_grew" },
    shrank: { ips: ["10.6.0.12-10.6.0.13"] },
  });
  await rig.make(SPIDER_SUBNETS, { ...subnetObject(), status: { controlledIPPools } });
  const hold = { ip: "10.6.0.13", pool: "shrank", hold: "shrink" };
  await rig.make(SPIDER_IPS, { metadata: { name: "10.6.0.13" }, spec: hold });
  await rig.startController("a");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await pool(rig, "grew")).spec.ips, ["10.6.0.10-10.6.0.11"]);
  assert.deepEqual((await pool(rig, "shrank")).spec.ips, ["10.6.0.12"]);
  assert.deepEqual(await record(rig), { grew: "10.6.0.10-10.6.0.11", shrank: "10.6.0.12" });
  assert.match((await subnet(rig)).status?.controlledIPPools ?? "", /Deployment_default_grew/);
  assert.equal(await isThere(rig, SPIDER_IPS, "10.6.0.13"), true);
  await rig.clock.advance(12_000);
  assert.equal(await isThere(rig, SPIDER_IPS, "10.6.0.13"), false);
});

Deno.test("a record that was lost is rebuilt before anything is lent", async () => {
  await using rig = new ControllerRig(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, automatic("a", "2", { ips: ["10.6.0.10-10.6.0.11"] }));
  await rig.make(SPIDER_IP_POOLS, automatic("b", "2"));
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.startController("a");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await record(rig), { a: "10.6.0.10-10.6.0.11", b: "10.6.0.12-10.6.0.13" });
});

Deno.test("a record goes after its pool; one never seen waits for late leaders", async () => {
  await using rig = new ControllerRig(WITHOUT_PODS);
  const controlledIPPools = JSON.stringify({ never: { ips: ["10.6.0.19"] } });
  await rig.make(SPIDER_SUBNETS, { ...subnetObject(), status: { controlledIPPools } });
  await rig.make(SPIDER_IP_POOLS, byHand("p", { ips: ["10.6.0.10"] }));
  await rig.startController("a");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await record(rig), { never: "10.6.0.19", p: "10.6.0.10" });
  await remove(rig, SPIDER_IP_POOLS, "p");
  await rig.clock.advance(10_000);
  assert.deepEqual(await record(rig), { never: "10.6.0.19" });
  await rig.clock.advance(70_000);
  assert.deepEqual(await record(rig), {});
});

Deno.test("what a person takes out of a pool is lent when agents know", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject({ ips: ["10.6.0.10-10.6.0.12"] }));
  await rig.make(SPIDER_IP_POOLS, byHand("p", { ips: ["10.6.0.10-10.6.0.11"] }));
  await rig.make(SPIDER_IP_POOLS, automatic("a", "2"));
  await rig.clock.advance(LATER_MS);
  const edit = (stored: SpiderIpPool): SpiderIpPool => ({
    ...stored,
    spec: { ...stored.spec, ips: ["10.6.0.10"] },
  });
  await change(rig, SPIDER_IP_POOLS, { name: "p", edit });
  await rig.clock.advance(5_000);
  assert.deepEqual(await record(rig), { p: "10.6.0.10", a: "" });
  await rig.clock.advance(6_000);
  assert.deepEqual(await record(rig), { p: "10.6.0.10", a: "10.6.0.11-10.6.0.12" });
});

Deno.test("a new leader writes the subnet before it gives a pool what it lacks", async () => {
  await using rig = new ControllerRig(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, automatic("a", "2"));
  const controlledIPPools = JSON.stringify({ a: { ips: ["10.6.0.10-10.6.0.11"] } });
  const status = { controlledIPPools, lender: "another/1" };
  await rig.make(SPIDER_SUBNETS, { ...subnetObject(), status });
  const late = await subnet(rig);
  await rig.startController("a");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await pool(rig, "a")).spec.ips, ["10.6.0.10-10.6.0.11"]);
  assert.match((await subnet(rig)).status?.lender ?? "", /^a\//);
  const written = await rig.store.replaceStatus(SPIDER_SUBNETS, late, { signal: rig.signal });
  assert.equal(written.ok ? "" : written.error.code, "conflict");
});

Deno.test("a subnet that is deleted takes its pools along, and goes after their pods", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.make(SPIDER_IP_POOLS, byHand("p", { ips: ["10.6.0.10"] }));
  await rig.make(SPIDER_IP_POOLS, byHand("q", { ips: ["10.6.0.11"] }));
  await rig.make(SPIDER_IPS, claimOf("10.6.0.10", "p"));
  await rig.clock.advance(LATER_MS);
  await remove(rig, SPIDER_SUBNETS, "s");
  await rig.clock.advance(20_000);
  assert.equal(await isThere(rig, SPIDER_IP_POOLS, "q"), false);
  assert.deepEqual(await record(rig), { p: "10.6.0.10" });
  const ready = (await subnet(rig)).status?.conditions?.find(({ type }) => type === "Ready");
  assert.deepEqual([ready?.status, ready?.reason], ["False", "Terminating"]);
  await remove(rig, SPIDER_IPS, "10.6.0.10");
  await rig.clock.advance(20_000);
  assert.equal(await isThere(rig, SPIDER_IP_POOLS, "p"), false);
  assert.equal(await isThere(rig, SPIDER_SUBNETS, "s"), false);
});

Deno.test("an automatic pool has the subnet's gateway when that changes", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.make(SPIDER_IP_POOLS, automatic("a", "1"));
  await rig.clock.advance(LATER_MS);
  const edit = (stored: SpiderSubnet): SpiderSubnet => ({
    ...stored,
    spec: { ...stored.spec, gateway: "10.6.0.1" },
  });
  await change(rig, SPIDER_SUBNETS, { name: "s", edit });
  await rig.clock.advance(LATER_MS);
  assert.equal((await pool(rig, "a")).spec.gateway, "10.6.0.1");
});

Deno.test("a subnet that contradicts itself lends nothing, and says why", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject({ ips: ["10.7.0.1"] }));
  await rig.make(SPIDER_IP_POOLS, automatic("a", "1"));
  await rig.clock.advance(LATER_MS);
  const [ready] = (await subnet(rig)).status?.conditions ?? [];
  assert.deepEqual([ready?.status, ready?.reason], ["False", "Invalid"]);
  assert.match(ready?.message ?? "", /^Cannot use spec\.ips\[0\] "10\.7\.0\.1"/);
  assert.deepEqual((await pool(rig, "a")).spec.ips, []);
});

Deno.test("a pool that is refused is tried again, and holds no other one up", async () => {
  let refusals = 0;
  await using rig = await ControllerRig.start({
    ...WITHOUT_PODS,
    refuse: (request) => {
      if (request.operation !== "replace" || request.key.name !== "a") return undefined;
      refusals++;
      return { code: "invalid", message: "a webhook says no" };
    },
  });
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.make(SPIDER_IP_POOLS, automatic("a", "1"));
  await rig.make(SPIDER_IP_POOLS, automatic("b", "1"));
  await rig.clock.advance(60_000);
  assert.deepEqual((await pool(rig, "a")).spec.ips, []);
  assert.equal((await pool(rig, "b")).spec.ips?.length, 1);
  assert.ok(refusals > 3 && refusals < 40, `${refusals} refusals`);
});

Deno.test("nothing is lent where subnets are switched off", async () => {
  const lending = { ...CONTROLLER_SETTINGS.lending, isOn: false };
  await using rig = await ControllerRig.start({ settings: { lending } });
  await rig.make(SPIDER_SUBNETS, subnetObject());
  await rig.make(SPIDER_IP_POOLS, byHand("p", { ips: ["10.6.0.10"] }));
  await rig.clock.advance(LATER_MS);
  assert.equal((await subnet(rig)).status, undefined);
  assert.equal((await pool(rig, "p")).metadata.ownerReferences, undefined);
});

Deno.test("what is held for no subnet is let go, also where subnets are switched off", async () => {
  for (const isOn of [true, false]) {
    const lending = { ...CONTROLLER_SETTINGS.lending, isOn };
    await using rig = await ControllerRig.start({ settings: { lending } });
    await rig.make(SPIDER_SUBNETS, subnetObject());
    for (const ip of ["10.6.0.10", "10.8.0.10"]) {
      await rig.make(SPIDER_IPS, {
        metadata: { name: ip },
        spec: { ip, pool: "p", hold: "shrink" },
      });
    }
    await rig.clock.advance(5_000);
    assert.equal(await isThere(rig, SPIDER_IPS, "10.8.0.10"), true);
    await rig.clock.advance(65_000);
    for (const ip of ["10.6.0.10", "10.8.0.10"]) {
      assert.equal(await isThere(rig, SPIDER_IPS, ip), false, `${ip}, on: ${isOn}`);
    }
  }
});
