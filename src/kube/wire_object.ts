/** Objects as the server sends them, made into what the port promises. */
import {
  apiVersionOf,
  type BrokenObject,
  type ObjectKey,
  type Resource,
  type StoredObject,
} from "../base/object_store.ts";
import { err, type Result } from "../base/result.ts";
import { asRecord, asText, type JsonRecord, valueAt } from "./json_value.ts";

/** Which form the server is asked for; a Table is asked for by `TABLE_ACCEPT`. */
export function acceptOf(
  { view }: Pick<Resource<StoredObject>, "view">,
  { list }: { readonly list: boolean },
): string {
  if (view === "full") return "application/json";
  const kind = list ? "PartialObjectMetadataList" : "PartialObjectMetadata";
  return `application/json;as=${kind};v=v1;g=meta.k8s.io`;
}

/** `Accept` of a Table of rows. */
export const TABLE_ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io";

/**
 * Reads one object: `apiVersion` and `kind` become the resource's own (items of a list have none,
 * metadata reads have an envelope's), `managedFields` goes (the server keeps it when a write leaves
 * it out), then the resource's parser has its say.
 */
export function readObject<T extends StoredObject>(
  resource: Resource<T>,
  raw: unknown,
): Result<T, BrokenObject> {
  const record = asRecord(raw);
  const metadata = asRecord(record?.["metadata"]);
  if (record === undefined || metadata === undefined) {
    return err({ key: { name: "" }, problem: "metadata is missing: this is no object of the API" });
  }
  const { managedFields: _dropped, ...kept } = metadata;
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = record;
  const parsed = resource.parse({
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: kept,
    ...rest,
  });
  return parsed.ok ? parsed : err({ key: keyOfRaw(metadata), problem: parsed.error });
}

/** The key in an object's raw metadata. */
export function keyOfRaw(metadata: JsonRecord): ObjectKey {
  const namespace = asText(metadata["namespace"]);
  const name = asText(metadata["name"]) ?? "";
  return namespace === undefined ? { name } : { namespace, name };
}

/** The resourceVersion of a raw object or list; empty if it has none. */
export function versionOfRaw(raw: unknown): string {
  return asText(valueAt(raw, ["metadata", "resourceVersion"])) ?? "";
}

/** A value of a column as text: empty for nothing, JSON for what is no scalar. */
export function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
