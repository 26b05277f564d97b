import assert from "node:assert/strict";
import { type PoolInit, readingsOf } from "../../tests/support/pool_objects.ts";
import {
  podWith,
  requestOf,
  selectionFactsOf,
  SETTINGS,
  wishFactsOf,
} from "../../tests/support/selection_facts.ts";
import { expectOk, ok } from "../base/result.ts";
import { parseAnyAddressInCidr } from "../ip/mod.ts";
import type { Refusal } from "./refusal.ts";
import { type NicSelection, type SelectionFacts, selectPools } from "./selection.ts";
import { readWish, type Wish, type WishFacts } from "./wish.ts";

const POOLS = "ipam.spidernet.io/ippools";
const POOL = "ipam.spidernet.io/ippool";
const NETWORKS = "k8s.v1.cni.cncf.io/networks";

function wishOf(changes: Partial<WishFacts>): Wish {
  return expectOk(readWish(wishFactsOf(changes)), "this wish is in order");
}

/** A wish of `eth0` for IPv4 pools. */
function wishFor(...names: readonly string[]): Wish {
  return wishOf({ request: requestOf({ defaultIpv4Pools: names }) });
}

/** Selects for a wish of `eth0` for all these pools, IPv4. */
function select(pools: readonly PoolInit[], changes: Partial<SelectionFacts> = {}) {
  const wish = wishFor(...pools.map(({ name = "p1" }) => name));
  return selectPools(wish, selectionFactsOf({ pools: readingsOf(...pools), ...changes }));
}

/** `nic: 4 a,b; 6 c` for each NIC. */
function namesIn(selected: ReturnType<typeof selectPools>): readonly string[] | Refusal {
  return selected.ok ? selected.value.map(nicText) : selected.error;
}

function nicText({ nic, families }: NicSelection): string {
  const texts = families.map(({ version, candidates }) =>
    `${version} ${candidates.map(({ name }) => name)}`
  );
  return `${nic}: ${texts.join("; ")}`;
}

Deno.test("selectPools() puts the more special pools first and keeps the user's order", () => {
  const selector = { matchLabels: {} };
  const pools: readonly PoolInit[] = [
    { name: "plain2" },
    { name: "multus", multusName: ["a/b"] },
    { name: "plain1" },
    { name: "ns-affinity", namespaceAffinity: selector },
    { name: "ns-name", namespaceName: ["default"] },
    { name: "node-affinity", nodeAffinity: selector },
    { name: "node-name-2", nodeName: ["n1"] },
    { name: "pod", podAffinity: selector },
    { name: "node-name-1", nodeName: ["n1"] },
    { name: "pod-and-ns", podAffinity: selector, namespaceName: ["default"] },
  ];
  const settings = { ...SETTINGS, clusterNetwork: "a/b" };
  assert.deepEqual(namesIn(select(pools, { settings })), [
    "eth0: 4 pod-and-ns,pod,node-name-2,node-name-1,node-affinity,ns-name,ns-affinity,multus," +
    "plain2,plain1",
  ]);
});

Deno.test("selectPools() keeps what is left and traces what is not, in the user's order", () => {
  const pools = [{ name: "b" }, { name: "off", disable: true }, { name: "a", nodeName: ["n1"] }];
  const selected = expectOk(select(pools), "two pools are left");
  assert.deepEqual(selected[0]?.families[0]?.trace, [
    { pool: "b", detail: "" },
    { pool: "off", droppedBy: "disabled", detail: "is disabled" },
    { pool: "a", detail: "" },
  ]);
  assert.equal(
    nicText(selected[0] ?? { nic: "", cleanGateway: false, families: [] }),
    "eth0: 4 a,b",
  );
});

Deno.test("selectPools() leaves out an unknown pool among others", () => {
  const pools = readingsOf({ name: "a" });
  const selected = selectPools(wishFor("gone", "a"), selectionFactsOf({ pools }));
  assert.deepEqual(namesIn(selected), ["eth0: 4 a"]);
});

