import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../base/result.ts";
import type { StoredObject } from "../base/object_store.ts";
import {
  applicationText,
  automaticPool,
  isBuiltIn,
  isPoolOf,
  type PoolIdentity,
  poolOf,
  readPoolWishes,
  wishedCount,
  wishedPools,
} from "./applications.ts";

const IPAM = "ipam.spidernet.io";
const WEB: PoolIdentity = {
  application: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    namespace: "default",
    name: "web",
    uid: "0d9a1c60-1111-2222-3333-9f2c1a7b8c9d",
  },
  nic: "eth0",
  version: 4,
  subnet: "office",
};

function read(annotations: Readonly<Record<string, string>>) {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`${IPAM}/${key}`, value]);
  return readPoolWishes(Object.fromEntries(prefixed));
}

function problemOf(annotations: Readonly<Record<string, string>>): string {
  const wishes = read(annotations);
  return wishes.ok ? "none" : wishes.error;
}

/** @param more Replaces what `automaticPool` says. */
function poolFor(
  identity: PoolIdentity,
  { name, reclaim = true, ...more }: {
    readonly name?: string;
    readonly reclaim?: boolean;
    readonly deletionTimestamp?: string;
  } = {},
): StoredObject {
  const made = automaticPool(identity, { number: { kind: "flexible", count: 1 }, reclaim });
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIPPool",
    metadata: { name: name ?? made.name, labels: made.labels, ...more },
  };
}

Deno.test("readPoolWishes() reads subnets before subnet, and says what nobody follows", () => {
  assert.deepEqual(readPoolWishes(undefined), { ok: true, value: undefined });
  assert.deepEqual(read({ "ippool-ip-number": "x" }), { ok: true, value: undefined });
  assert.deepEqual(read({ subnet: '{"ipv4":["a"]}' }), {
    ok: true,
    value: {
      annotation: "ipam.spidernet.io/subnet",
      nics: [{ interface: "eth0", ipv4: "a" }],
      number: undefined,
      reclaim: true,
      notes: [],
    },
  });
  const both = expectOk(
    read({
      subnet: "{",
      subnets: '[{"interface":"net1","ipv4":["a","b"],"ipv6":["c","d"]}]',
      "ippool-ip-number": "5",
      "ippool-reclaim": "0",
    }),
    "subnet is not read beside subnets",
  );
  assert.deepEqual(both?.nics, [
    { interface: "net1", ipv4: "a", ipv6: "c", unused: ["b", "d"] },
  ]);
  assert.deepEqual([both?.number, both?.reclaim], [{ kind: "fixed", count: 5 }, false]);
  assert.deepEqual(both?.notes, [
    'Annotation "ipam.spidernet.io/subnets" names more than one SpiderSubnet of a family for NIC ' +
    '"net1": the first is used, "b", "d" are not',
    'Annotation "ipam.spidernet.io/subnet" is not read beside "ipam.spidernet.io/subnets"',
  ]);
});

Deno.test("readPoolWishes() refuses in one sentence with field, value and remedy", () => {
  const of = 'of annotation "ipam.spidernet.io/subnets"';
  const one = { subnet: '{"ipv4":["a"]}' };
  const number = 'annotation "ipam.spidernet.io/ippool-ip-number"';
  const counts = 'write a count such as "5", or "+2" beyond the replicas';
  const cases: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [
      { subnet: '{"ipv4":[],"ipv6":[]}' },
      'Cannot use ipv4 of annotation "ipam.spidernet.io/subnet": it is missing; write the name ' +
      "of a SpiderSubnet there or in ipv6",
    ],
    [
      { subnets: "[]" },
      'Cannot use annotation "ipam.spidernet.io/subnets" []: write at least one item',
    ],
    [
      { subnets: '[{"interface":"a","ipv4":["s"]},{"interface":"b","ipv4":["s"]}]' },
      `Cannot use [1].ipv4[0] ${of} "s": it is listed twice; write each subnet for one NIC`,
    ],
    [
      { subnets: '[{"ipv4":["s"]},{"interface":"eth0","ipv4":["t"]}]' },
      `Cannot use [1].interface ${of} "eth0": it is listed twice; write each NIC once`,
    ],
    [{ ...one, "ippool-ip-number": "-1" }, `Cannot use ${number} "-1": ${counts}`],
    [{ ...one, "ippool-ip-number": "many" }, `Cannot use ${number} "many": ${counts}`],
    [{ ...one, "ippool-ip-number": "3+5" }, `Cannot use ${number} "3+5": ${counts}`],
    [
      { ...one, "ippool-reclaim": "maybe" },
      'Cannot use annotation "ipam.spidernet.io/ippool-reclaim" "maybe": write true or false',
    ],
  ];
  for (const [annotations, problem] of cases) assert.equal(problemOf(annotations), problem);
});

