/** EndpointSlices: who answers behind a Service. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { flag, listOf, optional, stored } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** Some of a Service's endpoints. */
export interface EndpointSlice {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly metadata: ObjectMeta;
  readonly endpoints?:
    | readonly { readonly conditions?: { readonly ready?: boolean | undefined } | undefined }[]
    | undefined;
}

/** Label of a slice: the Service that it is of. */
export const LABEL_SERVICE_NAME = "kubernetes.io/service-name";

/** The resource. */
export const ENDPOINT_SLICES: Resource<EndpointSlice> = lean<EndpointSlice>({
  kind: "EndpointSlice",
  plural: "endpointslices",
  group: "discovery.k8s.io",
  decoder: stored({
    ...typeMeta({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" }),
    metadata: objectMeta,
    endpoints: optional(listOf(stored({
      conditions: optional(stored({ ready: optional(flag) })),
    }))),
  }),
});
