/** Leases: who leads. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { integer, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A Lease. */
export interface Lease {
  readonly apiVersion: "coordination.k8s.io/v1";
  readonly kind: "Lease";
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly holderIdentity?: string | undefined;
    readonly leaseDurationSeconds?: number | undefined;
    /** With microseconds: `2026-01-02T03:04:05.000000Z`. */
    readonly acquireTime?: string | undefined;
    readonly renewTime?: string | undefined;
    readonly leaseTransitions?: number | undefined;
  } | undefined;
}

/** The resource. */
export const LEASES: Resource<Lease> = lean<Lease>({
  kind: "Lease",
  plural: "leases",
  group: "coordination.k8s.io",
  decoder: stored({
    ...typeMeta({ apiVersion: "coordination.k8s.io/v1", kind: "Lease" }),
    metadata: objectMeta,
    spec: optional(stored({
      holderIdentity: optional(text),
      leaseDurationSeconds: optional(integer()),
      acquireTime: optional(text),
      renewTime: optional(text),
      leaseTransitions: optional(integer()),
    })),
  }),
});
