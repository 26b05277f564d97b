/**
 * Takes over the records of pools that the reference kept, once for each pool and before anything
 * is given out of it (design.md 2.3). A new pool has none, and is marked at once.
 *
 * The leader of the controllers does it, or where none leads an agent. Two at a time would do no
 * harm: claims are created once, and the marker is set at the version that was read.
 */
import type { Clock } from "../base/clock.ts";
import { errorText, type Log } from "../base/log.ts";
import { type ObjectStore, type StoredObject, StoreFailure } from "../base/object_store.ts";
import { allEnded, Rest, runTogether } from "../base/waiting.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { readAllocatedIps } from "../api/ip_pool_records.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { LABEL_OWNER_APPLICATION_NAME } from "../api/labels.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { type AdoptedPod, markedPool, planAdoption } from "../ipam/adoption.ts";
import type { Informer } from "../kube/informer.ts";
import type { Settler } from "../kube/settler.ts";
import { fencedEndpoints, namesPool } from "./endpoint_fence.ts";

/** Milliseconds until pools that could not be taken over are tried again. */
const RETRY_MS = 2_000;
/** Milliseconds after which is looked again although nothing was told. */
const LOOK_MS = 60_000;
/** Milliseconds that a pool of an application has: who makes it marks it with the next call. */
const MAKER_MS = 2_000;
/** Claims that are created at a time. */
const CREATES_AT_ONCE = 32;

/** A pool or its metadata, which does not say whether it is marked. */
type Told = StoredObject & {
  readonly status?: { readonly truth?: string | undefined } | undefined;
};

/** A pool that has no marker, as far as was told. */
interface Unmarked {
  readonly uid: string;
  readonly name: string;
  /** When it is to be read, monotonic milliseconds. */
  readonly dueMs: number;
}

/** What an adopter needs. */
export interface AdopterParts {
  readonly store: ObjectStore;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly log: Log;
  /** All pools, or their metadata. */
  readonly pools: Pick<Informer<Told>, "objects" | "events">;
  /** Whether somebody else is to do it now; asked while there are pools to take over. */
  readonly isElsewhere?: (options: { readonly signal: AbortSignal }) => Promise<boolean>;
}

/** Takes pools over as long as it is let. */
export class Adopter {
  readonly #parts: AdopterParts;
  readonly #log: Log;
  /** UIDs of pools whose marker was seen. */
  readonly #done = new Set<string>();
  /** By UID. */
  readonly #unmarked = new Map<string, Unmarked>();
  readonly #rest = new Rest();
  /** Why records could not be taken over, by the pool's UID. */
  readonly #problems = new Map<string, string>();

  constructor(parts: AdopterParts) {
    this.#parts = parts;
    this.#log = parts.log;
  }

  /** Why the records of the pool of a UID are not taken over, if something hinders it. */
  problemOf(uid: string): string | undefined {
    return this.#problems.get(uid);
  }

  /** Takes over what there is and what comes, until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await runTogether([
      (options) => this.#follow(options),
      (options) => this.#takeOver(options),
    ], { signal });
  }

  async #follow({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.pools.events({ signal })) {
      if (event.type === "synced" || event.type === "broken") continue;
      const { uid = "" } = event.object.metadata;
      if (event.type !== "deleted") {
        if (this.#note(event.object)) this.#rest.end();
        continue;
      }
      this.#done.delete(uid);
      this.#unmarked.delete(uid);
      this.#problems.delete(uid);
    }
  }

  async #takeOver({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    const { clock, pools } = this.#parts;
    let lookMs = -Infinity;
    for (;;) {
      this.#rest.begin();
      if (lookMs <= clock.monotonicMs()) {
        for (const pool of pools.objects()) this.#note(pool);
        lookMs = clock.monotonicMs() + LOOK_MS;
      }
      await this.#adoptDue({ signal });
      let nextMs = lookMs;
      for (const { dueMs } of this.#unmarked.values()) nextMs = Math.min(nextMs, dueMs);
      await this.#rest.take(Math.max(0, nextMs - clock.monotonicMs()), { clock, signal });
    }
  }

  /** @returns Whether there is something new to do. */
  #note({ metadata: { name, uid = "", labels }, status }: Told): boolean {
    if (status?.truth !== undefined) {
      this.#done.add(uid);
      this.#unmarked.delete(uid);
      return false;
    }
    if (this.#done.has(uid) || this.#unmarked.has(uid)) return false;
    const isMade = labels?.[LABEL_OWNER_APPLICATION_NAME] !== undefined;
    const dueMs = this.#parts.clock.monotonicMs() + (isMade ? MAKER_MS : 0);
    this.#unmarked.set(uid, { uid, name, dueMs });
    return true;
  }

