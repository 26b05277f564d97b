/**
 * A process of many agents: the real engine for each of many nodes, over connections that they
 * share. Standard input: a line with a `ScaleWish`, then lines with ADDs of some nodes; it answers
 * with its memory and, for each such line, with what became of them.
 */
import type { IpamAddArgs } from "../../src/api/agent.ts";
import { systemClock } from "../../src/base/clock.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk, ok } from "../../src/base/result.ts";
import { IpamEngine } from "../../src/agent/engine.ts";
import type { IpamSettings } from "../../src/ipam/settings.ts";
import { KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { doJobs } from "./bare_api.ts";
import { TextLineStream } from "./lines.ts";
import { nodeName } from "./objects.ts";

/** What the process is to be. */
export interface ScaleWish {
  readonly kubeconfigPath: string;
  readonly agents: number;
}

/** ADDs, each with the number of its node. */
export interface ScaleRound {
  readonly inFlight: number;
  readonly adds: readonly { readonly node: number; readonly args: IpamAddArgs }[];
}

/** What became of a round. */
export interface ScaleReport {
  readonly seconds: number;
  readonly durationsMs: readonly number[];
  readonly failures: readonly string[];
  /** Address texts, in no order. */
  readonly addresses: readonly string[];
}

/** Memory after a garbage collection, in bytes. */
export interface ScaleMemory {
  readonly residentBytes: number;
  readonly heapBytes: number;
}

/** An agent has five watches, and a server allows 250 streams of one connection at least. */
const AGENTS_PER_TRANSPORT = 40;
/** Agents that start at a time. */
const STARTS_AT_ONCE = 20;

const SETTINGS: IpamSettings = {
  ipv4: true,
  ipv6: true,
  statefulSet: true,
  kubevirt: true,
  spiderSubnet: false,
  autoPool: false,
  agentNamespace: "spiderpool",
  clusterNetwork: "",
  conflictDetection: false,
  gatewayDetection: false,
  releaseConflicting: true,
};

async function main(): Promise<void> {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  ).values();
  const wish = JSON.parse((await lines.next()).value ?? "") as ScaleWish;
  const life = new AbortController();
  say(await memory());
  const engines = await startEngines(wish, life);
  say(await memory());
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    if (line === "memory") say(await memory());
    else say(await playRound(JSON.parse(line) as ScaleRound, engines));
  }
  Deno.exit(); // The engines have nothing to finish.
}

async function startEngines(
  { kubeconfigPath, agents }: ScaleWish,
  life: AbortController,
): Promise<readonly IpamEngine[]> {
  const read = await readKubeConfig([kubeconfigPath], {
    readText: (path) => Deno.readTextFile(path),
  });
  const access = expectOk(read, "the kubeconfig is good");
  const clock = systemClock();
  const random = systemRandom();
  const { signal } = life;
  const stores: KubeStore[] = [];
  const engines = Array.from({ length: agents }, (_, index) => {
    const at = Math.floor(index / AGENTS_PER_TRANSPORT);
    const userAgent = "spiderpool-agent/bench";
    const store = stores[at] ??= new KubeStore(
      new Transport(access, { clock, random, userAgent }),
      {
        random,
      },
    );
    return new IpamEngine({
      ...{ store, clock, random, log: SILENT_LOG },
      masterSubnets: () => Promise.resolve(ok([])),
      sandboxOf: () => Promise.resolve("unknown"),
    }, { ipam: SETTINGS, nodeName: nodeName(index), identity: `agent-${index}` });
  });
  const work = async (engine: IpamEngine): Promise<void> => {
    engine.run({ signal }).catch((error: unknown) => {
      throw error; // A bug: the process ends with it.
    });
    await engine.ready({ signal });
  };
  const { failures } = await doJobs(engines, { inFlight: STARTS_AT_ONCE, work });
  if (failures[0] !== undefined) throw new Error(failures[0]);
  return engines;
}

async function playRound(
  { inFlight, adds }: ScaleRound,
  engines: readonly IpamEngine[],
): Promise<ScaleReport> {
  const addresses: string[] = [];
  const { signal } = new AbortController();
  const report = await doJobs(adds, {
    inFlight,
    work: async ({ node, args }) => {
      const added = await engines[node]?.add(args, { signal });
      if (added?.ok !== true) throw new Error(added?.error.message ?? `there is no node ${node}`);
      addresses.push(...added.value.ips.map(({ address }) => address));
    },
  });
  const { durationsMs, failures, startedMs, endedMs } = report;
  return { seconds: (endedMs - startedMs) / 1_000, durationsMs, failures, addresses };
}

async function memory(): Promise<ScaleMemory> {
  const collect: unknown = Reflect.get(globalThis, "gc");
  for (let round = 0; round < 4; round++) {
    if (typeof collect === "function") collect();
    await systemClock().sleep(50, { signal: new AbortController().signal });
  }
  const { rss, heapUsed } = Deno.memoryUsage();
  return { residentBytes: rss, heapBytes: heapUsed };
}

function say(value: unknown): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  for (let written = 0; written < bytes.length;) {
    written += Deno.stdout.writeSync(bytes.subarray(written));
  }
}

if (import.meta.main) await main();
