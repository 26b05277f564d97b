/** Figures as tables for people. */
import type { Figures } from "./figures.ts";
import type { RestFigures } from "./rest.ts";
import type { PluginModule } from "./plugin_modules.ts";
import type { StartFigures } from "./start.ts";
import { table } from "./table.ts";

/** Rounds, one scenario in each line, and what each pod costs below. */
export function roundsTable(figures: readonly Figures[]): string {
  const head = [
    ...["scenario", "pods/s", "bare pods/s", "ratio", "CPU ratio", "failed", "health ms p50/p99"],
    ...["call ms p50/p99", "pod ms p50/p99", "agent CPU s", "CPU ms/pod", "RSS MB", "watch kB"],
    ...["load"],
  ];
  const pair = ({ p50, p99 }: { readonly p50: number; readonly p99: number }): string =>
    `${p50}/${p99}`;
  const rows = figures.map((one) => [
    one.scenario,
    `${one.rate} (${one.rates.join(" ")})`,
    `${one.bareRate} (${one.bareRates.join(" ")}) at ${one.bareInFlight}`,
    one.ratio.toFixed(2),
    one.cpuRatio.toFixed(2),
    String(one.failedCalls),
    pair(one.health),
    pair(one.call),
    pair(one.pod),
    one.agentCpuSeconds.toFixed(2),
    one.agentCpuMsPerPod.toFixed(1),
    one.agentResidentMb.toFixed(0),
    (one.agentWatchBytes / 1_000).toFixed(0),
    one.loads.map((load) => load.toFixed(1)).join(" "),
  ]);
  const requests = figures.map(({ scenario, requestsPerPod }) => {
    const texts = Object.entries(requestsPerPod)
      .sort(([, one], [, other]) => other - one)
      .filter(([, count]) => count >= 0.005)
      .map(([key, count]) => `${key} ${count.toFixed(2)}`);
    return `requests per pod, ${scenario}: ${texts.join(", ")}`;
  });
  const done = figures.map(({ scenario, doneSeconds, ...cpu }) => {
    const texts = Object.entries(doneSeconds).map(([share, seconds]) => `${share} % ${seconds} s`);
    const each = cpu.cpuMsPerPod.map(({ agents, server, bare }) => `${agents}/${server}/${bare}`);
    return `pods done after, ${scenario}: ${texts.join(", ")}; CPU ms per pod of each round, ` +
      `agents/server/bare calls with their server: ${each.join(" ")}`;
  });
  const failures = figures.flatMap(({ scenario, failures }) => {
    return failures.map((text) => `failed, ${scenario}: ${text.slice(0, 300)}`);
  });
  return [table([head, ...rows]), ...requests, ...done, ...failures].join("\n");
}

/** One ADD at a time, one number of records in each line. */
export function restTable(figures: readonly RestFigures[]): string {
  const head = [
    ...["records", "ADD ms p50/p99", "first", "its writes ms p50/p99", "ratio", "DEL ms p50/p99"],
    ...["CPU ms", "RSS MB", "failed", "load"],
  ];
  const rows = figures.map((one) => [
    String(one.records),
    `${one.addMs.p50}/${one.addMs.p99}`,
    String(one.firstMs),
    `${one.writesMs.p50}/${one.writesMs.p99}`,
    one.ratio.toFixed(2),
    `${one.delMs.p50}/${one.delMs.p99}`,
    one.cpuMsPerAdd.toFixed(1),
    one.residentMb.toFixed(0),
    String(one.failedCalls),
    one.load.toFixed(1),
  ]);
  const requests = figures.map(({ records, requestsPerAdd }) => {
    const texts = Object.entries(requestsPerAdd).filter(([, count]) => count > 0)
      .map(([key, count]) => `${key} ${count}`);
    return `requests per ADD with ${records} records: ${texts.join(", ")}`;
  });
  return [table([head, ...rows]), ...requests].join("\n");
}

/** What a plugin is made of. */
export interface PluginSize {
  readonly name: string;
  readonly modules: readonly PluginModule[];
  readonly scriptBytes: number;
}

/** Starts, one program in each line, and what the plugins are made of. */
export function startTable(
  figures: readonly StartFigures[],
  plugins: readonly PluginSize[],
): string {
  const head = ["start of", "best ms", "median ms", "CPU ms", "best ratio", "CPU ratio"];
  const rows = figures.map((one) => [
    one.name,
    one.bestMs.toFixed(1),
    one.medianMs.toFixed(1),
    one.cpuMs.toFixed(1),
    one.ratio.toFixed(2),
    one.cpuRatio.toFixed(2),
  ]);
  return [table([head, ...rows]), ...plugins.flatMap(sizeLines)].join("\n");
}

function sizeLines({ name, modules, scriptBytes }: PluginSize): readonly string[] {
  const by = Map.groupBy(modules, ({ loadedBy }) => loadedBy);
  const loaded = [...by].map(([command, some]) => {
    const bytes = some.reduce((sum, module) => sum + module.bytes, 0);
    const texts = some.map((module) => `${module.path} ${module.bytes}`);
    return `${name}, loaded by ${command}: ${some.length} modules, ${bytes} bytes: ` +
      texts.join(", ");
  });
  return [
    `${name} is built as one script of ${scriptBytes} bytes, in parts; docs/plugin-start.md says ` +
    `why it has each module`,
    ...loaded,
  ];
}
