import assert from "node:assert/strict";
import {
  VIRTUAL_MACHINE_INSTANCE_MIGRATIONS,
  VIRTUAL_MACHINE_INSTANCES,
  VIRTUAL_MACHINES,
} from "../api/kubernetes/kube_virt.ts";
import { err, expectOk } from "../base/result.ts";
import { AgentRig, type RigOptions } from "../../tests/support/agent_rig.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";

const POOL = { ips: ["10.6.0.10-10.6.0.19"], gateway: "10.6.0.1" };
const owner = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", name: "vm-a" };
const annotations = { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: ["p4"] }) };
const metadata = { name: "vm-a", namespace: "default" };

async function machineRig(
  options: { readonly conflictDetection?: boolean; readonly wrap?: RigOptions["wrap"] } = {},
) {
  const { wrap, ...settings } = options;
  const rig = await AgentRig.start({ nodes: ["n1", "n2"], settings, ...(wrap && { wrap }) });
  await rig.pool("p4", POOL);
  const parsed = VIRTUAL_MACHINES.parse({ metadata });
  await rig.make(VIRTUAL_MACHINES, expectOk(parsed, "a machine"));
  return rig;
}

Deno.test("a machine's pod has its endpoint under the machine's name", async () => {
  await using rig = await machineRig();
  const pod = await rig.pod("virt-launcher-vm-a-1", { owner, annotations });
  const given = await rig.addresses(pod);
  const endpoint = await rig.endpoint("vm-a");
  assert.equal(endpoint?.status?.current.ips[0]?.ipv4, given[0]);
  assert.equal(endpoint?.metadata.ownerReferences, undefined);
  const [claim] = await rig.claimObjects();
  assert.equal(claim?.spec.podName, "virt-launcher-vm-a-1");
  assert.deepEqual(claim?.spec.owner, { kind: "VirtualMachineInstance", name: "vm-a" });
});

Deno.test("a machine keeps its address when it is started anew, on another node too", async () => {
  await using rig = await machineRig();
  const first = await rig.pod("virt-launcher-vm-a-1", { owner, annotations });
  const given = await rig.addresses(first);
  await rig.removePod("virt-launcher-vm-a-1");
  await rig.del(first);
  assert.equal((await rig.claims()).length, 1, "its machine is there and may start again");
  const second = await rig.pod("virt-launcher-vm-a-2", { owner, annotations, node: "n2" });
  assert.deepEqual(await rig.addresses(second), given);
  const [claim] = await rig.claimObjects();
  assert.deepEqual([claim?.spec.podName, claim?.spec.node], ["virt-launcher-vm-a-2", "n2"]);
});

Deno.test("a machine's second pod is refused while the first lives, unless it moves", async () => {
  await using rig = await machineRig({ conflictDetection: true });
  const first = await rig.pod("virt-launcher-vm-a-1", { owner, annotations });
  const given = await rig.addresses(first);
  const second = await rig.pod("virt-launcher-vm-a-2", { owner, annotations, node: "n2" });
  assert.match(await rig.refusal(second), /10\.6\.0\.1\d.*virt-launcher-vm-a-1/s);
  const migration = VIRTUAL_MACHINE_INSTANCE_MIGRATIONS.parse({
    metadata: { name: "move", namespace: "default" },
    spec: { vmiName: "vm-a" },
  });
  await rig.make(VIRTUAL_MACHINE_INSTANCE_MIGRATIONS, expectOk(migration, "a migration"));
  const target = await rig.pod("virt-launcher-vm-a-3", {
    owner,
    annotations: { ...annotations, "kubevirt.io/migrationJobName": "move" },
    node: "n2",
  });
  const moved = expectOk(await rig.add(target), "the target has the address");
  assert.deepEqual(moved.ips.map((ip) => ip.address), given);
  assert.equal(moved.ips[0]?.enableIPConflictDetection, false, "the source still answers");
  await rig.removePod("virt-launcher-vm-a-1");
  await rig.del(first);
  assert.deepEqual(await rig.addresses(target), given, "the source's DEL frees nothing");
});

Deno.test("a machine that was deleted gives its address back with the DEL of its pod", async () => {
  await using rig = await machineRig();
  const parsed = VIRTUAL_MACHINE_INSTANCES.parse({ metadata });
  await rig.make(VIRTUAL_MACHINE_INSTANCES, expectOk(parsed, "an instance"));
  const pod = await rig.pod("virt-launcher-vm-a-1", { owner, annotations });
  await rig.addresses(pod);
  const key = { namespace: "default", name: "vm-a" };
  const options = { signal: rig.signal };
  expectOk(await rig.store.remove(VIRTUAL_MACHINE_INSTANCES, key, options), "it was there");
  expectOk(await rig.store.remove(VIRTUAL_MACHINES, key, options), "it was there");
  await rig.removePod("virt-launcher-vm-a-1");
  await rig.del(pod);
  assert.deepEqual(await rig.claims(), []);
  assert.equal(await rig.endpoint("vm-a"), undefined);
});

/** A store whose server stops serving KubeVirt's kinds once it is told to. */
function forgetfulStore() {
  const state = { servesMachines: true };
  const wrap: RigOptions["wrap"] = (store) => ({
    ...forwardingStore(store),
    get: async (resource, ...rest) => {
      if (state.servesMachines || resource.group !== "kubevirt.io") {
        return await store.get(resource, ...rest);
      }
      const message = "the server does not serve this kind";
      return err({ code: "unavailable", message, outcomeUnknown: false, isUnserved: true });
    },
  });
  return { state, wrap };
}

Deno.test("what pods left is freed also where KubeVirt was taken away", async () => {
  const { state, wrap } = forgetfulStore();
  await using rig = await machineRig({ wrap });
  await rig.addresses(await rig.pod("virt-launcher-vm-a-1", { owner, annotations }));
  await rig.addresses(await rig.pod("web", { annotations }));
  state.servesMachines = false;
  await rig.removePod("virt-launcher-vm-a-1");
  await rig.removePod("web");
  await rig.pass(10_000);
  const left = (await rig.claims()).map((text) => text.split(" ")[1]);
  assert.deepEqual(left, ["virt-launcher-vm-a-1"], "a server that starts may not serve all yet");
  for (let minute = 0; minute < 3; minute++) await rig.pass(60_000);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("a DEL is answered while KubeVirt is not served, and keeps the address", async () => {
  const { state, wrap } = forgetfulStore();
  await using rig = await machineRig({ wrap });
  const pod = await rig.pod("virt-launcher-vm-a-1", { owner, annotations });
  await rig.addresses(pod);
  state.servesMachines = false;
  await rig.removePod("virt-launcher-vm-a-1");
  const fromMs = rig.clock.monotonicMs();
  await rig.del(pod);
  assert.ok(rig.clock.monotonicMs() - fromMs < 1_000, "it waits for nothing");
  assert.equal((await rig.claims()).length, 1);
  state.servesMachines = true;
  for (let minute = 0; minute < 3; minute++) await rig.pass(60_000);
  assert.equal((await rig.claims()).length, 1, "its machine is there and may start again");
});
