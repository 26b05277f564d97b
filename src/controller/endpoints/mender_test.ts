import assert from "node:assert/strict";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { NAMESPACES, NODES } from "../../api/kubernetes/node.ts";
import { type Pod, PODS } from "../../api/kubernetes/pod.ts";
import { STATEFUL_SETS } from "../../api/kubernetes/workload.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { expectOk } from "../../base/result.ts";
import { parseAddress } from "../../ip/mod.ts";
import { newClaim } from "../../ipam/claim.ts";
import {
  CONTROLLER_SETTINGS,
  ControllerRig,
  type ControllerRigOptions,
} from "../../../tests/support/controller_rig.ts";
import { rawOf } from "../raw_objects.ts";

const SCAN_MS = 700_000;
const SOON_MS = 10_000;
const KEY = { namespace: "default", name: "web-0" };
const NIC = { interface: "eth0", ipv4: "10.6.0.9/16", ipv4Pool: "p4", vlan: 0 };

async function startRig(options: ControllerRigOptions = {}): Promise<ControllerRig> {
  const rig = new ControllerRig(options);
  await rig.make(NAMESPACES, { metadata: { name: "default" } });
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.1-10.6.0.99"], gateway: "10.6.0.1" },
    status: { truth: "SpiderIP" },
  });
  await rig.startController("a");
  return rig;
}

function withReclaim(change: Partial<typeof CONTROLLER_SETTINGS["reclaim"]>): ControllerRigOptions {
  return { settings: { reclaim: { ...CONTROLLER_SETTINGS.reclaim, ...change } } };
}

async function makeSet(rig: ControllerRig): Promise<void> {
  await rig.make(STATEFUL_SETS, {
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 1, template: { spec: { containers: [] } } },
  });
}

async function makePod(rig: ControllerRig): Promise<Pod> {
  return await rig.make(PODS, {
    metadata: KEY,
    spec: { nodeName: "n1", containers: [{ name: "c" }] },
    status: { phase: "Running" },
  });
}

async function makeClaim(
  rig: ControllerRig,
  { uid = "u1", ip = "10.6.0.9", nic = "eth0", isKept = true } = {},
): Promise<void> {
  const address = expectOk(parseAddress(ip), "an address");
  await rig.make(
    SPIDER_IPS,
    newClaim({ pool: "p4", address }, {
      podNamespace: "default",
      podName: "web-0",
      podUID: uid,
      containerID: "c1",
      nic,
      node: "n1",
      keeper: isKept ? { kind: "StatefulSet", name: "web" } : undefined,
      endpointName: "web-0",
    }),
  );
}

interface EndpointWish {
  readonly uid?: string;
  readonly metadata?: object;
  readonly kind?: string;
}

async function makeEndpoint(
  rig: ControllerRig,
  { uid = "u1", metadata = {}, kind = "StatefulSet" }: EndpointWish = {},
): Promise<SpiderEndpoint> {
  const owner = kind === "Pod" ? "web-0" : "web";
  return await rig.make(SPIDER_ENDPOINTS, {
    metadata: { ...KEY, ...metadata },
    status: {
      current: { uid, node: "n1", ips: [NIC] },
      ownerControllerType: kind,
      ownerControllerName: owner,
    },
  });
}

async function find(rig: ControllerRig): Promise<SpiderEndpoint | undefined> {
  const found = await rig.store.get(SPIDER_ENDPOINTS, KEY, { signal: rig.signal });
  return found.ok ? found.value : undefined;
}

async function remove(rig: ControllerRig): Promise<void> {
  expectOk(await rig.store.remove(SPIDER_ENDPOINTS, KEY, { signal: rig.signal }), "deleted");
}

async function notesOf(rig: ControllerRig, reason: string): Promise<readonly string[]> {
  return (await rig.events()).filter((event) => event.reason === reason)
    .map(({ regarding, note }) => `${regarding?.kind} ${regarding?.name}: ${note}`);
}

Deno.test("a deleted endpoint is made again of the addresses kept for its pod", async () => {
  await using rig = await startRig();
  await makeSet(rig);
  const { metadata: { uid = "" } } = await makePod(rig);
  await makeClaim(rig, { uid, ip: "10.6.0.10", nic: "net1" });
  await makeClaim(rig, { uid });
  const before = await makeEndpoint(rig, { uid });
  await rig.clock.advance(200_000);
  await remove(rig);
  await rig.clock.advance(SOON_MS);
  const { status } = await find(rig) ?? {};
  const { current, ...owner } = before.status ?? { current: undefined };
  assert.deepEqual({ ...status, current: undefined }, {
    ...owner,
    truth: "SpiderIP",
    current: undefined,
  });
  const { ips = [], ...pod } = status?.current ?? {};
  assert.deepEqual(pod, { uid: current?.uid, node: current?.node });
  assert.deepEqual(ips.map((nic) => [nic.interface, nic.ipv4, nic.ipv4Pool, nic.ipv4Gateway]), [
    ["eth0", "10.6.0.9/16", "p4", "10.6.0.1"],
    ["net1", "10.6.0.10/16", "p4", "10.6.0.1"],
  ]);
  assert.match((await notesOf(rig, "EndpointRestored")).join(), /web-0: It was lost.*10\.6\.0\.9/);
});

Deno.test("one lost while nobody led is made again, unless an ADD may be at it", async () => {
  await using rig = await startRig();
  await makeSet(rig);
  await rig.stopAll();
  await makeClaim(rig);
  await rig.startController("b");
  await rig.clock.advance(60_000);
  assert.equal(await find(rig), undefined, "the claim is too young to tell");
  await rig.clock.advance(70_000);
  assert.equal((await find(rig))?.status?.current.uid, "u1");
});

