/** Secrets: only the one with the webhooks' own certificate is ever read. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { optional, recordOf, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A Secret. */
export interface Secret {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: ObjectMeta;
  readonly type?: string | undefined;
  /** Base64 of bytes, by key. */
  readonly data?: Readonly<Record<string, string>> | undefined;
}

/** The resource. */
export const SECRETS: Resource<Secret> = lean<Secret>({
  kind: "Secret",
  plural: "secrets",
  decoder: stored({
    ...typeMeta({ apiVersion: "v1", kind: "Secret" }),
    metadata: objectMeta,
    type: optional(text),
    data: optional(recordOf(text)),
  }),
});
