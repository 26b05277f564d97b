/** Which pool a pod gets its addresses from: by annotation, namespace, default, zone, order. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  networkOf,
  poolName,
  pools,
  reserved,
  routerOf,
  type Scenario,
  UNDERLAY,
} from "./corner.ts";
import {
  assertAddresses,
  assertReachable,
  podsOf,
  rolledOut,
  shell,
  versionOf,
} from "./observed.ts";

/** Waits for the pods of a Deployment, and sees where their addresses on net1 come from. */
async function deploymentHas(
  corner: Corner,
  { name, from }: { readonly name: string; readonly from: readonly string[] },
): Promise<readonly string[]> {
  await rolledOut(corner, `deployment/${name}`);
  return await assertAddresses(corner, await podsOf(corner, name), { nic: "net1", from });
}

const shared: Scenario = {
  name: "shared",
  promise: "pods of a Deployment on two nodes share a pool and reach each other",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "blue", { count: 8 }),
    deployment(corner, "web", { replicas: 4, ippool: ask(corner, "blue") }),
  ],
  check: async (corner) => {
    const addresses = await deploymentHas(corner, { name: "web", from: ["blue"] });
    const pods = await podsOf(corner, "web");
    assert.equal(pods.length, 4);
    assert.deepEqual(new Set(pods.map(({ node }) => node)), new Set(corner.site.nodes));
    await assertReachable(corner, pods, addresses);
  },
};

const dedicated: Scenario = {
  name: "dedicated",
  promise: "an annotation gives each application a pool of its own",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "one", { count: 2 }),
    ...pools(corner, "two", { count: 2, from: 101 }),
    ...["one", "two"].map((name) =>
      deployment(corner, name, {
        replicas: 2,
        ippools: [{ interface: "net1", ...ask(corner, name) }],
      })
    ),
  ],
  check: async (corner) => {
    for (const name of ["one", "two"]) await deploymentHas(corner, { name, from: [name] });
  },
};

const wildcard: Scenario = {
  name: "wildcard",
  promise: "wildcards name pools, and all that match are used",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "east-1", { count: 1 }),
    ...pools(corner, "east-2", { count: 1, from: 101 }),
    ...pools(corner, "west-1", { count: 1, from: 201 }),
    deployment(corner, "web", { replicas: 2, ippool: ask(corner, "e*st-?") }),
  ],
  check: async (corner) => {
    await deploymentHas(corner, { name: "web", from: ["east-1", "east-2"] });
  },
};

const namespaceDefault: Scenario = {
  name: "namespace-default",
  promise: "an annotation of the namespace gives its pods their pool",
  objects: (corner) => [
    namespaceOf(
      corner,
      Object.fromEntries(
        corner.site.versions.map((version) => [
          `ipam.spidernet.io/default-ipv${version}-ippool`,
          JSON.stringify([poolName(corner, { name: "team", version })]),
        ]),
      ),
    ),
    ...pools(corner, "team", { count: 4 }),
    deployment(corner, "web", { replicas: 2 }),
  ],
  check: async (corner) => {
    await deploymentHas(corner, { name: "web", from: ["team"] });
  },
};

const clusterDefault: Scenario = {
  name: "cluster-default",
  promise: "pods that ask for nothing get addresses of the default pools",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "all", { count: 4, spec: { default: true } }),
    deployment(corner, "web", { replicas: 2 }),
  ],
  check: async (corner) => {
    await deploymentHas(corner, { name: "web", from: ["all"] });
  },
};

const bound: Scenario = {
  name: "bound",
  promise: "a pool that is bound to a namespace comes first for its pods",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "any", { count: 4 }),
    ...pools(corner, "own", { count: 4, from: 101, spec: { namespaceName: [corner.name] } }),
    ...pools(corner, "other", { count: 4, from: 201, spec: { namespaceName: ["default"] } }),
    deployment(corner, "web", { replicas: 2, ippool: ask(corner, "other", "any", "own") }),
  ],
  check: async (corner) => {
    await deploymentHas(corner, { name: "web", from: ["own"] });
  },
};

