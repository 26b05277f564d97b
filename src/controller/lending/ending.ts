/** A Subnet that is being deleted: its pools go first, and it goes when they have. */
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { isTerminating } from "../../api/metadata.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { errorText } from "../../base/log.ts";
import { type StoredObject, StoreFailure } from "../../base/object_store.ts";
import { borrowsFrom } from "../../ipam/lending/facts.ts";
import { withoutFinalizer } from "../admission/rules/mutation.ts";
import { rawOf } from "../raw_objects.ts";
import type { LookWork } from "./work.ts";

const RAW_SUBNETS = rawOf(SPIDER_SUBNETS);

/** Deletes the pools of a Subnet that is being deleted; each waits for its pods. */
export async function removePools(work: LookWork): Promise<void> {
  const { subnet, pools, parts: { settler, ports: { log } }, signal } = work;
  if (!isTerminating(subnet)) return;
  for (const pool of pools.values()) {
    if (isTerminating(pool) || !borrowsFrom(subnet, pool)) continue;
    const { name } = pool.metadata;
    try {
      const removed = await settler.remove(SPIDER_IP_POOLS, pool, { signal });
      if (removed === "changed") work.hasFailed = true;
      else log.info("pool deleted with its subnet", { pool: name, subnet: subnet.metadata.name });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      log.warn("pool not deleted with its subnet", { pool: name, problem: errorText(error) });
      work.hasFailed = true;
    }
  }
}

/**
 * Lets a Subnet go that is being deleted and lends nothing any more.
 *
 * @returns False if somebody else has written it.
 */
export async function endSubnet(work: LookWork): Promise<boolean> {
  const { subnet, pools, parts: { settler, ports: { log } }, signal } = work;
  if (!isTerminating(subnet)) return true;
  if (!subnet.metadata.finalizers?.includes(SPIDERPOOL_FINALIZER)) return true;
  for (const pool of pools.values()) if (borrowsFrom(subnet, pool)) return true;
  const isOurs = ({ metadata }: StoredObject): boolean =>
    !(metadata.finalizers ?? []).includes(SPIDERPOOL_FINALIZER);
  const ended = await settler.replace(RAW_SUBNETS, withoutFinalizer<StoredObject>(subnet), {
    signal,
    isOurs,
  });
  if (ended.kind === "lost") return false;
  log.info("subnet let go", { subnet: subnet.metadata.name });
  return true;
}
