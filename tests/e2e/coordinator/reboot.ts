/** A node that loses power: its network is gone, its pods come back. */
import assert from "node:assert/strict";
import { namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import { underlayWeb } from "./first_nic.ts";
import { assertNodeReaches, assertServed, clusterIps, service } from "./web.ts";

/** The pods of a node that is rebooted are Ready again, and reached as before. */
export const REBOOT: Scenario = {
  name: "reboot",
  promise: "pods of a node that lost power are Ready again, and serve and are served as before",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "web", { count: 3, gateway: true }),
    underlayWeb(corner, "web", {
      readinessProbe: { httpGet: { path: "/", port: 80 }, periodSeconds: 1 },
    }),
    service(corner, "web"),
  ],
  check: async (corner) => {
    const { site } = corner;
    await rolledOut(corner, "deployment/web");
    const [node] = site.nodes;
    const before = await podsOf(corner, "web");
    const state = await site.reboot(node);
    await eventually("the container of the rebooted node to be started again", async () => {
      const pods = await podsOf(corner, "web");
      return pods.some((pod) => pod.node === node && pod.restarts > 0);
    });
    await site.kubectl.run("wait", "node", node, "--for=condition=Ready", `--timeout=${LIMIT}`);
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    assert.deepEqual(
      pods.map(({ uid }) => uid).toSorted(),
      before.map(({ uid }) => uid).toSorted(),
    );
    await assertServed(corner, pods, {
      addresses: await clusterIps(corner, { name: "web", namespace: corner.name }),
      app: "web",
    });
    for (const pod of pods) await assertNodeReaches({ ...site, state }, pod, pod.podIps);
  },
};
