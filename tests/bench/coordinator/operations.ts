/** The coordinator's ADD and DEL, next to `ip -batch` and `nft` doing the same operations. */
import { randomMacs } from "../../../cni/coordinator/macs.ts";
import { systemKernel } from "../../../cni/coordinator/system_kernel.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { planAdd } from "../../../src/datapath/coordinator_plan.ts";
import type { CoordinatorWish } from "../../../src/datapath/facts.ts";
import type { KernelOperation } from "../../../src/datapath/operation.ts";
import type { CoordinatorRecord } from "../../../src/datapath/record.ts";
import type { Plan } from "../../../src/datapath/plan.ts";
import { planRemove } from "../../../src/datapath/remove_plan.ts";
import { rounded } from "../figures.ts";
import { childrenCpuMs } from "../start.ts";
import { median, quantile } from "../statistics.ts";
import { idleScriptOf, type Place, scriptOf } from "./commands.ts";
import { giveNic, makePod, removePod, shell } from "./node.ts";
import { type BenchNic, callPlugin, runPlugin, wishOf } from "./plugin.ts";

/**
 * What the ADDs or DELs of all NICs of a pod take, in milliseconds: of each, the middle one. Work
 * is the difference of the best ones, for others that use the machine make it longer.
 */
export interface OperationFigures {
  readonly nics: number;
  readonly command: "ADD" | "DEL";
  /** Operations of the kernel. */
  readonly operations: number;
  /** Starts of the plugin. */
  readonly pluginMs: number;
  /** Starts of the plugin that only ask for its version. */
  readonly pluginStartMs: number;
  /** Calls within one process: the first one, and the best later one. */
  readonly firstCallMs: number;
  readonly callBestMs: number;
  /** Starts of `ip` and `nft`, with the operations and with none. */
  readonly ipMs: number;
  readonly ipStartMs: number;
  /** What comes on top of the starts of `ip` and `nft`, at best. */
  readonly ipWorkMs: number;
  /** Plugin by `ip`: all of it, and the call by the work. */
  readonly ratio: number;
  readonly callRatio: number;
  readonly pluginP99Ms: number;
  readonly ipP99Ms: number;
  readonly pluginCpuMs: number;
  readonly pluginStartCpuMs: number;
  readonly ipCpuMs: number;
}

type Sample = "plugin" | "pluginStart" | "call" | "ip" | "ipStart";
type Command = OperationFigures["command"];
const NIC_NAMES = ["eth0", "net1", "net2", "net3"];
const COMMANDS = ["ADD", "DEL"] as const;

interface Taken {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Times and CPU, by what was run. */
class Samples {
  readonly #taken = new Map<Sample, Taken[]>();
  operations = 0;

  add(sample: Sample, all: readonly Taken[]): void {
    const ms = all.reduce((sum, one) => sum + one.ms, 0);
    const cpuMs = all.reduce((sum, one) => sum + one.cpuMs, 0);
    this.#taken.set(sample, [...this.#taken.get(sample) ?? [], { ms, cpuMs }]);
  }

