/** What pods do while there is no controller at all. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  pools,
  type Scenario,
  statefulSet,
} from "../ipam/corner.ts";
import { controllersAreReady, LIMIT } from "../ipam/installation.ts";
import { addressesInUse, assertAddresses, podsOf, rolledOut } from "../ipam/observed.ts";
import { untilPools } from "./pools.ts";

const CONTROLLERS = ["-n", "spiderpool", "deployment/spiderpool-controller"] as const;

/** Has so many pods of `db`, and waits until no others are left. */
async function scale(corner: Corner, replicas: number): Promise<void> {
  const { site: { kubectl }, name: namespace } = corner;
  await kubectl.run("scale", "-n", namespace, "statefulset/db", `--replicas=${replicas}`);
  const gone = [0, 1, 2].filter((at) => at >= replicas).map((at) => `pod/db-${at}`);
  const options = ["--for=delete", `--timeout=${LIMIT}`];
  if (gone.length > 0) await kubectl.run("wait", "-n", namespace, ...gone, ...options);
  await rolledOut(corner, "statefulset/db");
}

/** A pool that is made while nobody leads is taken over by an agent whose pod waits for it. */
async function useNewPool(corner: Corner): Promise<void> {
  await corner.site.kubectl.apply(
    ...pools(corner, "late", { from: 101, count: 1 }),
    deployment(corner, "late", { replicas: 1, ippool: ask(corner, "late") }),
  );
  await rolledOut(corner, "deployment/late");
  const pods = await podsOf(corner, "late");
  await assertAddresses(corner, pods, { nic: "net1", from: ["late"] });
}

/** A StatefulSet that shrinks and grows, and a Deployment that goes, unseen. */
export const MEANWHILE: Scenario = {
  name: "meanwhile",
  promise: "pods come and go without a controller, and the next one makes good what was missed",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 5 }),
    deployment(corner, "web", { replicas: 2, ippool: ask(corner, "p") }),
    statefulSet(corner, "db", { replicas: 3, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { site: { kubectl, versions }, name: namespace } = corner;
    await Promise.all(["deployment/web", "statefulset/db"].map((one) => rolledOut(corner, one)));
    const [first] = await podsOf(corner, "db");
    await kubectl.run("scale", ...CONTROLLERS, "--replicas=0");
    try {
      const gone = ["-l", "app.kubernetes.io/component=spiderpool-controller", "--for=delete"];
      await kubectl.run("wait", "-n", "spiderpool", "pod", ...gone, `--timeout=${LIMIT}`);
      await scale(corner, 1);
      await kubectl.run("delete", "-n", namespace, "deployment/web");
      await scale(corner, 3);
      const pods = await podsOf(corner, "db");
      await assertAddresses(corner, pods, { nic: "net1", from: ["p"] });
      assert.deepEqual(pods[0], first, "the pod that stayed noticed nothing");
      await scale(corner, 1);
      await useNewPool(corner);
    } finally {
      await kubectl.run("scale", ...CONTROLLERS, "--replicas=2");
    }
    await controllersAreReady(kubectl);
    await untilPools(corner, "p", ({ status }) => status?.allocatedIPCount === 1);
    const [db] = await podsOf(corner, "db");
    const inUse = [...(await addressesInUse(corner.site)).values()];
    const own = inUse.filter(({ pool }) => pool.startsWith(`${namespace}-p-`));
    assert.deepEqual(own.map(({ podUID }) => podUID), Array(versions.length).fill(db?.uid));
  },
};
