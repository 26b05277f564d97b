/** The topmost controller of a pod: whose application it belongs to. */
import { controllerOf } from "../api/metadata.ts";
import type { StoredObject } from "../base/object_store.ts";

/** Who made a pod in the end; the pod itself if nobody did. */
export interface TopController {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** An owner that may have a controller of its own. */
export interface OwnerToLookAt {
  readonly kind: "look";
  /** Kind whose metadata must be read. */
  readonly owner: "ReplicaSet" | "Job";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a pod alone tells of its topmost controller. */
export type OwnerStep =
  | { readonly kind: "found"; readonly controller: TopController }
  | OwnerToLookAt;

/** What stands above an owner that has to be looked at. */
const ABOVE = {
  ReplicaSet: { apiVersion: "apps/v1", above: { apiVersion: "apps/v1", kind: "Deployment" } },
  Job: { apiVersion: "batch/v1", above: { apiVersion: "batch/v1", kind: "CronJob" } },
} as const;

/**
 * Says who controls the pod, as far as the pod itself tells. A controller of another group than
 * Kubernetes' own is the topmost one, whatever is above it.
 */
export function firstOwner(pod: StoredObject): OwnerStep {
  const namespace = pod.metadata.namespace ?? "";
  const owner = controllerOf(pod);
  if (owner === undefined) {
    const { name, uid = "" } = pod.metadata;
    return { kind: "found", controller: { apiVersion: "v1", kind: "Pod", name, namespace, uid } };
  }
  const { apiVersion, kind, name, uid } = owner;
  if ((kind === "ReplicaSet" || kind === "Job") && apiVersion === ABOVE[kind].apiVersion) {
    return { kind: "look", owner: kind, namespace, name, uid };
  }
  return { kind: "found", controller: { apiVersion, kind, name, namespace, uid } };
}

/**
 * Says who is above an owner: a Deployment above a ReplicaSet, a CronJob above a Job, else the
 * owner itself.
 *
 * @param object Metadata of the owner. `undefined`: it is gone; an object with another UID is not
 *   the owner, so it is gone too.
 */
export function ownerAbove(step: OwnerToLookAt, object: StoredObject | undefined): TopController {
  const { owner: kind, namespace, name, uid } = step;
  const { apiVersion, above } = ABOVE[kind];
  if (object !== undefined && object.metadata.uid === uid) {
    const owner = controllerOf(object);
    if (owner?.apiVersion === above.apiVersion && owner.kind === above.kind) {
      return { ...above, name: owner.name, namespace, uid: owner.uid };
    }
  }
  return { apiVersion, kind, name, namespace, uid };
}
