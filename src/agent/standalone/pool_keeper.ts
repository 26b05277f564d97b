/** Keeps the database's pools as the files have them. */
import { isDeepStrictEqual } from "node:util";
import { ANNOTATION_NOT_USABLE } from "../../api/annotations.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { LABEL_IP_POOL, labelValue } from "../../api/labels.ts";
import { SPIDER_RESERVED_IPS, type SpiderReservedIp } from "../../api/reserved_ip.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { writeRefusal } from "../../api/write_rules.ts";
import type { Clock } from "../../base/clock.ts";
import { CONFIG_FILE_BYTES_MAX, POOL_FILES_MAX } from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import {
  keyOf,
  type ObjectStore,
  type Resource,
  type StoredObject,
  type StoreError,
  StoreFailure,
  type StoreResult,
} from "../../base/object_store.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { markedPool } from "../../ipam/adoption.ts";
import { type PoolFile, readPoolFiles, type Written, type WrittenPools } from "./pool_documents.ts";
import type { StandalonePorts } from "./ports.ts";

/** Milliseconds between two looks at the files. */
export const POOL_LOOK_MS = 5_000;
/** Milliseconds that a pool which left the files is closed before it goes: longer than an ADD. */
const LEAVING_MS = 90_000;
/** Times that the database is read again because another agent changed it. */
const TRIES_MAX = 8;
/** Why a pool that left the files gives nothing out; people read it in refusals. */
const LEFT_REASON = "it is in no pool file any more";

/** What a keeper needs. */
export interface PoolKeeperOptions extends Pick<StandalonePorts, "listFolder" | "onReload"> {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly readText: (path: string) => Promise<string>;
  /** A file, or a folder whose files in YAML count. */
  readonly path: string;
}

/** Thrown where others change the same object; the pass begins again. */
class Raced extends Error {
  override readonly name = "Raced";
}

/** Brings the files' pools into the database, and again when the files change. */
export class PoolKeeper {
  readonly #options: PoolKeeperOptions;
  /** Files as they were last looked at, and what was wrong with them. */
  #seen: { readonly files: readonly PoolFile[]; readonly problem?: string } | undefined;
  /** Since when (monotonic milliseconds) pools have been closed. */
  readonly #leavingMs = new Map<string, number>();

  constructor(options: PoolKeeperOptions) {
    this.#options = options;
  }

  /**
   * Brings what the files say now into the database: all of it, or nothing where a file is wrong.
   *
   * @returns One sentence with file and line, or of the database.
   */
  async apply({ signal }: { readonly signal: AbortSignal }): Promise<Result<void, string>> {
    const files = await this.#read();
    if (!files.ok) return files;
    return await this.#applyFiles(files.value, { signal });
  }

  /** Looks again and again. A file that is wrong is said once, and leaves the pools as they are. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    const { clock, log, onReload } = this.#options;
    let wake = new AbortController();
    using _reload = onReload(() => wake.abort());
    for (;; wake = new AbortController()) {
      const either = AbortSignal.any([signal, wake.signal]);
      await clock.sleep(POOL_LOOK_MS, { signal: either }).catch(() => {});
      signal.throwIfAborted();
      const files = await this.#read();
      const isSame = files.ok && isDeepStrictEqual(files.value, this.#seen?.files);
      if (isSame && !wake.signal.aborted && this.#leavingMs.size === 0) continue;
      const before = this.#seen?.problem;
      const applied = files.ok ? await this.#applyFiles(files.value, { signal }) : files;
      if (!applied.ok) {
        if (applied.error !== before || wake.signal.aborted) {
          log.error("pool files not used: pools stay as they are", { problem: applied.error });
        }
        this.#seen = { files: files.ok ? files.value : [], problem: applied.error };
      } else if (!isSame || wake.signal.aborted) log.info("pool files read");
    }
  }

  async #applyFiles(
    files: readonly PoolFile[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, string>> {
    const written = readPoolFiles(files);
    if (!written.ok) return written;
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      try {
        const done = await this.#store(written.value, { signal });
        if (done.ok) this.#seen = { files };
        return done;
      } catch (error) {
        if (error instanceof StoreFailure) return err(error.message);
        if (!(error instanceof Raced)) throw error;
      }
    }
    return err(
      "Cannot store the pools: another agent changes them without end: give it the same --pools",
    );
  }

  async #read(): Promise<Result<readonly PoolFile[], string>> {
    const { path, listFolder, readText } = this.#options;
    try {
      const names = await listFolder(path);
      const paths = names === undefined ? [path] : names.filter(isYaml).toSorted()
        .map((name) => `${path.replace(/\/+$/, "")}/${name}`);
      if (paths.length > POOL_FILES_MAX) {
        return err(
          `Cannot use pools of "${path}": it has ${paths.length} files: at most ` +
            `${POOL_FILES_MAX} are read; put several pools into one`,
        );
      }
      const files: PoolFile[] = [];
      for (const one of paths) {
        const text = await readText(one);
        if (text.length > CONFIG_FILE_BYTES_MAX) {
          return err(
            `Cannot use pools of "${one}": it has ${text.length} characters: write at ` +
              `most ${CONFIG_FILE_BYTES_MAX}, the rest into another file`,
          );
        }
        files.push({ path: one, text });
      }
      return ok(files);
    } catch (error) {
      return err(`Cannot read pools of "${path}": ${errorText(error)}`);
    }
  }

  /** Checks all that is to be written before anything is. */
  async #store(
    { pools, reserved }: WrittenPools,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, string>> {
    const storedPools = await this.#list(SPIDER_IP_POOLS, { signal });
    const storedReserved = await this.#list(SPIDER_RESERVED_IPS, { signal });
    const problem = refusalOf(SPIDER_IP_POOLS, { written: pools, stored: storedPools }) ??
      refusalOf(SPIDER_RESERVED_IPS, { written: reserved, stored: storedReserved });
    if (problem !== undefined) return err(problem);
    for (const { object } of pools.values()) {
      const previous = storedPools.get(object.metadata.name);
      await this.#mark(await this.#put(SPIDER_IP_POOLS, { object, previous, signal }), { signal });
      this.#leavingMs.delete(object.metadata.name);
    }
    for (const { object } of reserved.values()) {
      const previous = storedReserved.get(object.metadata.name);
      await this.#put(SPIDER_RESERVED_IPS, { object, previous, signal });
    }
    for (const [name, pool] of storedPools) {
      if (!pools.has(name)) await this.#leave(pool, { signal });
    }
    for (const [name, object] of storedReserved) {
      if (!reserved.has(name)) await this.#remove(SPIDER_RESERVED_IPS, { object, signal });
    }
    return ok(undefined);
  }

