/** A node that was silent for a while: it comes back to a pod that lives elsewhere by now. */
import assert from "node:assert/strict";
import { ask, namespaceOf, pools, type Scenario, statefulSet } from "../ipam/corner.ts";
import { LIMIT, onNode } from "../ipam/installation.ts";
import { addressesInUse, eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import { signalProgram } from "../ipam/storm.ts";

/** What the returning node takes down is its own sandbox, never its successor's address. */
export const RETURNS: Scenario = {
  name: "returns",
  promise: "a pod that moved off a silent node keeps its addresses when that node is back",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 2 }),
    statefulSet(corner, "db", { replicas: 1, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { site, name: namespace } = corner;
    const { kubectl, versions } = site;
    await rolledOut(corner, "statefulset/db");
    const [old] = await podsOf(corner, "db");
    assert.ok(old !== undefined);
    const isReady = async (status: string): Promise<void> => {
      const options = [`--for=condition=Ready=${status}`, `--timeout=${LIMIT}`];
      await kubectl.run("wait", `node/${old.node}`, ...options);
    };
    const kubelet = { program: "kubelet", node: old.node };
    await signalProgram(site, { ...kubelet, signal: "STOP" });
    try {
      await isReady("Unknown");
      const force = ["--force", "--grace-period=0"];
      await kubectl.run("delete", "-n", namespace, "pod/db-0", ...force);
      await rolledOut(corner, "statefulset/db");
    } finally {
      await signalProgram(site, { ...kubelet, signal: "CONT" });
    }
    const [moved] = await podsOf(corner, "db");
    assert.ok(moved !== undefined && moved.uid !== old.uid && moved.node !== old.node);
    assert.deepEqual(moved.nics.get("net1"), old.nics.get("net1"), "it has the old addresses");

    await isReady("True");
    await eventually("the old sandbox to be taken down", async () => {
      const script = `[ ! -d "/var/lib/kubelet/pods/$1" ] && echo gone || true`;
      return (await onNode(site, old.node, { script, args: [old.uid] })).trim() === "gone";
    });
    const holders = [...(await addressesInUse(site)).values()]
      .filter(({ pool }) => pool.startsWith(`${namespace}-p-`)).map(({ podUID }) => podUID);
    assert.deepEqual(holders, Array(versions.length).fill(moved.uid));
    assert.deepEqual((await podsOf(corner, "db"))[0], moved, "the pod noticed nothing");
  },
};
