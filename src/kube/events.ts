/** Events of events.k8s.io/v1: told at once, repeated ones joined into a series, never too many. */
import type { Clock } from "../base/clock.ts";
import {
  keyText,
  type ObjectStore,
  type Resource,
  type StoredObject,
  type StoreError,
} from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { asNumber, asRecord, asText, valueAt } from "./json_value.ts";

/** An object that an event speaks of. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for a cluster-scoped object; its events go to `default`. */
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
}

/** An event as it is stored. Times are RFC 3339 with microseconds. */
export interface KubeEvent extends StoredObject {
  readonly eventTime?: string | undefined;
  readonly reportingController?: string | undefined;
  readonly reportingInstance?: string | undefined;
  readonly action?: string | undefined;
  readonly reason?: string | undefined;
  readonly regarding?: ObjectReference | undefined;
  readonly related?: ObjectReference | undefined;
  readonly note?: string | undefined;
  readonly type?: string | undefined;
  /** How often after the first, and when last. */
  readonly series?: { readonly count: number; readonly lastObservedTime: string } | undefined;
}

/** The kind of events. */
export const EVENTS: Resource<KubeEvent> = {
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
  hasStatus: false,
  columns: [],
  view: "full",
  parse: parseEvent,
};

/** What happened. */
export interface Happening {
  readonly type: "Normal" | "Warning";
  /** One word, `UpperCamelCase`: what happened. Together with the rest it tells repetitions. */
  readonly reason: string;
  /** One word: what was done or tried. */
  readonly action: string;
  /** A sentence for people; at most 1 kB is kept. */
  readonly note: string;
  readonly regarding: ObjectReference;
  readonly related?: ObjectReference | undefined;
}

/** What a recorder is made of. */
export interface EventRecorderOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Domain of the program: `spidernet.io/spiderpool-controller`. */
  readonly controller: string;
  /** Pod name or host: which instance. At most 128 bytes. */
  readonly instance: string;
}

/** Milliseconds after its last repetition at which a series is over. */
const SERIES_END_MS = 360_000;
/** Milliseconds between two writes of one series. */
const SERIES_WRITE_MS = 60_000;
/** Different happenings remembered; the one that was quiet longest is forgotten first. */
const SERIES_MAX = 1_000;
/** Events of one object: this many at once, then one in so many milliseconds. */
const BURST = 25;
const REFILL_MS = 30_000;
/** Writes that wait; further ones are dropped and counted. */
const WRITES_MAX = 200;
/** Bytes of a note, as the API allows. */
const NOTE_BYTES_MAX = 1_024;
const WRITE_TIMEOUT_MS = 10_000;

interface Series {
  /** As it is stored, once that is known. */
  stored: KubeEvent | undefined;
  readonly happening: Happening;
  readonly firstTime: string;
  count: number;
  lastMs: number;
  lastTime: string;
  writtenMs: number;
  writtenCount: number;
  isQueued: boolean;
}

/** Tokens of one object, by the time at which the bucket would be full again. */
type Budget = Map<string, number>;

