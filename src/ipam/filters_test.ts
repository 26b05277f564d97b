import assert from "node:assert/strict";
import { type PoolInit, poolOf } from "../../tests/support/pool_objects.ts";
import { podWith, selectionFactsOf, SETTINGS } from "../../tests/support/selection_facts.ts";
import { err, expectOk, ok } from "../base/result.ts";
import { IPV4, IPV6, parseAnyAddressInCidr, parseRangeSet, RangeSet } from "../ip/mod.ts";
import { judgePool, type Seeker } from "./filters.ts";
import { readPool } from "./pool_facts.ts";

const DEFAULT_NETWORK = "v1.multus-cni.io/default-network";

/** `eth0` that looks for an IPv4 address. */
function seekerOf(changes: Partial<Seeker> = {}): Seeker {
  const place = { nic: "eth0" };
  return { ...selectionFactsOf(), place, version: 4, masterSubnets: undefined, ...changes };
}

/** Rule and detail by which a pool is left out; nothing if it is kept. */
function dropOf(pool: PoolInit, changes: Partial<Seeker> = {}): string | undefined {
  const { droppedBy, detail } = judgePool(
    { name: "p1", reading: readPool(poolOf(pool)) },
    seekerOf(changes),
  );
  return droppedBy === undefined ? undefined : `${droppedBy}: ${detail}`;
}

Deno.test("judgePool() leaves out what is not there and what cannot be read", () => {
  assert.deepEqual(judgePool({ name: "x" }, seekerOf()), {
    pool: "x",
    droppedBy: "absent",
    detail: "does not exist",
  });
  assert.equal(
    dropOf({ gateway: "10.6.0.1/16", disable: true }),
    'broken: is broken: Cannot use spec.gateway "10.6.0.1/16": it has a prefix length; write ' +
      'the bare address "10.6.0.1"',
  );
});

Deno.test("judgePool() leaves out what must not be given from, before it asks for whom", () => {
  const cases: readonly (readonly [PoolInit, string])[] = [
    [{ metadata: { deletionTimestamp: "t" }, disable: true }, "terminating: is being deleted"],
    [{ disable: true, adopted: false }, "disabled: is disabled"],
    [
      { metadata: { annotations: { "ipam.spidernet.io/not-usable": "overlaps p9" } } },
      "notUsable: must not be used: overlaps p9",
    ],
    [
      { metadata: { annotations: { "ipam.spidernet.io/not-usable": "" } } },
      "notUsable: must not be used: no reason is given",
    ],
    [
      { adopted: false, nodeName: ["n9"] },
      "notAdopted: is not ready, its addresses are not recorded as SpiderIPs yet (status.truth)",
    ],
    [{ ipVersion: 6 }, "family: is an IPv6 pool (fd00:6::/64)"],
  ];
  for (const [pool, expected] of cases) assert.equal(dropOf(pool), expected);
});

Deno.test("judgePool() asks for the node by name, else by labels", () => {
  const zone = { matchLabels: { zone: "a" } };
  assert.equal(dropOf({ nodeName: ["n1"], nodeAffinity: zone }), undefined);
  assert.equal(
    dropOf({ nodeName: ["n2", "n3"], nodeAffinity: zone }, { nodeLabels: { zone: "a" } }),
    'node: is for nodes "n2", "n3", this node is "n1"',
  );
  assert.equal(dropOf({ nodeAffinity: zone }, { nodeLabels: { zone: "a" } }), undefined);
  assert.equal(
    dropOf({ nodeAffinity: zone }, { nodeLabels: { zone: "b" } }),
    'node: is for nodes zone=a, this node "n1" has zone=b',
  );
  assert.equal(dropOf({ nodeName: [], nodeAffinity: {} }), undefined);
});

Deno.test("judgePool() asks for the namespace by name, else by labels", () => {
  const team = { matchExpressions: [{ key: "team", operator: "In", values: ["a", "b"] }] };
  assert.equal(dropOf({ namespaceName: ["default"], namespaceAffinity: team }), undefined);
  assert.equal(
    dropOf({ namespaceName: ["x"] }, { namespaceLabels: { team: "a" } }),
    'namespace: is for namespaces "x", this pod is in "default"',
  );
  assert.equal(dropOf({ namespaceAffinity: team }, { namespaceLabels: { team: "b" } }), undefined);
  assert.equal(
    dropOf({ namespaceAffinity: team }),
    'namespace: is for namespaces team in (a,b), namespace "default" has no label team',
  );
});

Deno.test("judgePool() asks for the pod's labels", () => {
  const podAffinity = { matchLabels: { app: "web" } };
  assert.equal(dropOf({ podAffinity }, { pod: podWith({}, { app: "web" }) }), undefined);
  assert.equal(
    dropOf({ podAffinity }, { pod: podWith({}, { app: "db" }) }),
    "pod: is for pods app=web, this pod has app=db",
  );
});

/** An automatic pool of an application. */
function automatic(
  { group, version, kind = "Deployment", name = "web" }: {
    readonly group: string;
    readonly version: string;
    readonly kind?: string;
    readonly name?: string;
  },
): PoolInit {
  return {
    metadata: { labels: { "ipam.spidernet.io/owner-application-name": name } },
    podAffinity: {
      matchLabels: {
        "ipam.spidernet.io/app-api-group": group,
        "ipam.spidernet.io/app-api-version": version,
        "ipam.spidernet.io/app-kind": kind,
        "ipam.spidernet.io/app-namespace": "default",
        "ipam.spidernet.io/app-name": name,
      },
    },
  };
}

