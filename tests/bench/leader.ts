/** A controller that starts with many addresses: when does what pools tell become true? */
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { freePorts } from "../../scripts/cluster/free_ports.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { startController } from "./controller_process.ts";
import type { Lab } from "./lab.ts";
import { addressText, CLAIMS_PATH, type PoolPlan } from "./objects.ts";
import { usageOf } from "./process_usage.ts";
import { fillPool } from "./records.ts";
import { table } from "./table.ts";

/** Addresses in use of each pool. */
const USED = 5_000;
const FIRST_BLOCK = 100;
const TRUE_MS_MAX = 300_000;
const LOOK_MS = 20;

/** What a restart took. */
export interface LeaderFigures {
  readonly addresses: number;
  readonly pools: number;
  /** From the start of the process until the first pool, and every pool, tells the truth. */
  readonly firstTrueMs: number;
  readonly allTrueMs: number;
  /** What the process had used by then. */
  readonly cpuSeconds: number;
  readonly residentMb: number;
  readonly load: number;
}

/** What is measured, and where. */
export interface LeaderBench {
  readonly lab: Lab;
  /** `spiderpool-controller` of a build. */
  readonly program: string;
  readonly addresses: readonly number[];
  readonly report: (line: string) => void;
}

/** One restart for each number of addresses, ascending; each pool loses one while nobody leads. */
export async function measureLeader(bench: LeaderBench): Promise<readonly LeaderFigures[]> {
  const { lab, report } = bench;
  using counts = await openCounts(lab.kubeconfigPath);
  const pools: PoolPlan[] = [];
  /** Addresses in use, by pool. */
  const used = new Map<string, number>();
  const figures: LeaderFigures[] = [];
  for (const [round, addresses] of bench.addresses.entries()) {
    {
      await using _controller = await start(bench);
      while (pools.length * USED < addresses) {
        const index = pools.length;
        const pool: PoolPlan = {
          name: `leader-${index}`,
          version: 4,
          block: FIRST_BLOCK + index,
          size: USED + 100,
        };
        await lab.makePool(pool);
        pools.push(pool);
        used.set(pool.name, USED);
        await fillPool(lab, { pool, from: 0, to: USED, report: () => {} });
      }
      await untilAll(counts, used);
    }
    report(`${pools.length} pools have ${pools.length * USED} addresses in use`);
    const one = await measureRestart(bench, { counts, pools, used, round });
    report(`every pool told the truth ${one.allTrueMs} ms after the start`);
    figures.push(one);
  }
  return figures;
}

/** One number of addresses in each line. */
export function leaderTable(figures: readonly LeaderFigures[]): string {
  const head = ["addresses", "pools", "first true ms", "all true ms", "CPU s", "RSS MB", "load"];
  const rows = figures.map((one) => [
    String(one.addresses),
    String(one.pools),
    String(one.firstTrueMs),
    String(one.allTrueMs),
    one.cpuSeconds.toFixed(1),
    one.residentMb.toFixed(0),
    one.load.toFixed(1),
  ]);
  return table([head, ...rows]);
}

async function measureRestart(
  bench: LeaderBench,
  { counts, pools, used, round }: {
    readonly counts: Counts;
    readonly pools: readonly PoolPlan[];
    readonly used: Map<string, number>;
    readonly round: number;
  },
): Promise<LeaderFigures> {
  const { api } = bench.lab;
  for (const pool of pools) {
    await api.send({ method: "DELETE", path: `${CLAIMS_PATH}/${addressText(pool, round)}` });
    used.set(pool.name, (used.get(pool.name) ?? 0) - 1);
  }
  const fromMs = performance.now();
  await using controller = await start(bench);
  let firstTrueMs: number | undefined;
  await waitFor(async () => {
    const known = await counts.read();
    const isTrue = pools.filter(({ name }) => known.get(name) === used.get(name)).length;
    if (isTrue > 0) firstTrueMs ??= performance.now() - fromMs;
    return isTrue === pools.length ? true : undefined;
  }, { what: "every pool to tell the truth", timeoutMs: TRUE_MS_MAX, everyMs: LOOK_MS });
  const allTrueMs = performance.now() - fromMs;
  const { cpuSeconds, residentBytes } = usageOf(controller.pid);
  return {
    addresses: pools.length * USED,
    pools: pools.length,
    firstTrueMs: Math.round(firstTrueMs ?? allTrueMs),
    allTrueMs: Math.round(allTrueMs),
    cpuSeconds,
    residentMb: residentBytes / 1_048_576,
    load: Deno.loadavg()[0] ?? 0,
  };
}

async function start({ lab, program }: LeaderBench) {
  const [healthPort = 0] = await freePorts(1);
  const { kubeconfigPath, folder } = lab;
  return await startController({ program, folder, kubeconfigPath, healthPort });
}

/** Counts of pools as `kubectl get sp` shows them, without their records. */
interface Counts extends Disposable {
  read(): Promise<ReadonlyMap<string, number>>;
}

async function openCounts(kubeconfigPath: string): Promise<Counts> {
  const readText = (path: string): Promise<string> => Deno.readTextFile(path);
  const access = expectOk(await readKubeConfig([kubeconfigPath], { readText }), "a kubeconfig");
  const random = systemRandom();
  const transport = new Transport(access, { clock: systemClock(), random, userAgent: "bench" });
  const store = new KubeStore(transport, { random });
  return {
    read: async () => {
      const { signal } = new AbortController();
      const listed = await store.listRows(SPIDER_IP_POOLS, { signal });
      const { rows } = expectOk(listed, "pools are listed");
      return new Map(Array.from(rows, ({ key, cells }) => {
        return [key.name, Number(cells["ALLOCATED-IP-COUNT"])];
      }));
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

async function untilAll(counts: Counts, used: ReadonlyMap<string, number>): Promise<void> {
  await waitFor(async () => {
    const known = await counts.read();
    return [...used].every(([name, count]) => known.get(name) === count) ? true : undefined;
  }, { what: "pools to tell what they have", timeoutMs: TRUE_MS_MAX, everyMs: 500 });
}
