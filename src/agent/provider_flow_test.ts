import assert from "node:assert/strict";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { expectOk } from "../base/result.ts";
import { addArgs, AgentRig, type RigOptions } from "../../tests/support/agent_rig.ts";
import { FakeProvider, PROVIDED_MAC } from "../../tests/support/fake_provider.ts";

const PARENT = "02:00:00:00:00:01";
const ASKS = { parentNicMac: PARENT };
const annotations = { "ipam.spidernet.io/ippool": '{"ipv4":["p4"],"ipv6":["p6"]}' };
const SET = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };

/** An agent with a provider, and pools of both families. */
async function openRig(
  options: RigOptions = {},
): Promise<{ readonly rig: AgentRig; readonly fake: FakeProvider }> {
  const fake = new FakeProvider();
  const rig = await AgentRig.start({ post: fake.post, ...options });
  await rig.pool("p4", { ips: ["10.6.0.10-10.6.0.11"] });
  await rig.pool("p6", { ips: ["fd00::10-fd00::1f"], subnet: "fd00::/64" });
  return { rig, fake };
}

/** What the plugin `vlan` reads. */
async function nicOf(rig: AgentRig, pod: Pod, nic = "eth0") {
  const { podNamespace, podName } = addArgs(pod);
  const status = await rig.until(
    rig.agent().endpoint({ podNamespace, podName }, { signal: rig.signal }),
  );
  return expectOk(status, "it is there").interfaces.find((one) => one.interface === nic);
}

async function marks(rig: AgentRig): Promise<readonly (string | undefined)[]> {
  const listed = await rig.store.list(SPIDER_IPS, { signal: rig.signal });
  return expectOk(listed, "a list").items.map(({ metadata }) =>
    metadata.annotations?.["ipam.spidernet.io/network-provider"]
  );
}

Deno.test("the provider says VLAN and hardware address of a NIC that asks, once", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const pod = await rig.pod("a", { annotations });
  const given = await rig.addresses(pod, ASKS);
  const { podName, podNamespace, podUID } = addArgs(pod);
  const ipAddress = (given[0] ?? "").replace("/16", "");
  const item = { ipAddress, subnet: "10.6.0.0/16", parentNicMac: PARENT };
  const request = { podName, podNamespace, podUID, nodeName: "n1" };
  assert.deepEqual(fake.allocated, [{ ...request, iaasIPsAllocationRequest: [item] }]);
  const nic = await nicOf(rig, pod);
  assert.deepEqual([nic?.vlan, nic?.mac], [7, PROVIDED_MAC]);
  assert.deepEqual(await rig.addresses(pod, ASKS), given, "the NIC is there by now");
  assert.equal(fake.allocated.length, 1);
  await rig.removePod("a");
  await rig.del(pod);
  assert.deepEqual(fake.released, [{ ...request, ...item }]);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("a NIC that does not ask is no business of the provider", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const pod = await rig.pod("a", { annotations });
  await rig.addresses(pod);
  assert.equal((await nicOf(rig, pod))?.vlan ?? 0, 0);
  await rig.removePod("a");
  await rig.del(pod);
  assert.deepEqual([fake.allocated, fake.released], [[], []]);
});

Deno.test("a provider that fails fails the ADD, whose address the next ADD has", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const pod = await rig.pod("a", { annotations });
  fake.status = 503;
  assert.match(
    await rig.refusal(pod, ASKS),
    /^Cannot get the VLAN of address "10\.6\.0\.1[01]": the network provider .* answers 503 "no"/,
  );
  const kept = await rig.claims();
  assert.equal(kept.length, 1, "what it may have given is not anybody's");
  fake.status = 200;
  const [ipv4] = await rig.addresses(pod, ASKS);
  assert.equal(`${ipv4?.replace("/16", "")} a eth0`, kept[0], "the next ADD has the same");
  assert.equal((await nicOf(rig, pod))?.vlan, 7);
});

Deno.test("an address stays while the provider cannot be told, and is freed later", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const pod = await rig.pod("a", { annotations });
  await rig.addresses(pod, ASKS);
  await rig.removePod("a");
  fake.status = 500;
  const { defaultIPv4IPPool: _4, defaultIPv6IPPool: _6, ...args } = addArgs(pod);
  const released = await rig.until(rig.agent().release(args, { signal: rig.signal }));
  assert.match(released.ok ? "" : released.error.message, /^Cannot give address .* answers 500/);
  assert.equal((await rig.claims()).some((one) => one.startsWith("10.6.")), true);
  fake.status = 200;
  await rig.pass(120_000);
  assert.deepEqual(await rig.claims(), []);
  assert.equal(fake.released.length, 1);
});

Deno.test("an address that conflicts goes back, and the next is asked about", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const pod = await rig.pod("a", { annotations });
  const [first = ""] = await rig.addresses(pod, ASKS);
  const ip = first.replace("/16", "");
  const { containerID, podNamespace, podName, podUID } = addArgs(pod);
  const args = { containerID, podNamespace, podName, podUID, ifName: "eth0", netNamespace: "" };
  const conflicts = [{ ip, mac: "02:00:00:00:00:0b" }];
  const exchange = { ...args, isReleaseConflictIPs: true, conflicts };
  fake.vlanId = 8;
  expectOk(await rig.until(rig.agent().releaseAll(exchange, { signal: rig.signal })), "back");
  assert.deepEqual(fake.released.map(({ ipAddress }) => ipAddress), [ip]);
  assert.notEqual((await rig.addresses(pod, ASKS))[0], first);
  assert.equal((await nicOf(rig, pod))?.vlan, 8, "it may belong elsewhere");
});

Deno.test("the next pod of a kept address is asked about anew", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const wish = { annotations, owner: SET };
  const given = await rig.addresses(await rig.pod("web-0", wish), ASKS);
  await rig.removePod("web-0");
  fake.vlanId = 9;
  const second = await rig.pod("web-0", wish);
  assert.deepEqual(await rig.addresses(second, ASKS), given);
  assert.equal((await nicOf(rig, second))?.vlan, 9);
  assert.deepEqual(fake.allocated.map(({ podUID }) => podUID).at(-1), second.metadata.uid);
  assert.deepEqual(fake.released, []);
});

Deno.test("an agent that ends while it asks leaves word of what to give back", async () => {
  const { rig, fake } = await openRig();
  await using _rig = rig;
  const pod = await rig.pod("a", { annotations });
  const seen: (readonly (string | undefined)[])[] = [];
  fake.before = async () => {
    seen.push(await marks(rig));
  };
  await rig.addresses(pod, ASKS);
  const [known] = (seen[0] ?? []).filter((mark) => mark !== undefined);
  assert.deepEqual(JSON.parse(known ?? "{}"), {
    parentNicMac: PARENT,
    podUID: pod.metadata.uid,
    subnet: "10.6.0.0/16",
  });
});
