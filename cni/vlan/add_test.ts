import assert from "node:assert/strict";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import {
  givenBy,
  linkOf,
  MASTER_MAC,
  refusedBy,
  VLAN_CONFIG,
  vlanCall,
  VlanWorld,
} from "../../tests/support/vlan_world.ts";
import { add } from "./add.ts";

const { vlanId: _, ...AUTO_CONFIG } = VLAN_CONFIG;
const AUTO = vlanCall(AUTO_CONFIG);
const GIVEN = givenBy("10.6.0.17/16");

function recordOf(more: Readonly<Record<string, unknown>>, podUID = "1b-2c") {
  const nic = { interface: "eth0", ipv4: "10.6.0.17/16", routes: [], ...more };
  const pod = { podNamespace: "default", podName: "web-0", podUID, node: "n1" };
  return { status: 200, body: { ...pod, interfaces: [nic] } };
}

const NO_RECORD = { status: 404, body: "no endpoint" };

function refusal(outcome: Awaited<ReturnType<typeof add>>) {
  assert.ok(!outcome.ok, "it is done");
  return outcome.error;
}

/** Nothing is left of the NIC, and what the IPAM plugin was asked. */
function undone(world: VlanWorld): readonly string[] {
  assert.deepEqual([...world.pod.links.keys()], ["lo"]);
  assert.equal(world.pod.openCount, 0);
  return world.asked.map(({ command }) => command);
}

Deno.test("add() makes the NIC, has its addresses given, and sets them", async () => {
  const world = new VlanWorld(givenBy("10.6.0.17/16", "fd00::17/64"));
  const outcome = await add(vlanCall(), world.ports);
  assert.deepEqual(outcome, {
    ok: true,
    value: {
      whole: {
        cniVersion: "1.0.0",
        interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/var/run/netns/n1" }],
        ips: [
          { interface: 0, address: "10.6.0.17/16" },
          { interface: 0, address: "fd00::17/64" },
        ],
        dns: {},
      },
    },
  });
  assert.deepEqual(world.asked, [{ command: "ADD", config: VLAN_CONFIG, links: ["lo", "eth0"] }]);
  assert.deepEqual(world.pod.addresses, ["10.6.0.17/16", "fd00::17/64"]);
  assert.equal(world.pod.links.get("eth0")?.isUp, true);
  assert.equal(world.pod.openCount, 0);
});

Deno.test("add() makes a NIC without addresses where there is no IPAM plugin", async () => {
  const world = new VlanWorld();
  const { ipam: _, ...config } = VLAN_CONFIG;
  const outcome = await add(vlanCall(config), world.ports);
  assert.ok(outcome.ok && outcome.value !== undefined && "whole" in outcome.value);
  assert.deepEqual(Object.keys(outcome.value.whole), ["cniVersion", "interfaces", "dns"]);
  assert.equal(world.pod.links.get("eth0")?.isUp, true);
  assert.deepEqual(world.asked, []);
});

Deno.test("add() refuses a configuration before anything is done", async () => {
  const world = new VlanWorld();
  assert.equal(
    refusal(await add(vlanCall({ ...VLAN_CONFIG, vlanId: 4_095 }), world.ports)).code,
    7,
  );
  world.hasIpam = false;
  assert.match(
    refusal(await add(vlanCall(), world.ports)).msg,
    /^Cannot run the plugin "spiderpool": it is not in \/opt\/cni\/bin;/,
  );
  assert.deepEqual([world.pod.operations, world.asked], [[], []]);
});

Deno.test("add() leaves another's link alone, and asks nobody for addresses", async () => {
  const world = new VlanWorld();
  const veth = linkOf(5, "eth0", { kind: "veth" });
  world.pod.links.set("eth0", veth);
  assert.match(refusal(await add(vlanCall(), world.ports)).msg, /has a link "eth0" already/);
  assert.deepEqual(world.pod.links.get("eth0"), veth);
  assert.deepEqual([world.pod.operations, world.asked], [[], []]);
});

Deno.test("add() removes the NIC if the IPAM plugin says no, and passes its words on", async () => {
  const world = new VlanWorld(refusedBy("All IP used out"));
  assert.deepEqual(refusal(await add(vlanCall(), world.ports)), {
    code: 999,
    msg: "All IP used out",
  });
  assert.deepEqual(undone(world), ["ADD"]);
});

