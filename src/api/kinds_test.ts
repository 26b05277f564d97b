import assert from "node:assert/strict";
import type { StoredObject } from "../base/object_store.ts";
import { expectOk } from "../base/result.ts";
import { SPIDER_COORDINATORS } from "./coordinator.ts";
import { SPIDER_ENDPOINTS } from "./endpoint.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "./ip_pool.ts";
import { CUSTOM_KINDS, SPIDER_KINDS } from "./kinds.ts";
import { SPIDER_MULTUS_CONFIGS } from "./multus_config.ts";
import { ADDRESS_COUNT_MAX } from "./parts.ts";
import type { CustomResource } from "./resource.ts";
import { SPIDER_IPS } from "./spider_ip.ts";

function parsed<T extends StoredObject>(resource: CustomResource<T>, fields: object): T {
  return expectOk(resource.parse({ metadata: { name: "a" }, ...fields }), "it is valid");
}

Deno.test("resources have the reference's names, scope and short names", () => {
  const names = SPIDER_KINDS.map((kind) =>
    [kind.kind, kind.plural, kind.singular, kind.shortNames.join(), kind.namespaced, kind.hasStatus]
      .join(" ")
  );
  assert.deepEqual(names, [
    "SpiderIPPool spiderippools spiderippool sp false true",
    "SpiderSubnet spidersubnets spidersubnet ss false true",
    "SpiderIP spiderips spiderip sip false false",
    "SpiderEndpoint spiderendpoints spiderendpoint se true false",
    "SpiderReservedIP spiderreservedips spiderreservedip sr false false",
    "SpiderMultusConfig spidermultusconfigs spidermultusconfig smc true false",
    "SpiderCoordinator spidercoordinators spidercoordinator scc false true",
  ]);
  for (const kind of SPIDER_KINDS) {
    assert.equal(kind.group, "spiderpool.spidernet.io");
    assert.equal(kind.version, "v2beta1");
    assert.deepEqual(kind.categories, ["spiderpool"]);
  }
});

Deno.test("parse() fills in apiVersion, kind and the defaults of the CRD", () => {
  const pool = parsed(SPIDER_IP_POOLS, { spec: { subnet: "10.6.0.0/16" } });
  assert.equal(pool.apiVersion, "spiderpool.spidernet.io/v2beta1");
  assert.equal(pool.kind, "SpiderIPPool");
  assert.deepEqual({ ...pool.spec }, { subnet: "10.6.0.0/16", default: false, disable: false });

  assert.deepEqual({ ...parsed(SPIDER_COORDINATORS, {}).spec }, {
    mode: "auto",
    tunePodRoutes: true,
    hostRuleTable: 500,
    podRPFilter: 0,
    txQueueLen: 0,
  });

  const network = parsed(SPIDER_MULTUS_CONFIGS, {
    spec: { cniType: "vlan", vlan: { master: ["eth1"], ippools: {} }, ibsriov: {}, sriov: {} },
  });
  assert.deepEqual(JSON.parse(JSON.stringify(network.spec)), {
    cniType: "vlan",
    vlan: { master: ["eth1"], mtu: 0, vlanMode: "manual", ippools: { matchMasterSubnet: false } },
    ibsriov: { linkState: "enable", rdmaIsolation: true, enableIbKubernetes: false },
    sriov: { mtu: 0, rdmaIsolation: false },
    enableCoordinator: true,
    disableIPAM: false,
  });
  assert.equal(parsed(SPIDER_MULTUS_CONFIGS, {}).spec.cniType, "custom");

  const endpoint = parsed(SPIDER_ENDPOINTS, {
    status: {
      current: { uid: "u", node: "n", ips: [{ interface: "eth0" }] },
      ownerControllerType: "Pod",
      ownerControllerName: "a",
    },
  });
  assert.equal(endpoint.status?.current.ips[0]?.vlan, 0);
});

Deno.test("parse() keeps fields it does not know, at every depth", () => {
  const object = {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIPPool",
    metadata: { name: "a", selfLink: "/x" },
    spec: {
      subnet: "10.6.0.0/16",
      default: true,
      disable: true,
      later: 1,
      routes: [{ dst: "10.7.0.0/16", gw: "10.6.0.1", later: 2 }],
      podAffinity: { later: 3, matchExpressions: [{ key: "a", operator: "Exists", later: 4 }] },
    },
    status: { later: { deep: [5] } },
    later: 6,
  };
  assert.deepEqual(expectOk(SPIDER_IP_POOLS.parse(object), "it is valid"), object);
});

