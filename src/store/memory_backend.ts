import { assert } from "../base/assert.ts";
import type { Backend, Change, ScanRange, State, WritableState } from "./backend.ts";
import type { RawObject } from "./json_value.ts";
import { SortedKeys } from "./sorted_keys.ts";

/**
 * A scan by label sorts its candidates for every page; above this part of a kind's objects, walking
 * all of them in order is cheaper.
 */
const INDEXED_PART_MAX = 1 / 8;

/** Objects and history in memory. Every label is indexed; other selections walk the kind. */
export class MemoryBackend implements Backend, WritableState {
  #kinds = new Map<string, KindTable>();
  /** Changes after `#compacted`: the one of revision r is at index r - #compacted - 1. */
  #log: Change[] = [];
  #compacted = 0;

  get revision(): number {
    return this.#compacted + this.#log.length;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  read<T>(body: (state: State) => T): T {
    return body(this);
  }

  write<T>(body: (state: WritableState) => T): T {
    return body(this);
  }

  get({ kind, key }: { readonly kind: string; readonly key: string }): RawObject | undefined {
    return this.#kinds.get(kind)?.objects.get(key);
  }

  *scan(kind: string, range: ScanRange): Generator<{ key: string; object: RawObject }, void> {
    const table = this.#kinds.get(kind);
    if (table === undefined) return;
    for (const key of table.keysIn(range)) {
      const object = table.objects.get(key);
      assert(object !== undefined, "an indexed key has an object");
      yield { key, object };
    }
  }

  *changes(
    { after, kind }: { readonly after: number; readonly kind?: string | undefined },
  ): Generator<
    Change,
    void
  > {
    assert(after >= this.#compacted, "forgotten changes are not asked for");
    for (let index = after - this.#compacted; index < this.#log.length; index++) {
      const change = this.#log[index];
      if (change !== undefined && (kind === undefined || change.kind === kind)) yield change;
    }
  }

  commit(change: Change): void {
    assert(change.revision === this.revision + 1, "revisions have no gaps");
    let table = this.#kinds.get(change.kind);
    if (table === undefined) this.#kinds.set(change.kind, table = new KindTable());
    table.put(change.key, change.object);
    this.#log.push(change);
  }

  compact(revision: number): void {
    assert(revision <= this.revision, "the future cannot be forgotten");
    if (revision <= this.#compacted) return;
    this.#log = this.#log.slice(revision - this.#compacted);
    this.#compacted = revision;
  }

  [Symbol.dispose](): void {
    this.#kinds.clear();
    this.#log = [];
  }
}

class KindTable {
  readonly objects = new Map<string, RawObject>();
  readonly #keys = new SortedKeys();
  /** By `label=value`; a label that one object alone has (a pod's hash) needs no set. */
  readonly #byLabel = new Map<string, string | Set<string>>();

  put(key: string, object: RawObject | undefined): void {
    const old = this.objects.get(key);
    for (const label of labelsOf(old)) this.#unlabel(label, key);
    for (const label of labelsOf(object)) this.#label(label, key);
    if (object === undefined) {
      this.objects.delete(key);
      this.#keys.delete(key);
    } else {
      this.objects.set(key, object);
      if (old === undefined) this.#keys.add(key);
    }
  }

  /** Keys of a range, in order: through the rarest label where that is cheaper than a walk. */
  *keysIn(range: ScanRange): Generator<string, void> {
    const rarest = this.#rarest(range);
    if (rarest !== undefined) {
      yield* rarest.filter((key) => key > range.after && key.startsWith(range.prefix)).sort();
      return;
    }
    const start = range.after > range.prefix ? range.after : range.prefix;
    for (const key of this.#keys.from(start)) {
      if (!key.startsWith(range.prefix)) return;
      if (key !== range.after) yield key;
    }
  }

  /** Keys of the rarest label, in no order; `undefined` where a walk is as good. */
  #rarest({ labels }: ScanRange): readonly string[] | undefined {
    let rarest: string | Set<string> | undefined;
    for (const { key, value } of labels) {
      const keys = this.#byLabel.get(`${key}=${value}`);
      if (keys === undefined) return [];
      if (rarest === undefined || sizeOf(keys) < sizeOf(rarest)) rarest = keys;
    }
    if (rarest === undefined) return undefined;
    if (sizeOf(rarest) > this.#keys.size * INDEXED_PART_MAX) return undefined;
    return typeof rarest === "string" ? [rarest] : [...rarest];
  }

  #label(label: string, key: string): void {
    const keys = this.#byLabel.get(label);
    if (keys === undefined) this.#byLabel.set(label, key);
    else if (typeof keys === "string") this.#byLabel.set(label, new Set([keys, key]));
    else keys.add(key);
  }

  #unlabel(label: string, key: string): void {
    const keys = this.#byLabel.get(label);
    if (keys === undefined || typeof keys === "string") {
      this.#byLabel.delete(label);
      return;
    }
    keys.delete(key);
    if (keys.size === 0) this.#byLabel.delete(label);
  }
}

function sizeOf(keys: string | Set<string>): number {
  return typeof keys === "string" ? 1 : keys.size;
}

/** Labels as `key=value`: a key holds no `=`, so the text is unambiguous. */
function labelsOf(object: RawObject | undefined): string[] {
  return Object.entries(object?.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
}
