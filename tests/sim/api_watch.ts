/** One watch on a simulated server's cache. */
import {
  type Resource,
  type StoredObject,
  StoreFailure,
  type WatchEvent,
  type WatchOptions,
} from "../../src/base/object_store.ts";
import { parseRevision, readSelection } from "../../src/store/engine.ts";
import { WATCH_BOOKMARK_MS } from "../../src/base/limits.ts";
import type { ParsedSelection } from "../../src/store/selector.ts";
import { eventAs } from "../../src/store/view.ts";
import type { ApiServer } from "./api_server.ts";
import type { Connection } from "./api_connection.ts";
import type { Timer } from "./scheduler.ts";

/** Events read at a time. */
const BATCH = 1_000;

type Delivery<T extends StoredObject> = WatchEvent<T> | "end";

/**
 * A watch from its first `next()` to its end. It shows what its server's cache shows, a little
 * later; it may end in the ordinary way, break, be `gone`, or fall silent.
 */
export class ApiWatch<T extends StoredObject> {
  readonly #server: ApiServer;
  readonly #client: Connection;
  readonly #resource: Resource<T>;
  readonly #options: WatchOptions;
  #selection: ParsedSelection | undefined;
  #cursor = 0;
  #replica = 0;
  #isSilent = false;
  #isOver = false;
  #delivery: Timer | undefined;
  readonly #leave: (() => void)[] = [];
  readonly #queue: Delivery<T>[] = [];
  #waiter: { resolve(delivery: Delivery<T>): void; reject(reason: unknown): void } | undefined;

  constructor(
    client: Connection,
    { server, resource, options }: {
      readonly server: ApiServer;
      readonly resource: Resource<T>;
      readonly options: WatchOptions;
    },
  ) {
    this.#client = client;
    this.#server = server;
    this.#resource = resource;
    this.#options = options;
  }

  async *events(): AsyncGenerator<WatchEvent<T>, void> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    const abort = (): void => {
      this.#close();
      if (this.#client.life.isAlive) this.#waiter?.reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    this.#client.life.onEnd(() => this.#close());
    this.#open();
    try {
      for (;;) {
        const delivery = await this.#take();
        if (signal.aborted) throw signal.reason;
        if (delivery === "end") return;
        yield delivery;
        if (delivery.type === "failed") return;
      }
    } finally {
      signal.removeEventListener("abort", abort);
      this.#close();
    }
  }

  #take(): Promise<Delivery<T>> {
    const next = this.#queue.shift();
    if (next !== undefined) return Promise.resolve(next);
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  #push(delivery: Delivery<T>): void {
    this.#client.life.deliver(() => this.#hand(delivery));
  }

  #hand(delivery: Delivery<T>): void {
    const waiter = this.#waiter;
    if (waiter === undefined) {
      this.#queue.push(delivery);
      return;
    }
    this.#waiter = undefined;
    waiter.resolve(delivery);
  }

  /** Reaches the server after a while, and may find it down. */
  #open(): void {
    const { faults, dice } = this.#client;
    this.#plan(dice.latency(faults.latency), () => {
      if (this.#client.isCutOff) return this.#fallSilent();
      if (this.#server.isDown || dice.chance(faults.refused)) {
        const message = `Cannot watch ${this.#resource.plural}: the server refuses connections`;
        return this.#fail({ code: "unavailable", message, outcomeUnknown: false });
      }
      if (this.#server.isBusy || dice.chance(faults.throttled)) {
        const message = `Cannot watch ${this.#resource.plural}: too many requests`;
        return this.#fail({ code: "throttled", message, retryAfterMs: 1_000 });
      }
      this.#begin();
    });
  }

  #begin(): void {
    const { dice, faults } = this.#client;
    const parsed = readSelection(this.#resource, this.#options);
    if (!parsed.ok) return this.#fail(parsed.error);
    this.#selection = parsed.value;
    this.#replica = this.#client.replicaOfConnection();
    this.#leave.push(this.#server.keepOpen(() => this.#end()));
    const cache = this.#server.cache(this.#resource, this.#replica);
    this.#leave.push(cache.onProgress(() => this.#planDelivery()));
    this.#plan(dice.ms(faults.watchMsMin, faults.watchMsMax), () => this.#end());
    this.#planBookmark();
    if (this.#options.resourceVersion === undefined) return this.#existing();
    const revision = parseRevision(this.#options.resourceVersion);
    if (revision === undefined) {
      const { resourceVersion } = this.#options;
      const message = `Cannot watch from resourceVersion "${resourceVersion}": it is none`;
      return this.#fail({ code: "invalid", message });
    }
    this.#cursor = revision;
    this.#deliver();
  }

  /** What there is, by a quorum read, then `synced`. */
  #existing(): void {
    const page = this.#server.engine.list(this.#resource, this.#options);
    if (!page.ok) return this.#fail(page.error);
    for (const object of page.value.objects) {
      this.#push(eventAs(this.#resource, { type: "added", object }));
    }
    this.#cursor = page.value.revision;
    this.#push({ type: "synced", resourceVersion: String(this.#cursor) });
  }

  #planDelivery(): void {
    if (this.#delivery !== undefined || this.#isOver) return;
    const { dice, faults } = this.#client;
    this.#delivery = this.#plan(dice.latency(faults.watchDelay), () => {
      this.#delivery = undefined;
      this.#deliver();
    });
  }

  #planBookmark(): void {
    this.#plan(WATCH_BOOKMARK_MS, () => {
      this.#deliver();
      if (this.#isOver) return;
      if (!this.#isSilent) this.#push({ type: "bookmark", resourceVersion: String(this.#cursor) });
      this.#planBookmark();
    });
  }

  /** Hands on what the cache shows by now. */
  #deliver(): void {
    if (this.#isOver || this.#isSilent || this.#selection === undefined) return;
    const { dice, faults } = this.#client;
    if (this.#client.isCutOff || dice.chance(faults.watchStalls)) return this.#fallSilent();
    const visible = this.#server.cache(this.#resource, this.#replica).appliedRevision;
    if (visible <= this.#cursor) return;
    const { engine } = this.#server;
    const selection = this.#selection;
    for (;;) {
      const batch = engine.readChanges(this.#resource, {
        after: this.#cursor,
        selection,
        limit: BATCH,
      });
      if (!batch.ok) return this.#fail(batch.error);
      for (const event of batch.value.events) {
        const revision = Number(event.object.metadata.resourceVersion);
        if (revision > visible) break;
        this.#push(eventAs(this.#resource, event));
      }
      this.#cursor = Math.min(batch.value.revision, visible);
      if (!batch.value.more || this.#cursor >= visible) return;
    }
  }

  #fallSilent(): void {
    this.#isSilent = true;
    this.#server.trace.note(this.#client.name, `watch of ${this.#resource.plural} is silent`);
  }

  #plan(ms: number, run: () => void): Timer {
    return this.#server.scheduler.after(ms, () => {
      if (!this.#isOver) run();
    });
  }

  #fail(error: StoreFailure["error"]): void {
    this.#push({ type: "failed", error });
    this.#close();
  }

  /** Ends in the ordinary way, unless nobody would hear of it. */
  #end(): void {
    if (!this.#isSilent) this.#push("end");
    this.#close();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#delivery?.cancel();
    for (const leave of this.#leave.splice(0)) leave();
  }
}
