import assert from "node:assert/strict";
import fc from "fast-check";
import { podOf } from "../../tests/support/decision_objects.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { type AllocationRecord, formatAllocatedIps } from "../api/ip_pool_records.ts";
import { podLabelValue } from "../api/labels.ts";
import type { ObjectMeta } from "../base/object_store.ts";
import { expectOk } from "../base/result.ts";
import { adoptedClaims, type AdoptedPod, markedPool, planAdoption } from "./adoption.ts";

/** The pool `p4` with records by text of address. */
function poolOf(
  records: Readonly<Record<string, AllocationRecord>> | string,
  subnet = "10.6.0.0/16",
): SpiderIpPool {
  const allocatedIPs = typeof records === "string"
    ? records
    : formatAllocatedIps(Object.entries(records));
  const pool = { metadata: { name: "p4" }, spec: { subnet }, status: { allocatedIPs } };
  return expectOk(SPIDER_IP_POOLS.parse(pool), "it is whole");
}

function endpointOf(
  { name = "web-0", uid = "uid-1", type = "Deployment", owner = "web", ips = [] }: {
    readonly name?: string;
    readonly uid?: string;
    readonly type?: string;
    readonly owner?: string;
    readonly ips?: readonly Partial<EndpointNic>[];
  } = {},
): SpiderEndpoint {
  const entries = ips.map((entry) => {
    return { interface: "eth0", vlan: 0, ipv4Pool: "p4", ...entry };
  });
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name, namespace: "default" },
    status: {
      current: { uid, node: "n-endpoint", ips: entries },
      ownerControllerType: type,
      ownerControllerName: owner,
    },
  };
}

function podsOf(...pods: readonly AdoptedPod[]): ReadonlyMap<string, AdoptedPod> {
  return new Map(pods.map((pod) => [pod.metadata.uid ?? "", pod]));
}

const record = { pod: "default/web-0", podUid: "uid-1" };
const address = "10.6.0.17";
const listing = [{ ipv4: `${address}/16` }];

/** `spec` of the one claim, without what is the same in all. */
function claimed(facts: Partial<Parameters<typeof adoptedClaims>[0]>) {
  const claims = expectOk(
    adoptedClaims({ pool: poolOf({ [address]: record }), endpoints: [], pods: podsOf(), ...facts }),
    "it can be read",
  );
  assert.equal(claims.length, 1);
  const { spec, metadata } = claims[0] ?? assert.fail("one claim");
  assert.equal(spec.pool, "p4");
  assert.equal(metadata.name, spec.ip);
  const { podNamespace, podName, podUID, nic, node, owner, containerID } = spec;
  assert.equal(containerID, "");
  return { pod: `${podNamespace}/${podName}`, podUID, nic, node, owner };
}

Deno.test("adoptedClaims() claims every record, also of a pod that nobody knows", () => {
  const nobody = { pod: "default/web-0", podUID: "uid-1", nic: "", node: "", owner: undefined };
  assert.deepEqual(claimed({}), nobody);
  const endpoint = endpointOf({ ips: listing });
  assert.deepEqual(claimed({ endpoints: [endpoint] }), {
    ...nobody,
    nic: "eth0",
    node: "n-endpoint",
  });
  assert.deepEqual(claimed({ endpoints: [endpoint], pods: podsOf(podOf()) }), {
    ...nobody,
    nic: "eth0",
    node: "n1",
  });
});

Deno.test("adoptedClaims() takes no node from an endpoint of another pod of the name", () => {
  const endpoints = [endpointOf({ uid: "uid-2", ips: listing })];
  assert.equal(claimed({ endpoints }).node, "");
});

Deno.test("adoptedClaims() of an empty pool is nothing", () => {
  const facts = { pool: poolOf({}), endpoints: [endpointOf()], pods: podsOf(podOf()) };
  assert.deepEqual(adoptedClaims(facts), { ok: true, value: [] });
});

Deno.test("adoptedClaims() knows NICs without a name by their position", () => {
  const ips = [{ ipv4: "10.6.0.16/16" }, { interface: "", ipv4: `${address}/16` }];
  assert.equal(claimed({ endpoints: [endpointOf({ ips })] }).nic, "#1");
});

Deno.test("adoptedClaims() keeps a StatefulSet's address, by its pod or else its endpoint", () => {
  const owner = { kind: "StatefulSet", name: "web" };
  const endpoints = [endpointOf({ type: "StatefulSet", ips: listing })];
  assert.deepEqual(claimed({ endpoints }).owner, owner);
  const controlledBy = (apiVersion: string, kind: string) => {
    const reference = { apiVersion, kind, name: "web", uid: "u", controller: true };
    const metadata: Partial<ObjectMeta> = { ownerReferences: [reference] };
    return podsOf(podOf({ metadata }));
  };
  const pods = controlledBy("apps/v1", "StatefulSet");
  assert.deepEqual(claimed({ endpoints, pods }).owner, owner);
  assert.deepEqual(claimed({ pods }).owner, owner);
  for (const pods of [controlledBy("apps.kruise.io/v1beta1", "StatefulSet"), podsOf(podOf())]) {
    assert.equal(claimed({ endpoints, pods }).owner, undefined);
  }
});

