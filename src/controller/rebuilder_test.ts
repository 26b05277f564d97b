import assert from "node:assert/strict";
import { ANNOTATION_FORCE_RELEASE } from "../api/annotations.ts";
import { SPIDER_ENDPOINTS } from "../api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { NAMESPACES } from "../api/kubernetes/node.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { expectOk } from "../base/result.ts";
import { ControllerRig } from "../../tests/support/controller_rig.ts";

const IP = "10.6.0.9";
const SOON_MS = 10_000;

/** A cluster without controllers: a pool, and a pod whose endpoint lists an address. */
async function rigWithPod({ truth = true, uid, phase = "Running" }: {
  readonly truth?: boolean;
  readonly uid?: string;
  readonly phase?: string;
} = {}): Promise<{ readonly rig: ControllerRig; readonly pod: Pod }> {
  const rig = new ControllerRig();
  await rig.make(NAMESPACES, { metadata: { name: "default" } });
  const status = truth ? { truth: "SpiderIP" } : { allocatedIPs: "no JSON" };
  const spec = { subnet: "10.6.0.0/16", ips: ["10.6.0.9-10.6.0.12"] };
  await rig.make(SPIDER_IP_POOLS, { metadata: { name: "p4" }, spec, status });
  const pod = await rig.make(PODS, {
    metadata: { name: "a", namespace: "default" },
    spec: { nodeName: "n1", restartPolicy: "Never", containers: [{ name: "c" }] },
    status: { phase },
  });
  const ips = [{ interface: "eth0", ipv4: `${IP}/16`, ipv4Pool: "p4", vlan: 0 }];
  await rig.make(SPIDER_ENDPOINTS, {
    metadata: { name: "a", namespace: "default" },
    status: {
      current: { uid: uid ?? pod.metadata.uid, node: "n1", ips },
      ownerControllerType: "Pod",
      ownerControllerName: "a",
    },
  });
  return { rig, pod };
}

async function claimOf(rig: ControllerRig): Promise<SpiderIp | undefined> {
  const found = await rig.store.get(SPIDER_IPS, { name: IP }, { signal: rig.signal });
  return found.ok ? found.value : undefined;
}

Deno.test("a SpiderIP that vanished while nobody led is its living pod's again", async () => {
  const { rig, pod } = await rigWithPod();
  await using _ended = rig;
  await rig.startController("a");
  await rig.clock.advance(SOON_MS);
  const { podName, podNamespace, podUID, nic, node, pool } = (await claimOf(rig))?.spec ?? {};
  assert.deepEqual([podNamespace, podName, nic, node, pool], ["default", "a", "eth0", "n1", "p4"]);
  assert.equal(podUID, pod.metadata.uid);
  const [event] = (await rig.events()).filter(({ reason }) => reason === "AddressRestored");
  assert.equal(event?.regarding?.name, "a");
});

Deno.test("what a dead pod's or another pod's endpoint lists is not made again", async () => {
  for (const wish of [{ phase: "Succeeded" }, { uid: "another" }, { truth: false }]) {
    const { rig } = await rigWithPod(wish);
    await using _ended = rig;
    await rig.startController("a");
    await rig.clock.advance(700_000);
    assert.equal(await claimOf(rig), undefined, JSON.stringify(wish));
  }
});

Deno.test("what a person freed by force is not made again by a scan", async () => {
  const { rig } = await rigWithPod();
  await using _ended = rig;
  await rig.startController("a");
  await rig.clock.advance(SOON_MS);
  const claim = await rig.read(SPIDER_IPS, { name: IP });
  const annotations = { ...claim.metadata.annotations, [ANNOTATION_FORCE_RELEASE]: "true" };
  const { signal } = rig;
  const forced = { ...claim, metadata: { ...claim.metadata, annotations } };
  expectOk(await rig.store.replace(SPIDER_IPS, forced, { signal }), "annotated");
  await rig.clock.advance(1_000);
  expectOk(await rig.store.remove(SPIDER_IPS, { name: IP }, { signal }), "deleted");
  await rig.clock.advance(1_300_000);
  assert.equal(await claimOf(rig), undefined);
});

Deno.test("an address that another pod has by now is an Event on both pods", async () => {
  const { rig } = await rigWithPod();
  await using _ended = rig;
  await rig.startController("a");
  await rig.clock.advance(1_000); // Between the list and the look.
  await rig.make(SPIDER_IPS, {
    metadata: { name: IP },
    spec: { ip: IP, pool: "p4", podNamespace: "default", podName: "b", podUID: "uid-of-b" },
  });
  await rig.clock.advance(SOON_MS);
  const told = (await rig.events()).filter(({ reason }) => reason === "AddressTaken");
  assert.deepEqual(told.map(({ regarding }) => regarding?.name).sort(), ["a", "b"]);
});
