/** Which kinds a server has, asked of itself: how one is called in paths, and what it can. */
import {
  type CallOptions,
  isUnserved,
  type ObjectKey,
  type StoreResult,
} from "../base/object_store.ts";
import { ok } from "../base/result.ts";
import { asList, asNumber, asRecord, asText, valueAt } from "./json_value.ts";
import { objectPath, sayObject } from "./paths.ts";
import type { Transport } from "./transport.ts";

/** A kind as an object names it. */
export interface KindReference {
  readonly apiVersion: string;
  readonly kind: string;
}

/** A kind as the server has it. */
export interface ApiKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Whether it has the subresource `scale`. */
  readonly hasScale: boolean;
}

/** What is asked of a server about its kinds. */
export interface KindDirectory {
  /** Finds a kind. @returns `undefined` where the server has none of that name. */
  find(reference: KindReference, options: CallOptions): Promise<StoreResult<ApiKind | undefined>>;
  /** The pods that an object wants, by `kubectl get --subresource=scale`; `undefined`: unsaid. */
  scaleOf(kind: ApiKind, key: ObjectKey, options: CallOptions): Promise<
    StoreResult<number | undefined>
  >;
}

/** The kinds of an API server. It keeps nothing: kinds come and go. */
export class ApiKinds implements KindDirectory {
  readonly #transport: Pick<Transport, "call">;

  constructor(transport: Pick<Transport, "call">) {
    this.#transport = transport;
  }

  /** Asks for the kinds of a group and version: `kubectl api-resources --api-group=GROUP`. */
  async find(
    { apiVersion, kind }: KindReference,
    options: CallOptions,
  ): Promise<StoreResult<ApiKind | undefined>> {
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    const root = group === "" ? "/api" : `/apis/${encodeURIComponent(group)}`;
    const reply = await this.#transport.call({
      method: "GET",
      path: `${root}/${encodeURIComponent(version)}`,
      accept: "application/json",
      what: `ask for the kinds of "${apiVersion}"`,
    }, options);
    if (!reply.ok) return isUnserved(reply.error) ? ok(undefined) : reply;
    const entries = asList(asRecord(reply.value)?.["resources"]);
    const names = new Set(entries.map((entry) => asText(asRecord(entry)?.["name"])));
    for (const entry of entries) {
      const { name, kind: ofKind, namespaced } = asRecord(entry) ?? {};
      const plural = asText(name);
      if (plural === undefined || ofKind !== kind || plural.includes("/")) continue;
      const hasScale = names.has(`${plural}/scale`);
      return ok({ group, version, kind, plural, namespaced: namespaced === true, hasScale });
    }
    return ok(undefined);
  }

  async scaleOf(
    kind: ApiKind,
    key: ObjectKey,
    options: CallOptions,
  ): Promise<StoreResult<number | undefined>> {
    const reply = await this.#transport.call({
      method: "GET",
      path: `${objectPath(kind, key)}/scale`,
      accept: "application/json",
      what: `get the scale of ${sayObject(kind, key)}`,
    }, options);
    return reply.ok ? ok(asNumber(valueAt(reply.value, ["spec", "replicas"]))) : reply;
  }
}
