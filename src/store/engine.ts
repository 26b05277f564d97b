import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { WATCH_BACKLOG_EVENTS_MAX } from "../base/limits.ts";
import {
  type Freshness,
  keyOf,
  keyText,
  type ObjectKey,
  type Selection,
  type StoreError,
  StoreFailure,
  type StoreResult,
} from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err, ok } from "../base/result.ts";
import { type Backend, type Change, kindId, type State, type WritableState } from "./backend.ts";
import { decideWrite, type Decision, type WriteRequest } from "./decide.ts";
import { type Subscription, WatchHub } from "./hub.ts";
import { isRawObject, type RawObject } from "./json_value.ts";
import { getAt, listPage, type RawPage } from "./listing.ts";
import { type KindFacts, namespacePlaceProblem } from "./metadata_rules.ts";
import { shown } from "./names.ts";
import { type ParsedSelection, parseSelection } from "./selector.ts";

/** A write that the rules of the API allow, before it is stored. */
export interface AdmissionRequest {
  readonly operation: WriteRequest["operation"];
  readonly kind: KindFacts;
  readonly key: ObjectKey;
  /** What would be stored; `undefined` if the object would go. */
  readonly object: RawObject | undefined;
  /** What is stored; `undefined` for a creation. */
  readonly previous: RawObject | undefined;
  /** Any other object, in the same state. */
  read(kind: { readonly group: string; readonly plural: string }, key: ObjectKey):
    | RawObject
    | undefined;
}

/** An object that is to be removed, when the store asks how long it may take to end. */
export interface Removal {
  readonly kind: KindFacts;
  readonly object: RawObject;
  /** The request's `gracePeriodSeconds`. */
  readonly asked: number | undefined;
}

/** Settings of a store of this directory. */
export interface EngineOptions {
  readonly clock: Clock;
  /** Makes uids; a seed makes them repeatable. */
  readonly random: Random;
  /**
   * Refuses writes by content, as CEL rules, webhooks and authorisation do on a server: asked last,
   * also for writes that change nothing. It must not keep or change what it is given.
   */
  readonly admit?: ((request: AdmissionRequest) => StoreError | undefined) | undefined;
  /** Told of every change once it is stored, before the writer is: for checkers and simulators. */
  readonly onCommit?: ((change: Change) => void) | undefined;
  /**
   * Seconds that a removed object may take to end. Absent: 0 for all, as for every kind but pods
   * (`podGraceSeconds`).
   */
  readonly graceSeconds?:
    | ((removal: Removal) => number)
    | undefined;
  /** Changes kept for watches and paged lists, at least; up to a tenth more are. */
  readonly historyChangesMax?: number | undefined;
}

/** A read of the past, as of a cache that lags behind: what a simulated server answers with. */
export interface PastRead {
  /** Revision of the state to read, from `State.compactedRevision` on; absent: the newest. */
  readonly at?: number | undefined;
}

/** An event of a watch before its object is parsed. */
export interface RawChangeEvent {
  readonly type: "added" | "modified" | "deleted";
  readonly object: RawObject;
}

/** Some events of a watch. */
export interface RawChangeBatch {
  readonly events: readonly RawChangeEvent[];
  /** Everything up to this revision has been read. */
  readonly revision: number;
  /** Whether there are more to read now. */
  readonly more: boolean;
}

/**
 * The API's semantics over a backend, all of it synchronous: each call happens at one instant. The
 * asynchronous face is `EngineStore`; a simulator that wants to choose its instants calls this one.
 */
export class Engine implements Disposable {
  readonly #backend: Backend;
  readonly #options: EngineOptions;
  readonly #historyChangesMax: number;
  readonly #hub = new WatchHub();

