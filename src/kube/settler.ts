/**
 * Calls of the store that are carried through: reads are repeated until they are answered, writes
 * until it is known what became of them (design.md 2.1, rule 8).
 */
import { unreachable } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { Gate } from "../base/gate.ts";
import {
  isUnserved,
  keyOf,
  type ObjectKey,
  type ObjectStore,
  type Resource,
  type StoredObject,
  type StoreError,
  StoreFailure,
  type StoreResult,
} from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { ok } from "../base/result.ts";
import { backoffMs } from "./backoff.ts";

/** Milliseconds that one call may take before it is repeated. */
export const CALL_MS_MAX = 10_000;
/**
 * Milliseconds that a list of many objects may take: as long as the server itself works on one.
 * Who gives up earlier has it work for nothing, and asks for the same again.
 *
 * @source Kubernetes `kube-apiserver --request-timeout`, by default one minute
 */
export const LIST_MS_MAX = 60_000;
/** Calls of one agent that are under way at once; more would only wait in the server. */
const CALLS_AT_ONCE = 64;
/** Milliseconds before the first repetition, and before any: they double in between. */
const RETRY_MS = { leastMs: 50, mostMs: 2_000 };

/**
 * What a server says of an object. `unserved`: it serves no such kind at all, and has not since
 * `forMs` milliseconds as far as this settler saw; there is no such object, unless the server is
 * only just starting.
 */
export type Found<T> =
  | { readonly kind: "found"; readonly object: T }
  | { readonly kind: "absent" }
  | { readonly kind: "unserved"; readonly forMs: number };

/** What became of a creation. `exists`: somebody else's object has the name. */
export type Created<T> =
  | {
    readonly kind: "created";
    readonly object: T;
    /** Whether it was there: made by a try whose answer was lost, or by somebody before this. */
    readonly wasThere: boolean;
    /** Whether the answer of a try was lost: it may be carried out later, also after a deletion. */
    readonly isLate: boolean;
  }
  | { readonly kind: "exists" };

/** What became of a replacement. `lost`: the object was changed or deleted by somebody else. */
export type Replaced<T> =
  | { readonly kind: "replaced"; readonly object: T }
  | { readonly kind: "lost" };

/** How a write tells its own traces from those of others. */
export interface WriteOptions<T> {
  readonly signal: AbortSignal;
  /** Whether a stored object is the one this write would have made. */
  readonly isOurs: (stored: T) => boolean;
  /** Whether an earlier call began this creation, and its end is not known. */
  readonly mayBeDone?: boolean | undefined;
  /** What of the object a replacement writes; absent: all but a status of its own. */
  readonly part?: "status" | undefined;
}

/** A creation that was refused for good, after a try of which nobody knows what became. */
export class UnsettledFailure extends StoreFailure {}

/** What a settler needs. */
export interface SettlerPorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Every method waits out what passes by itself (no answer, too many requests) until its signal
 * aborts; then it rejects with the signal's reason, and a write may still happen.
 *
 * Each throws `StoreFailure` for a refusal that a repetition would not change.
 */
export class Settler {
  readonly #ports: SettlerPorts;
  readonly #gate = new Gate(CALLS_AT_ONCE);
  readonly #problems = new WeakMap<AbortSignal, StoreError>();
  /** Kinds that the server does not serve, and since when, in monotonic milliseconds. */
  readonly #unservedMs = new Map<string, number>();

  constructor(ports: SettlerPorts) {
    this.#ports = ports;
  }

  /**
   * What the calls with this signal last had to be repeated for, for messages; `undefined` again
   * once such a read was answered.
   */
  problemOf(signal: AbortSignal): string | undefined {
    return this.#problems.get(signal)?.message;
  }

  /** Repeats a read until it is answered; `undefined` if there is no such object. */
  async get<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<T | undefined> {
    const { store } = this.#ports;
    const found = await this.read((options) => store.get(resource, key, options), { signal });
    if (found.ok) return found.value;
    if (found.error.code === "not_found") return undefined;
    throw new StoreFailure(found.error);
  }

  /** As `get`, of a kind that a server may do without: it is not waited for. */
  async find<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Found<T>> {
    const { store } = this.#ports;
    const kind = `${resource.plural}.${resource.group}`;
    const found = await this.read(async (options): Promise<StoreResult<Found<T>>> => {
      const answer = await store.get(resource, key, options);
      if (!answer.ok && isUnserved(answer.error)) return ok(this.#unserved(kind));
      this.#unservedMs.delete(kind);
      return answer.ok ? ok({ kind: "found", object: answer.value }) : answer;
    }, { signal });
    if (found.ok) return found.value;
    if (found.error.code === "not_found") return { kind: "absent" };
    throw new StoreFailure(found.error);
  }

  #unserved(kind: string): Found<never> {
    const nowMs = this.#ports.clock.monotonicMs();
    const sinceMs = this.#unservedMs.get(kind) ?? nowMs;
    this.#unservedMs.set(kind, sinceMs);
    return { kind: "unserved", forMs: nowMs - sinceMs };
  }

