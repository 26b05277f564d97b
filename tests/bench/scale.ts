/** Many agents against one API server: what each costs, by their number and by a pool's records. */
import { fileURLToPath } from "node:url";
import { pause } from "../../scripts/cluster/process.ts";
import type { BareCall } from "./bare_api.ts";
import { rounded } from "./figures.ts";
import { Lab } from "./lab.ts";
import { TextLineStream } from "./lines.ts";
import { nodeName, podObject, PODS_PATH, type PoolPlan, readPod } from "./objects.ts";
import { sandboxOf } from "./plugins.ts";
import { cpuSecondsOf } from "./process_usage.ts";
import { fillPool } from "./records.ts";
import type { ScaleMemory, ScaleReport, ScaleRound, ScaleWish } from "./scale_agents.ts";
import { difference, readServerCounts } from "./server_metrics.ts";
import { quantile } from "./statistics.ts";

/** One number of agents with one number of records. */
export interface ScaleFigures {
  readonly agents: number;
  readonly records: number;
  readonly pods: number;
  readonly podsPerSecond: number;
  readonly addMs: { readonly p50: number; readonly p99: number };
  readonly failed: number;
  readonly failures: readonly string[];
  /** Of one agent, while nothing happens. */
  readonly residentKbPerAgent: number;
  readonly heapKbPerAgent: number;
  readonly idleRequestsPerAgentMinute: Readonly<Record<string, number>>;
  readonly requestsPerPod: Readonly<Record<string, number>>;
  readonly watchBytesPerPod: number;
  readonly watches: number;
  readonly serverCpuMsPerPod: number;
  readonly load: number;
}

/** What is measured. */
export interface ScaleOptions {
  /** Numbers of agents, each with a server of its own. */
  readonly agents: readonly number[];
  /** Numbers of records of the pool. */
  readonly records: readonly number[];
  readonly podsPerAgent: number;
  readonly report: (line: string) => void;
}

const IDLE_MS = 60_000;
const SETTLE_MS = 5_000;
const IN_FLIGHT = 64;
const POOL_BLOCK = 251;
const POOL_SIZE = 65_000;

/** Measures each number of agents with each number of records. */
export async function measureScale(options: ScaleOptions): Promise<readonly ScaleFigures[]> {
  const figures: ScaleFigures[] = [];
  for (const agents of options.agents) {
    await using lab = await Lab.open({ nodes: agents, report: options.report });
    const { kubeconfigPath } = lab;
    await using group = startGroup({ kubeconfigPath, agents });
    const empty = await group.hear() as ScaleMemory;
    const full = await group.hear() as ScaleMemory;
    options.report(`${agents} agents serve`);
    const idle = await idleRequests(lab, agents);
    const perAgent = (key: keyof ScaleMemory): number =>
      rounded((full[key] - empty[key]) / agents / 1_000);
    let filled = 0;
    const pool: PoolPlan = { name: "scale", version: 4, block: POOL_BLOCK, size: POOL_SIZE };
    await lab.makePool(pool);
    for (const records of options.records) {
      await fillPool(lab, { pool, from: filled, to: records, report: options.report });
      filled = records;
      const one = await measureOne(options, { lab, group, pool, agents, records });
      figures.push({
        ...one,
        residentKbPerAgent: perAgent("residentBytes"),
        heapKbPerAgent: perAgent("heapBytes"),
        idleRequestsPerAgentMinute: idle,
      });
    }
  }
  return figures;
}

async function idleRequests(lab: Lab, agents: number): Promise<Readonly<Record<string, number>>> {
  await pause(SETTLE_MS);
  const before = await readServerCounts(lab.api);
  await pause(IDLE_MS);
  const counts = difference(before.requests, (await readServerCounts(lab.api)).requests);
  const perMinute = (count: number): number => rounded(count / agents / (IDLE_MS / 60_000), 3);
  return Object.fromEntries([...counts].map(([key, count]) => [key, perMinute(count)]));
}

interface Group extends AsyncDisposable {
  tell(value: unknown): void;
  hear(): Promise<unknown>;
}

type OneFigures = Omit<
  ScaleFigures,
  "residentKbPerAgent" | "heapKbPerAgent" | "idleRequestsPerAgentMinute"
>;

async function measureOne(
  { podsPerAgent }: ScaleOptions,
  { lab, group, pool, agents, records }: {
    readonly lab: Lab;
    readonly group: Group;
    readonly pool: PoolPlan;
    readonly agents: number;
    readonly records: number;
  },
): Promise<OneFigures> {
  const made = await lab.makeOwner(`scale-${records}`, { kind: "ReplicaSet", replicas: 1 });
  const before = await readServerCounts(lab.api);
  const count = agents * podsPerAgent;
  const replies = await lab.sendAll(Array.from({ length: count }, (_, index): BareCall => {
    const node = nodeName(index % agents);
    const body = podObject(`scale-${records}-${index}`, { node, owner: made.owner, pools: [pool] });
    return { method: "POST", path: PODS_PATH, body };
  }));
  await pause(SETTLE_MS);
  const ready = await readServerCounts(lab.api);
  const serverCpu = cpuSecondsOf(lab.serverPids);
  const adds = replies.map(readPod).map((pod, index): ScaleRound["adds"][number] => ({
    node: index % agents,
    args: {
      ...sandboxOf(pod),
      defaultIPv4IPPool: [],
      defaultIPv6IPPool: [],
      cleanGateway: false,
      matchMasterSubnet: false,
    },
  }));
  const round: ScaleRound = { inFlight: IN_FLIGHT, adds };
  group.tell(round);
  const report = await group.hear() as ScaleReport;
  const after = await readServerCounts(lab.api);
  if (new Set(report.addresses).size !== report.addresses.length) {
    throw new Error("An address was given twice");
  }
  const bytes = difference(before.watchBytes, after.watchBytes);
  // Of pods each event goes to one agent and to each of the server's own watches.
  const own = Math.max(0, (after.watches.get("pods") ?? 0) - agents);
  const podBytes = (bytes.get("pods") ?? 0) / (1 + own);
  const requests = difference(ready.requests, after.requests);
  const spread = (share: number): number => rounded(quantile(report.durationsMs, share));
  return {
    agents,
    records,
    pods: count,
    podsPerSecond: rounded(report.durationsMs.length / report.seconds),
    addMs: { p50: spread(0.5), p99: spread(0.99) },
    failed: report.failures.length,
    failures: [...new Set(report.failures)].slice(0, 5),
    requestsPerPod: Object.fromEntries(
      [...requests].map(([key, sum]) => [key, rounded(sum / count, 3)]),
    ),
    watchBytesPerPod: Math.round(podBytes / count),
    watches: [...after.watches.values()].reduce((sum, value) => sum + value, 0),
    serverCpuMsPerPod: rounded((cpuSecondsOf(lab.serverPids) - serverCpu) * 1_000 / count),
    load: Deno.loadavg()[0] ?? NaN,
  };
}

function startGroup(wish: ScaleWish): Group {
  const program = fileURLToPath(new URL("./scale_agents.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--v8-flags=--expose-gc", program],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
    .values();
  const tell = (value: unknown): void => {
    writer.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`)).catch(() => {});
  };
  tell(wish);
  return {
    tell,
    hear: async () => {
      const line = await lines.next();
      if (line.done) throw new Error("The process of the agents has ended: see its error above");
      return JSON.parse(line.value);
    },
    [Symbol.asyncDispose]: async () => {
      await writer.close().catch(() => {});
      await child.status;
    },
  };
}