  /** Takes over every pool that is due; what could not be is due again later. */
  async #adoptDue({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const due = [...this.#unmarked.values()].filter(({ dueMs }) => dueMs <= nowMs);
    await this.#adoptAll(due, { signal });
    const dueMs = clock.monotonicMs() + RETRY_MS;
    for (const one of due) {
      if (this.#unmarked.has(one.uid)) this.#unmarked.set(one.uid, { ...one, dueMs });
    }
  }

  async #adoptAll(
    due: readonly Unmarked[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { settler, isElsewhere = () => Promise.resolve(false) } = this.#parts;
    const found: SpiderIpPool[] = [];
    for (const { uid, name } of due) {
      const pool = await this.#read(() => settler.get(SPIDER_IP_POOLS, { name }, { signal }));
      if (pool?.metadata.uid !== uid) continue; // The next one of its name is told of as well.
      if (pool.status?.truth === undefined) found.push(pool);
      else this.#note(pool);
    }
    if (found.length === 0) return;
    // What cannot be asked now is asked again soon.
    if (await this.#read(() => isElsewhere({ signal })) !== false) return;
    const names = found.map(({ metadata }) => metadata.name);
    const endpoints = await this.#read(() =>
      fencedEndpoints(this.#parts, { pools: names, signal })
    );
    if (endpoints === undefined) return;
    for (const pool of found) {
      const { name: poolName } = pool.metadata;
      const own = endpoints.filter((endpoint) => namesPool(endpoint, poolName));
      await this.#read(() => this.#adopt(pool, { endpoints: own, signal }));
    }
  }

  /** Logs what the API server refuses, and goes on with the other pools. */
  async #read<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      this.#log.warn("records not taken over", { problem: errorText(error) });
      return undefined;
    }
  }

  /**
   * Every claim first, then the marker, at the version that the records were read at; the endpoints
   * have theirs.
   */
  async #adopt(
    pool: SpiderIpPool,
    { endpoints, signal }: {
      readonly endpoints: readonly SpiderEndpoint[];
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { settler } = this.#parts;
    const { name, uid = "" } = pool.metadata;
    const pods = await this.#podsOf(pool, { endpoints, signal });
    const plan = planAdoption({ pool, endpoints, pods });
    if (!plan.ok) {
      this.#problems.set(uid, plan.error);
      this.#log.error("records not taken over", { pool: name, problem: plan.error });
      return;
    }
    const { claims, disputes } = plan.value;
    for (const dispute of disputes) {
      this.#log.error("two pods have one address", { pool: name, ...dispute });
    }
    for (let at = 0; at < claims.length; at += CREATES_AT_ONCE) {
      const some = claims.slice(at, at + CREATES_AT_ONCE);
      await allEnded(some.map((claim) => this.#create(claim, { signal })));
    }
    const isOurs = (stored: SpiderIpPool): boolean => stored.status?.truth !== undefined;
    const marked = await settler.replace(SPIDER_IP_POOLS, markedPool(pool), {
      signal,
      isOurs,
      part: "status",
    });
    if (marked.kind === "lost") return; // Its records changed: from the beginning.
    this.#note(marked.object);
    this.#problems.delete(uid);
    this.#log.info("pool taken over", { pool: name, records: claims.length });
  }

  async #create(
    claim: SpiderIp,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { ip: address, podUID } = claim.spec;
    const isOurs = (stored: SpiderIp): boolean => stored.spec.podUID === podUID;
    const created = await this.#parts.settler.create(SPIDER_IPS, claim, { signal, isOurs });
    if (created.kind === "exists") this.#log.debug("address had a claim already", { address });
  }

  /** The pods that records and endpoints may be of, by UID: those of their namespaces. */
  async #podsOf(
    pool: SpiderIpPool,
    { endpoints, signal }: {
      readonly endpoints: readonly SpiderEndpoint[];
      readonly signal: AbortSignal;
    },
  ): Promise<ReadonlyMap<string, AdoptedPod>> {
    const { settler, store } = this.#parts;
    const namespaces = new Set(endpoints.map(({ metadata }) => metadata.namespace ?? ""));
    const records = readAllocatedIps(pool.status?.allocatedIPs);
    for (const { pod } of records.ok ? Object.values(records.value) : []) {
      const [namespace = ""] = pod.split("/", 1);
      if (namespace !== "") namespaces.add(namespace);
    }
    const pods = new Map<string, AdoptedPod>();
    for (const namespace of namespaces) {
      const listed = await settler.read(
        (options) => store.list(PODS, { ...options, namespace }),
        { signal },
      );
      if (!listed.ok) throw new StoreFailure(listed.error);
      for (const pod of listed.value.items) pods.set(pod.metadata.uid ?? "", pod);
    }
    return pods;
  }
}