Deno.test("add() releases what an IPAM plugin may have given that gave no answer", async () => {
  for (const step of [{ code: 139, printed: "" }, { code: 0, printed: "{}" }]) {
    const world = new VlanWorld(step);
    refusal(await add(vlanCall(), world.ports));
    assert.deepEqual(undone(world), ["ADD", "DEL"]);
  }
});

Deno.test("add() takes all back if the kernel refuses an address", async () => {
  const world = new VlanWorld(GIVEN);
  world.pod.refused = { kind: "address_add", refusal: { name: "EACCES", text: "" } };
  assert.deepEqual(refusal(await add(vlanCall(), world.ports)), { code: 999, msg: "Cannot: no" });
  assert.deepEqual(undone(world), ["ADD", "DEL"]);
});

Deno.test("add() says what could not be taken back", async () => {
  const world = new VlanWorld(givenBy("x"), refusedBy("Not now"));
  const { msg } = refusal(await add(vlanCall(), world.ports));
  assert.match(msg, /gave the address "x", which is none; .*; Not now$/);
});

Deno.test("add() takes all back if the kernel cannot be asked any more", async () => {
  const world = new VlanWorld(givenBy("fd00::17/64"));
  world.pod.failure = new NetlinkError("no_socket", { message: "Cannot ask the kernel" });
  assert.equal(refusal(await add(vlanCall(), world.ports)).msg, "Cannot ask the kernel");
  assert.deepEqual(undone(world), ["ADD", "DEL"]);
});

