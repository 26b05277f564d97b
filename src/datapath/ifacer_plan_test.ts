import assert from "node:assert/strict";
import { ifacerText, type IfacerWish, type NodeLink, planIfacer } from "./ifacer_plan.ts";

const BARE = { isUp: true, addresses: [], hasDefaultRoute: false };

/** A link of the node; its index is its place. */
function link(index: number, name: string, more: Partial<NodeLink> = {}): NodeLink {
  return { ...BARE, index, name, ...more };
}

const LO = link(1, "lo");
const NODE = [LO, link(2, "eth0"), link(3, "eth1"), link(4, "eth2", { isUp: false })];

function textsOf(wish: IfacerWish, links: readonly NodeLink[]): readonly string[] {
  const plan = planIfacer(wish, links);
  assert.ok(plan.ok, plan.ok ? "" : plan.error);
  return plan.value.map(({ operation }) => ifacerText(operation));
}

function refusalOf(wish: IfacerWish, links: readonly NodeLink[]): string {
  const plan = planIfacer(wish, links);
  assert.ok(!plan.ok, "it is planned");
  return plan.error;
}

const BOND = { name: "bond0", mode: 1, settings: { miimon: 100 } };

Deno.test("planIfacer() has nothing to do without VLAN and bond", () => {
  assert.deepEqual(textsOf({ interfaces: ["eth1"], vlanId: 0 }, NODE), []);
  assert.deepEqual(textsOf({ interfaces: ["eth1", "eth2"], vlanId: 0 }, NODE), []);
  assert.deepEqual(textsOf({ interfaces: ["eth1"], vlanId: 0, bond: BOND }, NODE), []);
});

Deno.test("planIfacer() makes a VLAN, and its parent is up", () => {
  assert.deepEqual(textsOf({ interfaces: ["eth2"], vlanId: 100 }, NODE), [
    "ip link set eth2 up",
    "ip link add link eth2 name eth2.100 type vlan id 100",
    "ip link set eth2.100 up",
  ]);
  const there = [...NODE, link(5, "eth1.100", { kind: "vlan", vlanId: 100, parentIndex: 3 })];
  assert.deepEqual(textsOf({ interfaces: ["eth1"], vlanId: 100 }, there), []);
  assert.deepEqual(textsOf({ interfaces: ["eth1"], vlanId: 200 }, there), [
    "ip link add link eth1 name eth1.200 type vlan id 200",
    "ip link set eth1.200 up",
  ]);
});

Deno.test("planIfacer() makes a bond: its ports join while they are down", () => {
  const wish = { interfaces: ["eth1", "eth2"], vlanId: 30, bond: BOND };
  assert.deepEqual(textsOf(wish, NODE), [
    "ip link add name bond0 type bond mode 1 miimon 100",
    "ip link set eth1 down",
    "ip link set eth1 master bond0",
    "ip link set eth1 up",
    "ip link set eth2 master bond0",
    "ip link set eth2 up",
    "ip link set bond0 up",
    "ip link add link bond0 name bond0.30 type vlan id 30",
    "ip link set bond0.30 up",
  ]);
});

Deno.test("planIfacer() repairs a bond that was left half-built", () => {
  const bond = link(5, "bond0", { kind: "bond", isUp: false, bond: { mode: 1, miimon: 100 } });
  const half = [
    LO,
    link(2, "eth0"),
    link(3, "eth1", { masterIndex: 5, isUp: false }),
    NODE[3] ?? LO,
    bond,
  ];
  const settings = { miimon: 100, primary: "eth2", active_slave: "eth2" };
  const wish = { interfaces: ["eth1", "eth2"], vlanId: 0, bond: { ...BOND, settings } };
  assert.deepEqual(textsOf(wish, half), [
    "ip link set eth1 up",
    "ip link set eth2 master bond0",
    "ip link set eth2 up",
    "ip link set bond0 up",
    "ip link set bond0 type bond active_slave eth2",
  ]);
});

Deno.test("planIfacer() undoes each step that changes something", () => {
  const plan = planIfacer({ interfaces: ["eth1", "eth2"], vlanId: 0, bond: BOND }, NODE);
  assert.ok(plan.ok);
  const undos = plan.value.toReversed().flatMap(({ undo }) =>
    undo === undefined ? [] : [ifacerText(undo)]
  );
  assert.deepEqual(undos, [
    "ip link set eth2 down",
    "ip link set eth2 nomaster",
    "ip link set eth1 nomaster",
    "ip link set eth1 up",
    "ip link del bond0",
  ]);
});

