/** All objects of one kind, as a review sees them: the informer's copy, and what it may lack. */
import type { Clock } from "../../base/clock.ts";
import { ADMITTED_KEPT_MS, ADMITTED_OBJECTS_MAX, REVIEW_MS } from "../../base/limits.ts";
import {
  type CallOptions,
  type ObjectStore,
  type Resource,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import { pagesOf } from "../../base/pages.ts";
import { orAborted, SingleFlight } from "../../base/waiting.ts";
import type { Informer } from "../../kube/mod.ts";

/** For reads that several reviews wait for: none of them ends it. */
const NEVER = new AbortController().signal;

/** What a view is made of. */
export interface KindViewOptions<T extends StoredObject> {
  readonly store: ObjectStore;
  readonly resource: Resource<T>;
  readonly informer: Informer<T>;
  readonly clock: Clock;
}

/**
 * One cluster-scoped kind. What was admitted a moment ago counts although no watch has shown it:
 * `kubectl apply` of two objects that share addresses asks about the second before the informer
 * knows the first. It may never have been stored, so who refuses because of it reads it first.
 */
export class KindView<T extends StoredObject> {
  readonly #options: KindViewOptions<T>;
  /** By name, oldest first. */
  readonly #admitted = new Map<string, { readonly object: T; readonly atMs: number }>();
  readonly #lists = new SingleFlight<readonly T[]>();

  constructor(options: KindViewOptions<T>) {
    this.#options = options;
  }

  /**
   * Every object, some twice: as stored and as admitted.
   *
   * @throws {StoreFailure} The copy is not there or too old, and the server cannot be asked.
   */
  async all({ signal }: CallOptions): Promise<Iterable<T>> {
    const { informer } = this.#options;
    const isFresh = informer.hasSynced && !informer.isStale;
    const stored = isFresh
      ? informer.objects()
      // Reviews at the same time share one list.
      : await orAborted(this.#lists.run("all", () => this.#list()), { signal });
    this.#forgetOld();
    return [...stored, ...Array.from(this.#admitted.values(), ({ object }) => object)];
  }

  /** The object as the server has it now. @throws {StoreFailure} It cannot be asked. */
  async live(name: string, options: CallOptions): Promise<T | undefined> {
    const { store, resource } = this.#options;
    const found = await store.get(resource, { name }, options);
    if (found.ok) return found.value;
    if (found.error.code === "not_found") return undefined;
    throw new StoreFailure(found.error);
  }

  /** Notes an object that was admitted and may be stored any moment. */
  note(object: T): void {
    this.#forgetOld();
    const { name } = object.metadata;
    this.#admitted.delete(name);
    this.#admitted.set(name, { object, atMs: this.#options.clock.monotonicMs() });
    const [oldest] = this.#admitted.keys();
    if (this.#admitted.size > ADMITTED_OBJECTS_MAX && oldest !== undefined) {
      this.#admitted.delete(oldest);
    }
  }

  #forgetOld(): void {
    const sinceMs = this.#options.clock.monotonicMs() - ADMITTED_KEPT_MS;
    for (const [name, { atMs }] of this.#admitted) {
      if (atMs > sinceMs) return;
      this.#admitted.delete(name);
    }
  }

  async #list(): Promise<readonly T[]> {
    const { store, resource } = this.#options;
    const items: T[] = [];
    const options = { signal: NEVER, timeoutMs: REVIEW_MS };
    const pages = pagesOf((page) => store.list(resource, { ...options, ...page }));
    for await (const page of pages) items.push(...page.items);
    return items;
  }
}