Deno.test("adoptedClaims() keeps nothing that the endpoint no longer lists", () => {
  const ips = [{ ipv4: "10.6.0.99/16" }];
  const endpoints = [endpointOf({ type: "StatefulSet", ips })];
  assert.equal(claimed({ endpoints }).owner, undefined);
});

Deno.test("adoptedClaims() names the real pod of a machine, or the machine without one", () => {
  const pool = poolOf({ [address]: { pod: "default/vm-a", podUid: "uid-1" } });
  const type = "VirtualMachineInstance";
  const endpoints = [endpointOf({ name: "vm-a", type, owner: "vm-a", ips: listing })];
  const owner = { kind: type, name: "vm-a" };
  const reference = { apiVersion: "kubevirt.io/v1", ...owner, uid: "u", controller: true };
  const launcher = podOf({
    metadata: { name: "virt-launcher-vm-a-x", ownerReferences: [reference] },
  });
  const facts = { pool, endpoints };
  assert.deepEqual(claimed({ ...facts, pods: podsOf(launcher) }), {
    pod: "default/virt-launcher-vm-a-x",
    podUID: "uid-1",
    nic: "eth0",
    node: "n1",
    owner,
  });
  assert.equal(claimed(facts).pod, "default/vm-a");
  assert.deepEqual(claimed(facts).owner, owner);
  const [claim] = expectOk(adoptedClaims({ ...facts, pods: podsOf(launcher) }), "valid");
  const label = podLabelValue({ namespace: "default", name: "vm-a" });
  assert.equal(claim?.metadata.labels?.["ipam.spidernet.io/pod"], label);
});

Deno.test("adoptedClaims() claims what endpoints of existing pods say without a record", () => {
  const other = { interface: "net1", ipv4: "10.6.0.9/16", ipv4Pool: "other" };
  const endpoints = [
    endpointOf({ ips: [...listing, other] }),
    endpointOf({ name: "gone", uid: "uid-gone", ips: [{ ipv4: "10.6.0.8/16" }] }),
  ];
  assert.deepEqual(claimed({ pool: poolOf({}), endpoints, pods: podsOf(podOf()) }), {
    pod: "default/web-0",
    podUID: "uid-1",
    nic: "eth0",
    node: "n1",
    owner: undefined,
  });
});

Deno.test("adoptedClaims() gives one claim to two NICs that share an address", () => {
  const ips = [...listing, { interface: "net1", ipv4: `${address}/16` }];
  assert.equal(claimed({ endpoints: [endpointOf({ ips })], pods: podsOf(podOf()) }).nic, "eth0");
});

Deno.test("adoptedClaims() reads IPv6 in any spelling", () => {
  const pool = poolOf({ "FD00:6::0:17": record }, "fd00:6::/64");
  const claims = expectOk(adoptedClaims({ pool, endpoints: [], pods: podsOf() }), "it is valid");
  assert.deepEqual(claims.map(({ spec }) => spec.ip), ["fd00:6::17"]);
  assert.deepEqual(claims.map(({ metadata }) => metadata.name), [
    "fd00-0006-0000-0000-0000-0000-0000-0017",
  ]);
});

Deno.test("planAdoption() prefers who may still use an address, and tells of the other", () => {
  const recorded = podOf();
  const other = podOf({ metadata: { name: "db-0", uid: "uid-2" } });
  const ended = (pod: AdoptedPod) => ({ ...pod, status: { phase: "Succeeded" } });
  const pool = poolOf({ [address]: record });
  const endpoints = [endpointOf({ name: "db-0", uid: "uid-2", ips: listing })];
  const plan = (...pods: readonly AdoptedPod[]) => {
    const { claims, disputes } = expectOk(
      planAdoption({ pool, endpoints, pods: podsOf(...pods) }),
      "it can be read",
    );
    return { pods: claims.map(({ spec }) => spec.podName), disputes };
  };
  const dispute = { address, winner: "default/web-0", loser: "default/db-0" };
  assert.deepEqual(plan(recorded, other), { pods: ["web-0"], disputes: [dispute] });
  assert.deepEqual(plan(other), { pods: ["db-0"], disputes: [] });
  assert.deepEqual(plan(ended(recorded), other), { pods: ["db-0"], disputes: [] });
  assert.deepEqual(plan(recorded, ended(other)), { pods: ["web-0"], disputes: [] });
  assert.deepEqual(plan(ended(recorded), ended(other)), { pods: ["web-0"], disputes: [] });
  assert.deepEqual(plan(recorded), { pods: ["web-0"], disputes: [] });
});

