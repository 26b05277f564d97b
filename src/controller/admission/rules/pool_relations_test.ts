import assert from "node:assert/strict";
import fc from "fast-check";
import { ADMISSION_SETTINGS } from "../../../../tests/support/admission_judge.ts";
import { type PoolInit, poolOf } from "../../../../tests/support/pool_objects.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../../api/subnet.ts";
import { expectOk } from "../../../base/result.ts";
import { parseAddress } from "../../../ip/mod.ts";
import { type Fault, faultSentence } from "./fault.ts";
import { holderFaults, recordedHolders } from "./holder_faults.ts";
import {
  loanFaults,
  overlapFault,
  removedAddresses,
  subnetBoundFaults,
  subnetOverlapFault,
  subnetPoolFault,
} from "./pool_relations.ts";
import { withSubnet } from "./pool_rules.ts";
import type { Reviewed } from "./settings.ts";

function reviewed<T>(object: T, previous?: T): Reviewed<T> {
  return { object, previous, settings: ADMISSION_SETTINGS };
}

function subnetOf(
  { name = "s1", lent, ...spec }: Partial<SpiderSubnet["spec"]> & {
    readonly name?: string;
    readonly lent?: Readonly<Record<string, { readonly ips: readonly string[] }>>;
  } = {},
): SpiderSubnet {
  return expectOk(
    SPIDER_SUBNETS.parse({
      metadata: { name, uid: `uid-of-${name}` },
      spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.1-10.6.0.99"], ...spec },
      status: lent === undefined ? {} : { controlledIPPools: JSON.stringify(lent) },
    }),
    "the API server would store this subnet",
  );
}

function said(...faults: readonly (Fault | undefined)[]): readonly string[] {
  return faults.flatMap((fault) => fault === undefined ? [] : [faultSentence(fault)]);
}

const OTHER: PoolInit = { name: "other", ips: ["10.6.0.10-10.6.0.19"], excludeIPs: ["10.6.0.15"] };

Deno.test("overlapFault() names the pool that has the addresses already", () => {
  const other = poolOf(OTHER);
  assert.deepEqual(
    said(overlapFault(reviewed(poolOf({ name: "new", ips: ["10.6.0.14-10.6.0.30"] })), other)),
    [
      'Cannot use spec.ips "10.6.0.14, 10.6.0.16-10.6.0.19": SpiderIPPool "other" has these ' +
      "addresses too; leave them out of one of the two",
    ],
  );
  const free = poolOf({ name: "new", ips: ["10.6.0.15", "10.6.0.20"] });
  assert.deepEqual(said(overlapFault(reviewed(free), other)), []);
  assert.deepEqual(said(overlapFault(reviewed(other), other)), [], "a pool is no other pool");
});

Deno.test("overlapFault() asks of a change only what it adds", () => {
  const stored = poolOf({ name: "new", ips: ["10.6.0.10"] });
  const changed = poolOf({ name: "new", ips: ["10.6.0.10"], disable: true });
  assert.deepEqual(said(overlapFault(reviewed(changed, stored), poolOf(OTHER))), []);
  const grown = poolOf({ name: "new", ips: ["10.6.0.10-10.6.0.11"] });
  assert.match(said(overlapFault(reviewed(grown, stored), poolOf(OTHER))).join(), /"10\.6\.0\.11"/);
});

Deno.test("overlapFault() refuses networks that are neither the same nor apart", () => {
  const inner = poolOf({ name: "new", subnet: "10.6.1.0/24", ips: [] });
  assert.deepEqual(said(overlapFault(reviewed(inner), poolOf(OTHER))), [
    'Cannot use spec.subnet "10.6.1.0/24": it overlaps "10.6.0.0/16" of SpiderIPPool "other"; ' +
    "write the same network, or one that shares no address with it",
  ]);
  const apart = poolOf({ name: "new", subnet: "10.7.0.0/16", ips: [] });
  assert.deepEqual(said(overlapFault(reviewed(apart), poolOf(OTHER))), []);
  const other6 = poolOf({ name: "new", subnet: "fd00:6::/64" });
  assert.deepEqual(said(overlapFault(reviewed(other6), poolOf(OTHER))), []);
});

