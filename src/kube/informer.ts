/**
 * Keeps a copy of a selection of objects: list, then watch, then again. Works over any
 * `ObjectStore`, so the simulator and standalone mode run it too.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import type {
  BrokenObject,
  ListOptions,
  ObjectKey,
  ObjectStore,
  Resource,
  Selection,
  StoredObject,
  StoreError,
  WatchEvent,
} from "../base/object_store.ts";
import { keyOf, keyText } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { backoffMs } from "./backoff.ts";
import { type Held, type IndexEntry, type IndexFunction, ObjectCache } from "./object_cache.ts";
import { type InformerEvent, Subscription } from "./subscription.ts";

/** Milliseconds without event or bookmark after which a watch counts as broken (design.md 2.5). */
export const WATCH_SILENCE_MS_MAX = 90_000;
/** Milliseconds before the first new try; doubles. */
const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 30_000;

/** What an informer keeps, and with what. */
export interface InformerOptions<T extends StoredObject> {
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: every object of the kind. */
  readonly selection?: Selection | undefined;
  /** By name: the values under which an object is found again with `byIndex`. */
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>> | undefined;
}

/** How an informer fares, for health checks and metrics. */
export interface InformerStatus {
  readonly hasSynced: boolean;
  /** Milliseconds since the server last said anything; infinite before the first list. */
  readonly staleMs: number;
  readonly objectCount: number;
  readonly brokenCount: number;
  /** Lists begun; more than one means that history was lost. */
  readonly listCount: number;
  /** Watches begun. */
  readonly watchCount: number;
  /** Why the last list or watch ended, until one goes well again. */
  readonly error: StoreError | undefined;
}

/**
 * A shared copy. Any number of readers ask it and follow it; one `run` keeps it.
 *
 * Promises: an object is in the copy exactly when the server last said that it exists; the copy
 * never goes back in time; one that its parser refuses is in `broken`, not missing.
 */
export class Informer<T extends StoredObject> {
  readonly #store: ObjectStore;
  readonly #resource: Resource<T>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #selection: Selection;
  readonly #cache: ObjectCache<T>;
  readonly #subscriptions = new Set<Subscription<T>>();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  #isRunning = false;
  #contactMs = -Infinity;
  /** Where the next watch begins; absent: list first. */
  #resumeAt: string | undefined;
  /** Newest version known of this selection: a list must not be older. */
  #newest: string | undefined;
  #failures = 0;
  /** Lists that failed since one went well. */
  #listFailures = 0;
  #error: StoreError | undefined;
  #listCount = 0;
  #watchCount = 0;

  constructor(store: ObjectStore, resource: Resource<T>, options: InformerOptions<T>) {
    this.#store = store;
    this.#resource = resource;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#selection = options.selection ?? {};
    this.#cache = new ObjectCache(options.indexes ?? {});
  }

  /** Whether the first list is in. Before that, absence means nothing. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** How it fares now. */
  status(): InformerStatus {
    return {
      hasSynced: this.#hasSynced,
      staleMs: this.#clock.monotonicMs() - this.#contactMs,
      objectCount: this.#cache.objectCount,
      brokenCount: this.#cache.brokenCount,
      listCount: this.#listCount,
      watchCount: this.#watchCount,
      error: this.#error,
    };
  }

  /** Whether the server has been silent for so long that reads should go to it instead. */
  get isStale(): boolean {
    return this.#clock.monotonicMs() - this.#contactMs > WATCH_SILENCE_MS_MAX;
  }

  /** The object as last seen; `undefined` if there is none, or it is broken. */
  get(key: ObjectKey): T | undefined {
    return this.#cache.get(keyText(key))?.object;
  }

  /** The object's problem if its parser refused it: it exists, and nobody may act as if not. */
  broken(key: ObjectKey): BrokenObject | undefined {
    return this.#cache.get(keyText(key))?.broken;
  }

  /** Every object, in no order. */
  objects(): IterableIterator<T> {
    return this.#cache.objects();
  }

  /** Every object that its parser refused. */
  brokenObjects(): IterableIterator<BrokenObject> {
    return this.#cache.brokenObjects();
  }

  /** The objects that an index gives this value, in no order; constant time to find them. */
  byIndex(wanted: IndexEntry): readonly T[] {
    return this.#cache.byIndex(wanted);
  }

