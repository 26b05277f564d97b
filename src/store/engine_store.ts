import type { Clock } from "../base/clock.ts";
import { STORE_CALL_MS } from "../base/limits.ts";
import {
  type BrokenObject,
  type CallOptions,
  type GetOptions,
  keyOf,
  type ListOptions,
  type ObjectKey,
  type ObjectList,
  type ObjectRows,
  type ObjectStore,
  type RemoveOptions,
  type Resource,
  rowColumns,
  type RowOptions,
  type StoredObject,
  StoreFailure,
  type StoreResult,
  type WatchEvent,
  type WatchOptions,
} from "../base/object_store.ts";
import { ok } from "../base/result.ts";
import type { WriteRequest } from "./decide.ts";
import type { Engine } from "./engine.ts";
import { waitForLock } from "./lock_wait.ts";
import { eventAs, readAs, rowOf, viewOf } from "./view.ts";
import { watchKind } from "./watch.ts";

/**
 * The asynchronous face of an engine: the port as everything above knows it. It adds parsing at the
 * door, cancellation, patience with a locked file, and nothing else.
 */
export class EngineStore implements ObjectStore, Disposable {
  /** The same store, synchronous and unparsed: for simulators, checkers and `collectGarbage`. */
  readonly engine: Engine;
  readonly #clock: Clock;
  readonly #pollMs: number | undefined;
  #serverTimeMs: number | undefined;

  /** @param options.pollMs How often watches look for changes of other processes; absent: never. */
  constructor(
    engine: Engine,
    { clock, pollMs }: { readonly clock: Clock; readonly pollMs?: number | undefined },
  ) {
    this.engine = engine;
    this.#clock = clock;
    this.#pollMs = pollMs;
  }

  get<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: GetOptions,
  ): Promise<StoreResult<T>> {
    return this.#call(options, () => {
      const got = this.engine.get(resource, { key, notOlderThan: options.notOlderThan });
      return got.ok ? readAs(resource, got.value) : got;
    });
  }

  list<T extends StoredObject>(
    resource: Resource<T>,
    options: ListOptions,
  ): Promise<StoreResult<ObjectList<T>>> {
    return this.#call(options, () => {
      const page = this.engine.list(resource, options);
      if (!page.ok) return page;
      const items: T[] = [];
      const broken: BrokenObject[] = [];
      for (const object of page.value.objects) {
        const parsed = resource.parse(viewOf(resource, object));
        if (parsed.ok) items.push(parsed.value);
        else broken.push({ key: keyOf(object), problem: parsed.error });
      }
      return ok({ items, broken, ...placeOf(page.value) });
    });
  }

  listRows<T extends StoredObject>(
    resource: Resource<T>,
    options: RowOptions,
  ): Promise<StoreResult<ObjectRows>> {
    return this.#call(options, () => {
      const page = this.engine.list(resource, options);
      if (!page.ok) return page;
      const columns = rowColumns(resource, options);
      const rows = page.value.objects.map((object) => rowOf(object, columns));
      return ok({ rows, ...placeOf(page.value) });
    });
  }

  async *watch<T extends StoredObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void> {
    try {
      const events = watchKind(this.engine, resource, {
        ...options,
        clock: this.#clock,
        pollMs: this.#pollMs,
      });
      for await (const event of events) yield eventAs(resource, event);
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      yield { type: "failed", error: error.error };
    }
  }

  create<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    return this.#write(resource, { operation: "create", object }, options);
  }

  replace<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    return this.#write(resource, { operation: "replace", object }, options);
  }

  replaceStatus<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    return this.#write(resource, { operation: "replace_status", object }, options);
  }

  remove<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: RemoveOptions,
  ): Promise<StoreResult<"removed" | "terminating">> {
    const request: WriteRequest = { operation: "remove", kind: resource, key, wish: options };
    return this.#call(options, () => {
      const done = this.engine.write(request);
      if (!done.ok) return done;
      return ok(done.value.effect === "delete" ? "removed" : "terminating");
    });
  }

  serverTimeMs(): number | undefined {
    return this.#serverTimeMs;
  }

  /** Ends watches in the ordinary way and closes the store; later calls are `unavailable`. */
  [Symbol.dispose](): void {
    this.engine[Symbol.dispose]();
  }

  #write<T extends StoredObject>(
    resource: Resource<T>,
    { operation, object }: {
      readonly operation: "create" | "replace" | "replace_status";
      readonly object: T;
    },
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    return this.#call(options, () => {
      const request = { operation, kind: resource, object: { ...object } };
      const done = this.engine.write(request);
      return done.ok ? readAs(resource, done.value.object) : done;
    });
  }

  async #call<T>(
    { signal, timeoutMs = STORE_CALL_MS }: CallOptions,
    body: () => StoreResult<T>,
  ): Promise<StoreResult<T>> {
    const answer = await waitForLock(body, { clock: this.#clock, signal, timeoutMs });
    this.#serverTimeMs = this.#clock.nowMs();
    return answer;
  }
}

function placeOf(
  { revision, continuation }: {
    readonly revision: number;
    readonly continuation: string | undefined;
  },
): { readonly resourceVersion: string; readonly continuation?: string } {
  const place = { resourceVersion: String(revision) };
  return continuation === undefined ? place : { ...place, continuation };
}
