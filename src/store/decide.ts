/**
 * What a request does to one object: the API's rules for create, replace, replaceStatus and remove,
 * shared by every store of this directory. Pure: no lookup, no clock, no randomness.
 */
import { unreachable } from "../base/assert.ts";
import { OBJECT_BYTES_MAX } from "../base/limits.ts";
import type {
  ObjectKey,
  ObjectMeta,
  RemoveOptions,
  StoredObject,
  StoreError,
} from "../base/object_store.ts";
import { keyText } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import { copyAsJson, equalJson, freezeDeep, type RawObject, utf8Bytes } from "./json_value.ts";
import { type KindFacts, metadataProblem, namespacePlaceProblem } from "./metadata_rules.ts";
import { shown } from "./names.ts";

/** What `remove` looks at; the signal is the shell's. */
export type RemoveWish = Omit<RemoveOptions, "signal" | "timeoutMs">;

/** One write, whatever store it is for. */
export type WriteRequest =
  | {
    readonly operation: "create" | "replace" | "replace_status";
    readonly kind: KindFacts;
    /** As the caller gave it: it is copied, never kept. */
    readonly object: StoredObject;
  }
  | {
    readonly operation: "remove";
    readonly kind: KindFacts;
    readonly key: ObjectKey;
    readonly wish: RemoveWish;
  };

/** What only the store knows at the moment of a write. */
export interface WriteMoment {
  /** The revision this write gets if it changes anything. */
  readonly revision: number;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** A new uid; called only for an object that is made. */
  readonly newUid: () => string;
  /**
   * Seconds that a removed object of this kind may take to end (a pod on a node); 0: none. `asked`
   * is the request's `gracePeriodSeconds`.
   */
  readonly graceSeconds: (object: RawObject, asked: number | undefined) => number;
}

/** What happens. `object` is what is stored, or for `delete` and `nothing` what the caller gets. */
export interface Decision {
  readonly effect: "store" | "delete" | "nothing";
  /** Frozen. */
  readonly object: RawObject;
}

/** Decides one write against the object of that name, `undefined` where there is none. */
export function decideWrite(
  request: WriteRequest,
  facts: { readonly current: RawObject | undefined; readonly moment: WriteMoment },
): Result<Decision, StoreError> {
  const decided = decide(request, facts);
  if (decided.ok) return decided;
  const { code, reason } = decided.error;
  return err({ code, message: `Cannot ${VERBS[request.operation]} ${nameOf(request)}: ${reason}` });
}

/** Why not; `reason` completes a sentence that says what was tried. */
interface Refusal {
  readonly code: "not_found" | "already_exists" | "conflict" | "invalid";
  readonly reason: string;
}

function decide(request: WriteRequest, facts: Facts): Result<Decision, Refusal> {
  switch (request.operation) {
    case "create":
      return decideCreate(request, facts);
    case "replace":
    case "replace_status":
      return decideReplace(request, facts);
    case "remove":
      return decideRemove(request, facts);
    default:
      return unreachable(request);
  }
}

type ObjectRequest = Extract<WriteRequest, { readonly object: StoredObject }>;
type RemoveRequest = Extract<WriteRequest, { readonly operation: "remove" }>;
interface Facts {
  readonly current: RawObject | undefined;
  readonly moment: WriteMoment;
}

function decideCreate(
  request: ObjectRequest,
  { current, moment }: Facts,
): Result<Decision, Refusal> {
  const wanted = readObject(request);
  if (!wanted.ok) return wanted;
  const { deletionTimestamp: _time, deletionGracePeriodSeconds: _grace, ...metadata } =
    wanted.value.metadata;
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "") {
    return refuse("invalid", "metadata.resourceVersion is set: a new object has none");
  }
  if (current !== undefined) {
    const leaving = current.metadata.deletionTimestamp !== undefined;
    return refuse(
      "already_exists",
      leaving ? "it exists, and is being deleted" : "it already exists",
    );
  }
  const { status, ...rest } = wanted.value;
  const keepsStatus = status !== undefined && !request.kind.hasStatus;
  return sized({
    ...rest,
    ...(keepsStatus ? { status } : {}),
    metadata: {
      ...metadata,
      uid: moment.newUid(),
      resourceVersion: String(moment.revision),
      generation: 1,
      creationTimestamp: timestamp(moment.nowMs),
    },
  });
}

