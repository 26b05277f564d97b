import assert from "node:assert/strict";
import { metadataOf, type Resource, type StoredObject } from "../../base/object_store.ts";
import { expectOk } from "../../base/result.ts";
import { controllerOf, isTerminating, parseMetadataOf } from "../metadata.ts";
import { CONFIG_MAPS } from "./config_map.ts";
import { EVENTS } from "./event.ts";
import {
  VIRTUAL_MACHINE_INSTANCE_MIGRATIONS,
  VIRTUAL_MACHINE_INSTANCES,
  VIRTUAL_MACHINES,
} from "./kube_virt.ts";
import { LEASES } from "./lease.ts";
import { isNodeReady, NAMESPACES, NODES } from "./node.ts";
import { PODS } from "./pod.ts";
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "./workload.ts";

const metadata = { name: "a", namespace: "d", uid: "u" };
const template = { spec: { containers: [] } };

/** The least object of each kind, and one value that its parser refuses. */
const KINDS: readonly [Resource<StoredObject>, object, object, string][] = [
  [
    PODS,
    { spec: { containers: [] } },
    { spec: { containers: [], nodeName: 1 } },
    "spec.nodeName 1",
  ],
  [NODES, { spec: {} }, { spec: { taints: {} } }, "spec.taints {}"],
  [NAMESPACES, {}, { status: { phase: 1 } }, "status.phase 1"],
  [CONFIG_MAPS, {}, { data: { a: 1 } }, "data.a 1"],
  [LEASES, {}, { spec: { leaseTransitions: "1" } }, 'spec.leaseTransitions "1"'],
  [EVENTS, {}, { type: "Odd" }, 'type "Odd"'],
  [DEPLOYMENTS, { spec: { template } }, { spec: { template, replicas: "1" } }, 'spec.replicas "1"'],
  [REPLICA_SETS, { spec: { template } }, { spec: {} }, "spec.template: it is missing"],
  [STATEFUL_SETS, { spec: { template } }, { spec: {} }, "spec.template: it is missing"],
  [DAEMON_SETS, { spec: { template } }, { spec: {} }, "spec.template: it is missing"],
  [JOBS, { spec: { template } }, { spec: {} }, "spec.template: it is missing"],
  [
    CRON_JOBS,
    { spec: { jobTemplate: { spec: { template } } } },
    { spec: {} },
    "spec.jobTemplate: it",
  ],
  [VIRTUAL_MACHINES, {}, { metadata: {} }, "metadata.name: it is missing"],
  [VIRTUAL_MACHINE_INSTANCES, {}, { status: { phase: 1 } }, "status.phase 1"],
  [VIRTUAL_MACHINE_INSTANCE_MIGRATIONS, {}, { spec: { vmiName: 1 } }, "spec.vmiName 1"],
];

Deno.test("every kind is kept as it came, with the type that lists leave out", () => {
  for (const [resource, fields] of KINDS) {
    const { group, version, kind } = resource;
    const object = { metadata, ...fields, later: { deep: [1] } };
    const apiVersion = group === "" ? version : `${group}/${version}`;
    const parsed = expectOk(resource.parse(object), kind);
    assert.deepEqual(parsed, { ...object, apiVersion, kind });
    const typed = { apiVersion, kind, ...object };
    assert.equal(resource.parse(typed).ok && expectOk(resource.parse(typed), kind), typed, kind);
  }
});

Deno.test("every kind refuses another kind and a wrong field, in one sentence", () => {
  for (const [resource, fields, wrong, place] of KINDS) {
    const other = resource.parse({ kind: "Other", metadata, ...fields });
    const expected = `Cannot use kind "Other": write ${JSON.stringify(resource.kind)}`;
    assert.deepEqual(other, { ok: false, error: expected });
    const result = resource.parse({ metadata, ...fields, ...wrong });
    assert.ok(!result.ok && result.error.startsWith(`Cannot use ${place}`), resource.kind);
  }
});

Deno.test("managedFields is dropped and the rest of metadata kept", () => {
  const pod = expectOk(
    PODS.parse({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...metadata, managedFields: [{}], selfLink: "/x", labels: null },
      spec: { containers: [] },
    }),
    "it is valid",
  );
  assert.deepEqual(pod.metadata, { ...metadata, selfLink: "/x" });
});

Deno.test("parseMetadataOf() gives the resource's own kind and metadata alone", () => {
  const resource = metadataOf(PODS, parseMetadataOf(PODS));
  assert.equal(resource.view, "metadata");
  const partial = { apiVersion: "meta.k8s.io/v1", kind: "PartialObjectMetadata", metadata };
  assert.deepEqual(resource.parse(partial), {
    ok: true,
    value: { apiVersion: "v1", kind: "Pod", metadata },
  });
  assert.deepEqual(resource.parse({ metadata: { name: 1 } }), {
    ok: false,
    error: "Cannot use metadata.name 1: write a string",
  });
});

Deno.test("isTerminating() and controllerOf() read metadata", () => {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "r", uid: "1" };
  const ownerReferences = [{ ...owner, kind: "Odd" }, { ...owner, controller: true }];
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, ownerReferences } };
  assert.equal(controllerOf(pod)?.kind, "ReplicaSet");
  assert.equal(controllerOf({ ...pod, metadata }), undefined);
  assert.equal(isTerminating(pod), false);
  const deletionTimestamp = "2026-01-02T03:04:05Z";
  assert.equal(isTerminating({ ...pod, metadata: { ...metadata, deletionTimestamp } }), true);
});

Deno.test("isNodeReady() wants the condition, and wants it true", () => {
  const node = (status?: object) => {
    return expectOk(NODES.parse({ metadata, spec: {}, status }), "it is valid");
  };
  assert.equal(isNodeReady(node()), false);
  for (const status of ["True", "False", "Unknown"]) {
    const conditions = [{ type: "Odd", status: "True" }, { type: "Ready", status }];
    assert.equal(isNodeReady(node({ conditions })), status === "True");
  }
});
