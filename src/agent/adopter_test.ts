import assert from "node:assert/strict";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { expectOk } from "../base/result.ts";
import { AgentRig } from "../../tests/support/agent_rig.ts";

const annotations = { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: ["p4"] }) };

Deno.test("records of the reference are claims before anything is given", async () => {
  await using rig = await AgentRig.start();
  const live = await rig.pod("live", {});
  const records = {
    "10.6.0.10": { pod: "default/live", podUid: live.metadata.uid },
    "10.6.0.11": { pod: "default/dead", podUid: "dead" },
  };
  const pool = SPIDER_IP_POOLS.parse({
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.12"] },
    status: { allocatedIPs: JSON.stringify(records), allocatedIPCount: 2 },
  });
  await rig.make(SPIDER_IP_POOLS, expectOk(pool, "a pool"));
  assert.deepEqual(await rig.addresses(await rig.pod("new", { annotations })), ["10.6.0.12/16"]);
  const claims = (await rig.claimObjects()).map(({ spec }) => [spec.ip, spec.podUID]);
  assert.deepEqual(claims.slice(0, 2), [["10.6.0.10", live.metadata.uid], ["10.6.0.11", "dead"]]);
  const key = { name: "p4" };
  const stored = expectOk(
    await rig.store.get(SPIDER_IP_POOLS, key, { signal: rig.signal }),
    "there",
  );
  assert.equal(stored.status?.truth, "SpiderIP");
  assert.equal(stored.status?.allocatedIPCount, 2, "what the reference wrote stays");
});

Deno.test("a pool whose records cannot be read gives nothing, and the ADD says so", async () => {
  await using rig = await AgentRig.start();
  const pool = SPIDER_IP_POOLS.parse({
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.12"] },
    status: { allocatedIPs: "{", allocatedIPCount: 2 },
  });
  await rig.make(SPIDER_IP_POOLS, expectOk(pool, "a pool"));
  const refused = await rig.refusal(await rig.pod("new", { annotations }));
  assert.match(refused, /no IPPool available.*"p4"/s);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("agents share a pool that one of them took over", async () => {
  await using rig = await AgentRig.start({ nodes: ["n1", "n2"] });
  await rig.pool("p4", { ips: ["10.6.0.10-10.6.0.12"] });
  const one = await rig.addresses(await rig.pod("a", { annotations }));
  const two = await rig.addresses(await rig.pod("b", { annotations, node: "n2" }));
  assert.notDeepEqual(one, two);
});
