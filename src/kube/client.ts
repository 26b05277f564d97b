/** The API server as an `ObjectStore`. */
import { assert } from "../base/assert.ts";
import {
  type BrokenObject,
  type CallOptions,
  type GetOptions,
  keyOf,
  type ListOptions,
  type ObjectKey,
  type ObjectList,
  type ObjectRow,
  type ObjectRows,
  type ObjectStore,
  type RemoveOptions,
  type Resource,
  rowColumns,
  type RowOptions,
  type StoredObject,
  type StoreError,
  type StoreResult,
  type WatchEvent,
  type WatchOptions,
} from "../base/object_store.ts";
import { OBJECT_BYTES_MAX } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { err, ok } from "../base/result.ts";
import { asList, asNumber, asRecord, asText, isRecord, valueAt } from "./json_value.ts";
import {
  collectionPath,
  objectPath,
  queryOf,
  sayObject,
  saySelection,
  selectorsOf,
} from "./paths.ts";
import { TableReader } from "./table_reader.ts";
import type { Transport } from "./transport.ts";
import { watchEvents } from "./watch.ts";
import {
  acceptOf,
  cellText,
  keyOfRaw,
  readObject,
  TABLE_ACCEPT,
  versionOfRaw,
} from "./wire_object.ts";

const JSON_ACCEPT = "application/json";

/** The third store of design.md 3. It keeps nothing: every call is a request. */
export class KubeStore implements ObjectStore {
  readonly #transport: Transport;
  readonly #random: Random;

  /** @param options.random Spreads the ends of watches, so that they do not all come at once. */
  constructor(transport: Transport, { random }: { readonly random: Random }) {
    this.#transport = transport;
    this.#random = random;
  }

  serverTimeMs(): number | undefined {
    return this.#transport.serverTimeMs();
  }

  async get<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: GetOptions,
  ): Promise<StoreResult<T>> {
    const what = `get ${sayObject(resource, key)}`;
    const query = queryOf({ resourceVersion: options.notOlderThan });
    const reply = await this.#transport.call({
      method: "GET",
      path: objectPath(resource, key) + query,
      accept: acceptOf(resource, { list: false }),
      what,
    }, options);
    return reply.ok ? parsed(resource, reply.value) : reply;
  }

  async list<T extends StoredObject>(
    resource: Resource<T>,
    options: ListOptions,
  ): Promise<StoreResult<ObjectList<T>>> {
    const reply = await this.#listRaw(resource, options);
    if (!reply.ok) return reply;
    const items: T[] = [];
    const broken: BrokenObject[] = [];
    for (const raw of asList(asRecord(reply.value)?.["items"])) {
      const object = readObject(resource, raw);
      if (object.ok) items.push(object.value);
      else broken.push(object.error);
    }
    return ok({ items, broken, ...pageOf(reply.value) });
  }

  async listRows<T extends StoredObject>(
    resource: Resource<T>,
    options: RowOptions,
  ): Promise<StoreResult<ObjectRows>> {
    const { namespace } = options;
    const columns = rowColumns(resource, options);
    // Of a namespaced kind the names alone do not say the namespace; its metadata does.
    const named = !resource.namespaced || namespace !== undefined;
    const includeObject = named ? "None" : "Metadata";
    let read: TableReader | undefined;
    const reply = await this.#transport.call({
      method: "GET",
      path: collectionPath(resource, namespace) + listQuery(options, { includeObject }),
      accept: TABLE_ACCEPT,
      what: `list rows of ${saySelection(resource, options)}`,
      reader: () => read = new TableReader({ columns, namespace }),
    }, options);
    if (!reply.ok) return reply;
    const rows = read?.rows;
    if (rows === undefined) return await this.#listRowsOfObjects(resource, options);
    return ok({ rows, ...pageOf(reply.value) });
  }

  watch<T extends StoredObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>> {
    return watchEvents(resource, {
      ...options,
      transport: this.#transport,
      random: this.#random,
      list: (page) => this.list(resource, page),
    });
  }

  create<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    const verb = "create";
    const { namespace } = object.metadata;
    if (resource.namespaced !== (namespace !== undefined)) {
      const problem = namespace === undefined
        ? "metadata.namespace is missing: this kind is namespaced"
        : `metadata.namespace is "${namespace}": this kind is cluster-scoped`;
      return Promise.resolve(err(refuse(resource, { verb, object, problem })));
    }
    const path = collectionPath(resource, namespace);
    return this.#write(resource, { verb, method: "POST", path, object, options });
  }

  replace<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    const path = objectPath(resource, keyOf(object));
    return this.#write(resource, { verb: "replace", method: "PUT", path, object, options });
  }

  replaceStatus<T extends StoredObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions,
  ): Promise<StoreResult<T>> {
    const verb = "replace the status of";
    const path = `${objectPath(resource, keyOf(object))}/status`;
    if (!resource.hasStatus) {
      const problem = "this kind has no status subresource: write it with replace";
      return Promise.resolve(err(refuse(resource, { verb, object, problem })));
    }
    return this.#write(resource, { verb, method: "PUT", path, object, options });
  }

  async remove<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: RemoveOptions,
  ): Promise<StoreResult<"removed" | "terminating">> {
    const { preconditions, gracePeriodSeconds, propagation } = options;
    const reply = await this.#transport.call({
      method: "DELETE",
      path: objectPath(resource, key),
      accept: JSON_ACCEPT,
      body: JSON.stringify({
        apiVersion: "v1",
        kind: "DeleteOptions",
        preconditions,
        gracePeriodSeconds,
        propagationPolicy: propagation,
      }),
      what: `delete ${sayObject(resource, key)}`,
    }, options);
    if (!reply.ok) return reply;
    return ok(isTerminating(reply.value) ? "terminating" : "removed");
  }

  async #write<T extends StoredObject>(
    resource: Resource<T>,
    { verb, method, path, object, options }: {
      readonly verb: string;
      readonly method: "POST" | "PUT";
      readonly path: string;
      readonly object: T;
      readonly options: CallOptions;
    },
  ): Promise<StoreResult<T>> {
    assert(resource.view === "full", "what is written was read in full, not as metadata alone");
    const versioned = object.metadata.resourceVersion !== undefined;
    if (method === "PUT" && !versioned) {
      const problem = "metadata.resourceVersion is missing: write what was read before";
      return err(refuse(resource, { verb, object, problem }));
    }
    if (method === "POST" && versioned) {
      const problem = `metadata.resourceVersion is "${object.metadata.resourceVersion}": ` +
        `a new object has none`;
      return err(refuse(resource, { verb, object, problem }));
    }
    const body = JSON.stringify(object);
    // Three bytes of UTF-8 for each UTF-16 unit at most: short bodies need not be measured.
    if (body.length * 3 > OBJECT_BYTES_MAX) {
      const bytes = new TextEncoder().encode(body).length;
      if (bytes > OBJECT_BYTES_MAX) {
        const problem = `it has ${bytes} bytes: an object may have ${OBJECT_BYTES_MAX}`;
        return err(refuse(resource, { verb, object, problem }));
      }
    }
    const what = `${verb} ${sayObject(resource, keyOf(object))}`;
    const request = { method, path, accept: JSON_ACCEPT, body, what };
    const reply = await this.#transport.call(request, options);
    return reply.ok ? parsed(resource, reply.value) : reply;
  }

  /** For a server that gives no Table, or one without our columns (another version's CRD). */
  async #listRowsOfObjects<T extends StoredObject>(
    resource: Resource<T>,
    options: RowOptions,
  ): Promise<StoreResult<ObjectRows>> {
    const columns = rowColumns(resource, options);
    const reply = await this.#listRaw(resource, options);
    if (!reply.ok) return reply;
    const items = asList(asRecord(reply.value)?.["items"]).filter(isRecord);
    const rows = items.map((raw): ObjectRow => ({
      key: keyOfRaw(asRecord(raw["metadata"]) ?? {}),
      cells: Object.fromEntries(
        columns.map(({ name, path }) => [name, cellText(valueAt(raw, path))]),
      ),
    }));
    return ok({ rows, ...pageOf(reply.value) });
  }

  #listRaw<T extends StoredObject>(
    resource: Resource<T>,
    options: ListOptions,
  ): Promise<StoreResult<unknown>> {
    return this.#transport.call({
      method: "GET",
      path: collectionPath(resource, options.namespace) + listQuery(options),
      accept: acceptOf(resource, { list: true }),
      what: `list ${saySelection(resource, options)}`,
    }, options);
  }
}

