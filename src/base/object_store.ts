/**
 * The port to objects: what every store (API server, memory, SQLite) does, and nothing of how.
 * Semantics are the Kubernetes API's; `tests/contract` runs one case list against all three.
 */
import type { Result } from "./result.ts";

/** Who owns an object, as on the wire. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

/** Metadata as on the wire. Fields this type does not name survive a write. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  /** Opaque: compared for equality only. */
  readonly resourceVersion?: string | undefined;
  /** Counts changes of anything but metadata and status. */
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  readonly [field: string]: unknown;
}

/** Anything a store keeps. */
export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/**
 * Metadata alone: what reads with `metadataOf(resource)` deliver. `apiVersion` and `kind` are the
 * resource's own, whatever envelope the wire has; `managedFields` is left out.
 */
export interface MetadataObject extends StoredObject {
  /** Never set: a metadata read carries no spec. It keeps the type apart from a full object. */
  readonly spec?: never;
}

/** A column of `kubectl get`, read by `listRows`. */
export interface ResourceColumn {
  /** As printed, for example `Node`. */
  readonly name: string;
  /** Path of fields inside the object, for example `["spec", "node"]`. */
  readonly path: readonly string[];
}

/** What a store must know of a kind. `parse` is the door: inside, `T` is trusted. */
export interface Resource<T extends StoredObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Whether `status` is a subresource: then `replace` never writes it, `replaceStatus` only it. */
  readonly hasStatus: boolean;
  readonly columns: readonly ResourceColumn[];
  readonly view: "full" | "metadata";
  /** Reads what came over the wire. The refusal is one sentence with the path and the value. */
  parse(value: unknown): Result<T, string>;
}

/** Name of an object; `namespace` exactly when its kind is namespaced. */
export interface ObjectKey {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/**
 * Why a store did not do what was asked. `message` is one sentence that says what was tried.
 *
 * - `not_found`, `already_exists`: by name.
 * - `conflict`: a precondition (resourceVersion or uid) does not hold.
 * - `gone`: the resourceVersion or continuation is too old; list again.
 * - `invalid`: refused for its content (also: too large). The same request is refused again.
 * - `forbidden`: the credentials may not do it; `namespaceTerminating` finally refuses a creation.
 * - `throttled`: nothing was done; the same request may go again after `retryAfterMs`.
 * - `broken`: the stored object is refused by its resource's parser. It exists, and a write that is
 *   answered so was done.
 * - `unavailable`, `timeout`: no answer. Where `outcomeUnknown` is true, a write may still happen,
 *   even later; it is settled by repeating the same request (design.md 2.1, rule 8). `isUnserved`:
 *   the server answered that it has no such kind, which may change while it runs.
 */
export type StoreError =
  | { readonly code: "not_found" | "already_exists" | "gone" | "invalid"; readonly message: string }
  | { readonly code: "conflict" | "broken"; readonly message: string }
  | { readonly code: "forbidden"; readonly message: string; readonly namespaceTerminating: boolean }
  | { readonly code: "throttled"; readonly message: string; readonly retryAfterMs: number }
  | {
    readonly code: "unavailable" | "timeout";
    readonly message: string;
    readonly outcomeUnknown: boolean;
    readonly isUnserved?: true;
  };

/** Whether the server answered that it has no such kind. */
export function isUnserved(error: StoreError): boolean {
  return "isUnserved" in error && error.isUnserved === true;
}

/** An answer of the store, or its refusal. */
export type StoreResult<T> = Result<T, StoreError>;

/** Thrown where a store's refusal is a failure of the outside world rather than an outcome. */
export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
  readonly code: StoreError["code"];
  readonly error: StoreError;

  constructor(error: StoreError, options?: ErrorOptions) {
    super(error.message, options);
    this.code = error.code;
    this.error = error;
  }
}

/** Every call can be cancelled; a cancelled call rejects with the signal's reason. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until `timeout`; the store's own default where absent. */
  readonly timeoutMs?: number | undefined;
}