  /**
   * Resolves once the first list is in.
   *
   * @throws The signal's reason, if it aborts first.
   */
  waitForSync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      this.#synced.promise.then(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
    });
  }

  /**
   * Follows the copy: an `added` for what it holds, `synced`, then changes. A reader that lags gets
   * the changes of one object as one, from the state it last saw: what waits is bounded by the
   * number of objects, and it never misses the newest state.
   */
  async *events({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<InformerEvent<T>> {
    const subscription = new Subscription<T>();
    for (const [key, held] of this.#cache.entries()) {
      subscription.note(key, { before: undefined, after: held });
    }
    if (this.#hasSynced) subscription.noteSynced();
    this.#subscriptions.add(subscription);
    try {
      for (;;) yield* await subscription.take({ signal });
    } finally {
      this.#subscriptions.delete(subscription);
    }
  }

  /**
   * Keeps the copy until the signal aborts. Called once, awaited by its owner.
   *
   * @throws The signal's reason, and nothing else of the outside world: failures are tried again.
   */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    assert(!this.#isRunning, "an informer is run by one owner");
    this.#isRunning = true;
    for (;;) {
      signal.throwIfAborted();
      const failure = this.#resumeAt === undefined
        ? await this.#list({ signal })
        : await this.#watch(this.#resumeAt, { signal });
      if (failure === undefined) continue;
      this.#error = failure;
      if (failure.code === "gone") this.#resumeAt = undefined;
      const ownMs = backoffMs(this.#failures++, {
        leastMs: RETRY_MS_MIN,
        mostMs: RETRY_MS_MAX,
        random: this.#random,
      });
      const askedMs = failure.code === "throttled" ? failure.retryAfterMs : 0;
      await this.#clock.sleep(Math.max(ownMs, askedMs), { signal });
    }
  }

  /** Lists into the copy, page by page; what no page names is gone at the end. */
  async #list({ signal }: { readonly signal: AbortSignal }): Promise<StoreError | undefined> {
    this.#listCount++;
    const unseen = new Set(this.#cache.keys());
    let continuation: string | undefined;
    let version = "";
    do {
      const page = await this.#store.list(this.#resource, {
        ...this.#listOptions(),
        continuation,
        signal,
      });
      if (!page.ok) {
        this.#listFailures++;
        return page.error;
      }
      this.#contactMs = this.#clock.monotonicMs();
      for (const object of page.value.items) {
        const key = keyText(keyOf(object));
        unseen.delete(key);
        this.#put(key, { object, broken: undefined });
      }
      for (const broken of page.value.broken) {
        const key = keyText(broken.key);
        unseen.delete(key);
        this.#put(key, { object: undefined, broken });
      }
      version = page.value.resourceVersion;
      continuation = page.value.continuation;
    } while (continuation !== undefined);
    for (const key of unseen) this.#put(key, undefined);
    this.#resumeAt = this.#newest = version;
    this.#listFailures = 0;
    this.#wentWell();
    this.#saySynced();
    return undefined;
  }

  #listOptions(): Omit<ListOptions, "signal"> {
    const { labelSelector, fieldSelector } = this.#selection;
    const selects = labelSelector !== undefined || fieldSelector !== undefined;
    // Without a version, some servers read every object of the kind to answer a selector; with one
    // they answer from memory, all in one page. A failure may be that no server has that version
    // any more (restored from a backup): then the truth itself is read.
    if (selects && this.#listFailures % 2 === 0) {
      return { ...this.#selection, notOlderThan: this.#newest ?? "0" };
    }
    // A second failure in pages may be a list that takes longer than its state is kept.
    const limit = this.#listFailures < 2 ? LIST_PAGE_OBJECTS : undefined;
    return { ...this.#selection, ...(limit !== undefined && { limit }) };
  }

  /** Watches until the watch ends. @returns Why, if that was not in its ordinary way. */
  async #watch(
    resourceVersion: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<StoreError | undefined> {
    this.#watchCount++;
    const silence = new SilenceError();
    using guard = this.#guardSilence({ signal, reason: silence });
    const startedMs = this.#clock.monotonicMs();
    const events = this.#store.watch(this.#resource, {
      ...this.#selection,
      resourceVersion,
      signal: guard.signal,
      onBegin: () => this.#heard(guard),
    });
    let eventCount = 0;
    try {
      for await (const event of events) {
        if (event.type === "failed") return event.error;
        eventCount++;
        this.#heard(guard);
        this.#wentWell();
        this.#apply(event);
      }
    } catch (error) {
      if (error !== silence) throw error;
      return { code: "unavailable", message: silence.message, outcomeUnknown: false };
    }
    const endedAtOnce = eventCount === 0 && this.#clock.monotonicMs() - startedMs < RETRY_MS_MIN;
    if (!endedAtOnce) return undefined;
    const message = `Cannot watch ${this.#resource.plural}: the watch ended as it began`;
    return { code: "unavailable", message, outcomeUnknown: false };
  }

  #apply(event: Exclude<WatchEvent<T>, { readonly type: "failed" }>): void {
    switch (event.type) {
      case "added":
      case "modified": {
        const { object } = event;
        this.#put(keyText(keyOf(object)), { object, broken: undefined });
        return this.#reached(object.metadata.resourceVersion);
      }
      case "deleted":
        this.#put(keyText(keyOf(event.object)), undefined);
        return this.#reached(event.object.metadata.resourceVersion);
      case "broken": {
        const broken = event.object;
        const held = event.change === "deleted" ? undefined : { object: undefined, broken };
        this.#put(keyText(broken.key), held);
        return this.#reached(event.resourceVersion);
      }
      case "synced":
      case "bookmark":
        return this.#reached(event.resourceVersion);
    }
  }

  #reached(resourceVersion: string | undefined): void {
    if (resourceVersion === undefined || resourceVersion === "") return;
    this.#resumeAt = this.#newest = resourceVersion;
  }

  #put(key: string, after: Held<T> | undefined): void {
    const before = this.#cache.get(key);
    if (before === undefined && after === undefined) return;
    if (sameState(before, after)) return; // A resumed watch or a list says again what is known.
    this.#cache.put(key, after);
    for (const subscription of this.#subscriptions) subscription.note(key, { before, after });
  }

  #saySynced(): void {
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    this.#synced.resolve();
    for (const subscription of this.#subscriptions) subscription.noteSynced();
  }

  /** The server is there: it began a watch, or told something. */
  #heard(guard: { heard(): void }): void {
    guard.heard();
    this.#contactMs = this.#clock.monotonicMs();
  }

  #wentWell(): void {
    this.#failures = 0;
    this.#error = undefined;
  }

  /** A signal that aborts with `reason` when nothing is heard for too long. */
  #guardSilence(
    { signal, reason }: { readonly signal: AbortSignal; readonly reason: Error },
  ): Disposable & { readonly signal: AbortSignal; heard(): void } {
    const clock = this.#clock;
    const controller = new AbortController();
    const timer = new AbortController();
    const passOn = (): void => controller.abort(signal.reason);
    signal.addEventListener("abort", passOn, { once: true });
    let heardMs = clock.monotonicMs();
    // One sleeper that looks when it wakes, instead of one for each event.
    async function guard(): Promise<void> {
      for (;;) {
        const leftMs = heardMs + WATCH_SILENCE_MS_MAX - clock.monotonicMs();
        if (leftMs <= 0) return controller.abort(reason);
        await clock.sleep(leftMs, { signal: timer.signal });
      }
    }
    guard().catch(() => {}); // Rejects when it is disposed.
    return {
      signal: controller.signal,
      heard: () => {
        heardMs = clock.monotonicMs();
      },
      [Symbol.dispose]: () => {
        signal.removeEventListener("abort", passOn);
        timer.abort();
      },
    };
  }
}

class SilenceError extends Error {
  override readonly name = "SilenceError";

  constructor() {
    const seconds = WATCH_SILENCE_MS_MAX / 1_000;
    super(`Gave up on a watch: neither event nor bookmark came within ${seconds} s`);
  }
}

function sameState<T extends StoredObject>(
  before: Held<T> | undefined,
  after: Held<T> | undefined,
): boolean {
  const held = before?.object?.metadata.resourceVersion;
  if (held !== undefined) return held === after?.object?.metadata.resourceVersion;
  return before?.broken !== undefined && before.broken.problem === after?.broken?.problem;
}