Deno.test("selectPools() refuses the whole if one wished family has no pool left", () => {
  const lists = { defaultIpv4Pools: ["a"], defaultIpv6Pools: ["b"] };
  const wish = wishOf({ request: requestOf(lists) });
  const sound = readingsOf({ name: "a" }, { name: "b", ipVersion: 6 });
  assert.deepEqual(namesIn(selectPools(wish, selectionFactsOf({ pools: sound }))), [
    "eth0: 4 a; 6 b",
  ]);
  const half = readingsOf({ name: "a" }, { name: "b", ipVersion: 6, disable: true });
  assert.deepEqual(namesIn(selectPools(wish, selectionFactsOf({ pools: half }))), {
    code: "all_filtered",
    traces: [{
      nic: "eth0",
      version: 6,
      candidates: [{ pool: "b", droppedBy: "disabled", detail: "is disabled" }],
    }],
  });
});

Deno.test("selectPools() leaves out a family that is switched off or matched by nothing", () => {
  const lists = { defaultIpv4Pools: ["a*"], defaultIpv6Pools: ["b*"] };
  const wish = wishOf({ request: requestOf(lists) });
  const both = readingsOf({ name: "a1" }, { name: "b1", ipVersion: 6 });
  const settings = { ...SETTINGS, ipv6: false };
  assert.deepEqual(namesIn(selectPools(wish, selectionFactsOf({ pools: both, settings }))), [
    "eth0: 4 a1",
  ]);
  const one = readingsOf({ name: "a1" }, { name: "b1" });
  assert.deepEqual(namesIn(selectPools(wish, selectionFactsOf({ pools: one }))), ["eth0: 4 a1"]);
});

Deno.test("selectPools() says why nothing at all is left", () => {
  const reason = (changes: Partial<WishFacts>, facts: Partial<SelectionFacts> = {}) => {
    const selected = selectPools(wishOf(changes), selectionFactsOf(facts));
    return selected.ok || selected.error.code !== "no_candidates"
      ? selected
      : { rule: selected.error.rule, ...selected.error.reason };
  };
  const settings = { ...SETTINGS, ipv6: false };
  const only6 = readingsOf({ name: "b", ipVersion: 6, default: true });
  assert.deepEqual(reason({}), { rule: "default", kind: "none_named" });
  assert.deepEqual(reason({}, { settings, pools: only6 }), {
    rule: "default",
    kind: "family_off",
    versions: [6],
  });
  assert.deepEqual(reason({ pod: podWith({ [POOL]: "{}" }) }), {
    rule: "ippool",
    kind: "none_named",
  });
  assert.deepEqual(reason({ request: requestOf({ defaultIpv6Pools: ["b"] }) }, { settings }), {
    rule: "cni",
    kind: "family_off",
    versions: [6],
  });
  assert.deepEqual(
    reason({ request: requestOf({ defaultIpv4Pools: ["x*"], defaultIpv6Pools: ["y*"] }) }, {
      settings,
    }),
    { rule: "cni", kind: "no_match", lists: [{ version: 4, patterns: ["x*"] }] },
  );
});

Deno.test("selectPools() takes the cluster's default pools in byte order of their names", () => {
  const pools = readingsOf(
    { name: "b", default: true },
    { name: "a", default: true, ipVersion: 6 },
    { name: "c" },
    { name: "a4", default: true },
  );
  assert.deepEqual(namesIn(selectPools(wishOf({}), selectionFactsOf({ pools }))), [
    "eth0: 4 a4,b; 6 a",
  ]);
});

Deno.test("selectPools() chooses for all NICs of the annotation, named and by position", () => {
  const networks = { [NETWORKS]: "a,b" };
  const named = '[{"interface":"net2","ipv4":["p"]},{"interface":"eth0","ipv4":["p"],' +
    '"cleangateway":true},{"interface":"net1"}]';
  const pools = readingsOf({ name: "p" });
  const pod = podWith({ ...networks, [POOLS]: named });
  const selected = selectPools(wishOf({ pod }), selectionFactsOf({ pod, pools }));
  assert.deepEqual(namesIn(selected), ["net2: 4 p", "eth0: 4 p"]);
  assert.deepEqual(selected.ok && selected.value.map(({ cleanGateway }) => cleanGateway), [
    false,
    true,
  ]);
  const nameless = podWith({ ...networks, [POOLS]: '[{"ipv4":["p"]},{"ipv4":["p"]}]' });
  const facts = selectionFactsOf({ pod: nameless, pools });
  assert.deepEqual(namesIn(selectPools(wishOf({ pod: nameless }), facts)), [
    "eth0: 4 p",
    "#1: 4 p",
  ]);
});

