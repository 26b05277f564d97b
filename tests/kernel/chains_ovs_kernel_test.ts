/** Chains on an Open vSwitch bridge: the plugin `ovs` makes the NIC, the agent gives addresses. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { addFlowing } from "./chains/flow.ts";
import { Lab } from "./chains/lab.ts";
import { dualPools, NEEDS, VLAN } from "./chains/networks.ts";
import { OPEN_VSWITCH, OpenVswitch } from "./chains/ovs.ts";
import { renderedChain } from "./chains/rendered.ts";

testWith({
  name: "chain: pods on an Open vSwitch bridge reach each other and the wire, in their VLAN",
  needs: [...NEEDS, OPEN_VSWITCH],
  async fn() {
    await using lab = await Lab.open({ cables: 1, vlan: VLAN, pools: dualPools(2) });
    await using ovs = await OpenVswitch.start(lab.node);
    await lab.node.run("ip", "link", "set", "s0", "up");
    await ovs.control("add-br", "br-ex", "--", "add-port", "br-ex", "s0");
    const list = renderedChain(lab, { cniType: "ovs", ovs: { bridge: "br-ex", vlan: VLAN } });
    const pods = await addFlowing(lab, list);
    assert.equal((await ovs.control("list-ports", "br-ex")).trim().split("\n").length, 3);
    await Promise.all(pods.map((pod) => lab.del(pod, list)));
    assert.equal(await ovs.control("list-ports", "br-ex"), "s0\n");
  },
});
