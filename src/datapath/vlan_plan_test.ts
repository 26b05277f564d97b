import assert from "node:assert/strict";
import { vlanText } from "./vlan_operation.ts";
import {
  nicDifferences,
  type NicFacts,
  type NicWish,
  planNic,
  planRemoval,
  refusedVlanText,
  temporaryName,
  type VlanLink,
} from "./vlan_plan.ts";

function link(index: number, name: string, more: Partial<VlanLink> = {}): VlanLink {
  return { index, name, isUp: true, mtu: 1_500, isParentElsewhere: false, ...more };
}

const ENS1 = link(2, "ens1");
const LO = link(1, "lo");
const FACTS: NicFacts = { master: ENS1, nodeNames: [], links: [LO] };
const WISH: NicWish = { ifName: "eth0", master: "ens1", vlanId: 100, mtu: 0 };
const TEMPORARY = temporaryName("eth0");
const MAKE = [
  `ip link add link ens1 name ${TEMPORARY} netns POD mtu 1500 type vlan id 100`,
  `ip link set ${TEMPORARY} name eth0`,
];

/** A NIC of the pod on a link of the node. */
function vlan(index: number, name: string, more: Partial<VlanLink> = {}): VlanLink {
  const own = { kind: "vlan", vlanId: 100, parentIndex: 2, isParentElsewhere: true };
  return link(index, name, { ...own, ...more });
}

function textsOf(wish: NicWish, facts: NicFacts): readonly string[] {
  const plan = planNic(wish, facts);
  assert.ok(plan.ok, plan.ok ? "" : plan.error);
  return plan.value.map(vlanText);
}

function refusalOf(wish: Partial<NicWish>, facts: Partial<NicFacts>): string {
  const plan = planNic({ ...WISH, ...wish }, { ...FACTS, ...facts });
  assert.ok(!plan.ok, "it is planned");
  return plan.error;
}

Deno.test("temporaryName() is a link's name, the same for a NIC and another for another", () => {
  assert.match(TEMPORARY, /^spvlan[0-9a-f]{8}$/);
  assert.equal(temporaryName("eth0"), TEMPORARY);
  assert.notEqual(temporaryName("net1"), TEMPORARY);
});

Deno.test("planNic() makes a VLAN in the pod, with the MTU and MAC that are asked for", () => {
  assert.deepEqual(textsOf(WISH, FACTS), MAKE);
  const mac = "02:00:00:00:00:01";
  assert.deepEqual(textsOf({ ...WISH, vlanId: 0, mtu: 1_400, mac }, FACTS), [
    `ip link add link ens1 name ${TEMPORARY} netns POD mtu 1400 address ${mac} type vlan id 0`,
    `ip link set ${TEMPORARY} name eth0`,
  ]);
});

Deno.test("planNic() makes anew what an earlier ADD left, half or whole", () => {
  for (const name of [TEMPORARY, "eth0"]) {
    const links = [LO, vlan(7, name)];
    assert.deepEqual(textsOf(WISH, { ...FACTS, links }), [`ip link del ${name}`, ...MAKE]);
  }
  const other = [LO, vlan(7, TEMPORARY, { vlanId: 5 })];
  assert.deepEqual(textsOf(WISH, { ...FACTS, links: other }), [
    `ip link del ${TEMPORARY}`,
    ...MAKE,
  ]);
});

Deno.test("planNic() makes further NICs of a pod on other VLANs and other masters", () => {
  const links = [LO, vlan(7, "net1", { vlanId: 101 }), vlan(8, "net2", { parentIndex: 3 })];
  assert.deepEqual(textsOf(WISH, { ...FACTS, links }), MAKE);
});

Deno.test("planNic() refuses what cannot be, in one sentence", () => {
  const start = 'Cannot make VLAN 100 of "ens1" as NIC "eth0": ';
  assert.equal(
    refusalOf({}, { master: undefined, nodeNames: ["lo", "ens2", "ens3"] }),
    `${start}the node has no link "ens1", name one of "ens2", "ens3" as master`,
  );
  assert.equal(
    refusalOf({}, { master: { ...ENS1, isUp: false } }),
    `${start}"ens1" is down, set it up on the node ("ip link set ens1 up") or name another master`,
  );
  assert.equal(
    refusalOf({ mtu: 9_000 }, {}),
    `${start}mtu 9000 is more than the 1500 of "ens1", write at most that, or 0 to have the same`,
  );
  const taken = (found: VlanLink): string => refusalOf({}, { links: [LO, found] });
  const otherwise = "have this network's NIC named otherwise";
  assert.equal(
    taken(link(7, "eth0", { kind: "veth" })),
    `${start}the pod has a link "eth0" already that is a veth, ${otherwise}`,
  );
  assert.equal(
    taken(link(7, "eth0")),
    `${start}the pod has a link "eth0" already that is hardware, ${otherwise}`,
  );
  for (const more of [{ vlanId: 5 }, { parentIndex: 3 }, { isParentElsewhere: false }]) {
    const found = vlan(7, "eth0", more);
    assert.equal(
      taken(found),
      `${start}the pod has a link "eth0" already that is VLAN ${found.vlanId}, ${otherwise}`,
    );
  }
  assert.equal(
    taken(vlan(7, "net1")),
    `${start}it is the pod's NIC "net1" already, and a link has a VLAN once; write another ` +
      `vlanId or master`,
  );
});

