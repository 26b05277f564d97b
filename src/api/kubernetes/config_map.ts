/** ConfigMaps. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { optional, recordOf, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A ConfigMap. */
export interface ConfigMap {
  readonly apiVersion: "v1";
  readonly kind: "ConfigMap";
  readonly metadata: ObjectMeta;
  readonly data?: Readonly<Record<string, string>> | undefined;
}

/** The resource. */
export const CONFIG_MAPS: Resource<ConfigMap> = lean<ConfigMap>({
  kind: "ConfigMap",
  plural: "configmaps",
  decoder: stored({
    ...typeMeta({ apiVersion: "v1", kind: "ConfigMap" }),
    metadata: objectMeta,
    data: optional(recordOf(text)),
  }),
});
