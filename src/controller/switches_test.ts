/** What the environment's switches do to pools and addresses; those of queues are tested there. */
import assert from "node:assert/strict";
import { isRecord } from "../api/decode.ts";
import { SPIDERPOOL_FINALIZER } from "../api/group.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { NAMESPACES, NODES } from "../api/kubernetes/node.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { isShut, TAINT_NOT_READY } from "../api/node_gate.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { expectOk } from "../base/result.ts";
import { parseAddress } from "../ip/mod.ts";
import { newClaim } from "../ipam/claim.ts";
import { ControllerRig, type ControllerRigOptions } from "../../tests/support/controller_rig.ts";
import { type ControllerSettings, readSettings } from "./config.ts";

const IP = "10.6.0.9";

async function settingsOf(
  environment: Readonly<Record<string, string>>,
): Promise<ControllerSettings> {
  const pod = { SPIDERPOOL_POD_NAMESPACE: "spiderpool", SPIDERPOOL_POD_NAME: "controller-x" };
  const all: Readonly<Record<string, string>> = { ...pod, ...environment };
  return expectOk(
    await readSettings({ configPath: "/etc/conf.yml" }, {
      readEnvironment: (name) => all[name],
      readText: () => Promise.resolve("enableIPv4: true\n"),
    }),
    "they can be read",
  );
}

async function startRig(
  environment: Readonly<Record<string, string>>,
  options: ControllerRigOptions = {},
): Promise<ControllerRig> {
  const rig = new ControllerRig({ ...options, settings: await settingsOf(environment) });
  await rig.make(NAMESPACES, { metadata: { name: "default" } });
  await rig.startController("a");
  return rig;
}

/** A SpiderIP of a pod that there is not, on no node: only a scan finds it. */
async function makeForgotten(rig: ControllerRig): Promise<void> {
  const address = expectOk(parseAddress(IP), "an address");
  const holder = { podNamespace: "default", podName: "a", podUID: "u1", containerID: "c" };
  const claim = newClaim({ pool: "p4", address }, {
    ...holder,
    nic: "eth0",
    node: "n1",
    endpointName: "a",
  });
  await rig.make(SPIDER_IPS, claim);
}

async function isFree(rig: ControllerRig): Promise<boolean> {
  return !(await rig.store.get(SPIDER_IPS, { name: IP }, { signal: rig.signal })).ok;
}

/** Makes a pool, and counts the tries at writing its status, each of which is refused. */
async function triesAt(
  environment: Readonly<Record<string, string>>,
  { duringMs }: { readonly duringMs: number },
): Promise<number> {
  let tries = 0;
  await using rig = await startRig(environment, {
    refuse: ({ kind, object }) => {
      const status = isRecord(object) ? object.status : undefined;
      if (kind.kind !== "SpiderIPPool" || !isRecord(status)) return undefined;
      if (status.freeIPCount === undefined) return undefined;
      tries++;
      return { code: "invalid", message: "a person says no" };
    },
  });
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4", finalizers: [SPIDERPOOL_FINALIZER] },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.9"] },
    status: { truth: "SpiderIP" },
  });
  await rig.clock.advance(duringMs);
  return tries;
}

Deno.test("SPIDERPOOL_GC_IP_ENABLED: a scan frees what nobody told of, or does not", async () => {
  for (const isOn of [true, false]) {
    await using rig = await startRig({
      SPIDERPOOL_GC_IP_ENABLED: String(isOn),
      SPIDERPOOL_GC_DEFAULT_INTERVAL_DURATION: "60",
    });
    await rig.clock.advance(1_000);
    await makeForgotten(rig);
    await rig.clock.advance(50_000);
    assert.equal(await isFree(rig), false, "no scan yet");
    await rig.clock.advance(12_000);
    assert.equal(await isFree(rig), isOn);
  }
});

Deno.test("SPIDERPOOL_GC_TRACE_POD_GAP_DURATION: so long after a pod comes a look", async () => {
  await using rig = await startRig({ SPIDERPOOL_GC_TRACE_POD_GAP_DURATION: "20" });
  const key = { namespace: "default", name: "a" };
  const pod = await rig.make(PODS, {
    metadata: { ...key, uid: "u1" },
    spec: { nodeName: "n1", containers: [{ name: "c" }] },
  });
  await makeForgotten(rig);
  const claim = await rig.read(SPIDER_IPS, { name: IP });
  const { signal } = rig;
  const spec = { ...claim.spec, podUID: pod.metadata.uid };
  expectOk(await rig.store.replace(SPIDER_IPS, { ...claim, spec }, { signal }), "its own");
  await rig.clock.advance(1_000);
  expectOk(await rig.store.remove(PODS, key, { signal, gracePeriodSeconds: 0 }), "gone");
  await rig.clock.advance(19_000);
  assert.equal(await isFree(rig), false);
  await rig.clock.advance(2_000);
  assert.equal(await isFree(rig), true);
});

