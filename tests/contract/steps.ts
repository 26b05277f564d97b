/** What the cases are written with: objects, calls that must succeed, and a reader of watches. */
import assert from "node:assert/strict";
import type {
  CallOptions,
  ListOptions,
  ObjectKey,
  ObjectList,
  ObjectStore,
  Resource,
  StoredObject,
  StoreError,
  StoreResult,
  WatchEvent,
  WatchOptions,
} from "../../src/base/object_store.ts";
import { keyText } from "../../src/base/object_store.ts";
import { hangLimit } from "../support/hang_limit.ts";
import type { Harness } from "./harness.ts";
import { type Plot, PLOTS, type Thing, THINGS } from "./kinds.ts";

/** The harness of a case, with a signal that ends it only if it is stuck. */
export interface Stage extends Disposable {
  readonly harness: Harness;
  /** Asked anew each time: it changes when the server restarts. */
  readonly store: ObjectStore;
  readonly namespace: string;
  readonly options: CallOptions;
}

/**
 * Sets the stage; hold it with `using`.
 *
 * @param options.hangMs For a case that waits for what a server does by its own clock.
 */
export function setStage(
  harness: Harness,
  { hangMs }: { readonly hangMs?: number } = {},
): Stage {
  const limit = hangLimit(hangMs);
  return {
    harness,
    get store() {
      return harness.store;
    },
    namespace: harness.namespaces[0],
    options: { signal: limit.signal, timeoutMs: 60_000 },
    [Symbol.dispose]: () => limit[Symbol.dispose](),
  };
}

/** What a test says of a thing; the rest is as the API wants it. */
export interface ThingWish {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: Thing["spec"] & Readonly<Record<string, unknown>>;
  readonly status?: Thing["status"];
}

/** A `Thing` that is not stored yet, in the first namespace of the harness. */
export function thing({ namespace }: Stage, name: string, wish: ThingWish = {}): Thing {
  return {
    apiVersion: "contract.spidernet.io/v1",
    kind: "Thing",
    ...wish,
    metadata: { name, namespace, ...wish.metadata },
  };
}

/** A `Plot` that is not stored yet. */
export function plot({ harness }: Stage, name: string, wish: Partial<Plot> = {}): Plot {
  return {
    apiVersion: "contract.spidernet.io/v1",
    kind: "Plot",
    ...wish,
    metadata: { ...wish.metadata, name: `${harness.prefix}-${name}` },
  };
}

/** The value of an answer that must not be a refusal. */
export function must<T>(result: StoreResult<T>): T {
  if (!result.ok) assert.fail(`refused with ${result.error.code}: ${result.error.message}`);
  return result.value;
}

/** The refusal of an answer that must be one, with this code and a message. */
export function refusal<T>(result: StoreResult<T>, code: StoreError["code"]): StoreError {
  if (result.ok) assert.fail(`${code} was expected, not ${JSON.stringify(result.value)}`);
  assert.equal(result.error.code, code, result.error.message);
  assert.ok(result.error.message.length > 0, "a refusal says why");
  return result.error;
}

/** Creates a thing. */
export async function createThing(stage: Stage, name: string, wish?: ThingWish): Promise<Thing> {
  return must(await stage.store.create(THINGS, thing(stage, name, wish), stage.options));
}

/** Reads a thing by name. */
export async function getThing(stage: Stage, name: string): Promise<Thing> {
  return must(await stage.store.get(THINGS, keyIn(stage, name), stage.options));
}

/** Replaces a thing by what `change` makes of it. */
export async function replaceThing(
  stage: Stage,
  object: Thing,
  change: Partial<Thing>,
): Promise<Thing> {
  return must(await stage.store.replace(THINGS, { ...object, ...change }, stage.options));
}

/** Key of a thing. */
export function keyIn({ namespace }: Stage, name: string): ObjectKey {
  return { namespace, name };
}

/** Lists the things of the first namespace, or what `options` says of the selection. */
export async function listThings(
  stage: Stage,
  options: Partial<ListOptions> = {},
): Promise<ObjectList<Thing>> {
  const { namespace } = stage;
  return must(await stage.store.list(THINGS, { namespace, ...stage.options, ...options }));
}

/** Creates a plot. */
export async function createPlot(stage: Stage, name: string, wish?: Partial<Plot>): Promise<Plot> {
  return must(await stage.store.create(PLOTS, plot(stage, name, wish), stage.options));
}

/** Names of objects, in the order given. */
export function names(objects: readonly StoredObject[]): string[] {
  return objects.map(({ metadata }) => metadata.name);
}

/** `namespace/name@resourceVersion`: what makes one state of one object. */
export function stateText({ metadata }: StoredObject): string {
  return `${keyText(metadata)}@${metadata.resourceVersion}`;
}

/** An open watch, read event by event. Bookmarks are skipped unless they are asked for. */
export interface WatchReader<T extends StoredObject> extends AsyncDisposable {
  next(): Promise<WatchEvent<T>>;
  /** The next event that is a change, with its object. */
  change(): Promise<{ readonly type: string; readonly object: T }>;
  /** The next `count` changes as `type name`. */
  changes(count: number): Promise<string[]>;
  bookmark(): Promise<string>;
}

/** Opens a watch and reads it; hold it with `await using`. */
export function readWatch<T extends StoredObject>(
  stage: Stage,
  resource: Resource<T>,
  options: Partial<WatchOptions> = {},
): WatchReader<T> {
  const closing = new AbortController();
  const signal = AbortSignal.any([closing.signal, stage.options.signal]);
  const scope = resource.namespaced ? { namespace: stage.namespace } : {};
  const events = stage.store.watch(resource, { ...scope, ...options, signal })
    [Symbol.asyncIterator]();
  async function any(): Promise<WatchEvent<T>> {
    const { done, value } = await events.next();
    if (done === true) assert.fail("the watch ended");
    return value;
  }
  async function next(): Promise<WatchEvent<T>> {
    for (;;) {
      const event = await any();
      if (event.type !== "bookmark") return event;
    }
  }
  async function change(): Promise<{ readonly type: string; readonly object: T }> {
    const event = await next();
    if (event.type === "added" || event.type === "modified" || event.type === "deleted") {
      return event;
    }
    return assert.fail(`a change was expected, not ${JSON.stringify(event)}`);
  }
  return {
    next,
    change,
    changes: async (count) => {
      const texts: string[] = [];
      while (texts.length < count) {
        const { type, object } = await change();
        texts.push(`${type} ${object.metadata.name}`);
      }
      return texts;
    },
    bookmark: async () => {
      for (;;) {
        const event = await any();
        if (event.type === "bookmark") return event.resourceVersion;
      }
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error("the reader closed"));
      await events.return?.();
    },
  };
}
