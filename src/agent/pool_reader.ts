/** Pools and reserved addresses, each read in full only when its metadata says that it changed. */
import type { Log } from "../base/log.ts";
import type { MetadataObject, ObjectMeta, ObjectStore } from "../base/object_store.ts";
import { pagesOf } from "../base/pages.ts";
import { StoreFailure } from "../base/object_store.ts";
import { ANNOTATION_NOT_USABLE } from "../api/annotations.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { isTerminating } from "../api/metadata.ts";
import { SPIDER_RESERVED_IPS } from "../api/reserved_ip.ts";
import { type PoolReading, readPool } from "../ipam/pool_facts.ts";
import { allReserved, NOTHING_RESERVED, readReserved, type Reserved } from "../ipam/reserved.ts";
import type { NodeView } from "./node_view.ts";
import type { Settler } from "../kube/settler.ts";
import { orAborted, SingleFlight } from "../base/waiting.ts";

/** What a reader of pools needs. */
export interface PoolReaderOptions {
  readonly store: ObjectStore;
  readonly settler: Settler;
  readonly view: NodeView;
  readonly log: Log;
  /** Of the agent: what several ask for at a time is read once, whoever of them goes. */
  readonly lifetime: AbortSignal;
}

interface Read<T> {
  readonly uid: string | undefined;
  readonly generation: number;
  readonly value: T;
}

/** Pools that are read one by one; where more are wanted, all are listed. */
const SINGLE_READS_MAX = 8;

/** Reads with a memory. What it holds is bounded by the pools there are, not by their addresses. */
export class PoolReader {
  readonly #options: PoolReaderOptions;
  readonly #pools = new Map<string, Read<PoolReading>>();
  readonly #reserved = new Map<string, Read<Reserved>>();
  readonly #poolReads = new SingleFlight<PoolReading>();
  readonly #reservedReads = new SingleFlight<Reserved>();
  readonly #lists = new SingleFlight<void>();
  #union: { readonly of: readonly Reserved[]; readonly all: Reserved } = {
    of: [],
    all: NOTHING_RESERVED,
  };

  constructor(options: PoolReaderOptions) {
    this.#options = options;
  }

  /** Names of all pools, in byte order. */
  names(): readonly string[] {
    const names = Array.from(this.#options.view.pools.objects(), ({ metadata }) => metadata.name);
    return names.sort();
  }

  /** What the pools of these names say. */
  async read(
    names: readonly string[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<string, PoolReading>> {
    const unread = names.filter((name) => this.#known(name) === undefined);
    if (unread.length > SINGLE_READS_MAX) {
      await orAborted(this.#lists.run("pools", () => this.#listPools()), { signal });
    }
    const readings = await Promise.all(names.map((name) => this.#readOne(name, { signal })));
    return new Map(names.map((name, at) => [name, readings[at] ?? { kind: "absent" }]));
  }

  /** The pool as the API has it now. */
  readLive(name: string, { signal }: { readonly signal: AbortSignal }): Promise<PoolReading> {
    return orAborted(this.#poolReads.run(name, () => this.#readPool(name)), { signal });
  }

  /** Every address that is reserved now. */
  async reserved({ signal }: { readonly signal: AbortSignal }): Promise<Reserved> {
    const found: Promise<Reserved>[] = [];
    const names = new Set<string>();
    for (const object of this.#options.view.reserved.objects()) {
      names.add(object.metadata.name);
      if (!isTerminating(object)) found.push(this.#reservedBy(object, { signal }));
    }
    for (const name of this.#reserved.keys()) if (!names.has(name)) this.#reserved.delete(name);
    const parts = await Promise.all(found);
    const { of, all } = this.#union;
    const isSame = of.length === parts.length && parts.every((part) => of.includes(part));
    if (isSame) return all;
    this.#union = { of: parts, all: allReserved(parts) };
    return this.#union.all;
  }

  #readOne(name: string, { signal }: { readonly signal: AbortSignal }): Promise<PoolReading> {
    const known = this.#known(name);
    return known === undefined ? this.readLive(name, { signal }) : Promise.resolve(known);
  }

  /**
   * What was read of a pool, as long as its metadata allows; what changes without the generation is
   * taken from the metadata itself.
   */
  #known(name: string): PoolReading | undefined {
    const { pools } = this.#options.view;
    const metadata = pools.isStale ? undefined : pools.get({ name })?.metadata;
    const read = this.#pools.get(name);
    if (metadata === undefined || read === undefined) return undefined;
    if (read.uid !== metadata.uid || read.generation < (metadata.generation ?? 0)) return undefined;
    if (read.value.kind !== "facts") return read.value;
    const { facts } = read.value;
    if (!facts.isAdopted) return undefined; // Only a look tells whether it is by now.
    const isEnding = facts.isTerminating || metadata.deletionTimestamp !== undefined;
    const notUsable = metadata.annotations?.[ANNOTATION_NOT_USABLE];
    if (isEnding === facts.isTerminating && notUsable === facts.notUsable) return read.value;
    return { kind: "facts", facts: { ...facts, isTerminating: isEnding, notUsable } };
  }

  async #readPool(name: string): Promise<PoolReading> {
    const { settler, lifetime } = this.#options;
    try {
      const pool = await settler.get(SPIDER_IP_POOLS, { name }, { signal: lifetime });
      return this.#keep(name, pool);
    } catch (error) {
      if (!(error instanceof StoreFailure) || error.code !== "broken") throw error;
      return { kind: "broken", problem: error.message, isDefault: false };
    }
  }

  #keep(name: string, pool: SpiderIpPool | undefined): PoolReading {
    const reading = readPool(pool);
    if (pool === undefined) this.#pools.delete(name);
    else this.#pools.set(name, { ...versionOf(pool.metadata), value: reading });
    return reading;
  }

  async #listPools(): Promise<void> {
    const { store, settler, lifetime } = this.#options;
    const names = new Set<string>();
    const signal = lifetime;
    const pages = pagesOf((page) =>
      settler.read((options) => store.list(SPIDER_IP_POOLS, { ...options, ...page }), { signal })
    );
    for await (const { items } of pages) {
      for (const pool of items) {
        names.add(pool.metadata.name);
        this.#keep(pool.metadata.name, pool);
      }
    }
    for (const name of this.#pools.keys()) if (!names.has(name)) this.#pools.delete(name);
  }

  #reservedBy(
    { metadata }: MetadataObject,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Reserved> {
    const { name } = metadata;
    const read = this.#reserved.get(name);
    const isKnown = read?.uid === metadata.uid && read !== undefined &&
      read.generation >= (metadata.generation ?? 0);
    if (isKnown) return Promise.resolve(read.value);
    return orAborted(this.#reservedReads.run(name, () => this.#readReserved(name)), { signal });
  }

  async #readReserved(name: string): Promise<Reserved> {
    const { settler, lifetime } = this.#options;
    const object = await settler.get(SPIDER_RESERVED_IPS, { name }, { signal: lifetime });
    if (object === undefined || isTerminating(object)) return NOTHING_RESERVED;
    const { reserved: value, problems } = readReserved(object);
    for (const problem of problems) {
      this.#options.log.warn("reserved addresses left out", { object: name, problem });
    }
    this.#reserved.set(name, { ...versionOf(object.metadata), value });
    return value;
  }
}

function versionOf(
  { uid, generation }: ObjectMeta,
): { readonly uid: string | undefined; readonly generation: number } {
  return { uid, generation: generation ?? 0 };
}
