/** Whole chains of plugins, as a runtime starts them: ours next to macvlan with host-local. */
import * as path from "node:path";
import { waitFor } from "../../../scripts/cluster/process.ts";
import { COORDINATOR_PHASES, SPIDER_COORDINATORS } from "../../../src/api/coordinator.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { expectOk } from "../../../src/base/result.ts";
import { openSqliteStore } from "../../../src/store/sqlite_store.ts";
import { start } from "../../build/programs.ts";
import { rounded } from "../figures.ts";
import { childrenCpuMs } from "../start.ts";
import { median, quantile } from "../statistics.ts";
import { type BenchPod, FOLDER, makePod, removePod } from "./node.ts";
import { ANSWER, SOCKET } from "./plugin.ts";

/** What it takes to connect or disconnect a pod, in milliseconds. */
export interface ChainFigures {
  readonly chain: string;
  readonly command: "ADD" | "DEL";
  readonly pods: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of the plugins; the agent's is not in it. */
  readonly cpuMs: number;
  /** Middle and CPU, by those of the last chain. */
  readonly ratio: number;
  readonly cpuRatio: number;
  /** What the plugins take, in the order in which they are run; each with those that it runs. */
  readonly pluginMs: Readonly<Record<string, number>>;
}

/** Folders that programs are in, and where data goes. */
export interface ChainPlaces {
  /** Of this project. */
  readonly programs: string;
  /** Of the standard plugins. */
  readonly plugins: string;
  /** On a disk: addresses outlive the node's next start. */
  readonly data: string;
}

interface Chain {
  readonly name: string;
  readonly plugins: readonly Readonly<Record<string, unknown>>[];
}

type Command = ChainFigures["command"];
const VERSION = "1.0.0";
const AGENT_MS_MAX = 60_000;
/** IPv4 alone: of IPv6, macvlan waits until nobody has said that he has the address. */
const POOLS = `
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: v4 }
spec: { subnet: 10.6.0.0/16, ips: [10.6.200.1-10.6.201.254], gateway: 10.6.0.1, default: true }
`;

/** Connects so many pods by each chain, one pod after the other, the chains in turns. */
export async function measureChains(
  places: ChainPlaces,
  { pods }: { readonly pods: number },
): Promise<readonly ChainFigures[]> {
  await using _agent = await startAgent(places);
  const chains = chainsOf(places);
  const taken = chains.map(() => ({ ADD: new Taken(), DEL: new Taken() }));
  for (let count = 0; count <= pods; count++) {
    for (const [at, chain] of chains.entries()) {
      // The first turn is a warm-up: files are in memory then, and the agent has its pools.
      const into = count === 0 ? { ADD: new Taken(), DEL: new Taken() } : taken[at];
      if (into !== undefined) await playPod(chain, { places, into });
    }
  }
  const last = taken.at(-1);
  return chains.flatMap(({ name: chain }, at) =>
    (["ADD", "DEL"] as const).flatMap((command) => {
      const [own, other] = [taken[at]?.[command], last?.[command]];
      return own === undefined || other === undefined
        ? []
        : [{ chain, command, ...figuresOf(own, other) }];
    })
  );
}

function chainsOf({ data }: ChainPlaces): readonly Chain[] {
  const macvlan = { type: "macvlan", master: "up0", mode: "bridge" };
  const log_file_path = path.join(FOLDER, "spiderpool.log");
  const logOptions = { logFile: path.join(FOLDER, "coordinator.log"), logLevel: "info" };
  const ranges = [
    [{ subnet: "10.6.0.0/16", rangeStart: "10.6.210.1", rangeEnd: "10.6.211.254" }],
  ];
  const routes = [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }];
  const hostLocal = { type: "host-local", dataDir: path.join(data, "host-local"), ranges, routes };
  return [
    {
      name: "macvlan + spiderpool + coordinator",
      plugins: [
        { ...macvlan, ipam: { type: "spiderpool", log_file_path } },
        { type: "coordinator", logOptions },
      ],
    },
    {
      name: "macvlan + spiderpool",
      plugins: [{ ...macvlan, ipam: { type: "spiderpool", log_file_path } }],
    },
    { name: "macvlan + host-local", plugins: [{ ...macvlan, ipam: hostLocal }] },
  ];
}

/** Times of pods, and of each plugin. */
class Taken {
  readonly podMs: number[] = [];
  readonly pluginMs = new Map<string, number[]>();
  cpuMs = 0;
}

