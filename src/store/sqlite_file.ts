/** Opening the file of an SQLite store, and what can be wrong with one, in one sentence each. */
import { DatabaseSync } from "node:sqlite";
import { assert } from "../base/assert.ts";
import { type StoreError, StoreFailure } from "../base/object_store.ts";
import { isRecord } from "./json_value.ts";

/** Schema that this program reads and writes. */
export const SCHEMA_VERSION = 1;
/** `application_id` of our files, "SPDR": tells them from the databases of other programs. */
const APPLICATION_ID = 0x53504452;
/**
 * Milliseconds that SQLite itself waits for a lock, with the event loop stopped: enough for another
 * process's write. Longer waits are the caller's, with the event loop running.
 */
const LOCK_WAIT_MS = 5;
/** Milliseconds before the first new try of a call that found the file locked. */
const LOCK_RETRY_MS = 10;
/** Bytes that the write-ahead log keeps on disk once it has been copied into the file. */
const LOG_BYTES_KEPT_MAX = 16 * 1_024 * 1_024;

const SCHEMA = `
  CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL CHECK (compacted BETWEEN 0 AND revision)
  ) STRICT;
  INSERT INTO meta VALUES (1, 0, 0);
  CREATE TABLE objects (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    object TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT;
  CREATE TABLE labels (
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    value TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (kind, label, value, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    object TEXT,
    previous TEXT
  ) STRICT;
  CREATE INDEX changes_by_kind ON changes (kind, revision);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the file, makes it if it is not there (readable by its owner only), and checks it.
 *
 * Commits are durable when they return: the write-ahead log is synced at each commit
 * (`synchronous=FULL`), so that neither kill -9 nor a power failure takes an acknowledged write.
 *
 * @param options.create Whether a file that is not there is made.
 * @throws {StoreFailure} One sentence: of a newer version or of another program (`invalid`);
 *   damaged, not to be opened, on a full disk (`unavailable`); locked (`throttled`).
 */
export function openDatabase(
  path: string,
  { create }: { readonly create: boolean },
): DatabaseSync {
  touch(path, { create });
  const database = attempt(path, () => new DatabaseSync(path, { timeout: LOCK_WAIT_MS }));
  try {
    attempt(path, () => prepareDatabase(database, path));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function touch(path: string, { create }: { readonly create: boolean }): void {
  try {
    Deno.openSync(path, { read: true, write: true, create, mode: 0o600 }).close();
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/: open '.*'$/, "") : "";
    const hint = error instanceof Deno.errors.NotFound
      ? create ? "make its directory first" : "name a store file that exists"
      : "give this program the right to read and write it";
    throw new StoreFailure({
      code: "unavailable",
      message: `Cannot open store file "${path}": ${reason}; ${hint}`,
      outcomeUnknown: false,
    }, { cause: error });
  }
}

function prepareDatabase(database: DatabaseSync, path: string): void {
  const known = pragma(database, "application_id") === APPLICATION_ID;
  if (!known && database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() !== undefined) {
    throw wrongFile(path, "it is a database of another program: name another file");
  }
  refuseNewer(database, path);
  const mode = database.prepare("PRAGMA journal_mode = WAL").get();
  if (mode?.["journal_mode"] !== "wal") {
    throw wrongFile(path, "its file system has no shared memory: put it on a local disk");
  }
  database.prepare("PRAGMA synchronous = FULL").run();
  database.prepare(`PRAGMA journal_size_limit = ${LOG_BYTES_KEPT_MAX}`).get();
  if (!known) makeSchema(database);
  refuseNewer(database, path); // Another process may have made the schema meanwhile.
  const health = database.prepare("PRAGMA quick_check(1)").get();
  if (health?.["quick_check"] !== "ok") {
    throw damaged(path, { what: String(health?.["quick_check"]).replaceAll(/\s+/g, " ") });
  }
}

function refuseNewer(database: DatabaseSync, path: string): void {
  const version = pragma(database, "user_version");
  if (version <= SCHEMA_VERSION) return;
  const reason = `it was written by a newer version of this program (schema ${version}, this one ` +
    `knows up to ${SCHEMA_VERSION}): use that version`;
  throw wrongFile(path, reason);
}

function makeSchema(database: DatabaseSync): void {
  database.prepare("BEGIN IMMEDIATE").run();
  try {
    // Another process may have been first; the lock makes this answer final.
    if (pragma(database, "application_id") !== APPLICATION_ID) database.exec(SCHEMA);
    database.prepare("COMMIT").run();
  } finally {
    if (database.isTransaction) database.prepare("ROLLBACK").run();
  }
}

function pragma(database: DatabaseSync, name: string): number {
  const value = database.prepare(`PRAGMA ${name}`).get()?.[name];
  assert(typeof value === "number", "the pragma is a number");
  return value;
}

/** Runs SQLite and says what went wrong in terms of the store. */
export function attempt<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw failureOf(error, { path, committing: false }) ?? error;
  }
}

/**
 * What an error of SQLite means for a store.
 *
 * @param options.committing Whether the commit itself failed: it may still come to life.
 * @returns `undefined` for an error that is not SQLite's.
 */
export function failureOf(
  error: unknown,
  { path, committing }: { readonly path: string; readonly committing: boolean },
): StoreFailure | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_SQLITE_ERROR") {
    return undefined;
  }
  return new StoreFailure(errorOf(error, { path, committing }), { cause: error });
}

function errorOf(
  error: Error,
  { path, committing }: { readonly path: string; readonly committing: boolean },
): StoreError {
  const file = `store file "${path}"`;
  const primaryCode = isRecord(error) && typeof error["errcode"] === "number"
    ? error["errcode"] & 0xff
    : undefined;
  switch (primaryCode) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return {
        code: "throttled",
        message: `Cannot use ${file}: another process has kept it locked`,
        retryAfterMs: LOCK_RETRY_MS,
      };
    case 13: // SQLITE_FULL: the log holds no commit record, so the next open drops the rest.
      return {
        code: "unavailable",
        message: `Cannot write to ${file}: the disk is full, free some space; nothing was changed`,
        outcomeUnknown: false,
      };
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return damaged(path, { what: error.message, committing }).error;
    default:
      return {
        code: "unavailable",
        message: `Cannot use ${file}: ${error.message}`,
        outcomeUnknown: committing,
      };
  }
}

/** The refusal of a file whose content cannot be trusted. */
export function damaged(
  path: string,
  { what, committing = false }: { readonly what: string; readonly committing?: boolean },
): StoreFailure {
  const reason = `it is damaged or no store (${what}): put a copy of it back, or move it away to ` +
    `start with an empty one`;
  const message = `Cannot use store file "${path}": ${reason}`;
  return new StoreFailure({ code: "unavailable", message, outcomeUnknown: committing });
}

function wrongFile(path: string, reason: string): StoreFailure {
  return new StoreFailure({
    code: "invalid",
    message: `Cannot use store file "${path}": ${reason}`,
  });
}
