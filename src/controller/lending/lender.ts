/** Keeps what SpiderSubnets lend to their pools: one term's work (design.md 2.6). */
import { ANNOTATION_IP_NUMBER } from "../../api/annotations.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { borrowsFrom, networkOf } from "../../ipam/lending/facts.ts";
import { Informer, type InformerEvent, type WorkOutcome, WorkQueue } from "../../kube/mod.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import { tellWrong } from "../pool_news.ts";
import { Tries } from "../tries.ts";
import { Applications } from "./applications.ts";
import { endOrphans } from "./holds.ts";
import { SubnetLooks } from "./looks.ts";
import { LendingMemory } from "./memory.ts";
import { Together } from "./together.ts";
import type { LenderParts } from "./work.ts";

/** Milliseconds from a change to a look: wishes that come together go into one write. */
const GATHER_MS = 20;
/**
 * Milliseconds between two looks that applications ask for: the first is at once, and many that
 * come together are few looks, each of which costs as much as the Subnet has pools.
 */
const SPACING_MS = 25;
/** The same where many SpiderIPs may go. */
const GATHER_CLAIMS_MS = 300;
/** Milliseconds between two looks at what is held for no Subnet. */
const ORPHANS_MS = 60_000;

/** One term's work. Level-based: what it missed, the next look tells. */
export class Lender {
  readonly #parts: LenderParts;
  readonly #subnets: Informer<SpiderSubnet>;
  readonly #queue: WorkQueue;
  readonly #tries: Tries;
  readonly #memory: LendingMemory;
  readonly #applications: Applications;
  readonly #together: Together;
  readonly #looks: SubnetLooks;
  /** By name: when the last look began, monotonic milliseconds. */
  readonly #lookedMs = new Map<string, number>();
  /** Whether Subnets were not queued, because too many were. */
  #hasOverflown = false;

  constructor(parts: LenderParts) {
    const { ports: { store, clock, random }, settings: { lending, podName } } = parts;
    this.#parts = parts;
    this.#subnets = new Informer(store, SPIDER_SUBNETS, { clock, random });
    this.#queue = new WorkQueue({ clock, random, capacity: lending.queueMax });
    this.#tries = new Tries({ max: lending.triesMax, gapMs: lending.retryMs });
    const newLender = (): string => `${podName}/${random.below(2 ** 32).toString(16)}`;
    this.#memory = new LendingMemory({ nowMs: clock.monotonicMs(), newLender });
    const ask = (subnet: string): void => this.#ask(subnet, this.#restMs(subnet));
    const applications = new Applications(parts, { ask });
    const together = new Together({ applications, ask });
    this.#applications = applications;
    this.#together = together;
    this.#looks = new SubnetLooks(parts, { memory: this.#memory, applications, together });
  }

  /** Why a copy is not up to date. */
  get problem(): string | undefined {
    return this.#subnets.status().error?.message ?? this.#applications.problem;
  }