Deno.test("property: overlapFault() agrees with a list of all addresses", () => {
  const range = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 9 }));
  const ranges = fc.array(range, { maxLength: 3 });
  const texts = (all: readonly (readonly [number, number])[]) =>
    all.map(([first, more]) => `10.6.0.${first}-10.6.0.${first + more}`);
  const members = (all: readonly (readonly [number, number])[]) =>
    new Set(all.flatMap(([first, more]) => Array.from({ length: more + 1 }, (_, i) => first + i)));
  fc.assert(fc.property(ranges, ranges, ranges, ranges, (one, oneOut, two, twoOut) => {
    const pool = poolOf({ name: "new", ips: texts(one), excludeIPs: texts(oneOut) });
    const other = poolOf({ name: "other", ips: texts(two), excludeIPs: texts(twoOut) });
    const mine = members(one).difference(members(oneOut));
    const theirs = members(two).difference(members(twoOut));
    const found = overlapFault(reviewed(pool), other) !== undefined;
    assert.equal(found, mine.intersection(theirs).size > 0);
  }));
});

Deno.test("subnets do not share networks, with each other or with pools", () => {
  const fresh = reviewed(subnetOf({ name: "new" }));
  assert.deepEqual(said(subnetOverlapFault(fresh, subnetOf({ name: "old" }))), [
    'Cannot use spec.subnet "10.6.0.0/16": SpiderSubnet "old" has this network; add the ' +
    "addresses to it instead",
  ]);
  const inner = subnetOf({ name: "old", subnet: "10.6.0.0/24", ips: [] });
  assert.match(said(subnetOverlapFault(fresh, inner)).join(), /overlaps "10\.6\.0\.0\/24"/);
  assert.deepEqual(said(subnetPoolFault(fresh, poolOf({ ips: ["10.6.0.90-10.6.0.120"] }))), [
    'Cannot use spec.ips: SpiderIPPool "p1" of the same network has 10.6.0.100-10.6.0.120; write ' +
    "these addresses here as well",
  ]);
  assert.deepEqual(said(subnetPoolFault(fresh, poolOf())), []);
  assert.deepEqual(said(subnetOverlapFault(reviewed(fresh.object, fresh.object), inner)), []);
});

Deno.test("loanFaults() names the pool that a subnet takes addresses from", () => {
  const lent = { web: { ips: ["10.6.0.10-10.6.0.19"] }, db: { ips: ["10.6.0.50"] } };
  const stored = subnetOf({ lent });
  const less = subnetOf({ ips: ["10.6.0.1-10.6.0.15"], lent });
  assert.deepEqual(said(...loanFaults(reviewed(less, stored))), [
    'Cannot use spec.ips: it no longer has 10.6.0.16-10.6.0.19, lent to SpiderIPPool "web"; take ' +
    "them out of that pool first",
    'Cannot use spec.ips: it no longer has 10.6.0.50, lent to SpiderIPPool "db"; take them out ' +
    "of that pool first",
  ]);
  const unused = subnetOf({ ips: ["10.6.0.1-10.6.0.60"], lent });
  assert.deepEqual(said(...loanFaults(reviewed(unused, stored))), []);
});

