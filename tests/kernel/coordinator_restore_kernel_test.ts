/** DEL: node and pod are as they were before the ADD, whatever happened in between. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { Fixture, type Pod, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping } from "./coordinator/packets.ts";
import { list, stateOf, statesOf } from "./coordinator/state.ts";

/** Three NICs in one network; the third is to have the default route. */
function threeNics(fixture: Fixture): Promise<Pod> {
  return fixture.podWith({
    eth0: { last: 5 },
    net1: { last: 6, metric: 2_001 },
    net2: { last: 7, metric: 2_002 },
  });
}

const SETTINGS = {
  eth0: { podMACPrefix: "0a:1b", vethLinkAddress: "169.254.100.1" },
  net1: { txQueueLen: 2_000, policyRoutes: [{ dst: "10.10.0.0/16", gw: "10.6.0.1" }] },
  net2: { podDefaultRouteNic: "net2", podMACPrefix: "0a:1b" },
} as const;
type Nic = keyof typeof SETTINGS;

async function addAll(fixture: Fixture, pod: Pod): Promise<void> {
  for (const nic of ["eth0", "net1", "net2"] as const) {
    await fixture.add(pod, nic, { config: SETTINGS[nic] });
  }
}

const ORDERS: readonly (readonly Nic[])[] = [
  ["net2", "net1", "eth0"],
  ["net1", "net2", "eth0"],
  ["net2", "eth0", "net1"],
  ["eth0", "net2", "net1"],
  ["net1", "eth0", "net2"],
  ["eth0", "net1", "net2"],
];

for (const order of ORDERS) {
  testWith({
    name: `coordinator: DEL of ${order.join(", ")} brings node and pod back to how they were`,
    needs,
    async fn() {
      await using fixture = await Fixture.open();
      const pod = await threeNics(fixture);
      const before = await statesOf(fixture.node, pod.namespace);
      for (let adds = 1; adds <= 2; adds++) {
        for (let count = 0; count < adds; count++) await addAll(fixture, pod);
        assert.equal((await fixture.records()).length, 3);
        for (const nic of order) await fixture.del(pod, nic);
        const after = await statesOf(fixture.node, pod.namespace);
        assert.deepEqual(after, before, `after ${adds} ADDs of each NIC`);
        assert.deepEqual(await fixture.records(), []);
      }
      for (const nic of order) await fixture.del(pod, nic);
      assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
    },
  });
}

testWith({
  name: "coordinator: a second ADD of any NIC changes nothing and gives the same result",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await threeNics(fixture);
    const nics = ["eth0", "net1", "net2"] as const;
    const results = new Map<Nic, unknown>();
    for (const nic of nics) {
      results.set(nic, await fixture.add(pod, nic, { config: SETTINGS[nic] }));
    }
    const after = await statesOf(fixture.node, pod.namespace);
    for (const nic of nics.toReversed()) {
      const again = await fixture.add(pod, nic, { config: SETTINGS[nic] });
      assert.deepEqual(again, results.get(nic));
      assert.deepEqual(await statesOf(fixture.node, pod.namespace), after, nic);
      const check = await fixture.run("CHECK", pod, { ifName: nic, config: SETTINGS[nic] });
      assert.deepEqual(check, { code: 0, stdout: "", stderr: "" });
    }
    const rules = await list(pod.namespace, "rule", { members: ["src"] });
    assert.equal(rules.filter(({ src }) => src === "10.6.0.6").length, 1);
  },
});

