import assert from "node:assert/strict";
import {
  addressAt,
  controllerWith,
  familyOf,
  podOf,
} from "../../tests/support/decision_objects.ts";
import { type EndpointNic, SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { expectOk } from "../base/result.ts";
import {
  addressesOf,
  endpointNics,
  findNic,
  newEndpoint,
  withNicNamed,
  withNicReplaced,
  withNics,
  withoutNics,
} from "./endpoint.ts";

const p4 = { pool: "p4", subnet: "10.6.0.0/16", gateway: "10.6.0.1" };
const p6 = { pool: "p6", subnet: "fd00:6::/64" };
const pod = podOf();
const controller = controllerWith();
const keeper = { kind: "StatefulSet", name: "web" } as const;
const podOwner = { apiVersion: "v1", kind: "Pod", name: "web-0", uid: "uid-1" };

/** An entry with one IPv4 address of the pool `p4`. */
function nic(name: string, last = 17): EndpointNic {
  return { interface: name, ipv4: `10.6.0.${last}/16`, ipv4Pool: "p4", vlan: 0 };
}

function endpointOf(
  nics: readonly EndpointNic[],
  changes: Partial<Parameters<typeof newEndpoint>[0]> = {},
): SpiderEndpoint {
  return newEndpoint({ pod, controller, endpointName: "web-0", nics, ...changes });
}

/** The NICs of an endpoint by name and IPv4 address. */
function entriesOf(endpoint: SpiderEndpoint): readonly string[] {
  return (endpoint.status?.current.ips ?? []).map((nic) => `${nic.interface} ${nic.ipv4}`);
}

Deno.test("endpointNics() writes a dual-stack NIC with gateway and routes", () => {
  const poolRoute = { dst: "10.7.0.0/16", gw: "10.6.0.2" };
  const families = [
    familyOf("fd00:6::17", p6),
    familyOf("10.6.0.17", { ...p4, routes: [poolRoute] }),
  ];
  const own = { dst: "fd01::/64", gw: "fd00:6::1" };
  const allocation = { nic: "net1", cleanGateway: true, families };
  assert.deepEqual(endpointNics([allocation], [own, poolRoute]), {
    nics: [{
      interface: "net1",
      ipv4: "10.6.0.17/16",
      ipv4Pool: "p4",
      ipv4Gateway: "10.6.0.1",
      ipv6: "fd00:6::17/64",
      ipv6Pool: "p6",
      vlan: 0,
      cleanGateway: true,
      routes: [poolRoute, own],
    }],
    unplaced: [],
  });
});

Deno.test("endpointNics() says cleanGateway per NIC, and only of a NIC with a gateway", () => {
  const allocations = [
    { nic: "eth0", cleanGateway: true, families: [familyOf("fd00:6::17", p6)] },
    { nic: "net1", cleanGateway: false, families: [familyOf("10.6.0.17", p4)] },
  ];
  const { nics } = endpointNics(allocations, []);
  assert.deepEqual(nics.map((entry) => entry.cleanGateway), [undefined, false]);
  assert.ok(!("cleanGateway" in (nics[0] ?? {})), "the field is left out");
  assert.ok(!("routes" in (nics[0] ?? {})), "no routes, no field");
});

Deno.test("endpointNics() keeps the order given and names only the first by position", () => {
  const at = (position: number) => ({
    nic: position === 0 ? "eth0" : `#${position}`,
    position,
    cleanGateway: false,
    families: [familyOf(`10.6.0.${20 + position}`, p4)],
  });
  const { nics } = endpointNics([at(0), at(1), at(2)], []);
  assert.deepEqual(nics.map((entry) => entry.interface), ["eth0", "", ""]);
  assert.deepEqual(nics.map((entry) => entry.ipv4), [
    "10.6.0.20/16",
    "10.6.0.21/16",
    "10.6.0.22/16",
  ]);
});

Deno.test("endpointNics() gives a route to the first NIC with its subnet, reports the rest", () => {
  const allocations = ["net2", "net1"].map((name, index) => ({
    nic: name,
    cleanGateway: false,
    families: [familyOf(`10.6.0.${20 + index}`, p4)],
  }));
  const route = { dst: "10.7.0.0/16", gw: "10.6.0.9" };
  const lost = { dst: "10.7.0.0/16", gw: "10.9.0.9" };
  const { nics, unplaced } = endpointNics(allocations, [route, lost]);
  assert.deepEqual(nics.map((entry) => entry.routes), [[route], undefined]);
  assert.deepEqual(unplaced, [lost]);
});

Deno.test("newEndpoint() goes with its pod and has no finalizer", () => {
  const endpoint = endpointOf([nic("eth0")]);
  assert.deepEqual(endpoint, {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name: "web-0", namespace: "default", ownerReferences: [podOwner] },
    status: {
      current: { uid: "uid-1", node: "n1", ips: [nic("eth0")] },
      ownerControllerType: "Deployment",
      ownerControllerName: "web",
      truth: "SpiderIP",
    },
  });
  assert.deepEqual(expectOk(SPIDER_ENDPOINTS.parse(endpoint), "it is whole"), endpoint);
});

