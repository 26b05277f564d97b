/** Keeps the status of every pool: what SpiderIPs say, a moment after they do (design.md 2.2). */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { isTerminating } from "../api/metadata.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { unreachable } from "../base/assert.ts";
import { errorText } from "../base/log.ts";
import { StoreFailure } from "../base/object_store.ts";
import { runTogether } from "../base/waiting.ts";
import { serverNowMs } from "../base/server_time.ts";
import { transitionsOf } from "../ipam/conditions.ts";
import { OverlapBook } from "../ipam/overlap_book.ts";
import { readPool } from "../ipam/pool_facts.ts";
import { derivePoolStatus } from "../ipam/pool_status.ts";
import { readReserved } from "../ipam/reserved.ts";
import { annotatedPool } from "../ipam/usability.ts";
import type { InformerEvent, WorkOutcome } from "../kube/mod.ts";
import { WorkQueue } from "../kube/mod.ts";
import { isSameJson } from "./admission/rules/json_patch.ts";
import { withFinalizer } from "./admission/rules/mutation.ts";
import type { LeaderParts } from "./parts.ts";
import { endPool, RAW_POOLS } from "./pool_ending.ts";
import { COALESCE_MS, pauseMs } from "./pace.ts";
import { poolReference, tellTransitions, tellWrong } from "./pool_news.ts";
import { Tries } from "./tries.ts";

/** Milliseconds before a pool that somebody else wrote meanwhile is looked at again. */
const AGAIN_MS = 100;
/** Milliseconds between two looks at a pool that cannot be read: nothing tells of its deletion. */
const BROKEN_MS = 30_000;
/** Milliseconds that a new pool has to be taken over before its status says that it is not. */
const ADOPTION_MS = 3_000;

/** What a publisher asks the adopter. */
export interface AdoptionState {
  /** Why the records of a pool are not taken over, by its UID. */
  problemOf(uid: string): string | undefined;
}

/** One term's work on the status of pools. Level-based: what it missed, the next look tells. */
export class PoolPublisher {
  readonly #parts: LeaderParts;
  readonly #adoption: AdoptionState;
  readonly #queue: WorkQueue;
  readonly #overlaps = new OverlapBook();
  readonly #tries: Tries;
  /** By pool: before when its status is not written again; monotonic milliseconds. */
  readonly #notBefore = new Map<string, number>();
  /** What was told of pools that cannot be read. */
  readonly #problems = new Map<string, string>();
  /** Whether pools were not queued, because too many were. */
  #hasOverflown = false;

  constructor(parts: LeaderParts, adoption: AdoptionState) {
    const { ports: { clock, random }, settings: { pools } } = parts;
    this.#parts = parts;
    this.#adoption = adoption;
    this.#queue = new WorkQueue({ clock, random, capacity: pools.queueMax });
    this.#tries = new Tries({ max: pools.triesMax, gapMs: pools.retryMs });
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { view, settings: { pools: { workers } } } = this.#parts;
    await runTogether([
      (options) => this.#followPools(options),
      (options) => this.#followClaims(options),
      (options) => this.#followReserved(options),
      (options) => this.#lookAgain(options),
      async (options) => {
        await view.waitForSync(options); // A count of a part would be a wrong one.
        await this.#queue.run({ ...options, workers, work: (...args) => this.#work(...args) });
      },
    ], { signal });
  }

