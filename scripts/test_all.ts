/**
 * `deno task test:all`: every rig, and one closing line that sums them, after what failed. A stage
 * that fails without counting a failed test (a type error, a crash) counts as one. All stages run,
 * whatever the ones before did: a person sees everything that is broken at once.
 *
 * The virtual machine runs beside the others: an emulator without KVM uses one processor, and takes
 * as long as many of them. Its lines come when all has ended. The files of `e2e` are taken one by
 * one by whichever lane has nothing else left: each brings its own clusters up, and mostly waits.
 */
import * as path from "node:path";
import { RUN_FOLDER } from "./run_tests.ts";
import { countsText, sumCounts, type TestCounts } from "./test_counts.ts";
import { listTestFiles } from "./test_files.ts";

/** Tasks of deno.json: lanes run side by side, the stages of a lane one by one. */
const LANES: readonly (readonly string[])[] = [
  ["ok", "sim", "test:contract", "test:build", "test:agent", "test:kernel", "test:rig"],
  ["test:vm"],
];
/** The task whose files the lanes share. */
const SHARED = "e2e";
const STAGES = [...LANES.flat(), SHARED];

/** Where the shared files are. */
const SHARED_FOLDER = "tests/e2e";
/** Those that take longest, which are begun first. */
const LONGEST = ["controller_test.ts", "ipam_test.ts", "coordinator_test.ts"];
/** The one that looks back at all others. */
const LAST = "zz_rights_test.ts";

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

/**
 * The tests that failed, with the first line of why, from what `deno test` says at the end; and
 * what a rig says of its own failure, on a line such as `vm: failed: ...`.
 */
export function failuresIn(output: string): readonly string[] {
  const failures: string[] = [];
  let isList = false;
  let name: string | undefined;
  for (const line of plainLines(output)) {
    const ofRig = /^\w+: failed: (.+)$/.exec(line)?.[1];
    if (ofRig !== undefined) failures.push(ofRig.trim());
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

/** A task, and what of it is run. */
interface Stage {
  readonly task: string;
  /** One file; absent: all that the task has. */
  readonly file?: string;
}

/** One stage that has ended. */
interface StageReport {
  readonly stage: string;
  readonly counts: TestCounts;
  readonly seconds: number;
  readonly failures: readonly string[];
}

/** What a run's stages have in common. */
interface RunOptions {
  /** Told what the stage prints, as it comes. */
  readonly write: (text: string) => void;
  /** Where one file of the shared ones leaves something for another. */
  readonly folder: string;
}

async function runStage(
  { task, file }: Stage,
  { write, folder }: RunOptions,
): Promise<StageReport> {
  const name = file === undefined ? [] : [path.basename(file).replace(/_test\.ts$/, "")];
  const stage = [task, ...name].join(" ");
  write(`== ${stage}\n`);
  const startedMs = performance.now();
  const countsFile = await Deno.makeTempFile({ prefix: "counts-" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", task, ...(file === undefined ? [] : [file])],
      env: {
        COUNTS_FILE: countsFile,
        ...(file !== undefined && { [RUN_FOLDER]: folder }),
      },
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

/** Files in the order in which lanes take them: the longest first, else by their names. */
export function sharedOrder(files: readonly string[]): readonly string[] {
  const rank = (file: string): number => {
    const at = LONGEST.indexOf(path.basename(file));
    return at < 0 ? LONGEST.length : at;
  };
  return files.filter((file) => path.basename(file) !== LAST)
    .toSorted((one, other) => rank(one) - rank(other) || (one < other ? -1 : 1));
}

/**
 * Runs lanes side by side; what all but the first print comes when they have ended.
 *
 * @param options.shared Stages that any lane takes when it is done with its own.
 */
async function runLanes(
  lanes: readonly (readonly Stage[])[],
  { shared, folder }: { readonly shared: readonly Stage[]; readonly folder: string },
): Promise<readonly StageReport[]> {
  const left = [...shared];
  const reports = await Promise.all(lanes.map(async (stages, lane) => {
    const kept: string[] = [];
    const write = lane === 0 ? print : (text: string) => void kept.push(text);
    const ended: StageReport[] = [];
    const own = [...stages];
    for (;;) {
      const stage = own.shift() ?? left.shift();
      if (stage === undefined) return { kept, ended };
      ended.push(await runStage(stage, { write, folder }));
    }
  }));
  for (const { kept } of reports) print(kept.join(""));
  return reports.flatMap(({ ended }) => ended);
}

/** Runs the wanted stages, and the one that looks back after all others. */
async function runAll(wanted: readonly string[]): Promise<readonly StageReport[]> {
  const isWanted = (task: string): boolean => wanted.length === 0 || wanted.includes(task);
  const lanes = LANES.map((tasks) => tasks.filter(isWanted).map((task): Stage => ({ task })));
  const files = isWanted(SHARED)
    ? listTestFiles([SHARED_FOLDER], { match: "_test.ts", except: undefined })
    : [];
  const shared = sharedOrder(files).map((file): Stage => ({ task: SHARED, file }));
  const folder = await Deno.makeTempDir({ prefix: "test_all-" });
  try {
    const reports = await runLanes(lanes, { shared, folder });
    const last = files.find((file) => path.basename(file) === LAST);
    if (last === undefined) return reports;
    const stage = { task: SHARED, file: last };
    return [...reports, await runStage(stage, { write: print, folder })];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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
  const reports = await runAll(wanted);
  print("== all\n");
  for (const { stage, counts, seconds } of reports) {
    print(`${stage.padEnd(16)} ${countsText(counts)} (${seconds} s)\n`);
  }
  for (const { stage, failures } of reports) {
    for (const failure of failures) print(`failed in ${stage}: ${failure}\n`);
  }
  const total = reports.map(({ counts }) => counts).reduce(sumCounts);
  print(`${countsText(total)}\n`);
  return total.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
