import assert from "node:assert/strict";
import { change } from "../../../tests/support/discovery_world.ts";
import { OpenerRig } from "../../../tests/support/opener_rig.ts";
import { ControllerRig, type ControllerRigOptions } from "../../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";
import { ADMISSION_SETTINGS } from "../../../tests/support/admission_judge.ts";
import { DAEMON_PODS } from "../../api/kubernetes/daemon_pod.ts";
import { NODES } from "../../api/kubernetes/node.ts";
import { DAEMON_SETS } from "../../api/kubernetes/workload.ts";
import { err, expectOk } from "../../base/result.ts";

const NAMESPACE = "spiderpool";
const OURS = { key: "ipam.spidernet.io/not-ready", effect: "NoSchedule" };
const THEIRS = { key: "example.com/theirs", effect: "NoExecute" };
const AGENT = "spiderpool-agent";
const MULTUS = "spiderpool-multus";
const MINUTE = 60_000;

async function node(
  rig: ControllerRig,
  { name = "n1", taints = [OURS, THEIRS] }: {
    readonly name?: string;
    readonly taints?: readonly object[];
  } = {},
): Promise<void> {
  await rig.make(NODES, { metadata: { name }, spec: { taints, podCIDR: "10.1.0.0/24" } });
  await rig.clock.advance(1_000);
}

async function isShut(rig: ControllerRig, name = "n1"): Promise<boolean> {
  const { spec } = await rig.read(NODES, { name });
  assert.deepEqual(spec.taints?.filter(({ key }) => key === THEIRS.key), [THEIRS]);
  assert.equal(Reflect.get(spec, "podCIDR"), "10.1.0.0/24");
  return spec.taints.some(({ key }) => key === OURS.key);
}

function readiness(isReady: boolean): object {
  const status = isReady ? "True" : "False";
  const said = isReady ? {} : { message: "containers with unready status: [c]" };
  return {
    conditions: [{ type: "PodScheduled", status: "True" }, { type: "Ready", status, ...said }],
  };
}

async function pod(
  rig: ControllerRig,
  component: string,
  { isReady = true, on = "n1", spec = { nodeName: on } }: {
    readonly isReady?: boolean;
    readonly on?: string;
    readonly spec?: object;
  } = {},
): Promise<void> {
  const labels = { "app.kubernetes.io/component": component };
  await rig.make(DAEMON_PODS, {
    metadata: { namespace: NAMESPACE, name: `${component}-${on}`, labels },
    spec,
    status: readiness(isReady),
  });
  await rig.clock.advance(1_000);
}

async function setReady(rig: ControllerRig, component: string, isReady: boolean): Promise<void> {
  await change(rig, {
    resource: DAEMON_PODS,
    key: { namespace: NAMESPACE, name: `${component}-n1` },
    edit: (read) => ({ ...read, status: readiness(isReady) }),
    part: "status",
  });
}

async function installMultus(rig: ControllerRig): Promise<void> {
  const metadata = { namespace: NAMESPACE, name: MULTUS };
  await rig.make(DAEMON_SETS, { metadata, spec: { template: { metadata: {}, spec: {} } } });
}

/** Events on nodes: type, reason, how often, what is said. */
async function told(rig: ControllerRig): Promise<readonly string[]> {
  const events = await rig.events();
  return events.filter(({ regarding }) => regarding?.kind === "Node").map((event) => {
    const { type, reason, series, note, regarding } = event;
    return `${regarding?.name}: ${type} ${reason} ${series?.count ?? 1}: ${note}`;
  });
}

Deno.test("a node takes pods once its agent is ready, and keeps its other taints", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await node(rig);
  await pod(rig, AGENT, { isReady: false });
  await pod(rig, "spiderpool-controller");
  await pod(rig, AGENT, { on: "n2" });
  await rig.clock.advance(20 * MINUTE);
  assert.equal(await isShut(rig), true);
  await setReady(rig, AGENT, true);
  assert.equal(await isShut(rig), false);
  assert.deepEqual((await told(rig)).filter((one) => !one.includes("Warning")), [
    "n1: Normal Opened 1: Pods may start here: ready on this node: spiderpool-agent",
  ]);
});

Deno.test("where our Multus is installed, a node waits for it too", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await installMultus(rig);
  await node(rig);
  await pod(rig, AGENT);
  await rig.clock.advance(MINUTE);
  assert.equal(await isShut(rig), true, "its pod may come any moment");
  await pod(rig, MULTUS, { isReady: false });
  await rig.clock.advance(20 * MINUTE);
  assert.equal(await isShut(rig), true);
  await setReady(rig, MULTUS, true);
  assert.equal(await isShut(rig), false);
});

Deno.test("what a node waits for is told after a minute, and each five minutes", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await node(rig);
  await pod(rig, AGENT, { isReady: false });
  await rig.clock.advance(MINUTE - 10_000);
  assert.deepEqual(await told(rig), []);
  await rig.clock.advance(20_000);
  const why = (count: number): string =>
    `n1: Warning AgentNotReady ${count}: No pod is placed here until spiderpool-agent is ready: ` +
    'pod "spiderpool/spiderpool-agent-n1" is not ready: containers with unready status: [c]; ' +
    "its events and its log say more";
  assert.deepEqual(await told(rig), [why(1)]);
  await rig.clock.advance(4 * MINUTE);
  assert.deepEqual(await told(rig), [why(1)]);
  await rig.clock.advance(2 * MINUTE);
  assert.deepEqual(await told(rig), [why(2)]);
  await installMultus(rig);
  await pod(rig, MULTUS, { isReady: false });
  await setReady(rig, AGENT, true);
  await rig.clock.advance(6 * MINUTE);
  assert.equal((await told(rig)).filter((one) => one.includes("MultusNotReady")).length, 1);
});

