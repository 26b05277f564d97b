import assert from "node:assert/strict";
import { factsOf, type PoolInit, poolOf } from "../../tests/support/pool_objects.ts";
import { formatAddress, formatCidr } from "../ip/mod.ts";
import { readPool, readPoolFacts } from "./pool_facts.ts";

function problemOf(init: PoolInit): string {
  const read = readPoolFacts(poolOf(init));
  return read.ok ? "no problem" : read.error.problem;
}

Deno.test("readPoolFacts() derives what the object lacks", () => {
  const facts = factsOf({
    subnet: "10.6.0.0/16",
    ips: ["10.6.0.5-10.6.0.9", "10.6.0.1-10.6.0.5", "10.6.0.10"],
    excludeIPs: ["10.6.0.3", "10.6.0.3-10.6.0.4"],
  });
  assert.equal(facts.version, 4);
  assert.equal(facts.addresses.toString(), "10.6.0.1-10.6.0.2,10.6.0.5-10.6.0.10");
  assert.equal(facts.gateway, undefined);
  assert.deepEqual(facts.routes, []);
  assert.deepEqual([facts.isDefault, facts.isDisabled, facts.isTerminating], [false, false, false]);
  assert.equal(facts.uid, "uid-of-p1");
});

Deno.test("readPoolFacts() takes any spelling and gives the canonical one", () => {
  const facts = factsOf({
    subnet: "FD00:0006:0::/64",
    ips: ["FD00:6::000A", "fd00:6:0::b"],
    gateway: "fd00:6:0:0::1",
    routes: [{ dst: "FD00:0007::5/32", gw: "fd00:6:0::2" }],
  });
  assert.equal(facts.version, 6);
  assert.equal(formatCidr(facts.subnet), "fd00:6::/64");
  assert.equal(facts.addresses.toString(), "fd00:6::a-fd00:6::b");
  assert.equal(facts.gateway === undefined ? "" : formatAddress(facts.gateway), "fd00:6::1");
  assert.deepEqual(facts.routes, [{ dst: "fd00:7::/32", gw: "fd00:6::2" }]);
});

Deno.test("readPoolFacts() takes the network that a subnet with host bits is in", () => {
  assert.equal(formatCidr(factsOf({ subnet: "10.6.0.1/16" }).subnet), "10.6.0.0/16");
});

Deno.test("readPoolFacts() never gives the gateway to a pod", () => {
  const facts = factsOf({ ips: ["10.6.0.1-10.6.0.3"], gateway: "10.6.0.1" });
  assert.equal(facts.addresses.toString(), "10.6.0.2-10.6.0.3");
  assert.equal(factsOf({ gateway: "" }).gateway, undefined);
});

Deno.test("readPoolFacts() costs the same for a /8 and a /64", () => {
  const facts = factsOf({ subnet: "fd00::/64", ips: ["fd00::-fd00::ffff:ffff:ffff:ffff"] });
  assert.equal(facts.addresses.size, 2n ** 64n);
  assert.equal(
    factsOf({ subnet: "10.0.0.0/8", ips: ["10.0.0.0-10.255.255.255"] }).addresses.size,
    2 ** 24,
  );
});

Deno.test("readPoolFacts() keeps the first of two routes to one destination", () => {
  const routes = [
    { dst: "10.100.1.0/16", gw: "10.6.0.2" },
    { dst: "10.100.0.0/16", gw: "10.6.0.3" },
    { dst: "10.101.0.0/16", gw: "10.6.0.3" },
  ];
  assert.deepEqual(factsOf({ routes }).routes, [
    { dst: "10.100.0.0/16", gw: "10.6.0.2" },
    { dst: "10.101.0.0/16", gw: "10.6.0.3" },
  ]);
});

Deno.test("readPoolFacts() says why a pool has nothing to give", () => {
  const because = (init: PoolInit) => factsOf(init).emptyBecause;
  assert.equal(because({}), undefined);
  assert.equal(because({ ips: [] }), "has no address in spec.ips");
  assert.equal(
    because({ ips: ["10.6.0.1-10.6.0.2"], excludeIPs: ["10.6.0.0-10.6.0.9"] }),
    "has no address left, spec.excludeIPs takes away all of spec.ips",
  );
  assert.equal(
    because({ ips: ["10.6.0.1"], gateway: "10.6.0.1" }),
    "has no address left, spec.gateway is the only one of spec.ips",
  );
});

