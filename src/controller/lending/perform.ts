/** Does the steps of `src/ipam/lending`: each write once, and what became of it. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { isTerminating } from "../../api/metadata.ts";
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { unreachable } from "../../base/assert.ts";
import { Gate } from "../../base/gate.ts";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { allEnded } from "../../base/waiting.ts";
import { type Address, formatObjectName, RangeSet } from "../../ip/mod.ts";
import { transitionsOf } from "../../ipam/conditions.ts";
import type { Loans } from "../../ipam/lending/facts.ts";
import { eachAddress, isHoldOf, newHold } from "../../ipam/lending/holds.ts";
import type { LoanPlan } from "../../ipam/lending/plan.ts";
import type { SubnetStatus } from "../../ipam/lending/status.ts";
import {
  type HoldWish,
  type LendingReply,
  type LendingStep,
  victimsOf,
} from "../../ipam/lending/steps.ts";
import { markedPool } from "../../ipam/adoption.ts";
import { isPoolOf } from "../../ipam/applications.ts";
import { poolToMake } from "../../ipam/lending/wishes.ts";
import { withFinalizer } from "../admission/rules/mutation.ts";
import { ownPool } from "./own_pool.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import type { LookWork } from "./work.ts";
import { tellSubnet } from "./news.ts";

/**
 * Pools that are written at a time. A new one takes two writes before it can be used: were all made
 * first, the first of many would be ready as late as the last.
 */
const POOLS_AT_ONCE = 8;
/** Tries at finding addresses that no pod has got meanwhile. */
const HOLD_ROUNDS = 3;

/** Does one step. @param options.statusOf The status that goes with a record. */
export async function performStep<A extends Address>(
  step: LendingStep<A>,
  { work, statusOf }: {
    readonly work: LookWork;
    readonly statusOf: (plan: LoanPlan<A>, loans: Loans<A>) => SubnetStatus;
  },
): Promise<LendingReply<A>> {
  switch (step.kind) {
    case "record":
      return {
        kind: "record",
        isDone: await writeStatus(work, statusOf(step.plan, step.loans)),
      };
    case "pools": {
      const gate = new Gate(POOLS_AT_ONCE);
      const written = Array.from(step.ranges, async ([name, ranges]) => {
        const write = (): Promise<boolean> => writeRanges(name, { ranges, work });
        return await gate.pass(write, { signal: work.signal }) ? [name] : [];
      });
      return { kind: "pools", written: new Set((await allEnded(written)).flat()) };
    }
    case "hold": {
      const held = Array.from(step.wishes, async ([pool, wish]) => {
        return [pool, await holdBack(pool, { wish, work })] as const;
      });
      return { kind: "hold", held: new Map(await allEnded(held)) };
    }
    default:
      return unreachable(step);
  }
}

/**
 * Writes the status of the Subnet, unless it says that already.
 *
 * @returns False if somebody else has written the Subnet.
 */
export async function writeStatus(work: LookWork, status: SubnetStatus): Promise<boolean> {
  const { parts: { settler }, subnet, signal } = work;
  if (isSameJson(status, subnet.status ?? {})) return true;
  const isOurs = (stored: SpiderSubnet): boolean => isSameJson(stored.status, status);
  const next = { ...subnet, status };
  const written = await settler.replace(SPIDER_SUBNETS, next, { signal, isOurs, part: "status" });
  if (written.kind === "lost") return false;
  work.subnet = written.object;
  work.memory.wroteSubnet(written.object);
  const transitions = transitionsOf(subnet.status?.conditions, status.conditions);
  tellSubnet(work, transitions);
  return true;
}

/**
 * Writes a pool, unless somebody else has since it was read.
 *
 * @returns Whether it was written. A refusal is logged: others are not to wait for it.
 */
export async function writePool(
  next: SpiderIpPool,
  { work, isOurs }: {
    readonly work: LookWork;
    readonly isOurs: (stored: SpiderIpPool) => boolean;
  },
): Promise<boolean> {
  const { parts: { settler, view, ports: { log } }, memory, pools, signal } = work;
  const { name } = next.metadata;
  const seen = view.pools.get({ name });
  try {
    const written = await settler.replace(SPIDER_IP_POOLS, next, { signal, isOurs });
    if (written.kind === "lost") {
      memory.forget(name);
      work.hasLost = true;
      return false;
    }
    memory.wrote(written.object, { seen });
    pools.set(name, written.object);
    return true;
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    log.warn("pool not written", { pool: name, problem: errorText(error) });
    work.hasFailed = true;
    return false;
  }
}

