import assert from "node:assert/strict";
import { ADMISSION_SETTINGS, faultsFor } from "../../../../tests/support/admission_judge.ts";
import {
  objectOf,
  WRONG_OBJECTS,
  type WrongObject,
} from "../../../../tests/support/wrong_objects.ts";
import type { StoredObject } from "../../../base/object_store.ts";
import { faultSentence } from "./fault.ts";
import {
  fillIn,
  type KindRules,
  POOL_RULES,
  type RawObject,
  type Submitted,
  SUBNET_RULES,
} from "./kind_rules.ts";
import { patchBetween } from "./json_patch.ts";

function submittedOf(wrong: WrongObject): Submitted {
  const object = objectOf(wrong, { name: "x", body: wrong.body });
  const previous = wrong.stored && objectOf(wrong, { name: "x", body: wrong.stored });
  return { object, previous, settings: ADMISSION_SETTINGS };
}

for (const wrong of WRONG_OBJECTS) {
  Deno.test(`${wrong.kind} is refused: ${wrong.what}`, () => {
    assert.deepEqual(faultsFor(submittedOf(wrong)).map(faultSentence), wrong.says);
  });
}

Deno.test("a family that is switched off is refused for new objects only", () => {
  const object = {
    kind: "SpiderIPPool",
    metadata: { name: "x" },
    spec: { subnet: "fd00:6::/64", disable: true },
  };
  const settings = { ...ADMISSION_SETTINGS, enableIPv6: false };
  assert.deepEqual(faultsFor({ object, settings }).map(faultSentence), [
    'Cannot use spec.subnet "fd00:6::/64": IPv6 is switched off in this cluster; write ' +
    '"enableIPv6: true" into the ConfigMap "spiderpool-conf" and restart the controller, or use ' +
    "IPv4",
  ]);
  const previous = { ...object, spec: { subnet: "fd00:6::/64" } };
  assert.deepEqual(faultsFor({ object, previous, settings }), []);
});

Deno.test("an update that leaves the spec alone is never refused", () => {
  for (const wrong of WRONG_OBJECTS) {
    const previous = objectOf({ ...wrong, annotations: {} }, { name: "x", body: wrong.body });
    const keys = ["resource-inject", "cr-name", "cni-version"];
    const isAnnotation = Object.keys(wrong.annotations ?? {}).some((key) => {
      return keys.some((part) => key.includes(part));
    });
    if (isAnnotation) continue; // There the annotation is what the rules are about.
    const object: RawObject = {
      ...previous,
      metadata: { ...previous.metadata, finalizers: [], labels: { a: "b" } },
    };
    assert.deepEqual(faultsFor({ object, previous, settings: ADMISSION_SETTINGS }), [], wrong.what);
  }
});

Deno.test("an object that is being deleted takes no other spec, and loses its finalizers", () => {
  const metadata = { name: "x", deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["a/b"] };
  const previous = { kind: "SpiderIPPool", metadata, spec: { subnet: "10.6.0.0/16" } };
  const changed = { ...previous, spec: { subnet: "10.6.0.0/16", disable: true } };
  assert.deepEqual(
    faultsFor({ object: changed, previous, settings: ADMISSION_SETTINGS }).map(faultSentence),
    [
      "Cannot use spec: the object is being deleted; leave it as it is, or create another one " +
      "when it is gone",
    ],
  );
  const object = { ...previous, metadata: { ...metadata, finalizers: [] } };
  const filled = fillIn(POOL_RULES, { object, previous, settings: ADMISSION_SETTINGS });
  assert.deepEqual(filled, { ok: true, value: undefined });
});

function patchOf<T extends StoredObject>(rules: KindRules<T>, submitted: Submitted): unknown {
  const filled = fillIn(rules, submitted);
  assert.ok(filled.ok && filled.value !== undefined);
  return patchBetween(filled.value.before, filled.value.object);
}

Deno.test("a pool is filled in by a patch of what it lacks", () => {
  const object = {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderIPPool",
    metadata: { name: "x", managedFields: [{}], labels: { a: "b" } },
    spec: {
      subnet: "10.6.0.0/16",
      ips: ["10.6.0.7-10.6.0.9", "10.6.0.5", "10.6.0.6"],
      excludeIPs: ["10.6.0.8"],
      default: false,
      disable: false,
      unknown: { kept: true },
    },
  };
  assert.deepEqual(patchOf(POOL_RULES, { object, settings: ADMISSION_SETTINGS }), [
    { op: "add", path: "/metadata/labels/ipam.spidernet.io~1ippool-cidr", value: "10-6-0-0-16" },
    { op: "add", path: "/metadata/finalizers", value: ["spiderpool.spidernet.io"] },
    { op: "replace", path: "/spec/ips", value: ["10.6.0.5-10.6.0.9"] },
    { op: "add", path: "/spec/ipVersion", value: 4 },
  ]);
});

Deno.test("a subnet waits for the controller only where that looks at subnets", () => {
  const object = { kind: "SpiderSubnet", metadata: { name: "x" }, spec: { subnet: "10.6.0.0/16" } };
  const paths = [true, false].map((enableSpiderSubnet) => {
    const settings = { ...ADMISSION_SETTINGS, enableSpiderSubnet };
    const patch = patchOf(SUBNET_RULES, { object, settings });
    return JSON.stringify(patch).includes("/metadata/finalizers");
  });
  assert.deepEqual(paths, [true, false]);
});
