/**
 * `deno task test:all`: every rig, one after the other, and one closing line that sums them. A
 * stage that fails without counting a failed test (a type error, a crash) counts as one. All stages
 * run, whatever the ones before did: a person sees everything that is broken at once.
 */
import { countsText, sumCounts, type TestCounts } from "./test_counts.ts";

/** Tasks of deno.json, cheapest first. */
const STAGES = [
  "ok",
  "sim",
  "test:contract",
  "test:build",
  "test:agent",
  "test:kernel",
  "test:vm",
  "test:rig",
  "e2e",
] as const;

/** What one stage left behind. */
export interface StageResult {
  readonly counts: TestCounts;
  readonly exitCode: number;
}

/**
 * The counts of a stage, from the closing lines its runs appended to one file.
 *
 * @throws {Error} If a line is not a closing line.
 */
export function readCounts(text: string): TestCounts {
  let counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of text.split("\n").filter((candidate) => candidate !== "")) {
    const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
    if (match === null) throw new Error(`Cannot add up "${line}": it is not a closing line`);
    const [passed, failed, skipped] = match.slice(1).map(Number);
    counts = sumCounts(counts, { passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0 });
  }
  return counts;
}

/** A stage's true counts: one that fails, or runs no test, has at least one failure. */
export function settleStage({ counts, exitCode }: StageResult): TestCounts {
  const ran = counts.passed + counts.failed;
  if (counts.failed === 0 && (exitCode !== 0 || ran === 0)) return { ...counts, failed: 1 };
  return counts;
}

async function runStage(stage: string): Promise<TestCounts> {
  const countsFile = await Deno.makeTempFile({ prefix: "counts-" });
  try {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", stage],
      env: { COUNTS_FILE: countsFile },
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    const counts = readCounts(await Deno.readTextFile(countsFile));
    return settleStage({ counts, exitCode: code });
  } finally {
    await Deno.remove(countsFile);
  }
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main(stages: readonly string[]): Promise<number> {
  const unknown = stages.find((stage) => !STAGES.some((known) => known === stage));
  if (unknown !== undefined) {
    say(`Unknown stage "${unknown}": use ${STAGES.join(", ")}, or none for all of them`);
    return 2;
  }
  let total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const stage of stages.length === 0 ? STAGES : stages) {
    say(`== ${stage}`);
    const startedMs = performance.now();
    const counts = await runStage(stage);
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    lines.push(`${stage.padEnd(14)} ${countsText(counts)} (${seconds} s)`);
    total = sumCounts(total, counts);
  }
  say("== all");
  for (const line of lines) say(line);
  say(countsText(total));
  return total.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
