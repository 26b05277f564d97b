/** Several NICs of a pod, and other main plugins than macvlan. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  network,
  poolName,
  pools,
  type Scenario,
  UNDERLAY,
} from "./corner.ts";
import { addressesOf, assertAddresses, assertReachable, podsOf, rolledOut } from "./observed.ts";

/** Waits for the pods of "web" and sees where the addresses of each of their NICs come from. */
async function nicsHave(
  corner: Corner,
  poolOf: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  await rolledOut(corner, "deployment/web");
  const pods = await podsOf(corner, "web");
  for (const [nic, pool] of Object.entries(poolOf)) {
    await assertAddresses(corner, pods, { nic, from: [pool] });
  }
  const all = Object.keys(poolOf).flatMap((nic) => addressesOf(pods, nic));
  assert.equal(new Set(all).size, all.length, `no two NICs have one address: ${all}`);
  return all;
}

const twoPools: Scenario = {
  name: "two-pools",
  promise: "two NICs get addresses of two pools",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "front", { count: 2 }),
    ...pools(corner, "back", { count: 2, subnet: 7 }),
    deployment(corner, "web", {
      replicas: 2,
      networks: [UNDERLAY, UNDERLAY],
      ippools: [
        { interface: "net1", ...ask(corner, "front") },
        { interface: "net2", ...ask(corner, "back") },
      ],
    }),
  ],
  check: async (corner) => {
    const addresses = await nicsHave(corner, { net1: "front", net2: "back" });
    await assertReachable(corner, await podsOf(corner, "web"), addresses);
  },
};

const onePool: Scenario = {
  name: "one-pool",
  promise: "two NICs on one pool get two addresses",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "both", { count: 4 }),
    deployment(corner, "web", {
      replicas: 2,
      networks: [UNDERLAY, UNDERLAY],
      ippool: ask(corner, "both"),
    }),
  ],
  check: async (corner) => {
    await nicsHave(corner, { net1: "both", net2: "both" });
  },
};

const byPosition: Scenario = {
  name: "by-position",
  promise: "items without a NIC are for the NICs in their order, eth0 first",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "zero", { count: 2, gateway: true }),
    ...pools(corner, "one", { count: 2, subnet: 7 }),
    deployment(corner, "web", {
      replicas: 2,
      firstNetwork: UNDERLAY,
      ippools: [ask(corner, "zero"), ask(corner, "one")],
    }),
  ],
  check: async (corner) => {
    await nicsHave(corner, { eth0: "zero", net1: "one" });
  },
};

/** Main plugins that hand a pod a NIC of their own node; their pools stand in the configuration. */
function onOneNode(
  { type, subnet, plugin }: {
    readonly type: string;
    readonly subnet: number;
    readonly plugin: Readonly<Record<string, unknown>>;
  },
): Scenario {
  return {
    name: type,
    promise: `spiderpool is the IPAM of ${type}, with pools that the configuration names`,
    objects: (corner) => {
      const named = corner.site.versions.map((version) => [
        `default_ipv${version}_ippool`,
        [poolName(corner, { name: "local", version })],
      ]);
      const ipam = { ...Object.fromEntries(named), clean_gateway: true };
      return [
        namespaceOf(corner),
        network(type, { type, ...plugin, ipam }),
        ...pools(corner, "local", { count: 4, subnet, gateway: true }),
        deployment(corner, "web", {
          replicas: 2,
          networks: [`default/${type}`],
          node: corner.site.nodes[0],
        }),
      ];
    },
    check: async (corner) => {
      const addresses = await nicsHave(corner, { net1: "local" });
      await assertReachable(corner, await podsOf(corner, "web"), addresses);
    },
  };
}

/** All of them; they can be played side by side. */
export const NICS: readonly Scenario[] = [
  twoPools,
  onePool,
  byPosition,
  onOneNode({ type: "bridge", subnet: 66, plugin: { bridge: "spider0" } }),
  onOneNode({ type: "ptp", subnet: 67, plugin: {} }),
];
