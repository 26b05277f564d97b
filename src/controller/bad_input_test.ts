/** Objects that people get wrong, half-deleted ones and foreign ones: told, and nothing stops. */
import assert from "node:assert/strict";
import { isRecord } from "../api/decode.ts";
import { SPIDER_ENDPOINTS } from "../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../api/group.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { NAMESPACES } from "../api/kubernetes/node.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_RESERVED_IPS } from "../api/reserved_ip.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import type { StoredObject } from "../base/object_store.ts";
import { expectOk } from "../base/result.ts";
import { ControllerRig } from "../../tests/support/controller_rig.ts";
import { objectOf, WRONG_OBJECTS, type WrongObject } from "../../tests/support/wrong_objects.ts";
import { rawOf } from "./raw_objects.ts";

const RAW = {
  SpiderIPPool: rawOf(SPIDER_IP_POOLS),
  SpiderReservedIP: rawOf(SPIDER_RESERVED_IPS),
  SpiderEndpoint: rawOf(SPIDER_ENDPOINTS),
  SpiderIP: rawOf(SPIDER_IPS),
};

async function startRig(): Promise<ControllerRig> {
  const rig = new ControllerRig();
  await rig.make(NAMESPACES, { metadata: { name: "default" } });
  await rig.startController("a");
  return rig;
}

/** Asserts that the controller still leads and does its work: a new pool is counted. */
async function assertWorks(rig: ControllerRig): Promise<void> {
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "good" },
    spec: { subnet: "10.99.0.0/16", ips: ["10.99.0.1-10.99.0.5"] },
  });
  await rig.clock.advance(5_000);
  assert.equal(rig.leader(), "a");
  const { status } = await rig.read(SPIDER_IP_POOLS, { name: "good" });
  assert.deepEqual([status?.totalIPCount, status?.freeIPCount], [5, 5]);
}

/** Stores an object without asking whether it can be read. @returns `undefined`: refused. */
async function store(
  rig: ControllerRig,
  { kind, object }: { readonly kind: keyof typeof RAW; readonly object: unknown },
): Promise<StoredObject | undefined> {
  const parsed = expectOk(RAW[kind].parse(object), "it has metadata");
  const created = await rig.store.create(RAW[kind], parsed, { signal: rig.signal });
  return created.ok ? created.value : undefined;
}

/** What people can read of an object: conditions that hold, and Events. */
async function toldOf(rig: ControllerRig, { kind, name }: {
  readonly kind: keyof typeof RAW;
  readonly name: string;
}): Promise<readonly string[]> {
  const events = (await rig.events()).filter(({ regarding }) => {
    return regarding?.kind === kind && regarding.name === name;
  });
  const found = await rig.store.get(RAW[kind], { name }, { signal: rig.signal });
  const status: unknown = found.ok ? Reflect.get(found.value, "status") : undefined;
  const conditions = isRecord(status) && Array.isArray(status.conditions) ? status.conditions : [];
  const bad = conditions.filter((one) => isRecord(one) && one.type === "Invalid")
    .filter(({ status }) => status === "True").map(({ message }) => String(message));
  return [...bad, ...events.map(({ note }) => note ?? "")];
}

function wrongOnes(kind: string): readonly WrongObject[] {
  return WRONG_OBJECTS.filter((one) => one.kind === kind && one.stored === undefined);
}

Deno.test("each wrong pool says what is wrong, and the others are worked on", async () => {
  await using rig = await startRig();
  let count = 0;
  for (const [index, wrong] of wrongOnes("SpiderIPPool").entries()) {
    const name = `wrong-${index}`;
    const object = objectOf(wrong, { name, body: wrong.body });
    if (await store(rig, { kind: "SpiderIPPool", object }) === undefined) continue;
    count++;
    await rig.clock.advance(5_000);
    const told = await toldOf(rig, { kind: "SpiderIPPool", name });
    assert.ok(told.some((one) => /^(Cannot use|It has no address)/.test(one)), wrong.what);
  }
  assert.ok(count > 15, `${count} could be stored`);
  await assertWorks(rig);
});

