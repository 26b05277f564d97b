import assert from "node:assert/strict";
import { addArgs, AgentRig, type PodWish } from "../../tests/support/agent_rig.ts";
import { automaticPoolObject, subnetObject } from "../../tests/support/automatic_pools.ts";
import { settle } from "../../tests/support/manual_clock.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_SUBNETS } from "../api/subnet.ts";
import { expectOk } from "../base/result.ts";
import { EVENTS } from "../kube/events.ts";
import type { PoolIdentity } from "../ipam/applications.ts";

const SET = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web", uid: "u-1" };
const CRD = { apiVersion: "apps.example.com/v1", kind: "Fleet", name: "web", uid: "u-1" };
const FOUR = '{"ipv4":["s4"]}';
const BOTH = '{"ipv4":["s4"],"ipv6":["s6"]}';

function identityOf(
  { owner = CRD, ...more }: Partial<PoolIdentity> & { readonly owner?: typeof CRD } = {},
): PoolIdentity {
  const application = { ...owner, namespace: "default" };
  return { application, nic: "eth0", version: 4, subnet: "s4", ...more };
}

/** Annotations of a pod that asks for a pool. */
function asking(subnet: string, number?: string): PodWish {
  const wish = number === undefined ? {} : { "ipam.spidernet.io/ippool-ip-number": number };
  return { owner: CRD, annotations: { "ipam.spidernet.io/subnet": subnet, ...wish } };
}

/** Milliseconds that pass until something is done. */
async function msOf(rig: AgentRig, work: Promise<unknown>): Promise<number> {
  const startedMs = rig.clock.monotonicMs();
  await rig.until(work);
  return rig.clock.monotonicMs() - startedMs;
}

/** What an ADD is refused with; the test moves time. */
async function ended(rig: AgentRig, pod: Pod): Promise<string> {
  const added = await rig.agent().add(addArgs(pod), { signal: rig.signal });
  return added.ok ? "" : added.error.message;
}

/** Replaces the ranges of a pool. */
async function resize(rig: AgentRig, pool: SpiderIpPool, ips: readonly string[]): Promise<void> {
  const options = { signal: rig.signal };
  const key = { name: pool.metadata.name };
  const current = expectOk(await rig.store.get(SPIDER_IP_POOLS, key, options), "it is there");
  const next = { ...current, spec: { ...current.spec, ips } };
  expectOk(await rig.store.replace(SPIDER_IP_POOLS, next, options), "nobody else writes");
  await told();
}

/** Until watches have told of a change, without time passing. */
async function told(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await settle();
}

Deno.test("add() waits for the application's pool and goes on as soon as it is there", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const pod = await rig.pod("web-0", asking(FOUR));
  const added = rig.addresses(pod);
  await rig.pass(20_000);
  assert.deepEqual(await rig.claims(), []);
  const ips = ["10.6.0.10"];
  await rig.make(SPIDER_IP_POOLS, automaticPoolObject(identityOf(), { ips }));
  assert.ok(await msOf(rig, added) < 50, "nobody looks from time to time");
  assert.deepEqual(await added, ["10.6.0.10/16"]);
});

Deno.test("add() finds a pool that is there without waiting, and no pool of another", async () => {
  await using rig = await AgentRig.start();
  const other = { ...CRD, name: "other" };
  const ips = ["10.6.0.20"];
  const own = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"] });
  for (
    const identity of [
      identityOf({ owner: other }),
      identityOf({ nic: "net1" }),
      identityOf({ subnet: "s5" }),
      identityOf({ owner: { ...CRD, uid: "u-0" } }),
    ]
  ) await rig.make(SPIDER_IP_POOLS, automaticPoolObject(identity, { ips }));
  await rig.make(SPIDER_IP_POOLS, own);
  const pod = await rig.pod("web-0", asking(FOUR));
  const added = rig.addresses(pod);
  assert.ok(await msOf(rig, added) < 50);
  assert.deepEqual(await added, ["10.6.0.10/16"]);
});

Deno.test("add() of both families takes nothing before both pools are there", async () => {
  await using rig = await AgentRig.start();
  const six = identityOf({ version: 6, subnet: "s6" });
  for (const name of ["s4", "s6"]) await rig.make(SPIDER_SUBNETS, subnetObject(name));
  await rig.make(SPIDER_IP_POOLS, automaticPoolObject(identityOf(), { ips: ["10.6.0.10"] }));
  const added = rig.addresses(await rig.pod("web-0", asking(BOTH)));
  await rig.pass(10_000);
  assert.deepEqual(await rig.claims(), []);
  await rig.make(SPIDER_IP_POOLS, automaticPoolObject(six, { ips: ["fd00:6::10"] }));
  assert.deepEqual(await rig.until(added), ["10.6.0.10/16", "fd00:6::10/64"]);
});

