import assert from "node:assert/strict";
import type { Pod } from "../api/kubernetes/pod.ts";
import { expectOk, type Result } from "../base/result.ts";
import { EVENTS } from "../kube/events.ts";
import { addArgs, AgentRig, type RigOptions } from "../../tests/support/agent_rig.ts";
import type { ServiceFailure } from "./service.ts";

const MAC = "02:00:00:00:00:0b";
const SET = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };

/** A rig with two addresses of IPv4 and many of IPv6. */
async function openRig(options: RigOptions = {}): Promise<AgentRig> {
  const rig = await AgentRig.start(options);
  await rig.pool("p4", { ips: ["10.6.0.10-10.6.0.11"] });
  await rig.pool("p6", { ips: ["fd00::10-fd00::1f"], subnet: "fd00::/64" });
  return rig;
}

const POOLS = { "ipam.spidernet.io/ippool": '{"ipv4":["p4"],"ipv6":["p6"]}' };

/** What a plugin says that saw these addresses, written with prefix length or not. */
async function conflict(
  rig: AgentRig,
  pod: Pod,
  addresses: readonly string[],
  { ifName = "eth0" }: { readonly ifName?: string } = {},
): Promise<Result<void, ServiceFailure>> {
  const { containerID, podNamespace, podName, podUID } = addArgs(pod);
  const args = { containerID, ifName, podNamespace, podName, podUID, netNamespace: "" };
  const conflicts = addresses.map((ip) => ({ ip: ip.replace(/\/.*/, ""), mac: MAC }));
  return await rig.until(
    rig.agent().releaseAll(
      { ...args, isReleaseConflictIPs: true, conflicts },
      { signal: rig.signal },
    ),
  );
}

Deno.test("a conflicting address is exchanged, and the NIC's other one stays", async () => {
  await using rig = await openRig();
  const pod = await rig.pod("a", { annotations: POOLS });
  const [ipv4 = "", ipv6 = ""] = await rig.addresses(pod);
  expectOk(await conflict(rig, pod, [ipv4]), "it is given back");
  const [next = "", same = ""] = await rig.addresses(pod);
  assert.equal(same, ipv6);
  assert.notEqual(next, ipv4);
  assert.equal((await rig.claims()).length, 2);
  assert.deepEqual(await rig.addresses(pod), [next, same]);
});

Deno.test("a conflicting address is given to nobody while another one is free", async () => {
  await using rig = await openRig();
  const pod = await rig.pod("a", { annotations: POOLS });
  const [ipv4 = ""] = await rig.addresses(pod);
  expectOk(await conflict(rig, pod, [ipv4]), "it is given back");
  const [other] = await rig.addresses(await rig.pod("b", { annotations: POOLS }));
  assert.notEqual(other, ipv4);
});

/** Pools `p4`, of so many addresses, and `q4` after it, of two. */
async function openOrdered(ips: string): Promise<{
  readonly rig: AgentRig;
  readonly pod: (name: string) => Promise<Pod>;
}> {
  const rig = await AgentRig.start();
  await rig.pool("p4", { ips: [ips] });
  await rig.pool("q4", { ips: ["10.7.0.10-10.7.0.11"], subnet: "10.7.0.0/16" });
  const annotations = { "ipam.spidernet.io/ippool": '{"ipv4":["p4","q4"]}' };
  return { rig, pod: (name) => rig.pod(name, { annotations }) };
}

Deno.test("a conflicting address is given after those of all pools of the NIC", async () => {
  const { rig, pod } = await openOrdered("10.6.0.10");
  await using _rig = rig;
  const given: string[] = [];
  const first = await pod("a");
  for (let count = 0; count < 3; count++) {
    const [address = ""] = await rig.addresses(first);
    assert.ok(!given.includes(address), `${address} is another one`);
    given.push(address);
    expectOk(await conflict(rig, first, [address]), "it is given back");
  }
  assert.equal(given[0], "10.6.0.10/16");
  assert.deepEqual(given.slice(1).sort(), ["10.7.0.10/16", "10.7.0.11/16"]);
  assert.deepEqual(await rig.addresses(first), ["10.6.0.10/16"], "none is left but these");
});

Deno.test("other pods get a conflicting address after those of all their pools too", async () => {
  const { rig, pod } = await openOrdered("10.6.0.10");
  await using _rig = rig;
  const first = await pod("a");
  expectOk(await conflict(rig, first, await rig.addresses(first)), "it is given back");
  const pods = [first, await pod("b"), await pod("c")];
  const addresses = await Promise.all(pods.map((one) => rig.addresses(one)));
  assert.deepEqual(addresses.flat().sort(), ["10.6.0.10/16", "10.7.0.10/16", "10.7.0.11/16"]);
  const claims = await rig.claimObjects();
  assert.equal(claims.filter(({ spec }) => spec.pool === "q4").length, 2);
});

