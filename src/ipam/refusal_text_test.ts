import assert from "node:assert/strict";
import fc from "fast-check";
import { REFUSAL_BYTES_MAX } from "../base/limits.ts";
import { classOfRefusal, type Refusal, type RefusalClass } from "./refusal.ts";
import { sayRefusal } from "./refusal_text.ts";
import {
  cappedTrace,
  contendedTrace,
  DROP_RULES,
  exhaustedTrace,
  keptTrace,
  laterTrace,
  type NicTrace,
} from "./trace.ts";

const disabled = { pool: "p1", droppedBy: "disabled", detail: "is disabled" } as const;
const elsewhere = {
  pool: "p2",
  droppedBy: "node",
  detail: 'is for nodes zone=a, this node "n2" has zone=b',
} as const;

function nic(candidates: NicTrace["candidates"], version: 4 | 6 = 4): NicTrace {
  return { nic: "eth0", version, candidates };
}

Deno.test("sayRefusal() tells each pool and what helps the one that came furthest", () => {
  assert.equal(
    sayRefusal({ code: "all_filtered", traces: [nic([elsewhere, disabled])] }),
    'no IPPool available for NIC "eth0" (IPv4): pool "p2" is for nodes zone=a, this node "n2" ' +
      'has zone=b; pool "p1" is disabled; widen spec.nodeName or spec.nodeAffinity of pool ' +
      '"p2", or keep the pod off the node',
  );
});

Deno.test("sayRefusal() tells every family that has no pool", () => {
  assert.equal(
    sayRefusal({ code: "all_filtered", traces: [nic([disabled]), nic([disabled], 6)] }),
    'no IPPool available for NIC "eth0" (IPv4): pool "p1" is disabled; for NIC "eth0" (IPv6): ' +
      'pool "p1" is disabled; set spec.disable of pool "p1" to false',
  );
});

Deno.test("sayRefusal() says which pools are full and which were left out before", () => {
  const trace = laterTrace([keptTrace("full"), disabled, keptTrace("busy"), keptTrace("kept")], {
    later: [exhaustedTrace("full", { size: 3n }), contendedTrace("busy", { attempts: 9 })],
  });
  assert.equal(
    sayRefusal({ code: "exhausted", trace: nic(trace, 6) }),
    'all IP addresses used out for NIC "eth0" (IPv6): pool "full" has no free address, all 3 are ' +
      'in use; pool "p1" is disabled; pool "busy" lost 9 addresses to other pods that asked at ' +
      'the same time; add addresses to spec.ips of pool "full", or delete pods that hold some',
  );
  assert.equal(
    exhaustedTrace("one", { size: 1 }).detail,
    "has no free address, its only one is in use",
  );
  assert.match(cappedTrace("c", { max: 7 }).detail, /MAX_ALLOCATED_IPS: 7 addresses/);
});

Deno.test("sayRefusal() cuts long traces and keeps the remedy", () => {
  const candidates = Array.from(
    { length: 300 },
    (_, index) => ({ ...elsewhere, pool: `p${index}` }),
  );
  const text = sayRefusal({ code: "all_filtered", traces: [nic(candidates), nic(candidates, 6)] });
  assert.match(text, /^no IPPool available for NIC "eth0" \(IPv4\): pool "p0" is for nodes/);
  assert.match(text, /; and 29\d more pools; for NIC "eth0" \(IPv6\): pool "p0" is for/);
  assert.match(
    text,
    /; widen spec.nodeName or spec.nodeAffinity of pool "p0", or keep the pod off the node$/,
  );
});

/** One of each code, with the class and words that its sentence has. */
const NOT_MADE = {
  nic: "eth0",
  pools: [{ version: 4, subnet: "s4" }, { version: 6, subnet: "s6" }],
  application: 'Deployment "a/web"',
  waitedMs: 50_012,
} as const;

