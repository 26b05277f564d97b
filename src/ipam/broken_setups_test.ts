// tidy: table, because each broken set-up is told whole: objects, request and the sentence.
/** Set-ups as people break them, and the sentence that says what is wrong with each. */
import assert from "node:assert/strict";
import { podOf } from "../../tests/support/decision_objects.ts";
import { type PoolInit, poolOf } from "../../tests/support/pool_objects.ts";
import { requestOf, selectionFactsOf, SETTINGS } from "../../tests/support/selection_facts.ts";
import { err, expectOk, ok } from "../base/result.ts";
import {
  type AnyAddressInCidr,
  IPV4,
  IPV6,
  parseAnyAddressInCidr,
  parseRangeSet,
  RangeSet,
} from "../ip/mod.ts";
import type { Labels } from "./label_selector.ts";
import { type PoolReading, readPool } from "./pool_facts.ts";
import type { Refusal } from "./refusal.ts";
import { sayRefusal } from "./refusal_text.ts";
import { selectPools } from "./selection.ts";
import type { IpamSettings } from "./settings.ts";
import type { TopController } from "./top_controller.ts";
import { exhaustedTrace, laterTrace } from "./trace.ts";
import { type NicRequest, readWish } from "./wish.ts";
import { poolsOf } from "./wished_pools.ts";

/** One set-up: a pod `default/web-0` on node `n1`, and what differs from one that works. */
interface Setup {
  readonly pools?: readonly PoolInit[];
  /** Short for a pod whose annotation `ippool` has this value. */
  readonly wish?: unknown;
  readonly annotations?: Labels;
  readonly labels?: Labels;
  readonly namespace?: { readonly annotations?: Labels; readonly labels?: Labels };
  readonly namespaceUnknown?: true;
  readonly nodeLabels?: Labels;
  readonly request?: Partial<NicRequest>;
  readonly settings?: Partial<IpamSettings>;
  readonly controller?: TopController;
  readonly reserved?: readonly string[];
  /** Addresses of the NIC's master; a text alone is why they are not known. */
  readonly masters?: readonly string[] | string;
  /** Pools that turn out to have no free address. */
  readonly full?: Readonly<Record<string, number>>;
  readonly says: string;
}

const LENDING: Partial<IpamSettings> = { spiderSubnet: true, autoPool: true };

/** What the agent would answer: the refusal of the first step that refuses. */
function refusalOf(setup: Setup): Refusal {
  const settings = { ...SETTINGS, ...setup.settings };
  const wishAnnotation = setup.wish === undefined
    ? {}
    : { "ipam.spidernet.io/ippool": JSON.stringify(setup.wish) };
  const annotations = { ...wishAnnotation, ...setup.annotations };
  const pod = podOf({ metadata: { annotations, labels: setup.labels ?? {} } });
  const request = requestOf(setup.request);
  const namespaceAnnotations = setup.namespaceUnknown
    ? undefined
    : setup.namespace?.annotations ?? {};
  const { controller = selectionFactsOf().controller } = setup;
  const wish = readWish({ pod, namespaceAnnotations, request, controller, settings });
  if (!wish.ok) return wish.error;

  const objects = new Map((setup.pools ?? []).map((init) => {
    const pool = poolOf(init);
    return [pool.metadata.name, pool] as const;
  }));
  const wanted = poolsOf(wish.value, objects.keys());
  const names = wanted.kind === "all" ? [...objects.keys()] : wanted.names;
  const pools: ReadonlyMap<string, PoolReading> = new Map(
    names.map((name) => [name, readPool(objects.get(name))]),
  );
  const selected = selectPools(
    wish.value,
    selectionFactsOf({
      pod,
      nodeLabels: setup.nodeLabels ?? {},
      namespaceLabels: setup.namespace?.labels ?? {},
      ...(setup.controller === undefined ? {} : { controller: setup.controller }),
      masterSubnets: mastersOf(setup),
      matchMasterSubnet: request.matchMasterSubnet,
      pools,
      reserved: reservedOf(setup),
      settings,
    }),
  );
  if (!selected.ok) return selected.error;
  const [nic] = selected.value;
  const [family] = nic?.families ?? [];
  assert.ok(nic !== undefined && family !== undefined, "every NIC has a family");
  assert.ok(setup.full !== undefined, "this set-up works");
  const later = Object.entries(setup.full).map(([pool, size]) => exhaustedTrace(pool, { size }));
  const candidates = laterTrace(family.trace, { later });
  return { code: "exhausted", trace: { nic: nic.nic, version: family.version, candidates } };
}

