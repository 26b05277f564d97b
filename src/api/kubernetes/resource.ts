/** How a kind of Kubernetes itself becomes a `Resource`: checked by hand, kept as it came. */
import type { Resource, StoredObject } from "../../base/object_store.ts";
import { type Decoder, read } from "../decode.ts";

/** Makes a resource of a decoder. */
export function lean<T extends StoredObject>(
  { kind, plural, group = "", version = "v1", namespaced = true, hasStatus = false, decoder }: {
    readonly kind: string;
    readonly plural: string;
    readonly group?: string;
    readonly version?: string;
    readonly namespaced?: boolean;
    readonly hasStatus?: boolean;
    readonly decoder: Decoder<T>;
  },
): Resource<T> {
  const parse: Resource<T>["parse"] = (value) => read(decoder, value);
  return { group, version, kind, plural, namespaced, hasStatus, columns: [], view: "full", parse };
}