Deno.test("judgePool() gives automatic pools to their application, whatever NIC it is on", () => {
  const apps = automatic({ group: "apps", version: "v1" });
  const masterSubnets = ok([]);
  assert.equal(dropOf({ ...apps, multusName: ["x/y"] }, { masterSubnets }), undefined);
  assert.equal(dropOf(apps, { masterSubnets }), undefined);
  assert.equal(
    dropOf(automatic({ group: "apps", version: "v1", name: "db" })),
    'pod: is for "Deployment default/db", this pod belongs to "Deployment default/web" of apps/v1',
  );
  assert.match(dropOf(automatic({ group: "example.com", version: "v1" })) ?? "", /^pod: /);
  assert.match(dropOf(automatic({ group: "apps", version: "v1", kind: "Job" })) ?? "", /^pod: /);
  assert.equal(
    dropOf({ ...apps, disable: true }),
    "disabled: is disabled",
  );
});

Deno.test("judgePool() knows the core group in both spellings of the reference", () => {
  const controller = { ...seekerOf().controller, apiVersion: "v1", kind: "Pod" };
  for (const spelling of [{ group: "", version: "v1" }, { group: "v1", version: "" }]) {
    assert.equal(dropOf(automatic({ ...spelling, kind: "Pod" }), { controller }), undefined);
  }
  assert.match(
    dropOf(automatic({ group: "", version: "v2", kind: "Pod" }), { controller }) ?? "",
    /^pod/,
  );
  assert.match(dropOf(automatic({ group: "apps/v1", version: "" })) ?? "", /^pod: /);
});

Deno.test("judgePool() asks for the network of the first NIC where the pool names some", () => {
  const pool = { multusName: ["macvlan", "kube-system/vlan"] };
  const withNetwork = (network: string) => ({ pod: podWith({ [DEFAULT_NETWORK]: network }) });
  assert.equal(dropOf(pool, withNetwork("kube-system/vlan")), undefined);
  assert.equal(dropOf(pool, withNetwork("macvlan")), undefined);
  assert.equal(
    dropOf(pool, withNetwork("kube-system/macvlan")),
    "multus: is for networks spiderpool/macvlan,kube-system/vlan, " +
      'NIC "eth0" is on kube-system/macvlan',
  );
  assert.equal(
    dropOf(pool),
    'multus: is for networks spiderpool/macvlan,kube-system/vlan, that of NIC "eth0" is not ' +
      'known: the pod has no annotation "v1.multus-cni.io/default-network" and the agent no ' +
      "MULTUS_CLUSTER_NETWORK",
  );
  assert.equal(dropOf({}), undefined);
  const settings = { ...SETTINGS, clusterNetwork: "spiderpool/macvlan" };
  assert.equal(dropOf(pool, { settings }), undefined);
});

Deno.test("judgePool() matches the subnet of the master of the NIC being added", () => {
  const at = (...texts: readonly string[]) => ({
    masterSubnets: ok(
      texts.map((text) => expectOk(parseAnyAddressInCidr(text), "this is an address")),
    ),
  });
  assert.equal(dropOf({}, at("fd00::1/64", "10.6.3.4/24")), undefined);
  assert.equal(
    dropOf({}, at("10.7.0.1/16", "fd00::1/64")),
    'masterSubnet: has subnet 10.6.0.0/16, the master of NIC "eth0" has 10.7.0.1/16,fd00::1/64',
  );
  assert.match(dropOf({}, at()) ?? "", /the master of NIC "eth0" has none$/);
  assert.equal(dropOf({}, { masterSubnets: undefined }), undefined);
  assert.equal(
    dropOf({}, { masterSubnets: err("no such device") }),
    'masterSubnet: has subnet 10.6.0.0/16, what the master of NIC "eth0" has is not known: no ' +
      "such device",
  );
  const settings = { ...SETTINGS, clusterNetwork: "a/b" };
  assert.equal(dropOf({ multusName: ["a/b"] }, { ...at("10.7.0.1/16"), settings }), undefined);
});

Deno.test("judgePool() leaves out pools that have nothing to give", () => {
  const ipv6 = RangeSet.empty(IPV6);
  const reserved = (...texts: readonly string[]) => ({
    reserved: { ipv4: expectOk(parseRangeSet(IPV4, texts), "these are ranges"), ipv6 },
  });
  assert.equal(dropOf({ ips: [] }), "nothingLeft: has no address in spec.ips");
  assert.equal(
    dropOf({}, reserved("10.6.0.0-10.6.0.99")),
    "nothingLeft: has 10 addresses, and SpiderReservedIPs reserve every one",
  );
  assert.equal(dropOf({}, reserved("10.6.0.0-10.6.0.18")), undefined);
  const ipv4 = RangeSet.empty(IPV4);
  const taken = expectOk(parseRangeSet(IPV6, ["fd00:6::10-fd00:6::19"]), "this is a range");
  const v6 = { version: 6, reserved: { ipv4, ipv6: taken } } as const;
  assert.match(dropOf({ ipVersion: 6 }, v6) ?? "", /^nothingLeft: has 10 addresses/);
  assert.equal(dropOf({ ipVersion: 6 }, { version: 6 }), undefined);
});