  async #followPools({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.pools.events({ signal })) {
      if (event.type === "synced") continue;
      const { name } = event.type === "broken" ? event.object.key : event.object.metadata;
      const isThere = event.type === "added" || event.type === "modified";
      const affected = isThere ? this.#overlaps.set(event.object) : this.#overlaps.delete(name);
      if (!isThere) {
        this.#notBefore.delete(name);
        this.#parts.metrics.gone(name);
      }
      for (const other of affected) this.#ask(other);
      this.#ask(name);
    }
  }

  async #followClaims({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { recorder, view } = this.#parts;
    for await (const event of view.claims.events({ signal })) {
      for (const pool of poolsIn(event)) this.#ask(pool);
      if (event.type !== "broken" || event.change === "deleted") continue;
      // It takes its address, and belongs to no pool.
      const { key: metadata, problem: cause } = event.object;
      const problem = `${cause}; correct it, or free the address if no pod uses it`;
      tellWrong(recorder, { kind: "SpiderIP", metadata, problem });
    }
  }

  async #followReserved({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { recorder, view } = this.#parts;
    for await (const event of view.reserved.events({ signal })) {
      if (event.type === "synced") continue;
      view.forgetReserved();
      this.#askAll();
      if (event.type === "deleted" || (event.type === "broken" && event.change === "deleted")) {
        continue;
      }
      const [metadata, problems] = event.type === "broken"
        ? [event.object.key, [event.object.problem]]
        : [event.object.metadata, readReserved(event.object).problems];
      const [first] = problems;
      if (first === undefined) continue;
      const problem = `${first}; it reserves nothing until then`;
      tellWrong(recorder, { kind: "SpiderReservedIP", metadata, problem });
    }
  }

  /** Looks at every pool from time to time, whatever was told. */
  async #lookAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock }, settings: { pools: { resyncMs } } } = this.#parts;
    while (resyncMs > 0) {
      await clock.sleep(resyncMs, { signal });
      this.#askAll();
    }
  }

  #askAll(): void {
    for (const { metadata } of this.#parts.view.pools.objects()) this.#ask(metadata.name);
  }

  #ask(name: string): void {
    const nowMs = this.#parts.ports.clock.monotonicMs();
    const afterMs = Math.max(COALESCE_MS, (this.#notBefore.get(name) ?? 0) - nowMs);
    if (!this.#queue.add(name, { afterMs }).ok) this.#hasOverflown = true;
  }

  async #work(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { view, ports: { clock, log } } = this.#parts;
    if (this.#hasOverflown && this.#queue.size * 2 < this.#parts.settings.pools.queueMax) {
      this.#hasOverflown = false;
      this.#askAll();
    }
    const waitMs = (this.#notBefore.get(name) ?? 0) - clock.monotonicMs();
    if (waitMs > 0) return { code: "again", afterMs: waitMs };
    const pool = view.pools.get({ name });
    if (pool !== undefined) this.#problems.delete(name);
    const claims = view.claimsOf(name);
    try {
      const outcome = pool === undefined
        ? await this.#lookAtMissing(name, { claims, signal })
        : await this.#publish(pool, { claims, signal });
      this.#tries.clear(name);
      return outcome;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      log.warn("status of a pool not written", { pool: name, problem: errorText(error) });
      return this.#tries.failed(name);
    }
  }

  /** First what agents obey, then what people read. */
  async #publish(
    pool: SpiderIpPool,
    { claims, signal }: { readonly claims: readonly SpiderIp[]; readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { settler, recorder, view, metrics, ports: { clock, store } } = this.#parts;
    const { name, uid = "" } = pool.metadata;
    const read = readPool(pool);
    const reason = read.kind === "broken" ? read.problem : this.#overlaps.reasonOf(name);
    const current = await this.#mark(pool, { reason, signal });
    if (current === undefined) return { code: "again", afterMs: AGAIN_MS };
    const nowMs = serverNowMs({ store, clock });
    const ending = await endPool(this.#parts, { pool: current, claims, nowMs, signal });
    if (ending?.code === "done") return ending;
    const problem = this.#adoption.problemOf(uid);
    const isYoung = nowMs - Date.parse(pool.metadata.creationTimestamp ?? "") < ADOPTION_MS;
    if (pool.status?.truth === undefined && problem === undefined && isYoung) {
      return { code: "again", afterMs: ADOPTION_MS };
    }
    const reading = readPool(current);
    if (reading.kind === "absent") return { code: "done" };
    const status = derivePoolStatus({
      pool: current,
      reading,
      claims,
      reserved: view.reservedNow(),
      adoptionProblem: problem,
      nowMs,
    });
    const bytes = status.allocatedIPs?.length ?? 0;
    metrics.derived(name, status);
    if (isSameJson(status, pool.status)) return ending ?? { code: "done" };
    const isOurs = (stored: SpiderIpPool): boolean => isSameJson(stored.status, status);
    const next = { ...current, status };
    const written = await settler.replace(SPIDER_IP_POOLS, next, {
      signal,
      isOurs,
      part: "status",
    });
    if (written.kind === "lost") return { code: "again", afterMs: AGAIN_MS };
    const pause = pauseMs({ bytes, claims: claims.length });
    this.#notBefore.set(name, clock.monotonicMs() + pause);
    const transitions = transitionsOf(pool.status?.conditions, status.conditions);
    tellTransitions(recorder, { pool: current, transitions });
    return ending ?? { code: "done" };
  }

  /**
   * Annotates a pool with what agents obey, and gives it the finalizer that it lacks if it was
   * stored when no webhook was asked: its deletion would not wait for who has its addresses.
   *
   * @returns The pool as it is now; `undefined` if somebody else changed it.
   */
  async #mark(
    pool: SpiderIpPool,
    { reason, signal }: { readonly reason: string | undefined; readonly signal: AbortSignal },
  ): Promise<SpiderIpPool | undefined> {
    const { settler, ports: { log } } = this.#parts;
    const { name } = pool.metadata;
    const wished = withFinalizer(annotatedPool(pool, reason));
    if (wished === pool || isTerminating(pool)) return pool; // Nobody uses one that goes.
    const isOurs = ({ metadata: { annotations, finalizers } }: SpiderIpPool): boolean =>
      isSameJson([annotations, finalizers], [
        wished.metadata.annotations,
        wished.metadata.finalizers,
      ]);
    try {
      const marked = await settler.replace(SPIDER_IP_POOLS, wished, { signal, isOurs });
      if (marked.kind === "lost") return undefined;
      log.info("pool marked", { pool: name, notUsable: reason });
      return marked.object;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      log.warn("pool not marked", { pool: name, problem: errorText(error) });
      return pool; // People can still be told.
    }
  }

  /** A pool that is not there, or that nobody can read: it may go all the same. */
  async #lookAtMissing(
    name: string,
    { claims, signal }: { readonly claims: readonly SpiderIp[]; readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { settler, view, ports: { clock, store } } = this.#parts;
    const broken = view.pools.broken({ name });
    if (broken === undefined || this.#problems.get(name) !== broken.problem) {
      this.#tellMissing(name, claims);
    }
    if (broken === undefined) {
      this.#problems.delete(name);
      return { code: "done" };
    }
    this.#problems.set(name, broken.problem);
    const pool = await settler.get(RAW_POOLS, { name }, { signal });
    if (pool === undefined) return { code: "done" };
    const nowMs = serverNowMs({ store, clock });
    const ending = await endPool(this.#parts, { pool, claims, nowMs, signal });
    return ending ?? { code: "again", afterMs: BROKEN_MS };
  }

  #tellMissing(name: string, claims: readonly SpiderIp[]): void {
    const broken = this.#parts.view.pools.broken({ name });
    const [first] = claims;
    if (broken === undefined && first === undefined) return;
    const inUse = `"${name}" is gone, but ${claims.length} of its addresses are in use, such as ` +
      `${first?.spec.ip}: make the pool again, or replace the pods`;
    this.#parts.recorder.record({
      type: "Warning",
      reason: broken === undefined ? "PoolMissing" : "Unreadable",
      action: "DeriveStatus",
      note: broken === undefined ? inUse : broken.problem,
      regarding: poolReference({ name }),
    });
  }
}

/** Names of the pools that a change is about. */
function poolsIn(event: InformerEvent<SpiderIp>): readonly string[] {
  switch (event.type) {
    case "synced":
      return [];
    case "added":
    case "deleted":
      return [event.object.spec.pool];
    case "modified":
      return [event.object.spec.pool, event.previous.spec.pool];
    case "broken":
      return event.previous === undefined ? [] : [event.previous.spec.pool];
    default:
      return unreachable(event);
  }
}
