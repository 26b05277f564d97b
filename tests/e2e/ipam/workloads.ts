/** What happens to addresses while applications change. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  deployment,
  jobOf,
  namespaceOf,
  poolName,
  pools,
  type Scenario,
  statefulSet,
} from "./corner.ts";
import { LIMIT } from "./installation.ts";
import {
  addressesInUse,
  addressesOf,
  assertAddresses,
  assertDescribed,
  assertReachable,
  eventually,
  type ObservedPod,
  podsOf,
  rolledOut,
} from "./observed.ts";

const sticky: Scenario = {
  name: "sticky",
  promise: "pods of a StatefulSet keep their addresses through delete and move",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "kept", { count: 20 }),
    statefulSet(corner, "db", {
      replicas: 2,
      ippool: ask(corner, "kept"),
      node: corner.site.nodes[0],
    }),
  ],
  check: async (corner) => {
    const { kubectl, nodes: [, second] } = corner.site;
    const first = await statefulPods(corner);
    const addresses = await assertAddresses(corner, first, { nic: "net1", from: ["kept"] });

    await replacePods(corner, first);
    const again = await statefulPods(corner);
    assert.deepEqual(
      await assertAddresses(corner, again, { nic: "net1", from: ["kept"] }),
      addresses,
      "after delete",
    );

    const template = { spec: { nodeSelector: { "kubernetes.io/hostname": second } } };
    const patch = JSON.stringify({ spec: { template } });
    await kubectl.run("patch", "statefulset", "db", "-n", corner.name, "-p", patch);
    const moved = await statefulPods(corner);
    assert.deepEqual(moved.map(({ node }) => node), [second, second]);
    assert.deepEqual(
      await assertAddresses(corner, moved, { nic: "net1", from: ["kept"] }),
      addresses,
      "after a move",
    );
    await assertReachable(corner, moved, addresses);

    await kubectl.run("scale", "statefulset", "db", "-n", corner.name, "--replicas=1");
    const freed = addressesOf(moved.slice(1), "net1");
    await eventually(`${freed} to be free, as nobody wants it`, async () => {
      const inUse = await addressesInUse(corner.site);
      return freed.every((ip) => !inUse.has(ip));
    });
  },
};

/** Pods of the StatefulSet by their number, once all are there. */
async function statefulPods(corner: Corner): Promise<readonly ObservedPod[]> {
  await rolledOut(corner, "statefulset/db");
  return (await podsOf(corner, "db")).toSorted((one, other) => one.name < other.name ? -1 : 1);
}

/**
 * Deletes pods whose owner makes them again, and waits for those. `kubectl delete` is not asked to
 * wait: it may take a new pod of the same name for the old one.
 */
async function replacePods(corner: Corner, old: readonly ObservedPod[]): Promise<void> {
  const { kubectl } = corner.site;
  const names = old.map(({ name }) => name);
  const uids = new Set(old.map(({ uid }) => uid));
  await kubectl.run("delete", "pods", "-n", corner.name, "--wait=false", ...names);
  await eventually(`new pods for ${names}`, async () => {
    const pods = await podsOf(corner);
    return pods.length === old.length && pods.every(({ uid }) => !uids.has(uid));
  });
  const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
  await kubectl.run("wait", "pods", "-n", corner.name, ...ready, ...names);
}

const rolling: Scenario = {
  name: "rolling",
  promise: "a rolling update gets by with the replicas' addresses and one of surge",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "exact", { count: 4 }),
    deployment(corner, "web", {
      replicas: 3,
      ippool: ask(corner, "exact"),
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    }),
  ],
  check: async (corner) => {
    await rolledOut(corner, "deployment/web");
    const before = await podsOf(corner, "web");
    await corner.site.kubectl.run("rollout", "restart", "-n", corner.name, "deployment/web");
    await rolledOut(corner, "deployment/web");
    const after = await podsOf(corner, "web");
    assert.equal(after.length, 3);
    const names = new Set(before.map(({ name }) => name));
    assert.ok(after.every(({ name }) => !names.has(name)), "every pod is a new one");
    await assertAddresses(corner, after, { nic: "net1", from: ["exact"] });
  },
};

const exhausted: Scenario = {
  name: "exhausted",
  promise: "a full pool is said so on pod and pool, and more addresses are the remedy",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "small", { count: 1 }),
    deployment(corner, "web", { replicas: 2, ippool: ask(corner, "small") }),
  ],
  check: async (corner) => {
    const { kubectl, versions } = corner.site;
    const waiting = await podWithoutAddress(corner);
    await assertDescribed(corner, {
      name: waiting,
      says: /all IP addresses used out for NIC "net1" .*pool "exhausted-small-v[46]" has no free/,
    });
    const described = await kubectl.run("describe", "pod", "-n", corner.name, waiting);
    assert.match(described, /AddressRefused .*all IP addresses used out/);
    await eventually("an event on the full pool", async () => {
      const kind = "--field-selector=involvedObject.kind=SpiderIPPool";
      const name = "jsonpath={.items[*].involvedObject.name}";
      const told = (await kubectl.run("get", "events", "-A", kind, "-o", name)).split(" ");
      return versions.some((version) =>
        told.includes(poolName(corner, { name: "small", version }))
      );
    });
    await kubectl.apply(...pools(corner, "small", { count: 2 }));
    await rolledOut(corner, "deployment/web");
    await assertAddresses(corner, await podsOf(corner, "web"), { nic: "net1", from: ["small"] });
  },
};

const job: Scenario = {
  name: "job",
  promise: "pods of a Job give their addresses back when they have done their work",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 1 }),
    jobOf(corner, "work", { completions: 2, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { kubectl, versions } = corner.site;
    const done = ["job/work", "--for=condition=Complete", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", corner.name, ...done);
    const pods = await podsOf(corner, "work");
    const addresses = pods.map(({ nics }) => nics.get("net1"));
    assert.equal(addresses.length, 2);
    assert.deepEqual(addresses[0], addresses[1], "one after the other had the only one");
    assert.equal(addresses[0]?.length, versions.length);
    await eventually(`${addresses} to be free`, async () => {
      const inUse = await addressesInUse(corner.site);
      return addressesOf(pods, "net1").every((ip) => !inUse.has(ip));
    });
  },
};

/** Name of the pod of two that has to wait, once the other one has its address. */
async function podWithoutAddress(corner: Corner): Promise<string> {
  let name = "";
  await eventually("one of two pods to have an address", async () => {
    const pods = await podsOf(corner, "web");
    const waiting = pods.filter(({ nics }) => !nics.has("net1"));
    name = waiting[0]?.name ?? "";
    return pods.length === 2 && waiting.length === 1;
  });
  return name;
}

/** All of them; they can be played side by side. */
export const WORKLOADS: readonly Scenario[] = [rolling, sticky, exhausted, job];
