/**
 * Chains of the real programs and an agent without Kubernetes: `ifacer` makes what a macvlan or an
 * ipvlan stands on, the agent gives addresses, and packets flow.
 */
import assert from "node:assert/strict";
import { linkKind, program, testWith } from "../support/require.ts";
import { untilTrue } from "../support/hang_limit.ts";
import { parallel } from "../support/parallel.ts";
import { addFlowing, assertReaches } from "./chains/flow.ts";
import { Lab, PEER } from "./chains/lab.ts";
import { dualPools, mainNeeds, NEEDS, VLAN } from "./chains/networks.ts";
import { renderedChain } from "./chains/rendered.ts";
import { connect, pingInVain } from "./coordinator/packets.ts";

const MAINS = ["macvlan", "ipvlan"] as const;
const BOND = "b0";

/** The chain of a network of this type, on these masters. */
function chain(
  lab: Lab,
  { main, ...block }: {
    readonly main: typeof MAINS[number] | "vlan";
    readonly master: readonly string[];
    readonly vlanID?: number;
    readonly bond?: unknown;
  },
) {
  return renderedChain(lab, { cniType: main, [main]: block });
}

/** What `ip` says of a link by its kind. */
interface LinkInfo {
  readonly info_kind?: string;
  readonly info_data?: Readonly<Record<string, unknown>>;
  readonly info_slave_data?: Readonly<Record<string, unknown>>;
}

async function linksOf({ node }: Lab): Promise<ReadonlyMap<string, LinkInfo>> {
  const links: readonly { readonly ifname: string; readonly linkinfo?: LinkInfo }[] = JSON.parse(
    await node.run("ip", "-j", "-d", "link"),
  );
  return new Map(links.map(({ ifname, linkinfo = {} }) => [ifname, linkinfo]));
}

async function linkOf(lab: Lab, name: string): Promise<LinkInfo> {
  return (await linksOf(lab)).get(name) ?? {};
}

/** Names and kinds of the node's links that no cable stands behind. */
async function madeOn(lab: Lab): Promise<Readonly<Record<string, string>>> {
  const made = [...await linksOf(lab)].filter(([name]) => !/^(?:lo|s\d)$/.test(name));
  return Object.fromEntries(made.map(([name, { info_kind = "" }]) => [name, info_kind]));
}

testWith({
  name: "chain: 30 pods that ask for a new VLAN get one link, and each its packets",
  needs: [...NEEDS, ...mainNeeds("macvlan"), linkKind("vlan")],
  async fn(context) {
    const count = 30;
    await using lab = await Lab.open({ cables: 1, vlan: VLAN, pools: dualPools(count) });
    const list = chain(lab, { main: "macvlan", master: ["s0"], vlanID: VLAN });
    const pods = await parallel(count, (index) => lab.pod(`pod${index}`));
    const given: string[] = [];
    // A step has two minutes, and an emulated machine needs three seconds and more for a pod.
    for (const begin of [0, 10, 20]) {
      const some = pods.slice(begin, begin + 10);
      await context.step(`${some.length} at once, after ${begin}`, async () => {
        const added = await Promise.all(some.map((pod) => lab.add(pod, list)));
        given.push(...added.flat());
      });
    }
    assert.equal(new Set(given).size, 2 * count);
    assert.deepEqual(await madeOn(lab), { [`s0.${VLAN}`]: "vlan" });
    for (const pod of pods) await assertReaches(pod);
  },
});

