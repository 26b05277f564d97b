import assert from "node:assert/strict";
import { AgentRig } from "../../tests/support/agent_rig.ts";
import { expectOk } from "../base/result.ts";
import { EVENTS } from "../kube/events.ts";

const LINKS = ["cni0", "eth0", "eth1", "lo"];
const PLACE = { network: "office", master: "eth9", ifName: "net1" };

/** Events that are there: reason, object and note. */
async function eventsOf(rig: AgentRig): Promise<readonly string[]> {
  await rig.pass(1_000);
  const { items } = expectOk(await rig.store.list(EVENTS, { signal: rig.signal }), "a list");
  return items.map(({ reason, regarding, note }) => `${reason} ${regarding?.name}: ${note}`);
}

Deno.test("the DEL of a NIC that its node has no master for is told on the pod", async () => {
  await using rig = await AgentRig.start({ links: LINKS });
  const pod = await rig.pod("a");
  await rig.del(pod, PLACE);
  assert.deepEqual(await eventsOf(rig), [
    'MasterMissing a: Cannot make NIC "net1" of network "office": its master is "eth9", and the ' +
    'node has no such link; write one that it has ("cni0", "eth0", "eth1") as master ' +
    "(spec.macvlan.master of a SpiderMultusConfig, or what its cniType says), or keep the pod " +
    "off this node",
  ]);
  await rig.del(pod, PLACE);
  assert.equal((await eventsOf(rig)).length, 1, "a runtime tries again and again");
});

Deno.test("no other DEL is told", async () => {
  await using rig = await AgentRig.start({ links: LINKS });
  await rig.pool("p4", { ips: ["10.6.0.1-10.6.0.9"], default: true });
  const pod = await rig.pod("a");
  await rig.del(pod, { ...PLACE, master: "eth1" });
  await rig.del(pod, { ifName: "net1" });
  const given = await rig.addresses(pod, { ifName: "net1" });
  assert.equal(given.length, 1);
  await rig.del(pod, PLACE); // It has its address: the NIC was made.
  const gone = await rig.pod("b");
  await rig.removePod("b");
  await rig.del(gone, PLACE);
  assert.deepEqual(await eventsOf(rig), []);
});

Deno.test("who cannot see the node's links says nothing of them", async () => {
  await using rig = await AgentRig.start();
  await rig.del(await rig.pod("a"), PLACE);
  assert.deepEqual(await eventsOf(rig), []);
});
