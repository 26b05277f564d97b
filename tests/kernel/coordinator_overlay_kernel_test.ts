/** Pods whose first NIC is the overlay network's: further NICs beside it, in overlay mode. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { AFAR, Fixture, type NicWish, type Pod, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping } from "./coordinator/packets.ts";
import { list, statesOf } from "./coordinator/state.ts";
import type { Namespace } from "./namespace.ts";

/** A pod with an overlay NIC and others; the router knows the way to it. */
async function overlayPod(
  fixture: Fixture,
  nics: Readonly<Record<string, NicWish>>,
): Promise<Pod> {
  const pod = await fixture.pod();
  await fixture.addOverlayNic(pod, { last: 5 });
  for (const [name, wish] of Object.entries(nics)) await fixture.addNic(pod, name, wish);
  await script(fixture.router, [
    "ip route add 10.244.0.0/16 via 10.6.0.2",
    "ip -6 route add fd00:244::/56 via fd00:10:6::2",
  ]);
  return pod;
}

async function rulesOf(where: Namespace): Promise<readonly string[]> {
  const rules = await list(where, "rule", { members: ["priority", "src", "table"] });
  return rules.map(({ priority, src, table }) => `${priority} ${src} ${table}`)
    .filter((rule) => !/local|default|32766/.test(rule));
}

const WAY = { members: ["dst", "gateway", "dev", "metric"] };

testWith({
  name: "coordinator: in overlay mode the default route stays, and a further NIC has its own table",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await overlayPod(fixture, { net1: { last: 6, metric: 2_000 } });
    const result = await fixture.add(pod, "net1");
    assert.ok(
      Array.isArray(result.interfaces) && result.interfaces.length === 1,
      "no pair is made",
    );
    assert.match(await pod.namespace.refuse("ip", "link", "show", "veth0"), /does not exist/);
    assert.deepEqual(await rulesOf(pod.namespace), [
      "32764 10.244.1.5 100",
      "32765 10.6.0.6 101",
    ]);
    const first = [{ dst: "default", gateway: "169.254.1.1", dev: "eth0" }];
    assert.deepEqual(await list(pod.namespace, "route show default", WAY), first);
    assert.deepEqual(await list(pod.namespace, "route show table 100", WAY), first);
    assert.deepEqual(
      await list(pod.namespace, "route show table 101 dev net1", { members: ["dst", "gateway"] }),
      [{ dst: "default", gateway: "10.6.0.1" }, { dst: "10.6.0.0/24" }],
    );
  },
});

testWith({
  name: "coordinator: in overlay mode the node reaches a further NIC through the overlay network's",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await overlayPod(fixture, { net1: { last: 6, metric: 2_000 } });
    await fixture.add(pod, "net1");
    const [eth0] = await list(pod.namespace, "link show eth0", { members: ["address"] });
    for (const [version, dst] of [[4, "10.6.0.6"], [6, "fd00:10:6::6"]] as const) {
      assert.deepEqual(
        await list(fixture.node, `-${version} route show table 500`, { members: ["dst", "dev"] }),
        [{ dst, dev: "cali5" }],
      );
      assert.deepEqual(
        await list(fixture.node, `-${version} neigh show nud permanent dev cali5`, {
          members: ["dst", "lladdr"],
        }),
        [{ dst, lladdr: eth0?.address }],
      );
    }
  },
});

