/** What the coordinator costs, measured in namespaces that end with the measurement. */
import * as path from "node:path";
import { findPlugins, missingForDemo } from "../../../scripts/demo/requirements.ts";
import { TextLineStream } from "../lines.ts";
import { table } from "../table.ts";
import type { CoordinatorFigures, CoordinatorOrder } from "./worker.ts";

export type { CoordinatorFigures } from "./worker.ts";

const WORKER = path.resolve(import.meta.dirname ?? ".", "worker.ts");

/**
 * Measures it.
 *
 * @param programs Folder of a build.
 * @param options.report Is given each part as a table, as it comes.
 * @returns Or why it cannot be measured.
 */
export async function measureCoordinator(
  programs: string,
  { rounds, pods, report }: {
    readonly rounds: number;
    readonly pods: number;
    readonly report: (text: string) => void;
  },
): Promise<CoordinatorFigures | string> {
  const missing = await missingForDemo();
  const plugins = await findPlugins();
  if (missing !== undefined || plugins === undefined) return missing ?? "no plugins";
  const data = await Deno.makeTempDir({ prefix: "bench-data-" });
  try {
    const order: CoordinatorOrder = { programs, plugins, data, rounds, pods };
    const child = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"],
        ...[Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all", WORKER],
        JSON.stringify(order),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const parts: Partial<CoordinatorFigures>[] = [];
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      const part: Partial<CoordinatorFigures> = JSON.parse(line);
      parts.push(part);
      report(coordinatorTable(part));
    }
    if (!(await child.status).success) return "the measurement failed, see above";
    await child.stdin.close().catch(() => {});
    const operations = parts.flatMap((part) => part.operations ?? []);
    return { operations, chains: parts.flatMap((part) => part.chains ?? []) };
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

function coordinatorTable(
  { operations = [], chains = [] }: Partial<CoordinatorFigures>,
): string {
  const head = [
    ...["NICs", "command", "operations", "plugin ms p50/p99", "ip and nft ms p50/p99", "ratio"],
    ...["plugin's start ms", "ip's start ms", "call ms first/best", "ip's work ms", "ratio"],
    ...["CPU ms plugin/its start/ip"],
  ];
  const rows = operations.map((one) => [
    String(one.nics),
    one.command,
    String(one.operations),
    `${one.pluginMs}/${one.pluginP99Ms}`,
    `${one.ipMs}/${one.ipP99Ms}`,
    one.ratio.toFixed(2),
    String(one.pluginStartMs),
    String(one.ipStartMs),
    `${one.firstCallMs}/${one.callBestMs}`,
    one.ipWorkMs.toFixed(2),
    one.callRatio.toFixed(2),
    `${one.pluginCpuMs}/${one.pluginStartCpuMs}/${one.ipCpuMs}`,
  ]);
  const chainHead = [
    ...["chain", "command", "pods", "ms p50/p99", "ratio", "CPU ms", "CPU ratio", "plugins ms"],
  ];
  const chainRows = chains.map((one) => [
    one.chain,
    one.command,
    String(one.pods),
    `${one.p50Ms}/${one.p99Ms}`,
    one.ratio.toFixed(2),
    one.cpuMs.toFixed(1),
    one.cpuRatio.toFixed(2),
    Object.entries(one.pluginMs).map(([type, ms]) => `${type} ${ms}`).join(", "),
  ]);
  return table(chains.length === 0 ? [head, ...rows] : [chainHead, ...chainRows]);
}
