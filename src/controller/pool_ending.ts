/** Lets a pool go that is being deleted, once nobody has an address of it (design.md 2.5). */
import { isRecord } from "../api/decode.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { isTerminating } from "../api/metadata.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { SPIDERPOOL_FINALIZER } from "../api/group.ts";
import { type StoredObject } from "../base/object_store.ts";
import { pagesOf } from "../base/pages.ts";
import type { WorkOutcome } from "../kube/mod.ts";
import { withoutFinalizer } from "./admission/rules/mutation.ts";
import type { LeaderParts } from "./parts.ts";
import { rawOf } from "./raw_objects.ts";

/** Milliseconds from a deletion until no ADD that began before it goes on. */
const ENDING_MS = 5_000;

/** Pools that may be unreadable. */
export const RAW_POOLS = rawOf(SPIDER_IP_POOLS);

/** A pool, and what a copy says of it. */
export interface EndingPool {
  /** Nothing but its metadata need be readable. */
  readonly pool: StoredObject;
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
  if (claims.length > 0 || hasOldRecords(pool)) return undefined;
  const waitMs = Date.parse(deletionTimestamp) + ENDING_MS - nowMs;
  if (waitMs > 0) return { code: "again", afterMs: waitMs };
  if (await isNamed(parts, { name, signal })) return { code: "again", afterMs: ENDING_MS };
  const isOurs = ({ metadata }: StoredObject): boolean =>
    !(metadata.finalizers ?? []).includes(SPIDERPOOL_FINALIZER);
  const ended = await settler.replace(RAW_POOLS, withoutFinalizer(pool), { signal, isOurs });
  if (ended.kind === "lost") return { code: "again", afterMs: ENDING_MS };
  log.info("pool let go", { pool: name });
  return { code: "done" };
}

/** Whether the reference's records are the truth still. */
function hasOldRecords(pool: StoredObject): boolean {
  const status: unknown = Reflect.get(pool, "status");
  return isRecord(status) && status.truth === undefined && status.allocatedIPs !== undefined;
}

/** Whether any SpiderIP names the pool, by a read of all of them; a copy may lag. */
async function isNamed(
  { settler, ports: { store } }: LeaderParts,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<boolean> {
  const pages = pagesOf((page) =>
    settler.read((options) => store.list(SPIDER_IPS, { ...options, ...page }), { signal })
  );
  for await (const { items } of pages) {
    if (items.some(({ spec }) => spec.pool === name)) return true;
  }
  return false;
}
