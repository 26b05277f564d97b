/** A node that loses power: its network is gone, its pods come back. */
import assert from "node:assert/strict";
import { deployment, namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import { underlayWeb } from "./first_nic.ts";
import {
  assertApiServed,
  assertNodeReaches,
  assertServed,
  clusterIps,
  service,
  WEB,
} from "./web.ts";

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
    deployment(corner, "over", { replicas: 2, networks: [], container: WEB }),
    service(corner, "web"),
    service(corner, "over"),
  ],
  check: async (corner) => {
    const { site } = corner;
    await Promise.all(["web", "over"].map((app) => rolledOut(corner, `deployment/${app}`)));
    const [node] = site.nodes;
    const before = await podsOf(corner, "web");
    const state = await site.reboot(node);
    await eventually("the containers of the rebooted node to be started again", async () => {
      const there = (await podsOf(corner)).filter((pod) => pod.node === node);
      return there.length === 2 && there.every(({ restarts }) => restarts > 0);
    });
    await site.kubectl.run("wait", "node", node, "--for=condition=Ready", `--timeout=${LIMIT}`);
    await Promise.all(["web", "over"].map((app) => rolledOut(corner, `deployment/${app}`)));
    const pods = await podsOf(corner, "web");
    assert.deepEqual(
      pods.map(({ uid }) => uid).toSorted(),
      before.map(({ uid }) => uid).toSorted(),
    );
    const over = await podsOf(corner, "over");
    for (const app of ["web", "over"]) {
      const addresses = await clusterIps(corner, { name: app, namespace: corner.name });
      await assertServed(corner, [...pods, ...over], { addresses, app });
    }
    await assertApiServed(corner, pods);
    for (const pod of pods) await assertNodeReaches({ ...site, state }, pod, pod.podIps);
  },
};
