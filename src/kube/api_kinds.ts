/** Which kinds a server has, asked of itself: how one is called in paths, and what it can. */
import {
  apiVersionOf,
  type CallOptions,
  isUnserved,
  type ObjectKey,
  type StoreResult,
} from "../base/object_store.ts";
import { ok } from "../base/result.ts";
import { asList, asNumber, asRecord, asText, type JsonRecord, valueAt } from "./json_value.ts";
import { objectPath, sayObject } from "./paths.ts";
import type { Transport } from "./transport.ts";

/** A kind as an object names it. */
export interface KindReference {
  readonly apiVersion: string;
  readonly kind: string;
}

/** A kind as paths and definitions name it. */
export interface KindName {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
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
    const entries = await this.#entries(apiVersion, options);
    if (!entries.ok) return entries;
    const names = new Set(entries.value.map(({ name }) => asText(name)));
    for (const { name, kind: ofKind, namespaced } of entries.value) {
      const plural = asText(name);
      if (plural === undefined || ofKind !== kind || plural.includes("/")) continue;
      const hasScale = names.has(`${plural}/scale`);
      return ok({ group, version, kind, plural, namespaced: namespaced === true, hasScale });
    }
    return ok(undefined);
  }

  /** Those of some kinds that the server does not serve; one request for each group and version. */
  async missing<T extends KindName>(
    kinds: readonly T[],
    options: CallOptions,
  ): Promise<StoreResult<readonly T[]>> {
    const missing: T[] = [];
    for (const [apiVersion, ofIt] of Map.groupBy(kinds, apiVersionOf)) {
      const entries = await this.#entries(apiVersion, options);
      if (!entries.ok) return entries;
      const served = new Set(entries.value.map(({ name }) => asText(name)));
      missing.push(...ofIt.filter(({ plural }) => !served.has(plural)));
    }
    return ok(missing);
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

  /** What the server lists of a group and version; nothing where it has no such. */
  async #entries(
    apiVersion: string,
    options: CallOptions,
  ): Promise<StoreResult<readonly JsonRecord[]>> {
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    const root = group === "" ? "/api" : `/apis/${encodeURIComponent(group)}`;
    const reply = await this.#transport.call({
      method: "GET",
      path: `${root}/${encodeURIComponent(version)}`,
      accept: "application/json",
      what: `ask for the kinds of "${apiVersion}"`,
    }, options);
    if (!reply.ok) return isUnserved(reply.error) ? ok([]) : reply;
    const entries = asList(asRecord(reply.value)?.["resources"]).map(asRecord);
    return ok(entries.filter((entry) => entry !== undefined));
  }
}