Deno.test("readPoolFacts() reads who may use the pool", () => {
  const facts = factsOf({
    default: true,
    disable: true,
    nodeName: ["n1"],
    nodeAffinity: { matchLabels: { a: "b" } },
    namespaceName: ["ns"],
    multusName: ["kube-system/macvlan"],
    metadata: {
      deletionTimestamp: "2026-01-01T00:00:00Z",
      annotations: { "ipam.spidernet.io/not-usable": "overlaps p2" },
      labels: { "ipam.spidernet.io/owner-application-name": "web" },
    },
    adopted: false,
  });
  const { isDefault, isDisabled, isTerminating, notUsable, isAdopted, isAutomatic } = facts;
  assert.deepEqual(
    { isDefault, isDisabled, isTerminating, notUsable, isAdopted, isAutomatic },
    {
      isDefault: true,
      isDisabled: true,
      isTerminating: true,
      notUsable: "overlaps p2",
      isAdopted: false,
      isAutomatic: true,
    },
  );
  assert.deepEqual(facts.nodeNames, ["n1"]);
  assert.deepEqual(facts.multusNames, ["kube-system/macvlan"]);
  const plain = factsOf();
  assert.deepEqual([plain.isAdopted, plain.isAutomatic, plain.notUsable], [true, false, undefined]);
});

Deno.test("readPoolFacts() refuses what contradicts itself: field, value, remedy", () => {
  const cases: readonly (readonly [PoolInit, string])[] = [
    [
      { subnet: "net-a" },
      'Cannot use spec.subnet "net-a": its address "net-a" is not an IPv4 address; write one ' +
      'such as "10.6.0.17"',
    ],
    [
      { subnet: "10.6.0.0" },
      'Cannot use spec.subnet "10.6.0.0": it has no prefix length; write one after the address, ' +
      'as in "10.6.0.0/16"',
    ],
    [
      { subnet: "10.6.0.0/16", ipVersion: 6, ips: [] },
      'Cannot use spec.ipVersion 6: spec.subnet "10.6.0.0/16" is IPv4; write 4, or leave it out',
    ],
    [
      { ips: ["10.6.0.1", "10.6.0.9-10.6.0.5"] },
      'Cannot use spec.ips[1] "10.6.0.9-10.6.0.5": it is reversed; write "10.6.0.5-10.6.0.9"',
    ],
    [
      { ips: ["10.7.0.1", "fd00::1", "x"] },
      'Cannot use spec.ips[0] "10.7.0.1": "10.7.0.1" is outside the subnet "10.6.0.0/16"; stay ' +
      'within "10.6.0.0-10.6.255.255" (and 2 more of spec.ips)',
    ],
    [
      { excludeIPs: ["10.6.0.0/24"] },
      'Cannot use spec.excludeIPs[0] "10.6.0.0/24": it is a CIDR, not a range; write ' +
      '"10.6.0.0-10.6.0.255"',
    ],
    [
      { gateway: "10.7.0.1" },
      'Cannot use spec.gateway "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an ' +
      'address of "10.6.0.0-10.6.255.255"',
    ],
    [
      { gateway: "10.6.0.1/16" },
      'Cannot use spec.gateway "10.6.0.1/16": it has a prefix length; write the bare address ' +
      '"10.6.0.1"',
    ],
    [
      { routes: [{ dst: "10.100.0.0", gw: "10.6.0.1" }] },
      'Cannot use spec.routes[0].dst "10.100.0.0": it has no prefix length; write one after the ' +
      'address, as in "10.6.0.0/16"',
    ],
    [
      { routes: [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }] },
      'Cannot use spec.routes[0].dst "0.0.0.0/0": it is the default route; write its next hop as ' +
      "spec.gateway",
    ],
    [
      { routes: [{ dst: "10.100.0.0/16", gw: "10.7.0.1" }] },
      'Cannot use spec.routes[0].gw "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an ' +
      'address of "10.6.0.0-10.6.255.255"',
    ],
    [
      { nodeAffinity: { matchExpressions: [{ key: "zone", operator: "Is" }] } },
      'Cannot use spec.nodeAffinity.matchExpressions[0].operator "Is": write "In", "NotIn", ' +
      '"Exists" or "DoesNotExist"',
    ],
    [
      { podAffinity: { matchExpressions: [{ key: "app", operator: "In" }] } },
      "Cannot use spec.podAffinity.matchExpressions[0].values []: write at least one value for In",
    ],
  ];
  for (const [init, expected] of cases) assert.equal(problemOf(init), expected);
});

Deno.test("readPoolFacts() leaves alone a selector that names win over", () => {
  const bad = { matchExpressions: [{ key: "zone", operator: "Is" }] };
  assert.equal(problemOf({ nodeName: ["n1"], nodeAffinity: bad }), "no problem");
  assert.equal(problemOf({ namespaceName: ["a"], namespaceAffinity: bad }), "no problem");
  assert.match(problemOf({ nodeName: [], nodeAffinity: bad }), /spec\.nodeAffinity/);
  assert.match(problemOf({ namespaceAffinity: bad }), /spec\.namespaceAffinity/);
});

Deno.test("readPool() tells absent, broken and sound pools apart", () => {
  assert.deepEqual(readPool(undefined), { kind: "absent" });
  assert.deepEqual(readPool(poolOf({ subnet: "fd00::/200", ips: [], default: true })), {
    kind: "broken",
    problem: 'Cannot use spec.subnet "fd00::/200": its prefix length "200" is not a plain number ' +
      "from 0 to 128; write one after the slash",
    version: 6,
    isDefault: true,
  });
  assert.equal(readPool(poolOf()).kind, "facts");
});
