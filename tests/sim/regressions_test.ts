/**
 * What worlds once showed, written down by hand: a seed changes its world whenever the product or
 * `scenario.ts` draws otherwise. Each name says the promise that was broken.
 */
import assert from "node:assert/strict";
import { SPIDER_ENDPOINTS } from "../../src/api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { STATEFUL_SETS } from "../../src/api/kubernetes/workload.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../../src/api/spider_ip.ts";
import type { ObjectStore, StoreError } from "../../src/base/object_store.ts";
import { err, expectOk, ok } from "../../src/base/result.ts";
import { LEADER_LEASE_NAME } from "../../src/api/leases.ts";
import { AgentRig } from "../support/agent_rig.ts";
import { forwardingStore } from "../support/forwarding_store.ts";

const POOL = { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"], gateway: "10.6.0.1" };
const ONE_NIC = { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: ["p4"] }) };
const TWO_NICS = {
  "k8s.v1.cni.cncf.io/networks": "default/second",
  "ipam.spidernet.io/ippools": JSON.stringify([
    { interface: "eth0", ipv4: ["p4"] },
    { interface: "net1", ipv4: ["p4"] },
  ]),
};
const SET = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };
const REFUSED: StoreError = { code: "invalid", message: "A webhook refused it" };
const FORBIDDEN: StoreError = {
  code: "forbidden",
  message: "Not allowed for a moment",
  namespaceTerminating: false,
};
const UNKNOWN: StoreError = { code: "timeout", message: "No answer", outcomeUnknown: true };

/** A server that does the next creations of one kind otherwise than it should. */
class BadDay {
  /** Of the next creations, in order; later ones are fine. */
  readonly fates: ("late" | "refused")[] = [];
  readonly #plural: string;
  readonly #late: (() => Promise<unknown>)[] = [];

  constructor(plural: string) {
    this.#plural = plural;
  }

  readonly wrap = (store: ObjectStore): ObjectStore => ({
    ...forwardingStore(store),
    create: (...args) => {
      const fate = args[0].plural === this.#plural ? this.fates.shift() : undefined;
      if (fate === undefined) return store.create(...args);
      if (fate === "refused") return Promise.resolve(err(REFUSED));
      this.#late.push(() => store.create(...args));
      return Promise.resolve(err(UNKNOWN));
    },
  });

  /** What is late happens now. */
  async catchUp(): Promise<void> {
    for (const happen of this.#late.splice(0)) await happen();
  }
}

async function freeEndpoint(rig: AgentRig, name: string): Promise<void> {
  const key = { namespace: "default", name };
  expectOk(await rig.store.remove(SPIDER_ENDPOINTS, key, { signal: rig.signal }), "it was there");
}

async function nameOf(rig: AgentRig, at = 0): Promise<string> {
  const claim = (await rig.claimObjects())[at];
  assert.ok(claim !== undefined);
  return claim.spec.ip;
}

Deno.test("a creation that was refused after an unknown one brings no second address", async () => {
  const server = new BadDay("spiderips");
  await using rig = await AgentRig.start({ wrap: server.wrap });
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: ONE_NIC });
  server.fates.push("late", "refused");
  assert.match(await rig.refusal(pod), /webhook/);
  await rig.del(pod);
  const given = await rig.addresses(pod, { containerID: "second" });
  await server.catchUp();
  assert.equal((await rig.claims()).length, 1);
  const address = given[0]?.split("/")[0] ?? "none";
  assert.equal(await nameOf(rig), address);
});

Deno.test("a refused ADD gives back what it took for other NICs", async () => {
  const server = new BadDay("spiderendpoints");
  await using rig = await AgentRig.start({ wrap: server.wrap });
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: TWO_NICS });
  server.fates.push("refused");
  assert.match(await rig.refusal(pod), /webhook/);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("a refused ADD keeps what another NIC of its sandbox is up with", async () => {
  const server = new BadDay("spiderendpoints");
  await using rig = await AgentRig.start({ wrap: server.wrap });
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: TWO_NICS });
  await rig.addresses(pod);
  const before = await rig.claims();
  assert.equal(before.length, 2);
  await freeEndpoint(rig, "web");
  server.fates.push("refused");
  assert.match(await rig.refusal(pod, { ifName: "net1" }), /webhook/);
  assert.deepEqual(await rig.claims(), before);
});