for (const families of [[4], [6], [4, 6]] as const) {
  testWith({
    name: `coordinator: an overlay pod with further NICs of IPv${families.join(" and ")} answers ` +
      `by the NIC that it was asked on, the node by the overlay network's, until their DELs`,
    needs,
    async fn() {
      await using fixture = await Fixture.open({ networkCount: 2 });
      const pod = await overlayPod(fixture, {
        net1: { last: 6, families, metric: 2_000 },
        net2: { last: 7, families, metric: 2_001 },
        net3: { last: 8, families, network: 1, metric: 2_002 },
      });
      const before = await statesOf(fixture.node, pod.namespace);
      for (const nic of ["net1", "net2", "net3"]) await fixture.add(pod, nic);
      const [inside, { node, router }] = [pod.namespace, fixture];
      for (const version of families) {
        for (const nic of ["net1", "net2", "net3"]) {
          const text = pod.nics.get(nic)?.find((one) => one.includes(":") === (version === 6));
          const address = (text ?? "").replace(/\/.*/, "");
          await assertCarrier(inside, nic, () => connect({ from: router, address, to: inside }));
          await assertCarrier(inside, nic, () => ping(router, address, { from: AFAR[version] }));
          await assertCarrier(inside, nic, () => ping(inside, AFAR[version], { from: address }));
          await assertCarrier(inside, "eth0", () => connect({ from: node, address, to: inside }));
          await assertCarrier(inside, "eth0", () => ping(node, address));
        }
        const own = version === 4 ? "10.244.1.5" : "fd00:244::5";
        await assertCarrier(
          inside,
          "eth0",
          () => connect({ from: node, address: own, to: inside }),
        );
        await assertCarrier(inside, "eth0", () => ping(router, own, { from: AFAR[version] }));
        await assertCarrier(inside, "eth0", () => ping(inside, AFAR[version]));
        // Overlay pods and nodes at large are reached by the overlay network.
        const nodeAddress = version === 4 ? "10.6.0.2" : "fd00:10:6::2";
        await assertCarrier(inside, "eth0", () => ping(inside, nodeAddress));
      }
      for (const nic of ["net3", "net2", "net1"]) await fixture.del(pod, nic);
      assert.deepEqual(await statesOf(fixture.node, inside), before);
      assert.deepEqual(await fixture.records(), []);
    },
  });
}

for (const how of ["the configuration", "the annotation"] as const) {
  testWith({
    name: `coordinator: ${how} gives a further NIC the default route of an overlay pod`,
    needs,
    async fn() {
      await using fixture = await Fixture.open();
      const pod = await overlayPod(fixture, { net1: { last: 6, metric: 2_000 } });
      const before = await statesOf(fixture.node, pod.namespace);
      const [node] = fixture.nodes;
      assert(node !== undefined);
      const isAnnotated = how === "the annotation";
      if (isAnnotated) node.answer = { ...node.answer, podDefaultRouteNIC: "net1" };
      const config = isAnnotated ? {} : { podDefaultRouteNic: "net1" };
      await fixture.add(pod, "net1", { config });
      assert.deepEqual(await list(pod.namespace, "route show default", WAY), [
        { dst: "default", gateway: "10.6.0.1", dev: "net1", metric: 2_000 },
      ]);
      assert.deepEqual(await rulesOf(pod.namespace), ["32765 10.244.1.5 101"]);
      const table = await list(pod.namespace, "route show table 101", WAY);
      assert.deepEqual(table[0], { dst: "default", gateway: "169.254.1.1", dev: "eth0" });
      assert.ok(table.some(({ dst, dev }) => dst === "169.254.1.1" && dev === "eth0"));
      await fixture.addNic(pod, "net2", { last: 7, metric: 2_001 });
      await fixture.add(pod, "net2", { config });
      await assertDefault(fixture, pod.namespace, "net1");
      await fixture.del(pod, "net2");
      await pod.namespace.run("ip", "link", "del", "net2");
      await fixture.del(pod, "net1");
      assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
    },
  });
}

/** What the pod begins goes by one NIC; every NIC answers what it is asked. */
async function assertDefault(
  { node, router }: Fixture,
  pod: Namespace,
  nic: string,
): Promise<void> {
  for (const version of [4, 6] as const) {
    await assertCarrier(pod, nic, () => ping(pod, AFAR[version]));
    await assertCarrier(pod, nic, () => connect({ from: pod, address: AFAR[version], to: router }));
    const own = version === 4 ? "10.244.1.5" : "fd00:244::5";
    await assertCarrier(pod, "eth0", () => ping(router, own, { from: AFAR[version] }));
    await assertCarrier(pod, "eth0", () => connect({ from: node, address: own, to: pod }));
    for (const last of [6, 7]) {
      const address = version === 4 ? `10.6.0.${last}` : `fd00:10:6::${last}`;
      await assertCarrier(
        pod,
        `net${last - 5}`,
        () => ping(router, address, { from: AFAR[version] }),
      );
      await assertCarrier(pod, "eth0", () => ping(node, address));
    }
  }
}
