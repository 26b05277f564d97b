import assert from "node:assert/strict";
import { ANNOTATION_NETWORK_PROVIDER } from "../../api/annotations.ts";
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { NAMESPACES, NODES } from "../../api/kubernetes/node.ts";
import { type Pod, PODS } from "../../api/kubernetes/pod.ts";
import { STATEFUL_SETS } from "../../api/kubernetes/workload.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { expectOk } from "../../base/result.ts";
import { type Keeper, newClaim } from "../../ipam/claim.ts";
import { parseAddress } from "../../ip/mod.ts";
import {
  CONTROLLER_SETTINGS,
  ControllerRig,
  type ControllerRigOptions,
} from "../../../tests/support/controller_rig.ts";
import { FakeProvider } from "../../../tests/support/fake_provider.ts";
import type { ControllerSettings } from "../config.ts";

const IP = "10.6.0.9";
const SOON_MS = 15_000;

function node(name: string, { ready = true, taints = [] as readonly object[] } = {}): object {
  const conditions = [{ type: "Ready", status: ready ? "True" : "Unknown" }];
  return { metadata: { name }, spec: { taints }, status: { conditions } };
}

async function startRig(
  nodes: readonly object[],
  options: ControllerRigOptions = {},
): Promise<ControllerRig> {
  const rig = new ControllerRig(options);
  await rig.make(NAMESPACES, { metadata: { name: "default" } });
  for (const one of nodes) await rig.make(NODES, one);
  await rig.startController("a");
  return rig;
}

async function makePod(rig: ControllerRig, wish: {
  readonly name?: string;
  readonly node?: string;
  readonly status?: object;
  readonly graceSeconds?: number;
} = {}): Promise<Pod> {
  const { name = "a", node: nodeName = "n1", status = { phase: "Running" } } = wish;
  const { graceSeconds: terminationGracePeriodSeconds } = wish;
  return await rig.make(PODS, {
    metadata: { name, namespace: "default" },
    spec: { nodeName, containers: [{ name: "c" }], terminationGracePeriodSeconds },
    status,
  });
}

async function claim(
  rig: ControllerRig,
  pod: Pod,
  { ip = IP, keeper }: { readonly ip?: string; readonly keeper?: Keeper } = {},
): Promise<void> {
  const { name, uid = "" } = pod.metadata;
  const address = expectOk(parseAddress(ip), "an address");
  await rig.make(
    SPIDER_IPS,
    newClaim({ pool: "p4", address }, {
      podNamespace: "default",
      podName: name,
      podUID: uid,
      containerID: "c1",
      nic: "eth0",
      node: pod.spec.nodeName ?? "",
      keeper,
      endpointName: name,
    }),
  );
  await rig.clock.advance(1_000);
}

async function isFree(rig: ControllerRig, name = IP): Promise<boolean> {
  return !(await rig.store.get(SPIDER_IPS, { name }, { signal: rig.signal })).ok;
}

async function removePod(rig: ControllerRig, { force = true, name = "a" } = {}): Promise<void> {
  const options = { signal: rig.signal, ...(force && { gracePeriodSeconds: 0 }) };
  expectOk(await rig.store.remove(PODS, { namespace: "default", name }, options), "deleted");
}

async function removeNode(rig: ControllerRig, name = "n1"): Promise<void> {
  expectOk(await rig.store.remove(NODES, { name }, { signal: rig.signal }), "deleted");
}

async function notReady(rig: ControllerRig, name = "n1"): Promise<void> {
  const stored = await rig.read(NODES, { name });
  const status = { ...stored.status, conditions: [{ type: "Ready", status: "Unknown" }] };
  const { signal } = rig;
  expectOk(await rig.store.replaceStatus(NODES, { ...stored, status }, { signal }), "written");
}

function switches(change: Partial<ControllerSettings["reclaim"]>): ControllerRigOptions {
  return { settings: { reclaim: { ...CONTROLLER_SETTINGS.reclaim, ...change } } };
}

Deno.test("an address is free soon after its pod and its node are gone", async () => {
  await using rig = await startRig([node("n1")]);
  await claim(rig, await makePod(rig));
  await removeNode(rig);
  await removePod(rig);
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), true);
  const [event] = (await rig.events()).filter(({ reason }) => reason === "AddressFreed");
  assert.match(event?.note ?? "", /"default\/a" is free again: its pod and node "n1" are gone/);
});

