/** The plugin `coordinator` on the real kernel: packets, not only rules. */
import assert from "node:assert/strict";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { Fixture, type NicWish, type Pod, script } from "./coordinator/fixture.ts";
import { stateOf } from "./coordinator/state.ts";
import type { Namespace } from "./namespace.ts";

const needs = [
  root,
  ...["veth", "macvlan"].map(linkKind),
  ...["ip", "nft", "nsenter", "ping", "mount"].map(program),
];
const NODE_VETH = "vethabcdef01234";

async function json(where: Namespace, ...command: readonly string[]): Promise<unknown> {
  const text = await where.run("ip", "-j", ...command);
  return text === "" ? [] : JSON.parse(text);
}

/** Packets that a link has received. */
async function received(where: Namespace, link: string): Promise<number> {
  return Number(
    await where.run("cat", `/sys/class/net/${link}/statistics/rx_packets`)
      .catch(() =>
        script(where, [
          `ip -s -j link show ${link} | grep -o '"rx":{[^}]*' | grep -o ` +
          `'"packets":[0-9]*' | grep -o '[0-9]*'`,
        ])
      ),
  );
}

async function ping(where: Namespace, address: string): Promise<void> {
  await where.run("ping", ...(address.includes(":") ? ["-6"] : []), "-c", "1", "-w", "10", address);
}

async function podWith(
  fixture: Fixture,
  nics: Readonly<Record<string, NicWish>>,
): Promise<Pod> {
  const pod = await fixture.pod();
  for (const [name, wish] of Object.entries(nics)) await fixture.addNic(pod, name, wish);
  return pod;
}

testWith({
  name: "coordinator: node and pod reach each other by the pair, in both families",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await podWith(fixture, { eth0: { last: 5 } });
    await fixture.node.refuse("ping", "-c", "1", "-w", "1", "10.6.0.5");
    await fixture.add(pod, "eth0");
    const before = await received(pod.namespace, "veth0");
    await ping(fixture.node, "10.6.0.5");
    await ping(fixture.node, "fd00:10:6::5");
    await ping(pod.namespace, "10.6.0.2");
    await ping(pod.namespace, "fd00:10:6::2");
    await ping(pod.namespace, "10.6.0.1");
    assert.ok(await received(pod.namespace, "veth0") >= before + 4);
  },
});

testWith({
  name: "coordinator: DEL brings node and pod back to how they were, twice",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await podWith(fixture, { eth0: { last: 5 }, net1: { last: 6, metric: 50 } });
    const before = [await stateOf(fixture.node), await stateOf(pod.namespace)];
    await fixture.add(pod, "eth0");
    await fixture.add(pod, "net1");
    assert.equal((await fixture.records()).length, 2);
    for (const nic of ["net1", "eth0", "eth0"]) await fixture.del(pod, nic);
    assert.deepEqual([await stateOf(fixture.node), await stateOf(pod.namespace)], before);
    assert.deepEqual(await fixture.records(), []);
  },
});

testWith({
  name: "coordinator: a second ADD changes nothing",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await podWith(fixture, { eth0: { last: 5 }, net1: { last: 6, metric: 50 } });
    const results = [await fixture.add(pod, "eth0"), await fixture.add(pod, "net1")];
    const after = [await stateOf(fixture.node), await stateOf(pod.namespace)];
    assert.deepEqual([await fixture.add(pod, "eth0"), await fixture.add(pod, "net1")], results);
    assert.deepEqual([await stateOf(fixture.node), await stateOf(pod.namespace)], after);
    await ping(fixture.node, "10.6.0.5");
  },
});

testWith({
  name: "coordinator: a reply leaves by the NIC that the request came in by",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await podWith(fixture, {
      eth0: { last: 5 },
      net1: { last: 6, metric: 50 },
      net2: { last: 7, metric: 60 },
      net3: { last: 8, metric: 70 },
    });
    for (const nic of pod.nics.keys()) await fixture.add(pod, nic);
    for (const [nic, last] of [["net1", 6], ["net2", 7], ["net3", 8]] as const) {
      for (const address of [`10.6.0.${last}`, `fd00:10:6::${last}`]) {
        const before = await received(pod.namespace, nic);
        await ping(fixture.gateway, address);
        assert.ok(await received(pod.namespace, nic) > before, `${address} came in by ${nic}`);
        await ping(fixture.node, address);
      }
      const [way] = await json(
        ...[pod.namespace, "route", "get", "10.9.9.9", "from", `10.6.0.${last}`] as const,
      ) as readonly { readonly dev: string }[];
      assert.equal(way?.dev, nic);
    }
  },
});

testWith({
  name: "coordinator: two pods that come and go at once share the node's rule",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const before = await stateOf(fixture.node);
    const pods = [
      await podWith(fixture, { eth0: { last: 5 } }),
      await podWith(fixture, { eth0: { last: 6 } }),
    ];
    await Promise.all(pods.map((pod) => fixture.add(pod, "eth0")));
    const rules = await fixture.node.run("ip", "rule", "list", "pref", "1000");
    assert.match(rules, /^1000:\tfrom all lookup 500[^\n]*$/);
    for (const [index, pod] of pods.entries()) {
      await ping(pod.namespace, `10.6.0.${6 - index}`);
      await ping(fixture.node, `10.6.0.${5 + index}`);
    }
    await Promise.all(pods.map((pod) => fixture.del(pod, "eth0")));
    const { neighbors, rules: left, routes, ruleset } = await stateOf(fixture.node);
    assert.deepEqual(
      { neighbors, left, routes, ruleset },
      {
        neighbors: before.neighbors,
        left: before.rules,
        routes: before.routes,
        ruleset: before.ruleset,
      },
    );
  },
});

testWith({
  name: "coordinator: DEL asks nobody, and needs no pod",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await podWith(fixture, { eth0: { last: 5 } });
    const before = await stateOf(fixture.node);
    await fixture.add(pod, "eth0");
    assert.match(await fixture.node.run("ip", "link", "show", NODE_VETH), /UP/);
    fixture.agent.answering = () => undefined;
    await fixture.del(pod, "eth0", { env: { CNI_NETNS: "/proc/1/no/such/net" } });
    const after = await stateOf(fixture.node);
    assert.deepEqual(after.rules, before.rules);
    assert.deepEqual(after.routes, before.routes);
    assert.equal(fixture.agent.asked.length, 1);
  },
});

for (const families of [[4], [6]] as const) {
  testWith({
    name: `coordinator: a pod of IPv${families[0]} alone has nothing of the other family`,
    needs,
    async fn() {
      await using fixture = await Fixture.open();
      const pod = await podWith(fixture, { eth0: { last: 5, families } });
      await fixture.add(pod, "eth0");
      await ping(fixture.node, families[0] === 4 ? "10.6.0.5" : "fd00:10:6::5");
      const other = families[0] === 4 ? "-6" : "-4";
      const rules = await fixture.node.run("ip", other, "rule");
      assert.ok(!/lookup 500/.test(rules), rules);
      await fixture.del(pod, "eth0");
    },
  });
}

testWith({
  name: "coordinator: every disabled mode passes the result on and touches nothing",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await podWith(fixture, { eth0: { last: 5 } });
    const before = [await stateOf(fixture.node), await stateOf(pod.namespace)];
    for (const mode of ["disable", "disabled"]) {
      await fixture.add(pod, "eth0", { config: { mode } });
    }
    assert.deepEqual([await stateOf(fixture.node), await stateOf(pod.namespace)], before);
  },
});
