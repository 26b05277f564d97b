/** Where the API server keeps a kind: URL paths and queries. */
import { assert } from "../base/assert.ts";
import {
  keyText,
  type ObjectKey,
  type Resource,
  type Selection,
  type StoredObject,
} from "../base/object_store.ts";

/** What a path needs to know of a kind. */
export type PathResource = Pick<
  Resource<StoredObject>,
  "group" | "version" | "plural" | "namespaced"
>;

/** Path of a collection: `/apis/apps/v1/namespaces/default/deployments`. */
export function collectionPath(
  { group, version, plural, namespaced }: PathResource,
  namespace: string | undefined,
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  assert(
    namespaced || namespace === undefined,
    "a cluster-scoped kind is not looked for in a namespace",
  );
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${plural}`;
}

/** Path of one object. */
export function objectPath(resource: PathResource, key: ObjectKey): string {
  assert(
    resource.namespaced === (key.namespace !== undefined),
    "a key has a namespace exactly when its kind is namespaced",
  );
  assert(key.name !== "", "an object has a name");
  return `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}`;
}

/** `?a=b&c=d` of the parameters that are set; empty if none is. */
export function queryOf(
  parameters: Readonly<Record<string, string | number | undefined>>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? "" : `?${query}`;
}

/** The parameters of a selection. */
export function selectorsOf(
  { labelSelector, fieldSelector }: Selection,
): { readonly labelSelector: string | undefined; readonly fieldSelector: string | undefined } {
  return {
    labelSelector: labelSelector === "" ? undefined : labelSelector,
    fieldSelector: fieldSelector === "" ? undefined : fieldSelector,
  };
}

/** `pods "default/web-0"`, for messages. */
export function sayObject({ plural }: PathResource, key: ObjectKey): string {
  return `${plural} "${keyText(key)}"`;
}

/** `pods in namespace "default" with label app=web`, for messages. */
export function saySelection(
  { plural }: PathResource,
  { namespace, labelSelector, fieldSelector }: Selection,
): string {
  const parts = [
    plural,
    namespace === undefined ? "" : ` in namespace "${namespace}"`,
    labelSelector ? ` with labels "${labelSelector}"` : "",
    fieldSelector ? ` with fields "${fieldSelector}"` : "",
  ];
  return parts.join("");
}