Deno.test("a network provider that was told of an address is told of its end first", async () => {
  const fake = new FakeProvider();
  await using rig = await startRig([node("n1")], { post: fake.post });
  const pod = await makePod(rig);
  await claim(rig, pod);
  const parentNicMac = "02:00:00:00:00:01";
  const { uid: podUID = "" } = pod.metadata;
  const mark = { parentNicMac, podUID, subnet: "10.6.0.0/16" };
  const stored = await rig.read(SPIDER_IPS, { name: IP });
  const annotations = { [ANNOTATION_NETWORK_PROVIDER]: JSON.stringify(mark) };
  const next = { ...stored, metadata: { ...stored.metadata, annotations } };
  expectOk(await rig.store.replace(SPIDER_IPS, next, { signal: rig.signal }), "marked");
  fake.status = 503;
  await removeNode(rig);
  await removePod(rig);
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), false, "nobody else may have it yet");
  fake.status = 200;
  fake.before = async () => assert.equal(await isFree(rig), false);
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), true);
  const request = { podName: "a", podNamespace: "default", nodeName: "n1" };
  assert.deepEqual(fake.released, [{ ...request, ...mark, ipAddress: IP }]);
});

Deno.test("an address whose pod lives is left alone, wherever its node is", async () => {
  await using rig = await startRig([node("n1")]);
  await claim(rig, await makePod(rig));
  await removeNode(rig);
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), false);
});

Deno.test("where a node is ready, or may still run the pod, its address is not free", async () => {
  for (const ready of [true, false]) {
    await using rig = await startRig([node("n1", { ready })]);
    await claim(rig, await makePod(rig));
    await removePod(rig);
    await rig.clock.advance(700_000);
    assert.equal(await isFree(rig), false, `ready: ${ready}`);
    await removeNode(rig);
    await rig.clock.advance(SOON_MS);
    assert.equal(await isFree(rig), true, "and is, once the node is gone");
  }
});

Deno.test("a node that a person says is out of service frees what its gone pods had", async () => {
  await using rig = await startRig([node("n1", { ready: false })]);
  await claim(rig, await makePod(rig));
  await removePod(rig);
  await rig.clock.advance(SOON_MS);
  const stored = await rig.read(NODES, { name: "n1" });
  const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
  const { signal } = rig;
  const off = { ...stored, spec: { ...stored.spec, taints } };
  expectOk(await rig.store.replace(NODES, off, { signal }), "tainted");
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), true);
});

Deno.test("a pod that outlives its grace loses its address as the switches say", async () => {
  for (const ready of [true, false]) {
    for (const isOn of [true, false]) {
      const other = { readyNode: !isOn, notReadyNode: !isOn };
      const own = ready ? { readyNode: isOn } : { notReadyNode: isOn };
      const options = switches({ switches: { ...other, ...own } });
      await using rig = await startRig([node("n1", { ready })], options);
      await claim(rig, await makePod(rig));
      await removePod(rig, { force: false });
      await rig.clock.advance(25_000);
      assert.equal(await isFree(rig), false, "it still has time");
      await rig.clock.advance(45_000);
      assert.equal(await isFree(rig), isOn, `ready: ${ready}, switch: ${isOn}`);
    }
  }
});

Deno.test("a pod that failed on a node that cannot say so keeps its address", async () => {
  await using rig = await startRig([node("n1", { ready: false })]);
  await claim(rig, await makePod(rig, { status: { phase: "Failed" } }));
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), false);
});

Deno.test("a pod that its ready node says has ended gives its address up", async () => {
  await using rig = await startRig([node("n1")]);
  const behindMs = 7_200_000; // The node's clock.
  const finishedAt = new Date(rig.clock.nowMs() - behindMs).toISOString();
  const containerStatuses = [{ name: "c", state: { terminated: { finishedAt, exitCode: 0 } } }];
  await claim(rig, await makePod(rig, { status: { phase: "Failed", containerStatuses } }));
  await rig.clock.advance(50_000);
  assert.equal(await isFree(rig), false, "its kubelet may still take the sandbox down");
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), true, "without a scan");
});

Deno.test("a new leader does not free what a pod had that has just ended", async () => {
  await using rig = await startRig([node("n1")]);
  await rig.stopAll();
  const finishedAt = new Date(rig.clock.nowMs()).toISOString();
  const containerStatuses = [{ name: "c", state: { terminated: { finishedAt, exitCode: 0 } } }];
  const status = { phase: "Failed", containerStatuses };
  await claim(rig, await makePod(rig, { status, graceSeconds: 1 }));
  await rig.startController("b");
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), false);
});

