/** Random sequences of store operations for property tests, and what performs them. */
import fc from "fast-check";
import { CONTRACT_GROUP, type Thing, THINGS } from "../contract/kinds.ts";
import type { ObjectStore, StoreResult } from "../../src/base/object_store.ts";

/** Which state of an object a write is based on. */
export type Base = "current" | "first" | "none";

/** One operation on one of a few names. */
export type Operation =
  | {
    readonly do: "create";
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly finalizers: readonly string[];
    readonly size: number;
  }
  | {
    readonly do: "replace";
    readonly name: string;
    readonly base: Base;
    /** What differs from the base; `nothing`: a write that changes nothing. */
    readonly edit: "spec" | "labels" | "finalizers" | "release" | "nothing";
    readonly labels: Readonly<Record<string, string>>;
    readonly size: number;
  }
  | { readonly do: "status"; readonly name: string; readonly base: Base; readonly phase: string }
  | {
    readonly do: "remove";
    readonly name: string;
    readonly base: Base;
    /** Preconditions: both, or the uid alone. */
    readonly by: "uid_and_version" | "uid";
    readonly propagation: "Background" | "Foreground" | "Orphan" | undefined;
  }
  | { readonly do: "compact"; readonly keep: number };

/** The finalizer that operations add and take. */
export const FINALIZER = "contract.spidernet.io/kept";

const name = fc.constantFrom("a", "b", "b.c", "b-c", "d");
const labels = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  { in: "1" },
  { in: "0" },
  { in: "1", tier: "x" },
  { tier: "x" },
);
const base = fc.constantFrom<Base>("current", "current", "current", "first", "none");
const size = fc.integer({ min: 0, max: 3 });

/** Operations in proportions that make most of them meet an object. */
export const operations: fc.Arbitrary<readonly Operation[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("create" as const),
        name,
        labels,
        finalizers: fc.constantFrom<readonly string[]>([], [], [FINALIZER]),
        size,
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("replace" as const),
        name,
        base,
        edit: fc.constantFrom("spec", "labels", "finalizers", "release", "nothing"),
        labels,
        size,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("status" as const),
        name,
        base,
        phase: fc.constantFrom("Ready", "Lost"),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("remove" as const),
        name,
        base,
        by: fc.constantFrom("uid_and_version", "uid"),
        propagation: fc.constantFrom(undefined, undefined, "Background", "Foreground", "Orphan"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("compact" as const), keep: fc.nat({ max: 8 }) }),
    },
  ),
  { maxLength: 60, size: "max" },
);

/** Performs operations on one store, remembering the first state of each name that it saw. */
export class Performer {
  readonly #store: ObjectStore;
  readonly #namespace: string;
  readonly #signal: AbortSignal;
  readonly #compact: (keep: number) => void;
  readonly #first = new Map<string, Thing>();

  /** @param options.compact Forgets all changes but the newest `keep`; absent: nothing happens. */
  constructor(
    store: ObjectStore,
    { namespace, signal, compact = () => {} }: {
      readonly namespace: string;
      readonly signal: AbortSignal;
      readonly compact?: (keep: number) => void;
    },
  ) {
    this.#store = store;
    this.#namespace = namespace;
    this.#signal = signal;
    this.#compact = compact;
  }

  /** The object that an operation is based on, as its caller holds it. */
  async heldFor(operation: Operation): Promise<Thing> {
    const made = this.#thing("name" in operation ? operation.name : "");
    if (!("base" in operation) || operation.base === "none") return made;
    if (operation.base === "first") return this.#first.get(operation.name) ?? made;
    const got = await this.#store.get(THINGS, made.metadata, { signal: this.#signal });
    return got.ok ? got.value : made;
  }

  async perform(
    operation: Operation,
    held: Thing,
  ): Promise<StoreResult<Thing | "removed" | "terminating"> | undefined> {
    const signal = this.#signal;
    const object = wanted(operation, held);
    switch (operation.do) {
      case "create":
        return this.#remember(await this.#store.create(THINGS, object, { signal }));
      case "replace":
        return await this.#store.replace(THINGS, object, { signal });
      case "status":
        return await this.#store.replaceStatus(THINGS, object, { signal });
      case "remove": {
        const { uid, resourceVersion, namespace, name } = held.metadata;
        const { propagation } = operation;
        const preconditions = operation.by === "uid" ? { uid } : { uid, resourceVersion };
        const options = { signal, preconditions, propagation };
        return await this.#store.remove(THINGS, { namespace, name }, options);
      }
      case "compact":
        this.#compact(operation.keep);
        return undefined;
    }
  }

  #thing(name: string): Thing {
    const metadata = { name, namespace: this.#namespace };
    return { apiVersion: `${CONTRACT_GROUP}/v1`, kind: THINGS.kind, metadata };
  }

  #remember(answer: StoreResult<Thing>): StoreResult<Thing> {
    if (answer.ok && !this.#first.has(answer.value.metadata.name)) {
      this.#first.set(answer.value.metadata.name, answer.value);
    }
    return answer;
  }
}

/** What the caller of an operation asks to be stored. */
export function wanted(operation: Operation, held: Thing): Thing {
  switch (operation.do) {
    case "create": {
      const { labels, finalizers, size } = operation;
      const metadata = { ...held.metadata, labels, finalizers };
      return { ...held, metadata, spec: { size }, status: { phase: "Ignored" } };
    }
    case "replace": {
      const { metadata } = held;
      if (operation.edit === "nothing") return held;
      if (operation.edit === "spec") return { ...held, spec: { size: operation.size } };
      const edited = operation.edit === "labels"
        ? { ...metadata, labels: operation.labels }
        : { ...metadata, finalizers: operation.edit === "release" ? [] : [FINALIZER] };
      return { ...held, metadata: edited, status: { phase: "Ignored" } };
    }
    case "status":
      return { ...held, spec: { size: 99 }, status: { phase: operation.phase } };
    case "remove":
    case "compact":
      return held;
  }
}
