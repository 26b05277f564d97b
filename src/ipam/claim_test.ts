import assert from "node:assert/strict";
import fc from "fast-check";
import { holderOf } from "../../tests/support/decision_objects.ts";
import { labelValue, podLabelValue } from "../api/labels.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { writeRefusal } from "../api/write_rules.ts";
import { expectOk } from "../base/result.ts";
import { type Address, parseAddress } from "../ip/mod.ts";
import { addressOfClaim, isHeldBy, newClaim, reboundClaim } from "./claim.ts";

function address(text: string): Address {
  return expectOk(parseAddress(text), "it is an address");
}

Deno.test("newClaim() names address, pool, holder and labels", () => {
  const claim = newClaim({ pool: "p4", address: address("10.6.0.17") }, holderOf());
  assert.deepEqual(claim, {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIP",
    metadata: {
      name: "10.6.0.17",
      labels: {
        "ipam.spidernet.io/ippool": "p4",
        "ipam.spidernet.io/node": "n1",
        "ipam.spidernet.io/pod": podLabelValue({ namespace: "default", name: "web-0" }),
      },
    },
    spec: {
      ip: "10.6.0.17",
      pool: "p4",
      podNamespace: "default",
      podName: "web-0",
      podUID: "uid-1",
      containerID: "c1",
      nic: "eth0",
      node: "n1",
    },
  });
});

Deno.test("newClaim() writes IPv6 names in full, and shortens labels that are too long", () => {
  const pool = "p".repeat(200);
  const claim = newClaim({ pool, address: address("fd00:6::17") }, holderOf({ node: "n" }));
  assert.equal(claim.metadata.name, "fd00-0006-0000-0000-0000-0000-0000-0017");
  assert.equal(claim.spec.ip, "fd00:6::17");
  assert.equal(claim.spec.pool, pool);
  assert.equal(claim.metadata.labels?.["ipam.spidernet.io/ippool"], labelValue(pool));
});

Deno.test("newClaim() labels a machine's claim by the machine and names the real pod", () => {
  const keeper = { kind: "VirtualMachineInstance", name: "vm-a" } as const;
  const holder = holderOf({ podName: "virt-launcher-vm-a-x", endpointName: "vm-a", keeper });
  const claim = newClaim({ pool: "p4", address: address("10.6.0.17") }, holder);
  assert.deepEqual(claim.spec.owner, keeper);
  assert.equal(claim.spec.podName, "virt-launcher-vm-a-x");
  const label = podLabelValue({ namespace: "default", name: "vm-a" });
  assert.equal(claim.metadata.labels?.["ipam.spidernet.io/pod"], label);
});

Deno.test("reboundClaim() hands the address over and keeps the rest", () => {
  const keeper = { kind: "StatefulSet", name: "web" } as const;
  const made = newClaim({ pool: "p4", address: address("10.6.0.17") }, holderOf({ keeper }));
  const stored = {
    ...made,
    metadata: {
      ...made.metadata,
      uid: "claim",
      resourceVersion: "7",
      labels: { ...made.metadata.labels, mine: "yes" },
      annotations: { note: "kept" },
    },
    spec: { ...made.spec, later: 1 },
  };
  const next = holderOf({ podUID: "uid-2", containerID: "c2", node: "n2", keeper });
  const { later, ...spec } = { later: undefined, ...reboundClaim(stored, next).spec };
  assert.equal(later, 1);
  assert.deepEqual(spec, { ...made.spec, podUID: "uid-2", containerID: "c2", node: "n2" });
  assert.deepEqual(reboundClaim(stored, next).metadata, {
    ...stored.metadata,
    labels: { ...stored.metadata.labels, "ipam.spidernet.io/node": "n2" },
  });
  assert.equal(reboundClaim(stored, holderOf()).spec.owner, undefined);
});

Deno.test("isHeldBy() asks for UID and NIC, and takes no claim for anybody's", () => {
  const claim = newClaim({ pool: "p4", address: address("10.6.0.17") }, holderOf());
  assert.equal(isHeldBy(claim, { podUID: "uid-1", nic: "eth0" }), true);
  assert.equal(isHeldBy(claim, { podUID: "uid-1", nic: "net1" }), false);
  assert.equal(isHeldBy(claim, { podUID: "uid-2", nic: "eth0" }), false);
  const unknown = { ...claim, spec: { ...claim.spec, podUID: "" } };
  assert.equal(isHeldBy(unknown, { podUID: "", nic: "eth0" }), false);
  const held = { ...claim, spec: { ...claim.spec, hold: "shrink" as const } };
  assert.equal(isHeldBy(held, { podUID: "uid-1", nic: "eth0" }), false);
});

Deno.test("property: a claim is accepted by its definition and gives its address back", () => {
  const ipv6 = fc.ipV6().filter((text) => parseAddress(text).ok);
  const text = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?$/);
  const holders = fc.record({ podNamespace: text, podName: text, podUID: text, node: text });
  fc.assert(fc.property(fc.oneof(fc.ipV4(), ipv6), holders, (ip, changes) => {
    const claim = newClaim({ pool: "p", address: address(ip) }, holderOf(changes));
    assert.equal(writeRefusal({ kind: SPIDER_IPS, object: claim }), undefined);
    assert.deepEqual(expectOk(SPIDER_IPS.parse(claim), "it is whole"), claim);
    assert.equal(addressOfClaim(claim), address(ip));
  }));
});