function reservedOf({ reserved = [] }: Setup) {
  const ipv4 = expectOk(parseRangeSet(IPV4, reserved), "these are IPv4 ranges");
  return { ipv4, ipv6: RangeSet.empty(IPV6) };
}

function mastersOf({ masters = [] }: Setup) {
  if (typeof masters === "string") return err(masters);
  const parsed: readonly AnyAddressInCidr[] = masters.map((text) =>
    expectOk(parseAnyAddressInCidr(text), "this is an address")
  );
  return ok(parsed);
}

const POOLS = "ipam.spidernet.io/ippools";
const ROUTES = "ipam.spidernet.io/routes";
const NETWORKS = "k8s.v1.cni.cncf.io/networks";
const DEFAULT_NETWORK = "v1.multus-cni.io/default-network";
const NS4 = "ipam.spidernet.io/default-ipv4-ippool";
const NS6 = "ipam.spidernet.io/default-ipv6-ippool";

const p1 = { ipv4: ["p1"] };
const deployment = { apiVersion: "apps/v1", kind: "Deployment", namespace: "default", uid: "u" };

/** What the pod, its namespace or the CNI configuration says is wrong. */
const WRONG_INPUT: Readonly<Record<string, Setup>> = {
  "an annotation that is no JSON": {
    annotations: { "ipam.spidernet.io/ippool": "{ipv4: [p1]}" },
    says: 'wrong input on pod "default/web-0": Cannot use annotation ' +
      '"ipam.spidernet.io/ippool" "{ipv4: [p1]}": write valid JSON',
  },
  "a pool where a list belongs": {
    wish: { ipv4: "p1" },
    says: 'wrong input on pod "default/web-0": Cannot use ipv4 of annotation ' +
      '"ipam.spidernet.io/ippool" "p1": write a list',
  },
  "a pool that is listed twice": {
    wish: { ipv4: ["p1", "p2", "p1"] },
    says: 'wrong input on pod "default/web-0": Cannot use ipv4[2] of annotation ' +
      '"ipam.spidernet.io/ippool" "p1": it is listed twice; write each name once',
  },
  "pools of all NICs that are no list": {
    annotations: { [POOLS]: '{"ipv4":["p1"]}' },
    says: 'wrong input on pod "default/web-0": Cannot use annotation ' +
      '"ipam.spidernet.io/ippools" {"ipv4":["p1"]}: write a list',
  },
  "pools of no NIC": {
    annotations: { [POOLS]: "[]" },
    says: 'wrong input on pod "default/web-0": Cannot use annotation ' +
      '"ipam.spidernet.io/ippools" []: write at least one item',
  },
  "NICs of which only some have names": {
    annotations: { [POOLS]: '[{"interface":"eth0","ipv4":["p1"]},{"ipv4":["p1"]}]' },
    says: 'wrong input on pod "default/web-0": Cannot use [1].interface of annotation ' +
      '"ipam.spidernet.io/ippools": other items name their NIC; write a NIC in every ' +
      "item or in none",
  },
  "a NIC that is listed twice": {
    annotations: {
      [POOLS]: '[{"interface":"eth0","ipv4":["p1"]},{"interface":"eth0","ipv4":["p2"]}]',
    },
    says: 'wrong input on pod "default/web-0": Cannot use [1].interface of annotation ' +
      '"ipam.spidernet.io/ippools" "eth0": it is listed twice; write each NIC once',
  },
  "a NIC that is not listed": {
    annotations: { [POOLS]: '[{"interface":"eth0","ipv4":["p1"]}]' },
    request: { nic: "net1" },
    says: 'wrong input: annotation "ipam.spidernet.io/ippools" is for NIC "eth0", and ' +
      'interface "net1" must be specified too; add an item for it',
  },
  "a listed NIC that no network gives": {
    annotations: {
      [POOLS]: '[{"interface":"eth0","ipv4":["p1"]},{"interface":"net2","ipv4":["p1"]}]',
      [NETWORKS]: "macvlan-a",
    },
    pools: [{}],
    says: 'wrong input: annotation "ipam.spidernet.io/ippools" is for NIC "net2", and the ' +
      'pod has only "net1" by annotation "k8s.v1.cni.cncf.io/networks"; correct one of ' +
      "the two annotations",
  },
  "a listed NIC of a pod with one network": {
    annotations: {
      [POOLS]: '[{"interface":"eth0","ipv4":["p1"]},{"interface":"net1","ipv4":["p1"]}]',
    },
    pools: [{}],
    says: 'wrong input: annotation "ipam.spidernet.io/ippools" is for NIC "net1", and the ' +
      'pod has no annotation "k8s.v1.cni.cncf.io/networks", which would give it one; ' +
      "correct one of the two annotations",
  },
  "more items than NICs": {
    annotations: {
      [POOLS]: '[{"ipv4":["p1"]},{"ipv4":["p1"]},{"ipv4":["p1"]}]',
      [NETWORKS]: "macvlan-a",
    },
    pools: [{}],
    says: 'wrong input: annotation "ipam.spidernet.io/ippools" has an item [2], and the pod ' +
      'has only "net1" by annotation "k8s.v1.cni.cncf.io/networks"; correct one of the ' +
      "two annotations",
  },
  "networks that Multus could not read": {
    annotations: {
      [POOLS]: '[{"interface":"eth0","ipv4":["p1"]},{"interface":"net1","ipv4":["p1"]}]',
      [NETWORKS]: "kube-system/macvlan/a",
    },
    pools: [{}],
    says: 'wrong input on pod "default/web-0": Cannot use [0] of annotation ' +
      '"k8s.v1.cni.cncf.io/networks" "kube-system/macvlan/a": write networks as ' +
      "namespace/name@nic, separated by commas, or as a JSON list",
  },
  "a namespace whose default is no list": {
    namespace: { annotations: { [NS4]: "p1" } },
    says: 'wrong input on namespace "default": Cannot use annotation ' +
      '"ipam.spidernet.io/default-ipv4-ippool" "p1": write valid JSON',
  },
  "a namespace that names a pool twice": {
    namespace: { annotations: { [NS6]: '["p6","p6"]' } },
    says: 'wrong input on namespace "default": Cannot use [1] of annotation ' +
      '"ipam.spidernet.io/default-ipv6-ippool" "p6": it is listed twice; write each name ' +
      "once",
  },
  "a configuration that names a pool twice": {
    request: { defaultIpv4Pools: ["p1", "p1"] },
    says: 'wrong input: duplicate IPPool "p1" specified for NIC "eth0" in ' +
      "default_ipv4_ippool of the CNI configuration; name it there once",
  },
  "a pattern without an end": {
    wish: { ipv4: ["p[1*"] },
    pools: [{}],
    says: 'wrong input: Cannot use "p[1*" as a pattern of pools for NIC "eth0": it has "[" ' +
      'without "]"; write "[...]"',
  },
  "a route that leads nowhere": {
    annotations: { [ROUTES]: '[{"dst":"10.100.0.0","gw":"10.6.0.1"}]' },
    says: 'wrong input on pod "default/web-0": Cannot use [0].dst of annotation ' +
      '"ipam.spidernet.io/routes" "10.100.0.0": it has no prefix length; write one after ' +
      'the address, as in "10.6.0.0/16"',
  },
  "a route without a gateway": {
    annotations: { [ROUTES]: '[{"dst":"10.100.0.0/16"}]' },
    says: 'wrong input on pod "default/web-0": Cannot use [0].gw of annotation ' +
      '"ipam.spidernet.io/routes" "": it is not an IPv4 address; write one such as ' +
      '"10.6.0.17"',
  },
  "a route to one family by the other": {
    annotations: {
      [ROUTES]: '[{"dst":"10.0.0.0/8","gw":"10.6.0.1"},{"dst":"fd00::/8","gw":"10.6.0.1"}]',
    },
    says: 'wrong input on pod "default/web-0": Cannot use [1].gw of annotation ' +
      '"ipam.spidernet.io/routes" "10.6.0.1": it is an IPv4 address; write an IPv6 one',
  },
  "routes that are no list": {
    annotations: { [ROUTES]: '{"dst":"10.0.0.0/8"}' },
    says: 'wrong input on pod "default/web-0": Cannot use annotation ' +
      '"ipam.spidernet.io/routes" {"dst":"10.0.0.0/8"}: write a list',
  },
  "a subnet while the feature is off": {
    annotations: { "ipam.spidernet.io/subnet": '{"ipv4":["s1"]}' },
    wish: p1,
    pools: [{}],
    says: 'wrong input: annotation "ipam.spidernet.io/subnet" asks for a pool out of a ' +
      "SpiderSubnet, and the SpiderSubnet feature is disabled; set enableSpiderSubnet to " +
      'true, or name pools with annotation "ipam.spidernet.io/ippool" instead',
  },
  "a subnet without automatic pools": {
    annotations: { "ipam.spidernet.io/subnets": '[{"interface":"eth0","ipv4":["s1"]}]' },
    settings: { spiderSubnet: true },
    says: 'wrong input: annotation "ipam.spidernet.io/subnets" asks for a pool out of a ' +
      "SpiderSubnet, and the Auto-Pool feature is disabled; set " +
      "enableAutoPoolForApplication to true, or name pools with annotation " +
      '"ipam.spidernet.io/ippool" instead',
  },
  "a subnet for a pod that nothing controls": {
    annotations: { "ipam.spidernet.io/subnet": '{"ipv4":["s1"]}' },
    settings: LENDING,
    controller: { apiVersion: "v1", kind: "Pod", name: "lone", namespace: "default", uid: "u" },
    says: 'wrong input: annotation "ipam.spidernet.io/subnet" asks for a pool of the application ' +
      'that pod "default/web-0" belongs to, and nothing controls the pod; make it by a ' +
      'Deployment or another workload, or name pools with annotation "ipam.spidernet.io/ippool"',
  },
  "subnets that do not name the NIC": {
    annotations: { "ipam.spidernet.io/subnets": '[{"interface":"eth0","ipv4":["s1"]}]' },
    request: { nic: "net1" },
    settings: LENDING,
    says: 'wrong input: annotation "ipam.spidernet.io/subnets" is for NIC "eth0", and interface ' +
      '"net1" must be specified too; add an item for it',
  },
  "a subnet for another NIC": {
    annotations: { "ipam.spidernet.io/subnet": '{"ipv4":["s1"]}' },
    request: { nic: "net1" },
    settings: LENDING,
    says: 'wrong input: annotation "ipam.spidernet.io/subnet" is for NIC "eth0", and interface ' +
      '"net1" must be specified too; write it as "interface", or list both in annotation ' +
      '"ipam.spidernet.io/subnets"',
  },
  "a subnet of a family that is off": {
    annotations: { "ipam.spidernet.io/subnet": '{"ipv6":["s1"]}' },
    settings: { ...LENDING, ipv6: false },
    says: 'no IPPool available for NIC "eth0": annotation "ipam.spidernet.io/subnets" or ' +
      '"ipam.spidernet.io/subnet" names only IPv6 pools, and IPv6 is disabled; set enableIPv6 to ' +
      "true, or name IPv4 pools",
  },
  "a number of addresses that is none": {
    annotations: {
      "ipam.spidernet.io/subnet": '{"ipv4":["s1"]}',
      "ipam.spidernet.io/ippool-ip-number": "3+5",
    },
    settings: LENDING,
    says: 'wrong input on pod "default/web-0": Cannot use annotation ' +
      '"ipam.spidernet.io/ippool-ip-number" "3+5": write a count such as "5", or "+2" beyond the ' +
      "replicas",
  },
};

