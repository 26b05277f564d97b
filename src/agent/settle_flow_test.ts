import assert from "node:assert/strict";
import { AgentRig } from "../../tests/support/agent_rig.ts";
import { counting } from "../../tests/support/counting_store.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";
import { NODES } from "../api/kubernetes/node.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { EVENTS } from "../kube/events.ts";
import type { ObjectStore } from "../base/object_store.ts";
import { err, expectOk } from "../base/result.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";

const POOL = { ips: ["10.6.0.10-10.6.0.89"], gateway: "10.6.0.1" };
const annotations = { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: ["p4"] }) };

Deno.test("an agent at rest lists its claims every 90 s, at first more often", async () => {
  const counts = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({ wrap: counting("spiderips", counts) });
  await rig.pass(90_000);
  assert.ok(counts.lists >= 3, `${counts.lists} lists`);
  const before = counts.lists;
  await rig.pass(900_000);
  assert.equal(counts.lists - before, 10);
});

Deno.test("an extra claim is freed within two minutes, whenever it comes", async () => {
  for (const afterMs of [0, 61_000, 89_000, 91_000, 121_000, 149_000, 151_000]) {
    await using rig = await AgentRig.start();
    await rig.pool("p4", POOL);
    const pod = await rig.pod("web", { annotations });
    await rig.addresses(pod);
    const [claim] = await rig.claimObjects();
    assert.ok(claim !== undefined);
    await rig.pass(afterMs);
    const { uid: _uid, resourceVersion: _version, ...metadata } = claim.metadata;
    const extra = { ...claim, metadata: { ...metadata, name: "10.6.0.99" } };
    await rig.make(SPIDER_IPS, { ...extra, spec: { ...claim.spec, ip: "10.6.0.99" } });
    await rig.pass(120_000);
    const left = (await rig.claimObjects()).map(({ spec }) => spec.ip);
    assert.deepEqual(left, [claim.spec.ip], `it came after ${afterMs} ms`);
  }
});

Deno.test("an agent asks nothing about addresses that it has given itself", async () => {
  const endpoints = { lists: 0, gets: 0 };
  const pods = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({
    wrap: (store) => counting("pods", pods)(counting("spiderendpoints", endpoints)(store)),
  });
  await rig.pool("p4", POOL);
  for (const name of ["web", "db"]) await rig.addresses(await rig.pod(name, { annotations }));
  const before = { endpoints: endpoints.gets, pods: pods.gets };
  await rig.pass(900_000);
  assert.deepEqual({ endpoints: endpoints.gets, pods: pods.gets }, before);
  assert.equal((await rig.claims()).length, 2);
});

Deno.test("an address that a dead pod never gave back is freed, and an Event says so", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations });
  const [address] = await rig.addresses(pod);
  await rig.removePod("web");
  await rig.pass(120_000);
  assert.deepEqual(await rig.claims(), []);
  const { items } = expectOk(await rig.store.list(EVENTS, { signal: rig.signal }), "a list");
  assert.deepEqual(items.map(({ reason, note }) => [reason, note]), [[
    "AddressFreed",
    `Address ${address?.split("/")[0]} of pool "p4" and pod "default/web" is free again: ` +
    'its pod is gone and node "n1" has no sandbox of it',
  ]]);
});

Deno.test("what a lost DEL left is free soon after the pod and its sandbox went", async () => {
  for (const [phaseMs, sandboxMs] of [[1_000, 0], [12_000, 0], [22_000, 0], [5_000, 100_000]]) {
    await using rig = await AgentRig.start();
    await rig.pool("p4", POOL);
    const pod = await rig.pod("web", { annotations });
    await rig.addresses(pod);
    await rig.pass(phaseMs ?? 0); // Looks at all claims fall where they may.
    rig.sandboxes.set(pod.metadata.uid ?? "", "present");
    await rig.removePod("web");
    await rig.pass(sandboxMs ?? 0);
    assert.equal((await rig.claims()).length, 1, "its sandbox may use it");
    rig.sandboxes.delete(pod.metadata.uid ?? "");
    await rig.pass(3_100);
    assert.deepEqual(await rig.claims(), [], `after ${phaseMs} ms and ${sandboxMs} ms`);
  }
});

Deno.test("pods that go together are looked at one after the other, and soon", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const names = Array.from({ length: 30 }, (_, index) => `web-${index}`);
  for (const name of names) await rig.addresses(await rig.pod(name, { annotations }));
  await rig.pass(30_000);
  for (const name of names) await rig.removePod(name);
  const other = await rig.pod("web-0", { annotations }); // One of the name again, with its own.
  const own = await rig.addresses(other);
  await rig.pass(3_100);
  const left = (await rig.claimObjects()).map(({ spec }) => [spec.podUID, spec.ip]);
  assert.deepEqual(left, [[other.metadata.uid, own[0]?.split("/")[0]]]);
});