Deno.test("newEndpoint() of a kept address has no owner and may have another name", () => {
  const endpoint = endpointOf([], { keeper, endpointName: "vm-a" });
  assert.deepEqual(endpoint.metadata, { name: "vm-a", namespace: "default" });
});

Deno.test("withNics() replaces an entry where it stands and appends new ones in order", () => {
  const endpoint = endpointOf([nic("eth0", 1), nic("net1", 2)]);
  const edited = withNics(endpoint, {
    pod,
    controller,
    nics: [nic("net3", 4), nic("eth0", 9), nic("net2", 3)],
  });
  assert.deepEqual(entriesOf(edited), [
    "eth0 10.6.0.9/16",
    "net1 10.6.0.2/16",
    "net3 10.6.0.4/16",
    "net2 10.6.0.3/16",
  ]);
});

Deno.test("withNics() drops the entries of a former pod and takes its ownership", () => {
  const endpoint = endpointOf([nic("eth0", 1), nic("net1", 2)]);
  const next = podOf({ metadata: { uid: "uid-2" }, spec: { nodeName: "n2" } });
  const edited = withNics(endpoint, { pod: next, controller, nics: [nic("eth0", 9)] });
  assert.deepEqual(entriesOf(edited), ["eth0 10.6.0.9/16"]);
  assert.deepEqual(edited.metadata.ownerReferences, [{ ...podOwner, uid: "uid-2" }]);
  assert.equal(edited.status?.current.uid, "uid-2");
  assert.equal(edited.status?.current.node, "n2");
});

Deno.test("withNics() keeps the entries of a former pod for who keeps its addresses", () => {
  const endpoint = endpointOf([nic("eth0", 1), nic("net1", 2)]);
  const next = podOf({ metadata: { uid: "uid-2" } });
  const edited = withNics(endpoint, { pod: next, controller, keeper, nics: [nic("eth0", 1)] });
  assert.deepEqual(entriesOf(edited), ["eth0 10.6.0.1/16", "net1 10.6.0.2/16"]);
  assert.equal(edited.metadata.ownerReferences, undefined);
});

Deno.test("withNics() forgets the other family of an entry and keeps what it does not know", () => {
  const stored = { ...nic("eth0", 1), ipv6: "fd00:6::1/64", ipv6Pool: "p6", later: "kept" };
  const endpoint = { ...endpointOf([stored]), later: "kept" };
  const edited = withNics(endpoint, { pod, controller, nics: [nic("eth0", 9)] });
  assert.deepEqual(edited.status?.current.ips, [{ later: "kept", ...nic("eth0", 9) }]);
  assert.equal(Reflect.get(edited, "later"), "kept");
});

Deno.test("withNics() removes the reference's finalizer and no other", () => {
  const endpoint = endpointOf([]);
  const own = ["spiderpool.spidernet.io"];
  const edits = [own, [...own, "example.com/other"], ["example.com/other"]].map((finalizers) => {
    const stored = { ...endpoint, metadata: { ...endpoint.metadata, finalizers } };
    return withNics(stored, { pod, controller, nics: [] }).metadata.finalizers;
  });
  assert.deepEqual(edits, [undefined, ["example.com/other"], ["example.com/other"]]);
});