Deno.test("selectPools() refuses a NIC that no network of the pod has", () => {
  const refusal = (pools: string, networks: string) => {
    const pod = podWith({ [NETWORKS]: networks, [POOLS]: pools });
    const facts = selectionFactsOf({ pod, pools: readingsOf({ name: "p" }) });
    return namesIn(selectPools(wishOf({ pod }), facts));
  };
  const item = (nic: string) => `{"interface":"${nic}","ipv4":["p"]}`;
  assert.deepEqual(refusal(`[${item("eth0")},${item("net9")}]`, "a"), {
    code: "nic_unknown",
    nic: "net9",
    position: undefined,
    networks: ["net1"],
  });
  assert.deepEqual(refusal('[{"ipv4":["p"]},{"ipv4":["p"]},{"ipv4":["p"]}]', "a"), {
    code: "nic_unknown",
    nic: "#2",
    position: 2,
    networks: ["net1"],
  });
  const broken = refusal(`[${item("eth0")},${item("net1")}]`, "a/b/c");
  assert.ok("code" in broken && broken.code === "bad_annotation");
});

Deno.test("selectPools() trusts the runtime about the NIC being added", () => {
  const pod = podWith({ [POOLS]: '[{"interface":"eth5","ipv4":["p"]}]' });
  const wish = wishOf({ pod, request: requestOf({ nic: "eth5" }) });
  const facts = selectionFactsOf({ pod, pools: readingsOf({ name: "p" }) });
  assert.deepEqual(namesIn(selectPools(wish, facts)), ["eth5: 4 p"]);
});

Deno.test("selectPools() needs a pool for every NIC that goes by position", () => {
  const pod = podWith({ [NETWORKS]: "a", [POOLS]: '[{"ipv4":["p"]},{}]' });
  const facts = selectionFactsOf({ pod, pools: readingsOf({ name: "p" }) });
  assert.deepEqual(namesIn(selectPools(wishOf({ pod }), facts)), {
    code: "no_candidates",
    nic: "#1",
    rule: "ippools",
    reason: { kind: "none_named" },
  });
});

Deno.test("selectPools() asks only for the master of the NIC being added", () => {
  const pools = '[{"interface":"eth0","ipv4":["p"]},{"interface":"net1","ipv4":["p"]}]';
  const pod = podWith({ [NETWORKS]: "a", [POOLS]: pools });
  const facts = selectionFactsOf({
    pod,
    pools: readingsOf({ name: "p" }),
    matchMasterSubnet: true,
    masterSubnets: ok([expectOk(parseAnyAddressInCidr("10.6.0.1/16"), "this is an address")]),
  });
  assert.deepEqual(namesIn(selectPools(wishOf({ pod }), facts)), ["eth0: 4 p", "net1: 4 p"]);
  const other = { ...facts, masterSubnets: ok([]) };
  const selected = namesIn(selectPools(wishOf({ pod }), other));
  assert.ok("code" in selected && selected.code === "all_filtered");
  assert.deepEqual("traces" in selected && selected.traces.map(({ nic }) => nic), ["eth0"]);
});

Deno.test("selectPools() finds the NIC being added in a list without names", () => {
  const pod = podWith({ [NETWORKS]: "a@eth1", [POOLS]: '[{"ipv4":["p"]},{"ipv4":["p"]}]' });
  const wish = wishOf({ pod, request: requestOf({ nic: "eth1" }) });
  const pools = readingsOf({ name: "p" });
  const selected = selectPools(wish, selectionFactsOf({ pod, pools, matchMasterSubnet: true }));
  assert.ok(!selected.ok && selected.error.code === "all_filtered");
  assert.deepEqual(selected.error.traces.map(({ nic }) => nic), ["eth1"]);
});

Deno.test("selectPools() asks nothing about a family that the NIC keeps", () => {
  const lists = { defaultIpv4Pools: ["a"], defaultIpv6Pools: ["b"] };
  const wish = wishOf({ request: requestOf(lists) });
  const only = (version: 4 | 6): Wish => {
    return { ...wish, nics: wish.nics.map((nic) => ({ ...nic, versions: new Set([version]) })) };
  };
  const facts = selectionFactsOf({
    pools: readingsOf({ name: "a", disable: true }, { name: "b", ipVersion: 6 }),
  });
  assert.deepEqual(namesIn(selectPools(only(6), facts)), ["eth0: 6 b"]);
  assert.ok(!selectPools(only(4), facts).ok);
  const noIpv6 = { ...facts, settings: { ...SETTINGS, ipv6: false } };
  assert.deepEqual(namesIn(selectPools(only(6), noIpv6)), []);
});
