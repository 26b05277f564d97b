/** Pods of two nodes at one switch: who reaches whom, and by which link. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { addressIn, Fixture, type Pod } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping } from "./coordinator/packets.ts";
import { CLUSTER_IP, serve } from "./coordinator/service.ts";
import { statesOf } from "./coordinator/state.ts";
import type { Namespace } from "./namespace.ts";

interface Cluster {
  readonly here: { readonly node: Namespace; readonly pods: readonly [Pod, Pod] };
  readonly there: { readonly node: Namespace; readonly pod: Pod };
}

/** Two pods on the first node (10.6.0.5, .6), one on the second (10.6.0.7), all coordinated. */
async function clusterIn(fixture: Fixture, families: readonly (4 | 6)[]): Promise<Cluster> {
  const [first, second] = fixture.nodes;
  assert(first !== undefined && second !== undefined);
  const one = await fixture.podWith({ eth0: { last: 5, families } });
  const two = await fixture.podWith({ eth0: { last: 6, families } });
  const pod = await fixture.podWith({ eth0: { last: 7, families } }, { node: second });
  await Promise.all([one, two, pod].map((each) => fixture.add(each, "eth0")));
  return {
    here: { node: first.namespace, pods: [one, two] },
    there: { node: second.namespace, pod },
  };
}

function address(last: number, version: 4 | 6): string {
  return addressIn(0, { last, version }).replace(/\/.*/, "");
}

/** Both ends speak first, and one link of the pod carries it. */
async function assertBoth(
  pod: Namespace,
  link: string,
  { own, other }: {
    readonly own: string;
    readonly other: { readonly namespace: Namespace; readonly address: string };
  },
): Promise<void> {
  for (
    const sending of [
      () => ping(pod, other.address),
      () => connect({ from: pod, address: other.address, to: other.namespace }),
      () => ping(other.namespace, own),
      () => connect({ from: other.namespace, address: own, to: pod }),
    ]
  ) await assertCarrier(pod, link, sending);
}

for (const families of [[4], [6], [4, 6]] as const) {
  testWith({
    name: `coordinator: pods and nodes of IPv${families.join(" and ")} reach each other, ` +
      `on one node and across two`,
    needs,
    async fn() {
      await using fixture = await Fixture.open({ nodeCount: 2 });
      const { here, there } = await clusterIn(fixture, families);
      const [pod, neighbor] = here.pods.map(({ namespace }) => namespace);
      assert(pod !== undefined && neighbor !== undefined);
      for (const version of families) {
        const own = address(5, version);
        const others = [
          { namespace: neighbor, last: 6, link: "eth0" },
          { namespace: there.pod.namespace, last: 7, link: "eth0" },
          { namespace: here.node, last: 2, link: "veth0" },
          { namespace: there.node, last: 3, link: "eth0" },
        ];
        for (const { namespace, last, link } of others) {
          const other = { namespace, address: address(last, version) };
          await assertBoth(pod, link, { own, other });
        }
      }
    },
  });
}

testWith({
  name: "coordinator: a pod reaches a ClusterIP whose backend is on another node, and the reverse",
  needs,
  async fn() {
    await using fixture = await Fixture.open({ nodeCount: 2 });
    const { here, there } = await clusterIn(fixture, [4, 6]);
    const { namespace: pod } = here.pods[0];
    for (const version of [4, 6] as const) {
      const [backend, clusterIp] = [address(7, version), CLUSTER_IP[version]];
      await serve(here.node, { version, backend, isMasqueraded: true });
      await serve(there.node, { version, backend: address(5, version), isMasqueraded: true });
      await assertCarrier(pod, "veth0", async () => {
        const { client } = await connect({
          ...{ from: pod, address: clusterIp, to: there.pod.namespace },
        });
        assert.equal(client, address(2, version), "the node speaks for its pod");
      });
      // What the other node sends is no business of this one: it comes and goes by the NIC.
      await assertCarrier(pod, "eth0", async () => {
        await connect({ from: there.pod.namespace, address: clusterIp, to: pod });
      });
    }
  },
});

testWith({
  name: "coordinator: two pods of one node share its rule, and the last takes it away",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const { node } = fixture;
    const [one, two] = [
      await fixture.podWith({ eth0: { last: 5 } }),
      await fixture.podWith({ eth0: { last: 6 } }),
    ];
    await Promise.all([one, two].map((pod) => fixture.add(pod, "eth0")));
    const shared = async () => {
      const rules = await Promise.all(["-4", "-6"].map((family) => node.run("ip", family, "rule")));
      return rules.map((text) => [...text.matchAll(/^1000:\tfrom all lookup 500/gm)].length);
    };
    assert.deepEqual(await shared(), [1, 1]);
    for (const version of [4, 6] as const) {
      await assertBoth(one.namespace, "eth0", {
        own: address(5, version),
        other: { namespace: two.namespace, address: address(6, version) },
      });
      for (const last of [5, 6]) await ping(node, address(last, version));
    }
    await fixture.del(one, "eth0");
    assert.deepEqual(await shared(), [1, 1]);
    for (const version of [4, 6] as const) await ping(node, address(6, version));
    await fixture.del(two, "eth0");
    assert.deepEqual(await shared(), [0, 0]);
  },
});

testWith({
  name: "coordinator: pods that come and go at once leave the node as it was",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const { node } = fixture;
    const pods: Pod[] = [];
    for (let last = 5; last < 9; last++) {
      pods.push(
        await fixture.podWith({ eth0: { last }, net1: { last: last + 10, metric: 2_001 } }),
      );
    }
    const before = await statesOf(node, ...pods.map(({ namespace }) => namespace));
    await Promise.all(pods.map((pod) => fixture.addAll(pod)));
    const routes = await node.run("ip", "route", "show", "table", "500");
    assert.equal(routes.split("\n").length, 8, routes);
    await Promise.all(pods.flatMap((pod) => {
      return ["net1", "eth0"].map((nic) => fixture.del(pod, nic));
    }));
    assert.deepEqual(await statesOf(node, ...pods.map(({ namespace }) => namespace)), before);
    assert.deepEqual(await fixture.records(), []);
  },
});
