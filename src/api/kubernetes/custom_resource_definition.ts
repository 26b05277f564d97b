/** CustomResourceDefinitions, as far as whose they are. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A kind that a server was taught. */
export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: ObjectMeta;
  readonly spec: { readonly group: string };
}

/** The resource. */
export const CUSTOM_RESOURCE_DEFINITIONS: Resource<CustomResourceDefinition> = lean<
  CustomResourceDefinition
>({
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  group: "apiextensions.k8s.io",
  namespaced: false,
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" }),
    metadata: objectMeta,
    spec: stored({ group: text }),
  }),
});
