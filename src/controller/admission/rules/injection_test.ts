import assert from "node:assert/strict";
import { ADMISSION_SETTINGS as settings } from "../../../../tests/support/admission_judge.ts";
import { NAMESPACES } from "../../../api/kubernetes/node.ts";
import { type Pod, PODS } from "../../../api/kubernetes/pod.ts";
import { SPIDER_MULTUS_CONFIGS, type SpiderMultusConfig } from "../../../api/multus_config.ts";
import { expectOk } from "../../../base/result.ts";
import { inject, type InjectionWish, namespaceWish, podWish } from "./injection.ts";

const RDMA = "cni.spidernet.io/rdma-resource-inject";
const NETWORK = "cni.spidernet.io/network-resource-inject";
const NETWORKS = "k8s.v1.cni.cncf.io/networks";
const WISH: InjectionWish = { key: RDMA, group: "rails", asker: "the pod" };
const ippools = { ipv4: ["a"] };

/** A network of the group, by the resource that its virtual functions are. */
function rail(
  name: string,
  { resourceName = "example.com/vf", crName, group = "rails", spec }: {
    readonly resourceName?: string;
    readonly crName?: string;
    readonly group?: string;
    readonly spec?: unknown;
  } = {},
): SpiderMultusConfig {
  const annotations = {
    [RDMA]: group,
    ...crName === undefined ? {} : { "multus.spidernet.io/cr-name": crName },
  };
  return expectOk(
    SPIDER_MULTUS_CONFIGS.parse({
      metadata: { namespace: "fabric", name, annotations },
      spec: spec ?? { cniType: "sriov", sriov: { resourceName, ippools } },
    }),
    "it can be read",
  );
}

function macvlan(name: string, master: string): SpiderMultusConfig {
  const block = { master: [master], rdmaResourceName: "example.com/hca", ippools };
  return rail(name, { spec: { cniType: "macvlan", macvlan: block } });
}

function pod(
  networks?: string,
  containers: readonly unknown[] = [{ name: "a", image: "x" }, { name: "b" }],
): Pod {
  const annotations = {
    [RDMA]: "rails",
    ...networks === undefined ? {} : { [NETWORKS]: networks },
  };
  const metadata = { namespace: "team", name: "p", annotations };
  return expectOk(PODS.parse({ metadata, spec: { containers } }), "it can be read");
}

function injected(given: Pod, networks: readonly SpiderMultusConfig[]): Pod {
  const made = expectOk(inject(given, { wish: WISH, networks, settings }), "it is injected");
  const again = expectOk(inject(made, { wish: WISH, networks, settings }), "it is injected again");
  assert.deepEqual(again, made, "the second time changes nothing");
  return made;
}

function networksOf(given: Pod): string | undefined {
  return given.metadata.annotations?.[NETWORKS];
}

Deno.test("inject() adds networks by their master, then by name, however they are listed", () => {
  const networks = [macvlan("z", "ens1"), macvlan("a", "ens2"), macvlan("b", "ens1")];
  const expected = "fabric/b,fabric/z,fabric/a";
  assert.equal(networksOf(injected(pod(), networks)), expected);
  assert.equal(networksOf(injected(pod(), networks.toReversed())), expected);
});

Deno.test("inject() keeps the networks that the pod has, in their form and order", () => {
  const networks = [rail("one"), rail("two")];
  const had = "net@eth5, fabric/two@rail2";
  assert.equal(networksOf(injected(pod(had), networks)), `${had},fabric/one`);
  const list = [{ name: "net", mac: "02:00:00:00:00:01" }, { name: "one", namespace: "fabric" }];
  const made = networksOf(injected(pod(JSON.stringify(list)), networks));
  assert.deepEqual(JSON.parse(made ?? ""), [...list, { namespace: "fabric", name: "two" }]);
  assert.equal(networksOf(injected(pod(" "), networks)), "fabric/one,fabric/two");
});

Deno.test("inject() names the definition, not the SpiderMultusConfig", () => {
  const networks = [rail("one", { crName: "other" }), rail("two", { crName: "with.dot" })];
  assert.deepEqual(JSON.parse(networksOf(injected(pod("mine@net7"), networks)) ?? ""), [
    { namespace: "team", name: "mine", interface: "net7" },
    { namespace: "fabric", name: "other" },
    { namespace: "fabric", name: "with.dot" },
  ]);
  assert.equal(networksOf(injected(pod(), networks.slice(0, 1))), "fabric/other");
});