  constructor(backend: Backend, options: EngineOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#historyChangesMax = options.historyChangesMax ?? WATCH_BACKLOG_EVENTS_MAX;
    assert(this.#historyChangesMax >= 1, "a store remembers at least its last change");
  }

  /** Revision of the newest change. */
  get revision(): number {
    return this.read((state) => state.revision);
  }

  /** Whether the store was closed: then watches end. */
  get closed(): boolean {
    return this.#hub.closed;
  }

  /** Runs a body on one consistent state. */
  read<T>(body: (state: State) => T): T {
    this.#refuseClosed();
    return this.#backend.read(body);
  }

  /** Reads one object, as it is or as it was. */
  get(
    kind: KindFacts,
    { key, at, ...freshness }: Freshness & PastRead & { readonly key: ObjectKey },
  ): StoreResult<RawObject> {
    const what = `${kind.kind} ${shown(keyText(key))}`;
    const place = namespacePlaceProblem(kind, key.namespace);
    if (place !== undefined) {
      return err({ code: "invalid", message: `Cannot get ${what}: ${place}` });
    }
    return this.read((state) => {
      const stale = freshnessProblem(state, freshness);
      if (stale !== undefined) return err(refused(stale, `Cannot get ${what}`));
      const revision = at ?? state.revision;
      assert(state.compactedRevision <= revision && revision <= state.revision, "a state is known");
      const object = getAt(state, { kind: kindId(kind), key: keyText(key), revision });
      if (object !== undefined) return ok(object);
      return err({ code: "not_found", message: `Cannot get ${what}: it does not exist` });
    });
  }

  /** Lists one page of the state there is, or there was. */
  list(
    kind: KindFacts,
    options: Selection & Freshness & PastRead & {
      readonly limit?: number | undefined;
      readonly continuation?: string | undefined;
    },
  ): StoreResult<RawPage> {
    const selection = readSelection(kind, options);
    if (!selection.ok) return selection;
    const { limit, continuation, at } = options;
    const { namespaced } = kind;
    return this.read((state) => {
      const stale = freshnessProblem(state, options);
      if (stale !== undefined) return err(refused(stale, `Cannot list ${kindId(kind)}`));
      const request = { kind: kindId(kind), namespaced, selection: selection.value };
      const page = listPage(state, { ...request, limit, continuation, at });
      return page.ok ? page : err(refused(page.error, `Cannot list ${kindId(kind)}`));
    });
  }

  /** Does one write, wholly or not at all. */
  write(request: WriteRequest): StoreResult<Decision> {
    const done = this.#change((state) => this.#decideAndStore(state, request));
    if (!done.ok) return done;
    const { decision, change } = done.value;
    if (change !== undefined) {
      this.#options.onCommit?.(change);
      this.announce();
    }
    return ok(decision);
  }

  /** Forgets the changes up to a revision, as etcd's compaction does. */
  compact(revision: number): void {
    this.#change((state) => {
      assert(revision <= state.revision, "the future cannot be forgotten");
      state.compact(revision);
    });
  }

  /** Opens the subscription of one watch. */
  subscribe(kind: KindFacts): Subscription {
    return this.read((state) => this.#hub.subscribe(kindId(kind), state));
  }

  /** Tells watches of changes that other processes made too. */
  announce(): void {
    this.read((state) => this.#hub.announce(state));
  }

  /** Revision up to which open watches were told. */
  get announcedRevision(): number {
    return this.#hub.seen;
  }

  /** Reads the next events of a watch, at most `limit`. */
  readChanges(
    kind: KindFacts,
    { after, selection, limit }: {
      readonly after: number;
      readonly selection: ParsedSelection;
      readonly limit: number;
    },
  ): StoreResult<RawChangeBatch> {
    return this.read((state) => {
      if (after < state.compactedRevision || after > state.revision) {
        return err({
          code: "gone",
          message: `Cannot watch ${kindId(kind)} from resourceVersion ${after}: changes from ` +
            `${state.compactedRevision} to ${state.revision} are known, list again`,
        });
      }
      const events: RawChangeEvent[] = [];
      for (const change of state.changes({ after, kind: kindId(kind) })) {
        const event = eventOf(change, selection);
        if (event !== undefined) events.push(event);
        if (events.length >= limit) return ok({ events, revision: change.revision, more: true });
      }
      return ok({ events, revision: state.revision, more: false });
    });
  }

  /** Ends watches in the ordinary way and closes the backend. */
  [Symbol.dispose](): void {
    if (this.closed) return;
    this.#hub.close();
    this.#backend[Symbol.dispose]();
  }

  #decideAndStore(
    state: WritableState,
    request: WriteRequest,
  ): StoreResult<{ readonly decision: Decision; readonly change: Change | undefined }> {
    const kind = kindId(request.kind);
    const key = keyOfRequest(request);
    const previous = state.get({ kind, key: keyText(key) });
    const revision = state.revision + 1;
    const { clock, random, graceSeconds } = this.#options;
    const decided = decideWrite(request, {
      current: previous,
      moment: {
        revision,
        nowMs: clock.nowMs(),
        newUid: () => newUid(random),
        graceSeconds: (object, asked) => graceSeconds?.({ kind: request.kind, object, asked }) ?? 0,
      },
    });
    if (!decided.ok) return decided;
    const decision = decided.value;
    const object = decision.effect === "delete" ? undefined : decision.object;
    const refusal = this.#options.admit?.({
      operation: request.operation,
      kind: request.kind,
      key,
      object,
      previous,
      read: (other, otherKey) => state.get({ kind: kindId(other), key: keyText(otherKey) }),
    });
    if (refusal !== undefined) return err(refusal);
    if (decision.effect === "nothing") return ok({ decision, change: undefined });
    const change = { revision, kind, key: keyText(key), object, previous };
    state.commit(change);
    this.#forgetOld(state);
    return ok({ decision, change });
  }

  #change<T>(body: (state: WritableState) => T): T {
    this.#refuseClosed();
    return this.#backend.write(body);
  }

  #refuseClosed(): void {
    if (!this.closed) return;
    const message = "Cannot use the store: it was closed";
    throw new StoreFailure({ code: "unavailable", message, outcomeUnknown: false });
  }

  /** A tenth of the history goes at a time: its cost per write is constant. */
  #forgetOld(state: WritableState): void {
    const kept = state.revision - state.compactedRevision;
    if (kept < this.#historyChangesMax * 1.1) return;
    state.compact(state.revision - this.#historyChangesMax);
  }
}

