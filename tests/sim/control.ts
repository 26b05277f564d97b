/** The control plane's own hand on the storage: controllers, kubelets and people, as one moment. */
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import type {
  ObjectKey,
  RemoveOptions,
  Resource,
  StoredObject,
} from "../../src/base/object_store.ts";
import { keyOf, keyText } from "../../src/base/object_store.ts";
import type { RawObject } from "../../src/store/json_value.ts";
import type { ApiServer } from "./api_server.ts";

/** Reads and writes without network: each call is one instant. Refusals are traced and returned. */
export class Control {
  readonly server: ApiServer;
  readonly #actor: string;

  constructor(server: ApiServer, actor: string) {
    this.server = server;
    this.#actor = actor;
  }

  get<T extends StoredObject>(resource: Resource<T>, key: ObjectKey): T | undefined {
    const got = this.server.engine.get(resource, { key });
    return got.ok ? got.value as unknown as T : undefined;
  }

  list<T extends StoredObject>(resource: Resource<T>, namespace?: string): readonly T[] {
    const page = this.server.engine.list(resource, { namespace });
    return page.ok ? page.value.objects as unknown as readonly T[] : [];
  }

  create<T extends StoredObject>(resource: Resource<T>, object: T): T | undefined {
    const request = { operation: "create", kind: resource, object } as const;
    return this.#write(`creates ${resource.plural} ${keyText(keyOf(object))}`, request);
  }

  /** Changes an object as it is now; nothing happens where there is none. */
  change<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    edit: (object: T) => T,
  ): T | undefined {
    const object = this.get(resource, key);
    if (object === undefined) return undefined;
    const request = { operation: "replace", kind: resource, object: edit(object) } as const;
    return this.#write(`changes ${resource.plural} ${keyText(key)}`, request);
  }

  /** As `change`, for the status. */
  changeStatus<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    edit: (object: T) => T,
  ): T | undefined {
    const object = this.get(resource, key);
    if (object === undefined) return undefined;
    const request = { operation: "replace_status", kind: resource, object: edit(object) } as const;
    return this.#write(`changes the status of ${resource.plural} ${keyText(key)}`, request);
  }

  remove<T extends StoredObject>(
    resource: Resource<T>,
    key: ObjectKey,
    wish: Omit<RemoveOptions, "signal" | "timeoutMs"> = {},
  ): void {
    const how = wish.gracePeriodSeconds === 0 ? " by force" : "";
    this.#write(`removes ${resource.plural} ${keyText(key)}${how}`, {
      operation: "remove",
      kind: resource,
      key,
      wish,
    });
  }

  /** Pods of a namespace, or all of them. */
  pods(namespace?: string): readonly Pod[] {
    return this.list(PODS, namespace);
  }

  note(text: string): void {
    this.server.trace.note(this.#actor, text);
  }

  #write<T extends StoredObject>(
    what: string,
    request: Parameters<ApiServer["engine"]["write"]>[0],
  ): T | undefined {
    const done = this.server.write(this.#actor, request);
    this.note(done.ok ? what : `${what}: ${done.error.code}`);
    return done.ok ? asObject<T>(done.value.object) : undefined;
  }
}

function asObject<T extends StoredObject>(object: RawObject): T {
  return object as unknown as T;
}
