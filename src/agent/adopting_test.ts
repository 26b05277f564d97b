import assert from "node:assert/strict";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { LABEL_OWNER_APPLICATION_NAME } from "../api/labels.ts";
import { ADOPTION_LEASE, LEADER_LEASE_NAME } from "../api/leases.ts";
import { STATEFUL_SETS } from "../api/kubernetes/workload.ts";
import type { StoreError } from "../base/object_store.ts";
import { expectOk, type Result } from "../base/result.ts";
import { type Lease, LEASES } from "../kube/lease.ts";
import { AgentRig } from "../../tests/support/agent_rig.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";

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

const HELD_ELSEWHERE: Lease = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { namespace: "spiderpool", name: ADOPTION_LEASE },
  spec: { holderIdentity: "dead", leaseDurationSeconds: 15 },
};

/** A pod of the StatefulSet `web` whose address 10.6.0.10 the reference recorded. */
async function keptPod(rig: AgentRig): Promise<Pod> {
  await rig.make(LEASES, HELD_ELSEWHERE);
  const template = { spec: { containers: [] } };
  const metadata = { name: "web", namespace: "default" };
  const set = STATEFUL_SETS.parse({ metadata, spec: { replicas: 1, template } });
  await rig.make(STATEFUL_SETS, expectOk(set, "a StatefulSet"));
  const pool = SPIDER_IP_POOLS.parse({
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.99"] },
    status: {
      allocatedIPs: JSON.stringify({ "10.6.0.10": { pod: "default/web-0", podUid: "old" } }),
      allocatedIPCount: 1,
    },
  });
  await rig.make(SPIDER_IP_POOLS, expectOk(pool, "a pool"));
  const endpoint = SPIDER_ENDPOINTS.parse({
    metadata: { name: "web-0", namespace: "default" },
    status: {
      current: {
        uid: "old",
        node: "n1",
        ips: [{ interface: "eth0", ipv4: "10.6.0.10/16", ipv4Pool: "p4", vlan: 0 }],
      },
      ownerControllerType: "StatefulSet",
      ownerControllerName: "web",
    },
  });
  await rig.make(SPIDER_ENDPOINTS, expectOk(endpoint, "an endpoint"));
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };
  return await rig.pod("web-0", { annotations, owner });
}

Deno.test("a kept pod waits for its address until its pool's records are taken over", async () => {
  await using rig = await AgentRig.start({ nodes: [] });
  const pod = await keptPod(rig);
  await rig.startAgent("n1");
  assert.deepEqual(await rig.addresses(pod), ["10.6.0.10/16"]);
});

Deno.test("a kept pod gets no other address while its pool's records are not read", async () => {
  await using rig = await AgentRig.start({ nodes: [] });
  const pod = await keptPod(rig);
  const key = { name: "p4" };
  const stored = expectOk(await rig.store.get(SPIDER_IP_POOLS, key, rig), "it is there");
  const broken = { ...stored, status: { ...stored.status, allocatedIPs: "{" } };
  expectOk(await rig.store.replaceStatus(SPIDER_IP_POOLS, broken, rig), "written");
  await rig.startAgent("n1");
  assert.match(await rig.refusal(pod), /10\.6\.0\.10.*"p4" have not been taken over.*the Lease/s);
  assert.deepEqual(await rig.claims(), []);
});

/** Writes the endpoint for another pod, as a client that knows no marker. */
async function rewriteEndpoint(
  { store, signal }: AgentRig,
  uid: string,
): Promise<Result<SpiderEndpoint, StoreError>> {
  const key = { namespace: "default", name: "web-0" };
  const { status, ...rest } = expectOk(await store.get(SPIDER_ENDPOINTS, key, { signal }), "there");
  assert.ok(status !== undefined);
  const { truth: _unknown, ...known } = status;
  const next = { ...rest, status: { ...known, current: { ...known.current, uid } } };
  return await store.replace(SPIDER_ENDPOINTS, next, { signal });
}

Deno.test("endpoints of a pool that is taken over are behind the fence before it is", async () => {
  let writes = 0;
  await using rig = await AgentRig.start({
    nodes: [],
    wrap: (store) => ({
      ...forwardingStore(store),
      replace: async (resource, object, options) => {
        const isEndpoint = resource.plural === SPIDER_ENDPOINTS.plural;
        // Its agent answers the next pod of this name, whose address no pool has a record of.
        if (isEndpoint && ++writes === 1) expectOk(await rewriteEndpoint(rig, podUid), "in time");
        return await store.replace(resource, object, options);
      },
      replaceStatus: async (resource, object, options) => {
        const isPool = resource.plural === SPIDER_IP_POOLS.plural;
        const late = isPool ? await rewriteEndpoint(rig, "later") : undefined;
        if (late !== undefined) assert.ok(!late.ok && late.error.code === "invalid", "too late");
        return await store.replaceStatus(resource, object, options);
      },
    }),
  });
  const { metadata: { uid: podUid = "" } } = await keptPod(rig);
  const stored = expectOk(await rig.store.get(SPIDER_IP_POOLS, { name: "p4" }, rig), "there");
  expectOk(await rig.store.replaceStatus(SPIDER_IP_POOLS, { ...stored, status: {} }, rig), "lost");
  await rig.startAgent("n1");
  await rig.clock.advance(130_000); // The Lease is looked at each minute.
  assert.deepEqual(
    (await rig.claimObjects()).map(({ spec }) => [spec.ip, spec.podUID, spec.owner?.name]),
    [["10.6.0.10", podUid, "web"]],
  );
  const pool = expectOk(await rig.store.get(SPIDER_IP_POOLS, { name: "p4" }, rig), "there");
  assert.equal(pool.status?.truth, "SpiderIP");
});

function leaderLease(renewedMs: number): Lease {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { namespace: "spiderpool", name: LEADER_LEASE_NAME },
    spec: {
      holderIdentity: "controller",
      leaseDurationSeconds: 15,
      renewTime: new Date(renewedMs).toISOString(),
    },
  };
}

Deno.test("agents leave older records to a controller that leads, until it is silent", async () => {
  await using rig = await AgentRig.start({ nodes: [] });
  await rig.make(LEASES, leaderLease(rig.clock.nowMs()));
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  await rig.startAgent("n1");
  const read = async () =>
    expectOk(await rig.store.get(SPIDER_IP_POOLS, { name: "p4" }, rig), "there").status?.truth;
  await rig.clock.advance(10_000);
  assert.equal(await read(), undefined, "the controller is to do it");
  assert.deepEqual(await rig.addresses(await rig.pod("a", { annotations })), ["10.6.0.10/16"]);
  assert.equal(await read(), "SpiderIP");
});

Deno.test("a pool of an application is left to its maker for two seconds", async () => {
  await using rig = await AgentRig.start();
  const parsed = SPIDER_IP_POOLS.parse({
    metadata: { name: "auto", labels: { [LABEL_OWNER_APPLICATION_NAME]: "web" } },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10"] },
  });
  await rig.make(SPIDER_IP_POOLS, expectOk(parsed, "a pool"));
  const truth = async () =>
    expectOk(await rig.store.get(SPIDER_IP_POOLS, { name: "auto" }, rig), "there").status?.truth;
  await rig.clock.advance(1_900);
  assert.equal(await truth(), undefined);
  await rig.clock.advance(1_000);
  assert.equal(await truth(), "SpiderIP", "its maker may have ended in between");
});
