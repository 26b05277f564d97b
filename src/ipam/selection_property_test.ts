/** Selection against a slow twin that looks at the objects themselves, one address at a time. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { factsOf, type PoolInit, poolOf } from "../../tests/support/pool_objects.ts";
import {
  podWith,
  requestOf,
  selectionFactsOf,
  SETTINGS,
  wishFactsOf,
} from "../../tests/support/selection_facts.ts";
import type { SpiderIpPool } from "../api/ip_pool.ts";
import { expectOk, ok } from "../base/result.ts";
import { IPV4, IPV6, parseAnyAddressInCidr, parseRangeSet, RangeSet } from "../ip/mod.ts";
import { inOrder } from "./order.ts";
import { type PoolFacts, readPool } from "./pool_facts.ts";
import { selectPools } from "./selection.ts";
import { readWish } from "./wish.ts";

/** Labels, and selectors over them: few keys and values, so that they often meet. */
const key = fc.constantFrom("a", "b");
const value = fc.constantFrom("x", "y");
const labels = fc.dictionary(key, value, { maxKeys: 2 });
const requirement = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom("In", "NotIn"),
    values: fc.array(value, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key, operator: fc.constantFrom("Exists", "DoesNotExist") }),
);
const selector = fc.record({
  matchLabels: labels,
  matchExpressions: fc.array(requirement, { maxLength: 1 }),
}, { requiredKeys: [] });

/** Mostly `common`, so that pools are kept often enough. */
function mostly<T>(common: T, rare: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(common) }, { weight: 1, arbitrary: rare });
}

const spec = fc.record({
  subnet: fc.constant("10.6.0.0/16"),
  ips: mostly<readonly string[]>(
    ["10.6.0.1-10.6.0.3"],
    fc.constantFrom(["10.6.0.2"], [], ["10.6.0.3-10.6.0.1"]),
  ),
  excludeIPs: fc.constantFrom<(readonly string[])[]>([], ["10.6.0.2"], ["10.6.0.1-10.6.0.3"]),
  gateway: fc.constantFrom("", "10.6.0.1", "10.6.0.2"),
  disable: mostly(false, fc.constant(true)),
  default: fc.boolean(),
  nodeName: fc.subarray(["n1", "n2"]),
  nodeAffinity: mostly(undefined, selector),
  namespaceName: fc.subarray(["default", "other"]),
  namespaceAffinity: mostly(undefined, selector),
  podAffinity: mostly(undefined, selector),
  multusName: mostly<string[]>([], fc.subarray(["net", "default/net"], { minLength: 1 })),
}, { requiredKeys: ["subnet"] });

const pool = fc.record({
  spec,
  adopted: mostly(true, fc.constant(false)),
  metadata: mostly<NonNullable<PoolInit["metadata"]>>(
    {},
    fc.constantFrom(
      { deletionTimestamp: "t" },
      { annotations: { "ipam.spidernet.io/not-usable": "x" } },
    ),
  ),
  isIpv6: mostly(false, fc.constant(true)),
}).map(({ spec, adopted, metadata, isIpv6 }): PoolInit =>
  isIpv6 ? { ipVersion: 6, adopted, metadata } : { ...spec, adopted, metadata }
);

