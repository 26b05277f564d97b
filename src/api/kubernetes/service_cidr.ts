/** ServiceCIDRs: where the API server takes ClusterIPs from. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { listOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A ServiceCIDR; the same in every version. */
export interface ServiceCidr {
  readonly apiVersion: string;
  readonly kind: "ServiceCIDR";
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly cidrs?: readonly string[] | undefined } | undefined;
}

const group = "networking.k8s.io";

/** The resource in every version that a server may have, newest first: 1.33, 1.31, 1.29. */
export const SERVICE_CIDRS: readonly Resource<ServiceCidr>[] = ["v1", "v1beta1", "v1alpha1"].map(
  (version) =>
    lean<ServiceCidr>({
      kind: "ServiceCIDR",
      plural: "servicecidrs",
      group,
      version,
      namespaced: false,
      hasStatus: true,
      decoder: stored({
        ...typeMeta({ apiVersion: `${group}/${version}`, kind: "ServiceCIDR" }),
        metadata: objectMeta,
        spec: optional(stored({ cidrs: optional(listOf(text)) })),
      }),
    }),
);