Deno.test("no endpoint is made of addresses that nobody keeps, or wants any more", async () => {
  for (const isKept of [true, false]) {
    await using rig = await startRig(withReclaim({ isOn: false }));
    if (!isKept) await makeSet(rig);
    await makeClaim(rig, { isKept });
    await rig.clock.advance(SCAN_MS);
    assert.equal(await find(rig), undefined, `kept: ${isKept}`);
  }
});

Deno.test("an endpoint without a status gets what its addresses say", async () => {
  await using rig = await startRig();
  await makeSet(rig);
  await makeClaim(rig);
  await rig.make(SPIDER_ENDPOINTS, { metadata: { ...KEY, labels: { mine: "yes" } } });
  await rig.clock.advance(SCAN_MS);
  const { metadata, status } = await find(rig) ?? {};
  assert.deepEqual(metadata?.labels, { mine: "yes" });
  assert.equal(status?.current.ips[0]?.ipv4, "10.6.0.9/16");
});

Deno.test("the reference's finalizer holds no endpoint, and others stay", async () => {
  await using rig = await startRig();
  await makePod(rig);
  const other = "example.com/audit";
  await makeEndpoint(rig, { kind: "Pod", metadata: { finalizers: [SPIDERPOOL_FINALIZER, other] } });
  await rig.clock.advance(SOON_MS);
  assert.deepEqual((await find(rig))?.metadata.finalizers, [other]);
});

Deno.test("a deleted one that only the finalizer keeps goes, and an Event says so", async () => {
  await using rig = await startRig();
  await rig.stopAll();
  await makeEndpoint(rig, { kind: "Pod", metadata: { finalizers: [SPIDERPOOL_FINALIZER] } });
  await remove(rig);
  assert.notEqual(await find(rig), undefined, "its finalizer keeps it");
  await rig.startController("b");
  await rig.clock.advance(SOON_MS);
  assert.equal(await find(rig), undefined);
  assert.equal((await notesOf(rig, "FinalizerRemoved")).length, 1);
});

Deno.test("where older records are the truth the finalizer stays", async () => {
  await using rig = await startRig();
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "old" },
    spec: { subnet: "10.7.0.0/16", ips: ["10.7.0.1"] },
    status: { allocatedIPs: "{", allocatedIPCount: 1 },
  });
  const nic = { ...NIC, ipv4: "10.7.0.1/16", ipv4Pool: "old" };
  await rig.make(SPIDER_ENDPOINTS, {
    metadata: { ...KEY, finalizers: [SPIDERPOOL_FINALIZER] },
    status: {
      current: { uid: "u1", node: "n1", ips: [nic] },
      ownerControllerType: "Pod",
      ownerControllerName: "web-0",
    },
  });
  await rig.clock.advance(SCAN_MS);
  assert.deepEqual((await find(rig))?.metadata.finalizers, [SPIDERPOOL_FINALIZER]);
});

Deno.test("an endpoint that nobody can read is an Event, goes, and stops nothing", async () => {
  await using rig = await startRig();
  await makeSet(rig);
  await rig.make(rawOf(SPIDER_ENDPOINTS), {
    metadata: { ...KEY, name: "broken", finalizers: [SPIDERPOOL_FINALIZER] },
    status: { current: "nothing" },
  });
  const key = { namespace: "default", name: "broken" };
  const { signal } = rig;
  expectOk(await rig.store.remove(rawOf(SPIDER_ENDPOINTS), key, { signal }), "asked");
  await makeClaim(rig);
  await rig.clock.advance(SCAN_MS);
  assert.match((await notesOf(rig, "Unreadable")).join(), /broken: .*status\.current "nothing"/);
  assert.equal((await rig.store.get(rawOf(SPIDER_ENDPOINTS), key, { signal })).ok, false);
  assert.notEqual(await find(rig), undefined, "the other one is made again");
});

Deno.test("a kept endpoint without addresses goes once nobody wants its pod", async () => {
  for (const isWanted of [true, false]) {
    await using rig = await startRig();
    if (isWanted) await makeSet(rig);
    await makeEndpoint(rig);
    await rig.clock.advance(SCAN_MS);
    assert.equal(await find(rig) !== undefined, isWanted);
    const told = await notesOf(rig, "EndpointRemoved");
    assert.deepEqual(
      told.map((note) => /Its StatefulSet is gone/.test(note)),
      isWanted ? [] : [true],
    );
  }
});

Deno.test("a kept endpoint stays while there is a pod of its name, or an address", async () => {
  for (const rest of ["pod", "address"]) {
    await using rig = await startRig(withReclaim({ intervalMs: 60_000 }));
    await rig.make(NODES, { metadata: { name: "n1" }, spec: {} });
    if (rest === "pod") await makePod(rig);
    else await makeClaim(rig, { isKept: false, uid: "u2" });
    await makeEndpoint(rig);
    await rig.clock.advance(150_000);
    assert.notEqual(await find(rig), undefined, rest);
  }
});

Deno.test("enableCleanOutdatedEndpoint: an endpoint goes that its pod owned", async () => {
  for (const cleansEndpoints of [true, false]) {
    for (const isOn of [true, false]) {
      await using rig = await startRig(withReclaim({ cleansEndpoints, isOn }));
      await makeEndpoint(rig, { kind: "Pod" });
      await rig.clock.advance(SCAN_MS);
      assert.equal(await find(rig) === undefined, cleansEndpoints && isOn);
    }
  }
});
