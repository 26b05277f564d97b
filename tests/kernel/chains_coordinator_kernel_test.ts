/**
 * Chains that end with the plugin `coordinator`: a pod on macvlan or ipvlan, which its own master
 * does not reach, is reached from its node through the pair, without Kubernetes.
 */
import assert from "node:assert/strict";
import { linkKind, testWith } from "../support/require.ts";
import { assertReaches } from "./chains/flow.ts";
import { Lab, type Plugin } from "./chains/lab.ts";
import { dualPools, mainNeeds, NEEDS, VLAN } from "./chains/networks.ts";
import { script } from "./coordinator/namespaces.ts";
import { assertCarrier, connect } from "./coordinator/packets.ts";

/** Addresses of the node, in networks that no pod is in. */
const NODE = { 4: "10.9.0.2", 6: "fd00:9::2" } as const;

/** Gives the node a NIC of its own, beside the cables of the pods. */
async function giveAddresses({ node }: Lab): Promise<void> {
  await script(node, [
    "ip link add m0 type veth peer name m1",
    ...["m0", "m1"].map((link) => `ip link set ${link} up`),
    `ip address add ${NODE[4]}/24 dev m0`,
    `ip address add ${NODE[6]}/64 dev m0 nodad`,
  ]);
}

const CASES: readonly {
  readonly what: string;
  readonly main: "macvlan" | "ipvlan";
  readonly mode: string;
  readonly master: string;
  readonly kind: "vlan" | "bond";
  readonly ifacer: Plugin;
}[] = [
  {
    ...{ what: "macvlan over a VLAN", main: "macvlan", mode: "bridge" },
    ...{ master: `s0.${VLAN}`, kind: "vlan", ifacer: { interfaces: ["s0"], vlanID: VLAN } },
  },
  {
    ...{ what: "ipvlan over a bond", main: "ipvlan", mode: "l2", master: "b0", kind: "bond" },
    ifacer: { interfaces: ["s0", "s1"], bond: { name: "b0", mode: 1, options: "miimon=50" } },
  },
];

for (const { what, main, mode, master, kind, ifacer } of CASES) {
  testWith({
    name: `chain: a pod on ${what} answers its node through the coordinator's pair`,
    needs: [...NEEDS, ...mainNeeds(main), linkKind(kind)],
    async fn() {
      const cables = kind === "bond" ? 2 : 1;
      const pools = dualPools(1);
      await using lab = await Lab.open({ cables, pools, ...(kind === "vlan" && { vlan: VLAN }) });
      await giveAddresses(lab);
      const list = lab.network([
        { type: "ifacer", ...ifacer },
        { type: main, master, mode, ipam: lab.ipam() },
        lab.coordinator(),
      ]);
      const pod = await lab.pod("one");
      const { namespace } = pod;
      for (const address of await lab.add(pod, list)) {
        const from = address.includes(":") ? NODE[6] : NODE[4];
        await assertCarrier(lab.node, "vethone", async () => {
          const { client } = await connect({ from: lab.node, address, to: namespace });
          assert.equal(client, from);
        });
        await connect({ from: namespace, address: from, to: lab.node });
        await connect({ from: lab.peer, address, to: namespace });
      }
      await assertReaches(pod);
      await lab.del(pod, list);
      await lab.node.refuse("ip", "link", "show", "vethone");
    },
  });
}
