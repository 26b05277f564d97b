import assert from "node:assert/strict";
import { modelNode, wishOf } from "../../tests/support/model_pod.ts";
import { isUsable, nodeAddresses } from "./addresses.ts";

Deno.test("isUsable() leaves out link-local and multicast addresses, and nothing else", () => {
  const usable = ["10.6.0.5", "169.253.0.1", "169.255.0.1", "223.0.0.1", "fd00::1", "fec0::1"];
  for (const text of usable) assert.ok(isUsable(text), text);
  const others = ["169.254.0.1", "224.0.0.1", "239.1.1.1", "fe80::1", "febf::1", "ff02::1", "x"];
  for (const text of others) assert.ok(!isUsable(text), text);
});

Deno.test("nodeAddresses() leaves out what is on bridges, tunnels and links of other pods", () => {
  const foreign = ["docker0", "docker_gwbridge", "cbr0", "dummy1", "virbr0", "lxcbr0", "veth1a2b"]
    .concat(["lo", "cali12", "flannel.1", "kube-ipvs0", "cni0", "vx-submariner", "cilium_host"]);
  const own = ["eth0", "eno1", "bond0.7", "br0", "lo1", "ens-docker0", "tunl0", "xcali1"];
  const node = modelNode();
  node.node.addresses = [];
  for (const [index, link] of [...foreign, ...own].entries()) {
    node.addLink("node", link);
    node.addAddress("node", link, `10.9.${index}.1/24`);
    node.addAddress("node", link, `fd00:9::${index}/64`);
  }
  for (const version of [4, 6] as const) {
    const expected = own.map((_, index) => foreign.length + index)
      .map((index) => version === 4 ? `10.9.${index}.1` : `fd00:9::${index}`);
    const found = nodeAddresses(node.facts(), { hostRuleTable: 500, versions: [version] });
    assert.deepEqual(found.map(({ address }) => address), expected);
  }
});

Deno.test("nodeAddresses() begins with what the node speaks to the pod from, once each", () => {
  const node = modelNode();
  node.addLink("node", "eth9");
  node.addAddress("node", "eth9", "10.9.0.1/24");
  const facts = node.facts();
  const pod = { ...facts.pod, addresses: [] };
  const sources = [
    { address: "10.6.0.5", table: 500, source: "10.99.0.1" },
    { address: "10.6.0.5", table: 254, source: "10.9.0.1" },
    { address: "fd00:10:6::5", table: 254, source: "fe80::2" },
  ];
  const { hostRuleTable } = wishOf("eth0");
  const found = nodeAddresses({ pod, node: { ...facts.node, sources } }, {
    ...{ hostRuleTable, versions: [4, 6] },
  });
  assert.deepEqual(found.map(({ address }) => address), ["10.9.0.1", "10.6.0.2", "fd00:10:6::2"]);
});
