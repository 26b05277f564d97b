import assert from "node:assert/strict";
import { SPIDER_COORDINATORS } from "../../api/coordinator.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { CONFIG_MAPS } from "../../api/kubernetes/config_map.ts";
import { COMMAND_PODS } from "../../api/kubernetes/control_plane.ts";
import { CALICO_POOLS, CILIUM_POOLS } from "../../api/kubernetes/pod_networks.ts";
import { ControllerRig } from "../../../tests/support/controller_rig.ts";
import {
  assertStatus,
  change,
  CILIUM,
  coordinator,
  DISCOVERY,
  KUBEADM,
  kubeadm,
  read,
  reasons,
  remove,
  Server,
  serviceCidr,
  started,
} from "../../../tests/support/discovery_world.ts";

const BOTH = "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.1.0.0/16}";
const SYNCED = {
  phase: "Synced",
  pods: ["10.244.0.0/16"],
  services: ["10.96.0.0/16"],
} as const;

Deno.test("a SpiderCoordinator follows kubeadm's ConfigMap", async () => {
  await using rig = await started(new Server());
  await coordinator(rig, "cluster");
  const reason = /ConfigMap "kube-system\/kubeadm-config" is missing/;
  await assertStatus(rig, { phase: "NotReady", pods: [], services: [], reason });
  await kubeadm(rig, BOTH);
  const both = { phase: "Synced", pods: ["10.244.0.0/16"], services: ["10.1.0.0/16"] } as const;
  await assertStatus(rig, both);
  await serviceCidr(rig);
  await assertStatus(rig, SYNCED);
  await change(rig, {
    resource: CONFIG_MAPS,
    key: KUBEADM,
    edit: (config) => ({ ...config, data: { ClusterConfiguration: "podSubnet: ten" } }),
  });
  await assertStatus(rig, {
    ...{ phase: "NotReady", pods: [], services: ["10.96.0.0/16"] },
    reason: /^Cannot find the networks of pods .*podSubnet "ten": .*spec\.podCIDRType$/,
  });
  await remove(rig, CONFIG_MAPS, KUBEADM);
  await assertStatus(rig, { phase: "NotReady", pods: [], services: ["10.96.0.0/16"], reason });
  assert.deepEqual([...new Set(await reasons(rig))].sort(), [
    "Normal Synced",
    "Warning ClusterNotReady",
  ]);
});

Deno.test("a SpiderCoordinator follows kube-controller-manager", async () => {
  await using rig = await started(new Server());
  await serviceCidr(rig);
  await coordinator(rig, "cluster");
  const args = ["--cluster-cidr=10.244.0.0/16"];
  const key = { namespace: "kube-system", name: "kcm" };
  const labels = { component: "kube-controller-manager" };
  const spec = { containers: [{ name: "kcm", args }] };
  await rig.make(COMMAND_PODS, { metadata: { ...key, labels }, spec });
  await rig.make(COMMAND_PODS, {
    metadata: { namespace: "default", name: "liar", labels },
    spec: { containers: [{ name: "kcm", args: ["--cluster-cidr=10.6.6.0/24"] }] },
  });
  await rig.clock.advance(1_000);
  await assertStatus(rig, SYNCED);
});

Deno.test("ServiceCIDRs are read in the version that the server has", async () => {
  for (const version of ["v1beta1", "v1alpha1"]) {
    const server = new Server([`${version}/servicecidrs`]);
    await using rig = await started(server);
    await serviceCidr(rig, { version });
    await coordinator(rig, "none");
    await assertStatus(rig, { phase: "Synced", pods: [], services: ["10.96.0.0/16"] });
    await serviceCidr(rig, { version, name: "more", cidrs: ["10.97.0.0/16"] });
    const services = ["10.96.0.0/16", "10.97.0.0/16"];
    await assertStatus(rig, { phase: "Synced", pods: [], services });
  }
});

Deno.test("a server without ServiceCIDRs is asked again, less and less", async () => {
  const server = new Server([]);
  await using rig = await started(server);
  await coordinator(rig, "none");
  const reason = /services: the server has no kind ServiceCIDR of networking\.k8s\.io\/v1; /;
  await assertStatus(rig, { phase: "Synced", pods: [], services: [], reason });
  await rig.clock.advance(600_000);
  const asked = server.asked.filter((kind) => kind === "v1/servicecidrs").length;
  assert.ok(asked > 12 && asked < 35, `${asked} times in ten minutes`);
  server.kinds.add("v1/servicecidrs");
  await serviceCidr(rig);
  await rig.clock.advance(60_000);
  await assertStatus(rig, { phase: "Synced", pods: [], services: ["10.96.0.0/16"] });
});