  ms(sample: Sample): readonly number[] {
    return (this.#taken.get(sample) ?? []).map(({ ms }) => ms);
  }

  /** The kernel counts in steps of 10 ms: only the mean of many says something. */
  cpuMs(sample: Sample): number {
    const all = this.#taken.get(sample) ?? [];
    return all.reduce((sum, one) => sum + one.cpuMs, 0) / all.length;
  }
}

async function timed(work: () => Promise<unknown>): Promise<Taken> {
  const fromCpuMs = childrenCpuMs();
  const fromMs = performance.now();
  await work();
  return { ms: performance.now() - fromMs, cpuMs: childrenCpuMs() - fromCpuMs };
}

/** Compares them in turns, each time with fresh pods. @param program The built plugin. */
export async function measureOperations(
  program: string,
  { nics, rounds }: { readonly nics: number; readonly rounds: number },
): Promise<readonly OperationFigures[]> {
  const samples = { ADD: new Samples(), DEL: new Samples() };
  for (let round = 0; round < rounds; round++) {
    await withPod(nics, async (all) => {
      for (const command of COMMANDS) {
        const run = (nic: BenchNic) => timed(() => runPlugin(program, { command, nic }));
        samples[command].add("plugin", await eachOf(ordered(all, command), run));
        const ask = (nic: BenchNic) => timed(() => runPlugin(program, { command: "VERSION", nic }));
        samples[command].add("pluginStart", await eachOf(all, ask));
      }
    });
    await withPod(nics, async (all) => {
      for (const command of COMMANDS) {
        const call = (nic: BenchNic) => timed(() => callPlugin(command, nic));
        samples[command].add("call", await eachOf(ordered(all, command), call));
      }
    });
    await withPod(nics, (all) => playIp(all, samples));
  }
  return COMMANDS.map((command) => figuresOf(samples[command], { command, nics }));
}

/** The last NIC goes first. */
function ordered(nics: readonly BenchNic[], command: Command): readonly BenchNic[] {
  return command === "ADD" ? nics : nics.toReversed();
}

async function eachOf<T, U>(
  all: readonly T[],
  work: (one: T) => Promise<U>,
): Promise<readonly U[]> {
  const results: U[] = [];
  for (const one of all) results.push(await work(one));
  return results;
}

async function withPod(
  count: number,
  work: (nics: readonly BenchNic[]) => Promise<void>,
): Promise<void> {
  const pod = await makePod();
  const nics: BenchNic[] = [];
  for (const [index, name] of NIC_NAMES.slice(0, count).entries()) {
    nics.push({ pod, name, addresses: await giveNic(pod, { name, index }) });
  }
  await work(nics);
  await removePod(pod);
}

interface Added {
  readonly nic: BenchNic;
  readonly wish: CoordinatorWish;
  readonly record: CoordinatorRecord;
}

/** Scripts are made before the time is taken. @throws {Error} They do not do the same. */
async function playIp(
  nics: readonly BenchNic[],
  { ADD, DEL }: Readonly<Record<Command, Samples>>,
): Promise<void> {
  const added: Added[] = [];
  const plays: Record<Command, Play[]> = { ADD: [], DEL: [] };
  for (const nic of nics) {
    const wish = await wishOf(nic);
    const { steps, record } = plannedAdd(nic, wish);
    plays.ADD.push(await play(nic, steps.map(({ operation }) => operation)));
    const left = plannedAdd(nic, wish, record).steps;
    if (left.length > 0) throw new Error(`The script left undone: ${JSON.stringify(left)}`);
    added.push({ nic, wish, record });
  }
  for (const one of added.toReversed()) {
    plays.DEL.push(await play(one.nic, plannedRemoval(one)));
    const left = plannedRemoval(one);
    if (left.length > 0) throw new Error(`The script left behind: ${JSON.stringify(left)}`);
  }
  for (const [samples, all] of [[ADD, plays.ADD], [DEL, plays.DEL]] as const) {
    samples.operations = all.reduce((sum, { operations }) => sum + operations, 0);
    samples.add("ip", all.map(({ taken }) => taken));
    samples.add("ipStart", all.map(({ idle }) => idle));
  }
}

interface Play {
  readonly operations: number;
  readonly taken: Taken;
  /** The same programs without work. */
  readonly idle: Taken;
}

async function play(
  { pod: { netns } }: BenchNic,
  operations: readonly KernelOperation[],
): Promise<Play> {
  const place: Place = { netns, nodePid: Deno.pid };
  const idle = await timed(() => shell(idleScriptOf(operations, place)));
  const taken = await timed(() => shell(scriptOf(operations, place)));
  return { operations: operations.length, taken, idle };
}

function plannedAdd(
  { pod: { netns } }: BenchNic,
  wish: CoordinatorWish,
  record?: CoordinatorRecord,
): Plan {
  using view = systemKernel.open(netns);
  const macs = randomMacs(systemRandom());
  const plan = planAdd(wish, view.factsForAdd(wish), { macs, record });
  if (!plan.ok) throw new Error(plan.error.message);
  return plan.value;
}

function plannedRemoval(
  { nic: { pod: { netns }, addresses }, wish, record }: Added,
): readonly KernelOperation[] {
  using view = systemKernel.openWhatIsThere(netns);
  const { containerId, ifName, firstNic, hostRuleTable } = wish;
  const removal = { containerId, ifName, firstNic, hostRuleTable, addresses };
  return planRemove(record, view.factsForRemoval(removal, record), { wish: removal });
}

function figuresOf(
  samples: Samples,
  { command, nics }: Pick<OperationFigures, "command" | "nics">,
): OperationFigures {
  const middle = (sample: Sample): number => rounded(median(samples.ms(sample)), 2);
  const best = (sample: Sample): number => Math.min(...samples.ms(sample));
  const work = best("ip") - best("ipStart");
  const [plugin, ip] = [middle("plugin"), middle("ip")];
  return {
    ...{ nics, command, operations: samples.operations },
    ...{ pluginMs: plugin, pluginStartMs: middle("pluginStart") },
    firstCallMs: rounded(samples.ms("call")[0] ?? NaN, 2),
    callBestMs: rounded(best("call"), 2),
    ...{ ipMs: ip, ipStartMs: middle("ipStart"), ipWorkMs: rounded(work, 2) },
    ratio: rounded(plugin / ip, 2),
    callRatio: rounded(best("call") / work, 2),
    pluginP99Ms: rounded(quantile(samples.ms("plugin"), 0.99)),
    ipP99Ms: rounded(quantile(samples.ms("ip"), 0.99)),
    pluginCpuMs: rounded(samples.cpuMs("plugin")),
    pluginStartCpuMs: rounded(samples.cpuMs("pluginStart")),
    ipCpuMs: rounded(samples.cpuMs("ip")),
  };
}
