/** Writes who has which address back into the pools, as the reference keeps it. */
import { ANNOTATION_NOT_USABLE } from "../../api/annotations.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { LABEL_COMPONENT, POOL_COMPONENTS } from "../../api/labels.ts";
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import {
  ENGINE_LOOK_MS,
  GIVE_BACK_STOP_MS,
  GIVE_BACK_TRIES_MAX,
  IN_FLIGHT_MS,
} from "../../base/limits.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { quoted } from "../../ipam/brief.ts";
import { recordsOf } from "../../ipam/pool_status.ts";
import { lowerFence, takeMarkers } from "./fence.ts";
import { all, type Run } from "./run.ts";

/** What was done. */
export interface GivenBack {
  /** Pools that have all their records. */
  readonly written: readonly string[];
  /** Pools that were disabled, since their records do not fit one object. */
  readonly disabled: readonly string[];
}

/**
 * Gives every pool its records, and takes the fence down behind which they were SpiderIPs.
 *
 * @param namespace Of the installation: its agents and controllers must have ended.
 * @returns Or one sentence: what hinders it.
 * @throws {StoreFailure} The API server refuses something.
 */
export async function giveBack(namespace: string, run: Run): Promise<Result<GivenBack, string>> {
  const { ports: { clock, log }, signal } = run;
  const endMs = clock.monotonicMs() + GIVE_BACK_STOP_MS;
  for (;;) {
    const running = await runningWriters(namespace, run);
    if (running.length === 0) break;
    const names = running.map(quoted).join(", ");
    if (clock.monotonicMs() >= endMs) {
      return err(
        `Cannot give addresses back: ${names} still runs and may give one out; delete the ` +
          "DaemonSet of agents and the Deployment of controllers first",
      );
    }
    log.info("waiting for agents and controllers to end", { pods: names });
    await clock.sleep(ENGINE_LOOK_MS, { signal });
  }
  log.info("waiting for requests in flight", { ms: IN_FLIGHT_MS });
  await clock.sleep(IN_FLIGHT_MS, { signal });
  let before = await all(SPIDER_IPS, run);
  for (let tries = 0; tries < GIVE_BACK_TRIES_MAX; tries++) {
    const given = await writeAll(before, run);
    const after = await all(SPIDER_IPS, run);
    if (stateOf(after) === stateOf(before)) {
      await lowerFence(run);
      await takeMarkers(run);
      return ok(given);
    }
    log.warn("SpiderIPs have changed meanwhile: once more");
    before = after;
  }
  return err(
    "Cannot give addresses back: SpiderIPs go on changing, so somebody still writes them; see " +
      "who may create spiderips",
  );
}

/** Pods of the programs that are not over. */
async function runningWriters(namespace: string, run: Run): Promise<readonly string[]> {
  const pods = await all(PODS, {
    ...run,
    namespace,
    labelSelector: `${LABEL_COMPONENT} in (${POOL_COMPONENTS.join(",")})`,
  });
  return pods.filter(({ status }) => !["Succeeded", "Failed"].includes(status?.phase ?? ""))
    .map(({ metadata }) => metadata.name);
}

/** Tells whether two lists are of the same objects in the same state. */
function stateOf(claims: readonly SpiderIp[]): string {
  return claims.map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`).toSorted()
    .join("\n");
}

async function writeAll(claims: readonly SpiderIp[], run: Run): Promise<GivenBack> {
  const ofPool = Map.groupBy(claims, ({ spec }) => spec.pool);
  const written: string[] = [];
  const disabled: string[] = [];
  for (const pool of await all(SPIDER_IP_POOLS, run)) {
    if (pool.status?.truth === undefined) continue; // Its records are the reference's already.
    const { name } = pool.metadata;
    const own = ofPool.get(name) ?? [];
    const { text, omitted } = recordsOf(own, { recordsMax: Infinity });
    if (omitted === undefined) {
      await writeRecords(pool, { text, count: countOf(own), run });
      written.push(name);
    } else {
      await disable(pool, { omitted, run });
      disabled.push(name);
    }
  }
  return { written, disabled };
}

/** Addresses that somebody uses. */
function countOf(claims: readonly SpiderIp[]): number {
  return claims.filter(({ spec }) => spec.hold === undefined).length;
}

async function writeRecords(
  pool: SpiderIpPool,
  { text, count, run }: {
    readonly text: string | undefined;
    readonly count: number;
    readonly run: Run;
  },
): Promise<void> {
  const { ports: { store, log }, signal } = run;
  const { allocatedIPs: _former, ...rest } = pool.status ?? {};
  const records = text === undefined ? {} : { allocatedIPs: text };
  const status = { ...rest, ...records, allocatedIPCount: count };
  const stored = await store.replaceStatus(SPIDER_IP_POOLS, { ...pool, status }, { signal });
  if (!stored.ok) throw new StoreFailure(stored.error);
  log.info("records written", { pool: pool.metadata.name, count });
}

async function disable(
  pool: SpiderIpPool,
  { omitted, run: { ports: { store, log }, signal } }: {
    readonly omitted: string;
    readonly run: Run;
  },
): Promise<void> {
  const reason = `its records do not fit one object (${omitted})`;
  const annotations = { ...pool.metadata.annotations, [ANNOTATION_NOT_USABLE]: reason };
  const disabled = {
    ...pool,
    metadata: { ...pool.metadata, annotations },
    spec: { ...pool.spec, disable: true },
  };
  const stored = await store.replace(SPIDER_IP_POOLS, disabled, { signal });
  if (!stored.ok) throw new StoreFailure(stored.error);
  log.warn("pool disabled", { pool: pool.metadata.name, reason });
}
