/**
 * `deno task bench`: what giving and releasing addresses costs, next to what the same machine can
 * do at best. Prints tables and, with `--json FILE`, writes every figure. Asserts nothing but that
 * no address is given twice.
 */
import * as path from "node:path";
import { buildArchitecture } from "../../scripts/build/layout.ts";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { cacheFolder } from "../../scripts/cluster/components.ts";
import { type BenchRequest, readArguments } from "./arguments.ts";
import { BareWorkers } from "./bare_workers.ts";
import { measureCoordinator } from "./coordinator/mod.ts";
import { admissionTable, measureAdmission } from "./admission.ts";
import { type Figures, figuresOf, type Round } from "./figures.ts";
import { Fleet, Lab } from "./lab.ts";
import { restTable, roundsTable, startTable } from "./report.ts";
import { leaderTable, measureLeader } from "./leader.ts";
import { pluginModules } from "./plugin_modules.ts";
import { measureStarts, scriptBytes } from "./start.ts";
import { measureScale } from "./scale.ts";
import { scaleTable } from "./scale_table.ts";
import { measureRest } from "./rest.ts";
import { measureSubnets, NODES, subnetsTable } from "./subnets.ts";
import { Rounds } from "./rounds.ts";

/** ADDs one after the other, for each number of records. */
const REST_ADDS = 100;
/** What the coordinator is asked: pods with 1 and 3 NICs, and pods of whole chains. */
const CONNECTING = { rounds: 12, pods: 50 };
/** ADDs for each number of simulated agents and records. */
const SCALE_PODS = 600;

type Results = Record<string, unknown>;