function listQuery(
  { notOlderThan, limit, continuation, ...selection }: ListOptions,
  more: Readonly<Record<string, string>> = {},
): string {
  // A continuation carries its own version; the server refuses both together.
  const fresh = notOlderThan !== undefined && continuation === undefined;
  return queryOf({
    ...selectorsOf(selection),
    resourceVersion: fresh ? notOlderThan : undefined,
    resourceVersionMatch: fresh ? "NotOlderThan" : undefined,
    limit,
    continue: continuation,
    ...more,
  });
}

function pageOf(
  reply: unknown,
): { readonly resourceVersion: string; readonly continuation?: string } {
  const continuation = asText(valueAt(reply, ["metadata", "continue"]));
  return {
    resourceVersion: versionOfRaw(reply),
    ...(continuation !== undefined && { continuation }),
  };
}

function parsed<T extends StoredObject>(resource: Resource<T>, raw: unknown): StoreResult<T> {
  const object = readObject(resource, raw);
  if (object.ok) return object;
  const { key, problem } = object.error;
  return err({
    code: "broken",
    message: `Cannot read ${sayObject(resource, key)}: ${problem}`,
  });
}

/** A deletion's reply is a `Status` when the object is gone, else the object as it now is. */
function isTerminating(reply: unknown): boolean {
  const record = asRecord(reply);
  if (record === undefined || record["kind"] === "Status") return false;
  const metadata = asRecord(record["metadata"]);
  if (metadata?.["deletionTimestamp"] === undefined) return false;
  return asList(metadata["finalizers"]).length > 0 ||
    (asNumber(metadata["deletionGracePeriodSeconds"]) ?? 0) > 0 ||
    asList(valueAt(record, ["spec", "finalizers"])).length > 0; // Namespaces keep theirs there.
}

function refuse<T extends StoredObject>(
  resource: Resource<T>,
  { verb, object, problem }: {
    readonly verb: string;
    readonly object: T;
    readonly problem: string;
  },
): StoreError {
  const message = `Cannot ${verb} ${sayObject(resource, keyOf(object))}: ${problem}`;
  return { code: "invalid", message };
}
