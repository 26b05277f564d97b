/** The first NIC of an underlay pod: what its ADD makes of pod and node, and what flows then. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { AFAR, Fixture, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping, pingInVain } from "./coordinator/packets.ts";
import { list, statesOf } from "./coordinator/state.ts";
import type { Namespace } from "./namespace.ts";

const NODE_VETH = "vethabcdef01234";

async function macOf(where: Namespace, link: string): Promise<unknown> {
  const [found] = await list(where, `link show ${link}`, { members: ["address"] });
  return found?.address;
}

testWith({
  name: "coordinator: the first NIC brings a pair, and the result says so",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const result = await fixture.add(pod, "eth0");
    const members = ["ifname", "mtu", "txqlen"];
    const [inPod] = await list(pod.namespace, "link show veth0", { members });
    assert.deepEqual(inPod, { ifname: "veth0", mtu: 1500, txqlen: 1000 });
    const [onNode] = await list(fixture.node, `link show ${NODE_VETH}`, { members });
    assert.deepEqual(onNode, { ...inPod, ifname: NODE_VETH });
    const podMac = await macOf(pod.namespace, "veth0");
    const nodeMac = await macOf(fixture.node, NODE_VETH);
    assert.notEqual(podMac, nodeMac);
    for (const mac of [podMac, nodeMac]) assert.match(String(mac), /^[0-9a-f][26ae]:/, "local");
    const sandbox = pod.namespace.path;
    assert.deepEqual(result, {
      cniVersion: "1.0.0",
      interfaces: [
        { name: "eth0", mac: await macOf(pod.namespace, "eth0"), sandbox },
        { name: NODE_VETH, mac: nodeMac },
      ],
      ips: [
        { address: "10.6.0.5/24", interface: 0 },
        { address: "fd00:10:6::5/64", interface: 0 },
      ],
    });
  },
});

testWith({
  name: "coordinator: rules, routes and neighbours of the first NIC are those of the reference",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await fixture.add(pod, "eth0");
    await assertPod(pod.namespace);
    await assertNode(fixture.node);
    const lladdrs = {
      node: await macOf(fixture.node, NODE_VETH),
      pod: await macOf(pod.namespace, "veth0"),
    };
    const members = ["dst", "lladdr", "state"];
    const neighbors = (where: Namespace, version: 4 | 6, dev: string) =>
      list(where, `-${version} neigh show nud permanent dev ${dev}`, { members });
    for (
      const [version, node, address] of [[4, "10.6.0.2", "10.6.0.5"], [
        6,
        "fd00:10:6::2",
        "fd00:10:6::5",
      ]] as const
    ) {
      const state = ["PERMANENT"];
      assert.deepEqual(
        [
          await neighbors(pod.namespace, version, "veth0"),
          await neighbors(fixture.node, version, NODE_VETH),
        ],
        [
          [{ dst: node, lladdr: lladdrs.node, state }],
          [{ dst: address, lladdr: lladdrs.pod, state }],
        ],
      );
    }
  },
});

async function assertPod(pod: Namespace): Promise<void> {
  const rule = { members: ["priority", "fwmark", "table", "src"] };
  for (const version of [4, 6] as const) {
    const [, first, ...others] = await list(pod, `-${version} rule`, rule);
    assert.deepEqual(first, { priority: 1000, fwmark: "0x1", table: "100", src: "all" });
    assert.deepEqual(others.map(({ table }) => table).slice(0, 1), ["main"]);
  }
  const members = ["dst", "gateway", "dev", "prefsrc"];
  const way = { dev: "veth0", prefsrc: "10.6.0.5" };
  const table = (number: number, version: 4 | 6) =>
    list(pod, `-${version} route show table ${number}`, { members });
  assert.deepEqual(await table(100, 4), [{ dst: "default", gateway: "10.6.0.2", ...way }]);
  assert.deepEqual(
    await table(100, 6),
    [{ dst: "default", gateway: "fd00:10:6::2", dev: "veth0" }],
  );
  assert.deepEqual(await table(101, 4), [{ dst: "10.6.0.2", ...way }]);
  assert.deepEqual(await table(101, 6), [{ dst: "fd00:10:6::2", dev: "veth0" }]);
  const main = await list(pod, "-4 route show dev veth0", { members: [...members, "scope"] });
  const prefsrc = "10.6.0.5";
  assert.deepEqual(main, [
    { dst: "10.6.0.2", prefsrc, scope: "link" },
    ...["10.233.0.0/18", "10.244.0.0/16", "169.254.20.10"].map((dst) => {
      return { dst, gateway: "10.6.0.2", prefsrc };
    }),
  ]);
  const main6 = await list(pod, "-6 route show dev veth0", { members: ["dst", "gateway"] });
  assert.deepEqual(main6, [
    { dst: "fd00:10:6::2" },
    { dst: "fd00:233::/116", gateway: "fd00:10:6::2" },
    { dst: "fd00:244::/56", gateway: "fd00:10:6::2" },
    { dst: "fe80::/64" },
  ]);
}

async function assertNode(node: Namespace): Promise<void> {
  for (const [version, dst] of [[4, "10.6.0.5"], [6, "fd00:10:6::5"]] as const) {
    const members = ["priority", "src", "table"];
    const rules = await list(node, `-${version} rule`, { members });
    assert.deepEqual(rules[1], { priority: 1000, src: "all", table: "500" });
    const route = { members: ["dst", "dev", "scope"] };
    const scope = version === 4 ? { scope: "link" } : {};
    assert.deepEqual(
      await list(node, `-${version} route show table 500`, route),
      [{ dst, dev: NODE_VETH, ...scope }],
    );
  }
}

testWith({
  name: "coordinator: node and pod reach each other by the pair alone, in both families",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await pingInVain(fixture.node, "10.6.0.5");
    await fixture.add(pod, "eth0");
    const { node } = fixture;
    for (const [own, nodes] of [["10.6.0.5", "10.6.0.2"], ["fd00:10:6::5", "fd00:10:6::2"]]) {
      const [address = "", nodeAddress = ""] = [own, nodes];
      for (
        const sending of [
          () => ping(node, address),
          () => connect({ from: node, address, to: pod.namespace }),
          () => ping(pod.namespace, nodeAddress),
          () => connect({ from: pod.namespace, address: nodeAddress, to: node }),
        ]
      ) {
        await assertCarrier(pod.namespace, "veth0", () => assertCarrier(node, NODE_VETH, sending));
      }
    }
  },
});

testWith({
  name: "coordinator: what is beyond the gateway comes and goes by the NIC, not by the node",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await fixture.add(pod, "eth0");
    const { router } = fixture;
    for (const [own, afar] of [["10.6.0.5", AFAR[4]], ["fd00:10:6::5", AFAR[6]]]) {
      const [address = "", other = ""] = [own, afar];
      for (
        const sending of [
          () => ping(pod.namespace, other),
          () => connect({ from: pod.namespace, address: other, to: router }),
          () => ping(router, address, { from: other }),
          () => connect({ from: router, address, to: pod.namespace }),
        ]
      ) await assertCarrier(pod.namespace, "eth0", sending);
    }
  },
});

testWith({
  name: "coordinator: what the node forwards from afar is answered through the node",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await fixture.add(pod, "eth0");
    // A NodePort with the local policy: the pod sees the client's own address.
    await script(fixture.node, [
      ...["ip", "ip6"].flatMap((family) => [
        `nft add table ${family} kube`,
        `nft add chain ${family} kube pre '{ type nat hook prerouting priority -100; }'`,
      ]),
      "nft add rule ip kube pre ip daddr 10.6.0.2 tcp dport 30080 dnat to 10.6.0.5:8080",
      "nft add rule ip6 kube pre ip6 daddr fd00:10:6::2 tcp dport 30080 " +
      "dnat to '[fd00:10:6::5]:8080'",
    ]);
    for (
      const [address, client] of [["10.6.0.2", "10.6.0.1"], [
        "fd00:10:6::2",
        "fd00:10:6::1",
      ]] as const
    ) {
      await assertCarrier(pod.namespace, "veth0", async () => {
        const seen = await connect({
          ...{ from: fixture.router, address, to: pod.namespace, port: 30_080 },
        });
        assert.equal(seen.client, client);
      });
    }
  },
});

testWith({
  name: "coordinator: a policy route of the first NIC is in the main table, and carries",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5, defaults: [] } });
    await script(fixture.router, [
      "ip address add 10.10.0.9/32 dev lo",
      "ip address add 2001:db8:10::9/128 dev lo",
    ]);
    const policyRoutes = [
      { dst: "10.10.0.7/16", gw: "10.6.0.1" },
      { dst: "2001:db8:10::/64", gw: "fd00:10:6::1" },
    ];
    const before = await statesOf(fixture.node, pod.namespace);
    await fixture.add(pod, "eth0", { config: { policyRoutes } });
    const members = ["dst", "gateway", "dev"];
    assert.deepEqual(
      [
        await list(pod.namespace, "route show 10.10.0.0/16", { members }),
        await list(pod.namespace, "-6 route show 2001:db8:10::/64", { members }),
      ],
      [
        [{ dst: "10.10.0.0/16", gateway: "10.6.0.1", dev: "eth0" }],
        [{ dst: "2001:db8:10::/64", gateway: "fd00:10:6::1", dev: "eth0" }],
      ],
    );
    await assertCarrier(pod.namespace, "eth0", () => ping(pod.namespace, "10.10.0.9"));
    await assertCarrier(pod.namespace, "eth0", () => ping(pod.namespace, "2001:db8:10::9"));
    await fixture.del(pod, "eth0");
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
  },
});

testWith({
  name: "coordinator: a second ADD of the first NIC keeps the pair, its addresses and all else",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const result = await fixture.add(pod, "eth0");
    const after = await statesOf(fixture.node, pod.namespace);
    assert.deepEqual(await fixture.add(pod, "eth0"), result);
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), after);
    const [neighbor] = await list(
      pod.namespace,
      "neigh show nud permanent dev veth0",
      { members: ["lladdr"] },
    );
    assert.equal(neighbor?.lladdr, await macOf(fixture.node, NODE_VETH));
    await ping(fixture.node, "10.6.0.5");
    await ping(pod.namespace, "fd00:10:6::2");
  },
});
