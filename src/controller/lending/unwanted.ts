/** Automatic pools that their applications do not want any more: each goes when no pod uses it. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { isAutomaticPool } from "../../api/labels.ts";
import { isTerminating } from "../../api/metadata.ts";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { borrowsFrom } from "../../ipam/lending/facts.ts";
import { applicationOfPool, goesWithApplication } from "../../ipam/lending/wishes.ts";
import type { Applications } from "./applications.ts";
import type { LookWork } from "./work.ts";

/**
 * Deletes those of a Subnet's pools that go with their applications, and are neither wanted nor
 * used. That an application is gone the server itself has to say.
 *
 * @throws {StoreFailure} The server cannot be asked.
 */
export async function removeUnwanted(work: LookWork, applications: Applications): Promise<void> {
  const { subnet, pools, wishes: { made }, unwanted, parts: { view } } = work;
  for (const [name, pool] of pools) {
    if (!isAutomaticPool(pool) || isTerminating(pool) || made.has(name)) continue;
    if (!borrowsFrom(subnet, pool) || !goesWithApplication(pool)) continue;
    const application = applicationOfPool(pool);
    if (application === undefined) continue;
    const fate = applications.fateOf(application);
    if (fate === "unclear") continue;
    unwanted.add(name);
    if (pool.status?.truth === undefined || view.claimsOf(name).length > 0) continue;
    const { signal } = work;
    if (fate === "absent" && !await applications.isGone(application, { signal })) continue;
    await remove(pool, work);
  }
}

async function remove(pool: SpiderIpPool, work: LookWork): Promise<void> {
  const { parts: { settler, ports: { log } }, signal } = work;
  const { name } = pool.metadata;
  try {
    const removed = await settler.remove(SPIDER_IP_POOLS, pool, { signal });
    if (removed === "changed") work.hasFailed = true;
    else log.info("pool deleted that no application wants", { pool: name });
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    log.warn("pool not deleted", { pool: name, problem: errorText(error) });
    work.hasFailed = true;
  }
}
