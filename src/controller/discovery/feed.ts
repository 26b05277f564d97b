/** Objects of a kind that the server may not have, may have later, or has in another version. */
import { LIST_PAGE_OBJECTS } from "../../base/limits.ts";
import {
  isUnserved,
  type Resource,
  type Selection,
  type StoredObject,
  type StoreError,
} from "../../base/object_store.ts";
import { orAborted, runTogether } from "../../base/waiting.ts";
import { backoffMs, CALL_MS_MAX, Informer } from "../../kube/mod.ts";
import type { EnginePorts } from "../engine_ports.ts";
import type { Told } from "./found.ts";

/** Milliseconds before it is looked again whether the server has a kind; they double. */
const RELOOK_MS = { leastMs: 2_000, mostMs: 60_000 };

/** What a feed is made of. */
export interface FeedOptions<T extends StoredObject> {
  readonly ports: Pick<EnginePorts, "store" | "clock" | "random">;
  /** The kind in every version that is understood, the best one first. */
  readonly versions: readonly Resource<T>[];
  readonly selection?: Selection | undefined;
  /** Called when `ask` may answer otherwise than before. */
  readonly changed: () => void;
}

/** A copy that is kept from the first question on. */
export class Feed<T extends StoredObject> {
  readonly #options: FeedOptions<T>;
  readonly #asked = Promise.withResolvers<void>();
  #informer: Informer<T> | undefined;
  #absence: Told<T> = { kind: "pending" };

  constructor(options: FeedOptions<T>) {
    this.#options = options;
  }

  /** What the server has told so far. */
  ask(): Told<T> {
    this.#asked.resolve();
    const informer = this.#informer;
    if (informer === undefined) return this.#absence;
    if (!informer.hasSynced) return { kind: "pending" };
    const broken = [...informer.brokenObjects()];
    return { kind: "there", objects: [...informer.objects()], broken };
  }

  /** Keeps the copy, once somebody has asked, until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    await orAborted(this.#asked.promise, { signal });
    const { clock, random } = this.#options.ports;
    for (let failures = 0;; failures++) {
      const served = await this.#served({ signal });
      if (served !== undefined) {
        failures = 0;
        await this.#follow(served, { signal });
      }
      await clock.sleep(backoffMs(failures, { ...RELOOK_MS, random }), { signal });
    }
  }

  /** The first version that the server lists. */
  async #served(
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Resource<T> | undefined> {
    const { ports: { store }, versions, selection } = this.#options;
    const reasons: string[] = [];
    for (const resource of versions) {
      const call = { ...selection, limit: LIST_PAGE_OBJECTS, notOlderThan: "0", signal };
      const listed = await store.list(resource, { ...call, timeoutMs: CALL_MS_MAX });
      if (listed.ok) return resource;
      // Of anything else nobody knows what it means: what was known stays so.
      if (!isAbsence(listed.error)) return undefined;
      reasons.push(absenceText(resource, listed.error));
    }
    this.#absence = { kind: "absent", why: reasons[0] ?? "nobody knows the kind" };
    this.#options.changed();
    return undefined;
  }

  /** Keeps the copy as long as the server has the kind in this version. */
  async #follow(
    resource: Resource<T>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { ports: { store, clock, random }, selection, changed } = this.#options;
    const informer = new Informer(store, resource, { clock, random, selection });
    this.#informer = informer;
    const unserved = new Error("The server has the kind no more");
    try {
      await runTogether([
        (options) => informer.run(options),
        async (options) => {
          for await (const _event of informer.events(options)) changed();
        },
        async (options) => {
          do await clock.sleep(RELOOK_MS.mostMs, options); while (
            !isWithoutKind(informer.status())
          );
          throw unserved;
        },
      ], { signal });
    } catch (error) {
      if (error !== unserved) throw error;
    }
    this.#informer = undefined;
    this.#absence = { kind: "pending" };
  }
}

function isWithoutKind({ error }: { readonly error: StoreError | undefined }): boolean {
  return error !== undefined && isUnserved(error);
}

function isAbsence(error: StoreError): boolean {
  return error.code === "forbidden" || isUnserved(error);
}

function absenceText({ kind, group, version }: Resource<StoredObject>, error: StoreError): string {
  return isUnserved(error)
    ? `the server has no kind ${kind} of ${group}/${version}`
    : error.message;
}
