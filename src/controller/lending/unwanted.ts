/** Automatic pools that their applications do not want any more: each goes when no pod uses it. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { isAutomaticPool } from "../../api/labels.ts";
import { isTerminating } from "../../api/metadata.ts";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { borrowsFrom } from "../../ipam/lending/facts.ts";
import { applicationOfPool, goesWithApplication } from "../../ipam/lending/wishes.ts";
import { poolReference } from "../pool_news.ts";
import type { Applications } from "./applications.ts";
import { mayGiveBack } from "./supply.ts";
import type { LookWork } from "./work.ts";

/**
 * Milliseconds between two questions whether an application without pods is still there: nothing
 * else tells. They double while it is.
 */
const ABSENT_MS = { least: 60_000, most: 480_000 };

/**
 * Deletes those of a Subnet's pools that go with their applications, and are neither wanted nor
 * used. That an application is gone the server itself has to say.
 *
 * @returns Milliseconds until one that is there and silent is asked for again; infinite: none is.
 */
export async function removeUnwanted(work: LookWork, applications: Applications): Promise<number> {
  let againMs = Infinity;
  const { subnet, pools, wishes: { made }, unwanted, memory, parts: { ports } } = work;
  const nowMs = ports.clock.monotonicMs();
  for (const [name, pool] of pools) {
    if (!isAutomaticPool(pool) || isTerminating(pool) || made.has(name)) continue;
    if (!borrowsFrom(subnet, pool) || !goesWithApplication(pool)) continue;
    const application = applicationOfPool(pool);
    if (application === undefined) continue;
    const fate = applications.fateOf(application);
    if (fate !== "absent") memory.present.delete(application.uid);
    if (fate === "unclear") continue;
    unwanted.add(name);
    if (!mayGiveBack(pool, work)) continue;
    const { untilMs = 0, waitMs = ABSENT_MS.least } = memory.present.get(application.uid) ?? {};
    if (untilMs > nowMs) {
      againMs = Math.min(againMs, untilMs - nowMs);
      continue;
    }
    const { signal } = work;
    try {
      const isProved = fate === "other" || await applications.isGone(application, { signal });
      if (isProved) {
        memory.present.delete(application.uid);
        await remove(pool, { work, why: "no application wants it" });
        continue;
      }
      const next = { untilMs: nowMs + waitMs, waitMs: Math.min(waitMs * 2, ABSENT_MS.most) };
      memory.present.set(application.uid, next);
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      tellUnproved(work, { pool, problem: errorText(error) });
    }
    againMs = Math.min(againMs, waitMs);
  }
  return againMs;
}

/**
 * Deletes pools that are of no use to their applications, which lack another one: somebody else can
 * have all of theirs with these addresses.
 */
export async function removeGivenBack(work: LookWork): Promise<void> {
  const { subnet, pools, wishes: { made }, givenBack } = work;
  for (const [name, wish] of givenBack.size === 0 ? [] : made) {
    const pool = pools.get(name);
    if (pool === undefined || !givenBack.has(wish.pool.name) || !mayGiveBack(pool, work)) continue;
    if (borrowsFrom(subnet, pool)) await remove(pool, { work, why: "another needs its addresses" });
  }
}

function tellUnproved(
  { memory, parts: { recorder } }: LookWork,
  { pool: { metadata }, problem }: { readonly pool: SpiderIpPool; readonly problem: string },
): void {
  const note = `It stays although no pod uses it, since nobody can say whether its application ` +
    `is gone: ${problem}`;
  if (!memory.isNews(metadata.name, note)) return;
  recorder.record({
    type: "Warning",
    reason: "ApplicationUnknown",
    action: "Lend",
    note,
    regarding: poolReference(metadata),
  });
}

async function remove(
  pool: SpiderIpPool,
  { work, why }: { readonly work: LookWork; readonly why: string },
): Promise<void> {
  const { parts: { settler, ports: { log } }, signal } = work;
  const { name } = pool.metadata;
  try {
    const removed = await settler.remove(SPIDER_IP_POOLS, pool, { signal });
    if (removed === "changed") work.hasFailed = true;
    else log.info("pool deleted", { pool: name, why });
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    log.warn("pool not deleted", { pool: name, problem: errorText(error) });
    work.hasFailed = true;
  }
}
