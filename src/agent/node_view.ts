/** What an agent watches: the pods of its node, its node, and metadata of what rules them. */
import { metadataOf } from "../base/object_store.ts";
import type { Clock } from "../base/clock.ts";
import type {
  MetadataObject,
  ObjectKey,
  ObjectMeta,
  ObjectStore,
  Resource,
  StoredObject,
} from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { NAMESPACES, NODES } from "../api/kubernetes/node.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { parseMetadataOf } from "../api/metadata.ts";
import { SPIDER_RESERVED_IPS } from "../api/reserved_ip.ts";
import { Informer } from "../kube/informer.ts";
import { applicationKey, applicationKeysOf } from "./news_keys.ts";
import type { Settler } from "../kube/settler.ts";

/** The kind of an informer of metadata. */
export function metadataKind<T extends StoredObject>(
  resource: Resource<T>,
): Resource<MetadataObject> {
  return metadataOf(resource, parseMetadataOf(resource));
}

/** Index of pools: by `applicationKey`. */
const APPLICATION = "application";

const NODE_METADATA = metadataKind(NODES);
const NAMESPACE_METADATA = metadataKind(NAMESPACES);

/** What a view needs. */
export interface NodeViewOptions {
  readonly store: ObjectStore;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly random: Random;
  readonly nodeName: string;
}

/** Copies of what an ADD looks at, flat in the size of the cluster. */
export class NodeView {
  readonly pods: Informer<Pod>;
  readonly pools: Informer<MetadataObject>;
  readonly reserved: Informer<MetadataObject>;
  readonly #node: Informer<MetadataObject>;
  readonly #namespaces: Informer<MetadataObject>;
  readonly #settler: Settler;
  readonly #nodeName: string;

  constructor({ store, settler, clock, random, nodeName }: NodeViewOptions) {
    const ports = { clock, random };
    this.#settler = settler;
    this.#nodeName = nodeName;
    this.pods = new Informer(store, PODS, {
      ...ports,
      selection: { fieldSelector: `spec.nodeName=${nodeName}` },
    });
    this.#node = new Informer(store, NODE_METADATA, {
      ...ports,
      selection: { fieldSelector: `metadata.name=${nodeName}` },
    });
    this.pools = new Informer(store, metadataKind(SPIDER_IP_POOLS), {
      ...ports,
      indexes: { [APPLICATION]: ({ metadata }) => applicationKeysOf(metadata) },
    });
    this.reserved = new Informer(store, metadataKind(SPIDER_RESERVED_IPS), ports);
    this.#namespaces = new Informer(store, NAMESPACE_METADATA, ports);
  }

  /** Keeps the copies until the signal aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.run({ signal })));
  }

  /** Resolves once every copy is there. */
  async waitForSync({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.waitForSync({ signal })));
  }

  /** Whether every copy is there. */
  get hasSynced(): boolean {
    return this.#all().every(({ hasSynced }) => hasSynced);
  }

  /** Why a copy's last list or watch ended, until it goes well again. */
  get problem(): string | undefined {
    for (const informer of this.#all()) {
      const { error } = informer.status();
      if (error !== undefined) return error.message;
    }
    return undefined;
  }

  /** Metadata of the pools that were made for applications of this name, of whatever kind. */
  poolsOfApplication(
    application: { readonly namespace: string; readonly name: string },
  ): readonly MetadataObject[] {
    return this.pools.byIndex({ index: APPLICATION, value: applicationKey(application) });
  }

  /** The pod as the API has it now; `undefined` if there is none. */
  livePod(key: ObjectKey, options: { readonly signal: AbortSignal }): Promise<Pod | undefined> {
    return this.#settler.get(PODS, key, options);
  }

  /** Labels of the own node; those of a live read where the copy is silent. */
  async nodeLabels(options: { readonly signal: AbortSignal }): Promise<Labels> {
    const key = { name: this.#nodeName };
    const metadata = await this.#metadata(this.#node, { kind: NODE_METADATA, key, ...options });
    return metadata?.labels ?? {};
  }

  /** Metadata of a namespace; `undefined` if there is none. */
  namespace(
    name: string,
    options: { readonly signal: AbortSignal },
  ): Promise<ObjectMeta | undefined> {
    const key = { name };
    return this.#metadata(this.#namespaces, { kind: NAMESPACE_METADATA, key, ...options });
  }

  async #metadata(
    informer: Informer<MetadataObject>,
    { kind, key, signal }: {
      readonly kind: Resource<MetadataObject>;
      readonly key: ObjectKey;
      readonly signal: AbortSignal;
    },
  ): Promise<ObjectMeta | undefined> {
    const known = informer.isStale ? undefined : informer.get(key);
    return (known ?? await this.#settler.get(kind, key, { signal }))?.metadata;
  }

  #all(): readonly Pick<Informer<StoredObject>, "run" | "waitForSync" | "hasSynced" | "status">[] {
    return [this.pods, this.#node, this.pools, this.reserved, this.#namespaces];
  }
}

type Labels = Readonly<Record<string, string>>;