const EACH: readonly (readonly [Refusal, RefusalClass, RegExp])[] = [
  [
    {
      code: "bad_annotation",
      on: "namespace",
      name: "team",
      message: 'Cannot use annotation "a" "[": write valid JSON',
    },
    "wrong_input",
    /^wrong input on namespace "team": Cannot use annotation "a" "\[": write valid JSON$/,
  ],
  [
    { code: "duplicate_pool", nic: "eth0", pool: "p", field: "default_ipv4_ippool" },
    "wrong_input",
    /^wrong input: duplicate IPPool "p" specified for NIC "eth0" in default_ipv4_ippool; name it/,
  ],
  [
    { code: "too_many_pools", rule: "ippool", what: "patterns", count: 33, max: 32 },
    "wrong_input",
    /ippool" has 33 patterns of pools for one pod, and at most 32 are allowed; name fewer$/,
  ],
  [
    { code: "bad_pattern", nic: "eth0", pattern: "p[", problem: "has no end; write one" },
    "wrong_input",
    /^wrong input: Cannot use "p\[" as a pattern of pools for NIC "eth0": it has no end; write/,
  ],
  [
    { code: "nic_not_listed", annotation: "a/ippools", nic: "net1", listed: ["eth0", "net2"] },
    "wrong_input",
    /"a\/ippools" is for NICs "eth0", "net2", and interface "net1" must be specified too; add an /,
  ],
  [
    {
      code: "nic_not_listed",
      annotation: "ipam.spidernet.io/subnet",
      nic: "net1",
      listed: ["eth0"],
    },
    "wrong_input",
    /is for NIC "eth0", and interface "net1" must be specified too; write it as "interface", or li/,
  ],
  [
    { code: "nic_beyond_list", nic: "net2", count: 2 },
    "wrong_input",
    /has 2 items without an interface, all of them in use, and interface "net2" must be specified/,
  ],
  [
    { code: "nic_unknown", nic: "net9", networks: ["net1"] },
    "wrong_input",
    /is for NIC "net9", and the pod has only "net1" by annotation "k8s.v1.cni.cncf.io\/networks"/,
  ],
  [
    { code: "nic_unknown", nic: "net9", networks: [] },
    "wrong_input",
    /and the pod has no annotation "k8s.v1.cni.cncf.io\/networks", which would give it one;/,
  ],
  [
    { code: "subnet_disabled", annotation: "a/subnet", feature: "spiderSubnet" },
    "wrong_input",
    /"a\/subnet" .* the SpiderSubnet feature is disabled; set enableSpiderSubnet to true, or name/,
  ],
  [
    { code: "subnet_disabled", annotation: "a/subnet", feature: "autoPool" },
    "wrong_input",
    /the Auto-Pool feature is disabled; set enableAutoPoolForApplication to true, or name pools/,
  ],
  [
    { code: "no_application", pod: "default/lone", annotation: "a/subnet" },
    "wrong_input",
    /"a\/subnet" asks for .* pod "default\/lone" belongs to, and nothing controls the pod; make it/,
  ],
  [
    { code: "pool_not_made", ...NOT_MADE },
    "no_available_pool",
    /NIC "eth0" \(IPv4 and IPv6\): no pool was made out of SpiderSubnet "s4", "s6" for Deployment /,
  ],
  [
    { code: "pool_not_made", ...NOT_MADE },
    "no_available_pool",
    /within 50 seconds; look at the Events of Deployment "a\/web", and whether a spiderpool-contro/,
  ],
  [
    { code: "pool_not_made", ...NOT_MADE, said: 'SpiderSubnet "s4" does not exist; create it' },
    "no_available_pool",
    /: Deployment "a\/web" has no pool: SpiderSubnet "s4" does not exist; create it$/,
  ],
  [
    { code: "no_candidates", nic: "eth0", rule: "default", reason: { kind: "none_named" } },
    "no_available_pool",
    /^no IPPool available for NIC "eth0": no pool selection rules of any type are specified, and/,
  ],
  [
    { code: "no_candidates", nic: "eth0", rule: "ippool", reason: { kind: "none_named" } },
    "no_available_pool",
    /: annotation "ipam.spidernet.io\/ippool" names no pool for it; name one under "ipv4" or/,
  ],
  [
    {
      code: "no_candidates",
      nic: "eth0",
      rule: "cni",
      reason: { kind: "family_off", versions: [6] },
    },
    "no_available_pool",
    /: the CNI configuration names only IPv6 pools, and IPv6 is disabled; set enableIPv6 to true/,
  ],
  [
    {
      code: "no_candidates",
      nic: "eth0",
      rule: "namespace",
      reason: { kind: "no_match", lists: [{ version: 4, patterns: ["x*"] }] },
    },
    "no_available_pool",
    /: no IPv4 pool has a name that matches "x\*" of annotation .* of the namespace; create/,
  ],
  [
    { code: "contended", trace: nic([contendedTrace("p", { attempts: 2 })]) },
    "retries_exhausted",
    /^exhaust all retries for NIC "eth0" \(IPv4\): pool "p" lost 2 addresses .*; the kubelet tries/,
  ],
  [
    { code: "pod_dead", pod: "a/b", reason: "has ended (Succeeded)" },
    "internal",
    /^Cannot give an address to pod "a\/b": it has ended \(Succeeded\); a new pod gets one$/,
  ],
  [{ code: "pod_gone", pod: "a/b" }, "internal", /pod "a\/b": it does not exist any more$/],
  [
    { code: "uid_mismatch", pod: "a/b", asked: "u1", found: "u2" },
    "internal",
    /the runtime asks for UID "u1" and the pod of this name now has "u2"/,
  ],
  [
    { code: "other_node", pod: "a/b", asked: "n1", found: "n2" },
    "internal",
    /^Cannot give an address to pod "a\/b" on node "n1": the pod of this name is on "n2"; the/,
  ],
  [
    { code: "deadline", what: "creating SpiderIP 10.6.0.1", cause: "no answer in 60 s" },
    "retries_exhausted",
    /^Cannot give an address in time: no answer in 60 s while creating SpiderIP 10.6.0.1; the/,
  ],
  [{ code: "queue_full", max: 9 }, "internal", /the queue is full with 9 requests; the kubelet/],
  [
    { code: "namespace_unknown", namespace: "a" },
    "internal",
    /of namespace "a": the agent has not/,
  ],
  [
    { code: "unavailable", message: "refused" },
    "internal",
    /^Cannot reach the API server: refused;/,
  ],
  [{ code: "forbidden", message: "no" }, "internal", /refuses what an address needs: no$/],
  [
    { code: "address_held", address: "10.6.0.1", reason: "its pod lives" },
    "internal",
    /fixed address "10.6.0.1": its pod lives; the kubelet tries again$/,
  ],
  [
    { code: "data_broken", message: "Two of one; delete one" },
    "internal",
    /^Two of one; delete one$/,
  ],
];

