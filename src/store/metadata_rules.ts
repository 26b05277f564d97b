/** What the API refuses in an object's metadata, as one sentence each. Pure. */
import { ANNOTATIONS_BYTES_MAX } from "../base/limits.ts";
import { isRecord, type RawObject, utf8Bytes } from "./json_value.ts";
import { keyProblem, labelValueProblem, nameProblem, namespaceProblem, shown } from "./names.ts";

/** What the rules of a write ask of a kind: part of every `Resource`. */
export interface KindFacts {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
}

/**
 * Says what is wrong with an object's identity and metadata; `undefined` when nothing is.
 *
 * @returns Path, value and what is allowed, in lower case: `metadata.name "A" is not …`.
 */
export function metadataProblem(kind: KindFacts, object: RawObject): string | undefined {
  return identityProblem(kind, object) ?? mapProblem(object, "labels") ??
    mapProblem(object, "annotations") ?? annotationsSizeProblem(object) ??
    finalizersProblem(object) ?? ownersProblem(object);
}

function identityProblem(kind: KindFacts, object: RawObject): string | undefined {
  const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
  if (object.apiVersion !== apiVersion) {
    return `apiVersion ${shown(object.apiVersion)} is not that of ${kind.plural}: "${apiVersion}"`;
  }
  if (object.kind !== kind.kind) {
    return `kind ${shown(object.kind)} is not that of ${kind.plural}: "${kind.kind}"`;
  }
  const { name, namespace } = object.metadata;
  return said("metadata.name", nameProblem(name)) ?? namespacePlaceProblem(kind, namespace);
}

/** Says whether a key has a namespace exactly when its kind is namespaced, and a usable one. */
export function namespacePlaceProblem(
  kind: KindFacts,
  namespace: unknown,
): string | undefined {
  if (!kind.namespaced) {
    return namespace === undefined
      ? undefined
      : `metadata.namespace is set, but ${kind.plural} are cluster-scoped: leave it out`;
  }
  if (typeof namespace !== "string") {
    return `metadata.namespace is missing: ${kind.plural} are namespaced`;
  }
  return said("metadata.namespace", namespaceProblem(namespace));
}

function mapProblem(object: RawObject, field: "labels" | "annotations"): string | undefined {
  const map: unknown = object.metadata[field];
  if (map === undefined || map === null) return undefined;
  if (!isRecord(map)) return `metadata.${field} is not a map of texts`;
  for (const [key, value] of Object.entries(map)) {
    // Annotation keys are compared in lower case by the API's own rule.
    const problem = keyProblem(field === "labels" ? key : key.toLowerCase());
    if (problem !== undefined) return `metadata.${field} ${problem}`;
    const place = `metadata.${field}[${shown(key)}]`;
    if (typeof value !== "string") return `${place} is not a text: put it in quotes`;
    if (field === "annotations") continue;
    const valueProblem = said(place, labelValueProblem(value));
    if (valueProblem !== undefined) return valueProblem;
  }
  return undefined;
}

function annotationsSizeProblem(object: RawObject): string | undefined {
  let bytes = 0;
  for (const [key, value] of Object.entries(object.metadata.annotations ?? {})) {
    bytes += utf8Bytes(key) + utf8Bytes(value);
  }
  if (bytes <= ANNOTATIONS_BYTES_MAX) return undefined;
  return `metadata.annotations take ${bytes} bytes: at most ${ANNOTATIONS_BYTES_MAX} are allowed`;
}

function finalizersProblem(object: RawObject): string | undefined {
  const finalizers: unknown = object.metadata.finalizers;
  if (finalizers === undefined || finalizers === null) return undefined;
  if (!Array.isArray(finalizers)) return "metadata.finalizers is not a list of texts";
  for (const finalizer of finalizers) {
    if (typeof finalizer !== "string") return "metadata.finalizers holds something but texts";
    const problem = said("metadata.finalizers", keyProblem(finalizer));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const OWNER_FIELDS = ["apiVersion", "kind", "name", "uid"] as const;

function ownersProblem(object: RawObject): string | undefined {
  const owners: unknown = object.metadata.ownerReferences;
  if (owners === undefined || owners === null) return undefined;
  if (!Array.isArray(owners)) return "metadata.ownerReferences is not a list";
  let controllers = 0;
  for (const [index, owner] of owners.entries()) {
    const place = `metadata.ownerReferences[${index}]`;
    if (!isRecord(owner)) return `${place} is not an object`;
    const missing = OWNER_FIELDS.find((field) =>
      typeof owner[field] !== "string" || owner[field] === ""
    );
    if (missing !== undefined) return `${place}.${missing} is missing`;
    if (owner["controller"] === true) controllers++;
  }
  return controllers > 1
    ? `metadata.ownerReferences names ${controllers} controllers: one is allowed`
    : undefined;
}

function said(place: string, problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `${place} ${problem}`;
}