const VLAN = link(5, "eth1.100", { kind: "vlan", vlanId: 100, parentIndex: 3 });
const WRONG_BOND = link(6, "bond0", { kind: "bond", bond: { mode: 4, miimon: 100 } });
const TWO = { interfaces: ["eth1", "eth2"], vlanId: 0, bond: BOND };
const PORT = { ...link(3, "eth1"), masterIndex: 6 };
const OTHER = { ...WRONG_BOND, bond: { mode: 1, miimon: 50 } };
/** Wishes, what the node has, and what is said. */
const REFUSALS: readonly (readonly [IfacerWish, readonly NodeLink[], RegExp])[] = [
  [
    { interfaces: ["eth9"], vlanId: 5 },
    NODE,
    /no link "eth9", name one of "eth0", "eth1", "eth2"$/,
  ],
  [
    { interfaces: ["a-long-name-x"], vlanId: 100 },
    NODE,
    /"a-long-name-x\.100" is longer than the 15/,
  ],
  [
    { interfaces: ["eth0"], vlanId: 100 },
    [...NODE, VLAN],
    /has VLAN 100 already, link "eth1\.100" on "eth1"/,
  ],
  [
    { interfaces: ["eth0"], vlanId: 7 },
    [...NODE, link(5, "eth0.7", { kind: "vlan", vlanId: 8, parentIndex: 2 })],
    /"eth0\.7" already that is VLAN 8 of "eth0", remove or rename it$/,
  ],
  [
    { interfaces: ["eth0"], vlanId: 7 },
    [...NODE, link(5, "eth0.7", { kind: "dummy" })],
    /"eth0\.7" already that is a dummy/,
  ],
  [
    { interfaces: ["eth0"], vlanId: 7 },
    [...NODE, link(5, "eth0.7", { kind: "vlan", vlanId: 7, parentIndex: 3 })],
    /"eth0\.7" already that is VLAN 7 of "eth1"/,
  ],
  [
    { interfaces: ["eth1", "eth2"], vlanId: 7 },
    NODE,
    /several interfaces carry one VLAN as a bond only/,
  ],
  [
    TWO,
    [...NODE, WRONG_BOND],
    /with mode 4 \(802\.3ad\), and mode 1 \(active-backup\) is asked for/,
  ],
  [TWO, [...NODE, OTHER], /with miimon 50, and 100 is asked for; change bond, or remove/],
  [TWO, [...NODE, link(6, "bond0", { kind: "dummy" })], /of that name already that is a dummy/],
  [
    TWO,
    [...NODE, { ...OTHER, bond: { mode: 1, miimon: 100 } }, link(7, "eth3", { masterIndex: 6 })],
    /with the port "eth3", which is none of "eth1", "eth2"/,
  ],
  [
    TWO,
    [LO, PORT, ...NODE.slice(3), link(6, "br0", { kind: "bridge" })],
    /"eth1" is a port of "br0"/,
  ],
  [
    TWO,
    [LO, link(3, "eth1", { addresses: ["10.0.0.1/24"] }), ...NODE.slice(3)],
    /"eth1" is in use, it has 10\.0\.0\.1\/24, which it would lose/,
  ],
  [
    TWO,
    [LO, link(3, "eth1", { hasDefaultRoute: true }), ...NODE.slice(3)],
    /has a default route/,
  ],
  [{ ...TWO, interfaces: ["eth1", "eth1"] }, NODE, /"eth1" is twice among interfaces/],
  [{ ...TWO, interfaces: ["eth1", "bond0"] }, NODE, /among its own interfaces/],
  [{ ...TWO, interfaces: ["eth1", "eth7"] }, NODE, /no link "eth7"/],
  [
    { ...TWO, bond: { ...BOND, settings: { primary: "eth0" } } },
    NODE,
    /primary "eth0", which is none of "eth1", "eth2"/,
  ],
  [{ ...TWO, bond: { ...BOND, name: "a-very-long-bond" } }, NODE, /longer than 15 bytes/],
];

Deno.test("planIfacer() refuses what differs, and what is in use, with the remedy", () => {
  for (const [wish, links, expected] of REFUSALS) assert.match(refusalOf(wish, links), expected);
});
