/** A program's connection to the simulated API server: `ObjectStore` as it is on bad days. */
import { STORE_CALL_MS } from "../../src/base/limits.ts";
import {
  type BrokenObject,
  type CallOptions,
  type GetOptions,
  keyOf,
  keyText,
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
  type StoreResult,
  type WatchEvent,
  type WatchOptions,
} from "../../src/base/object_store.ts";
import { ok } from "../../src/base/result.ts";
import type { WriteRequest } from "../../src/store/decide.ts";
import type { RawPage } from "../../src/store/listing.ts";
import { readAs, rowOf, viewOf } from "../../src/store/view.ts";
import { ApiRequest, type Fate, FATES } from "./api_request.ts";
import { type ApiServer, REPLICAS } from "./api_server.ts";
import { ApiWatch } from "./api_watch.ts";
import type { Connection } from "./api_connection.ts";
import type { Dice } from "./dice.ts";
import type { Faults } from "./faults.ts";
import type { Life } from "./life.ts";
import { EPOCH_MS } from "./scheduler.ts";

/** The network of a machine. */
export interface Link {
  /** Whether nothing gets through. */
  isCut: boolean;
}

/**
 * What a program's store is. After the end of its life nothing is answered any more, and nothing
 * new is sent; what was sent may still happen.
 */
export class ApiClient implements ObjectStore, Connection {
  readonly server: ApiServer;
  readonly life: Life;
  readonly name: string;
  readonly dice: Dice;
  readonly #link: Link;
  #replica: number;
  #serverTimeMs: number | undefined;

  constructor(
    server: ApiServer,
    { life, name, dice, link }: {
      readonly life: Life;
      readonly name: string;
      readonly dice: Dice;
      readonly link: Link;
    },
  ) {
    this.server = server;
    this.life = life;
    this.name = name;
    this.dice = dice;
    this.#link = link;
    this.#replica = dice.between(0, REPLICAS - 1);
  }

  get faults(): Faults {
    return this.server.faults;
  }

  get isCutOff(): boolean {
    return this.#link.isCut;
  }

  /** The server behind the next connection: most often the one of the last. */
  replicaOfConnection(): number {
    if (this.dice.chance(0.1)) this.#replica = this.dice.between(0, REPLICAS - 1);
    return this.#replica;
  }

  /** An answer came: its `Date` header has whole seconds. */
  heard(nowMs: number): void {
    this.#serverTimeMs = Math.floor((EPOCH_MS + nowMs) / 1_000) * 1_000;
  }

  serverTimeMs(): number | undefined {
    return this.#serverTimeMs;
  }

