/** Controllers that end: in order, and by force. */
import assert from "node:assert/strict";
import { ask, type Corner, deployment, namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import { controllersAreReady } from "../ipam/installation.ts";
import { eventually, rolledOut } from "../ipam/observed.ts";
import { killProgram } from "../ipam/storm.ts";
import { say, since } from "./said.ts";
import { untilPools } from "./pools.ts";

/** Who holds the Lease: the name of a pod. */
async function holderOf({ site: { kubectl } }: Corner): Promise<string> {
  const lease = ["-n", "spiderpool", "lease", "spiderpool-controller-leases"];
  return await kubectl.run("get", ...lease, "-o", "jsonpath={.spec.holderIdentity}");
}

/** Whoever leads, pools tell the truth. */
export const LEADERSHIP: Scenario = {
  name: "leadership",
  promise: "pools tell the truth while controllers are ended in order and by force",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 9 }),
    deployment(corner, "web", { replicas: 1, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await rolledOut(corner, "deployment/web");
    await untilPools(corner, "p", ({ status }) => status?.allocatedIPCount === 1);
    const first = await holderOf(corner);
    const fromMs = performance.now();
    await kubectl.run("delete", "pod", "-n", "spiderpool", first, "--wait=false");
    await eventually("another controller to lead", async () => {
      const holder = await holderOf(corner);
      return holder !== "" && holder !== first;
    });
    await say(`a controller that was deleted was followed within ${since(fromMs)}`);
    const scale = ["scale", "-n", corner.name, "deployment/web"];
    await kubectl.run(...scale, "--replicas=2");
    await untilPools(corner, "p", ({ status }) => status?.allocatedIPCount === 2);
    await controllersAreReady(kubectl);

    const second = await holderOf(corner);
    const path = "jsonpath={.spec.nodeName}";
    const node = await kubectl.run("get", "pod", "-n", "spiderpool", second, "-o", path);
    const killedMs = performance.now();
    await killProgram(corner.site, { program: "spiderpool-controller", node });
    await kubectl.run(...scale, "--replicas=3");
    await untilPools(corner, "p", ({ status }) => status?.allocatedIPCount === 3);
    await say(`the pod that came after the leader was killed was told within ${since(killedMs)}`);
    await controllersAreReady(kubectl);
    assert.notEqual(await holderOf(corner), "");
  },
};
