/** Pools for each kind of workload, and while workloads change. */
import assert from "node:assert/strict";
import {
  type Corner,
  deployment,
  jobOf,
  namespaceOf,
  type Scenario,
  statefulSet,
  template,
  UNDERLAY,
} from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { addressesInUse, eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import {
  assertLent,
  lenders,
  lent,
  type LentPool,
  poolsFor,
  untilPoolsFor,
  untilSize,
} from "./ground.ts";

/** A workload of a kind with a selector. */
function workload(
  corner: Corner,
  kind: string,
  { name, ...spec }: { readonly name: string; readonly replicas?: number },
): unknown {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace: corner.name },
    spec: {
      ...spec,
      selector: { matchLabels: { app: name } },
      template: template(name, lent(corner)),
    },
  };
}

const kinds: Scenario = {
  name: "kinds",
  promise: "pods of every kind of workload have addresses of a pool of their own",
  objects: (corner) => {
    const batch = jobOf(corner, "night", { completions: 1, ...lent(corner) }) as {
      readonly metadata: object;
      readonly spec: object;
    };
    const { spec } = batch;
    const both = [lenders(corner), lenders(corner, { subnet: "annex", nic: "net2" })];
    return [
      namespaceOf(corner),
      deployment(corner, "web", {
        replicas: 2,
        networks: [UNDERLAY, UNDERLAY],
        annotations: { "ipam.spidernet.io/subnets": JSON.stringify(both) },
      }),
      workload(corner, "ReplicaSet", { name: "set", replicas: 2 }),
      workload(corner, "DaemonSet", { name: "every" }),
      statefulSet(corner, "db", { replicas: 2, ...lent(corner) }),
      jobOf(corner, "work", { completions: 2, ...lent(corner) }),
      {
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "night", namespace: corner.name },
        spec: { schedule: "0 0 31 2 *", jobTemplate: { spec } },
      },
    ];
  },
  check: async (corner) => {
    const { kubectl } = corner.site;
    const inCorner = ["-n", corner.name, `--timeout=${LIMIT}`];
    for (const one of ["deployment/web", "daemonset/every", "statefulset/db"]) {
      await rolledOut(corner, one);
    }
    await kubectl.run(
      "wait",
      "replicaset/set",
      "--for=jsonpath={.status.readyReplicas}=2",
      ...inCorner,
    );
    for (const application of ["web", "set", "every", "db"]) {
      await assertLent(corner, await podsOf(corner, application), { application });
    }
    await assertLent(corner, await podsOf(corner, "web"), { application: "web", nic: "net2" });
    await kubectl.run("create", "job", "-n", corner.name, "by-hand", "--from=cronjob/night");
    await kubectl.run("wait", "job/work", "job/by-hand", "--for=condition=Complete", ...inCorner);
    const made = await Promise.all(["set", "every", "db", "work", "night"].map(async (name) => {
      const pools = await poolsFor(corner, name);
      assert.equal(pools.length, corner.site.versions.length, `pools of ${name}`);
      return pools.map(({ metadata: { labels } }) =>
        labels["ipam.spidernet.io/owner-application-kind"]
      );
    }));
    const each = ["ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob"];
    assert.deepEqual(made.map(([kind]) => kind), each);
  },
};

const rolling: Scenario = {
  name: "rolled",
  promise: "a rolling update gets by with exactly enough addresses",
  objects: (corner) => [
    namespaceOf(corner),
    deployment(corner, "web", {
      replicas: 3,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      ...lent(corner, { number: "4" }),
    }),
  ],
  check: async (corner) => {
    await rolledOut(corner, "deployment/web");
    await untilSize(corner, "web", 4);
    const before = new Set((await podsOf(corner, "web")).map(({ name }) => name));
    await corner.site.kubectl.run("rollout", "restart", "-n", corner.name, "deployment/web");
    await rolledOut(corner, "deployment/web");
    const after = await podsOf(corner, "web");
    assert.ok(after.length === 3 && after.every(({ name }) => !before.has(name)));
    await assertLent(corner, after, { application: "web" });
    await untilSize(corner, "web", 4);
  },
};

