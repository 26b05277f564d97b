/** A kind's CustomResourceDefinition. */
import type * as z from "zod";
import type { StoredObject } from "../../src/base/object_store.ts";
import type { CustomResource, PrinterColumn } from "../../src/api/resource.ts";
import { type Json, structuralSchema } from "./structural.ts";

const API_VERSION_DESCRIPTION = "Group and version of this object.";
const KIND_DESCRIPTION = "Kind of this object.";

/** What a definition is made of: a resource, whatever its schema yields. */
export type DefinedKind = Omit<CustomResource<StoredObject>, "parse" | "schema"> & {
  readonly schema: z.ZodType;
};

/** Makes the definition as the API server takes it. */
export function customResourceDefinition(kind: DefinedKind): Json {
  const { group, version, plural, singular } = kind;
  const columns = kind.columns.map(printerColumn);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        shortNames: kind.shortNames,
        ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
      },
      scope: kind.namespaced ? "Namespaced" : "Cluster",
      versions: [{
        name: version,
        served: true,
        storage: true,
        ...(columns.length === 0 ? {} : { additionalPrinterColumns: columns }),
        ...(kind.hasStatus ? { subresources: { status: {} } } : {}),
        schema: { openAPIV3Schema: rootSchema(kind) },
      }],
    },
  };
}

/** `.spec.ipVersion`, `.status.current.ips[0].ipv4`, `.metadata.labels['a\.b/c']`. */
export function jsonPath(path: readonly string[]): string {
  return path.map((part) => {
    if (/^\d+$/.test(part)) return `[${part}]`;
    if (/^\w+$/.test(part)) return `.${part}`;
    return `['${part.replaceAll(/[.-]/g, "\\$&")}']`;
  }).join("");
}

function printerColumn({ name, path, type, priority }: PrinterColumn): Json {
  return {
    name,
    jsonPath: jsonPath(path),
    type,
    ...(priority === undefined ? {} : { priority }),
  };
}

function rootSchema(kind: DefinedKind): Json {
  const schema = structuralSchema(kind.schema);
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...properties } = membersOf(
    schema,
  );
  const required = Object.keys(properties).filter((name) => {
    return Array.isArray(schema.required) && schema.required.includes(name);
  });
  const { required: _required, ...root } = schema;
  return {
    ...root,
    properties: {
      apiVersion: { type: "string", description: API_VERSION_DESCRIPTION },
      kind: { type: "string", description: KIND_DESCRIPTION },
      metadata: {
        type: "object",
        ...(kind.naming === undefined
          ? {}
          : { properties: { name: { type: "string", ...kind.naming } } }),
      },
      ...properties,
    },
    ...(required.length === 0 ? {} : { required }),
  };
}

function membersOf(schema: Json): Json {
  const { properties } = schema;
  if (typeof properties === "object" && properties !== null) return { ...properties };
  throw new Error("Cannot make a definition: the schema of the kind is no object");
}
