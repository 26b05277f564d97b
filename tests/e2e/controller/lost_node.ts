/** A node that is lost for good: what its pods had is free again. */
import assert from "node:assert/strict";
import { ask, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { addressesInUse, eventually, podsOf } from "../ipam/observed.ts";
import { signalProgram } from "../ipam/storm.ts";
import { say, since } from "./said.ts";

/** The last scenario of its cluster: a node less is left. */
export const LOST_NODE: Scenario = {
  name: "lost-node",
  promise: "addresses of a node that is silent stay, and are free once the node is taken away",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 2 }),
    pod(corner, "lost", { ippool: ask(corner, "p"), node: corner.site.nodes[1] }),
    pod(corner, "safe", { ippool: ask(corner, "p"), node: corner.site.nodes[0] }),
  ],
  check: async (corner) => {
    const { kubectl, nodes: [, node], versions } = corner.site;
    const both = ["pod/lost", "pod/safe"];
    await kubectl.run(
      "wait",
      "-n",
      corner.name,
      ...both,
      "--for=condition=Ready",
      `--timeout=${LIMIT}`,
    );
    const [lost] = (await podsOf(corner)).filter(({ name }) => name === "lost");
    const [safe] = (await podsOf(corner)).filter(({ name }) => name === "safe");
    assert.ok(lost !== undefined && safe !== undefined);
    await signalProgram(corner.site, { program: "kubelet", node, signal: "KILL" });
    await kubectl.run("delete", "-n", corner.name, "pod/lost", "--force", "--grace-period=0");
    const notReady = ["--for=condition=Ready=Unknown", `--timeout=${LIMIT}`];
    await kubectl.run("wait", `node/${node}`, ...notReady);
    const held = async (uid: string): Promise<number> => {
      const inUse = [...(await addressesInUse(corner.site)).values()];
      return inUse.filter(({ podUID }) => podUID === uid).length;
    };
    assert.equal(await held(lost.uid), versions.length, "the pod may still run there");

    const fromMs = performance.now();
    await kubectl.run("delete", "node", node);
    await eventually("the addresses of the lost node to be free", async () => {
      return await held(lost.uid) === 0;
    });
    await say(`addresses of a node that was taken away were free within ${since(fromMs)}`);
    assert.equal(await held(safe.uid), versions.length);
    await eventually("an Event that says why", async () => {
      const events = await kubectl.run("get", "events.events.k8s.io", "-n", "default");
      return /AddressFreed.*its pod and node .* are gone/.test(events);
    });
  },
};