Deno.test("an agent asks nothing after a DEL, nor while a sandbox is there", async () => {
  const counts = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({
    wrap: (store) =>
      ["pods", "nodes", "spiderips", "spiderendpoints"].reduce(
        (inner, plural) => counting(plural, counts)(inner),
        store,
      ),
  });
  await rig.pool("p4", POOL);
  const [ended, stuck] = [await rig.pod("a", { annotations }), await rig.pod("b", { annotations })];
  for (const pod of [ended, stuck]) await rig.addresses(pod);
  rig.sandboxes.set(stuck.metadata.uid ?? "", "present");
  await rig.pass(60_000); // The lists of a start are over.
  await rig.removePod("b");
  await rig.removePod("a");
  const before = counts.gets;
  await rig.del(ended);
  const ofDel = counts.gets - before;
  await rig.pass(600_000);
  assert.equal(counts.gets - before, ofDel);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("what a finished pod has is looked at when its time is over", async () => {
  const counts = { lists: 0, gets: 0 };
  await using rig = await AgentRig.start({ wrap: counting("pods", counts) });
  await rig.pool("p4", POOL);
  const pod = await rig.pod("job", { annotations });
  await rig.addresses(pod);
  await rig.pass(10_000);
  const finishedAt = new Date(rig.clock.nowMs()).toISOString();
  await finish(rig, { pod, finishedAt });
  const before = counts.gets;
  // Its containers' end, 30 s of grace, and a minute in which its sandbox goes.
  await rig.pass(85_000);
  assert.equal((await rig.claims()).length, 1);
  await rig.pass(15_000);
  assert.deepEqual(await rig.claims(), []);
  assert.ok(counts.gets - before <= 7, `${counts.gets - before} reads`);
});

/** A pod succeeds, as its kubelet says. */
async function finish(
  rig: AgentRig,
  { pod, finishedAt }: { readonly pod: Pod; readonly finishedAt: string },
): Promise<void> {
  const { signal } = rig;
  const key = { namespace: "default", name: pod.metadata.name };
  const current = expectOk(await rig.store.get(PODS, key, { signal }), "the pod is there");
  const containerStatuses = [{ name: "c", state: { terminated: { finishedAt } } }];
  const next = expectOk(
    PODS.parse({ ...current, status: { phase: "Failed", containerStatuses } }),
    "a pod that failed",
  );
  expectOk(await rig.store.replaceStatus(PODS, next, { signal }), "nobody else writes it");
}

Deno.test("an agent whose node was taken away frees nothing of a sandbox that it has", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations });
  await rig.addresses(pod);
  rig.sandboxes.set(pod.metadata.uid ?? "", "present");
  await rig.removePod("web");
  expectOk(await rig.store.remove(NODES, { name: "n1" }, { signal: rig.signal }), "it was there");
  await rig.pass(600_000);
  assert.equal((await rig.claims()).length, 1);
  rig.sandboxes.delete(pod.metadata.uid ?? "");
  await rig.pass(120_000);
  assert.deepEqual(await rig.claims(), []);
});

/** A server at which something happens before a SpiderEndpoint is stored. */
class SlowCommit {
  pause = (): Promise<void> => Promise.resolve();

  readonly wrap = (store: ObjectStore): ObjectStore => ({
    ...forwardingStore(store),
    create: async (resource, object, options) => {
      if (resource.plural === "spiderendpoints") await this.pause();
      return await store.create(resource, object, options);
    },
  });
}

Deno.test("an ADD that took long is not answered for a pod that went meanwhile", async () => {
  for (const [waitMs, isGone] of [[6_000, true], [6_000, false], [1_000, false]] as const) {
    const slow = new SlowCommit();
    await using rig = await AgentRig.start(slow);
    await rig.pool("p4", POOL);
    const pod = await rig.pod("web", { annotations });
    slow.pause = async () => {
      await rig.clock.sleep(waitMs, { signal: rig.signal });
      if (isGone) await rig.removePod("web");
    };
    const added = await rig.add(pod);
    assert.equal(added.ok, !isGone, `${waitMs} ms`);
    if (!added.ok) assert.match(added.error.message, /"default\/web"/);
    assert.equal((await rig.claims()).length, isGone ? 0 : 1);
  }
});

Deno.test("an ADD that took long is not answered with an address that was taken back", async () => {
  const slow = new SlowCommit();
  await using rig = await AgentRig.start(slow);
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations });
  slow.pause = async () => {
    await rig.clock.sleep(6_000, { signal: rig.signal });
    for (const { metadata: { name } } of await rig.claimObjects()) {
      expectOk(
        await rig.store.remove(SPIDER_IPS, { name }, { signal: rig.signal }),
        "it was there",
      );
    }
  };
  assert.match(await rig.refusal(pod), /"10\.6\.0\.\d+" was taken back from pod "default\/web"/);
  slow.pause = () => Promise.resolve();
  assert.equal((await rig.addresses(pod)).length, 1);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("a pod that the server says nothing of does not stop looks at the others", async () => {
  const wrap = (store: ObjectStore): ObjectStore => ({
    ...forwardingStore(store),
    get: (resource, key, ...rest) => {
      const isAsked = resource.plural === PODS.plural && key.name === "silent";
      const error = { code: "unavailable", message: "no answer", outcomeUnknown: false } as const;
      return isAsked ? Promise.resolve(err(error)) : store.get(resource, key, ...rest);
    },
  });
  await using rig = await AgentRig.start({ wrap });
  await rig.pool("p4", POOL);
  for (const name of ["silent", "web"]) await rig.addresses(await rig.pod(name, { annotations }));
  for (const name of ["silent", "web"]) await rig.removePod(name);
  for (let minute = 0; minute < 4; minute++) await rig.pass(60_000);
  assert.deepEqual((await rig.claims()).map((text) => text.split(" ")[1]), ["silent"]);
});