Deno.test("parse() leaves managedFields out", () => {
  const metadata = { name: "a", managedFields: [{ manager: "kubectl" }], uid: "u" };
  const pool = parsed(SPIDER_IP_POOLS, { metadata, spec: { subnet: "10.6.0.0/16" } });
  assert.deepEqual(pool.metadata, { name: "a", uid: "u" });
});

Deno.test("parse() says path, value and remedy in one sentence", () => {
  const cases: readonly [CustomResource<StoredObject>, object, string][] = [
    [SPIDER_IP_POOLS, {}, "Cannot use spec: it is missing; write an object"],
    [
      SPIDER_IP_POOLS,
      { spec: {} },
      'Cannot use spec.subnet: it is missing; write a network, such as "10.6.0.0/16"',
    ],
    [
      SPIDER_IP_POOLS,
      { spec: { subnet: "10.6.0.0/16", ipVersion: 5 } },
      "Cannot use spec.ipVersion 5: write 4 or 6",
    ],
    [
      SPIDER_IP_POOLS,
      { spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.1", 7], disable: "yes" } },
      'Cannot use spec.ips[1] 7: write an address or a range, such as "10.6.0.10-10.6.0.20" (and ' +
      "1 more problem)",
    ],
    [
      SPIDER_IP_POOLS,
      { spec: { subnet: "10.6.0.0/16" }, status: { totalIPCount: -1 } },
      "Cannot use status.totalIPCount -1: write a whole number of at least 0",
    ],
    [
      SPIDER_IP_POOLS,
      { metadata: { name: "a", labels: { "a/b": 1 } }, spec: { subnet: "10.6.0.0/16" } },
      'Cannot use metadata.labels["a/b"] 1: write a string',
    ],
    [
      SPIDER_IP_POOLS,
      { metadata: undefined, spec: { subnet: "10.6.0.0/16" } },
      "Cannot use metadata: it is missing; write an object",
    ],
    [
      SPIDER_IP_POOLS,
      { kind: "Pool", spec: { subnet: "10.6.0.0/16" } },
      'Cannot use kind "Pool": write "SpiderIPPool"',
    ],
    [
      SPIDER_COORDINATORS,
      { spec: { mode: "on" } },
      'Cannot use spec.mode "on": write "auto", "underlay", "overlay", "disabled" or "disable"',
    ],
    [
      SPIDER_MULTUS_CONFIGS,
      { spec: { macvlan: { master: ["eth1"], vlanID: 5000 } } },
      "Cannot use spec.macvlan.vlanID 5000: write a whole number from 0 to 4094",
    ],
    [
      SPIDER_MULTUS_CONFIGS,
      { spec: { macvlan: { master: "eth1" } } },
      'Cannot use spec.macvlan.master "eth1": write a list',
    ],
    [
      SPIDER_IPS,
      { spec: { ip: "10.6.0.1", pool: "p", hold: "forever" } },
      'Cannot use spec.hold "forever": write "shrink"',
    ],
  ];
  for (const [resource, fields, sentence] of cases) {
    const result = resource.parse({ metadata: { name: "a" }, ...fields });
    assert.deepEqual(result, { ok: false, error: sentence });
  }
  for (const { parse } of CUSTOM_KINDS) {
    assert.deepEqual(parse(7), { ok: false, error: "Cannot use the value 7: write an object" });
  }
});

Deno.test("parse() brings a saturated count back into what can be written", () => {
  const reference = JSON.parse('{"totalIPCount": 9223372036854775807}');
  const pool = parsed(SPIDER_IP_POOLS, { spec: { subnet: "fd00::/64" }, status: reference });
  assert.equal(pool.status?.totalIPCount, ADDRESS_COUNT_MAX);
  assert.ok(BigInt(JSON.stringify(ADDRESS_COUNT_MAX)) <= 2n ** 63n - 1n);
});

Deno.test("types name known fields only and are readonly", () => {
  const pool: SpiderIpPool = parsed(SPIDER_IP_POOLS, { spec: { subnet: "10.6.0.0/16" } });
  // @ts-expect-error A field that does not exist: a misspelling must not compile.
  assert.equal(pool.spec.subent, undefined);
  // @ts-expect-error Objects are shared between readers.
  pool.spec.subnet = pool.spec.subnet.trim();
  const labels: Readonly<Record<string, string>> | undefined = pool.spec.podAffinity?.matchLabels;
  assert.equal(labels, undefined);
});