Deno.test("an owner keeps one address of a NIC: the one that the endpoint lists", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const template = { spec: { containers: [] } };
  const metadata = { name: "web", namespace: "default" };
  const set = STATEFUL_SETS.parse({ metadata, spec: { replicas: 1, template } });
  await rig.make(STATEFUL_SETS, expectOk(set, "a StatefulSet of a test"));
  const pod = await rig.pod("web-0", { annotations: ONE_NIC, owner: SET });
  const [given] = await rig.addresses(pod);
  const [claim] = await rig.claimObjects();
  assert.ok(claim !== undefined);
  const { uid: _uid, resourceVersion: _version, ...kept } = claim.metadata;
  // A call that was overtaken left it, for a pod of that name before.
  const spec = { ...claim.spec, ip: "10.6.0.99", podUID: "former" };
  await rig.make(SPIDER_IPS, { ...claim, metadata: { ...kept, name: "10.6.0.99" }, spec });
  await rig.pass(200_000);
  assert.equal((await rig.claims()).length, 1);
  await rig.removePod("web-0");
  await rig.pass(200_000);
  assert.equal(`${await nameOf(rig)}/16`, given, "that one stays for its owner's next pod");
});

Deno.test("a pod that a controller called failed keeps its address while it may run", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: ONE_NIC });
  const given = await rig.addresses(pod);
  const key = { namespace: "default", name: "web" };
  const found = expectOk(await rig.store.get(PODS, key, { signal: rig.signal }), "it is there");
  const failed: Pod = { ...found, status: { ...found.status, phase: "Failed" } };
  expectOk(await rig.store.replaceStatus(PODS, failed, { signal: rig.signal }), "written");
  await rig.pass(300_000);
  assert.equal(`${await nameOf(rig)}/16`, given[0]);
  // Its kubelet says that the containers have ended.
  const again = expectOk(await rig.store.get(PODS, key, { signal: rig.signal }), "it is there");
  const containerStatuses = [{ name: "c", state: { terminated: {} } }];
  const ended: Pod = { ...again, status: { ...again.status, containerStatuses } };
  expectOk(await rig.store.replaceStatus(PODS, ended, { signal: rig.signal }), "written");
  await rig.pass(300_000);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("an agent that may not read who leads goes on, and asks again", async () => {
  let refusals = 1;
  const wrap = (store: ObjectStore): ObjectStore => ({
    ...new BadDay("none").wrap(store),
    get: (...args) => {
      const isLeader = args[0].plural === "leases" && args[1].name === LEADER_LEASE_NAME;
      if (!isLeader || refusals-- <= 0) return store.get(...args);
      return Promise.resolve(err(FORBIDDEN));
    },
  });
  await using rig = await AgentRig.start({ wrap });
  await rig.pool("p4", POOL);
  const pod = await rig.pod("web", { annotations: ONE_NIC });
  assert.equal((await rig.addresses(pod)).length, 1);
  assert.ok(refusals < 0, "it asked again");
});

