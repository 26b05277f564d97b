/** One request on its way to the simulated API server and back. */
import type {
  Resource,
  StoredObject,
  StoreError,
  StoreResult,
} from "../../src/base/object_store.ts";
import { err } from "../../src/base/result.ts";
import { parseRevision } from "../../src/store/engine.ts";
import type { Connection } from "./api_connection.ts";
import type { Timer } from "./scheduler.ts";

/** What becomes of a request. */
export const FATES = [
  "refused",
  "lost_request",
  "lost_answer",
  "late_commit",
  "gateway_timeout",
  "throttled",
  "forbidden",
  "invalid",
  "fine",
] as const;
export type Fate = typeof FATES[number];

/** Milliseconds a server waits for its cache to become fresh enough. */
const FRESH_MS_MAX = 3_000;
/** Milliseconds between two looks at the cache meanwhile. */
const FRESH_LOOK_MS = 100;
/** Milliseconds after which a broken connection is noticed, at most. */
const RESET_MS_MAX = 2_000;

/** A request before it is sent. */
export interface ApiRequestInit<R> {
  readonly what: string;
  readonly isWrite: boolean;
  readonly fate: Fate;
  /** The server's work, at one instant; `at`: of a read, the revision that the cache shows. */
  readonly body: (at: number | undefined) => StoreResult<R>;
  /** For a read that the cache may answer. */
  readonly cached?: {
    readonly kind: Resource<StoredObject>;
    readonly notOlderThan: string;
    readonly replica: number;
  } | undefined;
}

interface Asker<R> {
  resolve(result: StoreResult<R>): void;
  reject(reason: unknown): void;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/**
 * The asker hears exactly once: an answer, that its time is up, its own cancellation, or (its life
 * over) nothing. What the server does is independent of that.
 */
export class ApiRequest<R> {
  readonly #client: Connection;
  readonly #init: ApiRequestInit<R>;
  #asker: Asker<R> | undefined;
  #timeout: Timer | undefined;
  #forget: (() => void) | undefined;
  /** Whether a broken connection still keeps the server from carrying it out. */
  #isOnTheWay = true;
  #abort: (() => void) | undefined;

  constructor(client: Connection, init: ApiRequestInit<R>) {
    this.#client = client;
    this.#init = init;
  }

  send(asker: Asker<R>): void {
    const { server, dice, faults } = this.#client;
    this.#asker = asker;
    this.#abort = () => {
      this.#note("cancelled");
      this.#finish()?.reject(asker.signal.reason);
    };
    asker.signal.addEventListener("abort", this.#abort, { once: true });
    this.#timeout = server.scheduler.after(asker.timeoutMs, () => this.#timedOut());
    this.#forget = server.keepOpen(() => this.#broken());
    if (server.isDown) return this.#hearLater({ answer: err(this.#refusal()) });
    const latencyMs = dice.latency(faults.latency);
    server.scheduler.after(latencyMs, () => this.#arrive());
  }

  #arrive(): void {
    const { server, dice, faults } = this.#client;
    const { fate, isWrite } = this.#init;
    if (!this.#isOnTheWay) return; // The server went down under it.
    if (server.isBusy) return this.#hearLater({ answer: err(this.#throttling()) });
    switch (fate) {
      case "fine":
        return this.#carryOut();
      case "refused":
        return this.#hearLater({ answer: err(this.#refusal()) });
      case "throttled":
        return this.#hearLater({ answer: err(this.#throttling()) });
      case "forbidden":
        return this.#hearLater({ answer: err(this.#forbidding()) });
      case "invalid": {
        const message = `Cannot ${this.#init.what}: a webhook refused it`;
        if (!isWrite) return this.#carryOut();
        return this.#hearLater({ answer: err({ code: "invalid", message }) });
      }
      case "lost_request":
        this.#note("lost on its way");
        return this.#resetOrSilence();
      case "lost_answer":
        this.#do();
        this.#note("its answer is lost");
        return this.#resetOrSilence();
      case "gateway_timeout":
        if (dice.chance(0.5)) this.#do();
        return this.#hearLater({ answer: err(this.#unknown("timeout", "504")) });
      case "late_commit":
        this.#note("is slow: it may happen later");
        this.#hearLater({ answer: err(this.#unknown("timeout", "504")) });
        server.scheduler.after(dice.ms(0, faults.lateMsMax), () => {
          if (this.#isOnTheWay) this.#do();
        });
    }
  }

  #carryOut(): void {
    const { cached } = this.#init;
    if (cached !== undefined) return this.#readCache(cached, FRESH_MS_MAX);
    this.#hearLater({ answer: this.#do() });
  }

  /** Waits until the cache is fresh enough, but not for long. */
  #readCache(cached: NonNullable<ApiRequestInit<R>["cached"]>, leftMs: number): void {
    const { server } = this.#client;
    const { kind, notOlderThan, replica } = cached;
    const wanted = parseRevision(notOlderThan);
    if (wanted === undefined) {
      const message = `Cannot ${this.#init.what}: the resourceVersion is none`;
      return this.#hearLater({ answer: err({ code: "invalid", message }) });
    }
    const { appliedRevision } = server.cache(kind, replica);
    if (appliedRevision >= wanted) {
      return this.#hearLater({ answer: this.#do(appliedRevision) });
    }
    if (leftMs > 0) {
      server.scheduler.after(FRESH_LOOK_MS, () => {
        if (this.#isOnTheWay) this.#readCache(cached, leftMs - FRESH_LOOK_MS);
      });
      return;
    }
    const message = `Cannot ${this.#init.what}: too large resource version`;
    this.#hearLater({ answer: err({ code: "timeout", message, outcomeUnknown: false }) });
  }

  #do(at?: number): StoreResult<R> {
    this.#isOnTheWay = false;
    const result = this.#init.body(at);
    this.#note(result.ok ? "done" : result.error.code);
    return result;
  }

