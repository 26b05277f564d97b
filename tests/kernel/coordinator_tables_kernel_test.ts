/** Routing tables of underlay pods: which NIC has which, and what moves into them. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { AFAR, Fixture, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping } from "./coordinator/packets.ts";
import { list, statesOf } from "./coordinator/state.ts";
import type { Namespace } from "./namespace.ts";

/** Rules beside the kernel's own. */
async function rulesOf(where: Namespace, version: 4 | 6): Promise<readonly string[]> {
  const rules = await list(where, `-${version} rule`, { members: ["priority", "src", "table"] });
  return rules.map(({ priority, src, table }) => `${priority} ${src} ${table}`)
    .filter((rule) => !/ (?:local|main|default)$/.test(rule));
}

/** Routes of a table as `DESTINATION via GATEWAY dev LINK src SOURCE metric METRIC`. */
async function routesOf(
  where: Namespace,
  table: number | "main",
  { version = 4 }: { readonly version?: 4 | 6 } = {},
): Promise<readonly string[]> {
  const members = ["dst", "gateway", "dev", "prefsrc", "metric"];
  const routes = await list(where, `-${version} route show table ${table}`, { members });
  return routes.map(({ dst, gateway, dev, prefsrc, metric }) =>
    [
      dst,
      ...(gateway === undefined ? [] : ["via", gateway]),
      ...["dev", dev],
      ...(prefsrc === undefined ? [] : ["src", prefsrc]),
      ...(metric === undefined || metric === 1024 ? [] : ["metric", metric]),
    ].join(" ")
  );
}

const THROUGH_NODE = ["10.233.0.0/18", "10.244.0.0/16", "169.254.20.10"].map((dst) =>
  `${dst} via 10.6.0.2 dev veth0 src 10.6.0.5`
);

testWith({
  name: "coordinator: further NICs have rules 999, 998, ... and tables 101, 102, ...",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await fixture.add(pod, "eth0");
    await fixture.addNic(pod, "net1", { last: 6, metric: 50 });
    await fixture.add(pod, "net1");
    const { namespace: inside } = pod;
    assert.deepEqual(await rulesOf(inside, 4), ["999 10.6.0.6 101", "1000 all 100"]);
    assert.deepEqual(await rulesOf(inside, 6), ["999 fd00:10:6::6 101", "1000 all 100"]);
    const own = [
      "10.6.0.0/24 dev net1 src 10.6.0.6",
      "10.6.0.2 dev veth0 src 10.6.0.5",
      ...THROUGH_NODE,
    ];
    assert.deepEqual(await routesOf(inside, 101), [
      "default via 10.6.0.1 dev net1 metric 50",
      ...own,
    ]);
    const own6 = await routesOf(inside, 101, { version: 6 });
    assert.ok(own6.includes("default via fd00:10:6::1 dev net1 metric 50"), own6.join("\n"));
    assert.ok(own6.includes("fd00:233::/116 via fd00:10:6::2 dev veth0"));
    for (const version of [4, 6] as const) {
      const main = await routesOf(inside, "main", { version });
      const defaults = main.filter((one) => one.startsWith("default"));
      assert.deepEqual(defaults.map((one) => one.split(" ").at(4)), ["eth0"]);
      assert.ok(main.some((one) => /^(?:10\.6\.0\.0\/24|fd00:10:6::\/64) dev net1/.test(one)));
    }
    await fixture.addNic(pod, "net2", { last: 7, defaults: [] });
    await fixture.add(pod, "net2");
    assert.equal((await rulesOf(inside, 4))[0], "998 10.6.0.7 102");
    assert.deepEqual(await routesOf(inside, 102), [
      "10.6.0.0/24 dev net2 src 10.6.0.7",
      ...own.slice(1),
    ]);
    await assertCarrier(inside, "net2", () => ping(fixture.router, "10.6.0.7"));
    await fixture.addNic(pod, "net3", { last: 8, metric: 60 });
    await fixture.add(pod, "net3");
    assert.equal((await rulesOf(inside, 6))[0], "997 fd00:10:6::8 103");
    await assertCarrier(inside, "net3", () => ping(inside, AFAR[6], { from: "fd00:10:6::8" }));
  },
});

