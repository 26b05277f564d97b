import assert from "node:assert/strict";
import { factsOf, poolOf, readingsOf } from "../../tests/support/pool_objects.ts";
import { podWith, requestOf, SETTINGS, wishFactsOf } from "../../tests/support/selection_facts.ts";
import { WISHED_PATTERNS_MAX, WISHED_POOLS_MAX } from "../base/limits.ts";
import { expectOk } from "../base/result.ts";
import { readPool } from "./pool_facts.ts";
import type { Refusal } from "./refusal.ts";
import { sayRefusal } from "./refusal_text.ts";
import { readWish, type Wish, type WishFacts, withPools } from "./wish.ts";
import { allowedPools, poolsOf } from "./wished_pools.ts";

const POOLS = "ipam.spidernet.io/ippools";
const POOL = "ipam.spidernet.io/ippool";
const NS4 = "ipam.spidernet.io/default-ipv4-ippool";
const NS6 = "ipam.spidernet.io/default-ipv6-ippool";
const ROUTES = "ipam.spidernet.io/routes";
const SUBNET = "ipam.spidernet.io/subnet";
const SUBNETS = "ipam.spidernet.io/subnets";
const NUMBER = "ipam.spidernet.io/ippool-ip-number";

function wishOf(changes: Partial<WishFacts>): Wish {
  return expectOk(readWish(wishFactsOf(changes)), "this wish is in order");
}

function refusalOf(changes: Partial<WishFacts>): Refusal {
  const read = readWish(wishFactsOf(changes));
  assert.ok(!read.ok, "this wish is refused");
  return read.error;
}

/** A wish for these names, by annotation. */
function named(
  lists: { readonly ipv4?: readonly string[]; readonly ipv6?: readonly string[] },
): Wish {
  return wishOf({ pod: podWith({ [POOL]: JSON.stringify(lists) }) });
}

Deno.test("readWish() takes the strongest rule that applies and nothing of the weaker ones", () => {
  const pools = JSON.stringify([{ interface: "eth0", ipv4: ["a"], cleangateway: true }]);
  const request = requestOf({ defaultIpv4Pools: ["d"], defaultIpv6Pools: ["d6"] });
  const namespaceAnnotations = { [NS4]: '["c"]' };
  const all = {
    pod: podWith({ [POOLS]: pools, [POOL]: '{"ipv6":["b"]}' }),
    namespaceAnnotations,
    request,
  };
  assert.deepEqual(wishOf(all), {
    nic: "eth0",
    rule: "ippools",
    nics: [{ nic: "eth0", cleanGateway: true, ipv4: ["a"] }],
    routes: [],
  });
  const { nics, rule } = wishOf({ ...all, pod: podWith({ [POOL]: '{"ipv6":["b"]}' }) });
  assert.deepEqual([rule, nics], ["ippool", [{ nic: "eth0", cleanGateway: false, ipv6: ["b"] }]]);
  const fromNamespace = wishOf({ namespaceAnnotations, request });
  assert.equal(fromNamespace.rule, "namespace");
  assert.deepEqual(fromNamespace.nics, [{ nic: "eth0", cleanGateway: false, ipv4: ["c"] }]);
  const fromCni = wishOf({ request });
  assert.equal(fromCni.rule, "cni");
  assert.deepEqual(fromCni.nics, [
    { nic: "eth0", cleanGateway: false, ipv4: ["d"], ipv6: ["d6"] },
  ]);
  const fromDefault = wishOf({ request: requestOf({ nic: "net1", cleanGateway: true }) });
  assert.equal(fromDefault.rule, "default");
  assert.deepEqual(fromDefault.nics, [{ nic: "net1", cleanGateway: true }]);
});

Deno.test("readWish() passes over a namespace and a configuration without names", () => {
  const namespaceAnnotations = { [NS4]: "[]", [NS6]: "null" };
  const request = requestOf({ defaultIpv6Pools: ["d"] });
  assert.equal(wishOf({ namespaceAnnotations, request }).rule, "cni");
  assert.equal(wishOf({ namespaceAnnotations }).rule, "default");
});

Deno.test("readWish() stays with an annotation of the pod that names nothing", () => {
  const request = requestOf({ defaultIpv4Pools: ["d"] });
  const { rule, nics } = wishOf({ pod: podWith({ [POOL]: "{}" }), request });
  assert.deepEqual([rule, nics], ["ippool", [{ nic: "eth0", cleanGateway: false }]]);
});

