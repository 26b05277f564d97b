/** Pages of a list at one revision, now or in the past. Pure over a `State`. */
import type { StoreError } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { State } from "./backend.ts";
import { isRecord, type RawObject } from "./json_value.ts";
import type { ParsedSelection } from "./selector.ts";

/** Objects of one page. */
export interface RawPage {
  readonly objects: readonly RawObject[];
  /** Of the whole list. */
  readonly revision: number;
  /** Absent on the last page. */
  readonly continuation: string | undefined;
}

/** What is listed. */
export interface ListRequest {
  /** `kindId` of the kind. */
  readonly kind: string;
  readonly namespaced: boolean;
  readonly selection: ParsedSelection;
  /** Objects per page; `undefined` or 0: all. */
  readonly limit: number | undefined;
  /** As a page before handed it out. */
  readonly continuation: string | undefined;
  /** Revision of the state that a first page reads; `undefined`: the newest. */
  readonly at: number | undefined;
}

/**
 * Reads one page. A page after the first reads the state that the first one read.
 *
 * @outcome `invalid` The limit or the continuation cannot be read; `message` is the reason alone.
 * @outcome `gone` The state that the first page read has been forgotten.
 */
export function listPage(state: State, request: ListRequest): Result<RawPage, StoreError> {
  const { kind, selection, limit = 0, continuation, at = state.revision } = request;
  if (!Number.isSafeInteger(limit) || limit < 0) {
    return refuse("invalid", `limit ${limit} is not a whole number from 0`);
  }
  const start = continuation === undefined
    ? { revision: at, after: "" }
    : parseContinuation(kind, continuation);
  if (start === undefined || start.revision > state.revision) {
    return refuse("invalid", "the continuation is not one that this list handed out");
  }
  if (start.revision < state.compactedRevision) {
    return refuse("gone", "that state is too old: list again from the start");
  }
  const objects: RawObject[] = [];
  let last = "";
  for (const { key, object } of objectsAt(state, { ...request, ...start })) {
    if (!selection.matches(object)) continue;
    if (limit > 0 && objects.length === limit) {
      const next = continuationText(kind, { revision: start.revision, after: last });
      return ok({ objects, revision: start.revision, continuation: next });
    }
    objects.push(object);
    last = key;
  }
  return ok({ objects, revision: start.revision, continuation: undefined });
}

interface KeyedObject {
  readonly key: string;
  readonly object: RawObject;
}

/** Candidates of a selection as they were at a revision, in order of their keys. */
function* objectsAt(
  state: State,
  { kind, namespaced, selection, revision, after }: ListRequest & {
    readonly revision: number;
    readonly after: string;
  },
): Generator<KeyedObject, void> {
  const prefix = selection.namespace === undefined ? "" : `${selection.namespace}/`;
  const only = namespaced && prefix === "" || selection.name === undefined
    ? undefined
    : `${prefix}${selection.name}`;
  const now = only === undefined
    ? state.scan(kind, { prefix, after, labels: selection.labels })
    : exactly(state, { kind, key: only, after });
  if (revision === state.revision) return yield* now;
  const then = changedSince(state, { kind, revision });
  const old = [...then].filter(([key]) => key.startsWith(prefix) && key > after)
    .flatMap(([key, object]) => object === undefined ? [] : [{ key, object }])
    .sort((one, other) => one.key < other.key ? -1 : 1);
  yield* merged(old, unchanged(now, then));
}

function* exactly(
  state: State,
  { kind, key, after }: { readonly kind: string; readonly key: string; readonly after: string },
): Generator<KeyedObject, void> {
  const object = key > after ? state.get({ kind, key }) : undefined;
  if (object !== undefined) yield { key, object };
}

/** Reads one object as it was at a revision that is not older than `compactedRevision`. */
export function getAt(
  state: State,
  { kind, key, revision }: {
    readonly kind: string;
    readonly key: string;
    readonly revision: number;
  },
): RawObject | undefined {
  for (const change of state.changes({ after: revision, kind })) {
    if (change.key === key) return change.previous;
  }
  return state.get({ kind, key });
}

/** What the objects that changed after a revision were at it; `undefined`: not there yet. */
function changedSince(
  state: State,
  { kind, revision }: { readonly kind: string; readonly revision: number },
): ReadonlyMap<string, RawObject | undefined> {
  const then = new Map<string, RawObject | undefined>();
  for (const { key, previous } of state.changes({ after: revision, kind })) {
    if (!then.has(key)) then.set(key, previous); // The first change tells what was before.
  }
  return then;
}

function* unchanged(
  now: Iterable<KeyedObject>,
  changed: ReadonlyMap<string, unknown>,
): Generator<KeyedObject, void> {
  for (const keyed of now) if (!changed.has(keyed.key)) yield keyed;
}

function* merged(
  old: readonly KeyedObject[],
  now: Iterable<KeyedObject>,
): Generator<KeyedObject, void> {
  let rest = old;
  for (const keyed of now) {
    const earlier = rest.findIndex(({ key }) => key > keyed.key);
    const count = earlier < 0 ? rest.length : earlier;
    yield* rest.slice(0, count);
    if (count > 0) rest = rest.slice(count);
    yield keyed;
  }
  yield* rest;
}

/** Where the next page of a list begins; opaque to callers. */
function continuationText(
  kind: string,
  { revision, after }: { readonly revision: number; readonly after: string },
): string {
  return btoa(JSON.stringify({ kind, revision, after })); // Keys are ASCII: names are.
}

function parseContinuation(
  kind: string,
  text: string,
): { readonly revision: number; readonly after: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(atob(text));
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value["kind"] !== kind) return undefined;
  const { revision, after } = value;
  if (!Number.isSafeInteger(revision) || typeof after !== "string") return undefined;
  return { revision: Number(revision), after };
}

function refuse(code: "invalid" | "gone", reason: string): Result<never, StoreError> {
  return err({ code, message: reason });
}