Deno.test("a refused ADD gives back what it made again out of an old list", async () => {
  const old: SpiderIp[] = [];
  const wrap = (store: ObjectStore): ObjectStore => ({
    ...new BadDay("none").wrap(store),
    list: async (...args) => {
      const listed = await store.list(...args);
      const isOfPod = args[0].plural === "spiderips" && args[1].labelSelector?.includes("pod=");
      if (isOfPod !== true || !listed.ok) return listed;
      const items = old.map((claim) => expectOk(args[0].parse(claim), "one that is gone"));
      return { ok: true, value: { ...listed.value, items } };
    },
  });
  await using rig = await AgentRig.start({ wrap });
  await rig.pool("p4", POOL);
  await rig.pool("p6", { subnet: "fd00:6::/64", ips: ["fd00:6::10"] });
  const other = JSON.stringify({ ipv6: ["p6"] });
  await rig.addresses(
    await rig.pod("db", { annotations: { "ipam.spidernet.io/ippool": other } }),
  );
  const taken = (await rig.claims()).length;
  const both = JSON.stringify({ ipv4: ["p4"], ipv6: ["p6"] });
  const wish = { annotations: { "ipam.spidernet.io/ippool": both }, owner: SET };
  const pod = await rig.pod("web-0", wish);
  const example = (await rig.claimObjects())[0];
  assert.ok(example !== undefined);
  old.push(oldClaim(example, pod));
  assert.match(await rig.refusal(pod), /used out/);
  assert.equal((await rig.claims()).length, taken);
});

Deno.test("a refused ADD gives back what a former sandbox left unanswered", async () => {
  for (const containerID of ["former", "next"]) {
    await using rig = await AgentRig.start();
    await rig.pool("p4", POOL);
    const pod = await rig.pod("web", { annotations: ONE_NIC });
    await rig.addresses(pod, { containerID: "former" });
    await freeEndpoint(rig, "web"); // As if its agent had ended between its two writes.
    await rig.startAgent("n1");
    await disablePool(rig, "p4");
    assert.match(await rig.refusal(pod, { containerID }), /"p4"/);
    assert.equal((await rig.claims()).length, containerID === "former" ? 1 : 0);
  }
});

Deno.test("a refused ADD leaves what another agent has given to its sandbox", async () => {
  const server = new BadDay("spiderips");
  let isBlind = false;
  const wrap = (store: ObjectStore): ObjectStore => ({
    ...server.wrap(store),
    list: async (...args) => {
      const listed = await store.list(...args);
      if (!isBlind || !listed.ok || args[0].plural !== "spiderips") return listed;
      return ok({ ...listed.value, items: [] });
    },
    listRows: async (...args) => {
      const listed = await store.listRows(...args);
      return isBlind && listed.ok ? ok({ ...listed.value, rows: [] }) : listed;
    },
  });
  await using rig = await AgentRig.start({ wrap });

  await rig.pool("p4", { ...POOL, ips: ["10.6.0.20"] });
  await rig.pool("p5", { ...POOL, ips: ["10.6.0.30"] });
  const nics = ["p4", "p5"].map((pool, at) => ({ interface: ["eth0", "net1"][at], ipv4: [pool] }));
  const pod = await rig.pod("web", {
    annotations: { ...TWO_NICS, "ipam.spidernet.io/ippools": JSON.stringify(nics) },
  });
  await rig.addresses(pod);
  const given = await rig.claims();
  isBlind = true;
  await rig.startAgent("n1");
  server.fates.push("late", "refused");
  await rig.refusal(pod, { ifName: "net1" });
  assert.deepEqual(server.fates, []);
  assert.deepEqual(await rig.claims(), given);
});

async function disablePool(rig: AgentRig, name: string): Promise<void> {
  const { signal } = rig;
  const pool = expectOk(await rig.store.get(SPIDER_IP_POOLS, { name }, { signal }), "it is there");
  const spec = { ...pool.spec, disable: true };
  expectOk(await rig.store.replace(SPIDER_IP_POOLS, { ...pool, spec }, { signal }), "replaced");
}

/** A claim of a pod that is deleted by now. */
function oldClaim(example: SpiderIp, { metadata: { uid, name } }: Pod): SpiderIp {
  const owner = { kind: "StatefulSet" as const, name: "web" };
  const spec = { ...example.spec, ip: "10.6.0.12", pool: "p4", podUID: uid, podName: name, owner };
  return { ...example, metadata: { ...example.metadata, name: "10.6.0.12" }, spec };
}