/** No pool is meant, or none that there is. */
const NO_POOL: Readonly<Record<string, Setup>> = {
  "nothing that names a pool": {
    pools: [{}],
    says: 'no IPPool available for NIC "eth0": no pool selection rules of any type are ' +
      "specified, and no pool has spec.default true; name a pool in annotation " +
      '"ipam.spidernet.io/ippool" of the pod or "ipam.spidernet.io/default-ipv4-ippool" ' +
      "of its namespace, or set spec.default of a pool",
  },
  "an annotation that names none": {
    wish: {},
    pools: [{ default: true }],
    says: 'no IPPool available for NIC "eth0": annotation "ipam.spidernet.io/ippool" names ' +
      'no pool for it; name one under "ipv4" or "ipv6"',
  },
  "a pool that does not exist": {
    wish: { ipv4: ["p9"] },
    pools: [{}],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p9" does not exist; create pool ' +
      '"p9", or name one that exists',
  },
  "two pools, one unknown and one disabled": {
    wish: { ipv4: ["p9", "p1"] },
    pools: [{ disable: true }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p9" does not exist; pool "p1" is ' +
      'disabled; set spec.disable of pool "p1" to false',
  },
  "a pattern that matches nothing": {
    wish: { ipv4: ["q*"] },
    pools: [{}],
    says: 'no IPPool available for NIC "eth0": no IPv4 pool has a name that matches "q*" of ' +
      'annotation "ipam.spidernet.io/ippool"; create one, or correct the pattern',
  },
  "a pattern that matches the other family only": {
    request: { defaultIpv6Pools: ["p?"] },
    pools: [{}],
    says: 'no IPPool available for NIC "eth0": no IPv6 pool has a name that matches "p?" of ' +
      "the CNI configuration; create one, or correct the pattern",
  },
  "a pool of the other family": {
    wish: { ipv6: ["p1"] },
    pools: [{}],
    says: 'no IPPool available for NIC "eth0" (IPv6): pool "p1" is an IPv4 pool ' +
      "(10.6.0.0/16); name an IPv6 pool",
  },
  "IPv6 pools while IPv6 is off": {
    wish: { ipv6: ["p6"] },
    pools: [{ name: "p6", ipVersion: 6 }],
    settings: { ipv6: false },
    says: 'no IPPool available for NIC "eth0": annotation "ipam.spidernet.io/ippool" names ' +
      "only IPv6 pools, and IPv6 is disabled; set enableIPv6 to true, or name IPv4 pools",
  },
  "default pools of a family that is off": {
    pools: [{ name: "p6", ipVersion: 6, default: true }],
    settings: { ipv6: false },
    says: 'no IPPool available for NIC "eth0": the cluster default (spec.default) names only ' +
      "IPv6 pools, and IPv6 is disabled; set enableIPv6 to true, or name IPv4 pools",
  },
  "both families off": {
    wish: { ipv4: ["p1"], ipv6: ["p6"] },
    pools: [{}],
    settings: { ipv4: false, ipv6: false },
    says: 'no IPPool available for NIC "eth0": IPv4 and IPv6 are both disabled; set ' +
      "enableIPv4 or enableIPv6 to true",
  },
  "an agent that does not know the namespace yet": {
    namespaceUnknown: true,
    says: 'Cannot tell the default pools of namespace "default": the agent has not read it ' +
      "yet; the kubelet tries again",
  },
};

/** Pools that are not for this pod. */
const NOT_FOR_POD: Readonly<Record<string, Setup>> = {
  "a disabled pool": {
    wish: p1,
    pools: [{ disable: true }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is disabled; set ' +
      'spec.disable of pool "p1" to false',
  },
  "a pool that is being deleted": {
    wish: p1,
    pools: [{ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is being deleted; name ' +
      'another pool, or create pool "p1" again once it is gone',
  },
  "a pool that the controller took out of use": {
    wish: p1,
    pools: [{
      metadata: {
        annotations: { "ipam.spidernet.io/not-usable": 'spec.ips overlaps pool "p2"' },
      },
    }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" must not be used: spec.ips ' +
      'overlaps pool "p2"; resolve that, and annotation "ipam.spidernet.io/not-usable" ' +
      "is taken away",
  },
  "a pool that still belongs to the reference": {
    wish: p1,
    pools: [{ adopted: false }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is not ready, its addresses ' +
      "are not recorded as SpiderIPs yet (status.truth); the kubelet tries again until " +
      "the controller or an agent has recorded them",
  },
  "a pool for other nodes by name": {
    wish: p1,
    pools: [{ nodeName: ["n2", "n3"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for nodes "n2", "n3", ' +
      'this node is "n1"; widen spec.nodeName or spec.nodeAffinity of pool "p1", or keep ' +
      "the pod off the node",
  },
  "two zones, and a node in a third": {
    wish: { ipv4: ["pa", "pb"] },
    pools: [
      { name: "pa", nodeAffinity: { matchLabels: { zone: "a" } } },
      { name: "pb", nodeAffinity: { matchLabels: { zone: "b" } } },
    ],
    nodeLabels: { zone: "c" },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "pa" is for nodes zone=a, this ' +
      'node "n1" has zone=c; pool "pb" is for nodes zone=b, this node "n1" has zone=c; ' +
      'widen spec.nodeName or spec.nodeAffinity of pool "pa", or keep the pod off the ' +
      "node",
  },
  "a node without the label": {
    wish: p1,
    pools: [{
      nodeAffinity: { matchExpressions: [{ key: "zone", operator: "In", values: ["a", "b"] }] },
    }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for nodes zone in (a,b), ' +
      'this node "n1" has no label zone; widen spec.nodeName or spec.nodeAffinity of ' +
      'pool "p1", or keep the pod off the node',
  },
  "a node with a label that is excluded": {
    wish: p1,
    pools: [{ nodeAffinity: { matchExpressions: [{ key: "edge", operator: "DoesNotExist" }] } }],
    nodeLabels: { edge: "" },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for nodes without edge, ' +
      'this node "n1" has edge=""; widen spec.nodeName or spec.nodeAffinity of pool ' +
      '"p1", or keep the pod off the node',
  },
  "a pool for another namespace": {
    wish: p1,
    pools: [{ namespaceName: ["team-a"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for namespaces "team-a", ' +
      'this pod is in "default"; widen spec.namespaceName or spec.namespaceAffinity of ' +
      'pool "p1", or name another',
  },
  "a namespace without the label": {
    wish: p1,
    pools: [{ namespaceAffinity: { matchLabels: { team: "a" } } }],
    namespace: { labels: { team: "b" } },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for namespaces team=a, ' +
      'namespace "default" has team=b; widen spec.namespaceName or ' +
      'spec.namespaceAffinity of pool "p1", or name another',
  },
  "a pool for other pods": {
    wish: p1,
    pools: [{ podAffinity: { matchLabels: { app: "db" } } }],
    labels: { app: "web" },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for pods app=db, this pod ' +
      'has app=web; widen spec.podAffinity of pool "p1", or name another',
  },
  "an automatic pool of another application": {
    wish: { ipv4: ["auto4-db-eth0-12345"] },
    pools: [{
      name: "auto4-db-eth0-12345",
      metadata: { labels: { "ipam.spidernet.io/owner-application-name": "db" } },
      podAffinity: {
        matchLabels: {
          "ipam.spidernet.io/app-api-group": "apps",
          "ipam.spidernet.io/app-api-version": "v1",
          "ipam.spidernet.io/app-kind": "Deployment",
          "ipam.spidernet.io/app-namespace": "default",
          "ipam.spidernet.io/app-name": "db",
        },
      },
    }],
    controller: { ...deployment, name: "web" },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "auto4-db-eth0-12345" is for ' +
      '"Deployment default/db", this pod belongs to "Deployment default/web" of apps/v1; ' +
      'widen spec.podAffinity of pool "auto4-db-eth0-12345", or name another',
  },
  "a pool for another network": {
    wish: p1,
    pools: [{ multusName: ["kube-system/macvlan-a"] }],
    annotations: { [DEFAULT_NETWORK]: "kube-system/macvlan-b" },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for networks ' +
      'kube-system/macvlan-a, NIC "eth0" is on kube-system/macvlan-b; widen ' +
      'spec.multusName of pool "p1", or name another',
  },
  "a pool for a network, and a pod that names none": {
    wish: p1,
    pools: [{ multusName: ["macvlan-a"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for networks ' +
      'spiderpool/macvlan-a, that of NIC "eth0" is not known: the pod has no annotation ' +
      '"v1.multus-cni.io/default-network" and the agent no MULTUS_CLUSTER_NETWORK; widen ' +
      'spec.multusName of pool "p1", or name another',
  },
  "a pool for a network, on a further NIC": {
    wish: p1,
    pools: [{ multusName: ["kube-system/macvlan-a"] }],
    annotations: { [NETWORKS]: "kube-system/macvlan-b,macvlan-a" },
    request: { nic: "net2" },
    says: 'no IPPool available for NIC "net2" (IPv4): pool "p1" is for networks ' +
      'kube-system/macvlan-a, NIC "net2" is on default/macvlan-a; widen spec.multusName ' +
      'of pool "p1", or name another',
  },
  "a default network that Multus could not read": {
    wish: p1,
    pools: [{ multusName: ["macvlan-a"] }],
    annotations: { [DEFAULT_NETWORK]: "Macvlan_A" },
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is for networks ' +
      'spiderpool/macvlan-a, that of NIC "eth0" is not known: Cannot use [0] of ' +
      'annotation "v1.multus-cni.io/default-network" "Macvlan_A": write networks as ' +
      "namespace/name@nic, separated by commas, or as a JSON list; widen spec.multusName " +
      'of pool "p1", or name another',
  },
  "a pool of another subnet than the master's": {
    wish: p1,
    pools: [{}],
    request: { matchMasterSubnet: true },
    masters: ["10.7.0.2/16", "fd00:7::2/64"],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" has subnet 10.6.0.0/16, the ' +
      'master of NIC "eth0" has 10.7.0.2/16,fd00:7::2/64; name a pool of the master\'s ' +
      "subnet, or set match_master_subnet to false",
  },
  "a master that cannot be found": {
    wish: p1,
    pools: [{}],
    request: { matchMasterSubnet: true },
    masters: '"eth0" is no virtual function',
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" has subnet 10.6.0.0/16, what ' +
      'the master of NIC "eth0" has is not known: "eth0" is no virtual function; name a ' +
      "pool of the master's subnet, or set match_master_subnet to false",
  },
  "IPv4 that works and IPv6 that does not": {
    wish: { ipv4: ["p1"], ipv6: ["p6", "p7"] },
    pools: [{}, { name: "p6", ipVersion: 6, disable: true }],
    says: 'no IPPool available for NIC "eth0" (IPv6): pool "p6" is disabled; pool "p7" does ' +
      'not exist; set spec.disable of pool "p6" to false',
  },
  "the second NIC's pool in another zone": {
    annotations: {
      [POOLS]: '[{"ipv4":["p1"]},{"ipv4":["p2"]}]',
      [NETWORKS]: "macvlan-a@eth1",
    },
    pools: [{}, { name: "p2", nodeName: ["n2"] }],
    says: 'no IPPool available for NIC "eth1" (IPv4): pool "p2" is for nodes "n2", this node ' +
      'is "n1"; widen spec.nodeName or spec.nodeAffinity of pool "p2", or keep the pod ' +
      "off the node",
  },
};

/** Pools that contradict themselves, or have nothing to give. */
const BAD_POOL: Readonly<Record<string, Setup>> = {
  "a subnet that is none": {
    wish: p1,
    pools: [{ subnet: "10.6.0.0/33", ips: [] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.subnet "10.6.0.0/33": its prefix length "33" is not a plain number from 0 to ' +
      "32; write one after the slash",
  },
  "a version that the subnet contradicts": {
    wish: p1,
    pools: [{ subnet: "10.6.0.0/16", ipVersion: 6, ips: [] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.ipVersion 6: spec.subnet "10.6.0.0/16" is IPv4; write 4, or leave it out',
  },
  "a reversed range": {
    wish: p1,
    pools: [{ ips: ["10.6.0.20-10.6.0.10"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.ips[0] "10.6.0.20-10.6.0.10": it is reversed; write "10.6.0.10-10.6.0.20"',
  },
  "a range outside the subnet": {
    wish: p1,
    pools: [{ ips: ["10.7.0.10-10.7.0.20"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.ips[0] "10.7.0.10-10.7.0.20": "10.7.0.10" is outside the subnet ' +
      '"10.6.0.0/16"; stay within "10.6.0.0-10.6.255.255"',
  },
  "an abbreviated range": {
    wish: p1,
    pools: [{ ips: ["10.6.0.10-20"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.ips[0] "10.6.0.10-20": its end is abbreviated; write "10.6.0.10-10.6.0.20"',
  },
  "an exclusion written as a CIDR": {
    wish: p1,
    pools: [{ excludeIPs: ["10.6.0.16/30"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.excludeIPs[0] "10.6.0.16/30": it is a CIDR, not a range; write ' +
      '"10.6.0.16-10.6.0.19"',
  },
  "a gateway outside the subnet": {
    wish: p1,
    pools: [{ gateway: "10.7.0.1" }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.gateway "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an address ' +
      'of "10.6.0.0-10.6.255.255"',
  },
  "a route through another subnet": {
    wish: p1,
    pools: [{ routes: [{ dst: "10.100.0.0/16", gw: "10.7.0.1" }] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.routes[0].gw "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an ' +
      'address of "10.6.0.0-10.6.255.255"',
  },
  "a selector with an operator that there is not": {
    wish: p1,
    pools: [{ podAffinity: { matchExpressions: [{ key: "app", operator: "Equals" }] } }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.podAffinity.matchExpressions[0].operator "Equals": write "In", "NotIn", ' +
      '"Exists" or "DoesNotExist"',
  },
  "a broken default pool": {
    pools: [{ default: true, ips: ["10.6.0.10,10.6.0.11"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" is broken: Cannot use ' +
      'spec.ips[0] "10.6.0.10,10.6.0.11": it is not an IPv4 address; write one such as ' +
      '"10.6.0.17"',
  },
  "a pool without addresses": {
    wish: p1,
    pools: [{ ips: [] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" has no address in spec.ips; ' +
      'widen spec.ips of pool "p1", or exclude and reserve less',
  },
  "a pool that excludes all it has": {
    wish: p1,
    pools: [{ ips: ["10.6.0.10"], excludeIPs: ["10.6.0.0-10.6.0.255"] }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" has no address left, ' +
      'spec.excludeIPs takes away all of spec.ips; widen spec.ips of pool "p1", or ' +
      "exclude and reserve less",
  },
  "a pool with its gateway only": {
    wish: p1,
    pools: [{ ips: ["10.6.0.1"], gateway: "10.6.0.1" }],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" has no address left, ' +
      'spec.gateway is the only one of spec.ips; widen spec.ips of pool "p1", or exclude ' +
      "and reserve less",
  },
  "a pool that is reserved whole": {
    wish: p1,
    pools: [{}],
    reserved: ["10.6.0.0-10.6.0.255"],
    says: 'no IPPool available for NIC "eth0" (IPv4): pool "p1" has 10 addresses, and ' +
      'SpiderReservedIPs reserve every one; widen spec.ips of pool "p1", or exclude and ' +
      "reserve less",
  },
  "a full pool": {
    wish: p1,
    pools: [{}],
    full: { p1: 10 },
    says: 'all IP addresses used out for NIC "eth0" (IPv4): pool "p1" has no free address, ' +
      'all 10 are in use; add addresses to spec.ips of pool "p1", or delete pods that ' +
      "hold some",
  },
  "a full pool beside one that is for others": {
    wish: { ipv4: ["p1", "p2"] },
    pools: [{}, { name: "p2", namespaceName: ["team-a"] }],
    full: { p1: 10 },
    says: 'all IP addresses used out for NIC "eth0" (IPv4): pool "p1" has no free address, ' +
      'all 10 are in use; pool "p2" is for namespaces "team-a", this pod is in ' +
      '"default"; add addresses to spec.ips of pool "p1", or delete pods that hold some',
  },
};

for (const setups of [WRONG_INPUT, NO_POOL, NOT_FOR_POD, BAD_POOL]) {
  for (const [title, setup] of Object.entries(setups)) {
    Deno.test(`sayRefusal() of ${title}`, () => {
      assert.equal(sayRefusal(refusalOf(setup)), setup.says);
    });
  }
}
