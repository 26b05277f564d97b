import assert from "node:assert/strict";
import type { CoordinatorArgs, CoordinatorConfig } from "../api/agent.ts";
import { SPIDER_COORDINATORS } from "../api/coordinator.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { expectOk, type Result } from "../base/result.ts";
import { counting } from "../../tests/support/counting_store.ts";
import { AgentRig } from "../../tests/support/agent_rig.ts";
import type { ServiceFailure } from "./service.ts";

const SYNCED = { phase: "Synced", overlayPodCIDR: ["10.244.0.0/16"] };
const NO_POD = { podNamespace: "", podName: "", podUID: "" };
const ANNOTATION = "ipam.spidernet.io/default-route-nic";

async function coordinator(
  rig: AgentRig,
  { name, spec = {}, status = SYNCED }: {
    readonly name: string;
    readonly spec?: object;
    readonly status?: object;
  },
): Promise<void> {
  const object = SPIDER_COORDINATORS.parse({ metadata: { name }, spec, status });
  await rig.make(SPIDER_COORDINATORS, expectOk(object, "a SpiderCoordinator of a test"));
}

async function ask(
  rig: AgentRig,
  args: CoordinatorArgs = NO_POD,
): Promise<Result<CoordinatorConfig, ServiceFailure>> {
  return await rig.until(rig.agent().coordinatorConfig(args, { signal: rig.signal }));
}

async function answer(
  rig: AgentRig,
  args: CoordinatorArgs = NO_POD,
): Promise<CoordinatorConfig> {
  return expectOk(await ask(rig, args), "there is a SpiderCoordinator that is synced");
}

function argsOf({ metadata: { namespace = "", name, uid = "" } }: Pod): CoordinatorArgs {
  return { podNamespace: namespace, podName: name, podUID: uid };
}

Deno.test("coordinatorConfig() answers the SpiderCoordinator named default", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "a-first", spec: { mode: "overlay" } });
  await coordinator(rig, { name: "default", spec: { mode: "underlay" } });
  assert.equal((await answer(rig)).mode, "underlay");
});

Deno.test("coordinatorConfig() answers the first by name where none is named default", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "zz", spec: { mode: "overlay" } });
  await coordinator(rig, { name: "cc", spec: { mode: "underlay" } });
  assert.equal((await answer(rig)).mode, "underlay");
});

Deno.test("coordinatorConfig() answers the one that is synced, of several others", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "aa", spec: { mode: "overlay" }, status: { phase: "NotReady" } });
  await coordinator(rig, { name: "kept", spec: { mode: "underlay" } });
  assert.equal((await answer(rig)).mode, "underlay");
});

Deno.test("coordinatorConfig() serves what was found beside what a person adds", async () => {
  await using rig = await AgentRig.start();
  const status = { ...SYNCED, serviceCIDR: ["10.96.0.0/16", "fd00::/112"] };
  await coordinator(rig, { name: "default", spec: { hijackCIDR: ["169.254.0.0/16"] }, status });
  const { overlayPodCIDR, serviceCIDR, hijackCIDR } = await answer(rig);
  assert.deepEqual({ overlayPodCIDR, serviceCIDR, hijackCIDR }, {
    overlayPodCIDR: ["10.244.0.0/16"],
    serviceCIDR: ["10.96.0.0/16", "fd00::/112"],
    hijackCIDR: ["169.254.0.0/16"],
  });
});

Deno.test("coordinatorConfig() without any says what to create", async () => {
  await using rig = await AgentRig.start();
  assert.deepEqual(await ask(rig), {
    ok: false,
    error: {
      status: 500,
      message: 'coordinator config not found: create a SpiderCoordinator named "default"',
    },
  });
});

Deno.test("coordinatorConfig() refuses one that is not synced, also where another is", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "default", status: { phase: "NotReady", reason: "no CIDR" } });
  await coordinator(rig, { name: "other" });
  const refused = await ask(rig);
  assert.ok(!refused.ok);
  assert.match(refused.error.message, /SpiderCoordinator "default": it is not ready.*\(no CIDR\)/);
});

Deno.test("coordinatorConfig() gives absent lists as empty", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "default", status: { phase: "Synced" } });
  const { overlayPodCIDR, serviceCIDR, hijackCIDR, policyRoutes } = await answer(rig);
  const lists = [overlayPodCIDR, serviceCIDR, hijackCIDR, policyRoutes];
  assert.deepEqual(lists, [[], [], [], []]);
});

Deno.test("coordinatorConfig() reads once for all who ask together", async () => {
  const counts = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({ wrap: counting("spidercoordinators", counts) });
  await coordinator(rig, { name: "default" });
  const asked = Array.from({ length: 20 }, () => ask(rig));
  for (const given of await Promise.all(asked)) assert.ok(given.ok);
  assert.equal(counts.lists, 1);
});

Deno.test("coordinatorConfig() sees a change once a second has passed", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "b", spec: { mode: "overlay" } });
  assert.equal((await answer(rig)).mode, "overlay");
  await coordinator(rig, { name: "a", spec: { mode: "underlay" } });
  await rig.pass(1_000);
  assert.equal((await answer(rig)).mode, "underlay");
});

Deno.test("coordinatorConfig() lets the pod choose its default route", async () => {
  const counts = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({ wrap: counting("pods", counts) });
  await coordinator(rig, { name: "default", spec: { podDefaultRouteNIC: "eth0" } });
  const pod = await rig.pod("web", { annotations: { [ANNOTATION]: "net1" } });
  assert.equal((await answer(rig, argsOf(pod))).podDefaultRouteNIC, "net1");
  assert.equal(counts.gets, 0, "the node's own copy is enough");
  assert.equal((await answer(rig, { ...argsOf(pod), podUID: "" })).podDefaultRouteNIC, "net1");
  assert.equal(counts.gets, 1, "without a UID the copy may be of a former pod");
});

Deno.test("coordinatorConfig() reads the pod live where the copy has another UID", async () => {
  const counts = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({ wrap: counting("pods", counts) });
  await coordinator(rig, { name: "default" });
  const pod = await rig.pod("web", { annotations: { [ANNOTATION]: "net1" } });
  await answer(rig, { ...argsOf(pod), podUID: "of-the-next-pod" });
  assert.equal(counts.gets, 1);
});

Deno.test("coordinatorConfig() answers for a pod that is gone as for any", async () => {
  await using rig = await AgentRig.start();
  await coordinator(rig, { name: "default", spec: { podDefaultRouteNIC: "eth0" } });
  const key = { namespace: "default", name: "gone" };
  assert.equal((await rig.store.get(PODS, key, { signal: rig.signal })).ok, false);
  const args = { podNamespace: "default", podName: "gone", podUID: "u" };
  assert.equal((await answer(rig, args)).podDefaultRouteNIC, "eth0");
});