Deno.test("an entry of a reserved address that nobody can read is an Event", async () => {
  for (const body of [{ ips: ["printer"] }, { ips: "10.6.0.1" }, { ips: ["10.6.0.9-10.6.0.2"] }]) {
    await using rig = await startRig();
    await store(rig, { kind: "SpiderReservedIP", object: { metadata: { name: "r" }, spec: body } });
    await rig.clock.advance(5_000);
    const told = await toldOf(rig, { kind: "SpiderReservedIP", name: "r" });
    assert.match(told.join(), /spec\.ips.*reserves nothing/);
    await assertWorks(rig);
  }
});

Deno.test("a SpiderIP that names no pod is an Event that says what to do", async () => {
  await using rig = await startRig();
  const spec = { ip: "10.6.0.9", pool: "p4", podNamespace: "", podName: "", podUID: "" };
  await store(rig, { kind: "SpiderIP", object: { metadata: { name: "10.6.0.9" }, spec } });
  await rig.clock.advance(700_000);
  const told = await toldOf(rig, { kind: "SpiderIP", name: "10.6.0.9" });
  assert.match(told.join(), /name no pod.*force-release/);
  await rig.read(SPIDER_IPS, { name: "10.6.0.9" });
  await assertWorks(rig);
});

Deno.test("a SpiderIP that nobody can read is an Event, and stays", async () => {
  await using rig = await startRig();
  const spec = { ip: "10.6.0.9", pool: 4, hold: "shrink" };
  await store(rig, { kind: "SpiderIP", object: { metadata: { name: "10.6.0.9" }, spec } });
  await rig.clock.advance(700_000);
  assert.match((await toldOf(rig, { kind: "SpiderIP", name: "10.6.0.9" })).join(), /spec\.pool 4/);
  await assertWorks(rig);
});

Deno.test("wrong endpoints stop nothing, half-deleted ones least of all", async () => {
  await using rig = await startRig();
  const others: readonly object[] = [{ status: {} }, { status: { current: { ips: [] } } }, {
    status: { current: { uid: "u", node: "n", ips: [{}] } },
  }];
  const wrong = wrongOnes("SpiderEndpoint").map(({ body }) => ({ status: body }));
  const bodies = [...wrong, ...others];
  for (const [index, body] of bodies.entries()) {
    const name = `wrong-${index}`;
    const metadata = { name, namespace: "default", finalizers: [SPIDERPOOL_FINALIZER] };
    await store(rig, { kind: "SpiderEndpoint", object: { metadata, ...body } });
    const options = { signal: rig.signal };
    const key = { namespace: "default", name };
    expectOk(await rig.store.remove(RAW.SpiderEndpoint, key, options), "asked");
  }
  await rig.clock.advance(20_000);
  const left = expectOk(await rig.store.list(RAW.SpiderEndpoint, { signal: rig.signal }), "listed");
  assert.deepEqual(left.items.map(({ metadata }) => metadata.name), []);
  await assertWorks(rig);
});

Deno.test("a pool that nobody can read goes when it is deleted and nobody uses it", async () => {
  await using rig = await startRig();
  const metadata = { name: "p4", finalizers: [SPIDERPOOL_FINALIZER] };
  await store(rig, { kind: "SpiderIPPool", object: { metadata, spec: { subnet: 5 } } });
  const claim = { ip: "10.6.0.9", pool: "p4", hold: "shrink" };
  await store(rig, { kind: "SpiderIP", object: { metadata: { name: "10.6.0.9" }, spec: claim } });
  await rig.clock.advance(5_000);
  const { signal } = rig;
  expectOk(await rig.store.remove(RAW.SpiderIPPool, { name: "p4" }, { signal }), "asked");
  await rig.clock.advance(20_000);
  const isThere = async () =>
    (await rig.store.get(RAW.SpiderIPPool, { name: "p4" }, { signal })).ok;
  assert.equal(await isThere(), true, "its address is in use");
  expectOk(await rig.store.remove(SPIDER_IPS, { name: "10.6.0.9" }, { signal }), "freed");
  await rig.clock.advance(20_000);
  assert.equal(await isThere(), false);
  await assertWorks(rig);
});