/** Records that cannot be adopted, and what is said of them. */
const REFUSED: readonly (readonly [text: string, said: string])[] = [
  ["{", 'cannot use status.allocatedIPs "{": write valid JSON'],
  [
    '{"10.6.0":{"pod":"default/a","podUid":"u"}}',
    'cannot use the key of status.allocatedIPs "10.6.0": it has 3 numbers instead of 4; ' +
    'write an IPv4 address in full, such as "10.6.0.17"',
  ],
  [
    '{"fd00::1":{"pod":"default/a","podUid":"u"}}',
    'cannot use status.allocatedIPs["fd00::1"]: spec.subnet is IPv4; remove the record',
  ],
  [
    '{"10.6.0.1":{"pod":"a","podUid":"u"}}',
    'cannot use status.allocatedIPs["10.6.0.1"].pod "a": write "namespace/name"',
  ],
  [
    '{"10.6.0.1":{"podUid":"u"}}',
    'cannot use status.allocatedIPs["10.6.0.1"].pod "": write "namespace/name"',
  ],
  [
    '{"10.6.0.1":{"pod":"default/a"}}',
    'cannot use status.allocatedIPs["10.6.0.1"].podUid "": write the UID of pod "default/a", ' +
    "or remove the record if there is none",
  ],
];

Deno.test("adoptedClaims() refuses a record that it cannot read, and names pool and value", () => {
  for (const [text, said] of REFUSED) {
    const refusal = adoptedClaims({ pool: poolOf(text), endpoints: [], pods: podsOf() });
    assert.deepEqual(refusal, { ok: false, error: `Cannot adopt SpiderIPPool "p4": ${said}` });
  }
});

Deno.test("adoptedClaims() refuses two records of one address unless they say the same", () => {
  const adopt = (other: AllocationRecord) => {
    const pool = poolOf({ "fd00:6::17": record, "FD00:6::17": other }, "fd00:6::/64");
    return adoptedClaims({ pool, endpoints: [], pods: podsOf() });
  };
  assert.equal(expectOk(adopt(record), "it is one").length, 1);
  const refusal = adopt({ ...record, podUid: "uid-2" });
  assert.deepEqual(refusal, {
    ok: false,
    error: 'Cannot adopt SpiderIPPool "p4": cannot use status.allocatedIPs["fd00:6::17"]: ' +
      'another record of this address names pod "default/web-0" of UID "uid-2"; remove one of them',
  });
});

Deno.test("adoptedClaims() refuses what it cannot read of a pod without a record", () => {
  const endpoints = [endpointOf({ ips: [{ ipv4: "10.6.0/16" }] })];
  const pods = podsOf(podOf());
  assert.deepEqual(adoptedClaims({ pool: poolOf({}), endpoints, pods }), {
    ok: false,
    error: 'Cannot adopt SpiderIPPool "p4": cannot use status.current.ips[0].ipv4 of ' +
      'SpiderEndpoint "default/web-0" "10.6.0/16": its address "10.6.0" has 3 numbers instead of ' +
      '4; write an IPv4 address in full, such as "10.6.0.17"',
  });
  assert.equal(claimed({ endpoints, pods }).podUID, "uid-1");
  assert.ok(adoptedClaims({ pool: poolOf({}), endpoints, pods: podsOf() }).ok);
});

Deno.test("markedPool() sets the marker and keeps everything else", () => {
  const pool = poolOf({ [address]: record });
  const marked = markedPool(pool);
  assert.deepEqual(marked, { ...pool, status: { ...pool.status, truth: "SpiderIP" } });
  assert.equal(markedPool({ ...pool, status: undefined }).status?.truth, "SpiderIP");
});

Deno.test("property: adoptedClaims() claims each record and each pod's address once", () => {
  const last = fc.integer({ min: 1, max: 20 });
  const uid = fc.constantFrom("uid-1", "uid-2", "uid-3");
  const records = fc.uniqueArray(fc.tuple(last, uid), { selector: ([last]) => last });
  const lists = fc.uniqueArray(fc.tuple(uid, fc.array(last)), { selector: ([uid]) => uid });
  const existing = fc.uniqueArray(uid);
  fc.assert(fc.property(records, lists, existing, (records, lists, existing) => {
    const text = (last: number): string => `10.6.0.${last}`;
    const pool = poolOf(Object.fromEntries(records.map(([last, podUid]) => {
      return [text(last), { pod: `default/${podUid}`, podUid }];
    })));
    const endpoints = lists.map(([uid, lasts]) => {
      const ips = lasts.map((last) => ({ ipv4: `${text(last)}/16` }));
      return endpointOf({ name: uid, uid, ips });
    });
    const pods = podsOf(...existing.map((uid) => podOf({ metadata: { name: uid, uid } })));
    const facts = { pool, endpoints, pods };
    const claims = expectOk(adoptedClaims(facts), "all can be read");
    const listed = lists.filter(([uid]) => existing.includes(uid)).flatMap(([, lasts]) => lasts);
    const all = new Set([...records.map(([last]) => last), ...listed].map(text));
    assert.deepEqual(new Set(claims.map(({ spec }) => spec.ip)), all);
    assert.equal(claims.length, all.size);
    for (const [last, uid] of records) {
      const claim = claims.find(({ spec }) => spec.ip === text(last));
      if (existing.includes(uid)) assert.equal(claim?.spec.podUID, uid);
      else if (!listed.includes(last)) assert.equal(claim?.spec.podUID, uid);
      else assert.ok(pods.has(claim?.spec.podUID ?? ""));
    }
  }));
});