  /** Works until the signal aborts; rejects with its reason. Off, it only ends what was held. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { view, settings: { lending } } = this.#parts;
    if (!lending.isOn) return await this.#endOrphans({ signal });
    await runTogether([
      (options) => this.#subnets.run(options),
      (options) => this.#applications.run(options),
      (options) => this.#followSubnets(options),
      (options) => this.#followPools(options),
      (options) => this.#followClaims(options),
      (options) => this.#followReserved(options),
      (options) => this.#lookAgain(options),
      (options) => this.#endOrphansAgain(options),
      async (options) => {
        await view.waitForSync(options);
        await this.#subnets.waitForSync(options);
        await this.#applications.waitForSync(options);
        const { workers } = lending;
        await this.#queue.run({ ...options, workers, work: (...args) => this.#work(...args) });
      },
    ], { signal });
  }

  async #followSubnets({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { metrics } = this.#parts;
    for await (const event of this.#subnets.events({ signal })) {
      if (event.type === "synced") continue;
      if (event.type !== "broken") {
        if (event.type === "deleted") this.#forget(event.object.metadata.name);
        else metrics.lent(event.object);
        const isOwn = event.type === "modified" && this.#memory.isOwn(event.object);
        if (!isOwn) this.#ask(event.object.metadata.name);
        continue;
      }
      const { key: metadata, problem } = event.object;
      this.#forget(metadata.name); // Nobody can say what it lends.
      if (event.change === "deleted") continue;
      tellWrong(this.#parts.recorder, { kind: "SpiderSubnet", metadata, problem });
    }
  }

  #forget(name: string): void {
    this.#parts.metrics.subnetGone(name);
    this.#lookedMs.delete(name);
  }

  async #followPools({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.pools.events({ signal })) {
      if (event.type === "synced") continue;
      if (event.type === "deleted") this.#memory.removed(event.object.metadata.name);
      else if (event.type === "added") this.#memory.gone.delete(event.object.metadata.name);
      const afterMs = gatherMs(event);
      if (afterMs === undefined) continue;
      const isOwn = event.type === "added" || event.type === "modified";
      if (isOwn && this.#memory.isOwn(event.object)) continue;
      const pool = event.type === "broken" ? event.previous : event.object;
      if (pool === undefined) continue; // It never was anybody's.
      for (const subnet of this.#subnets.objects()) {
        const isOfIt = networkOf(subnet) === networkOf(pool) || borrowsFrom(subnet, pool);
        if (isOfIt) this.#ask(subnet.metadata.name, afterMs);
      }
    }
  }

  /**
   * An address that nobody has any more may be lent, or given back. What is held back may show only
   * after the look that wanted it, or come late: somebody has to end it.
   */
  async #followClaims({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.claims.events({ signal })) {
      if (event.type === "deleted") {
        for (const name of this.#memory.waiting) this.#ask(name, GATHER_CLAIMS_MS);
      } else if (event.type === "added" && event.object.spec.hold !== undefined) {
        this.#askAll(GATHER_CLAIMS_MS);
      }
    }
  }

  async #followReserved({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.reserved.events({ signal })) {
      if (event.type === "synced") continue;
      for (const name of this.#memory.waiting) this.#ask(name, GATHER_CLAIMS_MS);
    }
  }

  /** Looks at every Subnet from time to time, whatever was told. */
  async #lookAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock }, settings: { lending: { resyncMs } } } = this.#parts;
    while (resyncMs > 0) {
      await clock.sleep(resyncMs, { signal });
      this.#askAll();
    }
  }

  async #endOrphansAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#subnets.waitForSync({ signal });
    for (;;) await this.#endOrphans({ signal });
  }

  async #endOrphans({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#parts.view.waitForSync({ signal });
    await this.#parts.ports.clock.sleep(ORPHANS_MS, { signal });
    await endOrphans(this.#parts, { subnets: this.#subnets.objects(), signal });
  }

  #askAll(afterMs: number = GATHER_MS): void {
    for (const { metadata } of this.#subnets.objects()) this.#ask(metadata.name, afterMs);
  }

  /** Milliseconds until a Subnet may be looked at again. */
  #restMs(name: string): number {
    const sinceMs = this.#parts.ports.clock.monotonicMs() - (this.#lookedMs.get(name) ?? -Infinity);
    return Math.max(0, SPACING_MS - sinceMs);
  }

  #ask(name: string, afterMs: number = GATHER_MS): void {
    if (this.#queue.add(name, { afterMs }).ok) this.#together.awaits(name);
    else this.#hasOverflown = true;
  }

  async #work(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { ports: { log }, settings: { lending } } = this.#parts;
    if (this.#hasOverflown && this.#queue.size * 2 < lending.queueMax) {
      this.#hasOverflown = false;
      this.#askAll();
    }
    this.#lookedMs.set(name, this.#parts.ports.clock.monotonicMs());
    try {
      const outcome = await this.#looks.look(name, { signal });
      this.#tries.clear(name);
      return outcome;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      this.#memory.renewLender();
      log.warn("SpiderSubnet not looked at", { subnet: name, problem: errorText(error) });
      return this.#tries.failed(name);
    }
  }
}

/**
 * Milliseconds from a change of a pool to a look at what it is lent.
 *
 * @returns `undefined` where it is not about that: most are of its status.
 */
function gatherMs(event: InformerEvent<SpiderIpPool>): number | undefined {
  if (event.type !== "modified") return GATHER_MS;
  const { object, previous } = event;
  if (!isSameJson(aboutLoans(object), aboutLoans(previous))) return GATHER_MS;
  // Every pool that is made is taken over once, and nothing waits for that.
  return object.status?.truth === previous.status?.truth ? undefined : GATHER_CLAIMS_MS;
}

function aboutLoans({ metadata }: SpiderIpPool): unknown {
  const { generation, labels, ownerReferences, deletionTimestamp, annotations } = metadata;
  const number = annotations?.[ANNOTATION_IP_NUMBER];
  return [generation, labels, ownerReferences, deletionTimestamp, number].map((one) => one ?? "");
}