async function playPod(
  { name, plugins }: Chain,
  { places, into }: { readonly places: ChainPlaces; readonly into: Record<Command, Taken> },
): Promise<void> {
  const pod = await makePod();
  let prevResult: unknown;
  await timedPod(into.ADD, async (time) => {
    for (const config of plugins) {
      prevResult = await time(config, () => {
        return runPlugin("ADD", { pod, name, config: withResult(config, prevResult), places });
      });
    }
  });
  await timedPod(into.DEL, async (time) => {
    for (const config of plugins.toReversed()) {
      await time(config, () => {
        return runPlugin("DEL", { pod, name, config: withResult(config, prevResult), places });
      });
    }
  });
  await removePod(pod);
}

type Timing = (
  config: Readonly<Record<string, unknown>>,
  run: () => Promise<unknown>,
) => Promise<unknown>;

async function timedPod(into: Taken, work: (time: Timing) => Promise<void>): Promise<void> {
  const fromCpuMs = childrenCpuMs();
  const fromMs = performance.now();
  await work(async ({ type }, run) => {
    const beganMs = performance.now();
    const result = await run();
    const tookMs = performance.now() - beganMs;
    into.pluginMs.set(String(type), [...into.pluginMs.get(String(type)) ?? [], tookMs]);
    return result;
  });
  into.podMs.push(performance.now() - fromMs);
  into.cpuMs += childrenCpuMs() - fromCpuMs;
}

function withResult(config: Readonly<Record<string, unknown>>, prevResult: unknown) {
  return { ...config, ...(prevResult !== undefined && { prevResult }) };
}

/** @throws {Error} The plugin refuses. */
async function runPlugin(
  command: Command,
  { pod: { containerId, netns }, name, config, places: { programs, plugins } }: {
    readonly pod: BenchPod;
    readonly name: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly places: ChainPlaces;
  },
): Promise<unknown> {
  const type = String(config["type"]);
  const program = path.join(type === "macvlan" ? plugins : programs, type);
  const { code, stdout, stderr } = await start(program, {
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: "eth0",
      CNI_PATH: `${programs}:${plugins}`,
    },
    input: JSON.stringify({ ...config, cniVersion: VERSION, name: name.replaceAll(/ \+ /g, "-") }),
  });
  if (code !== 0) throw new Error(`${command} of ${type} fails: ${stdout}${stderr}`);
  return command === "ADD" ? JSON.parse(stdout) : undefined;
}

/** The agent without Kubernetes, over a database that has a SpiderCoordinator. */
async function startAgent({ programs, data }: ChainPlaces): Promise<AsyncDisposable> {
  const database = path.join(data, "standalone.db");
  await makeCoordinator(database);
  const pools = path.join(FOLDER, "pools.yaml");
  await Deno.writeTextFile(pools, POOLS);
  const child = new Deno.Command(path.join(programs, "spiderpool-agent"), {
    args: ["--standalone", "--pools", pools, "--database", database, "--socket", SOCKET],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  await waitFor(async () => {
    using _connection = await Deno.connect({ transport: "unix", path: SOCKET });
    return true;
  }, { what: "the agent", timeoutMs: AGENT_MS_MAX });
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function makeCoordinator(database: string): Promise<void> {
  const never = new AbortController().signal;
  const ports = { clock: systemClock(), random: systemRandom() };
  using store = await openSqliteStore({ path: database, signal: never, ...ports });
  const { mode, hijackCIDR, tunePodRoutes, hostRuleTable, overlayPodCIDR, serviceCIDR } = ANSWER;
  const parsed = SPIDER_COORDINATORS.parse({
    metadata: { name: "default" },
    spec: { mode, hijackCIDR, tunePodRoutes, hostRuleTable, podCIDRType: "none" },
  });
  const object = expectOk(parsed, "a SpiderCoordinator");
  const made = expectOk(
    await store.create(SPIDER_COORDINATORS, object, { signal: never }),
    "the database is new",
  );
  const status = { phase: COORDINATOR_PHASES.synced, overlayPodCIDR, serviceCIDR };
  const written = { ...made, status };
  expectOk(
    await store.replaceStatus(SPIDER_COORDINATORS, written, { signal: never }),
    "nobody else writes it",
  );
}

function figuresOf(own: Taken, other: Taken): Omit<ChainFigures, "chain" | "command"> {
  const middle = median(own.podMs);
  const pods = own.podMs.length;
  return {
    pods,
    p50Ms: rounded(middle),
    p99Ms: rounded(quantile(own.podMs, 0.99)),
    cpuMs: rounded(own.cpuMs / pods),
    ratio: rounded(middle / median(other.podMs), 2),
    cpuRatio: rounded(own.cpuMs / other.cpuMs, 2),
    pluginMs: Object.fromEntries(
      [...own.pluginMs].map(([type, all]) => [type, rounded(median(all))]),
    ),
  };
}
