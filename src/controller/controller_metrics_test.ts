import assert from "node:assert/strict";
import { NAMESPACES, NODES } from "../api/kubernetes/node.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../api/subnet.ts";
import { openMetrics } from "../base/metrics_sink.ts";
import type { ObjectStore, StoreError } from "../base/object_store.ts";
import { err, expectOk } from "../base/result.ts";
import { newClaim } from "../ipam/claim.ts";
import { parseAddress } from "../ip/mod.ts";
import {
  CONTROLLER_SETTINGS,
  ControllerRig,
  type ControllerRigOptions,
} from "../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";

const SOON_MS = 15_000;
const CONFLICTS = "spiderpool_ipam_release_update_ippool_conflict_counts_total";

/** A rig whose controllers count together, and how to read what they counted. */
function countingRig(options: ControllerRigOptions & { readonly keepsDebug?: boolean } = {}): {
  readonly rig: ControllerRig;
  readonly read: () => Promise<Readonly<Record<string, number>>>;
} {
  const { keepsDebug = false, ...rest } = options;
  const { metrics, text } = openMetrics({ keepsDebug });
  return {
    rig: new ControllerRig({ ...rest, metrics }),
    read: async () => {
      const lines = (await text()).split("\n").filter((line) => /^\w/.test(line));
      return Object.fromEntries(lines.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }));
    },
  };
}

function claimOf(
  pod: string,
  { ip, uid }: { readonly ip: string; readonly uid: string },
): SpiderIp {
  const address = expectOk(parseAddress(ip), "an address");
  return newClaim({ pool: "p4", address }, {
    ...{ podNamespace: "default", podName: pod, podUID: uid, containerID: "c" },
    ...{ nic: "eth0", node: "n1", endpointName: pod },
  });
}

/** An address whose pod and node are gone, before anybody leads. */
async function makeLost(rig: ControllerRig, ip: string): Promise<void> {
  await rig.make(SPIDER_IPS, claimOf("gone", { ip, uid: "uid-gone" }));
}

async function makePool(rig: ControllerRig, name: string, ips: string): Promise<void> {
  const spec = { subnet: "10.6.0.0/16", ips: [ips] };
  await rig.make(SPIDER_IP_POOLS, { metadata: { name }, spec, status: { truth: "SpiderIP" } });
}

/** Stores whose deletions of SpiderIPs are refused at first. */
function refusing(
  { times, error }: { readonly times: number; readonly error: StoreError },
): (store: ObjectStore) => ObjectStore {
  let left = times;
  return (store) => ({
    ...forwardingStore(store),
    remove: (resource, ...args) =>
      resource.plural === SPIDER_IPS.plural && left-- > 0
        ? Promise.resolve(err(error))
        : store.remove(resource, ...args),
  });
}

Deno.test("every counter of a controller is there from the start, at 0", async () => {
  const { rig, read } = countingRig();
  await using _rig = rig;
  await rig.startController("a");
  assert.deepEqual(await read(), {
    spiderpool_ip_gc_counts_total: 0,
    spiderpool_ip_gc_failure_counts_total: 0,
    [CONFLICTS]: 0,
    spiderpool_total_ippool_counts: 0,
    spiderpool_total_subnet_counts: 0,
  });
});

Deno.test("a controller counts what it frees of dead pods", async () => {
  const { rig, read } = countingRig();
  await using _rig = rig;
  for (const ip of ["10.6.0.1", "10.6.0.2"]) await makeLost(rig, ip);
  await rig.startController("a");
  await rig.clock.advance(SOON_MS);
  const { spiderpool_ip_gc_counts_total: freed, spiderpool_ip_gc_failure_counts_total: failed } =
    await read();
  assert.deepEqual({ freed, failed }, { freed: 2, failed: 0 });
});

Deno.test("a controller counts looks that fail, and deletions that come late", async () => {
  for (const code of ["broken", "conflict"] as const) {
    const error = { code, message: "refused by the test" };
    const { rig, read } = countingRig({ wrap: refusing({ times: 2, error }) });
    await using _rig = rig;
    await makeLost(rig, "10.6.0.1");
    await rig.startController("a");
    await rig.clock.advance(2 * SOON_MS);
    const samples = await read();
    assert.equal(samples["spiderpool_ip_gc_counts_total"], 1, `freed in the end: ${code}`);
    const failed = samples["spiderpool_ip_gc_failure_counts_total"];
    const conflicts = samples[CONFLICTS];
    const [failedTimes, conflictTimes] = code === "broken" ? [2, 0] : [0, 2];
    assert.deepEqual({ failed, conflicts }, { failed: failedTimes, conflicts: conflictTimes });
  }
});