Deno.test("Calico's pools are found as soon as its kinds are there, and followed", async () => {
  const server = new Server(["v1/servicecidrs"]);
  await using rig = await started(server);
  await serviceCidr(rig);
  await coordinator(rig, "calico");
  const services = ["10.96.0.0/16"];
  await assertStatus(rig, {
    ...{ phase: "NotReady", pods: [], services },
    reason: /calico\): the server has no kind IPPool of crd\.projectcalico\.org\/v1; repair/,
  });
  server.kinds.add("v1/ippools");
  await rig.make(CALICO_POOLS, { metadata: { name: "p" }, spec: { cidr: "10.244.0.0/16" } });
  await rig.clock.advance(60_000);
  await assertStatus(rig, SYNCED);
  await change(rig, {
    resource: CALICO_POOLS,
    key: { name: "p" },
    edit: (pool) => ({ ...pool, spec: { ...pool.spec, disabled: true } }),
  });
  const reason = /Calico has no IPPool that is not disabled/;
  await assertStatus(rig, { phase: "NotReady", pods: [], services, reason });
  const told = await reasons(rig);
  assert.ok(told.includes("Warning CalicoNotReady"), String(told));
});

Deno.test("a kind that is taken away is missed, and found when it comes again", async () => {
  const server = new Server();
  await using rig = await started(server);
  await serviceCidr(rig);
  await rig.make(CALICO_POOLS, { metadata: { name: "p" }, spec: { cidr: "10.244.0.0/16" } });
  await coordinator(rig, "calico");
  await assertStatus(rig, SYNCED);
  server.kinds.delete("v1/ippools");
  const touched = { resource: CALICO_POOLS, key: { name: "p" } };
  const metadata = { name: "p", labels: { touched: "yes" } };
  await change(rig, {
    ...touched,
    edit: (pool) => ({ ...pool, metadata: { ...pool.metadata, ...metadata } }),
  });
  await rig.clock.advance(120_000);
  const reason = /calico\): the server has no kind IPPool /;
  await assertStatus(rig, { ...SYNCED, phase: "NotReady", pods: [], reason });
  server.kinds.add("v1/ippools");
  await rig.clock.advance(120_000);
  await assertStatus(rig, SYNCED);
});

Deno.test("Cilium's networks are found, and its pools only where it uses them", async () => {
  const server = new Server();
  await using rig = await started(server);
  await serviceCidr(rig);
  await coordinator(rig, "cilium");
  const data = { ipam: "cluster-pool", "cluster-pool-ipv4-cidr": "10.244.0.0/16" };
  await rig.make(CONFIG_MAPS, { metadata: CILIUM, data });
  await rig.clock.advance(1_000);
  await assertStatus(rig, SYNCED);
  assert.ok(!server.asked.includes("v2alpha1/ciliumpodippools"));
  await change(rig, {
    resource: CONFIG_MAPS,
    key: CILIUM,
    edit: (config) => ({ ...config, data: { ipam: "multi-pool" } }),
  });
  await rig.make(CILIUM_POOLS, {
    metadata: { name: "default" },
    spec: { ipv4: { cidrs: ["10.5.0.0/16"], maskSize: 24 } },
  });
  await rig.clock.advance(1_000);
  await assertStatus(rig, { ...SYNCED, pods: ["10.5.0.0/16"] });
});

Deno.test("nobody who does not use Calico or Cilium is asked for their kinds", async () => {
  const server = new Server();
  await using rig = await started(server);
  await serviceCidr(rig);
  await kubeadm(rig, BOTH);
  await coordinator(rig, "cluster");
  await assertStatus(rig, SYNCED);
  assert.deepEqual(server.asked.filter((kind) => /ippools/.test(kind)), [
    "v2beta1/spiderippools",
  ]);
});

Deno.test("auto is found out on the node, and looked at again", async () => {
  const files = new Map<string, string>();
  await using rig = await started(new Server(), {
    files: {
      listFiles: () => Promise.resolve([...files.keys()]),
      readText: (path) => Promise.resolve(files.get(path.split("/").at(-1) ?? "") ?? ""),
    },
  });
  await serviceCidr(rig);
  await coordinator(rig, "auto");
  await assertStatus(rig, { ...SYNCED, pods: [] });
  files.set("10-calico.conflist", '{"name": "k8s-pod-network"}');
  await rig.make(CALICO_POOLS, { metadata: { name: "p" }, spec: { cidr: "10.244.0.0/16" } });
  await rig.clock.advance(DISCOVERY.resyncMs + 1_000);
  await assertStatus(rig, SYNCED);
  assert.ok((await reasons(rig)).includes("Normal PodCIDRTypeChanged"));
});