Deno.test("planRemoval() removes the NIC under both its names, and nothing else", () => {
  const others = [
    LO,
    vlan(5, "net1", { vlanId: 7 }),
    vlan(6, temporaryName("net1")),
    link(7, "eth0", { kind: "veth" }),
    link(8, "eth0", { kind: "vlan", vlanId: 3, parentIndex: 5 }),
  ];
  assert.deepEqual(planRemoval("eth0", others), []);
  const own = [vlan(9, "eth0"), vlan(10, TEMPORARY)];
  assert.deepEqual(planRemoval("eth0", [...others, ...own]).map(vlanText), [
    "ip link del eth0",
    `ip link del ${TEMPORARY}`,
  ]);
});

Deno.test("refusedVlanText() says why the kernel refuses a VLAN", () => {
  const start = 'Cannot make VLAN 100 of "ens1" as NIC "eth0": ';
  const text = (name: string, said: string, more: readonly VlanLink[] = []) =>
    refusedVlanText(WISH, { name, text: said }, { links: [LO, ENS1, ...more] });
  assert.equal(
    text("EOPNOTSUPP", "Unknown device type"),
    `${start}the node's kernel has no VLANs, load the module 8021q there ("modprobe 8021q")`,
  );
  assert.equal(
    text("EOPNOTSUPP", "8021q: VLANs not supported on device"),
    `${start}"ens1" carries no VLANs, name another master`,
  );
  const once = "and a link has a VLAN once";
  const own = link(9, "ens1.100", { kind: "vlan", vlanId: 100, parentIndex: 2 });
  assert.equal(
    text("EEXIST", "", [own]),
    `${start}it is link "ens1.100" of the node already, ${once}; remove that one, or write ` +
      `another vlanId or master`,
  );
  assert.equal(
    text("EEXIST", "", [{ ...own, parentIndex: 3 }]),
    `${start}another pod of this node has it, ${once}; place the pods on different nodes, or ` +
      `write another vlanId or master`,
  );
  assert.equal(
    text("EEXIST", "", [link(9, TEMPORARY)]),
    `${start}the node has a link "${TEMPORARY}", which the NIC is called while it is made; ` +
      `remove or rename it`,
  );
  assert.equal(text("EINVAL", ""), undefined);
});

Deno.test("nicDifferences() names what is not as an ADD left it", () => {
  const addresses = ["10.6.0.17/16", "fd00::17/64"];
  const wish = { ifName: "eth0", master: "ens1", vlanId: 100, addresses };
  const facts = { ...FACTS, links: [LO, vlan(7, "eth0")], addresses };
  assert.deepEqual(nicDifferences(wish, facts), []);
  assert.deepEqual(
    nicDifferences({ ...wish, vlanId: undefined, addresses: ["FD00:0::17/64"] }, facts),
    [],
  );
  const of = (more: Partial<typeof facts>) => nicDifferences(wish, { ...facts, ...more });
  assert.deepEqual(of({ links: [LO] }), ['the pod has no link "eth0"']);
  assert.deepEqual(of({ master: undefined }), ['the node has no link "ens1"']);
  assert.deepEqual(of({ links: [link(7, "eth0", { kind: "veth" })] }), [
    'it is a veth and not on "ens1"',
  ]);
  assert.deepEqual(of({ links: [vlan(7, "eth0", { parentIndex: 3 })] }), [
    'it is VLAN 100 and not on "ens1"',
  ]);
  assert.deepEqual(of({ links: [vlan(7, "eth0", { vlanId: 7, isUp: false })], addresses: [] }), [
    "it is VLAN 7 and not 100",
    "it is down",
    "it lacks 10.6.0.17/16 of prevResult",
    "it lacks fd00::17/64 of prevResult",
  ]);
});