async function writeRanges<A extends Address>(
  name: string,
  { ranges, work }: { readonly ranges: RangeSet<A>; readonly work: LookWork },
): Promise<boolean> {
  const { pools, parts: { ports: { log } } } = work;
  const ips = ranges.toTexts();
  const pool = pools.get(name);
  if (pool === undefined) return await makePool(name, { ips, work });
  const next = { ...pool, spec: { ...pool.spec, ips } };
  const isOurs = ({ spec }: SpiderIpPool): boolean => isSameJson(spec.ips, ips);
  const isWritten = await writePool(next, { work, isOurs });
  if (isWritten) log.info("pool lent addresses", { pool: name, ips });
  return isWritten;
}

/** Makes the pool that an application wants. One that an earlier leader made is as good. */
async function makePool(
  name: string,
  { ips, work }: { readonly ips: readonly string[]; readonly work: LookWork },
): Promise<boolean> {
  const { parts: { settler, ports: { log, clock } }, memory, pools, subnet, wishes, signal } = work;
  const wish = wishes.missing.get(name);
  // It was read again after the record was written, and may be on its way out by now.
  if (wish === undefined || isTerminating(subnet)) return false;
  const pool = withFinalizer(ownPool(poolToMake(wish, { subnet, ips }), subnet));
  const isOurs = (stored: SpiderIpPool): boolean => isPoolOf(stored, wish.identity);
  try {
    const options = { signal, isOurs, mayBeDone: true };
    const created = await settler.create(SPIDER_IP_POOLS, pool, options);
    if (created.kind === "exists") {
      log.warn("pool not made: another one has its name", { pool: name });
      work.hasFailed = true;
      return false;
    }
    if (created.isLate) memory.mayBeMadeLate(name, { nowMs: clock.monotonicMs() });
    const made = created.wasThere ? created.object : await mark(created.object, work);
    memory.made(made, { created: created.object });
    pools.set(name, made);
    log.info("pool made", { pool: name, ips });
    return isSameJson(made.spec.ips, ips);
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    memory.mayBeMadeLate(name, { nowMs: clock.monotonicMs() });
    log.warn("pool not made", { pool: name, problem: errorText(error) });
    work.hasFailed = true;
    return false;
  }
}

/** Marks a pool that has no older records, since it is new: agents give nothing out before. */
async function mark(
  pool: SpiderIpPool,
  { parts: { settler }, signal }: LookWork,
): Promise<SpiderIpPool> {
  const isOurs = ({ status }: SpiderIpPool): boolean => status?.truth !== undefined;
  const marked = await settler.replace(SPIDER_IP_POOLS, markedPool(pool), {
    signal,
    isOurs,
    part: "status",
  });
  return marked.kind === "replaced" ? marked.object : pool; // Somebody else marks it, then.
}

/** Creates what keeps pods from addresses of a pool; one that a pod has is left out. */
async function holdBack<A extends Address>(
  pool: string,
  { wish, work }: { readonly wish: HoldWish<A>; readonly work: LookWork },
): Promise<RangeSet<A>> {
  const { parts: { settler }, signal } = work;
  let { count, held: known, unused } = wish;
  let held = RangeSet.empty(known.family);
  for (let round = 0; round < HOLD_ROUNDS && count > 0; round++) {
    const victims = victimsOf({ count, held: known, unused });
    const tries = Array.from(eachAddress(victims), async (address) => {
      const isOurs = (stored: SpiderIp): boolean => isHoldOf(pool, stored);
      const hold = newHold({ pool, address });
      // One that an earlier look made is as good.
      const options = { signal, isOurs, mayBeDone: true };
      const created = await settler.create(SPIDER_IPS, hold, options);
      return created.kind === "created" ? [address] : [];
    });
    for (const address of (await allEnded(tries)).flat()) {
      held = held.with(address);
      work.held.set(formatObjectName(address), pool);
    }
    known = known.subtract(victims);
    unused = unused.subtract(victims);
    count = wish.count - Number(held.size);
  }
  return held;
}