Deno.test("an address that its pool never gave is told, and nothing made of it", async () => {
  await using rig = await startRig();
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.1-10.6.0.9"] },
    status: { truth: "SpiderIP" },
  });
  const key = { name: "a", namespace: "default" };
  const spec = { nodeName: "n1", containers: [{ name: "c" }] };
  const pod = await rig.make(PODS, { metadata: key, spec, status: { phase: "Running" } });
  const ips = [{ interface: "eth0", ipv4: "192.168.0.9/16", ipv4Pool: "p4", vlan: 0 }];
  await rig.make(SPIDER_ENDPOINTS, {
    metadata: key,
    status: {
      current: { uid: pod.metadata.uid, node: "n1", ips },
      ownerControllerType: "Pod",
      ownerControllerName: "a",
    },
  });
  await rig.clock.advance(700_000);
  const told = (await rig.events()).filter(({ reason }) => reason === "AddressForeign");
  assert.match(told[0]?.note ?? "", /^192\.168\.0\.9 is no address of the subnet.*"p4"/);
  const claims = expectOk(await rig.store.list(SPIDER_IPS, { signal: rig.signal }), "listed");
  assert.deepEqual(claims.items, []);
});

Deno.test("two living pods with one address are told of each other", async () => {
  await using rig = await startRig();
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.1-10.6.0.9"] },
    status: { truth: "SpiderIP" },
  });
  const spec = { nodeName: "n1", containers: [{ name: "c" }] };
  const ips = [{ interface: "eth0", ipv4: "10.6.0.9/16", ipv4Pool: "p4", vlan: 0 }];
  for (const name of ["a", "b"]) {
    const key = { name, namespace: "default" };
    const { metadata } = await rig.make(PODS, {
      metadata: key,
      spec,
      status: { phase: "Running" },
    });
    const { uid } = metadata;
    const current = { uid, node: "n1", ips };
    const owner = { ownerControllerType: "Pod", ownerControllerName: name };
    await rig.make(SPIDER_ENDPOINTS, { metadata: key, status: { current, ...owner } });
    if (name === "b") continue;
    const holder = { podNamespace: "default", podName: name, podUID: uid, nic: "eth0", node: "n1" };
    await rig.make(SPIDER_IPS, {
      metadata: { name: "10.6.0.9" },
      spec: { ip: "10.6.0.9", pool: "p4", ...holder },
    });
  }
  await rig.clock.advance(700_000);
  const taken = (await rig.events()).filter(({ reason }) => reason === "AddressTaken");
  assert.deepEqual([...new Set(taken.map(({ regarding }) => regarding?.name))].sort(), ["a", "b"]);
  assert.equal((await rig.read(SPIDER_IPS, { name: "10.6.0.9" })).spec.podName, "a");
});

Deno.test("a pool that nobody can read waits for ADDs that are under way", async () => {
  await using rig = await startRig();
  const metadata = { name: "p4", finalizers: [SPIDERPOOL_FINALIZER] };
  await store(rig, { kind: "SpiderIPPool", object: { metadata, spec: { subnet: 5 } } });
  await rig.clock.advance(29_000);
  const { signal } = rig;
  expectOk(await rig.store.remove(RAW.SpiderIPPool, { name: "p4" }, { signal }), "asked");
  await rig.clock.advance(3_000);
  assert.equal((await rig.store.get(RAW.SpiderIPPool, { name: "p4" }, { signal })).ok, true);
  await rig.clock.advance(32_000);
  assert.equal((await rig.store.get(RAW.SpiderIPPool, { name: "p4" }, { signal })).ok, false);
  const told = await rig.events();
  assert.deepEqual(told.map(({ reason, series }) => [reason, series]), [["Unreadable", undefined]]);
});
