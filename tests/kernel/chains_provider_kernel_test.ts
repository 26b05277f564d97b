/**
 * A chain of the real programs in which nobody writes down the VLAN: a network provider says it, as
 * a server that the agent asks.
 */
import assert from "node:assert/strict";
import { PROVIDER_PATHS, type ProviderAllocateRequest } from "../../src/api/provider.ts";
import { openNetns, withNetns } from "../../src/netlink/netns.ts";
import { linkKind, testWith } from "../support/require.ts";
import { assertReaches } from "./chains/flow.ts";
import { Lab } from "./chains/lab.ts";
import { dualPools, NEEDS, VLAN } from "./chains/networks.ts";
import { script } from "./coordinator/namespaces.ts";
import { connect } from "./coordinator/packets.ts";
import type { Namespace } from "./namespace.ts";

const HOST = { hostname: "127.0.0.1", port: 8099 };
/** Hardware address that the provider gives. */
const MAC = "02:ab:00:00:00:07";

/** What a provider was asked. */
interface Asked {
  readonly path: string;
  readonly body: unknown;
}

/** Answers on a node's loopback interface that every address has the lab's VLAN. */
function serveProvider(node: Namespace, asked: Asked[]): Deno.HttpServer<Deno.NetAddr> {
  using netns = openNetns(node.path);
  return withNetns(netns, () =>
    Deno.serve({ ...HOST, onListen: () => {} }, async (request) => {
      const path = new URL(request.url).pathname;
      const text = await request.text();
      asked.push({ path, body: JSON.parse(text) });
      if (path !== PROVIDER_PATHS.allocate) return new Response(null, { status: 204 });
      const { iaasIPsAllocationRequest: items }: ProviderAllocateRequest = JSON.parse(text);
      const said = items.map((item) => ({ ...item, macAddress: MAC, vlanId: VLAN }));
      return Response.json({ iaasIPsAllocationResponse: said });
    }));
}

testWith({
  name: "chain: a pod has the VLAN and the hardware address that a network provider says",
  needs: [...NEEDS, linkKind("vlan")],
  async fn() {
    const provider = `http://${HOST.hostname}:${HOST.port}`;
    // What the ADD that fails had is given back once the provider can be told.
    await using lab = await Lab.open({ cables: 1, vlan: VLAN, pools: dualPools(2), provider });
    await script(lab.node, ["ip link set lo up", "ip link set s0 up"]);
    const list = lab.network([
      { type: "vlan", master: "s0", vlanMode: "auto", ipam: lab.ipam() },
    ]);
    const pod = await lab.pod("pod");
    const said = await lab.refusal(pod, list);
    assert.ok(said.includes(`the network provider ${provider} cannot be asked`), said);
    const asked: Asked[] = [];
    await using _server = serveProvider(lab.node, asked);
    const addresses = await lab.add(pod, list);
    const [nic] = JSON.parse(await pod.namespace.run("ip", "-j", "-d", "link", "show", "eth0"));
    assert.deepEqual([nic.address, nic.linkinfo.info_data.id], [MAC, VLAN]);
    for (const address of addresses) {
      await connect({ from: lab.peer, address, to: pod.namespace });
    }
    await assertReaches(pod);
    const [master] = JSON.parse(await lab.node.run("ip", "-j", "link", "show", "s0"));
    const item = { ipAddress: addresses[0], subnet: "10.6.0.0/24", parentNicMac: master.address };
    const about = (wanted: string) => asked.filter(({ path }) => path === wanted);
    const asking = about(PROVIDER_PATHS.allocate).map(({ body }) => Object(body));
    const items = asking.map(({ iaasIPsAllocationRequest }) => iaasIPsAllocationRequest);
    assert.deepEqual(items, [[item]], "asked once");
    await lab.del(pod, list);
    const releases = about(PROVIDER_PATHS.release).map(({ body }) => Object(body));
    const told = releases.find(({ ipAddress }) => ipAddress === item.ipAddress);
    const { ipAddress, subnet, parentNicMac } = told ?? {};
    assert.deepEqual({ ipAddress, subnet, parentNicMac }, item);
  },
});
