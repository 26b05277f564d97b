/**
 * Chains on virtual functions of an SR-IOV NIC: Debian's plugin `host-device` moves a VF into the
 * pod, as the plugin `sriov` does after it has configured it; the agent gives addresses.
 */
import assert from "node:assert/strict";
import { driverOf } from "../../src/netlink/mod.ts";
import { testWith } from "../support/require.ts";
import { addFlowing } from "./chains/flow.ts";
import { Lab, type Plugin, type Pod } from "./chains/lab.ts";
import { dualPools, NEEDS, poolsText } from "./chains/networks.ts";
import { SRIOV, SriovNic, untilCarrier, type VirtualFunction } from "./chains/sriov.ts";
import { script } from "./coordinator/namespaces.ts";
import { ping } from "./coordinator/packets.ts";

const NODE = { 4: "10.6.0.2", 6: "fd00:6::2" } as const;
/** Two pools that any pod may have: the first is on no NIC of the node. */
const TWO_NETWORKS = [
  poolsText([{ name: "master-v4", version: 4, ips: "10-19" }]),
  [
    "apiVersion: spiderpool.spidernet.io/v2beta1",
    "kind: SpiderIPPool",
    "metadata: { name: elsewhere-v4 }",
    'spec: { subnet: "10.7.0.0/24", ips: ["10.7.0.10-10.7.0.19"], default: true }',
    "",
  ].join("\n"),
].join("---\n");

/** The network of pods on one VF. @param ipam More for the plugin `spiderpool`. */
function networkOn(lab: Lab, { address }: VirtualFunction, ipam: Plugin = {}) {
  return lab.network([{ type: "host-device", pciBusID: address, ipam: lab.ipam(ipam) }]);
}

async function giveAddresses(lab: Lab, nic: string): Promise<void> {
  await script(lab.node, [
    `ip address add ${NODE[4]}/24 dev ${nic}`,
    `ip address add ${NODE[6]}/64 dev ${nic}`,
  ]);
}

/** Drivers and PCI addresses of what pods have as `eth0`. */
function devicesOf(pods: readonly Pod[]): unknown {
  return pods.map(({ namespace: { path: netns } }) => driverOf({ netns, nic: "eth0" }));
}

testWith({
  name: "chain: pods on VFs of an SR-IOV NIC reach each other, their node and the wire",
  needs: [...NEEDS, ...SRIOV],
  async fn(context) {
    await using lab = await Lab.open({ cables: 0, pools: dualPools(2) });
    await using nic = await SriovNic.plugInto(lab, { vfs: 2 });
    await giveAddresses(lab, "pf0");
    const lists = nic.vfs.map((vf) => networkOn(lab, vf));
    const pods: Pod[] = [];
    await context.step("each other and the wire", async () => {
      pods.push(...await addFlowing(lab, lists, { ready: untilCarrier }));
      const devices = nic.vfs.map(({ address }) => ({ driver: "igbvf", busInfo: address }));
      assert.deepEqual(devicesOf(pods), devices.map((value) => ({ ok: true, value })));
    });
    await context.step("their node", async () => {
      for (const { namespace } of pods) {
        for (const address of Object.values(NODE)) await ping(namespace, address);
      }
    });
    await context.step(
      "a DEL gives VF and addresses back",
      async () => {
        for (const [index, list] of lists.entries()) {
          const pod = pods[index];
          assert.ok(pod !== undefined);
          await lab.del(pod, list);
        }
        for (const vf of nic.vfs) await lab.node.run("ip", "link", "show", vf.nic);
        const [list] = lists;
        assert.ok(list !== undefined);
        assert.equal((await lab.add(await lab.pod("next"), list)).length, 2);
      },
    );
  },
});

testWith({
  name: "chain: match_master_subnet gives a VF addresses of its PF's networks alone",
  needs: [...NEEDS, ...SRIOV],
  async fn(context) {
    await using lab = await Lab.open({ cables: 0, pools: TWO_NETWORKS });
    await using nic = await SriovNic.plugInto(lab, { vfs: 1 });
    const [vf] = nic.vfs;
    assert.ok(vf !== undefined);
    const list = networkOn(lab, vf, { match_master_subnet: true });
    const cases = [
      { on: "pf0", has: "10.6.0.2/24", given: /^10\.6\.0\.1\d$/ },
      { on: "pf0", has: "10.7.0.2/24", given: /^10\.7\.0\.1\d$/ },
      { on: "a bridge", has: "10.6.0.2/24", given: /^10\.6\.0\.1\d$/ },
    ] as const;
    for (const { on, has, given } of cases) {
      await context.step(`${has} on ${on}`, async () => {
        await moveAddress(lab, { on, address: has });
        const pod = await lab.pod(`pod ${has} ${on}`.replaceAll(/\W/g, "-"));
        const [address = ""] = await lab.add(pod, list);
        assert.match(address, given);
        await lab.del(pod, list);
      });
    }
    await context.step("an address of no pool's subnet", async () => {
      await moveAddress(lab, { on: "pf0", address: "192.0.2.1/24" });
      const sentence = await lab.refusal(await lab.pod("refused"), list);
      for (
        const [name, subnet] of [["elsewhere-v4", "10.7.0.0/24"], ["master-v4", "10.6.0.0/24"]]
      ) {
        const why = `has subnet ${subnet}, the master of NIC "eth0" has 192.0.2.1/24`;
        assert.ok(sentence.includes(`${name}`) && sentence.includes(why), sentence);
      }
    });
  },
});

/** Takes the addresses of PF and bridge away, and gives one to either. */
async function moveAddress(
  { node }: Lab,
  { on, address }: { readonly on: "pf0" | "a bridge"; readonly address: string },
): Promise<void> {
  const isBridge = on === "a bridge";
  await script(node, [
    "ip address flush dev pf0 scope global",
    "ip link delete br-pf 2>/dev/null || true",
    ...isBridge ? ["ip link add br-pf type bridge", "ip link set pf0 master br-pf"] : [],
    `ip address add ${address} dev ${isBridge ? "br-pf" : "pf0"}`,
  ]);
}