Deno.test("SPIDERPOOL_GC_ADDITIONAL_GRACE_DELAY: a pod has longer to end", async () => {
  for (const extraSeconds of [0, 100]) {
    await using rig = await startRig({
      SPIDERPOOL_GC_ADDITIONAL_GRACE_DELAY: String(extraSeconds),
    });
    await rig.make(NODES, {
      metadata: { name: "n1" },
      spec: {},
      status: { conditions: [{ type: "Ready", status: "True" }] },
    });
    const key = { namespace: "default", name: "a" };
    const pod = await rig.make(PODS, {
      metadata: key,
      spec: { nodeName: "n1", containers: [{ name: "c" }], terminationGracePeriodSeconds: 30 },
      status: { phase: "Running" },
    });
    await makeForgotten(rig);
    const claim = await rig.read(SPIDER_IPS, { name: IP });
    const { signal } = rig;
    const spec = { ...claim.spec, podUID: pod.metadata.uid };
    expectOk(await rig.store.replace(SPIDER_IPS, { ...claim, spec }, { signal }), "its own");
    await rig.clock.advance(1_000);
    expectOk(await rig.store.remove(PODS, key, { signal }), "asked");
    await rig.clock.advance(75_000);
    assert.equal(await isFree(rig), extraSeconds === 0);
    await rig.clock.advance(100_000);
    assert.equal(await isFree(rig), true);
  }
});

Deno.test("SPIDERPOOL_WORKQUEUE_RETRY_DELAY_DURATION: so long after a refusal", async () => {
  const tries = (seconds: number): Promise<number> => {
    const text = String(seconds);
    return triesAt({ SPIDERPOOL_WORKQUEUE_RETRY_DELAY_DURATION: text }, { duringMs: 61_000 });
  };
  assert.deepEqual(await Promise.all([tries(10), tries(30), tries(-1)]), [7, 3, 1]);
});

Deno.test("SPIDERPOOL_WORKQUEUE_MAX_RETRIES: so many tries before the next change", async () => {
  const environment = { SPIDERPOOL_WORKQUEUE_MAX_RETRIES: "4" };
  assert.equal(await triesAt(environment, { duringMs: 250_000 }), 4);
});

Deno.test("SPIDERPOOL_IPPOOL_INFORMER_RESYNC_PERIOD: pools are looked at so often", async () => {
  const tries = (seconds: number): Promise<number> =>
    triesAt({
      SPIDERPOOL_WORKQUEUE_RETRY_DELAY_DURATION: "-1",
      SPIDERPOOL_IPPOOL_INFORMER_RESYNC_PERIOD: String(seconds),
    }, { duringMs: 101_000 });
  assert.deepEqual(await Promise.all([tries(20), tries(50), tries(0)]), [6, 3, 1]);
});

Deno.test("a running pod without addresses lives, whatever is set", async () => {
  const name = "SPIDERPOOL_GC_ENABLE_STATELESS_RUNNING_POD_ON_EMPTY_POD_STATUS_IPS";
  const { unused } = await settingsOf({ [name]: "true" });
  assert.deepEqual(unused, [`${name}: a running pod is not dead`]);
  assert.deepEqual((await settingsOf({ [name]: "false" })).unused, []);
});

Deno.test("SPIDERPOOL_NODE_GATE_ENABLED: new nodes wait for their agents, or do not", async () => {
  for (const isOn of [undefined, true, false]) {
    const environment = isOn === undefined ? {} : { SPIDERPOOL_NODE_GATE_ENABLED: String(isOn) };
    await using rig = await startRig(environment);
    const taints = [{ key: TAINT_NOT_READY, effect: "NoSchedule" }];
    await rig.make(NODES, { metadata: { name: "n1" }, spec: { taints } });
    await rig.clock.advance(1_000);
    assert.equal(isShut(await rig.read(NODES, { name: "n1" })), isOn !== false);
  }
});
