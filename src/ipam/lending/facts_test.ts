import assert from "node:assert/strict";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { expectOk } from "../../base/result.ts";
import { poolOf } from "../../../tests/support/pool_objects.ts";
import { IPV4, parseAddress, RangeSet } from "../../ip/mod.ts";
import { newClaim } from "../claim.ts";
import { NOTHING_RESERVED } from "../reserved.ts";
import { type AnyLendingFacts, type LendingSources, readLending } from "./facts.ts";
import { newHold } from "./holds.ts";
import { planLoans } from "./plan.ts";
import { brokenStatus, lendingStatus, unmetText } from "./status.ts";

const NOTHING: LendingSources = {
  pools: [],
  wishes: { made: new Map(), missing: new Map() },
  unwanted: new Set(),
  reserved: NOTHING_RESERVED,
  claims: () => [],
  claimsOf: () => [],
  isGone: () => false,
  resting: [],
  lender: "a/1",
};

function subnetOf(
  spec: Partial<SpiderSubnet["spec"]> = {},
  controlledIPPools?: string,
): SpiderSubnet {
  return expectOk(
    SPIDER_SUBNETS.parse({
      metadata: { name: "s", uid: "uid-of-s", generation: 3 },
      spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"], ...spec },
      status: { controlledIPPools },
    }),
    "a subnet",
  );
}

/** Facts of an IPv4 Subnet, as texts. */
function said(facts: AnyLendingFacts): object {
  const { total, borrowers, unlendable, loans } = facts;
  return {
    total: String(total),
    loans: [...loans.keys()],
    borrowers: borrowers.map(({ name, addresses, isAutomatic, wanted }) => {
      return `${name} ${addresses}${isAutomatic ? ` automatic, wants ${wanted}` : ""}`;
    }),
    unlendable: String(unlendable()),
  };
}

function ownedBy(uid: string): object {
  const owner = { apiVersion: "v2beta1", kind: "SpiderSubnet", name: "s", uid, controller: true };
  return { ownerReferences: [owner] };
}

function automatic(number?: string): object {
  return {
    ...ownedBy("uid-of-s"),
    labels: { "ipam.spidernet.io/owner-application-name": "web" },
    ...(number !== undefined && { annotations: { "ipam.spidernet.io/ippool-ip-number": number } }),
  };
}

Deno.test("readLending() tells own pools, what they want, and what is not lent", () => {
  const subnet = subnetOf({ excludeIPs: ["10.6.0.12"], gateway: "10.6.0.19" });
  const pools = [
    poolOf({ name: "theirs", ips: ["10.6.0.16"], metadata: ownedBy("another") }),
    poolOf({ name: "other-network", subnet: "10.7.0.0/16", ips: ["10.7.0.10"] }),
    poolOf({ name: "fixed", ips: ["10.6.0.10"], metadata: automatic("4") }),
    poolOf({ name: "flexible", ips: [], metadata: automatic("+1") }),
    poolOf({
      name: "by-hand",
      ips: ["10.6.0.13-10.6.0.15"],
      excludeIPs: ["10.6.0.14"],
      metadata: ownedBy("uid-of-s"),
    }),
    poolOf({ name: "nobodys", ips: ["10.6.0.15-10.6.0.16"] }),
    poolOf({ name: "broken", ips: ["10.6.0.x"] }),
  ];
  const address = expectOk(parseAddress("10.6.0.17"), "an address");
  const claims = () => [newHold({ pool: "gone", address })];
  const reserved = {
    ...NOTHING_RESERVED,
    ipv4: RangeSet.ofAddresses(IPV4, [expectOk(IPV4.parse("10.6.0.18"), "an address")]),
  };
  const facts = expectOk(readLending(subnet, { ...NOTHING, pools, claims, reserved }), "facts");
  assert.deepEqual(said(facts), {
    total: "10.6.0.10-10.6.0.11,10.6.0.13-10.6.0.19",
    loans: [],
    borrowers: [
      "by-hand 10.6.0.13,10.6.0.15",
      "fixed 10.6.0.10 automatic, wants 4",
      "flexible  automatic, wants undefined",
    ],
    unlendable: "10.6.0.15-10.6.0.19",
  });
});

Deno.test("readLending() takes an entry that cannot be read as lost, and says so", () => {
  const text = `{"a":{"ips":["10.6.0.10"]},"b":{"ips":["nonsense"]}}`;
  const facts = expectOk(readLending(subnetOf({}, text), NOTHING), "facts");
  assert.equal(String(facts.loans.get("a")?.addresses), "10.6.0.10");
  assert.equal(facts.loans.get("b")?.addresses.isEmpty, true);
  assert.match(facts.recordProblem ?? "", /^Cannot use status\.controlledIPPools\.b\.ips\[0\]/);
  const none = expectOk(readLending(subnetOf({}, "{"), NOTHING), "facts");
  assert.equal(none.loans.size, 0);
  assert.match(none.recordProblem ?? "", /controlledIPPools/);
});

Deno.test("readLending() reads IPv6, and refuses a spec that contradicts itself", () => {
  const spec = { subnet: "fd00:6::/64", ips: ["fd00:6::10-fd00:6::ffff:ffff"] };
  const facts = expectOk(readLending(subnetOf(spec), NOTHING), "facts");
  assert.equal(facts.version, 6);
  assert.equal(facts.total.size, 0xfffffff0n);
  const refused = readLending(subnetOf({ ips: ["10.7.0.1"] }), NOTHING);
  assert.match(refused.ok ? "" : refused.error, /^Cannot use spec\.ips\[0\] "10\.7\.0\.1"/);
});