Deno.test("add() says why the kernel refuses a VLAN, and leaves no trace", async () => {
  const missing = new VlanWorld(GIVEN);
  const refused = { name: "EOPNOTSUPP", text: "Unknown device type" };
  missing.pod.refused = { kind: "vlan_add", refusal: refused };
  const { code, msg } = refusal(await add(vlanCall(), missing.ports));
  assert.equal(code, 999);
  assert.match(msg, /the node's kernel has no VLANs, load the module 8021q/);
  assert.deepEqual(undone(missing), []);
  const taken = new VlanWorld(GIVEN);
  taken.pod.elsewhere.add(100);
  const second = refusal(await add(vlanCall(), taken.ports));
  assert.equal(second.code, 11, "the other pod may go");
  assert.match(second.msg, /another pod of this node has it/);
});

Deno.test("add() waits until the kernel has looked for IPv6 addresses on the wire", async () => {
  const world = new VlanWorld(givenBy("FD00::17/64"));
  world.pod.tentative = ["fd00::17/64"];
  const adding = add(vlanCall(), world.ports);
  await world.clock.advance(2_000);
  assert.equal(world.clock.sleeperCount, 1);
  world.pod.tentative = [];
  await world.clock.advance(20);
  assert.ok((await adding).ok);
});

Deno.test("add() fails where somebody has an IPv6 address, or nobody can be asked", async () => {
  const taken = new VlanWorld(givenBy("fd00::17/64"));
  taken.pod.taken = ["fd00::17/64"];
  assert.match(
    refusal(await add(vlanCall(), taken.ports)).msg,
    /^Cannot use fd00::17\/64 for NIC "eth0": another host on its VLAN has it/,
  );
  assert.deepEqual(undone(taken), ["ADD", "DEL"]);
  const mute = new VlanWorld(givenBy("fd00::17/64"));
  mute.pod.tentative = ["fd00::17/64"];
  const adding = add(vlanCall(), mute.ports);
  await mute.clock.advance(11_000);
  assert.match(refusal(await adding).msg, /has looked for it for 10000 ms, see that the master/);
  assert.deepEqual(undone(mute), ["ADD", "DEL"]);
});

Deno.test("add() takes VLAN and hardware address of the agent where there is none", async () => {
  const world = new VlanWorld(GIVEN, GIVEN);
  const parent = { parent_nic_mac: MASTER_MAC };
  world.agent.push(recordOf({ vlan: 7, mac: "02:AB:00:00:00:07" }));
  const outcome = await add(AUTO, world.ports);
  assert.ok(outcome.ok, outcome.ok ? "" : outcome.error.msg);
  const { kind, vlanId, mac } = world.pod.links.get("eth0") ?? {};
  assert.deepEqual({ kind, vlanId, mac }, { kind: "vlan", vlanId: 7, mac: "02:ab:00:00:00:07" });
  const { ipam } = VLAN_CONFIG;
  assert.ok(typeof ipam === "object");
  assert.deepEqual(world.asked, [
    {
      command: "ADD",
      config: { ...AUTO_CONFIG, ipam: { ...ipam, ...parent, probe_later: true } },
      links: ["lo"],
    },
    {
      command: "ADD",
      config: { ...AUTO_CONFIG, ipam: { ...ipam, ...parent } },
      links: ["lo", "eth0"],
    },
  ]);
  assert.deepEqual(world.questions.map(({ asked }) => asked.split(" HTTP")[0]), [
    "GET /v1/workloadendpoint?podNamespace=default&podName=web-0&containerID=c0ffee&ifName=eth0",
  ]);
});

Deno.test("add() waits for the record of this pod's NIC, not of one before it", async () => {
  const world = new VlanWorld(GIVEN, GIVEN);
  world.agent.push(NO_RECORD, recordOf({ vlan: 5 }, "0a-ff"), recordOf({ interface: "net9" }));
  world.agent.push(recordOf({ vlan: 7 }));
  const adding = add(AUTO, world.ports);
  await world.clock.advance(1_000);
  assert.ok((await adding).ok);
  assert.equal(world.pod.links.get("eth0")?.vlanId, 7);
  assert.deepEqual([world.questions.length, world.endedAfter], [4, [4]]);
});

Deno.test("add() knows a static pod's record, whose UID is another for the kubelet", async () => {
  const world = new VlanWorld(GIVEN, GIVEN);
  world.agent.push(recordOf({ vlan: 7 }, "0a-ff"));
  assert.ok((await add(vlanCall(AUTO_CONFIG, { podUID: "5f3a" }), world.ports)).ok);
});

const UNSAID: readonly (readonly [string, VlanWorld["agent"], number, RegExp])[] = [
  ["it is gone", [], 11, /does not say its VLAN: there is no socket "\/var\/run\/spidernet/],
  ["it fails", [{ status: 500, body: "broken" }], 999, /does not say its VLAN: broken$/],
  ["it knows none", [recordOf({})], 999, /knows no VLAN of 10\.6\.0\.17\/16, see that .* vlanId/],
  ["it says no MAC", [recordOf({ vlan: 7, mac: "x" })], 999, /the hardware address "x", which/],
  ["it has no record", Array(99).fill(NO_RECORD), 999, /does not say its VLAN: no endpoint$/],
  ["it has another", Array(99).fill(recordOf({ vlan: 5 }, "0a-ff")), 11, /has no record of it/],
];

for (const [what, agent, code, expected] of UNSAID) {
  Deno.test(`add() without a VLAN makes no NIC if the agent cannot say it: ${what}`, async () => {
    const world = new VlanWorld(GIVEN, GIVEN);
    world.agent.push(...agent);
    const adding = add(AUTO, world.ports);
    await world.clock.advance(40_000);
    const refused = refusal(await adding);
    assert.equal(refused.code, code);
    assert.match(refused.msg, expected);
    assert.deepEqual(undone(world), [
      "ADD",
      "DEL",
    ]);
  });
}

Deno.test("add() gives back what it was given first if the second answer is a no", async () => {
  const world = new VlanWorld(GIVEN, refusedBy("ip conflict"));
  world.agent.push(recordOf({ vlan: 7 }));
  assert.equal(refusal(await add(AUTO, world.ports)).msg, "ip conflict");
  assert.deepEqual(undone(world), ["ADD", "ADD", "DEL"]);
});

Deno.test("add() asks again after an exchange, and fails on another VLAN", async () => {
  const same = new VlanWorld(GIVEN, givenBy("10.6.0.18/16"));
  same.agent.push(recordOf({ vlan: 7 }), recordOf({ vlan: 7 }));
  assert.ok((await add(AUTO, same.ports)).ok);
  assert.deepEqual(same.pod.addresses, ["10.6.0.18/16"]);
  const moved = new VlanWorld(GIVEN, givenBy("10.7.0.1/16"));
  moved.agent.push(recordOf({ vlan: 7 }), recordOf({ vlan: 8 }));
  const { code, msg } = refusal(await add(AUTO, moved.ports));
  assert.equal(code, 11);
  assert.match(msg, /became 10\.7\.0\.1\/16, which belong to VLAN 8 and not to 7$/);
  assert.deepEqual(undone(moved), ["ADD", "ADD", "DEL"]);
});