Deno.test("add() waits for a pool that has no address yet", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const pool = automaticPoolObject(identityOf(), { ips: [], number: "+0" });
  await rig.make(SPIDER_IP_POOLS, pool);
  const added = rig.addresses(await rig.pod("web-0", asking(FOUR, "+0")));
  await rig.pass(20_000);
  await resize(rig, pool, ["10.6.0.10"]);
  assert.ok(await msOf(rig, added) < 50);
  assert.deepEqual(await added, ["10.6.0.10/16"]);
});

Deno.test("add() goes on as soon as a full pool grows", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const pool = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"], number: "+0" });
  await rig.make(SPIDER_IP_POOLS, pool);
  await rig.addresses(await rig.pod("web-0", asking(FOUR, "+0")));
  const added = rig.addresses(await rig.pod("web-1", asking(FOUR, "+0")));
  await rig.pass(30_400);
  await resize(rig, pool, ["10.6.0.10-10.6.0.11"]);
  assert.ok(await msOf(rig, added) < 50);
  assert.deepEqual(await added, ["10.6.0.11/16"]);
});

Deno.test("add() goes on as soon as full pools of both families have grown", async () => {
  await using rig = await AgentRig.start();
  for (const name of ["s4", "s6"]) await rig.make(SPIDER_SUBNETS, subnetObject(name));
  const sixth = identityOf({ version: 6, subnet: "s6" });
  const four = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"], number: "+0" });
  const six = automaticPoolObject(sixth, { ips: ["fd00:6::10"], number: "+0" });
  for (const pool of [four, six]) await rig.make(SPIDER_IP_POOLS, pool);
  await rig.addresses(await rig.pod("web-0", asking(BOTH, "+0")));
  const added = rig.addresses(await rig.pod("web-1", asking(BOTH, "+0")));
  await rig.pass(3_400);
  await resize(rig, six, ["fd00:6::10-fd00:6::11"]);
  await rig.pass(1_300);
  await resize(rig, four, ["10.6.0.10-10.6.0.11"]);
  assert.ok(await msOf(rig, added) < 50);
  assert.deepEqual(await added, ["10.6.0.11/16", "fd00:6::11/64"]);
});

Deno.test("add() does not wait for more of a pool whose number is fixed", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const pool = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"], number: "1" });
  await rig.make(SPIDER_IP_POOLS, pool);
  await rig.addresses(await rig.pod("web-0", asking(FOUR, "1")));
  const pod = await rig.pod("web-1", asking(FOUR, "1"));
  const refused = rig.refusal(pod);
  assert.ok(await msOf(rig, refused) < 7_000, "as long as for any full pool");
  assert.equal(
    await refused,
    `all IP addresses used out for NIC "eth0" (IPv4): pool "${pool.metadata.name}" has no free ` +
      "address, its only one is in use; write a bigger number in annotation " +
      `"ipam.spidernet.io/ippool-ip-number" of the application's pods, or delete pods that hold ` +
      "some",
  );
  assert.equal((await rig.claims()).length, 1);
  await rig.pass(2_000);
  const events = expectOk(await rig.store.list(EVENTS, { signal: rig.signal }), "listed").items;
  const note = events.find(({ regarding }) => regarding?.kind === "SpiderIPPool")?.note ?? "";
  assert.match(note, /its only one is in use: write a bigger number in annotation/);
});

Deno.test("add() says at the end that nobody made a pool, and where to look", async () => {
  await using rig = await AgentRig.start({ settings: { autoPoolWaitMs: 30_000 } });
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const refused = ended(rig, await rig.pod("web-0", asking(FOUR)));
  await rig.pass(29_000);
  assert.ok(await msOf(rig, refused) > 900);
  assert.equal(
    await refused,
    'no IPPool available for NIC "eth0" (IPv4): no pool was made out of SpiderSubnet "s4" for ' +
      'Fleet "default/web" within 30 seconds; look at the Events of Fleet "default/web", and ' +
      "whether a spiderpool-controller runs",
  );
});

Deno.test("add() ends in time for its plugin, however long it should wait", async () => {
  await using rig = await AgentRig.start({ settings: { autoPoolWaitMs: 600_000 } });
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const refused = ended(rig, await rig.pod("web-0", asking(FOUR)));
  await rig.pass(54_000);
  assert.ok(await msOf(rig, refused) < 2_000);
  assert.match(await refused, /no pool was made .* within 55 seconds/);
});