Deno.test("sayRefusal() and classOfRefusal() know every code", () => {
  for (const [refusal, expectedClass, words] of EACH) {
    assert.match(sayRefusal(refusal), words);
    assert.equal(classOfRefusal(refusal), expectedClass, refusal.code);
  }
  const trace = nic([disabled]);
  assert.equal(classOfRefusal({ code: "exhausted", trace }), "ip_used_out");
  assert.equal(classOfRefusal({ code: "all_filtered", traces: [trace] }), "no_available_pool");
});

Deno.test("sayRefusal() has a remedy for every rule whose trace has none", () => {
  for (const droppedBy of DROP_RULES) {
    if (droppedBy === "broken") continue;
    const trace = nic([{ pool: "p1", droppedBy, detail: "is out" }]);
    assert.match(
      sayRefusal({ code: "all_filtered", traces: [trace] }),
      /is out; .{10,}$/,
      droppedBy,
    );
  }
});

const anyTrace = fc.record({
  nic: fc.string({ unit: "grapheme", maxLength: 300 }),
  version: fc.constantFrom(4 as const, 6 as const),
  candidates: fc.array(
    fc.record({
      pool: fc.string({ unit: "grapheme", maxLength: 300 }),
      droppedBy: fc.constantFrom(undefined, ...DROP_RULES),
      detail: fc.string({ unit: "grapheme", maxLength: 600 }),
    }),
    { maxLength: 40 },
  ),
});

Deno.test("property: sayRefusal() stays within its bytes, whatever the trace", () => {
  fc.assert(fc.property(fc.array(anyTrace, { minLength: 1, maxLength: 12 }), (traces) => {
    const text = sayRefusal({ code: "all_filtered", traces });
    assert.ok(new TextEncoder().encode(text).length <= REFUSAL_BYTES_MAX);
    assert.ok(text.startsWith("no IPPool available for NIC "));
    assert.ok(text.isWellFormed());
  }));
});
