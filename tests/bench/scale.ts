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
import { type ScaleFigures, scaleTable } from "./scale_table.ts";
import { difference, readServerCounts } from "./server_metrics.ts";
import { quantile } from "./statistics.ts";

/** What is measured. */
export interface ScaleOptions {
  /** Numbers of agents, each with a server of its own. */
  readonly agents: readonly number[];
  /** Numbers of records of the pool. */
  readonly records: readonly number[];
  /** ADDs of each step, on as many agents as there are. */
  readonly pods: number;
  /** Milliseconds that a step may take. */
  readonly stepMs: number;
  readonly report: (line: string) => void;
}

const IDLE_MS = 30_000;
const SETTLE_MS = 5_000;
const IN_FLIGHT = 64;
/**
 * Agents that pods come to, the same number whatever the number of all: each reads a pool once, so
 * pods that are spread thinner would cost more requests.
 */
const BUSY_AGENTS = 50;
const POOL_BLOCK = 251;
const POOL_SIZE = 65_000;

/**
 * Measures each number of agents with each number of records, and says what it does. A step that
 * takes too long ends the turn of its number of agents.
 */
export async function measureScale(options: ScaleOptions): Promise<readonly ScaleFigures[]> {
  const figures: ScaleFigures[] = [];
  for (const agents of options.agents) {
    try {
      await measureAgents(agents, { options, figures });
    } catch (error) {
      if (!(error instanceof StepTooLong)) throw error;
      options.report(`${agents} agents: ${error.message}`);
    }
  }
  return figures;
}

/** A step that did not end in time. */
class StepTooLong extends Error {
  override readonly name = "StepTooLong";
}

/** Does a step, in time, and says how long it took. @throws {StepTooLong} */
async function step<T>(
  what: string,
  { stepMs, report }: Pick<ScaleOptions, "stepMs" | "report">,
  work: () => Promise<T>,
): Promise<T> {
  const fromMs = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const problem = new StepTooLong(`${what} did not end in ${stepMs / 1_000} s`);
    timer = setTimeout(() => reject(problem), stepMs);
  });
  try {
    const result = await Promise.race([work(), late]);
    report(`${what}: ${((performance.now() - fromMs) / 1_000).toFixed(1)} s`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

async function measureAgents(
  agents: number,
  { options, figures }: { readonly options: ScaleOptions; readonly figures: ScaleFigures[] },
): Promise<void> {
  const { report } = options;
  await using lab = await Lab.open({ nodes: agents, report });
  const { kubeconfigPath } = lab;
  await using group = startGroup({ kubeconfigPath, agents });
  const empty = await group.hear() as ScaleMemory;
  const full = await step(`${agents} agents start`, options, () => group.hear()) as ScaleMemory;
  const perAgent = (key: keyof ScaleMemory): number =>
    rounded((full[key] - empty[key]) / agents / 1_000);
  let filled = 0;
  const pool: PoolPlan = { name: "scale", version: 4, block: POOL_BLOCK, size: POOL_SIZE };
  await step("an agent takes the pool over", options, () => lab.makePool(pool));
  for (const records of options.records) {
    await step(`the pool gets ${records} records`, options, () => {
      return fillPool(lab, { pool, from: filled, to: records, report });
    });
    filled = records;
    const idle = await step(`${agents} agents do nothing`, options, () => idleCost(lab, agents));
    const plan = { lab, group, pool, agents, records };
    const one = await step(`${options.pods} ADDs`, options, () => measureOne(options, plan));
    const figure: ScaleFigures = {
      ...one,
      ...idle,
      residentKbPerAgent: perAgent("residentBytes"),
      heapKbPerAgent: perAgent("heapBytes"),
    };
    figures.push(figure);
    report(scaleTable([figure]));
  }
}

/** What agents cost that have nothing to do, over a time that each looks at its node in. */
async function idleCost(lab: Lab, agents: number): Promise<IdleCost> {
  await pause(SETTLE_MS);
  const before = await readServerCounts(lab.api);
  const fromCpu = cpuSecondsOf(lab.serverPids);
  await pause(IDLE_MS);
  const cpu = cpuSecondsOf(lab.serverPids) - fromCpu;
  const counts = difference(before.requests, (await readServerCounts(lab.api)).requests);
  const minutes = IDLE_MS / 60_000;
  const requests = [...counts].map(([key, count]) => {
    return [key, rounded(count / agents / minutes, 3)] as const;
  });
  return {
    idleRequestsPerAgentMinute: Object.fromEntries(requests),
    idleServerCpuMsPerAgentMinute: rounded(cpu * 1_000 / agents / minutes),
  };
}

interface Group extends AsyncDisposable {
  tell(value: unknown): void;
  hear(): Promise<unknown>;
}

type IdleCost = Pick<
  ScaleFigures,
  "idleRequestsPerAgentMinute" | "idleServerCpuMsPerAgentMinute"
>;
type OneFigures = Omit<ScaleFigures, "residentKbPerAgent" | "heapKbPerAgent" | keyof IdleCost>;

async function measureOne(
  { pods: count }: ScaleOptions,
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
  const busy = Math.min(agents, BUSY_AGENTS);
  const replies = await lab.sendAll(Array.from({ length: count }, (_, index): BareCall => {
    const node = nodeName(index % busy);
    const body = podObject(`scale-${records}-${index}`, { node, owner: made.owner, pools: [pool] });
    return { method: "POST", path: PODS_PATH, body };
  }));
  await pause(SETTLE_MS);
  const ready = await readServerCounts(lab.api);
  const serverCpu = cpuSecondsOf(lab.serverPids);
  const adds = replies.map(readPod).map((pod, index): ScaleRound["adds"][number] => ({
    node: index % busy,
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