Deno.test("add() tells soon what the SpiderSubnet says", async () => {
  await using rig = await AgentRig.start();
  const absent = rig.refusal(await rig.pod("web-0", asking(FOUR)));
  assert.ok(await msOf(rig, absent) < 6_000);
  assert.match(
    await absent,
    /: Fleet "default\/web" has no pool: SpiderSubnet "s4" does not exist; create it, or name ano/,
  );
  const message = "Few are left";
  const conditions = [{
    type: "InsufficientAddresses",
    status: "True",
    reason: "TooFewFree",
    message,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  }];
  await rig.make(SPIDER_SUBNETS, subnetObject("s4", { conditions }));
  const short = rig.refusal(await rig.pod("web-1", asking(FOUR)));
  assert.ok(await msOf(rig, short) < 6_000);
  assert.match(await short, /SpiderSubnet "s4" says InsufficientAddresses=True: Few are left$/);
  const pool = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"], number: "+0" });
  await rig.make(SPIDER_IP_POOLS, pool);
  await rig.addresses(await rig.pod("web-2", asking(FOUR, "+0")));
  const full = rig.refusal(await rig.pod("web-3", asking(FOUR, "+0")));
  assert.ok(await msOf(rig, full) < 7_000);
  assert.match(
    await full,
    /^all IP addresses used out .*; SpiderSubnet "s4" says Insufficient.*left$/,
  );
});

Deno.test("add() tells what keeps the pool of another NIC from being made", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const nics = [{ interface: "eth0", ipv4: ["s4"] }, { interface: "net1", ipv4: ["absent"] }];
  const annotations = { "ipam.spidernet.io/subnets": JSON.stringify(nics) };
  const refused = rig.refusal(await rig.pod("web-0", { owner: CRD, annotations }));
  assert.ok(await msOf(rig, refused) < 6_000);
  assert.match(await refused, /has no pool: SpiderSubnet "absent" does not exist/);
});

Deno.test("add() refuses at once what no waiting helps against", async () => {
  await using rig = await AgentRig.start();
  const pool = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"], disable: true });
  await rig.make(SPIDER_IP_POOLS, pool);
  const refused = rig.refusal(await rig.pod("web-0", asking(FOUR)));
  assert.ok(await msOf(rig, refused) < 50);
  assert.match(await refused, /is disabled; set spec.disable of pool/);
});

Deno.test("add() waits no longer than its pod is wanted", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const pod = await rig.pod("web-0", asking(FOUR));
  const refused = rig.refusal(pod);
  await rig.pass(10_000);
  const key = { namespace: "default", name: "web-0" };
  const options = { signal: rig.signal, gracePeriodSeconds: 30 };
  expectOk(await rig.store.remove(PODS, key, options), "it is there");
  await told();
  assert.ok(await msOf(rig, refused) < 50);
  assert.match(await refused, /pod "default\/web-0": it is being deleted; a new pod gets one$/);
});

Deno.test("add() again answers the same, without a pool to be had", async () => {
  await using rig = await AgentRig.start();
  const pool = automaticPoolObject(identityOf(), { ips: ["10.6.0.10"] });
  await rig.make(SPIDER_IP_POOLS, pool);
  const pod = await rig.pod("web-0", asking(FOUR));
  const given = await rig.addresses(pod);
  const { name } = pool.metadata;
  expectOk(await rig.store.remove(SPIDER_IP_POOLS, { name }, { signal: rig.signal }), "there");
  const again = rig.addresses(pod);
  assert.ok(await msOf(rig, again) < 50);
  assert.deepEqual(await again, given);
});

/** A pod of the StatefulSet with a number; it keeps its address. */
function ordinal(subnet: string, owner = SET): PodWish {
  return { owner, annotations: { "ipam.spidernet.io/subnet": subnet } };
}

/** Begins to delete a pool that has addresses in use. */
async function endPool(rig: AgentRig, { metadata: { name } }: SpiderIpPool): Promise<void> {
  expectOk(await rig.store.remove(SPIDER_IP_POOLS, { name }, { signal: rig.signal }), "there");
}

Deno.test("a StatefulSet's pod keeps its address while its pool is being deleted", async () => {
  await using rig = await AgentRig.start();
  const made = automaticPoolObject(identityOf({ owner: SET }), { ips: ["10.6.0.10-10.6.0.19"] });
  const metadata = { ...made.metadata, finalizers: ["spiderpool.spidernet.io"] };
  await rig.make(SPIDER_IP_POOLS, { ...made, metadata });
  const first = await rig.pod("web-0", ordinal(FOUR));
  const given = await rig.addresses(first);
  await endPool(rig, made);
  await rig.removePod("web-0");
  const second = await rig.pod("web-0", ordinal(FOUR));
  const again = rig.addresses(second);
  assert.ok(await msOf(rig, again) < 50);
  assert.deepEqual(await again, given);
});