Deno.test("a folder that cannot be read is told, and soon read again", async () => {
  let isThere = false;
  await using rig = await started(new Server(), {
    discovery: { resyncMs: 0 },
    files: {
      listFiles: () => isThere ? Promise.resolve([]) : Promise.reject(new Error("not there")),
      readText: () => Promise.resolve(""),
    },
  });
  await serviceCidr(rig);
  await coordinator(rig, "auto");
  const reason = /folder "\/etc\/cni\/net\.d" cannot be read: not there; mount /;
  await assertStatus(rig, { ...SYNCED, phase: "NotReady", pods: [], reason });
  isThere = true;
  await rig.clock.advance(30_000);
  await assertStatus(rig, { ...SYNCED, pods: [] });
});

Deno.test("a status is written when it changes, and when somebody else wrote it", async () => {
  const server = new Server();
  await using rig = await started(server);
  await serviceCidr(rig);
  await kubeadm(rig, BOTH);
  await coordinator(rig, "cluster");
  assert.equal(server.statusWrites, 1);
  await rig.clock.advance(600_000);
  await change(rig, {
    resource: CONFIG_MAPS,
    key: KUBEADM,
    edit: (config) => ({ ...config, data: { ClusterConfiguration: `${BOTH} # same` } }),
  });
  assert.equal(server.statusWrites, 1);
  await change(rig, {
    resource: SPIDER_COORDINATORS,
    key: { name: "default" },
    part: "status",
    edit: (stored) => ({ ...stored, status: { phase: "Synced", overlayPodCIDR: ["1.2.3.0/24"] } }),
  });
  await assertStatus(rig, SYNCED);
  assert.equal(server.statusWrites, 2);
});

Deno.test("a server that does not answer changes no status", async () => {
  const server = new Server();
  const error = { code: "unavailable", message: "no answer", outcomeUnknown: false } as const;
  server.refusals.set("v1/servicecidrs", error);
  await using rig = await started(server);
  await kubeadm(rig, BOTH);
  await coordinator(rig, "cluster");
  assert.equal((await read(rig)).status, undefined, "what kubeadm says may be old");
  server.refusals.clear();
  await serviceCidr(rig);
  await rig.clock.advance(60_000);
  await assertStatus(rig, SYNCED);
});

Deno.test("a kind that may not be listed is told, or another place is believed", async () => {
  const server = new Server();
  const message = "Cannot list servicecidrs: forbidden: grant it";
  const error = { code: "forbidden", message, namespaceTerminating: false } as const;
  server.refusals.set("v1/servicecidrs", error);
  server.refusals.set("v1beta1/servicecidrs", error);
  server.refusals.set("v1alpha1/servicecidrs", error);
  await using rig = await started(server);
  await coordinator(rig, "none");
  const reason = /services: Cannot list servicecidrs: forbidden: grant it; /;
  await assertStatus(rig, { phase: "Synced", pods: [], services: [], reason });
  await kubeadm(rig, BOTH);
  await assertStatus(rig, { phase: "Synced", pods: [], services: ["10.1.0.0/16"] });
});

Deno.test("the reference's finalizer is taken off every SpiderCoordinator", async () => {
  await using rig = await started(new Server());
  await serviceCidr(rig);
  for (const name of ["default", "another"]) {
    await coordinator(rig, "none", { name, finalizers: [SPIDERPOOL_FINALIZER, "a.person/x"] });
    assert.deepEqual((await read(rig, name)).metadata.finalizers, ["a.person/x"]);
  }
  await assertStatus(rig, { phase: "Synced", pods: [], services: ["10.96.0.0/16"] });
  assert.equal((await read(rig, "another")).status, undefined, "one counts");
});

Deno.test("a SpiderCoordinator that the finalizer kept goes with it", async () => {
  const rig = new ControllerRig({
    settings: { discovery: DISCOVERY },
    wrap: new Server().wrap,
  });
  await using _end = rig;
  await coordinator(rig, "none", { finalizers: [SPIDERPOOL_FINALIZER] });
  const { signal } = rig;
  const key = { name: "default" };
  const removed = await rig.store.remove(SPIDER_COORDINATORS, key, { signal });
  assert.deepEqual(removed, { ok: true, value: "terminating" });
  await rig.startController("a");
  await rig.clock.advance(1_000);
  assert.equal((await rig.store.get(SPIDER_COORDINATORS, key, { signal })).ok, false);
});

Deno.test("a controller that is not to discover writes nothing", async () => {
  const server = new Server();
  await using rig = await started(server, { discovery: { isOn: false } });
  await serviceCidr(rig);
  await coordinator(rig, "none");
  await rig.clock.advance(120_000);
  assert.equal((await read(rig)).status, undefined);
});
