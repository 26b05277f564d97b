/** The SpiderCoordinator that counts, read for many coordinators at a time. */
import type { Clock } from "../base/clock.ts";
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import { type ObjectStore, StoreFailure } from "../base/object_store.ts";
import {
  COORDINATOR_PHASES,
  SPIDER_COORDINATORS,
  type SpiderCoordinator,
} from "../api/coordinator.ts";
import type { Settler } from "../kube/settler.ts";
import { orAborted, SingleFlight } from "../base/waiting.ts";

/**
 * Name of the SpiderCoordinator that counts, because the controller keeps its status. Where there
 * is none of this name, the controller was told another one: the first by name that is synced, or
 * else the first.
 */
export const COORDINATOR_NAME = "default";
/** Milliseconds that an answer serves: a node's pods that start together cost one read. */
const FRESH_MS = 1_000;

/** What a reader of coordinators needs. */
export interface CoordinatorReaderOptions {
  readonly store: ObjectStore;
  readonly settler: Settler;
  readonly clock: Clock;
  /** Of the agent: what several ask for at a time is read once, whoever of them goes. */
  readonly lifetime: AbortSignal;
}

/**
 * Reads live, one read at a time. Not a watch: the object is small and read at the start of pods
 * only, its status counts, which no generation tells of, and an agent serves addresses as well
 * where the kind is not known to the server.
 */
export class CoordinatorReader {
  readonly #options: CoordinatorReaderOptions;
  readonly #reads = new SingleFlight<SpiderCoordinator | undefined>();
  #last: { readonly begunMs: number; readonly value: SpiderCoordinator | undefined } | undefined;

  constructor(options: CoordinatorReaderOptions) {
    this.#options = options;
  }

  /**
   * The SpiderCoordinator that counts; `undefined` if there is none.
   *
   * @throws {StoreFailure} The server refuses the read.
   */
  read({ signal }: { readonly signal: AbortSignal }): Promise<SpiderCoordinator | undefined> {
    const ageMs = this.#options.clock.monotonicMs() - (this.#last?.begunMs ?? -Infinity);
    if (this.#last !== undefined && ageMs < FRESH_MS) return Promise.resolve(this.#last.value);
    return orAborted(this.#reads.run("all", () => this.#list()), { signal });
  }

  async #list(): Promise<SpiderCoordinator | undefined> {
    const { store, settler, clock, lifetime } = this.#options;
    const begunMs = clock.monotonicMs();
    const listed = await settler.read(
      (options) => store.list(SPIDER_COORDINATORS, { ...options, limit: LIST_PAGE_OBJECTS }),
      { signal: lifetime },
    );
    if (!listed.ok) throw new StoreFailure(listed.error);
    const value = chosen(listed.value.items);
    this.#last = { begunMs, value };
    return value;
  }
}

function chosen(items: readonly SpiderCoordinator[]): SpiderCoordinator | undefined {
  const byName = items.toSorted((one, other) => one.metadata.name < other.metadata.name ? -1 : 1);
  return byName.find(({ metadata }) => metadata.name === COORDINATOR_NAME) ??
    byName.find(({ status }) => status?.phase === COORDINATOR_PHASES.synced) ?? byName[0];
}