  #hearLater({ answer }: { readonly answer: StoreResult<R> }): void {
    const { server, dice, faults } = this.#client;
    server.scheduler.after(dice.latency(faults.latency), () => {
      if (this.#asker === undefined) return;
      if (!answer.ok) this.#note(`answered ${answer.error.code}`);
      const { nowMs } = server.scheduler;
      this.#hear(answer, () => this.#client.heard(nowMs));
    });
  }

  /** The connection breaks soon, or nothing is heard until the time is up. */
  #resetOrSilence(): void {
    const { server, dice } = this.#client;
    if (dice.chance(0.5)) server.scheduler.after(dice.ms(0, RESET_MS_MAX), () => this.#reset());
  }

  #reset(): void {
    if (this.#asker === undefined) return;
    this.#note("connection reset");
    this.#hear(err(this.#unknown("unavailable", "connection reset")));
  }

  /** The server went down: what it had not done yet it never does. */
  #broken(): void {
    this.#isOnTheWay = false;
    this.#reset();
  }

  #timedOut(): void {
    this.#note("timed out");
    this.#hear(err(this.#unknown("timeout", "no answer in time")));
  }

  /** The program hears of it: at once, unless it is paused. */
  #hear(answer: StoreResult<R>, first: () => void = () => {}): void {
    this.#client.life.deliver(() => {
      first();
      this.#finish()?.resolve(answer);
    });
  }

  /** Takes the asker away: it hears once. */
  #finish(): Asker<R> | undefined {
    const asker = this.#asker;
    this.#asker = undefined;
    this.#timeout?.cancel();
    this.#forget?.();
    if (asker !== undefined && this.#abort !== undefined) {
      asker.signal.removeEventListener("abort", this.#abort);
    }
    return this.#client.life.isAlive ? asker : undefined;
  }

  #unknown(code: "timeout" | "unavailable", reason: string): StoreError {
    const { what, isWrite } = this.#init;
    return { code, message: `Cannot ${what}: ${reason}`, outcomeUnknown: isWrite };
  }

  #refusal(): StoreError {
    const message = `Cannot ${this.#init.what}: connection refused`;
    return { code: "unavailable", message, outcomeUnknown: false };
  }

  #throttling(): StoreError {
    const retryAfterMs = 1_000 * this.#client.dice.between(1, 3);
    return { code: "throttled", message: `Cannot ${this.#init.what}: 429`, retryAfterMs };
  }

  #forbidding(): StoreError {
    const message = `Cannot ${this.#init.what}: not allowed`;
    return { code: "forbidden", message, namespaceTerminating: false };
  }

  #note(text: string): void {
    this.#client.server.trace.note(this.#client.name, `${this.#init.what}: ${text}`);
  }
}