/**
 * Records events. `record` never waits and never fails; `run` writes them. An event that repeats
 * within six minutes is one object with a count, written once a minute at most; one object gets 25
 * events at once and then two a minute. What is over the bounds is dropped and counted.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #budget: Budget = new Map();
  readonly #queue: Series[] = [];
  #wake = Promise.withResolvers<void>();
  #droppedCount = 0;
  #error: StoreError | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Events that were not written because there were too many. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Why the last write failed, until one goes well again. */
  get error(): StoreError | undefined {
    return this.#error;
  }

  /** Notes a happening; it is written soon. */
  record(happening: Happening): void {
    const nowMs = this.#options.clock.monotonicMs();
    const key = seriesKey(happening);
    const known = this.#series.get(key);
    const time = this.#now();
    if (known !== undefined && nowMs - known.lastMs < SERIES_END_MS) {
      known.count++;
      known.lastMs = nowMs;
      known.lastTime = time;
      this.#series.delete(key); // Newest last.
      this.#series.set(key, known);
      if (nowMs - known.writtenMs >= SERIES_WRITE_MS) this.#enqueue(known);
      return;
    }
    if (!this.#spend(happening, nowMs)) {
      this.#droppedCount++;
      return;
    }
    const series: Series = {
      stored: undefined,
      happening,
      firstTime: time,
      count: 1,
      lastMs: nowMs,
      lastTime: time,
      writtenMs: nowMs,
      writtenCount: 0,
      isQueued: false,
    };
    this.#series.delete(key);
    this.#series.set(key, series);
    if (this.#series.size > SERIES_MAX) {
      for (const [oldest] of this.#series) {
        this.#series.delete(oldest);
        break;
      }
    }
    this.#enqueue(series);
  }

  /**
   * Writes events until the signal aborts. A write that fails is dropped: events are news, and the
   * state that they speak of is told by other means.
   *
   * @throws The signal's reason.
   */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    const abort = (): void => this.#wake.resolve();
    signal.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        const series = this.#queue.shift();
        if (series === undefined) {
          await this.#waitForMore({ signal });
          continue;
        }
        series.isQueued = false;
        await this.#write(series, { signal });
      }
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Writes what is not written yet, and ends: for a program that ends itself, instead of `run`. */
  async flush({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for (let one = this.#queue.shift(); one !== undefined; one = this.#queue.shift()) {
      one.isQueued = false;
      await this.#write(one, { signal });
    }
  }

  /** Waits for a new event, or until the counts of running series are due to be written. */
  async #waitForMore({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { clock } = this.#options;
    const sleeping = new AbortController();
    const slept = clock.sleep(SERIES_WRITE_MS, { signal: sleeping.signal }).catch(() => {});
    await Promise.race([this.#wake.promise, slept]);
    sleeping.abort();
    if (signal.aborted) return;
    this.#wake = Promise.withResolvers();
    const nowMs = clock.monotonicMs();
    for (const [key, series] of this.#series) {
      const isDue = nowMs - series.writtenMs >= SERIES_WRITE_MS;
      if (series.count > series.writtenCount && isDue) this.#enqueue(series);
      else if (nowMs - series.lastMs >= SERIES_END_MS) this.#series.delete(key);
    }
    for (const [key, fullMs] of this.#budget) if (fullMs <= nowMs) this.#budget.delete(key);
  }

  async #write(series: Series, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { store, clock } = this.#options;
    const options = { signal, timeoutMs: WRITE_TIMEOUT_MS };
    series.writtenMs = clock.monotonicMs();
    const { count } = series;
    const written = series.stored === undefined
      ? await store.create(EVENTS, this.#fresh(series), options)
      : await store.replace(EVENTS, counted(series.stored, series), options);
    if (written.ok) {
      series.stored = written.value;
      series.writtenCount = count;
      this.#error = undefined;
      return;
    }
    this.#error = written.error;
    series.writtenCount = count;
    // Expired on the server, or changed by someone: the next repetition begins a new object.
    const { code } = written.error;
    if (code === "not_found" || code === "conflict") series.stored = undefined;
  }

  #enqueue(series: Series): void {
    if (series.isQueued) return;
    if (this.#queue.length >= WRITES_MAX) {
      this.#droppedCount++;
      return;
    }
    series.isQueued = true;
    this.#queue.push(series);
    this.#wake.resolve();
  }

  /** Takes one of an object's tokens: a bucket of `BURST` that fills by one each `REFILL_MS`. */
  #spend({ regarding }: Happening, nowMs: number): boolean {
    const key = `${regarding.kind} ${keyText(regarding)} ${regarding.uid ?? ""}`;
    const fullMs = Math.max(this.#budget.get(key) ?? nowMs, nowMs) + REFILL_MS;
    if (fullMs - nowMs > BURST * REFILL_MS) return false;
    this.#budget.set(key, fullMs);
    if (this.#budget.size > SERIES_MAX) {
      for (const [oldest] of this.#budget) {
        this.#budget.delete(oldest);
        break;
      }
    }
    return true;
  }

  #fresh(series: Series): KubeEvent {
    const { controller, instance, random } = this.#options;
    const { happening, firstTime } = series;
    const { regarding } = happening;
    const unique = random.bigBelow(1n << 64n).toString(16).padStart(16, "0");
    const event: KubeEvent = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: {
        name: `${regarding.name.slice(0, 200)}.${unique}`,
        namespace: regarding.namespace ?? "default",
      },
      eventTime: firstTime,
      reportingController: controller,
      reportingInstance: cut(instance, 128),
      action: cut(happening.action, 128),
      reason: cut(happening.reason, 128),
      type: happening.type,
      note: cut(happening.note, NOTE_BYTES_MAX),
      regarding,
      ...(happening.related !== undefined && { related: happening.related }),
    };
    return series.count > 1 ? counted(event, series) : event;
  }

  #now(): string {
    return `${new Date(this.#options.clock.nowMs()).toISOString().slice(0, -1)}000Z`;
  }
}

function counted(event: KubeEvent, { count, lastTime }: Series): KubeEvent {
  return { ...event, series: { count, lastObservedTime: lastTime } };
}

/** What tells one happening from another; the note's wording does not. */
function seriesKey({ type, reason, action, regarding, related }: Happening): string {
  const of = (object: ObjectReference | undefined): string =>
    object === undefined ? "" : `${object.kind} ${keyText(object)} ${object.uid ?? ""}`;
  return [type, reason, action, of(regarding), of(related)].join("\n");
}

/** At most so many bytes of UTF-8, cut between characters. */
function cut(text: string, bytesMax: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= bytesMax) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, bytesMax - 3)).replace(/\uFFFD$/, "")}…`;
}

function parseEvent(value: unknown): Result<KubeEvent, string> {
  const record = asRecord(value);
  const name = asText(valueAt(record, ["metadata", "name"]));
  if (record === undefined || name === undefined) return err("metadata.name is missing");
  const { series, regarding, related, metadata, ...rest } = record;
  const count = asNumber(valueAt(series, ["count"]));
  const lastObservedTime = asText(valueAt(series, ["lastObservedTime"]));
  return ok({
    ...rest,
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { ...asRecord(metadata), name },
    eventTime: asText(record["eventTime"]),
    reportingController: asText(record["reportingController"]),
    reportingInstance: asText(record["reportingInstance"]),
    action: asText(record["action"]),
    reason: asText(record["reason"]),
    note: asText(record["note"]),
    type: asText(record["type"]),
    regarding: parseReference(regarding),
    related: parseReference(related),
    ...(count !== undefined && lastObservedTime !== undefined && {
      series: { count, lastObservedTime },
    }),
  });
}

function parseReference(value: unknown): ObjectReference | undefined {
  const record = asRecord(value);
  if (record === undefined) return undefined;
  return {
    ...record,
    apiVersion: asText(record["apiVersion"]) ?? "",
    kind: asText(record["kind"]) ?? "",
    name: asText(record["name"]) ?? "",
    namespace: asText(record["namespace"]),
    uid: asText(record["uid"]),
  };
}
