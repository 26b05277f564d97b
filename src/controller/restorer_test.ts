import assert from "node:assert/strict";
import { ANNOTATION_FORCE_RELEASE } from "../api/annotations.ts";
import { SPIDER_ENDPOINTS } from "../api/endpoint.ts";
import { NAMESPACES } from "../api/kubernetes/node.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { expectOk } from "../base/result.ts";
import { newClaim } from "../ipam/claim.ts";
import { parseAddress } from "../ip/mod.ts";
import { ControllerRig } from "../../tests/support/controller_rig.ts";

const IP = "10.6.0.9";

/** A pod with an address: its SpiderIP, and its endpoint unless that is left out. */
async function podWithAddress(
  rig: ControllerRig,
  { name = "a", isListed = true }: { readonly name?: string; readonly isListed?: boolean } = {},
): Promise<Pod> {
  await rig.store.create(
    NAMESPACES,
    expectOk(NAMESPACES.parse({ metadata: { name: "default" } }), "a namespace"),
    { signal: rig.signal },
  );
  const pod = await rig.make(PODS, {
    metadata: { name, namespace: "default" },
    spec: { nodeName: "n1", containers: [{ name: "c" }] },
    status: { phase: "Running" },
  });
  const { uid = "" } = pod.metadata;
  const entry = { interface: "eth0", ipv4: `${IP}/16`, ipv4Pool: "p4", vlan: 0 };
  await rig.make(SPIDER_ENDPOINTS, {
    metadata: { name, namespace: "default" },
    status: {
      current: { uid, node: "n1", ips: isListed ? [entry] : [] },
      ownerControllerType: "Pod",
      ownerControllerName: name,
    },
  });
  return pod;
}

async function claimFor(rig: ControllerRig, pod: Pod, annotations?: Record<string, string>) {
  const address = expectOk(parseAddress(IP), "an address");
  const { name, uid = "" } = pod.metadata;
  const claim = newClaim({ pool: "p4", address }, {
    podNamespace: "default",
    podName: name,
    podUID: uid,
    containerID: "c1",
    nic: "eth0",
    node: "n1",
    endpointName: name,
  });
  const metadata = { ...claim.metadata, ...(annotations && { annotations }) };
  const made = await rig.make(SPIDER_IPS, { ...claim, metadata });
  await rig.clock.advance(1_000);
  return made;
}

async function remove(rig: ControllerRig): Promise<void> {
  expectOk(await rig.store.remove(SPIDER_IPS, { name: IP }, { signal: rig.signal }), "deleted");
  await rig.clock.advance(10_000);
}

async function isThere(rig: ControllerRig): Promise<boolean> {
  return (await rig.store.get(SPIDER_IPS, { name: IP }, { signal: rig.signal })).ok;
}

Deno.test("a SpiderIP deleted by hand is its living pod's again", async () => {
  await using rig = await ControllerRig.start();
  const before = await claimFor(rig, await podWithAddress(rig));
  await remove(rig);
  const after = await rig.read(SPIDER_IPS, { name: IP });
  assert.deepEqual(after.spec, before.spec);
  assert.deepEqual(after.metadata.labels, before.metadata.labels);
  const [event] = (await rig.events()).filter(({ reason }) => reason === "AddressRestored");
  assert.deepEqual([event?.regarding?.name, event?.type], ["a", "Warning"]);
});

Deno.test("a SpiderIP that its pod does not list is not restored", async () => {
  await using rig = await ControllerRig.start();
  await claimFor(rig, await podWithAddress(rig, { isListed: false }));
  await remove(rig);
  assert.equal(await isThere(rig), false);
});

Deno.test("a SpiderIP whose pod is gone, or is another one, is not restored", async () => {
  for (const isRecreated of [false, true]) {
    await using rig = await ControllerRig.start();
    const pod = await podWithAddress(rig);
    await claimFor(rig, pod);
    const { signal } = rig;
    const options = { signal, gracePeriodSeconds: 0 };
    expectOk(await rig.store.remove(PODS, { namespace: "default", name: "a" }, options), "gone");
    if (isRecreated) {
      await rig.make(PODS, {
        metadata: { name: "a", namespace: "default" },
        spec: { nodeName: "n1", containers: [{ name: "c" }] },
        status: { phase: "Running" },
      });
    }
    await remove(rig);
    assert.equal(await isThere(rig), false, `re-created: ${isRecreated}`);
  }
});

Deno.test("what a person freed by force is not restored", async () => {
  await using rig = await ControllerRig.start();
  await claimFor(rig, await podWithAddress(rig), { [ANNOTATION_FORCE_RELEASE]: "true" });
  await remove(rig);
  assert.equal(await isThere(rig), false);
});

Deno.test("an address that another pod got meanwhile is an Event on both pods", async () => {
  await using rig = await ControllerRig.start();
  const claim = await claimFor(rig, await podWithAddress(rig));
  expectOk(await rig.store.remove(SPIDER_IPS, { name: IP }, { signal: rig.signal }), "deleted");
  const { resourceVersion: _version, uid: _uid, ...metadata } = claim.metadata;
  const spec = { ...claim.spec, podName: "thief", podUID: "uid-thief" };
  await rig.make(SPIDER_IPS, { ...claim, metadata, spec });
  await rig.clock.advance(10_000);
  const taken = (await rig.events()).filter(({ reason }) => reason === "AddressTaken");
  assert.deepEqual(taken.map(({ regarding }) => regarding?.name).sort(), ["a", "thief"]);
  assert.equal((await rig.read(SPIDER_IPS, { name: IP })).spec.podName, "thief");
});
