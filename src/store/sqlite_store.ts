import { STORE_CALL_MS, STORE_POLL_MS } from "../base/limits.ts";
import { StoreFailure } from "../base/object_store.ts";
import { ok } from "../base/result.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { EngineStore } from "./engine_store.ts";
import { waitForLock } from "./lock_wait.ts";
import { SqliteBackend } from "./sqlite_backend.ts";
import { openDatabase } from "./sqlite_file.ts";

/** Settings of an SQLite store. */
export interface SqliteStoreOptions extends EngineOptions {
  readonly path: string;
  /** Whether a file that is not there is made; true where absent. */
  readonly create?: boolean | undefined;
  readonly signal: AbortSignal;
}

/**
 * Opens a store in an SQLite file, the one of standalone mode. What it acknowledged is on the disk.
 *
 * Any number of processes on one machine may have it open: writes take turns, every read is of
 * one consistent state, and a watch sees what others write within `STORE_POLL_MS`. Calls block the
 * event loop for as long as the disk takes; a lock held by another process is waited for without
 * blocking, up to the call's timeout.
 *
 * @throws {StoreFailure} One sentence: the file cannot be opened, is locked, damaged, of a newer
 *   version or of another program, or the disk is full. Nothing in it was changed.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<EngineStore> {
  const { path, create = true, clock, signal } = options;
  const opened = await waitForLock(
    () => ok(new SqliteBackend(openDatabase(path, { create }), { path })),
    { clock, signal, timeoutMs: STORE_CALL_MS },
  );
  if (!opened.ok) throw new StoreFailure(opened.error);
  return new EngineStore(new Engine(opened.value, options), { clock, pollMs: STORE_POLL_MS });
}
