/**
 * `deno task test:all`: every rig, and one closing line that sums them, after what failed. A stage
 * that fails without counting a failed test (a type error, a crash) counts as one. All stages run,
 * whatever the ones before did: a person sees everything that is broken at once.
 *
 * The virtual machine runs beside the others: an emulator without KVM uses one processor, and takes
 * as long as many of them. Its lines come when all has ended.
 */
import { countsText, sumCounts, type TestCounts } from "./test_counts.ts";

/** Tasks of deno.json: lanes run side by side, the stages of a lane one by one. */
const LANES: readonly (readonly string[])[] = [
  ["ok", "sim", "test:contract", "test:build", "test:agent", "test:kernel", "test:rig", "e2e"],
  ["test:vm"],
];
const STAGES = LANES.flat();

/** Last lines that are shown of a stage that failed without naming a test. */
const LAST_LINES = 6;

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

/** The tests that failed, with the first line of why, from what `deno test` says at the end. */
export function failuresIn(output: string): readonly string[] {
  const failures: string[] = [];
  let isList = false;
  let name: string | undefined;
  for (const line of plainLines(output)) {
    if (line.trim() === "ERRORS") isList = true;
    if (line.trim() === "FAILURES") isList = false;
    if (!isList) continue;
    if (/ => \S+:\d+:\d+$/.test(line)) name = line.trim();
    else if (line.startsWith("error: ") && name !== undefined) {
      failures.push(`${name}: ${line.slice("error: ".length).trim()}`);
      name = undefined;
    }
  }
  return failures;
}

/** The last lines that say something: for a stage that failed in words of its own. */
export function lastLines(output: string, { count }: { readonly count: number }): string[] {
  return plainLines(output).map((line) => line.trim()).filter((line) => line !== "").slice(-count);
}

function plainLines(output: string): readonly string[] {
  // deno-lint-ignore no-control-regex -- Colours, where there is a terminal.
  return output.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n");
}

/** One stage that has ended. */
interface StageReport {
  readonly stage: string;
  readonly counts: TestCounts;
  readonly seconds: number;
  readonly failures: readonly string[];
}

/** @param options.write Told what the stage prints, as it comes. */
async function runStage(
  stage: string,
  { write }: { readonly write: (text: string) => void },
): Promise<StageReport> {
  write(`== ${stage}\n`);
  const startedMs = performance.now();
  const countsFile = await Deno.makeTempFile({ prefix: "counts-" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", stage],
      env: { COUNTS_FILE: countsFile },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const texts: string[] = [];
    await Promise.all([child.stdout, child.stderr].map(async (stream) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        texts.push(text);
        write(text);
      }
    }));
    const { code } = await child.status;
    const read = readCounts(await Deno.readTextFile(countsFile));
    const counts = settleStage({ counts: read, exitCode: code });
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    const output = texts.join("");
    const named = failuresIn(output);
    const isUnnamed = counts.failed > 0 && named.length === 0;
    const failures = isUnnamed ? lastLines(output, { count: LAST_LINES }) : named;
    return { stage, counts, seconds, failures };
  } finally {
    await Deno.remove(countsFile);
  }
}

/** Runs lanes side by side; what all but the first print comes when they have ended. */
async function runLanes(lanes: readonly (readonly string[])[]): Promise<readonly StageReport[]> {
  const reports = await Promise.all(lanes.map(async (stages, lane) => {
    const kept: string[] = [];
    const write = lane === 0 ? print : (text: string) => void kept.push(text);
    const ended: StageReport[] = [];
    for (const stage of stages) ended.push(await runStage(stage, { write }));
    return { kept, ended };
  }));
  for (const { kept } of reports) print(kept.join(""));
  return reports.flatMap(({ ended }) => ended);
}

function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.find((stage) => !STAGES.includes(stage));
  if (unknown !== undefined) {
    print(`Unknown stage "${unknown}": use ${STAGES.join(", ")}, or none for all of them\n`);
    return 2;
  }
  const lanes = LANES
    .map((stages) => stages.filter((stage) => wanted.length === 0 || wanted.includes(stage)))
    .filter((stages) => stages.length > 0);
  const reports = await runLanes(lanes);
  print("== all\n");
  for (const { stage, counts, seconds } of reports) {
    print(`${stage.padEnd(14)} ${countsText(counts)} (${seconds} s)\n`);
  }
  for (const { stage, failures } of reports) {
    for (const failure of failures) print(`failed in ${stage}: ${failure}\n`);
  }
  const total = reports.map(({ counts }) => counts).reduce(sumCounts);
  print(`${countsText(total)}\n`);
  return total.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
