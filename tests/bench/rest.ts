/** One ADD at a time: its latency next to that of its writes, whatever a pool holds already. */
import { pause } from "../../scripts/cluster/process.ts";
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import type { AgentProcess } from "./agent_process.ts";
import type { BareCall } from "./bare_api.ts";
import { checkAnswers } from "./checks.ts";
import { rounded } from "./figures.ts";
import type { Lab } from "./lab.ts";
import {
  allocationCalls,
  claimPath,
  NAMESPACE,
  podObject,
  PODS_PATH,
  type PoolPlan,
  readPod,
} from "./objects.ts";
import { fillPool } from "./records.ts";
import { addPod, deletePod, type PluginCall } from "./plugins.ts";
import { usageOf } from "./process_usage.ts";
import { difference, readServerCounts } from "./server_metrics.ts";
import { median, quantile } from "./statistics.ts";

/** What is measured with. */
export interface RestOptions {
  readonly lab: Lab;
  readonly agent: AgentProcess;
  /** Records that the pool has, ascending. */
  readonly records: readonly number[];
  /** ADDs for each of them. */
  readonly adds: number;
  readonly report: (line: string) => void;
}

/** What one number of records found. */
export interface RestFigures {
  readonly records: number;
  /** Milliseconds of an ADD; the first is shown by itself. */
  readonly firstMs: number;
  readonly addMs: { readonly p50: number; readonly p99: number };
  /** Milliseconds of the same writes by bare calls, one after the other, in turns with the ADDs. */
  readonly writesMs: { readonly p50: number; readonly p99: number };
  readonly ratio: number;
  readonly delMs: { readonly p50: number; readonly p99: number };
  readonly cpuMsPerAdd: number;
  readonly residentMb: number;
  readonly failedCalls: number;
  readonly requestsPerAdd: Readonly<Record<string, number>>;
  readonly load: number;
}

const WATCH_LAG_MS = 1_000;
/** All but what other pools of a run have. */
const BLOCKS = { pool: 251, bare: 252 };

/** Measures every number of records, on one pool that grows; the lab is used up. */
export async function measureRest(options: RestOptions): Promise<readonly RestFigures[]> {
  const { lab, records, adds } = options;
  const size = Math.min(65_000, Math.max(...records) + 5_000);
  const pool: PoolPlan = { name: "rest", version: 4, block: BLOCKS.pool, size };
  await lab.makePool(pool);
  const made = await lab.makeOwner("rest", { kind: "ReplicaSet", replicas: 1 });
  const figures: RestFigures[] = [];
  let filled = 0;
  for (const count of records.toSorted((one, other) => one - other)) {
    await fillPool(lab, { pool, from: filled, to: count, report: options.report });
    filled = count;
    const pods = await makePods(options, { pool, owner: made.owner, prefix: `rest-${count}` });
    figures.push(await measureOne(options, { records: count, pods }));
    await lab.api.text({ method: "DELETE", path: `${PODS_PATH}?gracePeriodSeconds=0` });
    await pause(WATCH_LAG_MS);
    await lab.sendAll([...pods.keys()].map((index): BareCall => {
      return { method: "DELETE", path: claimPath(barePool(adds), index) };
    }));
  }
  return figures;
}

function barePool(size: number): PoolPlan {
  return { name: "rest-bare", version: 4, block: BLOCKS.bare, size };
}

async function makePods(
  { lab, agent, adds }: RestOptions,
  { pool, owner, prefix }: {
    readonly pool: PoolPlan;
    readonly owner: Parameters<typeof podObject>[1]["owner"];
    readonly prefix: string;
  },
): Promise<readonly Pod[]> {
  const replies = await lab.sendAll(Array.from({ length: adds }, (_, index): BareCall => {
    const body = podObject(`${prefix}-${index}`, { node: agent.node, owner, pools: [pool] });
    return { method: "POST", path: PODS_PATH, body };
  }));
  await pause(WATCH_LAG_MS);
  return replies.map(readPod);
}

async function measureOne(
  { lab, agent, adds }: RestOptions,
  { records, pods }: { readonly records: number; readonly pods: readonly Pod[] },
): Promise<RestFigures> {
  const bare = barePool(adds);
  const controller = { apiVersion: "apps/v1", kind: "Deployment", name: "bare", uid: "0" };
  const calls: PluginCall[] = [];
  const writesMs: number[] = [];
  const before = await readServerCounts(lab.api);
  let cpuSeconds = 0;
  for (const [index, pod] of pods.entries()) {
    const fromCpu = usageOf(agent.pid).cpuSeconds;
    calls.push(await addPod(agent.agent, pod));
    cpuSeconds += usageOf(agent.pid).cpuSeconds - fromCpu;
    const metadata = { ...pod.metadata, name: `${pod.metadata.name}-bare` };
    const writes = allocationCalls({ ...pod, metadata }, {
      places: [{ plan: bare, index }],
      controller: { ...controller, namespace: NAMESPACE },
    });
    const fromMs = performance.now();
    for (const call of writes) await lab.api.send(call);
    writesMs.push(performance.now() - fromMs);
  }
  const requests = new Map(
    difference(before.requests, (await readServerCounts(lab.api)).requests),
  );
  // The bare calls are among them.
  for (const key of ["POST spiderips", "POST spiderendpoints"]) {
    requests.set(key, (requests.get(key) ?? 0) - pods.length);
  }
  await checkAnswers(lab.api, { calls, pods, families: 1 });
  const deletions: PluginCall[] = [];
  await lab.sendAll(pods.map(({ metadata }): BareCall => {
    return { method: "DELETE", path: `${PODS_PATH}/${metadata.name}` };
  }));
  await pause(WATCH_LAG_MS);
  for (const pod of pods) deletions.push(await deletePod(agent.agent, pod));
  const [first, ...rest] = calls.map(({ callMs }) => callMs);
  const failed = [...calls, ...deletions].filter(({ failure }) => failure !== undefined);
  return {
    records,
    firstMs: rounded(first ?? NaN),
    addMs: spread(rest),
    writesMs: spread(writesMs),
    ratio: rounded(median(rest) / median(writesMs), 2),
    delMs: spread(deletions.map(({ callMs }) => callMs)),
    cpuMsPerAdd: rounded(cpuSeconds * 1_000 / pods.length, 2),
    residentMb: rounded(usageOf(agent.pid).residentBytes / 1e6),
    failedCalls: failed.length,
    requestsPerAdd: Object.fromEntries(
      [...requests].map(([key, count]) => [key, rounded(count / pods.length, 2)]),
    ),
    load: Deno.loadavg()[0] ?? NaN,
  };
}

function spread(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  return { p50: rounded(quantile(values, 0.5)), p99: rounded(quantile(values, 0.99)) };
}