async function main(args: readonly string[]): Promise<number> {
  const request = readArguments(args);
  if (!request.ok) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${request.error}\n`));
    return 2;
  }
  say(`machine load ${loadText()}, ${navigator.hardwareConcurrency} processors`);
  const folder = await Deno.makeTempDir({ prefix: "bench-" });
  const results: Results = {
    request: { ...request.value, scenarios: [...request.value.scenarios] },
  };
  try {
    await build(folder);
    await measureStart(request.value, { folder, results });
    await measureConnecting(request.value, { folder, results });
    await measureRounds(request.value, { folder, results });
    await measureAtRest(request.value, { folder, results });
    await measureMany(request.value, { folder, results });
    await measureRestarts(request.value, { folder, results });
    await measureJudging(request.value, { folder, results });
    await measureLending(request.value, { folder, results });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const { jsonPath } = request.value;
  if (jsonPath !== undefined) await Deno.writeTextFile(jsonPath, JSON.stringify(results, null, 2));
  return 0;
}

interface Run {
  /** Folder of the build. */
  readonly folder: string;
  readonly results: Results;
}

async function build(folder: string): Promise<void> {
  const layout = await buildArchitecture(folder, {
    architecture: ownArchitecture(),
    ports: {
      cache: cacheFolder(Deno.env),
      fetch,
      readEnvironment: (name) => Deno.env.get(name),
      say,
    },
  });
  say(`programs of this tree, as ${layout}`);
}

async function measureStart(request: BenchRequest, { folder, results }: Run): Promise<void> {
  if (!request.scenarios.has("start")) return;
  const figures = await measureStarts(folder, { report: say });
  const plugins = await Promise.all((["spiderpool", "coordinator"] as const).map(async (name) => {
    const modules = await pluginModules(name);
    return { name, modules, scriptBytes: await scriptBytes(folder, name) };
  }));
  results["start"] = { figures, plugins };
  say(startTable(figures, plugins));
}

async function measureConnecting(request: BenchRequest, { folder, results }: Run): Promise<void> {
  if (!request.scenarios.has("coordinator")) return;
  const figures = await measureCoordinator(folder, { ...CONNECTING, report: say });
  if (typeof figures === "string") return say(`coordinator is left out: ${figures}`);
  results["coordinator"] = figures;
}

async function measureRounds(request: BenchRequest, { folder, results }: Run): Promise<void> {
  const wanted = ["exact", "slack", "dual", "recreate", "stateful"]
    .filter((name) => request.scenarios.has(name));
  if (wanted.length === 0) return;
  const { agents: count, pods, inFlight, levels } = request;
  await using lab = await Lab.open({ nodes: count, report: say });
  const program = path.join(folder, "spiderpool-agent");
  await using fleet = await Fleet.start(lab, { count, program });
  await using workers = new BareWorkers(lab.access, { count });
  const rounds = new Rounds({ lab, fleet, workers, pods, inFlight, levels, report: say });
  // Agents run for days: what is measured is not how they warm up. Bare callers do so as well.
  await rounds.allocateAndRelease({ versions: [4], addressesPerPod: 4 });
  const figures: Figures[] = [];
  for (const name of wanted) {
    const played = new Map<string, Round[]>();
    for (let index = 0; index < request.rounds; index++) {
      for (const [part, round] of Object.entries(await playOne(name, rounds))) {
        played.set(part, [...played.get(part) ?? [], round]);
      }
    }
    for (const [part, all] of played) figures.push(figuresOf(`${name} ${part}`.trim(), all));
  }
  results["rounds"] = figures;
  say(roundsTable(figures));
}

async function measureAtRest(request: BenchRequest, { folder, results }: Run): Promise<void> {
  if (!request.scenarios.has("rest")) return;
  await using lab = await Lab.open({ nodes: 2, report: say });
  const program = path.join(folder, "spiderpool-agent");
  await using fleet = await Fleet.start(lab, { count: 2, program });
  const [agent] = fleet.agents;
  if (agent === undefined) return;
  const { records } = request;
  const figures = await measureRest({ lab, agent, records, adds: REST_ADDS, report: say });
  results["rest"] = figures;
  say(restTable(figures));
}

async function measureRestarts(
  { scenarios, addresses }: BenchRequest,
  { folder, results }: Run,
): Promise<void> {
  if (!scenarios.has("leader")) return;
  await using lab = await Lab.open({ nodes: 1, report: say });
  const program = path.join(folder, "spiderpool-controller");
  const figures = await measureLeader({ lab, program, addresses, report: say });
  results["leader"] = figures;
  say(leaderTable(figures));
}

async function measureMany(request: BenchRequest, { results }: Run): Promise<void> {
  if (!request.scenarios.has("scale")) return;
  const { simulated: agents, records, stepSeconds } = request;
  const stepMs = stepSeconds * 1_000;
  const figures = await measureScale({ agents, records, stepMs, pods: SCALE_PODS, report: say });
  results["scale"] = figures;
  if (figures.length > 0) say(scaleTable(figures));
}

async function measureJudging(request: BenchRequest, { results }: Run): Promise<void> {
  if (!request.scenarios.has("admission")) return;
  await using lab = await Lab.open({ nodes: 1, report: say });
  const figures = await measureAdmission(lab, { pools: [1, 1_000], report: say });
  results["admission"] = figures;
  say(admissionTable(figures));
}

async function measureLending(request: BenchRequest, { folder, results }: Run): Promise<void> {
  if (!request.scenarios.has("subnets")) return;
  await using lab = await Lab.open({ nodes: NODES, report: say });
  const program = path.join(folder, "spiderpool-agent");
  await using fleet = await Fleet.start(lab, { count: NODES, program });
  const controller = path.join(folder, "spiderpool-controller");
  const figures = await measureSubnets({ lab, fleet, program: controller, report: say });
  results["subnets"] = figures;
  say(subnetsTable(figures));
}

async function playOne(name: string, rounds: Rounds): Promise<Readonly<Record<string, Round>>> {
  switch (name) {
    case "exact": {
      const played = await rounds.allocateAndRelease({ versions: [4], addressesPerPod: 1 });
      return { allocation: played.allocation, release: played.release };
    }
    case "slack": {
      const played = await rounds.allocateAndRelease({ versions: [4], addressesPerPod: 4 });
      return { allocation: played.allocation, release: played.release };
    }
    case "dual": {
      const played = await rounds.allocateAndRelease({ versions: [4, 6], addressesPerPod: 4 });
      return { allocation: played.allocation, release: played.release };
    }
    case "recreate":
      return { "": await rounds.recreate() };
    default:
      return { "": await rounds.readd() };
  }
}

function loadText(): string {
  return Deno.loadavg().map((load) => load.toFixed(1)).join(" ");
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let written = 0; written < bytes.length;) {
    written += Deno.stdout.writeSync(bytes.subarray(written));
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
