/** What one reader of an informer has not seen yet: the changes of one key wait as one. */
import type { BrokenObject, StoredObject } from "../base/object_store.ts";
import type { Held } from "./object_cache.ts";

/**
 * What an informer tells. Deleting and creating again under one name is told as both. `broken` says
 * what happened to an object that its parser refuses; `previous` is its last good state, if the
 * reader saw one. An object that is mended is `added`.
 */
export type InformerEvent<T extends StoredObject> =
  | { readonly type: "added" | "deleted"; readonly object: T }
  | { readonly type: "modified"; readonly object: T; readonly previous: T }
  | {
    readonly type: "broken";
    readonly change: "added" | "modified" | "deleted";
    readonly object: BrokenObject;
    readonly previous: T | undefined;
  }
  | { readonly type: "synced" };

interface Pending<T extends StoredObject> {
  /** What the reader saw last. */
  readonly before: Held<T> | undefined;
  readonly after: Held<T> | undefined;
}

const SYNCED = Symbol("synced");

/** Changes in the order in which their keys first changed. Bound: the keys the reader knows. */
export class Subscription<T extends StoredObject> {
  readonly #pending = new Map<string | typeof SYNCED, Pending<T>>();
  #wake: (() => void) | undefined;

  /** Changes that wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Adds a change; it joins one of the same key that still waits. */
  note(key: string, { before, after }: Pending<T>): void {
    const waiting = this.#pending.get(key);
    const seen = waiting === undefined ? before : waiting.before;
    if (seen === undefined && after === undefined) this.#pending.delete(key); // Came and went.
    else this.#pending.set(key, { before: seen, after });
    this.#wake?.();
  }

  /** Adds `synced` behind everything that waits. */
  noteSynced(): void {
    this.#pending.set(SYNCED, { before: undefined, after: undefined });
    this.#wake?.();
  }

  /**
   * Takes the change that waits longest, as one or two events.
   *
   * @throws The signal's reason, if it aborts first.
   */
  async take({ signal }: { readonly signal: AbortSignal }): Promise<readonly InformerEvent<T>[]> {
    for (;;) {
      signal.throwIfAborted();
      for (const [key, { before, after }] of this.#pending) {
        this.#pending.delete(key);
        return key === SYNCED ? [{ type: "synced" }] : eventsOf(before, after);
      }
      await this.#nextNote(signal);
    }
  }

  /** Resolves at the next note, or when the signal aborts. */
  #nextNote(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}

function eventsOf<T extends StoredObject>(
  before: Held<T> | undefined,
  after: Held<T> | undefined,
): readonly InformerEvent<T>[] {
  if (after?.broken !== undefined) {
    const change = before === undefined ? "added" : "modified";
    return [{ type: "broken", change, object: after.broken, previous: before?.object }];
  }
  if (after === undefined) {
    if (before === undefined) return [];
    if (before.broken === undefined) return [{ type: "deleted", object: before.object }];
    return [{ type: "broken", change: "deleted", object: before.broken, previous: undefined }];
  }
  const { object } = after;
  const previous = before?.object;
  if (previous === undefined) return [{ type: "added", object }];
  if (previous.metadata.uid === object.metadata.uid) {
    return [{ type: "modified", object, previous }];
  }
  return [{ type: "deleted", object: previous }, { type: "added", object }];
}