function zoned(zone: string) {
  return { nodeAffinity: { matchLabels: { "topology.kubernetes.io/zone": zone } } };
}

const zones: Scenario = {
  name: "zones",
  promise: "one Deployment over two zones gets addresses of each zone's subnet",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "a", { count: 4, subnet: 6, gateway: true, spec: zoned("a") }),
    ...pools(corner, "b", { count: 4, subnet: 7, gateway: true, spec: zoned("b") }),
    deployment(corner, "web", {
      replicas: 4,
      firstNetwork: UNDERLAY,
      networks: [],
      ippool: ask(corner, "a", "b"),
    }),
  ],
  check: async (corner) => {
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    const all: string[] = [];
    for (const [position, zone] of ["a", "b"].entries()) {
      const inZone = pods.filter(({ node }) => node === corner.site.nodes[position]);
      assert.equal(inZone.length, 2);
      all.push(...await assertAddresses(corner, inZone, { nic: "eth0", from: [zone] }));
    }
    for (const pod of pods) {
      assert.deepEqual(pod.podIps.toSorted(), pod.nics.get("eth0")?.toSorted());
    }
    await assertReachable(corner, pods, all);
  },
};

const heldBack: Scenario = {
  name: "held-back",
  promise: "reserved and excluded addresses are never given out",
  objects: (corner) => [
    namespaceOf(corner),
    ...reserved(corner, [3, 4]),
    ...pools(corner, "holes", { count: 6, exclude: [1, 2] }),
    deployment(corner, "web", { replicas: 2, ippool: ask(corner, "holes") }),
  ],
  check: async (corner) => {
    const addresses = await deploymentHas(corner, { name: "web", from: ["holes"] });
    const { block, site } = corner;
    const left = site.versions.flatMap((version) =>
      [5, 6].map((last) =>
        version === 4 ? `10.6.${block}.${last}` : `fd00:6::${block.toString(16)}:${last}`
      )
    );
    assert.deepEqual(addresses.toSorted(), left.toSorted());
  },
};

const order: Scenario = {
  name: "order",
  promise: "the second pool is used when the first is full, in the order that was written",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "z-first", { count: 2 }),
    ...pools(corner, "a-second", { count: 4, from: 101 }),
    deployment(corner, "web", { replicas: 3, ippool: ask(corner, "z-first", "a-second") }),
  ],
  check: async (corner) => {
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    const from = ["z-first", "a-second"];
    const addresses = await assertAddresses(corner, pods, { nic: "net1", from });
    for (const version of corner.site.versions) {
      const parts = addresses.filter((address) => versionOf(address) === version)
        .map((address) =>
          Number.parseInt(address.split(/[.:]/).at(-1) ?? "", version === 4 ? 10 : 16)
        );
      assert.equal(parts.filter((part) => part < 101).length, 2, `z-first is full: ${addresses}`);
    }
  },
};

const routes: Scenario = {
  name: "routes",
  promise: "routes of the pool and of the pod's annotation are in the pod",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "routed", { count: 2, routesTo: [77] }),
    deployment(corner, "web", {
      replicas: 1,
      ippool: ask(corner, "routed"),
      annotations: {
        "ipam.spidernet.io/routes": JSON.stringify(
          corner.site.versions.map((version) => ({
            dst: networkOf(version, 78),
            gw: routerOf(version, 6),
          })),
        ),
      },
    }),
  ],
  check: async (corner) => {
    await deploymentHas(corner, { name: "web", from: ["routed"] });
    const line = "ip route; ip -6 route";
    const { stdout } = await shell(corner, { name: "deployment/web", line });
    for (const version of corner.site.versions) {
      for (const number of [77, 78]) {
        const route = `${networkOf(version, number)} via ${routerOf(version, 6)} dev net1`;
        assert.ok(stdout.includes(route), `"${route}" is among the routes:\n${stdout}`);
      }
    }
  },
};

/** All of them; they can be played side by side. */
export const POOL_CHOICE: readonly Scenario[] = [
  shared,
  dedicated,
  wildcard,
  namespaceDefault,
  clusterDefault,
  bound,
  zones,
  heldBack,
  order,
  routes,
];