const scaled: Scenario = {
  name: "scaled",
  promise: "a pool has as many addresses as its application has pods: 3, 10, 2, 0, 5",
  objects: (corner) => [
    namespaceOf(corner),
    deployment(corner, "web", { replicas: 3, ...lent(corner, { number: "+0" }) }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await rolledOut(corner, "deployment/web");
    const [first] = await untilSize(corner, "web", 3);
    for (const replicas of [10, 2, 0, 5]) {
      await kubectl.run("scale", "-n", corner.name, "deployment/web", `--replicas=${replicas}`);
      await rolledOut(corner, "deployment/web");
      const pools = await untilSize(corner, "web", replicas);
      const pods = await podsOf(corner, "web");
      assert.equal(pods.length, replicas);
      await assertLent(corner, pods, { application: "web" });
      assert.ok(pools.some(({ metadata }) => metadata.uid === first?.metadata.uid), "it stays");
    }
  },
};

/** Deletes the Deployment with its pods. */
async function deleteWeb({ site: { kubectl }, name }: Corner): Promise<void> {
  const web = ["deployment/web", "-n", name, "--cascade=foreground", `--timeout=${LIMIT}`];
  await kubectl.run("delete", ...web);
}

/** UIDs of pools, for comparison. */
function uidsOf(pools: readonly LentPool[]): readonly string[] {
  return pools.map(({ metadata }) => metadata.uid).toSorted();
}

const again: Scenario = {
  name: "again",
  promise: "pools go with their application, or stay for the next one of its name",
  objects: (corner) => [
    namespaceOf(corner),
    deployment(corner, "web", { replicas: 2, ...lent(corner, { reclaim: false }) }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    const make = (reclaim: boolean): Promise<unknown> =>
      kubectl.apply(deployment(corner, "web", { replicas: 2, ...lent(corner, { reclaim }) }));
    await rolledOut(corner, "deployment/web");
    const kept = uidsOf(await poolsFor(corner, "web"));
    await deleteWeb(corner);
    assert.deepEqual(uidsOf(await poolsFor(corner, "web")), kept);
    await make(true);
    await rolledOut(corner, "deployment/web");
    assert.deepEqual(uidsOf(await poolsFor(corner, "web")), kept, "the next one has them");
    await untilPoolsFor(corner, "web", {
      what: "to go with it from now on",
      isSo: ({ metadata }) => metadata.labels["ipam.spidernet.io/ippool-reclaim"] === "true",
    });
    await deleteWeb(corner);
    await eventually("its pools to be gone", async () => {
      return (await poolsFor(corner, "web")).length === 0;
    });
    await make(true);
    await rolledOut(corner, "deployment/web");
    await assertLent(corner, await podsOf(corner, "web"), { application: "web" });
  },
};

const changed: Scenario = {
  name: "changed",
  promise: "an application that names another subnet moves there, and its old pool goes",
  objects: (corner) => [
    namespaceOf(corner),
    deployment(corner, "web", { replicas: 2, ...lent(corner, { number: "3" }) }),
  ],
  check: async (corner) => {
    const { kubectl, versions } = corner.site;
    await rolledOut(corner, "deployment/web");
    const before = uidsOf(await poolsFor(corner, "web"));
    const wish = lent(corner, { number: "3", subnet: "annex" });
    await kubectl.apply(deployment(corner, "web", { replicas: 2, ...wish }));
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    const addresses = await assertLent(corner, pods, { application: "web" });
    assert.ok(addresses.every((ip) => ip.startsWith("10.8.") || ip.startsWith("fd00:8:")));
    await eventually("the old pool to be gone", async () => {
      const pools = await poolsFor(corner, "web");
      return pools.length === versions.length && !uidsOf(pools).some((uid) => before.includes(uid));
    });
    const inUse = new Set((await addressesInUse(corner.site)).keys());
    assert.ok(addresses.every((ip) => inUse.has(ip)));
  },
};

/** They can be played side by side. */
export const WORKLOADS: readonly Scenario[] = [kinds, rolling, scaled, again, changed];