Deno.test("readWish() needs the namespace only where its rule could apply", () => {
  const namespaceAnnotations = undefined;
  assert.deepEqual(refusalOf({ namespaceAnnotations }), {
    code: "namespace_unknown",
    namespace: "default",
  });
  assert.equal(wishOf({ namespaceAnnotations, pod: podWith({ [POOL]: "{}" }) }).rule, "ippool");
});

Deno.test("readWish() keeps lists of a family that is switched off", () => {
  const settings = { ...SETTINGS, ipv6: false };
  const { nics } = wishOf({ settings, pod: podWith({ [POOL]: '{"ipv6":["b"]}' }) });
  assert.deepEqual(nics, [{ nic: "eth0", cleanGateway: false, ipv6: ["b"] }]);
});

Deno.test("readWish() numbers NICs that the annotation does not name", () => {
  const pools = '[{"ipv4":["a"]},{"ipv4":["b"],"cleangateway":true},{"ipv6":["c"]}]';
  assert.deepEqual(wishOf({ pod: podWith({ [POOLS]: pools }) }).nics, [
    { nic: "eth0", position: 0, cleanGateway: false, ipv4: ["a"] },
    { nic: "#1", position: 1, cleanGateway: true, ipv4: ["b"] },
    { nic: "#2", position: 2, cleanGateway: false, ipv6: ["c"] },
  ]);
});

Deno.test("readWish() refuses a NIC that the annotation does not name", () => {
  const pod = podWith({ [POOLS]: '[{"interface":"eth0","ipv4":["a"]}]' });
  assert.deepEqual(refusalOf({ pod, request: requestOf({ nic: "net1" }) }), {
    code: "nic_not_listed",
    annotation: POOLS,
    nic: "net1",
    listed: ["eth0"],
  });
});

Deno.test("readWish() gives routes in canonical form", () => {
  const value = '[{"dst":"10.100.1.0/16","gw":"10.6.0.1"},{"dst":"::/0","gw":"FD00:6:0::1"}]';
  assert.deepEqual(wishOf({ pod: podWith({ [ROUTES]: value }) }).routes, [
    { dst: "10.100.0.0/16", gw: "10.6.0.1" },
    { dst: "::/0", gw: "fd00:6::1" },
  ]);
});

Deno.test("readWish() refuses SpiderSubnet where it is off, never takes another pool", () => {
  const pod = podWith({ [SUBNET]: '{"ipv4":["s"]}', [POOL]: '{"ipv4":["a"]}' });
  const feature = (spiderSubnet: boolean, autoPool: boolean) =>
    refusalOf({ pod, settings: { ...SETTINGS, spiderSubnet, autoPool } });
  const refusal = { code: "subnet_disabled", annotation: SUBNET } as const;
  assert.deepEqual(feature(false, true), { ...refusal, feature: "spiderSubnet" });
  assert.deepEqual(feature(true, false), { ...refusal, feature: "autoPool" });
});

Deno.test("readWish() takes the pools of the application before all others", () => {
  const settings = { ...SETTINGS, spiderSubnet: true, autoPool: true };
  const value = '[{"interface":"net1","ipv4":["t"]},{"ipv4":["s"],"ipv6":["s6"]}]';
  const pod = podWith({ [SUBNETS]: value, [POOLS]: "{", [NUMBER]: "+2" });
  const request = requestOf({ cleanGateway: true });
  const wish = wishOf({ pod, request, settings });
  assert.equal(wish.rule, "subnets");
  assert.deepEqual(wish.nics, [{ nic: "eth0", cleanGateway: true }]);
  assert.deepEqual(wish.automatic, {
    annotation: SUBNETS,
    pools: [
      { nic: "eth0", version: 4, subnet: "s" },
      { nic: "eth0", version: 6, subnet: "s6" },
    ],
    others: [{ nic: "net1", version: 4, subnet: "t" }],
    number: { kind: "flexible", count: 2 },
  });
  const only4 = wishOf({ pod, request, settings: { ...settings, ipv6: false } });
  assert.deepEqual(only4.automatic?.pools.map(({ version }) => version), [4]);
  const made = withPools(wish, { ipv4: ["a"], ipv6: [] });
  assert.deepEqual(made.nics, [{ nic: "eth0", cleanGateway: true, ipv4: ["a"] }]);
});

