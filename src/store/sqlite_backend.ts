import { DatabaseSync } from "node:sqlite";
import { assert } from "../base/assert.ts";
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import type { Backend, Change, ScanRange, State, WritableState } from "./backend.ts";
import { freezeDeep, isRawObject, type RawObject } from "./json_value.ts";
import { attempt, damaged, failureOf } from "./sqlite_file.ts";

type Row = Readonly<Record<string, unknown>>;

/**
 * Objects and history in an SQLite file. Every body runs in a transaction of its own, so any number
 * of processes may read and write one file: SQLite's lock lets one write at a time.
 */
export class SqliteBackend implements Backend {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements: Statements;

  /** @param database Opened and checked by `openDatabase`; it is closed with this backend. */
  constructor(database: DatabaseSync, { path }: { readonly path: string }) {
    this.#database = database;
    this.#path = path;
    this.#statements = attempt(path, () => prepareStatements(database));
  }

  read<T>(body: (state: State) => T): T {
    return this.#transact("begin", body);
  }

  write<T>(body: (state: WritableState) => T): T {
    return this.#transact("beginImmediate", body);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #transact<T>(begin: "begin" | "beginImmediate", body: (state: WritableState) => T): T {
    assert(!this.#database.isTransaction, "one body runs at a time");
    let committing = false;
    try {
      this.#statements[begin].run();
      const answer = body(new SqliteState(this.#statements, this.#path));
      committing = true;
      this.#statements.commit.run();
      return answer;
    } catch (error) {
      throw failureOf(error, { path: this.#path, committing }) ?? error;
    } finally {
      if (this.#database.isTransaction) this.#statements.rollback.run();
    }
  }
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync) {
  return {
    begin: database.prepare("BEGIN"),
    beginImmediate: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
    meta: database.prepare("SELECT revision, compacted FROM meta"),
    setRevision: database.prepare("UPDATE meta SET revision = ? WHERE revision = ?"),
    setCompacted: database.prepare("UPDATE meta SET compacted = ?"),
    get: database.prepare("SELECT object FROM objects WHERE kind = ? AND key = ?"),
    scan: database.prepare(
      "SELECT key, object FROM objects WHERE kind = ? AND key > ? AND key < ? ORDER BY key LIMIT ?",
    ),
    scanLabel: database.prepare(
      "SELECT key, object FROM labels JOIN objects USING (kind, key) " +
        "WHERE kind = ? AND label = ? AND value = ? AND key > ? AND key < ? ORDER BY key LIMIT ?",
    ),
    put: database.prepare(
      "INSERT INTO objects (kind, key, object) VALUES (?, ?, ?) " +
        "ON CONFLICT (kind, key) DO UPDATE SET object = excluded.object",
    ),
    drop: database.prepare("DELETE FROM objects WHERE kind = ? AND key = ?"),
    addLabel: database.prepare(
      "INSERT INTO labels (kind, label, value, key) VALUES (?, ?, ?, ?)",
    ),
    dropLabel: database.prepare(
      "DELETE FROM labels WHERE kind = ? AND label = ? AND value = ? AND key = ?",
    ),
    addChange: database.prepare("INSERT INTO changes VALUES (?, ?, ?, ?, ?)"),
    changes: database.prepare(
      "SELECT * FROM changes WHERE revision > ? ORDER BY revision LIMIT ?",
    ),
    changesOfKind: database.prepare(
      "SELECT * FROM changes WHERE kind = ? AND revision > ? ORDER BY revision LIMIT ?",
    ),
    forget: database.prepare("DELETE FROM changes WHERE revision <= ?"),
  };
}

/** One transaction's view. Rows are read in pages, so that no statement stays half read. */
class SqliteState implements WritableState {
  readonly #statements: Statements;
  readonly #path: string;
  #revision: number;
  #compacted: number;

  constructor(statements: Statements, path: string) {
    this.#statements = statements;
    this.#path = path;
    const meta: Row = statements.meta.get() ?? {};
    this.#revision = this.#number(meta, "revision");
    this.#compacted = this.#number(meta, "compacted");
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  get({ kind, key }: { readonly kind: string; readonly key: string }): RawObject | undefined {
    const row: Row | undefined = this.#statements.get.get(kind, key);
    return row === undefined ? undefined : this.#object(row["object"]);
  }

  *scan(kind: string, range: ScanRange): Generator<{ key: string; object: RawObject }, void> {
    const label = range.labels[0];
    const end = `${range.prefix}\u{10ffff}`; // Keys are ASCII: after all that have the prefix.
    let after = range.after > range.prefix ? range.after : range.prefix;
    for (;;) {
      const rows: Row[] = label === undefined
        ? this.#statements.scan.all(kind, after, end, LIST_PAGE_OBJECTS)
        : this.#statements.scanLabel
          .all(kind, label.key, label.value, after, end, LIST_PAGE_OBJECTS);
      for (const row of rows) {
        after = this.#text(row, "key");
        yield { key: after, object: this.#object(row["object"]) };
      }
      if (rows.length < LIST_PAGE_OBJECTS) return;
    }
  }

  *changes({ after, kind }: {
    readonly after: number;
    readonly kind?: string | undefined;
  }): Generator<Change, void> {
    assert(after >= this.#compacted, "forgotten changes are not asked for");
    let cursor = after;
    for (;;) {
      const rows: Row[] = kind === undefined
        ? this.#statements.changes.all(cursor, LIST_PAGE_OBJECTS)
        : this.#statements.changesOfKind.all(kind, cursor, LIST_PAGE_OBJECTS);
      for (const row of rows) {
        cursor = this.#number(row, "revision");
        yield {
          revision: cursor,
          kind: this.#text(row, "kind"),
          key: this.#text(row, "key"),
          object: row["object"] === null ? undefined : this.#object(row["object"]),
          previous: row["previous"] === null ? undefined : this.#object(row["previous"]),
        };
      }
      if (rows.length < LIST_PAGE_OBJECTS) return;
    }
  }

  commit({ revision, kind, key, object, previous }: Change): void {
    const moved = this.#statements.setRevision.run(revision, revision - 1);
    assert(moved.changes === 1, "revisions have no gaps");
    this.#revision = revision;
    const text = object === undefined ? null : JSON.stringify(object);
    if (text === null) this.#statements.drop.run(kind, key);
    else this.#statements.put.run(kind, key, text);
    this.#relabel({ kind, key, object, previous });
    const before = previous === undefined ? null : JSON.stringify(previous);
    this.#statements.addChange.run(revision, kind, key, text, before);
  }

  compact(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#statements.forget.run(revision);
    this.#statements.setCompacted.run(revision);
    this.#compacted = revision;
  }

  #relabel({ kind, key, object, previous }: Omit<Change, "revision">): void {
    const before = previous?.metadata.labels ?? {};
    const after = object?.metadata.labels ?? {};
    for (const [label, value] of Object.entries(before)) {
      if (after[label] !== value) this.#statements.dropLabel.run(kind, label, value, key);
    }
    for (const [label, value] of Object.entries(after)) {
      if (before[label] !== value) this.#statements.addLabel.run(kind, label, value, key);
    }
  }

  #object(text: unknown): RawObject {
    let object: unknown;
    try {
      object = typeof text === "string" ? JSON.parse(text) : undefined;
    } catch {
      object = undefined;
    }
    if (!isRawObject(object)) throw damaged(this.#path, { what: "an object in it cannot be read" });
    return freezeDeep(object);
  }

  #text(row: Row, column: string): string {
    const value = row[column];
    if (typeof value !== "string") {
      throw damaged(this.#path, { what: `column ${column} is no text` });
    }
    return value;
  }

  #number(row: Row, column: string): number {
    const value = row[column];
    if (!Number.isSafeInteger(value)) {
      throw damaged(this.#path, { what: `column ${column} is no number` });
    }
    return Number(value);
  }
}
