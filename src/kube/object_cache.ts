/** Objects by key, with indexes that follow every change. */
import { assert } from "../base/assert.ts";
import type { BrokenObject, StoredObject } from "../base/object_store.ts";

/** What is kept of one key: an object, or one that its parser refused. */
export type Held<T extends StoredObject> =
  | { readonly object: T; readonly broken: undefined }
  | { readonly object: undefined; readonly broken: BrokenObject };

/** The values under which an object is found; few. */
export type IndexFunction<T extends StoredObject> = (object: T) => readonly string[];

/** One place of one index. */
export interface IndexEntry {
  /** Name of the index. */
  readonly index: string;
  readonly value: string;
}

interface Index<T extends StoredObject> {
  readonly valuesOf: IndexFunction<T>;
  /** Keys by value; a value without keys is not kept. */
  readonly keys: Map<string, Set<string>>;
}

/** A map with indexes. Invariant: an index equals one rebuilt from the objects. */
export class ObjectCache<T extends StoredObject> {
  readonly #held = new Map<string, Held<T>>();
  readonly #indexes = new Map<string, Index<T>>();
  #brokenCount = 0;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>>) {
    for (const [name, valuesOf] of Object.entries(indexes)) {
      this.#indexes.set(name, { valuesOf, keys: new Map() });
    }
  }

  /** Objects that are not broken. */
  get objectCount(): number {
    return this.#held.size - this.#brokenCount;
  }

  /** Objects that their parser refused. */
  get brokenCount(): number {
    return this.#brokenCount;
  }

  /** What is kept of a key. */
  get(key: string): Held<T> | undefined {
    return this.#held.get(key);
  }

  /** Sets what is kept of a key; `undefined` forgets it. */
  put(key: string, after: Held<T> | undefined): void {
    const before = this.#held.get(key);
    if (before?.broken !== undefined) this.#brokenCount--;
    if (after?.broken !== undefined) this.#brokenCount++;
    if (after === undefined) this.#held.delete(key);
    else this.#held.set(key, after);
    for (const index of this.#indexes.values()) {
      if (before?.object !== undefined) removeFrom(index, { key, object: before.object });
      if (after?.object !== undefined) addTo(index, { key, object: after.object });
    }
  }

  /** Every key, broken ones too. */
  keys(): IterableIterator<string> {
    return this.#held.keys();
  }

  /** Every key and what is kept of it. */
  entries(): IterableIterator<[string, Held<T>]> {
    return this.#held.entries();
  }

  /** Every object that is not broken. */
  *objects(): Generator<T> {
    for (const { object } of this.#held.values()) if (object !== undefined) yield object;
  }

  /** Every object that is broken. */
  *brokenObjects(): Generator<BrokenObject> {
    for (const { broken } of this.#held.values()) if (broken !== undefined) yield broken;
  }

  /** The objects that an index gives a value. */
  byIndex({ index: name, value }: IndexEntry): readonly T[] {
    const index = this.#indexes.get(name);
    assert(index !== undefined, "an index is named when the cache is made");
    const found: T[] = [];
    for (const key of index.keys.get(value) ?? []) {
      const object = this.#held.get(key)?.object;
      assert(object !== undefined, "an index knows only objects that are there");
      found.push(object);
    }
    return found;
  }
}

function addTo<T extends StoredObject>(
  { valuesOf, keys }: Index<T>,
  { key, object }: { readonly key: string; readonly object: T },
): void {
  for (const value of valuesOf(object)) {
    const set = keys.get(value);
    if (set === undefined) keys.set(value, new Set([key]));
    else set.add(key);
  }
}

function removeFrom<T extends StoredObject>(
  { valuesOf, keys }: Index<T>,
  { key, object }: { readonly key: string; readonly object: T },
): void {
  for (const value of valuesOf(object)) {
    const set = keys.get(value);
    if (set?.delete(key) === true && set.size === 0) keys.delete(value);
  }
}
