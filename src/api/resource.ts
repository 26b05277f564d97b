/** How a kind of this directory becomes a `Resource` of the object store and a CRD. */
import * as z from "zod";
import type { Resource, ResourceColumn, StoredObject } from "../base/object_store.ts";
import {
  SPIDERPOOL_API_VERSION,
  SPIDERPOOL_CATEGORY,
  SPIDERPOOL_GROUP,
  SPIDERPOOL_VERSION,
} from "./group.ts";
import { metadataSchema, readSchema } from "./schema.ts";

/** A column of `kubectl get` as its CRD declares it. */
export interface PrinterColumn extends ResourceColumn {
  readonly type: "string" | "integer" | "boolean" | "date";
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

/** What objects of a kind may be called, beyond the DNS subdomain that any object's name is. */
export interface Naming {
  readonly pattern: string;
  /** Characters. */
  readonly maxLength: number;
}

/** A resource that this project has the CRD of. */
export interface CustomResource<T extends StoredObject> extends Resource<T> {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly columns: readonly PrinterColumn[];
  readonly naming?: Naming;
  readonly schema: z.ZodType<T>;
}

/** What a custom resource is made of. */
export interface CustomResourceInit<T extends StoredObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  readonly columns: readonly PrinterColumn[];
  readonly naming?: Naming;
  readonly schema: z.ZodType<T>;
}

/** Makes a resource whose door is its schema. */
export function customResource<T extends StoredObject>(
  { shortName, ...init }: CustomResourceInit<T>,
): CustomResource<T> {
  return {
    ...init,
    shortNames: [shortName],
    view: "full",
    parse: (value) => readSchema(init.schema, value),
  };
}

/** As `customResource`, for a kind of Spiderpool's own group. */
export function spiderResource<T extends StoredObject>(
  init: Omit<CustomResourceInit<T>, "group" | "version" | "categories" | "singular">,
): CustomResource<T> {
  return customResource({
    ...init,
    group: SPIDERPOOL_GROUP,
    version: SPIDERPOOL_VERSION,
    categories: [SPIDERPOOL_CATEGORY],
    singular: init.kind.toLowerCase(),
  });
}

/** The members that every own object has: `z.looseObject({ ...envelope("SpiderIP"), spec })`. */
export function envelope<const K extends string>(kind: K): {
  readonly apiVersion: z.ZodDefault<z.ZodLiteral<typeof SPIDERPOOL_API_VERSION>>;
  readonly kind: z.ZodDefault<z.ZodLiteral<K>>;
  readonly metadata: typeof metadataSchema;
} {
  return {
    apiVersion: z.literal(SPIDERPOOL_API_VERSION).default(SPIDERPOOL_API_VERSION),
    kind: z.literal(kind).default(kind),
    metadata: metadataSchema,
  };
}

/** A column, by the dotted path of its field (`spec.ipVersion`, `status.current.ips.0.ipv4`). */
export function column(
  name: string,
  path: string | readonly string[],
  { type = "string", priority }: Partial<Pick<PrinterColumn, "type" | "priority">> = {},
): PrinterColumn {
  const fields = typeof path === "string" ? path.split(".") : path;
  return priority === undefined
    ? { name, path: fields, type }
    : { name, path: fields, type, priority };
}
