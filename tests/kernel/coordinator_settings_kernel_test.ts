/** What the configuration says about links and sysctls: it is done in the pod, and taken back. */
import assert from "node:assert/strict";
import { waitFor } from "../../scripts/cluster/process.ts";
import { testWith } from "../support/require.ts";
import { AFAR, Fixture, type Pod, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, ping, pingInVain } from "./coordinator/packets.ts";
import { CLUSTER_IP, serve } from "./coordinator/service.ts";
import { list, statesOf } from "./coordinator/state.ts";
import type { Namespace } from "./namespace.ts";

const NODE_VETH = "vethabcdef01234";

/** Has a NIC coordinated, looks at it, and sees that its DEL takes everything back. */
async function withNic(
  fixture: Fixture,
  { pod, ifName, config, look }: {
    readonly pod: Pod;
    readonly ifName: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly look: (result: Readonly<Record<string, unknown>>) => Promise<void>;
  },
): Promise<void> {
  const before = await statesOf(fixture.node, pod.namespace);
  await look(await fixture.add(pod, ifName, { config }));
  await fixture.del(pod, ifName);
  assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
}

async function linkOf(where: Namespace, link: string): Promise<Readonly<Record<string, unknown>>> {
  const [found = {}] = await list(where, `link show ${link}`, {
    members: ["address", "mtu", "txqlen"],
  });
  return found;
}

testWith({
  name: "coordinator: podMACPrefix gives a NIC its address, and the result says so",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 7, metric: 2_000 } });
    await fixture.add(pod, "eth0");
    await withNic(fixture, {
      ...{ pod, ifName: "net1", config: { podMACPrefix: "0a:1b" } },
      async look({ interfaces }) {
        const mac = "0a:1b:0a:06:00:07";
        assert.equal((await linkOf(pod.namespace, "net1")).address, mac);
        assert.ok(Array.isArray(interfaces));
        assert.equal(interfaces.find(({ name }) => name === "net1").mac, mac);
        for (const address of ["10.6.0.7", "fd00:10:6::7"]) {
          await assertCarrier(pod.namespace, "net1", () => ping(fixture.router, address));
          await ping(fixture.node, address);
        }
        const [router] = await list(fixture.router, "neigh show to 10.6.0.7", {
          members: ["lladdr"],
        });
        assert.equal(router?.lladdr, mac);
      },
    });
  },
});

/** Hardware addresses by which a namespace would reach addresses. */
async function macsSeenBy(
  where: Namespace,
  addresses: readonly string[],
): Promise<readonly unknown[]> {
  const found = addresses.map((address) => {
    return list(where, `neigh show to ${address}`, { members: ["lladdr"] });
  });
  return (await Promise.all(found)).map(([neighbor]) => neighbor?.lladdr);
}

testWith({
  name: "coordinator: a new hardware address is announced, and the old one when it is back",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const addresses = ["10.6.0.5", "fd00:10:6::5"];
    const old = (await linkOf(pod.namespace, "eth0")).address;
    for (const address of addresses) await ping(fixture.router, address);
    assert.deepEqual(await macsSeenBy(fixture.router, addresses), [old, old]);
    // From here on the router asks nobody, so what it learns it is told.
    await fixture.add(pod, "eth0", { config: { podMACPrefix: "0a:1b" } });
    const mac = "0a:1b:0a:06:00:05";
    assert.deepEqual(await macsSeenBy(fixture.router, addresses), [mac, mac]);
    await fixture.del(pod, "eth0");
    assert.deepEqual(await macsSeenBy(fixture.router, addresses), [old, old]);
  },
});

testWith({
  name: "coordinator: who remembers an address at another pod's NIC is told where it is now",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const addresses = ["10.6.0.5", "fd00:10:6::5"];
    for (const address of addresses) await ping(fixture.router, address);
    const mac = "02:00:00:00:00:77";
    await pod.namespace.run("ip", "link", "set", "eth0", "address", mac);
    const before = await macsSeenBy(fixture.router, addresses);
    assert.ok(before.every((seen) => seen !== mac), "nobody told the router yet");
    const dad = "/proc/sys/net/ipv6/conf/eth0/accept_dad";
    await pod.namespace.run("sh", "-c", `echo 1 >${dad}`);
    await pod.namespace.run("ip", "address", "add", "fd00:10:6::6/64", "dev", "eth0");
    const own = await pod.namespace.run("ip", "-6", "address", "show", "dev", "eth0", "tentative");
    assert.match(own, /fd00:10:6::6/);
    const old = "lladdr 02:00:00:00:00:66 nud reachable".split(" ");
    const dev = (await list(fixture.router, "neigh show to 10.6.0.5", { members: ["dev"] }))[0]
      ?.dev;
    const late = ["ip", "neigh", "replace", "fd00:10:6::6", "dev", String(dev), ...old] as const;
    await fixture.router.run(...late);
    await fixture.add(pod, "eth0");
    assert.deepEqual(await macsSeenBy(fixture.router, addresses), [mac, mac]);
    // Of this address the pod tells once the kernel knows that nobody else has it.
    await waitFor(async () => {
      const [seen] = await macsSeenBy(fixture.router, ["fd00:10:6::6"]);
      return seen === mac ? true : undefined;
    }, { what: "the router to be told of fd00:10:6::6", timeoutMs: 60_000, everyMs: 50 });
  },
});

