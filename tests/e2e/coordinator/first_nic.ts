/** Pods whose first NIC is on the underlay: they are probed, served, and serve. */
import assert from "node:assert/strict";
import { ask, type Corner, deployment, namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import {
  addressesOf,
  assertAddresses,
  eventually,
  type ObservedPod,
  podsOf,
  rolledOut,
  shell,
} from "../ipam/observed.ts";
import { COORDINATED } from "./networks.ts";
import {
  assertApiServed,
  assertNodeReaches,
  assertRouterReaches,
  assertServed,
  clusterIps,
  service,
  WEB,
} from "./web.ts";

/** Probes that a pod must have passed. */
const PROBES = 20;

/** A Deployment of two pods, one on each node, whose eth0 is on the underlay. */
export function underlayWeb(corner: Corner, name: string, container: object = WEB): unknown {
  return deployment(corner, name, {
    replicas: 2,
    firstNetwork: COORDINATED,
    networks: [],
    ippool: ask(corner, name),
    container: { ...WEB, ...container },
  });
}

/** Packets that a pod has got from its node, over the pair. */
async function packetsOfNode(corner: Corner, { name }: ObservedPod): Promise<number> {
  const line = "cat /sys/class/net/veth0/statistics/rx_packets";
  return Number((await shell(corner, { name, line })).stdout);
}

/** Questions of kubelets that pods of an app have answered, the least of any. */
async function probesOf({ site, name }: Corner, app: string): Promise<number> {
  const pods = await podsOf({ site, name, block: 0 }, app);
  const counts = await Promise.all(pods.map(async (pod) => {
    const log = await site.kubectl.run("logs", "-n", name, pod.name);
    return log.split("\n").filter((line) => line.includes("url:/healthy")).length;
  }));
  return Math.min(...counts);
}

const probed: Scenario = {
  name: "probed",
  promise: "a pod is Ready by HTTP and TCP probes of its kubelet, and is not restarted",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "web", { count: 3, gateway: true }),
    underlayWeb(corner, "web", {
      command: [
        ...WEB.command.slice(0, 2),
        WEB.command[2].replace("exec", ">/tmp/www/healthy; exec"),
      ],
      startupProbe: { tcpSocket: { port: 80 }, periodSeconds: 1, failureThreshold: 60 },
      readinessProbe: { httpGet: { path: "/healthy", port: 80 }, periodSeconds: 1 },
      livenessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1, failureThreshold: 2 },
    }),
  ],
  check: async (corner) => {
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    const addresses = await assertAddresses(corner, pods, { nic: "eth0", from: ["web"] });
    const podIps = pods.flatMap((pod) => pod.podIps).toSorted();
    assert.deepEqual(podIps, addresses.toSorted(), "the kubelet probes eth0's addresses");
    await eventually(`${PROBES} probes`, async () => await probesOf(corner, "web") >= PROBES);
    for (const pod of await podsOf(corner, "web")) {
      assert.equal(pod.restarts, 0, pod.name);
      assert.deepEqual([...pod.nics.keys()], ["eth0"], "the pair is no NIC of the network");
      assert.ok(await packetsOfNode(corner, pod) >= PROBES, `${pod.name} is probed over veth0`);
    }
    await rolledOut(corner, "deployment/web");
  },
};

const services: Scenario = {
  name: "services",
  promise: "underlay pods use services of overlay pods, and overlay pods those of underlay pods",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "under", { count: 3, gateway: true }),
    underlayWeb(corner, "under"),
    deployment(corner, "over", { replicas: 2, networks: [], container: WEB }),
    service(corner, "under"),
    service(corner, "over"),
  ],
  check: async (corner) => {
    await Promise.all(["under", "over"].map((app) => rolledOut(corner, `deployment/${app}`)));
    const under = await podsOf(corner, "under");
    const over = await podsOf(corner, "over");
    for (const app of ["over", "under"]) {
      const addresses = await clusterIps(corner, { name: app, namespace: corner.name });
      assert.equal(addresses.length, corner.site.versions.length);
      for (const pods of [under, over]) await assertServed(corner, pods, { addresses, app });
    }
    await assertApiServed(corner, [...under, ...over]);
    const direct = addressesOf(under, "eth0");
    await assertServed(corner, under, { addresses: direct, app: "under", times: 1 });
    for (const pod of under) {
      await assertNodeReaches(corner.site, pod, pod.podIps);
      await assertRouterReaches(corner.site, pod, pod.podIps);
    }
  },
};

/** All of them; they can be played side by side. */
export const FIRST_NIC: readonly Scenario[] = [services, probed];