  get<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: GetOptions,
  ): Promise<StoreResult<T>> {
    const what = `get ${resource.plural} ${keyText(key)}`;
    return this.#read(resource, { what, options }, (at) => {
      const got = this.server.engine.get(resource, { key, at });
      return got.ok ? readAs(resource, got.value) : got;
    });
  }

  list<T extends StoredObject>(
    resource: Resource<T>,
    options: ListOptions,
  ): Promise<StoreResult<ObjectList<T>>> {
    return this.#read(resource, { what: listText("list", resource, options), options }, (at) => {
      const page = this.#page(resource, options, at);
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
    return this.#read(resource, { what: listText("rows", resource, options), options }, (at) => {
      const page = this.#page(resource, options, at);
      if (!page.ok) return page;
      const columns = rowColumns(resource, options);
      const rows = page.value.objects.map((object) => rowOf(object, columns));
      return ok({ rows, ...placeOf(page.value) });
    });
  }

  watch<T extends StoredObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>> {
    return new ApiWatch(this, { server: this.server, resource, options }).events();
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
    { signal: _signal, timeoutMs: _timeoutMs, ...wish }: RemoveOptions,
  ): Promise<StoreResult<"removed" | "terminating">> {
    const request: WriteRequest = { operation: "remove", kind: resource, key, wish };
    const what = `remove ${resource.plural} ${keyText(key)}`;
    const options = { signal: _signal, timeoutMs: _timeoutMs };
    return this.#send({ what, options, isWrite: true }, () => {
      const done = this.server.write(this.name, request);
      if (!done.ok) return done;
      return ok(done.value.effect === "delete" ? "removed" : "terminating");
    });
  }

  #write<T extends StoredObject>(
    resource: Resource<T>,
    { operation, object }: {
      readonly operation: "create" | "replace" | "replace_status";
      readonly object: T;
    },
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    const copy: StoredObject = structuredClone({ ...object }); // The body is sent as it is now.
    const what = `${operation} ${resource.plural} ${keyText(keyOf(object))}`;
    return this.#send({ what, options, isWrite: true }, () => {
      const request = { operation, kind: resource, object: copy };
      const done = this.server.write(this.name, request);
      return done.ok ? readAs(resource, done.value.object) : done;
    });
  }

  #page<T extends StoredObject>(
    resource: Resource<T>,
    { notOlderThan: _fresh, ...options }: ListOptions,
    at: number | undefined,
  ): StoreResult<RawPage> {
    return this.server.engine.list(resource, { ...options, at });
  }

  #read<T extends StoredObject, R>(
    resource: Resource<T>,
    { what, options }: { readonly what: string; readonly options: GetOptions },
    body: (at: number | undefined) => StoreResult<R>,
  ): Promise<StoreResult<R>> {
    const { notOlderThan } = options;
    const how = notOlderThan === undefined ? "" : ` not older than ${notOlderThan}`;
    return this.#send({ what: `${what}${how}`, options, isWrite: false, resource }, body);
  }

  #send<R>(
    { what, options, isWrite, resource }: {
      readonly what: string;
      readonly options: CallOptions & { readonly notOlderThan?: string | undefined };
      readonly isWrite: boolean;
      readonly resource?: Resource<StoredObject> | undefined;
    },
    body: (at: number | undefined) => StoreResult<R>,
  ): Promise<StoreResult<R>> {
    const { signal, timeoutMs = STORE_CALL_MS, notOlderThan } = options;
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      if (!this.life.isAlive) return;
      const tell = (state: "sent" | "heard_done"): void => {
        if (isWrite) this.server.seenByClient({ actor: this.name, what, state });
      };
      tell("sent");
      const request = new ApiRequest<R>(this, {
        what,
        isWrite,
        body,
        fate: this.#fate({ isWrite }),
        cached: notOlderThan === undefined || resource === undefined
          ? undefined
          : { kind: resource, notOlderThan, replica: this.replicaOfConnection() },
      });
      request.send({
        resolve: (result) => {
          if (result.ok) tell("heard_done");
          resolve(result);
        },
        reject,
        signal,
        timeoutMs,
      });
    });
  }

  #fate({ isWrite }: { readonly isWrite: boolean }): Fate {
    const { faults, dice } = this;
    if (this.#link.isCut) return dice.chance(0.1) ? "lost_answer" : "lost_request";
    for (const fate of FATES) {
      const share = shareOf(fate, faults);
      if (share > 0 && dice.chance(share)) {
        return fate === "late_commit" && !isWrite ? "lost_answer" : fate;
      }
    }
    return "fine";
  }
}

function shareOf(fate: Fate, faults: Faults): number {
  switch (fate) {
    case "refused":
      return faults.refused;
    case "lost_request":
      return faults.lostRequest;
    case "lost_answer":
      return faults.lostAnswer;
    case "late_commit":
      return faults.lateCommit;
    case "gateway_timeout":
      return faults.gatewayTimeout;
    case "throttled":
      return faults.throttled;
    case "forbidden":
      return faults.forbidden;
    case "invalid":
      return faults.invalid;
    case "fine":
      return 0;
  }
}

function placeOf(
  { revision, continuation }: RawPage,
): { readonly resourceVersion: string; readonly continuation?: string } {
  const place = { resourceVersion: String(revision) };
  return continuation === undefined ? place : { ...place, continuation };
}

function listText(
  verb: string,
  { plural }: { readonly plural: string },
  { namespace, labelSelector, fieldSelector }: ListOptions,
): string {
  const words = [namespace, labelSelector, fieldSelector].filter((word) => word !== undefined);
  return [verb, plural, ...words].join(" ");
}
