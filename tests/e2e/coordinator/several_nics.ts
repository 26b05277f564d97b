/** Pods with several NICs: each answers where it is asked, and one has the default route. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  type PodWish,
  pools,
  type Scenario,
} from "../ipam/corner.ts";
import {
  addressesOf,
  assertAddresses,
  type ObservedPod,
  podsOf,
  rolledOut,
  shell,
} from "../ipam/observed.ts";
import { COORDINATED } from "./networks.ts";
import {
  assertNodeReaches,
  assertRouterReaches,
  assertServed,
  clusterIps,
  service,
  WEB,
} from "./web.ts";

/** What a pod has, and what is seen of it. */
interface NicsCase {
  readonly name: string;
  readonly promise: string;
  readonly wish: (corner: Corner) => PodWish;
  /** Pools by NIC; an overlay NIC has none. */
  readonly poolOf: Readonly<Record<string, string>>;
  /** NIC of the default route. */
  readonly defaultNic: string;
}

function nicsCase({ name, promise, wish, poolOf, defaultNic }: NicsCase): Scenario {
  return {
    name,
    promise,
    objects: (corner) => [
      namespaceOf(corner),
      ...pools(corner, "front", { count: 3, gateway: true }),
      ...pools(corner, "back", { count: 3, subnet: 7, gateway: true }),
      deployment(corner, "web", { replicas: 2, container: WEB, ...wish(corner) }),
      deployment(corner, "over", { replicas: 2, networks: [], container: WEB }),
      service(corner, "over"),
    ],
    check: async (corner) => {
      await Promise.all(["web", "over"].map((app) => rolledOut(corner, `deployment/${app}`)));
      const pods = await podsOf(corner, "web");
      const nics = [...new Set(["eth0", ...Object.keys(poolOf)])];
      for (const pod of pods) assert.deepEqual([...pod.nics.keys()], nics, "no other is listed");
      for (const [nic, pool] of Object.entries(poolOf)) {
        await assertAddresses(corner, pods, { nic, from: [pool] });
      }
      await assertEachNicAnswers(corner, pods, Object.keys(poolOf));
      const addresses = await clusterIps(corner, { name: "over", namespace: corner.name });
      await assertServed(corner, pods, { addresses, app: "over" });
      for (const pod of pods) await assertDefault(corner, pod, defaultNic);
    },
  };
}

/** Fails unless each NIC answers: the pod's node, the router of the NIC's network, every pod. */
export async function assertEachNicAnswers(
  corner: Corner,
  pods: readonly ObservedPod[],
  nics: readonly string[],
): Promise<void> {
  for (const pod of pods) {
    const addresses = nics.flatMap((nic) => addressesOf([pod], nic));
    await assertNodeReaches(corner.site, pod, [...addresses, ...pod.podIps]);
    await assertRouterReaches(corner.site, pod, addresses);
  }
  const all = nics.flatMap((nic) => addressesOf(pods, nic));
  await assertServed(corner, pods, { addresses: all, app: "web", times: 1 });
}

/** Addresses that no network of the cluster has. */
const ELSEWHERE = { 4: "192.0.2.1", 6: "2001:db8::1" };

/** Fails unless what a pod sends far away leaves by a NIC. */
async function assertDefault(corner: Corner, pod: ObservedPod, nic: string): Promise<void> {
  for (const version of corner.site.versions) {
    // Busybox cannot show one table of IPv6.
    const line = `ip -${version} route get ${ELSEWHERE[version]}`;
    const { stdout, stderr } = await shell(corner, { name: pod.name, line });
    assert.equal(/ dev (\S+)/.exec(stdout)?.[1], nic, `${pod.name}: ${stdout}${stderr}`);
  }
}

/** Pools of net1 and net2, or of eth0 and net1. */
function poolsOf(corner: Corner, nics: readonly [string, string]): unknown {
  return [
    { interface: nics[0], ...ask(corner, "front") },
    { interface: nics[1], ...ask(corner, "back") },
  ];
}

/** All of them; they can be played side by side. */
export const SEVERAL_NICS: readonly Scenario[] = [
  nicsCase({
    name: "overlay",
    promise: "an overlay NIC and two underlay NICs: each answers, the overlay has the default",
    wish: (corner) => ({
      networks: [COORDINATED, COORDINATED],
      ippools: poolsOf(corner, ["net1", "net2"]),
    }),
    poolOf: { net1: "front", net2: "back" },
    defaultNic: "eth0",
  }),
  nicsCase({
    name: "underlay",
    promise: "two underlay NICs: each answers, the first has the default route",
    wish: (corner) => ({
      firstNetwork: COORDINATED,
      networks: [COORDINATED],
      ippools: poolsOf(corner, ["eth0", "net1"]),
    }),
    poolOf: { eth0: "front", net1: "back" },
    defaultNic: "eth0",
  }),
  nicsCase({
    name: "moved",
    promise: "an annotation moves the default route to another underlay NIC",
    wish: (corner) => ({
      firstNetwork: COORDINATED,
      networks: [COORDINATED],
      ippools: poolsOf(corner, ["eth0", "net1"]),
      annotations: { "ipam.spidernet.io/default-route-nic": "net1" },
    }),
    poolOf: { eth0: "front", net1: "back" },
    defaultNic: "net1",
  }),
  nicsCase({
    name: "moved-overlay",
    promise: "an annotation moves the default route from the overlay to an underlay NIC",
    wish: (corner) => ({
      networks: [COORDINATED, COORDINATED],
      ippools: poolsOf(corner, ["net1", "net2"]),
      annotations: { "ipam.spidernet.io/default-route-nic": "net2" },
    }),
    poolOf: { net1: "front", net2: "back" },
    defaultNic: "net2",
  }),
];