Deno.test("an address that was just released is given before those of the next pool", async () => {
  const { rig, pod } = await openOrdered("10.6.0.10");
  await using _rig = rig;
  const first = await pod("a");
  await rig.addresses(first);
  await rig.removePod("a");
  await rig.del(first);
  assert.deepEqual(await rig.addresses(await pod("b")), ["10.6.0.10/16"]);
});

Deno.test("an agent that was started meanwhile exchanges what an earlier one gave", async () => {
  const { rig, pod } = await openOrdered("10.6.0.10");
  await using _rig = rig;
  const first = await pod("a");
  const given = await rig.addresses(first);
  await rig.startAgent("n1");
  assert.deepEqual(await rig.addresses(first), given);
  expectOk(await conflict(rig, first, given), "it is given back");
  assert.match((await rig.addresses(first))[0] ?? "", /^10\.7\./);
});

Deno.test("both families are exchanged at once", async () => {
  await using rig = await openRig();
  const pod = await rig.pod("a", { annotations: POOLS });
  const given = await rig.addresses(pod);
  expectOk(await conflict(rig, pod, given), "they are given back");
  for (const address of await rig.addresses(pod)) assert.ok(!given.includes(address));
});

Deno.test("addresses of other pods stay, whoever says what of them", async () => {
  await using rig = await openRig();
  const pod = await rig.pod("a", { annotations: POOLS });
  const other = await rig.pod("b", { annotations: POOLS });
  await rig.addresses(pod);
  const foreign = await rig.addresses(other);
  const before = await rig.claims();
  expectOk(await conflict(rig, pod, foreign), "there is nothing to give back");
  assert.deepEqual(await rig.claims(), before);
});

Deno.test("a NIC of a list is exchanged in its place, and the others stay", async () => {
  await using rig = await openRig();
  await rig.pool("p5", { ips: ["10.5.0.10-10.5.0.19"], subnet: "10.5.0.0/16" });
  for (const [at, names] of [[{ interface: "eth0" }, { interface: "net1" }], [{}, {}]].entries()) {
    const list = names.map((name) => ({ ...name, ipv4: ["p5"] }));
    const annotations = {
      "ipam.spidernet.io/ippools": JSON.stringify(list),
      "k8s.v1.cni.cncf.io/networks": "default/flat",
    };
    const pod = await rig.pod(`listed-${at}`, { annotations });
    const eth0 = await rig.addresses(pod);
    const [ipv4 = ""] = await rig.addresses(pod, { ifName: "net1" });
    expectOk(await conflict(rig, pod, [ipv4], { ifName: "net1" }), "it is given back");
    const [next = ""] = await rig.addresses(pod, { ifName: "net1" });
    assert.ok(next !== "" && next !== ipv4 && !eth0.includes(next));
    assert.deepEqual(await rig.addresses(pod), eth0);
  }
});

Deno.test("a kept address is not exchanged: a new one goes, an older one stays", async () => {
  await using rig = await openRig();
  const wish = { annotations: POOLS, owner: SET };
  const first = await rig.pod("web-0", wish);
  const [ipv4 = ""] = await rig.addresses(first);
  const refused = await conflict(rig, first, [ipv4]);
  assert.ok(!refused.ok && refused.error.status === 522);
  assert.equal((await rig.claims()).length, 1);
  const [next = ""] = await rig.addresses(first);
  assert.notEqual(next, ipv4);
  await rig.removePod("web-0");
  const second = await rig.pod("web-0", wish);
  assert.equal((await rig.addresses(second))[0], next);
  const again = await conflict(rig, second, [next]);
  assert.ok(!again.ok && again.error.status === 522);
  assert.equal((await rig.addresses(second))[0], next);
});

Deno.test("with releasing switched off a conflicting address stays", async () => {
  await using rig = await openRig({ settings: { releaseConflicting: false } });
  const pod = await rig.pod("a", { annotations: POOLS });
  const given = await rig.addresses(pod);
  const refused = await conflict(rig, pod, given);
  assert.ok(!refused.ok && refused.error.status === 521);
  assert.deepEqual(await rig.addresses(pod), given);
});

Deno.test("a conflict is an Event on the pod, with the other's hardware address", async () => {
  await using rig = await openRig();
  const pod = await rig.pod("a", { annotations: POOLS });
  const [ipv4 = ""] = await rig.addresses(pod);
  await conflict(rig, pod, [ipv4]);
  await rig.pass(1_000);
  const events = expectOk(await rig.store.list(EVENTS, { signal: rig.signal }), "a list").items;
  const [event] = events.filter(({ reason }) => reason === "AddressConflict");
  assert.equal(event?.regarding?.name, "a");
  assert.match(event.note ?? "", new RegExp(`${ipv4.replace(/\/.*/, "")}.*"eth0".*${MAC}`));
});