testWith({
  name: "chain: ipvlan pods in a VLAN use its master's MAC alone, as clouds want it",
  needs: [
    ...[...NEEDS, linkKind("vlan"), program("nft")],
    ...MAINS.flatMap(mainNeeds),
  ],
  async fn() {
    await using lab = await Lab.open({ cables: 1, vlan: VLAN, pools: dualPools(3) });
    const foundation = { master: ["s0"], vlanID: VLAN };
    const [{ address: mac }] = JSON.parse(await lab.node.run("ip", "-j", "link", "show", "s0"));
    await lab.wire.run(
      "nft",
      "table netdev cloud { chain in { type filter hook ingress device port-s0 priority 0; " +
        `ether saddr != ${mac} counter drop; }; }`,
    );
    const dropped = async () => {
      const rules = await lab.wire.run("nft", "list", "table", "netdev", "cloud");
      return Number(/counter packets (\d+)/.exec(rules)?.[1]);
    };
    const list = chain(lab, { ...foundation, main: "ipvlan" });
    const pods = await addFlowing(lab, list);
    assert.equal(await dropped(), 0);
    await Promise.all(pods.map((pod) => lab.del(pod, list)));
    const other = await lab.pod("macvlan");
    await lab.add(other, chain(lab, { ...foundation, main: "macvlan" }));
    await pingInVain(other.namespace, PEER[4]);
    assert.ok(await dropped() > 0, "the switch lets no other MAC in");
  },
});

testWith({
  name: "chain: a pod has a VLAN as its NIC, and its packets",
  needs: [...NEEDS, linkKind("vlan")],
  async fn() {
    await using lab = await Lab.open({ cables: 1, vlan: VLAN, pools: dualPools(1) });
    await lab.node.run("ip", "link", "set", "s0", "up");
    const list = chain(lab, { main: "vlan", master: ["s0"], vlanID: VLAN });
    const pod = await lab.pod("pod");
    for (const address of await lab.add(pod, list)) {
      await connect({ from: lab.peer, address, to: pod.namespace });
    }
    await assertReaches(pod);
    await lab.del(pod, list);
    assert.deepEqual(await madeOn(lab), {}, "it was the pod's alone");
  },
});

for (const vlan of [undefined, VLAN]) {
  const what = vlan === undefined ? "a bond" : "a VLAN on a bond";
  const made = { [BOND]: "bond", ...(vlan !== undefined && { [`${BOND}.${vlan}`]: "vlan" }) };

  testWith({
    name: `chain: pods over ${what} reach each other and the wire, also when a cable goes`,
    needs: [...NEEDS, ...MAINS.flatMap(mainNeeds), ...["bond", "vlan"].map(linkKind)],
    async fn() {
      // Two addresses of each family: the ipvlan pods have what the macvlan pods gave back.
      const pools = dualPools(2);
      await using lab = await Lab.open({ cables: 2, pools, ...(vlan !== undefined && { vlan }) });
      const bond = { name: BOND, mode: 1, options: "miimon=50" };
      const on = { master: ["s0", "s1"], bond, ...(vlan !== undefined && { vlanID: vlan }) };
      const flowing = async (main: typeof MAINS[number]) => {
        const list = chain(lab, { ...on, main });
        const pods = await addFlowing(lab, list);
        assert.deepEqual(await madeOn(lab), made);
        await loseCable(lab);
        for (const pod of pods) await assertReaches(pod);
        return { list, pods };
      };
      const { list, pods } = await flowing("macvlan");
      await Promise.all(pods.map((pod) => lab.del(pod, list)));
      assert.deepEqual(await madeOn(lab), made, "other pods may stand on it");
      // What the host knows of MACs that are gone would go by itself, within half a minute.
      await lab.peer.run("ip", "neigh", "flush", "dev", "eth0");
      await flowing("ipvlan");
    },
  });
}

/** Takes out the cable that the bond uses, once the other one is in; waits until it uses that. */
async function loseCable(lab: Lab): Promise<void> {
  const used = (await linkOf(lab, BOND)).info_data?.active_slave;
  const other = used === "s0" ? "s1" : "s0";
  await lab.wire.run("ip", "link", "set", `port-${other}`, "up");
  await untilTrue(async () => (await linkOf(lab, other)).info_slave_data?.mii_status === "UP");
  await lab.wire.run("ip", "link", "set", `port-${used}`, "down");
  await untilTrue(async () => (await linkOf(lab, BOND)).info_data?.active_slave === other);
}
