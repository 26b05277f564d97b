/** A watch of the API server as events of the port. */
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import type {
  ListOptions,
  ObjectList,
  Resource,
  StoredObject,
  StoreError,
  StoreResult,
  WatchEvent,
  WatchOptions,
} from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err } from "../base/result.ts";
import { asNumber, asRecord, isRecord, type JsonRecord } from "./json_value.ts";
import { readLines } from "./json_lines.ts";
import { collectionPath, queryOf, saySelection, selectorsOf } from "./paths.ts";
import { storeErrorOf } from "./status.ts";
import type { Transport } from "./transport.ts";
import { acceptOf, readObject, versionOfRaw } from "./wire_object.ts";

/** Seconds until the server ends a watch in its ordinary way: between one and two times this. */
const WATCH_SECONDS_MIN = 300;

/** What a watch is made from. */
export interface WatchSources<T extends StoredObject> extends WatchOptions {
  readonly transport: Transport;
  readonly random: Random;
  /** Lists the objects that a watch without a resourceVersion begins with. */
  readonly list: (page: ListOptions) => Promise<StoreResult<ObjectList<T>>>;
}

/**
 * Watches. A list in pages stands for the server's own initial events, which need a newer etcd than
 * many clusters have (`sendInitialEvents` needs progress requests, etcd 3.4.25).
 */
export async function* watchEvents<T extends StoredObject>(
  resource: Resource<T>,
  sources: WatchSources<T>,
): AsyncGenerator<WatchEvent<T>> {
  sources.signal.throwIfAborted();
  let from = sources.resourceVersion;
  if (from === undefined) {
    let continuation: string | undefined;
    do {
      const page = await sources.list({
        namespace: sources.namespace,
        labelSelector: sources.labelSelector,
        fieldSelector: sources.fieldSelector,
        limit: LIST_PAGE_OBJECTS,
        continuation,
        signal: sources.signal,
      });
      if (!page.ok) return yield { type: "failed", error: page.error };
      for (const object of page.value.items) yield { type: "added", object };
      for (const object of page.value.broken) {
        const { resourceVersion } = page.value;
        yield { type: "broken", change: "added", object, resourceVersion };
      }
      continuation = page.value.continuation;
      from = page.value.resourceVersion;
    } while (continuation !== undefined);
    yield { type: "synced", resourceVersion: from };
  }
  yield* changesFrom(resource, { ...sources, resourceVersion: from });
}

async function* changesFrom<T extends StoredObject>(
  resource: Resource<T>,
  sources: WatchSources<T> & { readonly resourceVersion: string },
): AsyncGenerator<WatchEvent<T>> {
  const { signal, transport, random, resourceVersion } = sources;
  const { server } = transport;
  const what = `watch ${saySelection(resource, sources)}`;
  const opened = await transport.open({
    method: "GET",
    path: collectionPath(resource, sources.namespace) + queryOf({
      ...selectorsOf(sources),
      watch: 1,
      allowWatchBookmarks: "true",
      timeoutSeconds: WATCH_SECONDS_MIN + random.below(WATCH_SECONDS_MIN),
      resourceVersion,
    }),
    accept: acceptOf(resource, { list: false }),
    what,
  }, { signal });
  if (!opened.ok) return yield { type: "failed", error: opened.error };
  using stream = opened.value;
  sources.onBegin?.();
  const lines = readLines(stream.chunks);
  for (;;) {
    const line = await lines.next().catch((error: unknown) => err(errorText(error)));
    signal.throwIfAborted();
    if ("ok" in line) {
      const problem = `the stream was cut: ${line.error}`;
      return yield { type: "failed", error: broken({ what, server, problem }) };
    }
    if (line.done) return;
    const event = eventOf(resource, { line: line.value, what, server });
    if (event === undefined) continue;
    yield event;
    if (event.type === "failed") return;
  }
}

function eventOf<T extends StoredObject>(
  resource: Resource<T>,
  { line, what, server }: { readonly line: string; readonly what: string; readonly server: string },
): WatchEvent<T> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    const problem = "the stream broke off inside an event";
    return { type: "failed", error: broken({ what, server, problem }) };
  }
  const record: JsonRecord = isRecord(value) ? value : {};
  const raw = record["object"];
  switch (record["type"]) {
    case "ADDED":
      return objectEvent(resource, { type: "added", raw });
    case "MODIFIED":
      return objectEvent(resource, { type: "modified", raw });
    case "DELETED":
      return objectEvent(resource, { type: "deleted", raw });
    case "BOOKMARK":
      return { type: "bookmark", resourceVersion: versionOfRaw(raw) };
    case "ERROR": {
      const status = asNumber(asRecord(raw)?.["code"]) ?? 500;
      const refusal = { status, body: raw, retryAfter: undefined };
      const error = storeErrorOf(refusal, { what, server, isWrite: false });
      return { type: "failed", error };
    }
    default:
      return undefined; // A type of a newer server; the next relist shows what it meant.
  }
}

function broken(
  { what, server, problem }: {
    readonly what: string;
    readonly server: string;
    readonly problem: string;
  },
): StoreError {
  const message =
    `Cannot go on to ${what} at ${server}: ${problem}: watch again from where it ended`;
  return { code: "unavailable", message, outcomeUnknown: false };
}

function objectEvent<T extends StoredObject>(
  resource: Resource<T>,
  { type, raw }: { readonly type: "added" | "modified" | "deleted"; readonly raw: unknown },
): WatchEvent<T> {
  const object = readObject(resource, raw);
  return object.ok
    ? { type, object: object.value }
    : { type: "broken", change: type, object: object.error, resourceVersion: versionOfRaw(raw) };
}