Deno.test("inject() asks for a device per virtual function, and for a shared one once", () => {
  const networks = [
    ...[rail("one"), rail("two"), macvlan("m1", "ens1"), macvlan("m2", "ens2")],
    rail("ib", { spec: { cniType: "ipoib", ipoib: { master: "ib0", ippools } } }),
  ];
  const [first, second] = injected(pod(), networks).spec.containers;
  const wanted = { "example.com/vf": "2", "example.com/hca": "1" };
  assert.deepEqual(first, {
    ...{ name: "a", image: "x" },
    resources: { limits: wanted, requests: wanted },
  });
  assert.deepEqual(second, { name: "b" });
});

Deno.test("inject() leaves alone what a container says of a resource", () => {
  const containers = [
    { name: "a", resources: { limits: { cpu: "2" } } },
    { name: "b", resources: { limits: { "example.com/vf": "4" } } },
  ];
  const [first, second] = injected(pod(undefined, containers), [rail("one"), macvlan("m", "ens1")])
    .spec.containers;
  assert.deepEqual(first?.resources, {
    limits: { cpu: "2", "example.com/hca": "1" },
    requests: { "example.com/hca": "1" },
  });
  assert.deepEqual(second, containers[1]);
});

Deno.test("inject() refuses an empty group, wrong networks, and what nobody can read", () => {
  const said = (given: Pod, networks: readonly SpiderMultusConfig[], asker = "the pod") => {
    const made = inject(given, { wish: { ...WISH, asker }, networks, settings });
    return made.ok ? "injected" : made.error;
  };
  const place = `Cannot use metadata.annotations["${RDMA}"] "rails":`;
  assert.equal(
    said(pod(), [rail("one", { group: "others" })]),
    `${place} no SpiderMultusConfig has this annotation with this value; write it into one, or ` +
      "remove it from the pod",
  );
  assert.equal(
    said(pod(), [], 'Namespace "team"'),
    `${place} (of Namespace "team") no SpiderMultusConfig has this annotation with this value; ` +
      'write it into one, or remove it from Namespace "team"',
  );
  const ovs = rail("one", { spec: { cniType: "ovs", ovs: { bridge: "br1" } } });
  assert.equal(
    said(pod(), [rail("two"), ovs]),
    `${place} SpiderMultusConfig "fabric/one" has it, and is wrong: ${place} a network of ` +
      'cniType "ovs" has no resource to give to pods; remove the annotation',
  );
  assert.match(
    said(pod("a b"), [rail("one")]),
    /^Cannot use \[0\] of annotation .* "a b": write networks/,
  );
  const dying = rail("one");
  const metadata = { ...dying.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" };
  assert.match(said(pod(), [{ ...dying, metadata }]), /no SpiderMultusConfig has/);
});

Deno.test("podWish() and namespaceWish() prefer RDMA, and an empty value wants nothing", () => {
  const of = (annotations: Readonly<Record<string, string>>) => {
    const metadata = { namespace: "team", name: "p", annotations };
    return podWish(expectOk(PODS.parse({ metadata, spec: { containers: [] } }), "it is read"));
  };
  assert.deepEqual(of({ [NETWORK]: "n", [RDMA]: "r" }), {
    key: RDMA,
    group: "r",
    asker: "the pod",
  });
  assert.deepEqual(of({ [NETWORK]: "n" }), { key: NETWORK, group: "n", asker: "the pod" });
  assert.deepEqual([of({ [NETWORK]: "" }), of({})], ["nothing", undefined]);
  const inNamespace = (metadata: object) => {
    return namespaceWish(
      expectOk(NAMESPACES.parse({ metadata: { name: "team", ...metadata } }), "it is read"),
    );
  };
  const asker = 'Namespace "team"';
  const labels = { [RDMA]: "label" };
  assert.deepEqual(inNamespace({ labels }), { key: RDMA, group: "label", asker });
  assert.deepEqual(inNamespace({ labels, annotations: { [RDMA]: "text" } }), {
    ...{ key: RDMA, group: "text", asker },
  });
  assert.deepEqual([inNamespace({}), inNamespace({ labels: { [RDMA]: "" } })], [
    undefined,
    undefined,
  ]);
});
