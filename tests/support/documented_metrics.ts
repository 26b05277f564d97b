/** What docs/metrics.md says: the names, by program. */

const DOCUMENT = new URL("../../docs/metrics.md", import.meta.url);

/** A metric of the documentation. */
export interface DocumentedMetric {
  readonly name: string;
  readonly type: string;
}

/** Metrics that the documentation has for a program, those of every program among them. */
export async function documentedMetrics(
  program: "agent" | "controller",
): Promise<readonly DocumentedMetric[]> {
  const sections = (await Deno.readTextFile(DOCUMENT)).split("\n## ");
  const wanted = { agent: "Agent\n", controller: "Controller\n" }[program];
  const read = sections.filter((text) => text.startsWith(wanted) || text.startsWith("Both\n"));
  return read.flatMap((text) => text.split("\n")).flatMap(metricsOfLine);
}

/** `{a,b}` in a name stands for two names. */
function metricsOfLine(line: string): readonly DocumentedMetric[] {
  const [, names = "", type = ""] = /^\| (`.+?`) +\| (\w+) +\|/.exec(line) ?? [];
  return [...names.matchAll(/`([^`]+)`/g)].flatMap(([, name = ""]) => {
    const [, before = "", choice = "", after = ""] = /^([^{]*)\{(.*)\}(.*)$/.exec(name) ?? [];
    const all = choice === "" ? [name] : choice.split(",").map((one) => before + one + after);
    return all.map((one) => ({ name: one, type }));
  });
}