testWith({
  name: "coordinator: txQueueLen is that of the pod's NIC, whatever links the node has",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    await fixture.node.run("ip", "link", "add", "net1", "type", "veth", "peer", "name", "eth0");
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 2_000 } });
    await fixture.add(pod, "eth0");
    await withNic(fixture, {
      ...{ pod, ifName: "net1", config: { txQueueLen: 2_000 } },
      async look() {
        assert.equal((await linkOf(pod.namespace, "net1")).txqlen, 2_000);
        assert.equal((await linkOf(fixture.node, "net1")).txqlen, 1_000);
      },
    });
  },
});

for (const families of [[4], [6], [4, 6]] as const) {
  testWith({
    name: `coordinator: vethLinkAddress is that of the pair of a pod of ` +
      `IPv${families.join(" and ")}${families[0] === 6 ? ", which has none" : ""}`,
    needs,
    async fn() {
      await using fixture = await Fixture.open();
      const pod = await fixture.podWith({ eth0: { last: 5, families } });
      await withNic(fixture, {
        ...{ pod, ifName: "eth0", config: { vethLinkAddress: "169.254.100.1" } },
        async look() {
          const text = await pod.namespace.run("ip", "-4", "-br", "addr", "show", "dev", "veth0");
          const expected = families[0] === 4 ? ["169.254.100.1/32"] : [];
          assert.deepEqual(text.match(/[0-9.]+\/[0-9]+/g) ?? [], expected);
          await ping(fixture.node, families[0] === 4 ? "10.6.0.5" : "fd00:10:6::5");
        },
      });
    },
  });
}

testWith({
  name: "coordinator: vethMTU is that of both ends, and of what goes through them",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await withNic(fixture, {
      ...{ pod, ifName: "eth0", config: { vethMTU: 1_280 }, version: "1.1.0" },
      async look() {
        assert.equal((await linkOf(pod.namespace, "veth0")).mtu, 1_280);
        assert.equal((await linkOf(fixture.node, NODE_VETH)).mtu, 1_280);
        const [way] = await list(pod.namespace, "route get 10.6.0.2", { members: ["dev"] });
        assert.equal(way?.dev, "veth0");
        // 1200 bytes and headers are 1228: they fit; 1300 go in two parts.
        await ping(pod.namespace, "10.6.0.2");
        await pod.namespace.run("ping", "-c", "1", "-w", "10", "-s", "1300", "10.6.0.2");
      },
    });
  },
});

async function filtersOf(where: Namespace): Promise<Readonly<Record<string, string>>> {
  const lines = await where.run("sh", "-c", "cd /proc/sys/net/ipv4/conf; grep . */rp_filter");
  return Object.fromEntries(lines.split("\n").map((line) => line.split("/rp_filter:")));
}

for (const podRPFilter of [0, 1, 2, -1]) {
  const effect = podRPFilter === 1 ? "shuts out what the node forwards" : "lets in all";
  testWith({
    name: `coordinator: podRPFilter ${podRPFilter} is that of every link, and ${effect}`,
    needs,
    async fn() {
      await using fixture = await Fixture.open();
      const pod = await fixture.pod();
      await script(pod.namespace, [
        "for name in all default; do echo 2 > /proc/sys/net/ipv4/conf/$name/rp_filter; done",
      ]);
      await fixture.addNic(pod, "eth0", { last: 5 });
      await serve(fixture.node, { version: 4, backend: "10.6.0.5" });
      await fixture.router.run("ip", "route", "add", "10.233.0.0/18", "via", "10.6.0.2");
      const { lo, ...links } = await filtersOf(pod.namespace);
      await withNic(fixture, {
        // The kernel's loose mode lets in nothing by a link without an address.
        config: { podRPFilter, vethLinkAddress: "169.254.100.1" },
        ...{ pod, ifName: "eth0" },
        async look() {
          const value = podRPFilter === -1 ? "2" : `${podRPFilter}`;
          const expected = Object.keys({ ...links, veth0: "" }).map((name) => [name, value]);
          const filters = { lo, ...Object.fromEntries(expected) };
          assert.deepEqual(await filtersOf(pod.namespace), filters);
          if (podRPFilter === 1) {
            await fixture.router.refuse(
              ...["ping", "-c", "1", "-w", "1", "-I", AFAR[4], CLUSTER_IP[4]],
            );
            await pingInVain(fixture.router, CLUSTER_IP[4]);
          } else {
            const sending = () => ping(fixture.router, CLUSTER_IP[4], { from: AFAR[4] });
            await assertCarrier(pod.namespace, "veth0", sending);
          }
          await ping(fixture.node, "10.6.0.5");
        },
      });
    },
  });
}