Deno.test("wishedPools() lists NICs and families that are on", () => {
  const nics = [{ interface: "eth0", ipv4: "a", ipv6: "b" }, { interface: "net1", ipv6: "c" }];
  assert.deepEqual(wishedPools({ nics }, { ipv4: true, ipv6: true }), [
    { nic: "eth0", version: 4, subnet: "a" },
    { nic: "eth0", version: 6, subnet: "b" },
    { nic: "net1", version: 6, subnet: "c" },
  ]);
  assert.deepEqual(wishedPools({ nics }, { ipv4: false, ipv6: true, nic: "eth0" }), [
    { nic: "eth0", version: 6, subnet: "b" },
  ]);
});

Deno.test("wishedCount() is fixed, or goes with the replicas", () => {
  const world = { replicas: 3, flexible: 1 };
  assert.equal(wishedCount(undefined, world), 4);
  assert.equal(wishedCount({ kind: "flexible", count: 0 }, world), 3);
  assert.equal(wishedCount({ kind: "fixed", count: 2 }, world), 2);
});

Deno.test("isBuiltIn() goes by version and kind", () => {
  const { application } = WEB;
  assert.equal(isBuiltIn(application), true);
  assert.equal(isBuiltIn({ ...application, kind: "Job" }), false);
  assert.equal(isBuiltIn({ ...application, apiVersion: "batch/v1", kind: "CronJob" }), true);
  assert.equal(isBuiltIn({ ...application, apiVersion: "apps.kruise.io/v1alpha1" }), false);
  assert.equal(isBuiltIn({ ...application, apiVersion: "constructor" }), false);
});

Deno.test("automaticPool() has labels and affinity of the reference", () => {
  const made = automaticPool(WEB, { number: { kind: "flexible", count: 2 }, reclaim: false });
  assert.match(made.name, /^auto4-web-eth0-[0-9a-f]{12}$/);
  assert.deepEqual(made.labels, {
    "ipam.spidernet.io/owner-spider-subnet": "office",
    "ipam.spidernet.io/owner-application-gv": "apps_v1",
    "ipam.spidernet.io/owner-application-kind": "Deployment",
    "ipam.spidernet.io/owner-application-namespace": "default",
    "ipam.spidernet.io/owner-application-name": "web",
    "ipam.spidernet.io/owner-application-uid": "0d9a1c60-1111-2222-3333-9f2c1a7b8c9d",
    "ipam.spidernet.io/interface": "eth0",
    "ipam.spidernet.io/ip-version": "IPv4",
    "ipam.spidernet.io/ippool-reclaim": "false",
  });
  assert.deepEqual(made.annotations, { "ipam.spidernet.io/ippool-ip-number": "+2" });
  assert.deepEqual(made.podAffinity.matchLabels, {
    "ipam.spidernet.io/app-api-group": "apps",
    "ipam.spidernet.io/app-api-version": "v1",
    "ipam.spidernet.io/app-kind": "Deployment",
    "ipam.spidernet.io/app-namespace": "default",
    "ipam.spidernet.io/app-name": "web",
  });
  const core = { ...WEB, application: { ...WEB.application, apiVersion: "v1" } };
  const { podAffinity } = automaticPool(core, {
    number: { kind: "fixed", count: 1 },
    reclaim: true,
  });
  assert.equal(podAffinity.matchLabels["ipam.spidernet.io/app-api-group"], "");
  assert.equal(podAffinity.matchLabels["ipam.spidernet.io/app-api-version"], "v1");
});