function decideReplace(
  request: ObjectRequest,
  { current, moment }: Facts,
): Result<Decision, Refusal> {
  if (request.operation === "replace_status" && !request.kind.hasStatus) {
    return refuse("invalid", `${request.kind.plural} have no status subresource`);
  }
  const wanted = readObject(request);
  if (!wanted.ok) return wanted;
  const { resourceVersion, uid } = wanted.value.metadata;
  if (resourceVersion === undefined || resourceVersion === "") {
    return refuse(
      "invalid",
      "metadata.resourceVersion is missing: read the object first and replace what was read",
    );
  }
  if (current === undefined) return refuse("not_found", "it does not exist");
  const mismatch = mismatchOf(current, { uid, resourceVersion });
  if (mismatch !== undefined) return refuse("conflict", mismatch);

  const next = request.operation === "replace"
    ? replaced(request, { current, wanted: wanted.value })
    : ok(withStatus(current, wanted.value["status"]));
  if (!next.ok) return next;
  if (equalJson(next.value, current)) return ok({ effect: "nothing", object: current });
  // The last finalizer went: the API answers with what was asked for, at the version it was read.
  if (isFinished(next.value)) return ok({ effect: "delete", object: freezeDeep(next.value) });
  return sized(withVersion(next.value, moment.revision));
}

/** The object after a replace, still at the version it was read at. */
function replaced(
  request: ObjectRequest,
  { current, wanted }: { readonly current: RawObject; readonly wanted: RawObject },
): Result<RawObject, Refusal> {
  const kept = current.metadata;
  for (const field of ["creationTimestamp", "deletionTimestamp"] as const) {
    const value = wanted.metadata[field];
    if (value !== undefined && value !== null && value !== kept[field]) {
      return refuse("invalid", `metadata.${field} is not for clients to change`);
    }
  }
  const added = (wanted.metadata.finalizers ?? [])
    .find((finalizer) => kept.finalizers?.includes(finalizer) !== true);
  if (kept.deletionTimestamp !== undefined && added !== undefined) {
    return refuse("invalid", `finalizer ${shown(added)} is new, and the object is being deleted`);
  }
  const metadata = { ...wanted.metadata, ...serverOwned(kept) };
  const content = request.kind.hasStatus ? withStatus(wanted, current["status"]) : wanted;
  const next = { ...content, metadata };
  const changed = !equalJson(specOf(request.kind, next), specOf(request.kind, current));
  const generation = (kept.generation ?? 0) + (changed ? 1 : 0);
  return ok({ ...next, metadata: { ...metadata, generation } });
}

/** What counts for `generation`: all but metadata, and but status where it is a subresource. */
function specOf(kind: KindFacts, object: RawObject): Readonly<Record<string, unknown>> {
  const { metadata: _metadata, status, ...spec } = object;
  return kind.hasStatus || status === undefined ? spec : { ...spec, status };
}

function serverOwned(kept: ObjectMeta): Partial<ObjectMeta> {
  const { uid, resourceVersion, creationTimestamp, deletionTimestamp } = kept;
  const grace = kept["deletionGracePeriodSeconds"];
  return {
    uid,
    resourceVersion,
    creationTimestamp,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(grace === undefined ? {} : { deletionGracePeriodSeconds: grace }),
  };
}

function decideRemove(
  request: RemoveRequest,
  { current, moment }: Facts,
): Result<Decision, Refusal> {
  const place = namespacePlaceProblem(request.kind, request.key.namespace);
  if (place !== undefined) return refuse("invalid", place);
  if (current === undefined) return refuse("not_found", "it does not exist");
  const mismatch = mismatchOf(current, request.wish.preconditions ?? {});
  if (mismatch !== undefined) return refuse("conflict", mismatch);
  const left = withPropagation(current.metadata.finalizers ?? [], request.wish.propagation);
  const graceSeconds = moment.graceSeconds(current, request.wish.gracePeriodSeconds);
  const metadata = leaving(current.metadata, { graceSeconds, nowMs: moment.nowMs });
  const next = {
    ...current,
    metadata: left.length === 0 && metadata.finalizers === undefined
      ? metadata
      : { ...metadata, finalizers: left },
  };
  if (isFinished(next)) return ok({ effect: "delete", object: current });
  if (equalJson(next, current)) return ok({ effect: "nothing", object: current });
  return ok({ effect: "store", object: freezeDeep(withVersion(next, moment.revision)) });
}