Deno.test("a StatefulSet's pod changes its address once another subnet's pool comes", async () => {
  await using rig = await AgentRig.start();
  for (const name of ["s4", "s5"]) await rig.make(SPIDER_SUBNETS, subnetObject(name));
  const made = automaticPoolObject(identityOf({ owner: SET }), { ips: ["10.6.0.10"] });
  await rig.make(SPIDER_IP_POOLS, made);
  await rig.addresses(await rig.pod("web-0", ordinal(FOUR)));
  await rig.removePod("web-0");
  const second = await rig.pod("web-0", ordinal('{"ipv4":["s5"]}'));
  const added = rig.addresses(second);
  await rig.pass(10_000);
  assert.deepEqual(await rig.claims(), ["10.6.0.10 web-0 eth0"], "it is kept as long");
  const next = automaticPoolObject(identityOf({ owner: SET, subnet: "s5" }), {
    ips: ["10.6.0.50"],
  });
  await rig.make(SPIDER_IP_POOLS, next);
  assert.deepEqual(await rig.until(added), ["10.6.0.50/16"]);
  assert.deepEqual(await rig.claims(), ["10.6.0.50 web-0 eth0"]);
});

Deno.test("a StatefulSet's pod gets the family that its annotation names from now on", async () => {
  await using rig = await AgentRig.start();
  for (const name of ["s4", "s6"]) await rig.make(SPIDER_SUBNETS, subnetObject(name));
  const made = automaticPoolObject(identityOf({ owner: SET }), { ips: ["10.6.0.10"] });
  const metadata = { ...made.metadata, finalizers: ["spiderpool.spidernet.io"] };
  await rig.make(SPIDER_IP_POOLS, { ...made, metadata });
  await rig.addresses(await rig.pod("web-0", ordinal(FOUR)));
  await endPool(rig, made); // What it has of that one it keeps.
  await rig.removePod("web-0");
  const added = rig.addresses(await rig.pod("web-0", ordinal(BOTH)));
  await rig.pass(2_000);
  const six = identityOf({ owner: SET, version: 6, subnet: "s6" });
  await rig.make(SPIDER_IP_POOLS, automaticPoolObject(six, { ips: ["fd00:6::10"] }));
  assert.deepEqual(await rig.until(added), ["10.6.0.10/16", "fd00:6::10/64"]);
});

Deno.test("an application that is made again has a pool that stays, and no other", async () => {
  await using rig = await AgentRig.start();
  await rig.make(SPIDER_SUBNETS, subnetObject("s4"));
  const again = { ...SET, uid: "u-2" };
  const goes = automaticPoolObject(identityOf({ owner: SET }), { ips: ["10.6.0.10"] });
  await rig.make(SPIDER_IP_POOLS, goes);
  const added = rig.addresses(await rig.pod("web-0", ordinal(FOUR, again)));
  await rig.pass(10_000);
  assert.deepEqual(await rig.claims(), []);
  const stays = automaticPoolObject(identityOf({ owner: { ...SET, uid: "u-0" } }), {
    ips: ["10.6.0.30"],
    reclaim: false,
  });
  await rig.make(SPIDER_IP_POOLS, stays);
  assert.deepEqual(await rig.until(added), ["10.6.0.30/16"]);
});

Deno.test("a virtual machine that is started again keeps its address", async () => {
  await using rig = await AgentRig.start();
  const machine = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", name: "vm" };
  const before = { ...machine, uid: "u-1" };
  const pool = automaticPoolObject(identityOf({ owner: before }), { ips: ["10.6.0.10"] });
  await rig.make(SPIDER_IP_POOLS, pool);
  const given = await rig.addresses(await rig.pod("launcher-1", ordinal(FOUR, before)));
  await rig.removePod("launcher-1");
  const next = await rig.pod("launcher-2", ordinal(FOUR, { ...machine, uid: "u-2" }));
  const again = rig.addresses(next);
  assert.ok(await msOf(rig, again) < 50);
  assert.deepEqual(await again, given);
});

Deno.test("each NIC has the pool that its annotation names for it", async () => {
  await using rig = await AgentRig.start();
  const value = '[{"interface":"eth0","ipv4":["s4"]},{"interface":"net1","ipv4":["s5"]}]';
  const annotations = { "ipam.spidernet.io/subnets": value };
  const second = identityOf({ nic: "net1", subnet: "s5" });
  await rig.make(SPIDER_IP_POOLS, automaticPoolObject(identityOf(), { ips: ["10.6.0.10"] }));
  await rig.make(SPIDER_IP_POOLS, automaticPoolObject(second, { ips: ["10.6.0.50"] }));
  const pod = await rig.pod("web-0", { owner: CRD, annotations });
  assert.deepEqual(await rig.addresses(pod), ["10.6.0.10/16"]);
  assert.deepEqual(await rig.addresses(pod, { ifName: "net1" }), ["10.6.0.50/16"]);
  assert.match(await rig.refusal(pod, { ifName: "net2" }), /is for NICs "eth0", "net1", and inter/);
});
