import assert from "node:assert/strict";
import { ANNOTATION_NOT_USABLE } from "../api/annotations.ts";
import { SPIDERPOOL_FINALIZER } from "../api/group.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { SPIDER_RESERVED_IPS } from "../api/reserved_ip.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { expectOk } from "../base/result.ts";
import { newClaim } from "../ipam/claim.ts";
import { parseAddress } from "../ip/mod.ts";
import { CONTROLLER_SETTINGS, ControllerRig } from "../../tests/support/controller_rig.ts";

const LATER_MS = 1_000;
/** Nobody has the addresses of these tests: reclaim would free them. */
const WITHOUT_PODS = {
  settings: { reclaim: { ...CONTROLLER_SETTINGS.reclaim, isOn: false } },
};

function poolObject(name: string, spec: object): object {
  const status = { truth: "SpiderIP" };
  return { metadata: { name }, spec: { subnet: "10.6.0.0/16", ...spec }, status };
}

function claimObject(ip: string, { pool = "p4", pod = "a" } = {}): SpiderIp {
  const address = expectOk(parseAddress(ip), "an address");
  return newClaim({ pool, address }, {
    podNamespace: "default",
    podName: pod,
    podUID: `uid-${pod}`,
    containerID: "c",
    nic: "eth0",
    node: "n1",
    endpointName: pod,
  });
}

async function statusOf(rig: ControllerRig, name = "p4"): Promise<SpiderIpPool["status"]> {
  return (await rig.read(SPIDER_IP_POOLS, { name })).status;
}

/** Conditions that hold. */
async function holding(rig: ControllerRig, name = "p4"): Promise<readonly string[]> {
  const { conditions = [] } = await statusOf(rig, name) ?? {};
  return conditions.filter(({ status }) => status === "True").map(({ type }) => type).sort();
}

async function reasonsOf(rig: ControllerRig, name = "p4"): Promise<readonly string[]> {
  const events = await rig.events();
  return events.filter(({ regarding }) => regarding?.name === name)
    .map(({ type, reason }) => `${type} ${reason}`).sort();
}

async function free(rig: ControllerRig, name: string): Promise<void> {
  expectOk(await rig.store.remove(SPIDER_IPS, { name }, { signal: rig.signal }), "freed");
}

Deno.test("a new pool tells its counts, and that pods may use it", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4" },
    spec: {
      subnet: "10.6.0.0/16",
      ips: ["10.6.0.1-10.6.0.10"],
      excludeIPs: ["10.6.0.10"],
      gateway: "10.6.0.1",
    },
  });
  await rig.clock.advance(LATER_MS);
  const { allocatedIPs, allocatedIPCount, totalIPCount, freeIPCount, truth } =
    await statusOf(rig) ??
      {};
  assert.deepEqual({ allocatedIPs, allocatedIPCount, totalIPCount, freeIPCount, truth }, {
    allocatedIPs: undefined,
    allocatedIPCount: 0,
    totalIPCount: 8,
    freeIPCount: 8,
    truth: "SpiderIP",
  });
  assert.deepEqual(await holding(rig), ["Ready"]);
  assert.deepEqual(await reasonsOf(rig), ["Normal Ready"]);
});

Deno.test("records are told in the reference's form, as long as SpiderIPs exist", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.2-10.6.0.20"] }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.9"));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.10", { pod: "b" }));
  const machine = claimObject("10.6.0.11", { pod: "virt-launcher-x" });
  const owner = { kind: "VirtualMachineInstance", name: "vm" };
  await rig.make(SPIDER_IPS, { ...machine, spec: { ...machine.spec, owner } });
  await rig.clock.advance(LATER_MS);
  assert.equal(
    (await statusOf(rig))?.allocatedIPs,
    '{"10.6.0.10":{"pod":"default/b","podUid":"uid-b"},' +
      '"10.6.0.11":{"pod":"default/vm","podUid":"uid-virt-launcher-x"},' +
      '"10.6.0.9":{"pod":"default/a","podUid":"uid-a"}}',
  );
  assert.equal((await statusOf(rig))?.allocatedIPCount, 3);
  assert.equal((await statusOf(rig))?.freeIPCount, 16);
  for (const name of ["10.6.0.9", "10.6.0.10", "10.6.0.11"]) await free(rig, name);
  await rig.clock.advance(LATER_MS);
  assert.equal((await statusOf(rig))?.allocatedIPs, undefined, "never an empty object");
  assert.equal((await statusOf(rig))?.allocatedIPCount, 0);
});

Deno.test("what hands write into a status is overwritten", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.2-10.6.0.20"] }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.9"));
  await rig.clock.advance(LATER_MS);
  const good = await rig.read(SPIDER_IP_POOLS, { name: "p4" });
  const status = { ...good.status, allocatedIPs: "{", allocatedIPCount: 7, conditions: [] };
  const { signal } = rig;
  expectOk(await rig.store.replaceStatus(SPIDER_IP_POOLS, { ...good, status }, { signal }), "ok");
  await rig.clock.advance(LATER_MS);
  const { conditions, ...counts } = await statusOf(rig) ?? {};
  const { conditions: before, ...countsBefore } = good.status ?? {};
  assert.deepEqual(counts, countsBefore);
  assert.deepEqual(conditions?.map(({ type }) => type), before?.map(({ type }) => type));
});

