/** One look at a SpiderSubnet: what is it lacking, and what do its pools. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { controllerOf, isTerminating } from "../../api/metadata.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { readControlledIpPools } from "../../api/subnet_records.ts";
import { pagesOf } from "../../base/pages.ts";
import { serverNowMs } from "../../base/server_time.ts";
import { type Address, guessVersion } from "../../ip/mod.ts";
import {
  borrowsFrom,
  type LendingFacts,
  type Loans,
  networkOf,
  readLending,
} from "../../ipam/lending/facts.ts";
import { HOLD_MS } from "../../ipam/lending/holds.ts";
import { type LoanGround, type LoanPlan, planLoans } from "../../ipam/lending/plan.ts";
import {
  brokenStatus,
  lendingStatus,
  type StatusOptions,
  type SubnetStatus,
} from "../../ipam/lending/status.ts";
import { type ApplicationWish, matchWishes, type WishMatch } from "../../ipam/lending/wishes.ts";
import { type LendingEnd, lendingSteps } from "../../ipam/lending/steps.ts";
import type { WorkOutcome } from "../../kube/mod.ts";
import { RAW_POOLS } from "../pool_ending.ts";
import type { Applications } from "./applications.ts";
import { endSubnet, removePools } from "./ending.ts";
import { adoptPools, followWishes, ownSubnet } from "./family.ts";
import { endHolds } from "./holds.ts";
import type { LendingMemory } from "./memory.ts";
import { haveSubnet, tellNoSubnet, tellPools } from "./news.ts";
import { performStep, writeStatus } from "./perform.ts";
import { supplyOf } from "./supply.ts";
import type { Together } from "./together.ts";
import { removeGivenBack, removeUnwanted } from "./unwanted.ts";
import type { LenderParts, LookWork } from "./work.ts";

/**
 * Milliseconds before a Subnet that somebody else wrote meanwhile is looked at again; they double
 * with each time in a row: a copy that is silent makes every write one that lost.
 */
const AGAIN_MS = { least: 100, most: 5_000 };
/**
 * Milliseconds, beyond a lease, that a record waits in a new term for a pool that was never seen: a
 * leader before this one may have been about to make it.
 */
const NEVER_MADE_MS = 60_000;

/** Looks at Subnets, one at a time each. */
export class SubnetLooks {
  readonly #parts: LenderParts;
  readonly #memory: LendingMemory;
  readonly #applications: Applications;
  readonly #together: Together;
  /** By name: looks in a row that came to no end. */
  readonly #unfinished = new Map<string, number>();

  constructor(
    parts: LenderParts,
    { memory, applications, together }: {
      readonly memory: LendingMemory;
      readonly applications: Applications;
      readonly together: Together;
    },
  ) {
    this.#parts = parts;
    this.#memory = memory;
    this.#applications = applications;
    this.#together = together;
  }

  /**
   * Looks at one.
   *
   * @throws {StoreFailure} The server refuses what it was asked for.
   */
  async look(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const outcome = await this.#look(name, { signal });
    if (outcome !== "unfinished") {
      this.#unfinished.delete(name);
      return outcome;
    }
    const times = this.#unfinished.get(name) ?? 0;
    this.#unfinished.set(name, times + 1);
    return again(Math.min(AGAIN_MS.least * 2 ** times, AGAIN_MS.most));
  }