/** Metadata of an object that begins to leave, or is told to be quicker about it. */
function leaving(
  kept: ObjectMeta,
  { graceSeconds, nowMs }: { readonly graceSeconds: number; readonly nowMs: number },
): ObjectMeta {
  if (kept.deletionTimestamp === undefined) {
    return {
      ...kept,
      deletionTimestamp: timestamp(nowMs + graceSeconds * 1_000),
      deletionGracePeriodSeconds: graceSeconds,
      // The beginning of the end is a change that controllers act on: the API counts it.
      generation: (kept.generation ?? 0) + 1,
    };
  }
  const before = kept["deletionGracePeriodSeconds"];
  if (typeof before !== "number" || graceSeconds >= before) return kept;
  const earlierMs = Date.parse(kept.deletionTimestamp) - (before - graceSeconds) * 1_000;
  return {
    ...kept,
    deletionTimestamp: timestamp(earlierMs),
    deletionGracePeriodSeconds: graceSeconds,
  };
}

/** Whether nothing keeps an object that is being deleted. */
function isFinished({ metadata }: RawObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 &&
    (metadata["deletionGracePeriodSeconds"] ?? 0) === 0;
}

/** Finalizer that keeps an owner until its dependents are gone. */
export const FOREGROUND_FINALIZER = "foregroundDeletion";
/** Finalizer that keeps an owner until its dependents no longer name it. */
export const ORPHAN_FINALIZER = "orphan";

function withPropagation(
  finalizers: readonly string[],
  propagation: RemoveWish["propagation"],
): readonly string[] {
  if (propagation === undefined) return finalizers; // A policy asked for earlier stays.
  const others = finalizers.filter((finalizer) =>
    finalizer !== FOREGROUND_FINALIZER && finalizer !== ORPHAN_FINALIZER
  );
  switch (propagation) {
    case "Background":
      return others;
    case "Foreground":
      return [...others, FOREGROUND_FINALIZER];
    case "Orphan":
      return [...others, ORPHAN_FINALIZER];
    default:
      return unreachable(propagation);
  }
}

function mismatchOf(
  current: RawObject,
  { uid, resourceVersion }: {
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  },
): string | undefined {
  const stored = current.metadata;
  if (uid !== undefined && uid !== "" && uid !== stored.uid) {
    return `its uid is ${shown(stored.uid ?? "")}, not ${shown(uid)}: it was made anew`;
  }
  if (
    resourceVersion !== undefined && resourceVersion !== "" &&
    resourceVersion !== stored.resourceVersion
  ) {
    return `its resourceVersion is ${shown(stored.resourceVersion ?? "")}, not ` +
      `${shown(resourceVersion)}: read it again`;
  }
  return undefined;
}

function readObject(request: ObjectRequest): Result<RawObject, Refusal> {
  const copy = copyAsJson(request.object);
  if (!copy.ok) return refuse("invalid", copy.error);
  const problem = metadataProblem(request.kind, copy.value);
  return problem === undefined ? ok(copy.value) : refuse("invalid", problem);
}

function sized(object: RawObject): Result<Decision, Refusal> {
  const bytes = utf8Bytes(JSON.stringify(object));
  if (bytes <= OBJECT_BYTES_MAX) return ok({ effect: "store", object: freezeDeep(object) });
  return refuse("invalid", `it takes ${bytes} bytes, and at most ${OBJECT_BYTES_MAX} are allowed`);
}

function withVersion(object: RawObject, revision: number): RawObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

function withStatus(object: RawObject, status: unknown): RawObject {
  const { status: _old, ...rest } = object;
  const { apiVersion, kind, metadata } = object; // Named, so that the type still knows them.
  return { ...rest, apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) };
}

function timestamp(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}

const VERBS = {
  create: "create",
  replace: "replace",
  replace_status: "replace the status of",
  remove: "delete",
} as const;

function nameOf(request: WriteRequest): string {
  const metadata: Partial<ObjectKey> | undefined = "object" in request
    ? request.object.metadata
    : request.key;
  const key = { namespace: metadata?.namespace, name: String(metadata?.name) };
  return `${request.kind.kind} ${shown(keyText(key))}`;
}

function refuse(code: Refusal["code"], reason: string): Result<never, Refusal> {
  return err({ code, reason });
}
