/** What keeps objects and their history; the rules of the API are above it, in `engine.ts`. */
import type { RawObject } from "./json_value.ts";

/** One change of one object. Every change has its own revision, and there are no gaps. */
export interface Change {
  readonly revision: number;
  /** `kindId` of the object's kind. */
  readonly kind: string;
  /** `keyText` of the object. */
  readonly key: string;
  /** After the change; `undefined` for a deletion. */
  readonly object: RawObject | undefined;
  /** Before the change; `undefined` for a creation. */
  readonly previous: RawObject | undefined;
}

/** Which objects a scan is about. It may yield more than asked for by `labels`, never less. */
export interface ScanRange {
  /** Keys begin with this text (`namespace/`); empty: all. */
  readonly prefix: string;
  /** Keys come after this one; empty: from the first. */
  readonly after: string;
  /** Labels that every wanted object has. */
  readonly labels: readonly { readonly key: string; readonly value: string }[];
}

/** One consistent state, readable while the body that was given it runs. */
export interface State {
  /** Revision of the newest change; 0 before the first. */
  readonly revision: number;
  /** Changes up to and including this one are forgotten. */
  readonly compactedRevision: number;
  get(place: { readonly kind: string; readonly key: string }): RawObject | undefined;
  /** Objects in the order of their keys. */
  scan(
    kind: string,
    range: ScanRange,
  ): Iterable<{ readonly key: string; readonly object: RawObject }>;
  /** Changes after a revision that is not older than `compactedRevision`, in order. */
  changes(options: {
    readonly after: number;
    /** Only of this kind. */
    readonly kind?: string | undefined;
  }): Iterable<Change>;
}

/** A state that can be written. What was written is stored when the body has returned. */
export interface WritableState extends State {
  /** Stores a change; its revision is the next one. At most one per body. */
  commit(change: Change): void;
  /** Forgets changes up to and including a revision. */
  compact(revision: number): void;
}

/** Storage. Bodies run at once and to their end; a body that throws leaves everything as it was. */
export interface Backend extends Disposable {
  /** @throws {StoreFailure} If the storage does not answer. */
  read<T>(body: (state: State) => T): T;
  /** @throws {StoreFailure} If the storage does not take the write. */
  write<T>(body: (state: WritableState) => T): T;
}

/** Names a kind across groups: `things.contract.spidernet.io`, or `pods` for the core group. */
export function kindId(
  { group, plural }: { readonly group: string; readonly plural: string },
): string {
  return group === "" ? plural : `${plural}.${group}`;
}