  async #look(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome | "unfinished"> {
    const { settler } = this.#parts;
    const subnet = await settler.get(SPIDER_SUBNETS, { name }, { signal });
    if (subnet === undefined) {
      this.#memory.waiting.delete(name);
      this.#together.choose(name);
      this.#tellNoSubnet(this.#applications.wishesOf(name), {
        why: "does not exist; create it, or name another one in the annotation",
      });
      return { code: "done" };
    }
    const pools = await this.#poolsOf(subnet, { signal });
    const work: LookWork = {
      parts: this.#parts,
      memory: this.#memory,
      subnet,
      pools,
      wishes: { made: new Map(), missing: new Map() },
      blocked: new Set(),
      unwanted: new Set(),
      givenBack: new Set(),
      held: new Map(),
      hasLost: false,
      hasFailed: false,
      againMs: Infinity,
      signal,
    };
    if (!await ownSubnet(work)) return "unfinished";
    await adoptPools(work);
    await removePools(work);
    this.#matchWishes(work);
    await followWishes(work);
    work.againMs = await removeUnwanted(work, this.#applications);
    return await this.#lend(work);
  }

  #matchWishes(work: LookWork): void {
    const { subnet, pools } = work;
    const version = guessVersion(subnet.spec.subnet);
    const { true: fitting = [], false: others = [] } = Object.groupBy(
      this.#applications.wishesOf(subnet.metadata.name),
      ({ identity }) => identity.version === version ? "true" : "false",
    );
    this.#tellNoSubnet(others, {
      why: `is of IPv${version}; name it in the other list of the annotation`,
    });
    const isEnding = isTerminating(subnet);
    if (isEnding) this.#tellNoSubnet(fitting, { why: "is being deleted; name another one" });
    else haveSubnet(this.#memory, fitting);
    const isOwn = (pool: SpiderIpPool): boolean => borrowsFrom(subnet, pool);
    work.wishes = matchWishes(fitting, { pools, isOwn });
    work.blocked = blockedOf([...fitting, ...others], { wishes: work.wishes, isEnding });
  }

  #tellNoSubnet(wishes: readonly ApplicationWish[], { why }: { readonly why: string }): void {
    const { recorder } = this.#parts;
    tellNoSubnet({ recorder, memory: this.#memory }, { wishes, why });
  }

  async #lend(work: LookWork): Promise<WorkOutcome | "unfinished"> {
    const { view, ports: { clock } } = this.#parts;
    const gone = new Set<string>();
    const { uid = "" } = work.subnet.metadata;
    const resting = this.#memory.resting(uid, { nowMs: clock.monotonicMs() });
    const facts = readLending(work.subnet, {
      pools: work.pools.values(),
      wishes: work.wishes,
      unwanted: work.unwanted,
      reserved: view.reservedNow(),
      claims: () => view.claims.objects(),
      claimsOf: (pool) => view.claimsOf(pool),
      isGone: (pool) => gone.has(pool),
      resting: resting.ranges,
      lender: this.#memory.lender,
    });
    if (!facts.ok) {
      const missing = [...work.wishes.missing.values()];
      this.#tellNoSubnet(missing, { why: `cannot be used: ${facts.error}` });
      this.#together.forget(work.subnet.metadata.name);
      await writeStatus(work, brokenStatus(facts.error, this.#statusOptions(work)));
      return { code: "done" }; // Its change brings it back.
    }
    return facts.value.version === 4
      ? await this.#drive(facts.value, { work, gone })
      : await this.#drive(facts.value, { work, gone });
  }

  async #drive<A extends Address>(
    facts: LendingFacts<A>,
    { work, gone }: { readonly work: LookWork; readonly gone: Set<string> },
  ): Promise<WorkOutcome | "unfinished"> {
    const { ports: { log, clock } } = this.#parts;
    const { name: subnet, uid = "" } = work.subnet.metadata;
    if (facts.recordProblem !== undefined) {
      log.warn("record rebuilt from pools", { subnet, problem: facts.recordProblem });
    }
    const unsureMs = await this.#findGone(work, { names: facts.loans.keys(), gone });
    const statusOf = (plan: LoanPlan<A>, loans: Loans<A>): SubnetStatus =>
      lendingStatus({ facts, plan, loans }, this.#statusOptions(work));
    const steps = lendingSteps(facts, planLoans(facts, (ground) => this.#choose(work, ground)));
    let next = steps.next();
    while (next.done !== true) next = steps.next(await performStep(next.value, { work, statusOf }));
    const { plan, loans, unfinished } = next.value;
    if (loans === undefined) return "unfinished";
    const nowMs = clock.monotonicMs();
    this.#memory.rest(uid, { ranges: plan.givenUp.toTexts(), endMs: nowMs + HOLD_MS });
    const isTold = await writeStatus(work, statusOf(plan, loans));
    const holdMs = await endHolds({ facts, loans }, work);
    await removeGivenBack(work);
    this.#tell(next.value, work);
    if (work.hasFailed) return { code: "failed" };
    if (!isTold || work.hasLost || unfinished.size > 0) return "unfinished";
    const isFree = loans.size === 0 && holdMs === Infinity;
    if (isFree && !await endSubnet(work)) return "unfinished";
    const isShort = plan.unmet.length > 0;
    const restMs = isShort ? this.#memory.resting(uid, { nowMs }).endMs - nowMs : Infinity;
    const waitMs = Math.min(unsureMs, holdMs, restMs, work.againMs);
    return waitMs === Infinity ? { code: "done" } : again(waitMs);
  }

  /** @returns Wishes that may be lent what they lack. */
  #choose<A extends Address>(work: LookWork, ground: LoanGround<A>): ReadonlySet<string> {
    const { name } = work.subnet.metadata;
    const { served, givenBack } = this.#together.choose(name, supplyOf(work, ground));
    work.givenBack = givenBack;
    return served;
  }

  #tell<A extends Address>(end: LendingEnd<A>, work: LookWork): void {
    const { plan, inUse } = end;
    const { name } = work.subnet.metadata;
    if (plan.unmet.length > 0 || inUse.size > 0 || work.unwanted.size > 0) {
      this.#memory.waiting.add(name);
    } else this.#memory.waiting.delete(name);
    tellPools(end, work);
  }

  #statusOptions({ subnet }: LookWork): StatusOptions {
    const { store, clock } = this.#parts.ports;
    return { subnet, nowMs: serverNowMs({ store, clock }), lender: this.#memory.lender };
  }

  /**
   * Finds the pools with a record that are not there: no copy has them, and a read neither.
   *
   * @returns Milliseconds until one that was never seen counts as gone.
   */
  async #findGone(
    work: LookWork,
    { names, gone }: { readonly names: Iterable<string>; readonly gone: Set<string> },
  ): Promise<number> {
    const { settler, view, ports: { clock }, settings: { leadership } } = this.#parts;
    const ageMs = clock.monotonicMs() - this.#memory.beganMs;
    const leftMs = NEVER_MADE_MS + leadership.durationMs - ageMs;
    let waitMs = Infinity;
    for (const name of names) {
      const pool = view.pools.get({ name });
      if (pool !== undefined || view.pools.broken({ name }) !== undefined) {
        // A pool of nobody's keeps no Subnet that is being deleted.
        const isOthers = pool !== undefined && !borrowsFrom(work.subnet, pool);
        if (!isOthers || !isTerminating(work.subnet)) continue;
        const found = await settler.get(RAW_POOLS, { name }, { signal: work.signal });
        const { uid } = work.subnet.metadata;
        if (found === undefined || controllerOf(found)?.uid !== uid) gone.add(name);
        continue;
      }
      if (work.pools.has(name)) continue; // It was made a moment ago.
      if (!this.#memory.gone.has(name)) this.#memory.unmade.add(name);
      if (this.#memory.unmade.has(name) && leftMs > 0) {
        waitMs = Math.min(waitMs, leftMs);
        continue;
      }
      const lateMs = (this.#memory.lateUntilMs.get(name) ?? -Infinity) - clock.monotonicMs();
      if (lateMs > 0) {
        waitMs = Math.min(waitMs, lateMs);
        continue;
      }
      this.#memory.lateUntilMs.delete(name);
      const found = await settler.get(RAW_POOLS, { name }, { signal: work.signal });
      if (found === undefined) gone.add(name);
    }
    return waitMs;
  }

  /** A record that was lost is rebuilt from what the server itself says, not from a copy. */
  async #poolsOf(
    subnet: SpiderSubnet,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Map<string, SpiderIpPool>> {
    const { view } = this.#parts;
    const network = networkOf(subnet);
    const { uid = "" } = subnet.metadata;
    const text = subnet.status?.controlledIPPools;
    const isLost = text === undefined || !readControlledIpPools(text).ok;
    const all = isLost || !this.#memory.listed.has(uid)
      ? await this.#listPools({ signal })
      : Array.from(view.pools.objects(), (pool) => this.#memory.newest(pool));
    this.#memory.listed.add(uid);
    for (const pool of this.#memory.unseen()) {
      if (view.pools.get(pool.metadata) === undefined) all.push(pool);
    }
    const own = all.filter((pool) => networkOf(pool) === network || borrowsFrom(subnet, pool));
    return new Map(own.map((pool) => [pool.metadata.name, pool]));
  }

  async #listPools(
    { signal }: { readonly signal: AbortSignal },
  ): Promise<SpiderIpPool[]> {
    const { settler, ports: { store } } = this.#parts;
    const pools: SpiderIpPool[] = [];
    const pages = pagesOf((page) =>
      settler.read((options) => store.list(SPIDER_IP_POOLS, { ...options, ...page }), { signal })
    );
    for await (const { items } of pages) pools.push(...items);
    return pools;
  }
}

function again(afterMs: number): WorkOutcome {
  return { code: "again", afterMs };
}

/** Wishes whose pools cannot be made now: their name is taken, or the Subnet does not lend. */
function blockedOf(
  all: readonly ApplicationWish[],
  { wishes: { made, missing }, isEnding }: {
    readonly wishes: WishMatch;
    readonly isEnding: boolean;
  },
): ReadonlySet<string> {
  const free = new Set([...made.values(), ...isEnding ? [] : missing.values()]);
  return new Set(all.filter((wish) => !free.has(wish)).map(({ pool }) => pool.name));
}