const world = fc.record({
  pools: fc.array(pool, { minLength: 1, maxLength: 6 }),
  nodeName: fc.constantFrom("n1", "n2"),
  nodeLabels: labels,
  namespaceLabels: labels,
  podLabels: labels,
  clusterNetwork: fc.constantFrom("", "spiderpool/net", "default/net"),
  master: fc.constantFrom(undefined, "10.6.9.9/24", "10.7.0.1/16"),
  reserved: fc.constantFrom([], ["10.6.0.1"], ["10.6.0.0-10.6.0.2"]),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;
type Selector = NonNullable<SpiderIpPool["spec"]["podAffinity"]>;

/** The twin's labels: a plain reading of the definition. */
function selects(selector: Selector | undefined, found: Readonly<Record<string, string>>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  for (const [name, wanted] of Object.entries(matchLabels)) {
    if (found[name] !== wanted) return false;
  }
  for (const { key, operator, values = [] } of matchExpressions) {
    const has = key in found;
    const isOne = has && values.some((value) => value === found[key]);
    const holds = { In: isOne, NotIn: !isOne, Exists: has, DoesNotExist: !has }[operator];
    if (holds !== true) return false;
  }
  return true;
}

/** The twin's addresses: one after another, `10.6.0.<n>`. */
function addressesIn(ranges: readonly string[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const range of ranges) {
    const [first = "", last = first] = range.split("-");
    const ends = [first, last].map((text) => Number(text.slice("10.6.0.".length)));
    for (let at = ends[0] ?? 0; at <= (ends[1] ?? 0); at++) found.add(at);
  }
  return found;
}

/** Whether a pod may have a pool, from the object itself. */
function mayHave({ metadata, spec, status }: SpiderIpPool, world: World): boolean {
  const { nodeName = [], namespaceName = [], multusName = [], ips = [], excludeIPs = [] } = spec;
  if (metadata.deletionTimestamp !== undefined || spec.disable) return false;
  if (metadata.annotations !== undefined || status?.truth !== "SpiderIP") return false;
  if (spec.subnet.includes(":") || ips.some((range) => range === "10.6.0.3-10.6.0.1")) return false;
  const isNode = nodeName.length > 0
    ? nodeName.includes(world.nodeName)
    : selects(spec.nodeAffinity, world.nodeLabels);
  const isNamespace = namespaceName.length > 0
    ? namespaceName.includes("default")
    : selects(spec.namespaceAffinity, world.namespaceLabels);
  if (!isNode || !isNamespace || !selects(spec.podAffinity, world.podLabels)) return false;
  const networks = multusName.map((name) => name === "net" ? "spiderpool/net" : name);
  if (networks.length > 0 && !networks.includes(world.clusterNetwork)) return false;
  if (networks.length === 0 && world.master === "10.7.0.1/16") return false;
  const taken = addressesIn([...excludeIPs, ...world.reserved, spec.gateway || "10.6.0.200"]);
  return [...addressesIn(ips)].some((address) => !taken.has(address));
}

/** The twin's order: special before plain, one mark after the other. */
function slowOrder(pools: readonly SpiderIpPool[]): readonly string[] {
  const sorted: SpiderIpPool[] = [];
  for (const pool of pools) {
    const place = sorted.findIndex((other) => isBefore(pool, other));
    sorted.splice(place < 0 ? sorted.length : place, 0, pool);
  }
  return sorted.map(({ metadata }) => metadata.name);
}

function isBefore(one: SpiderIpPool, other: SpiderIpPool): boolean {
  const marks = [one, other].map(({ spec }) => [
    spec.podAffinity !== undefined,
    (spec.nodeName ?? []).length > 0,
    spec.nodeAffinity !== undefined,
    (spec.namespaceName ?? []).length > 0,
    spec.namespaceAffinity !== undefined,
    (spec.multusName ?? []).length > 0,
  ]);
  const [left = [], right = []] = marks;
  const differs = left.findIndex((mark, index) => mark !== right[index]);
  return differs >= 0 && left[differs] === true;
}

function selectIn(world: World, objects: readonly SpiderIpPool[]) {
  const names = objects.map(({ metadata }) => metadata.name);
  const request = requestOf({ defaultIpv4Pools: names });
  const wish = expectOk(readWish(wishFactsOf({ request })), "this wish is in order");
  const master = world.master === undefined ? [] : [
    expectOk(parseAnyAddressInCidr(world.master), "this is an address"),
  ];
  return selectPools(
    wish,
    selectionFactsOf({
      pod: podWith({}, world.podLabels),
      nodeName: world.nodeName,
      nodeLabels: world.nodeLabels,
      namespaceLabels: world.namespaceLabels,
      matchMasterSubnet: world.master !== undefined,
      masterSubnets: ok(master),
      pools: new Map(objects.map((object) => [object.metadata.name, readPool(object)])),
      reserved: {
        ipv4: expectOk(parseRangeSet(IPV4, world.reserved), "these are ranges"),
        ipv6: RangeSet.empty(IPV6),
      },
      settings: { ...SETTINGS, clusterNetwork: world.clusterNetwork },
    }),
  );
}

Deno.test("property: selectPools() keeps the pools that a slow twin keeps, in its order", () => {
  const seen = { kept: 0, dropped: 0 };
  fc.assert(
    fc.property(world, (world) => {
      const objects = world.pools.map((init, index) => poolOf({ ...init, name: `p${index}` }));
      const expected = slowOrder(objects.filter((object) => mayHave(object, world)));
      seen.kept += expected.length;
      seen.dropped += objects.length - expected.length;

      const selected = selectIn(world, objects);
      if (!selected.ok) {
        assert.equal(selected.error.code, "all_filtered");
        assert.deepEqual([], expected);
        return;
      }
      const [family] = selected.value[0]?.families ?? [];
      assert.deepEqual(family?.candidates.map(({ name }) => name), expected);
      const kept = family?.trace.filter(({ droppedBy }) => droppedBy === undefined) ?? [];
      assert.deepEqual(new Set(kept.map(({ pool }) => pool)), new Set(expected));
      assert.equal(family?.trace.length, objects.length);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(seen.kept > 200 && seen.dropped > 200, `compares too little: ${JSON.stringify(seen)}`);
});

Deno.test("property: inOrder() never moves a pool before its equal", () => {
  const marked = fc.record({
    podAffinity: fc.constantFrom(undefined, {}),
    nodeName: fc.constantFrom([], ["n1"]),
    multusName: fc.constantFrom([], ["net"]),
  });
  fc.assert(fc.property(fc.array(marked, { maxLength: 40 }), (inits) => {
    const pools = inits.map((init, index) => factsOf({ ...init, name: `${index}` }));
    const ordered = inOrder(pools);
    assert.deepEqual(new Set(ordered), new Set(pools));
    for (const [index, pool] of ordered.entries()) {
      const next = ordered[index + 1];
      if (next === undefined || marksOf(pool) !== marksOf(next)) continue;
      assert.ok(Number(pool.name) < Number(next.name));
    }
  }));
});

function marksOf({ podAffinity, nodeNames, multusNames }: PoolFacts): string {
  return `${podAffinity !== undefined} ${nodeNames.length} ${multusNames.length}`;
}