/** Reads the selection of a list or a watch. */
export function readSelection(
  kind: KindFacts,
  selection: Selection,
): StoreResult<ParsedSelection> {
  const parsed = parseSelection(selection);
  if (!parsed.ok) {
    return err({ code: "invalid", message: `Cannot select ${kindId(kind)}: ${parsed.error}` });
  }
  if (selection.namespace === undefined || kind.namespaced) return parsed;
  return err({
    code: "invalid",
    message: `Cannot select ${kindId(kind)} of namespace ${shown(selection.namespace)}: ` +
      `they are cluster-scoped, leave the namespace out`,
  });
}

/**
 * Reads a resourceVersion of a request.
 *
 * @returns `undefined` if it is none of a store of this directory.
 */
export function parseRevision(resourceVersion: string): number | undefined {
  return /^[0-9]{1,15}$/.test(resourceVersion) ? Number(resourceVersion) : undefined;
}

/** What a change is to a watch: a move over the edge of its selection comes or goes. */
function eventOf(change: Change, selection: ParsedSelection): RawChangeEvent | undefined {
  const before = change.previous !== undefined && selection.matches(change.previous);
  const after = change.object !== undefined && selection.matches(change.object);
  if (change.object !== undefined && after) {
    return { type: before ? "modified" : "added", object: change.object };
  }
  if (change.previous === undefined || !before) return undefined;
  const { metadata } = change.previous;
  const last = { ...metadata, resourceVersion: String(change.revision) };
  return {
    type: "deleted",
    object: Object.freeze({ ...change.previous, metadata: Object.freeze(last) }),
  };
}

function freshnessProblem(
  state: State,
  { notOlderThan }: Freshness,
): StoreError | undefined {
  if (notOlderThan === undefined) return undefined;
  const wanted = parseRevision(notOlderThan);
  if (wanted === undefined) {
    const message = `resourceVersion ${shown(notOlderThan)} is not one of this store`;
    return { code: "invalid", message };
  }
  if (wanted <= state.revision) return undefined;
  const message = `resourceVersion ${wanted} is newer than the newest change, ${state.revision}`;
  return { code: "timeout", message, outcomeUnknown: false };
}

function refused(error: StoreError, tried: string): StoreError {
  return { ...error, message: `${tried}: ${error.message}` };
}

function keyOfRequest(request: WriteRequest): ObjectKey {
  if ("key" in request) return request.key;
  // Nothing is stored under the empty name: an object without one is refused with its reason.
  return isRawObject(request.object) ? keyOf(request.object) : { name: "" };
}

/** A random uid (RFC 9562, version 4). */
function newUid(random: Random): string {
  const hex = Array.from({ length: 4 }, () => random.below(2 ** 32).toString(16).padStart(8, "0"))
    .join("");
  const variant = (8 + random.below(4)).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-` +
    `${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
