import assert from "node:assert/strict";
import fc from "fast-check";
import { ADMISSION_SETTINGS, faultsFor } from "../../../../tests/support/admission_judge.ts";
import { SPIDER_IP_POOLS } from "../../../api/ip_pool.ts";
import { SPIDER_KINDS } from "../../../api/kinds.ts";
import type { StoredObject } from "../../../base/object_store.ts";
import { readPoolFacts } from "../../../ipam/pool_facts.ts";
import { faultCause, faultSentence } from "./fault.ts";
import { isSameJson, patchBetween } from "./json_patch.ts";
import {
  COORDINATOR_RULES,
  ENDPOINT_RULES,
  fillIn,
  type KindRules,
  MULTUS_RULES,
  POOL_RULES,
  type RawObject,
  RESERVED_RULES,
  SUBNET_RULES,
} from "./kind_rules.ts";

const settings = ADMISSION_SETTINGS;

const address4 = fc.integer({ min: 0, max: 300 }).map((last) => `10.6.0.${last}`);
const address6 = fc.integer({ min: 0, max: 0x1ffff }).map((last) => `fd00:6::${last.toString(16)}`);
const address = fc.oneof(
  { weight: 6, arbitrary: address4 },
  { weight: 4, arbitrary: address6 },
  { weight: 1, arbitrary: fc.constantFrom("", "10.7.0.1", "::ffff:10.6.0.1", "FD00:6::A", "x") },
);
const range = fc.oneof(address, fc.tuple(address, address).map((ends) => ends.join("-")));
const cidr = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("10.6.0.0/24", "fd00:6::/112") },
  {
    weight: 1,
    arbitrary: fc.tuple(address, fc.integer({ min: 0, max: 130 })).map((p) => p.join("/")),
  },
);
const selector = fc.record({
  matchLabels: fc.dictionary(fc.constantFrom("a", "b c", ""), fc.constantFrom("x", "", "-")),
  matchExpressions: fc.array(
    fc.record({
      key: fc.constantFrom("zone", "", "a/b/c"),
      operator: fc.constantFrom("In", "NotIn", "Exists", "DoesNotExist", "Gt"),
      values: fc.array(fc.constantFrom("a", "b", "!"), { maxLength: 2 }),
    }, { requiredKeys: ["key", "operator"] }),
    { maxLength: 2 },
  ),
}, { requiredKeys: [] });
const spec = fc.record({
  subnet: cidr,
  ipVersion: fc.constantFrom(4, 6),
  ips: fc.array(range, { maxLength: 4 }),
  excludeIPs: fc.array(range, { maxLength: 2 }),
  gateway: address,
  routes: fc.array(fc.record({ dst: cidr, gw: address }), { maxLength: 2 }),
  podAffinity: selector,
  nodeAffinity: selector,
  namespaceAffinity: selector,
  nodeName: fc.array(fc.constantFrom("n1", "n*"), { maxLength: 2 }),
}, { requiredKeys: ["subnet"] });

/** Mostly in order: a good pool in which some fields are replaced by wild ones. */
const likelySpec = fc.tuple(
  fc.constantFrom(
    { subnet: "10.6.0.0/24", start: "10.6.0." },
    { subnet: "fd00:6::/112", start: "fd00:6::" },
  ),
  fc.array(fc.tuple(fc.integer({ min: 10, max: 40 }), fc.integer({ min: 0, max: 50 })), {
    maxLength: 4,
  }),
  fc.integer({ min: 1, max: 99 }),
  spec,
  fc.subarray(["ips", "excludeIPs", "gateway", "routes", "podAffinity", "nodeAffinity"], {
    maxLength: 2,
  }),
).map(([{ subnet, start }, ranges, gateway, wild, wildFields]) => {
  const texts = ranges.map(([first, more]) => `${start}${first}-${start}${first + more}`);
  const good = { subnet, ips: texts.slice(1), excludeIPs: texts.slice(0, 1) };
  const changed = Object.entries(wild).filter(([name]) => wildFields.includes(name));
  return { ...good, gateway: `${start}${gateway}`, ...Object.fromEntries(changed) };
});

function poolOf(spec: unknown): RawObject {
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIPPool",
    metadata: { name: "x" },
    spec,
  };
}