Deno.test("isPoolOf() finds a pool that the reference named, by its labels", () => {
  const theirs = poolFor(WEB, { name: "auto4-web-eth0-9f2c1" });
  assert.equal(isPoolOf(theirs, WEB), true);
  const { labels: _labels, ...metadata } = theirs.metadata;
  assert.equal(isPoolOf({ ...theirs, metadata }, WEB), false);
});

Deno.test("isPoolOf() gives a pool that stays to the next application of the name", () => {
  const next = { ...WEB, application: { ...WEB.application, uid: "another" } };
  assert.equal(isPoolOf(poolFor(WEB, { reclaim: true }), next), false);
  assert.equal(isPoolOf(poolFor(WEB, { reclaim: false }), next), true);
});

Deno.test("poolOf() takes the own one before an inherited one, and none that ends", () => {
  const next = { ...WEB, application: { ...WEB.application, uid: "another" } };
  const inherited = poolFor(WEB, { name: "a", reclaim: false });
  const own = poolFor(next, { name: "b" });
  assert.equal(poolOf([inherited, own], next), own);
  assert.equal(poolOf([own, inherited], next), own);
  const second = poolFor(next, { name: "c" });
  assert.equal(poolOf([second, own], next), own);
  const ending = poolFor(next, { name: "b", deletionTimestamp: "2026-01-01T00:00:00Z" });
  assert.equal(poolOf([ending, inherited], next), inherited);
  assert.equal(poolOf([ending], next), undefined);
});

Deno.test("applicationText() names kind, namespace and name", () => {
  assert.equal(applicationText(WEB.application), 'Deployment "default/web"');
});

const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?$/);
const objectName = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("."))
  .filter((name) => name.length <= 253);
const identities: fc.Arbitrary<PoolIdentity> = fc.record({
  application: fc.record({
    apiVersion: fc.oneof(
      fc.constantFrom("v1", "apps/v1", "batch/v1"),
      objectName.map((group) => `${group}/v1alpha1`),
    ),
    kind: fc.stringMatching(/^[A-Z][A-Za-z]{0,62}$/),
    namespace: part,
    name: objectName,
    uid: fc.uuid(),
  }),
  nic: fc.stringMatching(/^[A-Za-z0-9]([-\w.]{0,13}[A-Za-z0-9])?$/),
  version: fc.constantFrom(4, 6),
  subnet: objectName,
});
const labelValues = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;
const objectNames = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

Deno.test("property: automaticPool() has names and labels that the API takes", () => {
  fc.assert(fc.property(identities, fc.boolean(), (identity, reclaim) => {
    const made = automaticPool(identity, { number: { kind: "fixed", count: 3 }, reclaim });
    assert.ok(made.name.length <= 253);
    assert.match(made.name, objectNames);
    for (const value of Object.values(made.labels)) assert.match(value, labelValues);
  }));
});

/** One field of an identity is another one. */
const CHANGES: readonly ((identity: PoolIdentity) => PoolIdentity)[] = [
  (one) => ({ ...one, subnet: changed(one.subnet) }),
  (one) => ({ ...one, nic: one.nic === "x" ? "y" : "x" }),
  (one) => ({ ...one, version: one.version === 4 ? 6 : 4 }),
  ...(["apiVersion", "kind", "namespace", "name", "uid"] as const).map((field) => {
    return ({ application, ...rest }: PoolIdentity) => {
      return { ...rest, application: { ...application, [field]: changed(application[field]) } };
    };
  }),
];

/** Differs in its last character only, as far behind as a name goes. */
function changed(text: string): string {
  return `${text.slice(0, -1)}${text.endsWith("1") ? "2" : "1"}`;
}

Deno.test("property: a pool and its name are of one application, NIC, family and subnet", () => {
  const change = fc.constantFrom(...CHANGES);
  fc.assert(fc.property(identities, change, (identity, toOther) => {
    const other = toOther(identity);
    const pool = poolFor(identity);
    assert.equal(isPoolOf(pool, identity), true);
    assert.equal(isPoolOf(pool, other), false);
    assert.notEqual(poolFor(other).metadata.name, pool.metadata.name);
    assert.equal(poolOf([poolFor(other), pool], identity), pool);
  }));
});
