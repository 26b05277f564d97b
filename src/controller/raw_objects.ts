/** Objects of which only the metadata is believed: for those that their own kind cannot read. */
import { read, stored } from "../api/decode.ts";
import { objectMeta, typeMeta } from "../api/metadata.ts";
import { apiVersionOf, type Resource, type StoredObject } from "../base/object_store.ts";

/** The kind with a parser that keeps whatever there is, so that it can be written back. */
export function rawOf<T extends StoredObject>(resource: Resource<T>): Resource<StoredObject> {
  const { kind } = resource;
  const decode = stored({
    ...typeMeta({ apiVersion: apiVersionOf(resource), kind }),
    metadata: objectMeta,
  });
  return { ...resource, parse: (value) => read(decode, value) };
}