Deno.test("withNics() keeps owners that are no pods", () => {
  const other = { apiVersion: "example.com/v1", kind: "Thing", name: "t", uid: "t" };
  const endpoint = endpointOf([]);
  const ownerReferences = [{ ...podOwner, uid: "old" }, other];
  const stored = { ...endpoint, metadata: { ...endpoint.metadata, ownerReferences } };
  const edited = withNics(stored, { pod, controller, nics: [] });
  assert.deepEqual(edited.metadata.ownerReferences, [other, podOwner]);
});

Deno.test("withNics() takes a lay-out without names for one with what was named since", () => {
  const layout = [nic("eth0", 1), nic("", 2), nic("", 3)];
  const named = withNicNamed(endpointOf(layout), { index: 1, nic: "net1" });
  const again = withNics(named, { pod, controller, nics: layout });
  assert.deepEqual(entriesOf(again), ["eth0 10.6.0.1/16", "net1 10.6.0.2/16", " 10.6.0.3/16"]);
  const other = [nic("eth0", 5), nic("", 6)];
  const replaced = withNics(endpointOf(layout), { pod, controller, nics: other });
  assert.deepEqual(entriesOf(replaced), ["eth0 10.6.0.5/16", " 10.6.0.6/16"]);
});

Deno.test("withNics() fills an endpoint that has no status yet", () => {
  const { status: _status, ...bare } = endpointOf([]);
  const edited = withNics(bare, { pod, controller, nics: [nic("eth0")] });
  assert.deepEqual(edited, endpointOf([nic("eth0")]));
});

Deno.test("findNic() finds by name before it takes the first without one", () => {
  const endpoint = endpointOf([nic("eth0", 1), nic("", 2), nic("", 3), nic("net2", 4)]);
  assert.deepEqual(findNic(endpoint, "net2"), { index: 3, isUnnamed: false });
  assert.deepEqual(findNic(endpoint, "net1"), { index: 1, isUnnamed: true });
  assert.equal(findNic(endpointOf([nic("eth0")]), "net1"), undefined);
  assert.equal(findNic({ ...endpoint, status: undefined }, "eth0"), undefined);
});

Deno.test("withNicReplaced() keeps the place and the name", () => {
  const endpoint = endpointOf([nic("eth0", 1), { ...nic("", 2), mac: "aa:bb:cc:dd:ee:ff" }]);
  const edited = withNicReplaced(endpoint, { index: 1, nic: nic("net1", 9) });
  assert.deepEqual(edited.status?.current.ips, [nic("eth0", 1), nic("", 9)]);
});

Deno.test("withoutNics() takes entries away by index", () => {
  const endpoint = endpointOf([nic("eth0", 1), nic("net1", 2), nic("net2", 3)]);
  assert.deepEqual(entriesOf(withoutNics(endpoint, [0, 2])), ["net1 10.6.0.2/16"]);
  assert.deepEqual(withoutNics(endpoint, [7]), endpoint);
});

Deno.test("addressesOf() reads what can be read and leaves out the rest", () => {
  assert.deepEqual(
    addressesOf({ ...nic("eth0"), ipv6: "FD00:6::17/64", ipv6Pool: "p6" }),
    [
      { version: 4, address: addressAt("10.6.0.17"), pool: "p4" },
      { version: 6, address: addressAt("fd00:6::17"), pool: "p6" },
    ],
  );
  const bad: readonly Partial<EndpointNic>[] = [
    { ipv4: "10.6.0/16", ipv4Pool: "p4" },
    { ipv4: "10.6.0.17/16" },
    { ipv4: "10.6.0.17/16", ipv4Pool: "" },
    { ipv4: "fd00::1/64", ipv4Pool: "p4" },
    { ipv6: "10.6.0.17/16", ipv6Pool: "p6" },
  ];
  for (const entry of bad) {
    assert.deepEqual(addressesOf({ interface: "eth0", vlan: 0, ...entry }), []);
  }
});