Deno.test("readWish() knows no application of a pod that its node makes", () => {
  const settings = { ...SETTINGS, spiderSubnet: true, autoPool: true };
  const pod = podWith({ [SUBNET]: '{"ipv4":["s"]}' });
  const node = { apiVersion: "v1", kind: "Node", name: "n1", namespace: "default", uid: "u" };
  const refusal = { code: "no_application", pod: "default/web-0", annotation: SUBNET } as const;
  assert.deepEqual(refusalOf({ pod, settings, controller: node }), refusal);
  const theirs = { ...node, apiVersion: "example.com/v1" };
  assert.equal(wishOf({ pod, settings, controller: theirs }).rule, "subnets");
});

Deno.test("readWish() refuses a configuration that names a pool twice", () => {
  const request = requestOf({ defaultIpv4Pools: ["a"], defaultIpv6Pools: ["b", "a", "b"] });
  assert.deepEqual(refusalOf({ request }), {
    code: "duplicate_pool",
    nic: "eth0",
    pool: "b",
    field: "default_ipv6_ippool of the CNI configuration",
  });
});

Deno.test("readWish() bounds how many names and patterns it takes", () => {
  const names = Array.from({ length: WISHED_POOLS_MAX }, (_, index) => `p${index}`);
  assert.equal(wishOf({ request: requestOf({ defaultIpv4Pools: names }) }).rule, "cni");
  const more = refusalOf({ request: requestOf({ defaultIpv4Pools: [...names, "x"] }) });
  assert.match(sayRefusal(more), /has 1001 names of pools for one pod, and at most 1000/);
  const patterns = names.slice(0, WISHED_PATTERNS_MAX + 1).map((name) => `${name}*`);
  assert.equal(wishOf({ request: requestOf({ defaultIpv4Pools: patterns.slice(1) }) }).rule, "cni");
  const many = refusalOf({ request: requestOf({ defaultIpv4Pools: patterns }) });
  assert.match(sayRefusal(many), /has 33 patterns of pools for one pod, and at most 32/);
});

Deno.test("poolsOf() names pools once, in the user's order, patterns in byte order", () => {
  const wish = named({ ipv4: ["z", "b*", "a", "b2"], ipv6: ["a", "c?"] });
  assert.deepEqual(poolsOf(wish, ["b2", "c1", "a", "b10", "b1", "other", "c12"]), {
    kind: "named",
    names: ["z", "b1", "b10", "b2", "a", "c1"],
  });
  assert.deepEqual(poolsOf(named({ ipv4: ["x*"] }), ["a"]), { kind: "named", names: [] });
  assert.deepEqual(poolsOf(wishOf({}), ["a"]), { kind: "all" });
});

Deno.test("poolsOf() names the pools of all NICs", () => {
  const pools = '[{"interface":"eth0","ipv4":["a"]},{"interface":"net1","ipv4":["a","b"]}]';
  const wish = wishOf({ pod: podWith({ [POOLS]: pools }) });
  assert.deepEqual(poolsOf(wish, []), { kind: "named", names: ["a", "b"] });
});

Deno.test("allowedPools() expands patterns within their family", () => {
  const wish = named({ ipv4: ["gone", "p*"], ipv6: ["q*"] });
  const pools = readingsOf({ name: "p4" }, { name: "p6", ipVersion: 6 }, {
    name: "q6",
    ipVersion: 6,
  });
  assert.deepEqual(allowedPools(wish, pools), [
    { nic: "eth0", names: new Set(["gone", "p4", "q6"]) },
  ]);
});

Deno.test("allowedPools() of the default rule are the default pools, broken ones too", () => {
  const pools = new Map(
    [
      ["b", { kind: "facts", facts: factsOf({ name: "b", default: true, disable: true }) }],
      ["a", { kind: "facts", facts: factsOf({ name: "a" }) }],
      ["c", readPool(poolOf({ name: "c", gateway: "10.7.0.1", default: true }))],
      ["d", { kind: "absent" }],
    ] as const,
  );
  assert.deepEqual(allowedPools(wishOf({}), pools), [{ nic: "eth0", names: new Set(["b", "c"]) }]);
});

Deno.test("allowedPools() keeps positions", () => {
  const wish = wishOf({ pod: podWith({ [POOLS]: '[{"ipv4":["a"]},{"ipv4":["b"]}]' }) });
  assert.deepEqual(allowedPools(wish, new Map()), [
    { nic: "eth0", position: 0, names: new Set(["a"]) },
    { nic: "#1", position: 1, names: new Set(["b"]) },
  ]);
});
