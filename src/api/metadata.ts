/** Object metadata as on the wire, and objects of which nothing else is read. */
import type { MetadataObject, ObjectMeta, Resource, StoredObject } from "../base/object_store.ts";
import { apiVersionOf } from "../base/object_store.ts";
import type { Result } from "../base/result.ts";
import {
  type DefaultedMember,
  flag,
  integer,
  listOf,
  oneOf,
  optional,
  otherwise,
  read,
  record,
  recordOf,
  stored,
  text,
} from "./decode.ts";

const known = stored({
  name: text,
  namespace: optional(text),
  uid: optional(text),
  resourceVersion: optional(text),
  generation: optional(integer()),
  creationTimestamp: optional(text),
  deletionTimestamp: optional(text),
  deletionGracePeriodSeconds: optional(integer()),
  labels: optional(recordOf(text)),
  annotations: optional(recordOf(text)),
  finalizers: optional(listOf(text)),
  ownerReferences: optional(listOf(stored({
    apiVersion: text,
    kind: text,
    name: text,
    uid: text,
    controller: optional(flag),
    blockOwnerDeletion: optional(flag),
  }))),
});

/**
 * Reads metadata. `managedFields` is left out: it is half of a small object, nothing here reads it,
 * and a server that gets an object without it keeps its own.
 */
export function objectMeta(value: unknown): ObjectMeta {
  const object = record(value);
  if (object.managedFields === undefined) return known(object);
  const { managedFields: _managedFields, ...rest } = object;
  return known(rest);
}

/** `apiVersion` and `kind` of an object: lists leave them out, so what is absent is filled in. */
export function typeMeta<const V extends string, const K extends string>(
  { apiVersion, kind }: { readonly apiVersion: V; readonly kind: K },
): {
  readonly apiVersion: DefaultedMember<V>;
  readonly kind: DefaultedMember<K>;
} {
  return {
    apiVersion: otherwise(oneOf([apiVersion]), apiVersion),
    kind: otherwise(oneOf([kind]), kind),
  };
}

/**
 * The parser of a metadata read (`metadataOf(resource, parseMetadataOf(resource))`): whatever
 * envelope the wire has, the object is of the resource's own kind and carries metadata alone.
 */
export function parseMetadataOf<T extends StoredObject>(
  resource: Pick<Resource<T>, "group" | "version" | "kind">,
): (value: unknown) => Result<MetadataObject, string> {
  const { kind } = resource;
  const apiVersion = apiVersionOf(resource);
  const envelope = stored({ metadata: objectMeta });
  const metadataObject = (value: unknown): MetadataObject => {
    return { apiVersion, kind, metadata: envelope(value).metadata };
  };
  return (value) => read(metadataObject, value);
}

/** Whether an object is being deleted. */
export function isTerminating(object: StoredObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** The owner reference with `controller: true`, if there is one. */
export function controllerOf(
  object: StoredObject,
): NonNullable<ObjectMeta["ownerReferences"]>[number] | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}