Deno.test("addresses of pools are gauges of the leader: they come, change and go", async () => {
  const { rig, read } = countingRig({ keepsDebug: true });
  await using _rig = rig;
  const pools = async (): Promise<Readonly<Record<string, number>>> => {
    const samples = Object.entries(await read());
    const shown = samples.filter(([name]) => /total_ippool_counts|debug/.test(name));
    return Object.fromEntries(shown.map(([name, value]) => {
      return [name.replace("spiderpool_", "").replace("debug_ippool_", ""), value];
    }));
  };
  await rig.make(NAMESPACES, { metadata: { name: "default" } });
  await rig.make(NODES, { metadata: { name: "n1" }, spec: {} });
  const pod = await rig.make(PODS, {
    metadata: { name: "a", namespace: "default" },
    spec: { nodeName: "n1", containers: [{ name: "c" }] },
    status: { phase: "Running" },
  });
  const replica = await rig.startController("a");
  await makePool(rig, "p4", "10.6.0.1-10.6.0.4");
  await makePool(rig, "q4", "10.6.1.1-10.6.1.9");
  await rig.make(SPIDER_IPS, claimOf("a", { ip: "10.6.0.1", uid: pod.metadata.uid ?? "" }));
  await rig.clock.advance(SOON_MS);
  const both = {
    total_ippool_counts: 2,
    'total_ip_counts{SpiderIPPool="p4"}': 4,
    'total_ip_counts{SpiderIPPool="q4"}': 9,
    'available_ip_counts{SpiderIPPool="p4"}': 3,
    'available_ip_counts{SpiderIPPool="q4"}': 9,
  };
  assert.deepEqual(await pools(), both);
  await rig.clock.advance(700_000); // Pools are looked at again: nothing is added up.
  assert.deepEqual(await pools(), both);

  const stored = await rig.read(SPIDER_IP_POOLS, { name: "q4" });
  const { signal } = rig;
  const smaller = { ...stored, spec: { ...stored.spec, ips: ["10.6.1.1-10.6.1.2"] } };
  expectOk(await rig.store.replace(SPIDER_IP_POOLS, smaller, { signal }), "made smaller");
  await rig.clock.advance(SOON_MS);
  assert.equal((await pools())['total_ip_counts{SpiderIPPool="q4"}'], 2);

  expectOk(await rig.store.remove(SPIDER_IP_POOLS, { name: "q4" }, { signal }), "deleted");
  await rig.clock.advance(SOON_MS);
  assert.deepEqual(await pools(), {
    total_ippool_counts: 1,
    'total_ip_counts{SpiderIPPool="p4"}': 4,
    'available_ip_counts{SpiderIPPool="p4"}': 3,
  });

  await replica.stop();
  assert.deepEqual(await pools(), { total_ippool_counts: 0 });
});

Deno.test("what Subnets lend are gauges of the leader, each of its own Subnet", async () => {
  const lending = { ...CONTROLLER_SETTINGS.lending, isOn: true };
  const { rig, read } = countingRig({ keepsDebug: true, settings: { lending } });
  await using _rig = rig;
  const subnets = async (): Promise<Readonly<Record<string, number>>> => {
    const shown = Object.entries(await read()).filter(([name]) => name.includes("subnet"));
    return Object.fromEntries(shown.map(([name, value]) => {
      return [name.replace("spiderpool_", "").replace("debug_subnet_", ""), value];
    }));
  };
  const ofSubnet = (name: string, [pools = 0, total = 0, free = 0]: readonly number[]) => ({
    [`ippool_counts{SpiderSubnet="${name}"}`]: pools,
    [`total_ip_counts{SpiderSubnet="${name}"}`]: total,
    [`available_ip_counts{SpiderSubnet="${name}"}`]: free,
  });
  const replica = await rig.startController("a");
  for (const [name, third] of [["s", 6], ["t", 7]] as const) {
    const spec = { subnet: `10.${third}.0.0/16`, ips: [`10.${third}.0.1-10.${third}.0.9`] };
    await rig.make(SPIDER_SUBNETS, { metadata: { name }, spec });
  }
  await makePool(rig, "p4", "10.6.0.1-10.6.0.4");
  await rig.clock.advance(SOON_MS);
  const lent = { ...ofSubnet("s", [1, 9, 5]), ...ofSubnet("t", [0, 9, 9]) };
  assert.deepEqual(await subnets(), { total_subnet_counts: 2, ...lent });

  const { signal } = rig;
  expectOk(await rig.store.remove(SPIDER_SUBNETS, { name: "t" }, { signal }), "deleted");
  await rig.clock.advance(SOON_MS);
  assert.deepEqual(await subnets(), { total_subnet_counts: 1, ...ofSubnet("s", [1, 9, 5]) });

  await replica.stop();
  assert.deepEqual(await subnets(), { total_subnet_counts: 0 });
});
