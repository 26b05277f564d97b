/**
 * Takes over the records of pools that the reference kept, once for each pool and before anything
 * is given out of it (design.md 2.3). A new pool has none, and is marked at once.
 */
import type { Log } from "../base/log.ts";
import { errorText } from "../base/log.ts";
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import { StoreFailure } from "../base/object_store.ts";
import type { ObjectKey } from "../base/object_store.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { readAllocatedIps } from "../api/ip_pool_records.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { type AdoptedPod, markedPool, planAdoption } from "../ipam/adoption.ts";
import { LeaseCandidate } from "../kube/lease.ts";
import { ADOPTION_LEASE, ANY_POOL } from "./adopted_pools.ts";
import type { AgentParts } from "./parts.ts";
import { allEnded } from "./waiting.ts";

/** Milliseconds until pools that could not be taken over are tried again. */
const RETRY_MS = 2_000;
/** Milliseconds after which is looked again although nothing was told. */
const LOOK_MS = 60_000;
/**
 * Milliseconds between two looks of an agent at the Lease that another holds, unless an ADD waits:
 * each of a thousand agents stands for election.
 */
const LEASE_LOOK_MS = 60_000;
/** Claims that are created at a time. */
const CREATES_AT_ONCE = 32;

/** One agent of all does it, as long as it holds the Lease. */
export class Adopter {
  readonly #parts: AgentParts;
  readonly #log: Log;
  /** UIDs of pools whose marker was seen. */
  readonly #done = new Set<string>();

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#log = parts.ports.log;
  }

  /** Stands for election and works until the signal aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { store, clock, random }, settings, unadopted } = this.#parts;
    const key: ObjectKey = { namespace: settings.ipam.agentNamespace, name: ADOPTION_LEASE };
    const candidate = new LeaseCandidate({
      store,
      clock,
      random,
      key,
      identity: settings.identity,
      lookMs: LEASE_LOOK_MS,
    });
    using _bell = unadopted.listen(ANY_POOL, () => candidate.hurry());
    await candidate.run({ signal, work: (options) => this.#lead(options) });
  }

  async #lead({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { clock } = this.#parts.ports;
    const events = this.#parts.view.pools.events({ signal });
    const following = (): ReturnType<typeof events.next> => {
      const next = events.next();
      next.catch(() => {}); // The signal may end it while nobody waits for it.
      return next;
    };
    let next = following();
    for (;;) {
      signal.throwIfAborted();
      const failed = await this.adoptAll({ signal });
      const timer = new AbortController();
      const pause = clock.sleep(failed > 0 ? RETRY_MS : LOOK_MS, {
        signal: AbortSignal.any([signal, timer.signal]),
      }).then(() => "time", () => "time");
      const woken = await Promise.race([next.then(() => "event"), pause]);
      timer.abort();
      if (woken === "event") next = following();
    }
  }

  /**
   * Takes over every pool that has no marker yet.
   *
   * @returns How many could not be.
   */
  async adoptAll({ signal }: { readonly signal: AbortSignal }): Promise<number> {
    const { settler, view } = this.#parts;
    const pools: SpiderIpPool[] = [];
    for (const { metadata } of view.pools.objects()) {
      if (this.#done.has(metadata.uid ?? "")) continue;
      const pool = await this.#read(() =>
        settler.get(SPIDER_IP_POOLS, { name: metadata.name }, { signal })
      );
      if (pool?.status?.truth !== undefined) this.#done.add(pool.metadata.uid ?? "");
      else if (pool !== undefined) pools.push(pool);
    }
    if (pools.length === 0) return 0;
    const endpoints = await this.#read(() => this.#endpointsOf(pools, { signal }));
    if (endpoints === undefined) return pools.length;
    let failed = 0;
    for (const pool of pools) {
      const { name: poolName } = pool.metadata;
      const own = endpoints.filter((endpoint) => namesPool(endpoint, poolName));
      const isDone = await this.#read(() => this.#adopt(pool, { endpoints: own, signal }));
      if (isDone !== true) failed++;
    }
    return failed;
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

  /** Every claim first, then the marker, at the version that the records were read at. */
  async #adopt(
    pool: SpiderIpPool,
    { endpoints, signal }: {
      readonly endpoints: readonly SpiderEndpoint[];
      readonly signal: AbortSignal;
    },
  ): Promise<boolean> {
    const { settler } = this.#parts;
    const { name, uid = "" } = pool.metadata;
    const pods = await this.#podsOf(pool, { endpoints, signal });
    const plan = planAdoption({ pool, endpoints, pods });
    if (!plan.ok) {
      this.#log.error("records not taken over", { pool: name, problem: plan.error });
      return false;
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
    if (marked.kind === "lost") return false; // Its records changed: from the beginning.
    this.#done.add(uid);
    this.#log.info("pool taken over", { pool: name, records: claims.length });
    return true;
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

  async #endpointsOf(
    pools: readonly SpiderIpPool[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<readonly SpiderEndpoint[]> {
    const { settler, ports: { store } } = this.#parts;
    const names = pools.map(({ metadata }) => metadata.name);
    const found: SpiderEndpoint[] = [];
    let continuation: string | undefined;
    do {
      const page = await settler.read(
        (options) =>
          store.list(SPIDER_ENDPOINTS, { ...options, limit: LIST_PAGE_OBJECTS, continuation }),
        {
          signal,
        },
      );
      if (!page.ok) throw new StoreFailure(page.error);
      found.push(...page.value.items.filter((one) => names.some((name) => namesPool(one, name))));
      continuation = page.value.continuation;
    } while (continuation !== undefined);
    return found;
  }

  /** The pods that records and endpoints may be of, by UID: those of their namespaces. */
  async #podsOf(
    pool: SpiderIpPool,
    { endpoints, signal }: {
      readonly endpoints: readonly SpiderEndpoint[];
      readonly signal: AbortSignal;
    },
  ): Promise<ReadonlyMap<string, AdoptedPod>> {
    const { settler, ports: { store } } = this.#parts;
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

function namesPool(endpoint: SpiderEndpoint, name: string): boolean {
  const entries = endpoint.status?.current.ips ?? [];
  return entries.some(({ ipv4Pool, ipv6Pool }) => ipv4Pool === name || ipv6Pool === name);
}
