/**
 * Chains of the real programs, with an agent that has addresses probed: hosts on the wire that have
 * them already, gateways that nobody has, all of it in a VLAN.
 */
import assert from "node:assert/strict";
import { linkKind, testWith } from "../support/require.ts";
import { Lab, PEER, type Plugin } from "./chains/lab.ts";
import { dualPools, mainNeeds, NEEDS, poolsText, VLAN } from "./chains/networks.ts";
import { ping } from "./coordinator/packets.ts";

const needs = [...NEEDS, ...mainNeeds("macvlan"), linkKind("vlan")];
const GATEWAY = "10.6.0.99";
/** A pool of one address whose gateway nobody is. */
const LONELY = poolsText([{ name: "v4", version: 4, ips: "10", gateway: "99" }]);

function openLab(pools: string): Promise<Lab> {
  return Lab.open({ cables: 1, vlan: VLAN, pools, probes: ["conflicts", "gateways"] });
}

/** Macvlan NICs in the VLAN. @param more What else the plugin `spiderpool` is told. */
function network(lab: Lab, more: Plugin = {}) {
  return lab.network([
    { type: "ifacer", interfaces: ["s0"], vlanID: VLAN },
    { type: "macvlan", master: `s0.${VLAN}`, mode: "bridge", ipam: lab.ipam(more) },
  ]);
}

testWith({
  name: "chain: where a host on the wire has an address, the pod gets the next in the same ADD",
  needs,
  async fn() {
    await using lab = await openLab(dualPools(2));
    const before = await lab.pod("before");
    const given = await lab.add(before, network(lab));
    await lab.del(before, network(lab));
    // What was just released is taken last: the other one is tried first.
    const others = given.map((one) =>
      one.endsWith("10") ? one.replace(/10$/, "11") : one.replace(/11$/, "10")
    );
    const { mac } = await lab.host(others);
    const pod = await lab.pod("pod");
    assert.deepEqual(await lab.add(pod, network(lab)), given);
    const log = await lab.pluginLog();
    for (const ip of others) assert.ok(log.includes(JSON.stringify({ ip, mac })), log);
    for (const address of [PEER[4], PEER[6]]) await ping(pod.namespace, address);
  },
});

testWith({
  name: "chain: a pool all of whose addresses conflict gives way to the next, then all are named",
  needs,
  async fn() {
    await using lab = await openLab(poolsText([
      { name: "first", version: 4, ips: "10" },
      { name: "second", version: 4, ips: "20" },
    ]));
    const list = network(lab, { default_ipv4_ippool: ["first", "second"] });
    const one = await lab.host(["10.6.0.10"]);
    const pod = await lab.pod("pod");
    assert.deepEqual(await lab.add(pod, list), ["10.6.0.20"]);
    await ping(pod.namespace, PEER[4]);
    await lab.del(pod, list);
    const other = await lab.host(["10.6.0.20"]);
    const said = await lab.refusal(await lab.pod("late"), list);
    for (const [ip, { mac }] of [["10.6.0.10", one], ["10.6.0.20", other]] as const) {
      assert.ok(said.includes(`"${ip}" of NIC "eth0" is located at ${mac}`), said);
    }
  },
});

testWith({
  name: "chain: a kept address that a host on the wire took is refused by its MAC, and kept",
  needs,
  async fn() {
    await using lab = await openLab(dualPools(2));
    const list = network(lab, { fixed: "web" });
    const before = await lab.pod("before");
    const given = await lab.add(before, list);
    await lab.del(before, list);
    const { namespace, mac } = await lab.host(given.slice(0, 1));
    const after = await lab.pod("after");
    const said = await lab.refusal(after, list);
    assert.ok(said.includes(`ip conflict: "${given[0]}" of NIC "eth0" is located at ${mac}`), said);
    await namespace.run("ip", "link", "set", "eth0", "down");
    assert.deepEqual(await lab.add(after, list), given);
  },
});

testWith({
  name: "chain: a gateway that nobody has fails the ADD by its address and NIC, until it is there",
  needs,
  async fn() {
    await using lab = await openLab(LONELY);
    const pod = await lab.pod("pod");
    const said = await lab.refusal(pod, network(lab));
    assert.ok(said.includes(`gateway ${GATEWAY} is unreachable from NIC "eth0"`), said);
    await lab.host([GATEWAY]);
    assert.deepEqual(await lab.add(pod, network(lab)), ["10.6.0.10"]);
    await ping(pod.namespace, GATEWAY);
  },
});