testWith({
  name: "coordinator: tables that others use are left to them, the next free ones are taken",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const { namespace: inside } = pod;
    await script(inside, [
      "ip link add wg0 type veth peer name wg1; ip link set wg0 up; ip link set wg1 up",
      ...["", "-6"].flatMap((version) => [
        `ip ${version} route add default dev wg0 table 100`,
        `ip ${version} route add default dev wg0 table 101`,
        `ip ${version} rule add fwmark 7 lookup 103 pref 500`,
      ]),
    ]);
    const start = await statesOf(fixture.node, inside);
    await fixture.add(pod, "eth0");
    await fixture.addNic(pod, "net1", { last: 6, metric: 50 });
    const before = await statesOf(fixture.node, inside);
    await fixture.add(pod, "net1");
    for (const version of [4, 6] as const) {
      const rules = await rulesOf(inside, version);
      const own = rules.filter((rule) => !rule.startsWith("500 "));
      const tables = own.map((rule) => Number(rule.split(" ").at(-1)));
      const isFree = (table: number) => table > 101 && table !== 103;
      assert.ok(tables.length === 2 && tables.every(isFree), rules.join("\n"));
      assert.deepEqual(
        (await routesOf(inside, 101, { version })).map((one) => one.split(" ")[2]),
        ["wg0"],
      );
    }
    for (const address of ["10.6.0.6", "fd00:10:6::6"]) {
      await assertCarrier(inside, "net1", () => ping(fixture.router, address));
      await assertCarrier(inside, "veth0", () => ping(fixture.node, address));
    }
    await fixture.del(pod, "net1");
    assert.deepEqual(await statesOf(fixture.node, inside), before);
    await inside.run("ip", "link", "del", "net1");
    await fixture.del(pod, "eth0");
    assert.deepEqual(await statesOf(fixture.node, inside), start);
  },
});

testWith({
  name: "coordinator: routes that move keep metric, source and MTU, and come back with them",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, defaults: [] } });
    const { namespace: inside } = pod;
    await script(inside, [
      "ip address add 10.6.0.16/24 dev net1",
      "ip route add default via 10.6.0.1 dev net1 metric 77 src 10.6.0.16 mtu 1300 advmss 900",
      "ip -6 route add default via fd00:10:6::1 dev net1 metric 78 mtu 1300 pref high",
      "ip route add 192.0.2.0/24 via 10.6.0.1 dev net1 mtu lock 1260 proto 77",
    ]);
    await fixture.add(pod, "eth0");
    const before = await statesOf(fixture.node, inside);
    await fixture.add(pod, "net1");
    const text = await inside.run("ip", "route", "show", "table", "101");
    assert.match(text, /default via 10\.6\.0\.1 dev net1 src 10\.6\.0\.16 metric 77 mtu 1300 advm/);
    assert.match(text, /192\.0\.2\.0\/24 via 10\.6\.0\.1 dev net1 proto 77 mtu lock 1260/);
    assert.match(
      await inside.run("ip", "-6", "route", "show", "table", "101"),
      /default via fd00:10:6::1 dev net1 metric 78 mtu 1300 pref high/,
    );
    const members = ["dev", "prefsrc"];
    for (const from of ["10.6.0.6", "10.6.0.16"]) {
      const [way] = await list(inside, `route get 203.0.113.9 from ${from}`, { members });
      assert.equal(way?.dev, "net1");
      await assertCarrier(inside, "net1", () => ping(inside, AFAR[4], { from }));
    }
    await fixture.del(pod, "net1");
    assert.deepEqual(await statesOf(fixture.node, inside), before);
  },
});

for (const how of ["the configuration", "the annotation"] as const) {
  testWith({
    name: `coordinator: ${how} gives a further NIC the default route of an underlay pod`,
    needs,
    async fn() {
      await using fixture = await Fixture.open({ networkCount: 3 });
      const pod = await fixture.podWith({
        eth0: { last: 5 },
        net1: { last: 6, network: 1, metric: 50 },
      });
      const { namespace: inside, node: { answer } } = pod;
      const before = await statesOf(fixture.node, inside);
      const isAnnotated = how === "the annotation";
      if (isAnnotated) pod.node.answer = { ...answer, podDefaultRouteNIC: "net1" };
      const config = isAnnotated ? {} : { podDefaultRouteNic: "net1" };
      // The NIC is still to come when the first is coordinated.
      const first = { config: isAnnotated ? {} : { podDefaultRouteNic: "" } };
      await fixture.add(pod, "eth0", first);
      await fixture.add(pod, "net1", { config });
      await fixture.addNic(pod, "net2", { last: 7, network: 2, metric: 60 });
      await fixture.add(pod, "net2", { config });
      const addresses = {
        eth0: { 4: "10.6.0.5", 6: "fd00:10:6::5" },
        net1: { 4: "10.7.0.6", 6: "fd00:10:7::6" },
        net2: { 4: "10.8.0.7", 6: "fd00:10:8::7" },
      } as const;
      for (const version of [4, 6] as const) {
        const afar = AFAR[version];
        await assertCarrier(inside, "net1", () => ping(inside, afar));
        await assertCarrier(inside, "net1", async () => {
          const { client } = await connect({ from: inside, address: afar, to: fixture.router });
          assert.equal(client, addresses.net1[version]);
        });
        for (const [nic, { [version]: address }] of Object.entries(addresses)) {
          await assertCarrier(inside, nic, () => ping(fixture.router, address, { from: afar }));
          await assertCarrier(inside, nic, async () => {
            await connect({ from: fixture.router, address, to: inside });
          });
          await assertCarrier(inside, "veth0", async () => {
            await connect({ from: fixture.node, address, to: inside });
          });
        }
      }
      await fixture.del(pod, "net2");
      await inside.run("ip", "link", "del", "net2");
      for (const nic of ["net1", "eth0"]) await fixture.del(pod, nic);
      assert.deepEqual(await statesOf(fixture.node, inside), before);
    },
  });
}