Deno.test("property: admission takes what agents take, and refuses what agents refuse", () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.oneof(likelySpec, spec), (spec) => {
      const faults = faultsFor({ object: poolOf(spec), settings });
      const parsed = SPIDER_IP_POOLS.parse(poolOf(spec));
      assert.ok(parsed.ok);
      const facts = readPoolFacts(parsed.value);
      if (faults.length === 0) {
        taken++;
        assert.ok(facts.ok, facts.ok ? "" : facts.error.problem);
        // The stored object is the filled-in one: that is what agents read.
        const filled = fillIn(POOL_RULES, { object: poolOf(spec), settings });
        assert.ok(filled.ok && filled.value !== undefined);
        const stored = readPoolFacts(filled.value.object);
        assert.ok(stored.ok);
        assert.equal(stored.value.addresses.toString(), facts.value.addresses.toString());
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(taken > 200, `${taken} pools were taken`);
});

function settles<T extends StoredObject>(rules: KindRules<T>, object: RawObject): void {
  const filled = fillIn(rules, { object, settings });
  if (!filled.ok || filled.value === undefined) return;
  const once = JSON.parse(JSON.stringify(filled.value.object));
  const again = fillIn(rules, { object: once, settings });
  assert.ok(again.ok && again.value !== undefined);
  assert.deepEqual(patchBetween(again.value.before, again.value.object), []);
}

const KINDS = {
  SpiderIPPool: POOL_RULES,
  SpiderSubnet: SUBNET_RULES,
  SpiderReservedIP: RESERVED_RULES,
  SpiderCoordinator: COORDINATOR_RULES,
  SpiderMultusConfig: MULTUS_RULES,
  SpiderEndpoint: ENDPOINT_RULES,
} as const;

Deno.test("property: filling in twice changes nothing the second time", () => {
  fc.assert(fc.property(fc.oneof(likelySpec, spec), (spec) => settles(POOL_RULES, poolOf(spec))), {
    numRuns: 500,
  });
  const block = fc.record({
    master: fc.array(fc.constantFrom("eth0", "eth1"), { maxLength: 2 }),
    vlanID: fc.integer({ min: 0, max: 10 }),
    bond: fc.constant({ name: "b", mode: 1 }),
  }, { requiredKeys: ["master"] });
  const network = fc.record({
    cniType: fc.constantFrom("macvlan", "ipvlan", "vlan", "sriov", "ib-sriov", "custom"),
    macvlan: block,
    vlan: fc.tuple(block, fc.constantFrom("auto", "manual")).map(([vlan, vlanMode]) => {
      return { ...vlan, vlanMode };
    }),
    sriov: fc.constant({ resourceName: "a/b" }),
    ibsriov: fc.constant({}),
    customCNI: fc.constantFrom("", "{}"),
    coordinator: fc.record({ hijackCIDR: fc.array(fc.oneof(address, cidr)) }),
  }, { requiredKeys: [] });
  fc.assert(fc.property(network, (spec) => {
    settles(MULTUS_RULES, { metadata: { name: "x" }, spec });
    settles(COORDINATOR_RULES, { metadata: { name: "x" }, spec: spec.coordinator ?? {} });
  }));
});

Deno.test("property: no object makes the rules fail, and each fault has a remedy", () => {
  const kinds = SPIDER_KINDS.map(({ kind }) => kind).filter((kind) => kind in KINDS);
  const body = fc.oneof(fc.jsonValue(), spec, fc.record({ spec, status: fc.jsonValue() }));
  fc.assert(
    fc.property(fc.constantFrom(...kinds), body, body, (kind, one, other) => {
      const object = { kind, metadata: { name: "x" }, spec: one, status: one };
      const previous = { kind, metadata: { name: "x" }, spec: other, status: other };
      for (const submitted of [{ object, settings }, { object, previous, settings }]) {
        for (const fault of faultsFor(submitted)) {
          assert.match(faultSentence(fault), /^Cannot use .+(?:write|leave|stay|remove|add)/s);
          assert.ok(faultCause(fault).message.length > 10);
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("property: a patch leads from one document to the other", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
    const patch = patchBetween({ one }, { one: other });
    assert.equal(patch.length === 0, isSameJson(one, other));
    assert.deepEqual(applied({ one }, patch), JSON.parse(JSON.stringify({ one: other })));
  }));
});

/** A slow obvious reader of RFC 6902. */
function applied(document: unknown, patch: ReturnType<typeof patchBetween>): unknown {
  let copy = JSON.parse(JSON.stringify(document));
  for (const operation of patch) {
    const steps = operation.path.split("/").slice(1)
      .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = steps.pop();
    if (last === undefined) {
      copy = "value" in operation ? operation.value : undefined;
      continue;
    }
    const target = steps.reduce((found, step) => found[step], copy);
    if (operation.op === "remove") delete target[last];
    else target[last] = operation.value;
  }
  return JSON.parse(JSON.stringify(copy));
}
