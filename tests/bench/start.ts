/** Starts of the plugins next to those of an empty program and of Debian's `host-local`. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { RUNTIME_FOLDER, scriptFile } from "../../scripts/build/launcher.ts";
import { timedAdd } from "../build/plugin_cases.ts";
import { start } from "../build/programs.ts";
import { rounded } from "./figures.ts";
import { median } from "./statistics.ts";

/** Starts of one program. */
export interface StartFigures {
  readonly name: string;
  /** Milliseconds from start to end. */
  readonly bestMs: number;
  readonly medianMs: number;
  /** CPU milliseconds of one start, averaged. */
  readonly cpuMs: number;
  /** Best and CPU, next to the empty program's. */
  readonly ratio: number;
  readonly cpuRatio: number;
}

const STARTS = 40;
/** Where distributions put the standard plugins. */
const HOST_LOCAL = ["/usr/lib/cni/host-local", "/opt/cni/bin/host-local"];
/** Ticks of the kernel's clock of CPU time. */
const TICK_MS = 10;

/** Compares starts, in turns. @param folder Folder of a build. */
export async function measureStarts(
  folder: string,
  { report }: { readonly report: (line: string) => void },
): Promise<readonly StartFigures[]> {
  const work = await Deno.makeTempDir({ prefix: "start-" });
  const plugin = path.join(folder, "spiderpool");
  const coordinator = path.join(folder, "coordinator");
  const deno = path.join(folder, RUNTIME_FOLDER, "deno");
  const empty = path.join(work, "empty.js");
  await Deno.writeTextFile(empty, "export {};\n");
  const hostLocal = HOST_LOCAL.find((file) => existsSync(file));
  if (hostLocal === undefined) {
    report("host-local is left out: package containernetworking-plugins");
  }
  let figures: readonly StartFigures[] = [];
  try {
    await timedAdd(plugin, async (add) => {
      const runs: Record<string, () => Promise<unknown>> = {
        "an empty Deno program": () => start(denoOr(deno), { args: ["run", "--no-config", empty] }),
        "spiderpool VERSION": () => start(plugin, { env: { CNI_COMMAND: "VERSION" } }),
        "spiderpool ADD": add,
        "coordinator VERSION": () => start(coordinator, { env: { CNI_COMMAND: "VERSION" } }),
      };
      if (hostLocal !== undefined) {
        runs["host-local VERSION"] = () => start(hostLocal, { env: { CNI_COMMAND: "VERSION" } });
        runs["host-local ADD"] = () => hostLocalAdd(hostLocal, work);
      }
      figures = await timed(runs);
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return figures;
}

/** The compiled layout has no Deno of its own. */
function denoOr(deno: string): string {
  return existsSync(deno) ? deno : Deno.execPath();
}

async function timed(
  runs: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<readonly StartFigures[]> {
  const tookMs = new Map<string, number[]>();
  const cpuMs = new Map<string, number>();
  for (const run of Object.values(runs)) await run(); // Files are in memory from now on.
  for (let index = 0; index < STARTS; index++) {
    for (const [name, run] of Object.entries(runs)) {
      const fromMs = performance.now();
      const fromCpuMs = childrenCpuMs();
      await run();
      tookMs.set(name, [...tookMs.get(name) ?? [], performance.now() - fromMs]);
      cpuMs.set(name, (cpuMs.get(name) ?? 0) + childrenCpuMs() - fromCpuMs);
    }
  }
  const [first = ""] = Object.keys(runs);
  const best = (name: string): number => Math.min(...tookMs.get(name) ?? []);
  return [...tookMs].map(([name, all]) => ({
    name,
    bestMs: rounded(best(name)),
    medianMs: rounded(median(all)),
    cpuMs: rounded((cpuMs.get(name) ?? 0) / STARTS),
    ratio: rounded(best(name) / best(first), 2),
    cpuRatio: rounded((cpuMs.get(name) ?? 0) / (cpuMs.get(first) ?? NaN), 2),
  }));
}

let containers = 0;

async function hostLocalAdd(program: string, folder: string): Promise<void> {
  const { code, stdout } = await start(program, {
    input: JSON.stringify({
      cniVersion: "1.0.0",
      name: "bench",
      type: "macvlan",
      ipam: { type: "host-local", dataDir: folder, ranges: [[{ subnet: "10.99.0.0/16" }]] },
    }),
    env: {
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: `c${++containers}`,
      CNI_NETNS: "/var/run/netns/x",
      CNI_IFNAME: "eth0",
      CNI_PATH: "/opt/cni/bin",
    },
  });
  if (code !== 0) throw new Error(`host-local fails: ${stdout}`);
}

/** CPU milliseconds of all children of this process that have ended. */
export function childrenCpuMs(): number {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}

/** Bytes of the script that a plugin is built as; 0 in the compiled layout. */
export async function scriptBytes(folder: string, name: string): Promise<number> {
  const file = path.join(folder, RUNTIME_FOLDER, scriptFile(name));
  return existsSync(file) ? (await Deno.stat(file)).size : 0;
}
