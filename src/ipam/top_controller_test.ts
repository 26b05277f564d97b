import assert from "node:assert/strict";
import { podOf } from "../../tests/support/decision_objects.ts";
import type { OwnerReference, StoredObject } from "../base/object_store.ts";
import { firstOwner, ownerAbove, type OwnerStep } from "./top_controller.ts";

/** The step for a pod with these owners. */
function stepFor(...ownerReferences: readonly OwnerReference[]): OwnerStep {
  return firstOwner(podOf({ metadata: { ownerReferences } }));
}

function owner(apiVersion: string, kind: string): OwnerReference {
  return { apiVersion, kind, name: "web", uid: "u", controller: true };
}

function objectOf(uid: string, ...ownerReferences: readonly OwnerReference[]): StoredObject {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "web", namespace: "default", uid, ownerReferences },
  };
}

Deno.test("firstOwner() gives the pod itself to nobody else", () => {
  const pod = { apiVersion: "v1", kind: "Pod", name: "web-0", namespace: "default", uid: "uid-1" };
  assert.deepEqual(stepFor(), { kind: "found", controller: pod });
  const { controller: _controller, ...plain } = owner("apps/v1", "ReplicaSet");
  assert.deepEqual(stepFor(plain), { kind: "found", controller: pod });
});

Deno.test("firstOwner() looks above ReplicaSets and Jobs of Kubernetes only", () => {
  const place = { namespace: "default", name: "web", uid: "u" };
  assert.deepEqual(stepFor(owner("apps/v1", "ReplicaSet")), {
    kind: "look",
    owner: "ReplicaSet",
    ...place,
  });
  assert.deepEqual(stepFor(owner("batch/v1", "Job")), { kind: "look", owner: "Job", ...place });
  for (
    const [apiVersion, kind] of [
      ["apps/v1", "StatefulSet"],
      ["apps/v1", "DaemonSet"],
      ["v1", "ReplicationController"],
      ["v1", "Node"],
      ["kubevirt.io/v1", "VirtualMachineInstance"],
      ["apps.kruise.io/v1beta1", "StatefulSet"],
      ["example.com/v1", "ReplicaSet"],
      ["batch.volcano.sh/v1alpha1", "Job"],
    ] as const
  ) {
    const controller = { apiVersion, kind, ...place };
    assert.deepEqual(stepFor(owner(apiVersion, kind)), { kind: "found", controller });
  }
});

Deno.test("ownerAbove() climbs to Deployment and CronJob, and to nothing else", () => {
  const place = { namespace: "default", name: "web", uid: "u" };
  const set = { kind: "look", owner: "ReplicaSet", ...place } as const;
  const job = { kind: "look", owner: "Job", ...place } as const;
  const itself = { apiVersion: "apps/v1", kind: "ReplicaSet", ...place };

  const deployment = { ...owner("apps/v1", "Deployment"), name: "app", uid: "d" };
  assert.deepEqual(ownerAbove(set, objectOf("u", deployment)), {
    apiVersion: "apps/v1",
    kind: "Deployment",
    name: "app",
    namespace: "default",
    uid: "d",
  });
  const cron = { ...owner("batch/v1", "CronJob"), name: "night", uid: "c" };
  assert.equal(ownerAbove(job, objectOf("u", cron)).kind, "CronJob");

  assert.deepEqual(ownerAbove(set, objectOf("u")), itself);
  assert.deepEqual(
    ownerAbove(set, objectOf("u", owner("argoproj.io/v1alpha1", "Rollout"))),
    itself,
  );
  assert.deepEqual(ownerAbove(job, objectOf("u", owner("batch.x/v1", "CronJob"))).kind, "Job");
});

Deno.test("ownerAbove() takes an owner that is gone, or replaced, for the topmost one", () => {
  const step = stepFor(owner("apps/v1", "ReplicaSet"));
  assert.equal(step.kind, "look");
  if (step.kind !== "look") return;
  for (const object of [undefined, objectOf("other", owner("apps/v1", "Deployment"))]) {
    assert.equal(ownerAbove(step, object).kind, "ReplicaSet");
  }
});
