/** A pod that is made again and again under its name, in a pool that others drain meanwhile. */
import assert from "node:assert/strict";
import { ask, deployment, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { addressesInUse, assertAddresses, podsOf, rolledOut } from "../ipam/observed.ts";
import { applyAll } from "../ipam/play.ts";

const TIMES = 5;
const OTHERS = 3;

/** The name is the same, the pods are not: what one had is not the next one's to lose. */
export const AGAIN: Scenario = {
  name: "again",
  promise:
    "a pod made five times under one name, and those that drain its pool, get one address each",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 1 + OTHERS }),
    deployment(corner, "others", { replicas: 0, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { site, name: namespace } = corner;
    const { kubectl, versions } = site;
    const again = pod(corner, "again", { ippool: ask(corner, "p"), node: site.nodes[0] });
    await applyAll(site, [again]);
    await kubectl.run("scale", "-n", namespace, "deployment/others", `--replicas=${OTHERS}`);
    const force = ["--force", "--grace-period=0"];
    for (let time = 1; time < TIMES; time++) {
      await kubectl.run("delete", "-n", namespace, "pod/again", ...force);
      await applyAll(site, [again]);
    }
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", namespace, "pod/again", ...ready);
    await rolledOut(corner, "deployment/others");
    const pods = await podsOf(corner);
    assert.equal(pods.length, 1 + OTHERS);
    await assertAddresses(corner, pods, { nic: "net1", from: ["p"] });
    const inUse = [...(await addressesInUse(site)).values()];
    const ofPool = inUse.filter(({ pool }) => pool.startsWith(`${namespace}-p-`));
    assert.equal(ofPool.length, pods.length * versions.length, "nothing is left of former pods");
  },
};
