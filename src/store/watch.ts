import type { Clock } from "../base/clock.ts";
import { LIST_PAGE_OBJECTS, WATCH_BOOKMARK_MS } from "../base/limits.ts";
import type { Selection, StoreError } from "../base/object_store.ts";
import { kindId } from "./backend.ts";
import { type Engine, parseRevision, type RawChangeEvent, readSelection } from "./engine.ts";
import type { KindFacts } from "./metadata_rules.ts";
import { shown } from "./names.ts";
import type { ParsedSelection } from "./selector.ts";

/** What a watch delivers before its objects are parsed. */
export type RawWatchEvent =
  | RawChangeEvent
  | { readonly type: "synced"; readonly resourceVersion: string }
  | { readonly type: "bookmark"; readonly resourceVersion: string }
  | { readonly type: "failed"; readonly error: StoreError };

/** What a watch is told. */
export interface RawWatchOptions extends Selection {
  readonly signal: AbortSignal;
  readonly resourceVersion?: string | undefined;
  readonly clock: Clock;
  /** Milliseconds between looks for changes of other processes; absent: there are none. */
  readonly pollMs?: number | undefined;
}

/**
 * Watches one kind. Nothing is buffered for a slow reader beyond one batch: it reads the store's
 * history at its own pace, and is `gone` when the history has been forgotten under it.
 */
export async function* watchKind(
  engine: Engine,
  kind: KindFacts,
  options: RawWatchOptions,
): AsyncGenerator<RawWatchEvent, void> {
  options.signal.throwIfAborted();
  const selection = readSelection(kind, options);
  if (!selection.ok) return yield { type: "failed", error: selection.error };
  using pulse = startPulse(engine, kind, options);
  let after: number;
  if (options.resourceVersion === undefined) {
    const listed = yield* existing(engine, kind, options);
    if (listed === undefined) return;
    after = listed;
  } else {
    const revision = parseRevision(options.resourceVersion);
    if (revision === undefined) {
      const message = `Cannot watch ${kindId(kind)}: resourceVersion ` +
        `${shown(options.resourceVersion)} is not one of this store`;
      return yield { type: "failed", error: { code: "invalid", message } };
    }
    after = revision;
  }
  yield* changes(engine, { kind, selection: selection.value, after, pulse });
}

/** Yields what there is, then `synced`; returns its revision, or nothing after a failure. */
async function* existing(
  engine: Engine,
  kind: KindFacts,
  options: RawWatchOptions,
): AsyncGenerator<RawWatchEvent, number | undefined> {
  let continuation: string | undefined;
  for (;;) {
    const page = engine.list(kind, { ...options, limit: LIST_PAGE_OBJECTS, continuation });
    if (!page.ok) {
      yield { type: "failed", error: page.error };
      return undefined;
    }
    for (const object of page.value.objects) {
      options.signal.throwIfAborted();
      if (engine.closed) return undefined;
      yield { type: "added", object };
    }
    continuation = page.value.continuation;
    if (continuation === undefined) {
      yield { type: "synced", resourceVersion: String(page.value.revision) };
      return page.value.revision;
    }
  }
}

/** Yields changes after a revision, and bookmarks, until the store closes or the signal aborts. */
async function* changes(
  engine: Engine,
  { kind, selection, after, pulse }: {
    readonly kind: KindFacts;
    readonly selection: ParsedSelection;
    readonly after: number;
    readonly pulse: Pulse;
  },
): AsyncGenerator<RawWatchEvent, void> {
  let cursor = after;
  for (;;) {
    if (pulse.ended()) return;
    engine.announce();
    pulse.subscription.markRead();
    const batch = engine.readChanges(kind, { after: cursor, selection, limit: LIST_PAGE_OBJECTS });
    if (!batch.ok) return yield { type: "failed", error: batch.error };
    for (const event of batch.value.events) {
      if (pulse.ended()) return;
      yield event;
    }
    cursor = batch.value.revision;
    while (!batch.value.more) {
      if (pulse.ended()) return;
      // Nothing of this kind happened up to here: a quiet watch moves on with the others' changes.
      const { firstUnread } = pulse.subscription;
      cursor = Math.max(cursor, (firstUnread ?? engine.announcedRevision + 1) - 1);
      if (pulse.takeBookmark()) yield { type: "bookmark", resourceVersion: String(cursor) };
      if (pulse.subscription.firstUnread !== undefined) break;
      await pulse.subscription.wait();
      if (pulse.takePoll() && !pulse.ended()) engine.announce();
    }
    if (batch.value.more && pulse.takeBookmark()) {
      yield { type: "bookmark", resourceVersion: String(cursor) };
    }
  }
}

/** What wakes a watch beside changes: its bookmarks, its looks at other processes, its end. */
interface Pulse extends Disposable {
  readonly subscription: ReturnType<Engine["subscribe"]>;
  /** Whether the store closed. @throws The signal's reason, if it is aborted. */
  ended(): boolean;
  /** Whether a bookmark has become due since the last call. */
  takeBookmark(): boolean;
  /** Whether a look at other processes' changes has become due since the last call. */
  takePoll(): boolean;
}

function startPulse(
  engine: Engine,
  kind: KindFacts,
  { signal, clock, pollMs }: RawWatchOptions,
): Pulse {
  const subscription = engine.subscribe(kind);
  const timers = new AbortController();
  const due = { bookmark: false, poll: false };
  function beat(what: "bookmark" | "poll", everyMs: number): void {
    clock.sleep(everyMs, { signal: timers.signal }).then(() => {
      due[what] = true;
      subscription.ring();
      beat(what, everyMs);
    }, () => {}); // The watch ended: its timers were cancelled.
  }
  function end(): void {
    signal.removeEventListener("abort", end);
    timers.abort();
    subscription.ring();
    subscription[Symbol.dispose]();
  }
  function take(what: "bookmark" | "poll"): boolean {
    const wasDue = due[what];
    due[what] = false;
    return wasDue;
  }
  signal.addEventListener("abort", end, { once: true });
  beat("bookmark", WATCH_BOOKMARK_MS);
  if (pollMs !== undefined) beat("poll", pollMs);
  return {
    subscription,
    ended: () => {
      signal.throwIfAborted();
      return engine.closed;
    },
    takeBookmark: () => take("bookmark"),
    takePoll: () => take("poll"),
    [Symbol.dispose]: end,
  };
}