Deno.test("a node that no pod comes to is opened after five minutes, with a warning", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await installMultus(rig);
  await node(rig);
  await rig.clock.advance(5 * MINUTE - 10_000);
  assert.equal(await isShut(rig), true);
  await rig.clock.advance(20_000);
  assert.equal(await isShut(rig), false);
  const [only, ...more] = await told(rig);
  assert.deepEqual(more, []);
  assert.match(
    only ?? "",
    /^n1: Warning OpenedWithout 1: Pods may start here without .*-agent and .*-multus,/,
  );
});

Deno.test("a pod that is meant for a node and not placed yet is waited for", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  const nodeSelectorTerms = [{
    matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }],
  }];
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  await node(rig);
  await pod(rig, AGENT, { isReady: false, spec: { affinity: { nodeAffinity: required } } });
  await rig.clock.advance(20 * MINUTE);
  assert.equal(await isShut(rig), true);
});

Deno.test("five minutes without a pod begin when the last one is gone", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await node(rig);
  await pod(rig, AGENT, { isReady: false });
  await rig.clock.advance(10 * MINUTE);
  const gone = { signal: rig.signal, gracePeriodSeconds: 0 };
  const key = { namespace: NAMESPACE, name: `${AGENT}-n1` };
  expectOk(await rig.store.remove(DAEMON_PODS, key, gone), "it is gone");
  await rig.clock.advance(4 * MINUTE);
  assert.equal(await isShut(rig), true);
  await rig.clock.advance(2 * MINUTE);
  assert.equal(await isShut(rig), false);
});

Deno.test("the word of a pod that is older than its node counts once it has stood", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await pod(rig, AGENT);
  await rig.clock.advance(10_000);
  await node(rig);
  await rig.clock.advance(30_000);
  assert.equal(await isShut(rig), true, "it may be of the machine that was here before");
  await setReady(rig, AGENT, false);
  await setReady(rig, AGENT, true);
  await rig.clock.advance(MINUTE - 10_000);
  assert.equal(await isShut(rig), true);
  await rig.clock.advance(30_000);
  assert.equal(await isShut(rig), false);
});

Deno.test("what only the copy says opens no node", async () => {
  let isGone = true;
  const wrap: ControllerRigOptions["wrap"] = (store) => ({
    ...forwardingStore(store),
    get: (resource, key, options) => {
      const isHidden = isGone && resource.plural === "pods";
      const error = { code: "not_found", message: "it is gone" } as const;
      return isHidden ? Promise.resolve(err(error)) : store.get(resource, key, options);
    },
  });
  await using world = new OpenerRig({ wrap });
  const { rig } = world;
  await node(rig);
  await pod(rig, AGENT);
  await rig.clock.advance(MINUTE);
  assert.equal(await isShut(rig), true);
  isGone = false;
  await rig.clock.advance(20_000);
  assert.equal(await isShut(rig), false);
});

Deno.test("a node that others write at the same time is opened all the same", async () => {
  let refusals = 2;
  await using world = new OpenerRig({
    refuse: ({ kind, operation }) => {
      if (kind.kind !== "Node" || operation !== "replace" || refusals-- <= 0) return undefined;
      return { code: "conflict", message: "somebody else wrote it" };
    },
  });
  const { rig } = world;
  await node(rig);
  await pod(rig, AGENT);
  await rig.clock.advance(5_000);
  assert.equal(await isShut(rig), false);
  assert.ok(refusals < 0);
});

Deno.test("nodes without the taint are not written, whatever runs there", async () => {
  await using world = new OpenerRig();
  const { rig } = world;
  await node(rig, { taints: [THEIRS] });
  await node(rig, { name: "n2" });
  const before = await rig.read(NODES, { name: "n1" });
  await pod(rig, AGENT);
  await rig.clock.advance(10 * MINUTE);
  assert.deepEqual(await rig.read(NODES, { name: "n1" }), before);
  assert.equal((await told(rig)).filter((one) => one.startsWith("n1")).length, 0);
});

Deno.test("SPIDERPOOL_NODE_GATE_ENABLED=false: every node is opened at once", async () => {
  const rules = { ...ADMISSION_SETTINGS, gatesNodes: false };
  await using world = new OpenerRig({ settings: { webhooks: { port: 5722, rules } } });
  const { rig } = world;
  await node(rig);
  assert.equal(await isShut(rig), false);
  assert.match(
    (await told(rig)).join(),
    /Normal Opened 1: .*SPIDERPOOL_NODE_GATE_ENABLED is false/,
  );
});

Deno.test("the next leader opens what the one before left shut", async () => {
  await using rig = new ControllerRig();
  const first = await rig.startController("a");
  await rig.startController("b");
  await node(rig);
  await pod(rig, AGENT, { isReady: false });
  await rig.clock.advance(MINUTE);
  await first.stop();
  await setReady(rig, AGENT, true);
  await rig.clock.advance(30_000);
  assert.equal(await isShut(rig), false);
});