Deno.test("a node that was away in between has its time to take down what ended", async () => {
  for (const wasAway of [true, false]) {
    await using rig = await startRig([node("n1")]);
    const finishedAt = new Date(rig.clock.nowMs()).toISOString();
    const containerStatuses = [{ name: "c", state: { terminated: { finishedAt, exitCode: 0 } } }];
    await claim(rig, await makePod(rig, { status: { phase: "Failed", containerStatuses } }));
    await rig.clock.advance(50_000);
    if (wasAway) {
      await setReady(rig, "Unknown");
      await rig.clock.advance(5_000);
      await setReady(rig, "True");
    }
    await rig.clock.advance(30_000);
    assert.equal(await isFree(rig), !wasAway);
    await rig.clock.advance(60_000);
    assert.equal(await isFree(rig), true);
  }
});

async function setReady(rig: ControllerRig, status: string): Promise<void> {
  const { signal } = rig;
  const stored = expectOk(await rig.store.get(NODES, { name: "n1" }, { signal }), "it is there");
  const lastTransitionTime = new Date(rig.clock.nowMs()).toISOString();
  const conditions = [{ type: "Ready", status, lastTransitionTime }];
  const changed = { ...stored, status: { ...stored.status, conditions } };
  expectOk(await rig.store.replaceStatus(NODES, changed, { signal }), "written");
}

Deno.test("a kept address goes when its StatefulSet shrinks and its pod is dead", async () => {
  await using rig = await startRig([node("n1"), node("n2")]);
  const template = { spec: { containers: [] } };
  const set = await rig.make(STATEFUL_SETS, {
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 1, template },
  });
  const pod = await makePod(rig, { name: "web-0" });
  const { uid = "" } = pod.metadata;
  await rig.make(SPIDER_ENDPOINTS, {
    metadata: { name: "web-0", namespace: "default" },
    status: {
      current: { uid, node: "n1", ips: [] },
      ownerControllerType: "StatefulSet",
      ownerControllerName: "web",
    },
  });
  await claim(rig, pod, { keeper: { kind: "StatefulSet", name: "web" } });
  await removeNode(rig);
  await removePod(rig, { name: "web-0" });
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), false, "its owner still wants it");
  const { signal } = rig;
  const shrunk = { ...set, spec: { ...set.spec, replicas: 0 } };
  expectOk(await rig.store.replace(STATEFUL_SETS, shrunk, { signal }), "scaled");
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), true);
  const key = { namespace: "default", name: "web-0" };
  assert.equal((await rig.store.get(SPIDER_ENDPOINTS, key, { signal })).ok, false);
});

Deno.test("of pods of one name only those that are gone lose their addresses", async () => {
  await using rig = await startRig([node("n1"), node("n2")]);
  for (let round = 0; round < 5; round++) {
    await claim(rig, await makePod(rig), { ip: `10.6.0.${round}` });
    await removePod(rig);
  }
  await claim(rig, await makePod(rig, { node: "n2" }), { ip: "10.6.0.50" });
  await removeNode(rig);
  await rig.clock.advance(SOON_MS);
  for (let round = 0; round < 5; round++) {
    assert.equal(await isFree(rig, `10.6.0.${round}`), true, `round ${round}`);
  }
  assert.equal(await isFree(rig, "10.6.0.50"), false);
});

Deno.test("a new leader finds what died while nobody led", async () => {
  await using rig = await startRig([node("n1")]);
  await claim(rig, await makePod(rig));
  await rig.stopAll();
  await removeNode(rig);
  await removePod(rig);
  await rig.startController("b");
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), true);
});

Deno.test("nothing is freed where reclaim is off", async () => {
  await using rig = await startRig([node("n1")], switches({ isOn: false }));
  await claim(rig, await makePod(rig));
  await removeNode(rig);
  await removePod(rig);
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), false);
});

Deno.test("an address whose node nobody knows is free once every node is ready", async () => {
  await using rig = await startRig([node("n1")]);
  await rig.make(NODES, node("n2", { ready: false }));
  const pod = await makePod(rig, { node: "" });
  await claim(rig, pod);
  await removePod(rig);
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), false);
  await notReady(rig);
  await removeNode(rig, "n2");
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), false);
  await removeNode(rig);
  await rig.clock.advance(700_000);
  assert.equal(await isFree(rig), true);
});

Deno.test("a node that is out of service holds no address whose node nobody knows", async () => {
  const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
  await using rig = await startRig([node("n1")]);
  await rig.make(NODES, node("n2", { ready: false, taints }));
  const pod = await makePod(rig, { node: "" });
  await claim(rig, pod);
  await removePod(rig);
  await rig.clock.advance(SOON_MS);
  assert.equal(await isFree(rig), true);
});