Deno.test("lendingStatus() tells record, counts, and each pool that cannot be helped", () => {
  const text = `{"auto":{"ips":["10.6.0.10"],"application":"apps_v1_Deployment_default_web"}}`;
  const subnet = subnetOf({}, text);
  const pools = [
    poolOf({ name: "auto", ips: ["10.6.0.10"], metadata: automatic("20") }),
    poolOf({
      name: "by-hand",
      ips: ["10.6.0.10-10.6.0.12", "10.6.1.1"],
      metadata: ownedBy("uid-of-s"),
    }),
  ];
  const read = expectOk(readLending(subnet, { ...NOTHING, pools }), "facts");
  assert.equal(read.version, 4);
  if (read.version !== 4) return;
  const plan = planLoans(read);
  const status = lendingStatus(
    { facts: read, plan, loans: plan.loans },
    { subnet, nowMs: 0, lender: "a/1" },
  );
  assert.equal(status.lender, "a/1");
  assert.equal(
    status.controlledIPPools,
    `{"auto":{"ips":["10.6.0.10"],"application":"apps_v1_Deployment_default_web"},` +
      `"by-hand":{"ips":["10.6.0.11-10.6.0.12"]}}`,
  );
  assert.equal(status.allocatedIPCount, 3);
  assert.equal(status.totalIPCount, 10);
  const told = status.conditions?.map(({ type, status, message }) => [type, status, message]);
  assert.deepEqual(told, [
    ["Ready", "True", "Pools may be lent addresses of it"],
    [
      "InsufficientAddresses",
      "True",
      'SpiderIPPool "auto" should have 20 addresses and has 1, and 7 are free to lend: add ' +
      "addresses to spec.ips, or make other pools smaller",
    ],
    [
      "StrayAddresses",
      "True",
      'SpiderIPPool "by-hand" has 10.6.1.1, which the subnet does not have and 10.6.0.10, lent ' +
      "to another pool: take these addresses out of spec.ips of the pool",
    ],
  ]);
  assert.equal(plan.unmet.map(unmetText).length, 1);
});

Deno.test("brokenStatus() keeps what was lent", () => {
  const subnet = subnetOf({}, `{"a":{"ips":["10.6.0.10"]}}`);
  const status = brokenStatus("Cannot use spec.ips", { subnet, nowMs: 0 });
  assert.equal(status.controlledIPPools, `{"a":{"ips":["10.6.0.10"]}}`);
  const told = status.conditions?.map(({ type, status, reason }) => [type, status, reason]);
  assert.deepEqual(told, [
    ["Ready", "False", "Invalid"],
  ]);
});

Deno.test("readLending() takes every address as used of a pool that is not taken over", () => {
  const ips = ["10.6.0.10-10.6.0.12"];
  const pools = [
    poolOf({ name: "old", adopted: false, ips, metadata: automatic("1") }),
    poolOf({ name: "new", ips: ["10.6.0.15"], metadata: automatic("1") }),
  ];
  const record = `{"old":{"ips":["10.6.0.10-10.6.0.13"]}}`;
  const facts = expectOk(readLending(subnetOf({}, record), { ...NOTHING, pools }), "facts");
  assert.equal(
    String(facts.useOf("old").used),
    "10.6.0.10-10.6.0.13",
    "also what it is yet to get",
  );
  assert.equal(facts.useOf("new").used.isEmpty, true);
});

Deno.test("planLoans() lends to a pool what its own pods have, and to no other one", () => {
  const text = `{"a":{"ips":["10.6.0.10"]},"b":{"ips":[]}}`;
  const claims = ["10.6.0.12", "10.6.0.13", "10.6.0.14"].map((ip) => {
    const address = expectOk(parseAddress(ip), "an address");
    const who = { podNamespace: "default", podName: "p", podUID: "u", endpointName: "p" };
    return newClaim({ pool: "a", address }, { ...who, containerID: "c", nic: "eth0", node: "n1" });
  });
  const sources = {
    claims: () => claims,
    claimsOf: (pool: string) => claims.filter(({ spec }) => spec.pool === pool),
    reserved: {
      ...NOTHING_RESERVED,
      ipv4: RangeSet.ofAddresses(IPV4, [expectOk(IPV4.parse("10.6.0.12"), "an address")]),
    },
  };
  const subnet = subnetOf({ ips: ["10.6.0.10-10.6.0.14"] }, text);
  const pools = (number: string) => [
    poolOf({ name: "a", ips: ["10.6.0.10"], metadata: automatic(number) }),
    poolOf({ name: "b", ips: [], metadata: automatic("2") }),
  ];
  const lent = (number: string): object => {
    const read = readLending(subnet, { ...NOTHING, ...sources, pools: pools(number) });
    const facts = expectOk(read, "facts");
    assert.ok(facts.version === 4);
    const { loans, unmet } = planLoans(facts);
    return [...Array.from(loans, ([, { addresses }]) => String(addresses)), unmet.length];
  };
  assert.deepEqual(lent("2"), ["10.6.0.10,10.6.0.13", "", 1]);
  assert.deepEqual(lent("4"), ["10.6.0.10-10.6.0.11,10.6.0.13-10.6.0.14", "", 1]);
  assert.deepEqual(lent("1"), ["10.6.0.10", "", 1]);
});