testWith({
  name: "coordinator: IPv6 is switched on where a NIC needs it, and off again",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const off = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    await pod.namespace.run("sh", "-c", `echo 1 > ${off}`);
    await withNic(fixture, {
      ...{ pod, ifName: "eth0", config: {} },
      async look() {
        assert.equal(await pod.namespace.run("cat", off), "0");
        await assertCarrier(pod.namespace, "veth0", () => ping(fixture.node, "fd00:10:6::5"));
        await assertCarrier(pod.namespace, "veth0", () => ping(pod.namespace, "fd00:10:6::2"));
      },
    });
    assert.equal(await pod.namespace.run("cat", off), "1");
  },
});

testWith({
  name: "coordinator: hostRuleTable is the node's table, and a DEL knows it without being told",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await withNic(fixture, {
      ...{ pod, ifName: "eth0", config: { hostRuleTable: 4_000_000_000 } },
      async look() {
        for (const version of [4, 6] as const) {
          const rules = await list(fixture.node, `-${version} rule`, {
            members: ["priority", "table"],
          });
          assert.deepEqual(rules[1], { priority: 1000, table: "4000000000" });
          const table = `-${version} route show table 4000000000`;
          const address = version === 4 ? "10.6.0.5" : "fd00:10:6::5";
          assert.deepEqual(await list(fixture.node, table, { members: ["dst", "dev"] }), [
            { dst: address, dev: NODE_VETH },
          ]);
          await assertCarrier(pod.namespace, "veth0", () => ping(fixture.node, address));
        }
      },
    });
  },
});

/** Pings that NICs answer, each by one link: from the node, and from the router. */
async function assertAnswers(
  fixture: Fixture,
  { pod: { namespace }, nic, last, nodeLink }: {
    readonly pod: Pod;
    readonly nic: string;
    readonly last: number;
    readonly nodeLink: string;
  },
): Promise<void> {
  for (const address of [`10.6.0.${last}`, `fd00:10:6::${last}`]) {
    await assertCarrier(namespace, nodeLink, () => ping(fixture.node, address));
    await assertCarrier(namespace, nic, () => ping(fixture.router, address));
  }
}

testWith({
  name: "coordinator: podDefaultCniNic is the first NIC of a pod that has another eth0",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const config = { podDefaultCniNic: "data0" };
    const pod = await fixture.podWith({ data0: { last: 5 }, eth0: { last: 6, metric: 2_000 } });
    const before = await statesOf(fixture.node, pod.namespace);
    await fixture.addAll(pod, { config });
    const main = await list(pod.namespace, "route show 10.233.0.0/18", { members: ["prefsrc"] });
    assert.deepEqual(main, [{ prefsrc: "10.6.0.5" }], "the first NIC's address");
    for (const [nic, last] of [["data0", 5], ["eth0", 6]] as const) {
      await assertAnswers(fixture, { pod, nic, last, nodeLink: "veth0" });
    }
    for (const nic of ["eth0", "data0"]) await fixture.del(pod, nic, { config });
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
  },
});

testWith({
  name: "coordinator: podDefaultCniNic is the overlay network's NIC, whatever its name",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.pod();
    await fixture.addOverlayNic(pod, { last: 9, name: "data0" });
    await fixture.addNic(pod, "eth0", { last: 6, metric: 2_000 });
    await withNic(fixture, {
      ...{ pod, ifName: "eth0", config: { podDefaultCniNic: "data0" } },
      async look() {
        await assertAnswers(fixture, { pod, nic: "eth0", last: 6, nodeLink: "data0" });
        const first = await list(pod.namespace, "route show table 100", { members: ["dev"] });
        assert.deepEqual(first, [{ dev: "data0" }]);
        const main = await list(pod.namespace, "route show 10.233.0.0/18", {
          members: ["dev", "prefsrc"],
        });
        assert.deepEqual(main, [{ dev: "data0", prefsrc: "10.244.1.9" }]);
      },
    });
  },
});

testWith({
  name: "coordinator: every disabled mode passes the result on and touches nothing",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const before = await statesOf(fixture.node, pod.namespace);
    const [node] = fixture.nodes;
    assert(node !== undefined);
    for (const mode of ["disable", "disabled"]) {
      const result = await fixture.add(pod, "eth0", { config: { mode } });
      assert.deepEqual(result.interfaces, [{ name: "eth0", sandbox: pod.namespace.path }]);
      await fixture.del(pod, "eth0", { config: { mode } });
    }
    assert.equal(fixture.agent.asked.length, 0);
    node.answer = { ...node.answer, mode: "disabled" };
    await fixture.add(pod, "eth0");
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
    assert.deepEqual(await fixture.records(), []);
  },
});