  async #list<T extends StoredObject>(
    resource: Resource<T>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<string, T>> {
    const { items } = sure(await this.#options.store.list(resource, { signal }));
    return new Map(items.map((object) => [object.metadata.name, object]));
  }

  async #put<T extends StoredObject>(
    resource: Resource<T>,
    { object, previous, signal }: {
      readonly object: T;
      readonly previous: T | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<T> {
    const { store, log } = this.#options;
    const fields = { kind: resource.kind, object: object.metadata.name };
    if (previous === undefined) {
      const made = sure(await store.create(resource, object, { signal }));
      log.info("object of a file created", fields);
      return made;
    }
    if (saysTheSame(object, previous)) return previous;
    const { uid, resourceVersion } = previous.metadata;
    const next = { ...object, metadata: { ...object.metadata, uid, resourceVersion } };
    const replaced = sure(await store.replace(resource, next, { signal }));
    log.info("object of a file changed", fields);
    return replaced;
  }

  /** A pool of a file has no records of another program's: its addresses are SpiderIPs at once. */
  async #mark(pool: SpiderIpPool, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (pool.status?.truth !== undefined) return;
    sure(await this.#options.store.replaceStatus(SPIDER_IP_POOLS, markedPool(pool), { signal }));
  }

  /** Closes a pool that left the files; when nothing of it is in use for long enough, it goes. */
  async #leave(pool: SpiderIpPool, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { store, clock, log } = this.#options;
    const { name, annotations } = pool.metadata;
    if (annotations?.[ANNOTATION_NOT_USABLE] !== LEFT_REASON) {
      const closed = { ...annotations, [ANNOTATION_NOT_USABLE]: LEFT_REASON };
      const metadata = { ...pool.metadata, annotations: closed };
      sure(await store.replace(SPIDER_IP_POOLS, { ...pool, metadata }, { signal }));
      log.info("pool left the files: it is closed, and goes when none of it is in use", {
        pool: name,
      });
    }
    const nowMs = clock.monotonicMs();
    const sinceMs = this.#leavingMs.get(name) ?? nowMs;
    this.#leavingMs.set(name, sinceMs);
    if (nowMs - sinceMs < LEAVING_MS) return;
    const labelSelector = `${LABEL_IP_POOL}=${labelValue(name)}`;
    const used = sure(await store.list(SPIDER_IPS, { labelSelector, limit: 1, signal }));
    if (used.items.length + used.broken.length > 0) return;
    await this.#remove(SPIDER_IP_POOLS, { object: pool, signal });
    this.#leavingMs.delete(name);
    log.info("pool removed", { pool: name });
  }

  async #remove<T extends StoredObject>(
    resource: Resource<T>,
    { object, signal }: { readonly object: T; readonly signal: AbortSignal },
  ): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const preconditions = { uid, resourceVersion };
    const { store } = this.#options;
    sure(await store.remove(resource, keyOf(object), { preconditions, signal }));
  }
}

function isYaml(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}

/** What a rule says against changing a stored object into the written one. */
function refusalOf<T extends SpiderIpPool | SpiderReservedIp>(
  kind: Resource<T>,
  { written, stored }: {
    readonly written: ReadonlyMap<string, Written<T>>;
    readonly stored: ReadonlyMap<string, T>;
  },
): string | undefined {
  for (const [name, { object, refuse }] of written) {
    const previous = stored.get(name);
    const problem = previous &&
      writeRefusal({ kind, object, previous: { ...previous, status: {} } });
    if (problem !== undefined) return refuse(problem);
  }
  return undefined;
}

function saysTheSame(one: StoredObject, other: StoredObject): boolean {
  return isDeepStrictEqual(wishOf(one), wishOf(other));
}

function wishOf(object: StoredObject): unknown {
  const { labels = {}, annotations = {} } = object.metadata;
  const wish: unknown = JSON.parse(
    JSON.stringify({ ...object, metadata: { labels, annotations } }),
  );
  return Object.assign(Object(wish), { status: undefined });
}

/** @throws {Raced} If another agent was faster. @throws {StoreFailure} */
function sure<T>(result: StoreResult<T>): T {
  if (result.ok) return result.value;
  throw isRace(result.error) ? new Raced(result.error.message) : new StoreFailure(result.error);
}

function isRace({ code }: StoreError): boolean {
  return code === "conflict" || code === "already_exists" || code === "not_found";
}