  /**
   * Repeats a read until it is answered, be it with a refusal.
   *
   * @param options.timeoutMs `LIST_MS_MAX` for a list of many objects. One that fails rests for up
   *   to as long as it took, so that servers which cannot answer all get fewer questions.
   */
  async read<T>(
    call: (options: {
      readonly signal: AbortSignal;
      readonly timeoutMs: number;
    }) => Promise<StoreResult<T>>,
    { signal, timeoutMs = CALL_MS_MAX }: {
      readonly signal: AbortSignal;
      readonly timeoutMs?: number | undefined;
    },
  ): Promise<StoreResult<T>> {
    const { clock, random } = this.#ports;
    for (let attempt = 0;; attempt++) {
      const begunMs = clock.monotonicMs();
      const result = await this.#gate.pass(() => call({ signal, timeoutMs }), { signal });
      if (result.ok || !passesByItself(result.error)) {
        if (attempt > 0) this.#problems.delete(signal);
        return result;
      }
      const tookMs = clock.monotonicMs() - begunMs;
      const restMs = timeoutMs > CALL_MS_MAX ? tookMs * random.fraction() : 0;
      await this.#pause(attempt, { error: result.error, signal, restMs });
    }
  }

  /** Creates an object. One that was created although the answer was lost is `created`. */
  async create<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    { signal, isOurs, mayBeDone: wasBegun = false }: WriteOptions<T>,
  ): Promise<Created<T>> {
    const { store } = this.#ports;
    const call = { signal, timeoutMs: CALL_MS_MAX };
    let mayBeDone = wasBegun;
    let isLate = false;
    for (let attempt = 0;; attempt++) {
      const result = await this.#gate.pass(() => store.create(resource, object, call), call);
      if (result.ok) return { kind: "created", object: result.value, wasThere: false, isLate };
      if (result.error.code === "already_exists") {
        if (!mayBeDone) return { kind: "exists" };
        const stored = await this.get(resource, keyOf(object), { signal });
        if (stored !== undefined) {
          return isOurs(stored)
            ? { kind: "created", object: stored, wasThere: true, isLate }
            : { kind: "exists" };
        }
        continue; // It was deleted in between: the name is free again.
      }
      isLate ||= isUnknown(result.error);
      mayBeDone ||= isUnknown(result.error);
      if (mayBeDone && !passesByItself(result.error)) throw new UnsettledFailure(result.error);
      await this.#pauseOrThrow(attempt, { error: result.error, signal });
    }
  }

  /** Replaces an object as it was read; what was lost on the way is read back and compared. */
  async replace<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    { signal, isOurs, part }: WriteOptions<T>,
  ): Promise<Replaced<T>> {
    const { store } = this.#ports;
    const call = { signal, timeoutMs: CALL_MS_MAX };
    let mayBeDone = false;
    for (let attempt = 0;; attempt++) {
      const result = await this.#gate.pass(() => {
        return part === "status"
          ? store.replaceStatus(resource, object, call)
          : store.replace(resource, object, call);
      }, call);
      if (result.ok) return { kind: "replaced", object: result.value };
      const { code } = result.error;
      if (code === "not_found") return { kind: "lost" };
      if (code === "conflict") {
        const stored = mayBeDone ? await this.get(resource, keyOf(object), { signal }) : undefined;
        if (stored === undefined || !isOurs(stored)) return { kind: "lost" };
        return { kind: "replaced", object: stored };
      }
      mayBeDone ||= isUnknown(result.error);
      await this.#pauseOrThrow(attempt, { error: result.error, signal });
    }
  }

  /**
   * Deletes exactly this state of this object.
   *
   * @returns `gone`: it is not there any more, by whomever. `changed`: it is there, and not as it
   *   was read, so nothing was done.
   */
  async remove<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<"gone" | "changed"> {
    const { uid, resourceVersion } = object.metadata;
    const preconditions = { uid, resourceVersion };
    const call = { signal, timeoutMs: CALL_MS_MAX, preconditions };
    const { store } = this.#ports;
    for (let attempt = 0;; attempt++) {
      const result = await this.#gate.pass(() => {
        return store.remove(resource, keyOf(object), call);
      }, call);
      if (result.ok || result.error.code === "not_found") return "gone";
      if (result.error.code === "conflict") {
        const stored = await this.get(resource, keyOf(object), { signal });
        return stored === undefined || stored.metadata.uid !== uid ? "gone" : "changed";
      }
      await this.#pauseOrThrow(attempt, { error: result.error, signal });
    }
  }

  async #pauseOrThrow(
    attempt: number,
    options: { readonly error: StoreError; readonly signal: AbortSignal },
  ): Promise<void> {
    if (!passesByItself(options.error)) throw new StoreFailure(options.error);
    await this.#pause(attempt, options);
  }

  #pause(
    attempt: number,
    { error, signal, restMs = 0 }: {
      readonly error: StoreError;
      readonly signal: AbortSignal;
      readonly restMs?: number;
    },
  ): Promise<void> {
    const { clock, random } = this.#ports;
    this.#problems.set(signal, error);
    const ownMs = Math.max(restMs, backoffMs(attempt, { ...RETRY_MS, random }));
    const askedMs = error.code === "throttled" ? error.retryAfterMs : 0;
    return clock.sleep(Math.max(ownMs, askedMs), { signal });
  }
}

/** Whether the same call may be answered otherwise a moment later. */
function passesByItself(error: StoreError): boolean {
  switch (error.code) {
    case "throttled":
    case "unavailable":
    case "timeout":
      return true;
    case "not_found":
    case "already_exists":
    case "conflict":
    case "gone":
    case "invalid":
    case "forbidden":
    case "broken":
      return false;
    default:
      return unreachable(error);
  }
}

function isUnknown(error: StoreError): boolean {
  return (error.code === "unavailable" || error.code === "timeout") && error.outcomeUnknown;
}
