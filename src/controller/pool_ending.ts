/** Lets a pool go that is being deleted, once nobody has an address of it (design.md 2.5). */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { isTerminating } from "../api/metadata.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { SPIDERPOOL_FINALIZER } from "../api/group.ts";
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import { StoreFailure } from "../base/object_store.ts";
import type { WorkOutcome } from "../kube/mod.ts";
import { withoutFinalizer } from "./admission/rules/mutation.ts";
import type { LeaderParts } from "./parts.ts";

/** Milliseconds from a deletion until no ADD that began before it goes on. */
const ENDING_MS = 5_000;

/** A pool, and what a copy says of it. */
export interface EndingPool {
  readonly pool: SpiderIpPool;
  readonly claims: readonly SpiderIp[];
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Takes the finalizer away.
 *
 * @returns When to come again; `undefined` if there is nothing to do before the next change.
 */
export async function endPool(
  parts: LeaderParts,
  { pool, claims, nowMs, signal }: EndingPool,
): Promise<WorkOutcome | undefined> {
  const { settler, ports: { log } } = parts;
  const { name, deletionTimestamp = "", finalizers = [] } = pool.metadata;
  if (!isTerminating(pool) || !finalizers.includes(SPIDERPOOL_FINALIZER)) return undefined;
  const hasOldRecords = pool.status?.truth === undefined &&
    pool.status?.allocatedIPs !== undefined;
  if (claims.length > 0 || hasOldRecords) return undefined;
  const waitMs = Date.parse(deletionTimestamp) + ENDING_MS - nowMs;
  if (waitMs > 0) return { code: "again", afterMs: waitMs };
  if (await isNamed(parts, { name, signal })) return { code: "again", afterMs: ENDING_MS };
  const isOurs = ({ metadata }: SpiderIpPool): boolean =>
    !(metadata.finalizers ?? []).includes(SPIDERPOOL_FINALIZER);
  const ended = await settler.replace(SPIDER_IP_POOLS, withoutFinalizer(pool), { signal, isOurs });
  if (ended.kind === "lost") return { code: "again", afterMs: ENDING_MS };
  log.info("pool let go", { pool: name });
  return { code: "done" };
}

/** Whether any SpiderIP names the pool, by a read of all of them; a copy may lag. */
async function isNamed(
  { settler, ports: { store } }: LeaderParts,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<boolean> {
  let continuation: string | undefined;
  do {
    const page = await settler.read(
      (options) => store.list(SPIDER_IPS, { ...options, limit: LIST_PAGE_OBJECTS, continuation }),
      { signal },
    );
    if (!page.ok) throw new StoreFailure(page.error);
    if (page.value.items.some(({ spec }) => spec.pool === name)) return true;
    continuation = page.value.continuation;
  } while (continuation !== undefined);
  return false;
}