/** Which objects. Selectors use the API's syntax (`a=b,c in (d,e)`; fields: `metadata.name=x`). */
export interface Selection {
  /** One namespace; absent: all of them (or a cluster-scoped kind). */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/**
 * How fresh a read must be. Absent: linearizable. `notOlderThan: "0"`: whatever the server's cache
 * has. A list with a selector should name one (design.md 2.5: without it some servers read every
 * object).
 */
export interface Freshness {
  readonly notOlderThan?: string | undefined;
}

/** Options of `get`. */
export interface GetOptions extends CallOptions, Freshness {}

/** Options of `list`. */
export interface ListOptions extends CallOptions, Selection, Freshness {
  /** Objects per page; absent: all in one. */
  readonly limit?: number | undefined;
  /** `continuation` of the page before. */
  readonly continuation?: string | undefined;
}

/** A stored object that its resource's parser refuses: it exists, and nobody may act as if not. */
export interface BrokenObject {
  readonly key: ObjectKey;
  /** One sentence: path, value, what is allowed. */
  readonly problem: string;
}

/** One page of objects, in the byte order of `keyText`. */
export interface ObjectList<T extends StoredObject> {
  readonly items: readonly T[];
  readonly broken: readonly BrokenObject[];
  /** Of the whole list: every page of it reads the state at this version (or is `gone`). */
  readonly resourceVersion: string;
  /** Absent on the last page. */
  readonly continuation?: string | undefined;
}

/** Options of `listRows`. */
export interface RowOptions extends ListOptions {
  /** Names of those of the resource's columns that rows have; absent: all. */
  readonly columns?: readonly string[] | undefined;
}

/** The columns that rows have. */
export function rowColumns<T extends StoredObject>(
  { columns }: Resource<T>,
  options: RowOptions,
): Resource<T>["columns"] {
  return columns.filter(({ name }) => options.columns?.includes(name) ?? true);
}

/** One row of `listRows`. */
export interface ObjectRow {
  readonly key: ObjectKey;
  /** By the column's name; a column without a value is an empty string. */
  readonly cells: Readonly<Record<string, string>>;
}

/** Names and columns only: a seventh of the bytes of the objects. */
export interface ObjectRows {
  readonly rows: Iterable<ObjectRow>;
  readonly resourceVersion: string;
  readonly continuation?: string | undefined;
}

/** Options of `watch`. */
export interface WatchOptions extends Selection {
  readonly signal: AbortSignal;
  /**
   * Changes after this version. Absent: first an `added` for each object there is, then `synced`,
   * then changes.
   */
  readonly resourceVersion?: string | undefined;
  /**
   * Called when a server begins to answer, before the first change: it is there, however long it
   * has nothing to tell. A store without a server need not call it.
   */
  readonly onBegin?: (() => void) | undefined;
}

/**
 * What a watch delivers, in the order of the changes. An object that comes to match the selection
 * is `added`, one that stops matching is `deleted`: the event then carries the object as it was
 * last inside, with the resourceVersion of the change. `failed` is always the last event (`gone`:
 * list again; also for a reader that fell too far behind); a watch that the server ends in its
 * ordinary way (its time is up) ends without one and is resumed at the newest resourceVersion seen.
 */
export type WatchEvent<T extends StoredObject> =
  | { readonly type: "added" | "modified" | "deleted"; readonly object: T }
  | {
    readonly type: "broken";
    /** What happened to it: a broken object can come, change and go like any other. */
    readonly change: "added" | "modified" | "deleted";
    readonly object: BrokenObject;
    readonly resourceVersion: string;
  }
  | { readonly type: "synced"; readonly resourceVersion: string }
  | { readonly type: "bookmark"; readonly resourceVersion: string }
  | { readonly type: "failed"; readonly error: StoreError };

/** Options of `remove`. */
export interface RemoveOptions extends CallOptions {
  /** Both hold or nothing is deleted (`conflict`). */
  readonly preconditions?: {
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  } | undefined;
  /** Seconds a kubelet may take to end a pod; 0 ends it by force. Absent: the kind's own. */
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagation?: "Background" | "Foreground" | "Orphan" | undefined;
}

/**
 * Objects, with the semantics of the Kubernetes API. Every method resolves with a refusal rather
 * than throwing it; it rejects only with the signal's reason.
 */
export interface ObjectStore {
  get<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: GetOptions,
  ): Promise<StoreResult<T>>;

  list<T extends StoredObject>(
    resource: Resource<T>,
    options: ListOptions,
  ): Promise<StoreResult<ObjectList<T>>>;

  listRows<T extends StoredObject>(
    resource: Resource<T>,
    options: RowOptions,
  ): Promise<StoreResult<ObjectRows>>;

  /** Starts at the first `next()`. An aborted watch rejects that call with the signal's reason. */
  watch<T extends StoredObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;

  /**
   * Stores a new object: uid, generation and creationTimestamp are the store's, `status` is dropped
   * where it is a subresource. An object with a resourceVersion was read, not made: `invalid`.
   */
  create<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>>;

  /**
   * Compare-and-swap by `metadata.resourceVersion` (required: `invalid` without) and, where set,
   * `metadata.uid`. A write that changes nothing keeps the resourceVersion. An object that is being
   * deleted takes no new finalizer (`invalid`) and goes when its last one does.
   */
  replace<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>>;

  /**
   * As `replace`, for the status alone: spec, labels and annotations are left as stored. `invalid`
   * for a kind without the subresource.
   */
  replaceStatus<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>>;

  /** Deletes. `terminating`: finalizers (or a pod's grace period) keep it for now. */
  remove<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: RemoveOptions,
  ): Promise<StoreResult<"removed" | "terminating">>;

  /** The server's time by its newest reply, Unix milliseconds; `undefined` before the first. */
  serverTimeMs(): number | undefined;
}

/** The same kind, metadata only: about 1 kB an object whatever its spec holds. */
export function metadataOf<T extends StoredObject>(
  resource: Resource<T>,
  parse: (value: unknown) => Result<MetadataObject, string>,
): Resource<MetadataObject> {
  return { ...resource, columns: [], view: "metadata", parse };
}

/** `namespace/name`, or the name alone for a cluster-scoped object: for maps and messages. */
export function keyText(key: ObjectKey): string {
  return key.namespace === undefined ? key.name : `${key.namespace}/${key.name}`;
}

/** The key of an object. */
export function keyOf(object: StoredObject): ObjectKey {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

/** `group/version`, or the version alone for the core group: an object's `apiVersion`. */
export function apiVersionOf(
  { group, version }: { readonly group: string; readonly version: string },
): string {
  return group === "" ? version : `${group}/${version}`;
}