Deno.test("a pool that runs out says so, and takes it back", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.10-10.6.0.29"] }));
  for (let last = 10; last < 28; last++) {
    await rig.make(SPIDER_IPS, claimObject(`10.6.0.${last}`, { pod: `p${last}` }));
  }
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig), ["NearlyExhausted", "Ready"]);
  await rig.make(SPIDER_RESERVED_IPS, {
    metadata: { name: "r" },
    spec: { ips: ["10.6.0.28-10.6.0.29"] },
  });
  await rig.clock.advance(LATER_MS);
  assert.equal((await statusOf(rig))?.freeIPCount, 0);
  assert.deepEqual(await holding(rig), ["Exhausted", "NearlyExhausted", "Ready"]);
  for (let last = 10; last < 14; last++) await free(rig, `10.6.0.${last}`);
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig), ["Ready"]);
  assert.deepEqual(
    await reasonsOf(rig),
    [
      "Normal EnoughFree",
      "Normal Ready",
      "Normal SomeFree",
      "Warning Exhausted",
      "Warning NearlyExhausted",
    ],
  );
});

Deno.test("a pool that contradicts itself is invalid, and agents are told", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.7.0.1"] }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.9"));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig), ["Invalid"]);
  assert.equal((await statusOf(rig))?.allocatedIPCount, 1);
  const broken = await rig.read(SPIDER_IP_POOLS, { name: "p4" });
  const said = broken.metadata.annotations?.[ANNOTATION_NOT_USABLE] ?? "";
  assert.match(said, /^Cannot use spec\.ips\[0\] "10\.7\.0\.1"/);
  const mended = { ...broken, spec: { ...broken.spec, ips: ["10.6.0.9"] } };
  const { signal } = rig;
  expectOk(await rig.store.replace(SPIDER_IP_POOLS, mended, { signal }), "mended");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig), ["Exhausted", "NearlyExhausted", "Ready"]);
  const { annotations } = (await rig.read(SPIDER_IP_POOLS, { name: "p4" })).metadata;
  assert.equal(annotations?.[ANNOTATION_NOT_USABLE], undefined);
});

Deno.test("of two pools that share addresses the younger is not used", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("old", { ips: ["10.6.0.10-10.6.0.20"] }));
  await rig.clock.advance(LATER_MS);
  await rig.make(SPIDER_IP_POOLS, poolObject("a-new", { ips: ["10.6.0.20-10.6.0.30"] }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig, "old"), ["Ready"]);
  assert.deepEqual(await holding(rig, "a-new"), ["NotUsable"]);
  const { annotations } = (await rig.read(SPIDER_IP_POOLS, { name: "a-new" })).metadata;
  assert.equal(
    annotations?.[ANNOTATION_NOT_USABLE],
    'spec.ips shares 10.6.0.20 with the older pool "old": take them away from one of the two',
  );
  expectOk(
    await rig.store.remove(SPIDER_IP_POOLS, { name: "old" }, { signal: rig.signal }),
    "gone",
  );
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig, "a-new"), ["Ready"]);
});

Deno.test("what a person says of a pool stays, and is a condition", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  const annotations = { [ANNOTATION_NOT_USABLE]: "we test it" };
  const pool = poolObject("p4", { ips: ["10.6.0.10"] });
  await rig.make(SPIDER_IP_POOLS, { ...pool, metadata: { name: "p4", annotations } });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await holding(rig), ["NotUsable"]);
  const stored = await rig.read(SPIDER_IP_POOLS, { name: "p4" });
  assert.deepEqual(stored.metadata.annotations, annotations);
});

Deno.test("an address outside its pool is told, and stays", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.10-10.6.0.20"] }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.99"));
  await rig.clock.advance(LATER_MS);
  const { freeIPCount, allocatedIPCount, conditions = [] } = await statusOf(rig) ?? {};
  assert.deepEqual([freeIPCount, allocatedIPCount], [11, 1]);
  const outside = conditions.find(({ type }) => type === "AddressesOutside");
  assert.match(outside?.message ?? "", /^10\.6\.0\.99 in use/);
  await rig.read(SPIDER_IPS, { name: "10.6.0.99" });
});

Deno.test("SpiderIPs of a pool that is gone are an Event that names one", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IPS, claimObject("10.6.0.9", { pool: "gone" }));
  await rig.clock.advance(LATER_MS);
  const [event] = await rig.events();
  assert.equal(event?.reason, "PoolMissing");
  assert.match(
    event?.note ?? "",
    /^"gone" is gone, but 1 of its addresses are in use.*10\.6\.0\.9/,
  );
});