Deno.test("subnetBoundFaults() keeps a pool inside what its subnet lends", () => {
  const lent = { web: { ips: ["10.6.0.10-10.6.0.19"] }, auto: { ips: ["10.6.0.30-10.6.0.31"] } };
  const subnet = subnetOf({ lent });
  const outside = poolOf({ name: "new", ips: ["10.6.0.98-10.6.0.101"] });
  assert.deepEqual(said(...subnetBoundFaults(reviewed(outside), subnet)), [
    'Cannot use spec.ips "10.6.0.100-10.6.0.101": SpiderSubnet "s1" does not have these ' +
    "addresses; add them there first",
  ]);
  const taken = poolOf({ name: "new", ips: ["10.6.0.19-10.6.0.20"] });
  assert.deepEqual(said(...subnetBoundFaults(reviewed(taken), subnet)), [
    'Cannot use spec.ips "10.6.0.19": SpiderSubnet "s1" has lent these addresses to SpiderIPPool ' +
    '"web"; leave them out',
  ]);
  const metadata = { labels: { "ipam.spidernet.io/owner-application-name": "shop" } };
  const automatic = poolOf({ name: "auto", ips: ["10.6.0.30-10.6.0.33"], metadata });
  assert.deepEqual(said(...subnetBoundFaults(reviewed(automatic), subnet)), [
    'Cannot use spec.ips "10.6.0.32-10.6.0.33": SpiderSubnet "s1" has not lent these addresses ' +
    "to this automatic pool; change the number of addresses at the application instead",
  ]);
  const smaller = poolOf({ name: "auto", ips: ["10.6.0.30"], metadata });
  assert.deepEqual(said(...subnetBoundFaults(reviewed(smaller), subnet)), []);
});

Deno.test("holderFaults() names the pod that an address is taken from", () => {
  const stored = poolOf({ ips: ["10.6.0.10-10.6.0.19"] });
  const less = poolOf({ ips: ["10.6.0.10-10.6.0.18"], excludeIPs: ["10.6.0.12"] });
  const removed = removedAddresses(reviewed(less, stored));
  assert.equal(String(removed), "10.6.0.12, 10.6.0.19");
  const holders = ["10.6.0.12", "10.6.0.19"].map((text, index) => ({
    address: expectOk(parseAddress(text), "it is one"),
    who: `pod "default/web-${index}" (NIC "eth0")`,
  }));
  assert.deepEqual(said(...holderFaults(less, { shown: holders, more: 2 })), [
    'Cannot use spec.excludeIPs: it takes away "10.6.0.12", which pod "default/web-0" (NIC ' +
    '"eth0") uses; keep the address until that has ended',
    'Cannot use spec.ips: it leaves out "10.6.0.19", which pod "default/web-1" (NIC "eth0") ' +
    "uses; keep the address until that has ended",
    "Cannot use spec.ips: 2 more addresses are in use; keep them too",
  ]);
});

Deno.test("recordedHolders() reads the records of installations before ours, no others", () => {
  const allocatedIPs = '{"10.6.0.19":{"pod":"a/b","podUid":"u"},"10.6.0.11":{"pod":"c/d"}}';
  const pool = poolOf({ adopted: false });
  const less = poolOf({ ips: ["10.6.0.10-10.6.0.18"] });
  const removed = removedAddresses(reviewed(less, pool));
  assert.ok(removed !== undefined);
  const old = { ...pool, status: { allocatedIPs } };
  assert.deepEqual(recordedHolders(old, removed).map(({ who }) => who), ['pod "a/b"']);
  const adopted = { ...old, status: { ...old.status, truth: "SpiderIP" as const } };
  assert.deepEqual(recordedHolders(adopted, removed), []);
});

Deno.test("withSubnet() gives a pool to the subnet of its network, with what it lacks", () => {
  const routes = [{ dst: "10.8.0.0/16", gw: "10.6.0.1" }];
  const subnets = [
    subnetOf({ name: "b", subnet: "10.6.0.0/16", gateway: "10.6.0.1", routes }),
    subnetOf({ name: "a", subnet: "10.7.0.0/16", ips: [] }),
  ];
  const owned = withSubnet(poolOf({ routes: [] }), subnets);
  assert.deepEqual(owned.metadata.ownerReferences, [{
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderSubnet",
    name: "b",
    uid: "uid-of-b",
    controller: true,
    blockOwnerDeletion: true,
  }]);
  assert.equal(owned.metadata.labels?.["ipam.spidernet.io/owner-spider-subnet"], "b");
  assert.equal(owned.spec.gateway, "10.6.0.1");
  assert.deepEqual(owned.spec.routes, [], "an empty list is the pool's own word");
  assert.equal(withSubnet(owned, [subnetOf({ name: "0" })]), owned, "it has an owner");
  const alone = poolOf({ subnet: "10.9.0.0/16", ips: [] });
  assert.equal(withSubnet(alone, subnets), alone);
});
