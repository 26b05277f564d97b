/**
 * The two kinds that the contract is tried on, as resources and as the CustomResourceDefinitions
 * that make an API server serve them.
 */
import {
  type MetadataObject,
  metadataOf,
  type Resource,
  type StoredObject,
  type StoreError,
} from "../../src/base/object_store.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { AdmissionRequest } from "../../src/store/engine.ts";
import { valueAt } from "../../src/store/json_value.ts";

/** Group of both kinds. */
export const CONTRACT_GROUP = "contract.spidernet.io";

/** Namespaced, with a status subresource and the truth fence of design.md 2.3. */
export interface Thing extends StoredObject {
  readonly spec?:
    | { readonly colour?: string; readonly size?: number; readonly text?: string }
    | undefined;
  readonly status?: { readonly phase?: string; readonly truth?: string } | undefined;
}

/** Cluster-scoped, without a status subresource: its `status` is a field like any other. */
export interface Plot extends StoredObject {
  readonly spec?: { readonly owner?: string } | undefined;
  readonly status?: { readonly phase?: string } | undefined;
}

/** The resource of `Thing`. A colour of `unspeakable` is what its parser refuses. */
export const THINGS: Resource<Thing> = {
  group: CONTRACT_GROUP,
  version: "v1",
  kind: "Thing",
  plural: "things",
  namespaced: true,
  hasStatus: true,
  columns: [
    { name: "Colour", path: ["spec", "colour"] },
    { name: "Size", path: ["spec", "size"] },
  ],
  view: "full",
  parse: parseThing,
};

/** The resource of `Plot`. */
export const PLOTS: Resource<Plot> = {
  group: CONTRACT_GROUP,
  version: "v1",
  kind: "Plot",
  plural: "plots",
  namespaced: false,
  hasStatus: false,
  columns: [{ name: "Owner", path: ["spec", "owner"] }],
  view: "full",
  parse: (value) => isStored(value) ? ok(value) : err("the value is not an object of the API"),
};

/** `Thing`s, metadata only. */
export const THING_METADATA: Resource<MetadataObject> = metadataOf(THINGS, parseMetadata);

function parseThing(value: unknown): Result<Thing, string> {
  if (!isStored(value)) return err("the value is not an object of the API");
  const thing: Thing = value;
  if (thing.spec?.colour === "unspeakable") {
    return err('spec.colour is "unspeakable": any other colour is allowed');
  }
  return ok(thing);
}

function parseMetadata(value: unknown): Result<MetadataObject, string> {
  if (!isStored(value)) return err("the value is not an object of the API");
  if ("spec" in value) return err("spec is set: a metadata read carries none");
  return ok(value as MetadataObject);
}

function isStored(value: unknown): value is StoredObject {
  return typeof value === "object" && value !== null && "metadata" in value &&
    typeof value.metadata === "object" && value.metadata !== null && "name" in value.metadata;
}

const PERMISSIVE = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;

/** What `Thing`'s root rule says when it refuses. */
export const TRUTH_FENCE_MESSAGE = "status.truth stays once it is set";

/** `Thing`'s root rule for stores without CEL: what the rule in `CONTRACT_CRDS` says. */
export function fenceTruth(
  { operation, kind, object, previous }: AdmissionRequest,
): StoreError | undefined {
  if (operation === "create" || operation === "remove" || kind.kind !== THINGS.kind) {
    return undefined;
  }
  const path = ["status", "truth"];
  if (valueAt(previous, path) === undefined || object === undefined) return undefined;
  if (valueAt(object, path) !== undefined) return undefined;
  return { code: "invalid", message: TRUTH_FENCE_MESSAGE };
}

/** `CustomResourceDefinition` objects of both kinds, ready to be applied. */
export const CONTRACT_CRDS: readonly StoredObject[] = [
  definition(THINGS, {
    ...PERMISSIVE,
    properties: {
      spec: PERMISSIVE,
      status: { ...PERMISSIVE, properties: { truth: { type: "string" } } },
    },
    "x-kubernetes-validations": [{
      rule: "!has(oldSelf.status) || !has(oldSelf.status.truth) || " +
        "(has(self.status) && has(self.status.truth))",
      message: TRUTH_FENCE_MESSAGE,
    }],
  }),
  definition(PLOTS, { ...PERMISSIVE, properties: { spec: PERMISSIVE, status: PERMISSIVE } }),
];

function definition<T extends StoredObject>(
  resource: Resource<T>,
  schema: Readonly<Record<string, unknown>>,
): StoredObject & { readonly spec: unknown } {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${resource.plural}.${resource.group}` },
    spec: {
      group: resource.group,
      scope: resource.namespaced ? "Namespaced" : "Cluster",
      names: {
        plural: resource.plural,
        singular: resource.kind.toLowerCase(),
        kind: resource.kind,
        listKind: `${resource.kind}List`,
      },
      versions: [{
        name: resource.version,
        served: true,
        storage: true,
        subresources: resource.hasStatus ? { status: {} } : {},
        additionalPrinterColumns: resource.columns.map(({ name, path }) => ({
          name,
          type: name === "Size" ? "integer" : "string",
          jsonPath: `.${path.join(".")}`,
        })),
        schema: { openAPIV3Schema: schema },
      }],
    },
  };
}