Deno.test("a pool whose older records cannot be read says why, and keeps them", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10"] },
    status: { allocatedIPs: "{", allocatedIPCount: 1 },
  });
  await rig.clock.advance(10_000);
  const { allocatedIPs, allocatedIPCount, truth, conditions = [] } = await statusOf(rig) ?? {};
  assert.deepEqual([allocatedIPs, allocatedIPCount, truth], ["{", 1, undefined]);
  const ready = conditions.find(({ type }) => type === "Ready");
  assert.deepEqual([ready?.status, ready?.reason], ["False", "NotTakenOver"]);
  assert.match(ready?.message ?? "", /status\.allocatedIPs/);
});

Deno.test("changes of one moment are one write", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.10-10.6.0.99"] }));
  await rig.clock.advance(LATER_MS);
  const before = await rig.read(SPIDER_IP_POOLS, { name: "p4" });
  let writes = 0;
  const signal = AbortSignal.any([rig.signal]);
  const { resourceVersion } = before.metadata;
  const watching = (async () => {
    for await (const _ of rig.store.watch(SPIDER_IP_POOLS, { signal, resourceVersion })) writes++;
  })().catch(() => {});
  for (let last = 10; last < 60; last++) {
    await rig.make(SPIDER_IPS, claimObject(`10.6.0.${last}`, { pod: `p${last}` }));
    await rig.clock.advance(10);
  }
  await rig.clock.advance(LATER_MS);
  assert.equal((await statusOf(rig))?.allocatedIPCount, 50);
  assert.ok(writes >= 1 && writes <= 3, `${writes} writes`);
  void watching;
});

Deno.test("a new leader tells what changed while nobody led", async () => {
  await using rig = new ControllerRig(WITHOUT_PODS);
  const a = await rig.startController("a");
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.10-10.6.0.99"] }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.10"));
  await rig.clock.advance(LATER_MS);
  await a.stop();
  await free(rig, "10.6.0.10");
  await rig.make(SPIDER_IPS, claimObject("10.6.0.11", { pod: "b" }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.12", { pod: "c" }));
  await rig.startController("b");
  await rig.clock.advance(LATER_MS);
  assert.match((await statusOf(rig))?.allocatedIPs ?? "", /^\{"10\.6\.0\.11".*"10\.6\.0\.12"/);
  assert.equal((await statusOf(rig))?.allocatedIPCount, 2);
});

Deno.test("a pool that is deleted goes once nobody has an address of it", async () => {
  // No webhook gave it its finalizer: the leader did.
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_IP_POOLS, poolObject("p4", { ips: ["10.6.0.10"] }));
  await rig.make(SPIDER_IPS, claimObject("10.6.0.10"));
  await rig.clock.advance(LATER_MS);
  const { signal } = rig;
  expectOk(await rig.store.remove(SPIDER_IP_POOLS, { name: "p4" }, { signal }), "asked");
  await rig.clock.advance(60_000);
  const ready = (await statusOf(rig))?.conditions?.find(({ type }) => type === "Ready");
  assert.equal(ready?.reason, "Terminating");
  await free(rig, "10.6.0.10");
  await rig.clock.advance(LATER_MS);
  assert.equal((await rig.store.get(SPIDER_IP_POOLS, { name: "p4" }, { signal })).ok, false);
});

Deno.test("a pool keeps its other finalizers and its annotations beside the new one", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  const made = poolObject("p4", { ips: ["10.6.0.10"] });
  const metadata = { name: "p4", finalizers: ["example.com/archive"], annotations: { a: "b" } };
  await rig.make(SPIDER_IP_POOLS, { ...made, metadata });
  await rig.clock.advance(LATER_MS);
  const { finalizers, annotations } = (await rig.read(SPIDER_IP_POOLS, { name: "p4" })).metadata;
  assert.deepEqual(finalizers, ["example.com/archive", SPIDERPOOL_FINALIZER]);
  assert.deepEqual(annotations, { a: "b" });
  await rig.clock.advance(60_000);
  assert.deepEqual(await holding(rig), ["Ready"]);
});

Deno.test("a pool without addresses in use waits for ADDs that are under way", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  const pool = poolObject("p4", { ips: ["10.6.0.10"] });
  const finalizers = [SPIDERPOOL_FINALIZER];
  await rig.make(SPIDER_IP_POOLS, { ...pool, metadata: { name: "p4", finalizers } });
  await rig.clock.advance(LATER_MS);
  const { signal } = rig;
  expectOk(await rig.store.remove(SPIDER_IP_POOLS, { name: "p4" }, { signal }), "asked");
  await rig.clock.advance(4_000);
  assert.equal((await rig.store.get(SPIDER_IP_POOLS, { name: "p4" }, { signal })).ok, true);
  await rig.clock.advance(3_000);
  assert.equal((await rig.store.get(SPIDER_IP_POOLS, { name: "p4" }, { signal })).ok, false);
});