for (const isThere of [true, false]) {
  testWith({
    name: `coordinator: DEL asks nobody, with the pod's namespace ${isThere ? "there" : "gone"}`,
    needs,
    async fn() {
      await using fixture = await Fixture.open();
      const empty = await stateOf(fixture.node);
      const pod = await threeNics(fixture);
      await addAll(fixture, pod);
      const asked = fixture.agent.asked.length;
      await pod.node.loseAgent();
      // The main plugins' DEL may come first, and the runtime may have removed the namespace.
      for (const nic of pod.nics.keys()) await pod.namespace.run("ip", "link", "del", nic);
      if (!isThere) await pod.namespace[Symbol.asyncDispose]();
      for (const nic of ["net2", "net1", "eth0", "eth0"]) await fixture.del(pod, nic);
      assert.deepEqual(await stateOf(fixture.node), empty);
      assert.deepEqual(await fixture.records(), []);
      assert.equal(fixture.agent.asked.length, asked);
    },
  });
}

testWith({
  name: "coordinator: DEL cleans the node for whatever path the namespace had",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const before = await stateOf(fixture.node);
    // What is left of a bound namespace when it is unbound is a file.
    for (const path of ["", "/proc/1/no/such/net", "/etc/passwd", "/"]) {
      await fixture.add(pod, "eth0");
      await fixture.del(pod, "eth0", { env: { CNI_NETNS: path } });
      assert.deepEqual(await stateOf(fixture.node), before, path);
      assert.deepEqual(await fixture.records(), []);
    }
  },
});

testWith({
  name: "coordinator: DEL of an overlay pod's NIC leaves what the overlay network made",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.pod();
    await fixture.addOverlayNic(pod, { last: 5 });
    await fixture.addNic(pod, "net1", { last: 6, metric: 2_000 });
    const before = await statesOf(fixture.node, pod.namespace);
    await fixture.add(pod, "net1");
    await fixture.add(pod, "net1");
    await fixture.del(pod, "net1");
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
    await fixture.add(pod, "net1");
    // Without the pod: the node's end stays as long as the overlay network does not take it.
    await fixture.del(pod, "net1", { env: { CNI_NETNS: "" } });
    assert.deepEqual(await stateOf(fixture.node), before[0]);
  },
});

testWith({
  name: "coordinator: DEL without its record takes back what it can tell",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 2_000 } });
    const before = await stateOf(fixture.node);
    await fixture.addAll(pod);
    await pod.node.loseRecords();
    for (const nic of ["net1", "eth0"]) await fixture.del(pod, nic);
    assert.deepEqual(await stateOf(fixture.node), before);
    const { rules4, rules6, ruleset } = await stateOf(pod.namespace);
    assert.deepEqual([rules4?.length, rules6?.length], [3, 2], "rules of the kernel are left");
    assert.ok(!JSON.stringify(ruleset).includes("spiderpool"));
  },
});

testWith({
  name: "coordinator: a NIC that got another name since its ADD leaves the node clean at its DEL",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 2_000 } });
    const before = await stateOf(fixture.node);
    await fixture.addAll(pod);
    await script(pod.namespace, ["ip link set net1 down; ip link set net1 name data0"]);
    for (const nic of ["net1", "eth0"]) await fixture.del(pod, nic);
    assert.deepEqual(await stateOf(fixture.node), before);
    const { rules4, rules6 } = await stateOf(pod.namespace);
    assert.deepEqual([rules4?.length, rules6?.length], [3, 2], "rules of the kernel are left");
  },
});

testWith({
  name:
    "coordinator: an address that a dead pod left goes to the new pod, and a late DEL leaves it",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const dead = await fixture.podWith({ eth0: { last: 5 } });
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const before = await stateOf(fixture.node);
    await fixture.add(dead, "eth0");
    await fixture.add(pod, "eth0");
    const reach = () => assertCarrier(pod.namespace, "veth0", () => ping(fixture.node, "10.6.0.5"));
    await reach();
    await fixture.del(dead, "eth0");
    await reach();
    await assertCarrier(pod.namespace, "veth0", async () => {
      await connect({ from: fixture.node, address: "fd00:10:6::5", to: pod.namespace });
    });
    await fixture.del(pod, "eth0");
    assert.deepEqual(await stateOf(fixture.node), before);
  },
});
