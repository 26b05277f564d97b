/**
 * `deno task test:vm`: boots Debian's cloud kernel in QEMU and runs kernel tests in it, so that
 * they find the kernel modules that this machine may lack. Needs no root. Prints what the tests
 * print, as it comes, and closes with `N passed, N failed, N skipped`; exits with the status of the
 * tests, 1 if the machine breaks, 2 if it cannot start. What is on the list `sriov.txt` runs in a
 * second machine, with another kernel and an SR-IOV NIC; where there is none, it is skipped.
 *
 *   vm.ts [--arch amd64|arm64] [--list FILE] [--filter TEXT] [--with PATH]
 *         [--hang-seconds N] [--refresh] [path...]
 *
 * Without a path or list all kernel tests are run, but those of `tests/vm/lists/left_out.txt`.
 */
import { errorText } from "../src/base/log.ts";
import { freshPrograms } from "./demo/programs.ts";
import { closeWith } from "./run_tests.ts";
import { requiredCategories } from "../tests/support/require.ts";
import { settle, type SettledRun, sumCounts } from "./test_counts.ts";
import { listTestFiles } from "./test_files.ts";
import { parseArguments, pathsOfList, type VmRequest } from "./vm/arguments.ts";
import { bootMachine, cacheFolder, type PreparedMachine, prepareMachine } from "./vm/boot.ts";
import { VmError } from "./vm/failure.ts";
import {
  MACHINE_KINDS,
  MACHINE_VARIABLE,
  type MachineEnd,
  type MachineKind,
} from "./vm/machine.ts";
import { payloadOf } from "./vm/payload.ts";
import { isThere } from "./vm/process.ts";

const REPOSITORY = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const DEFAULT_PATHS = [`${REPOSITORY}/src`, `${REPOSITORY}/tests/kernel`];
const MATCH = "_kernel_test.ts";
const SRIOV = `${REPOSITORY}/tests/vm/lists/sriov.txt`;
const LEFT_OUT = `${REPOSITORY}/tests/vm/lists/left_out.txt`;
/** The machine is there to have these: a test that skips for want of one tests nothing. */
const REQUIRED = "root,modules,programs";
const NEWLINE = 0x0a;
/** What a line begins with that says why a machine failed: `test:all` shows it at its end. */
const FAILED = "failed:";
/** A run that nobody watches any more ends itself. */
const SECONDS_MAX = 3600;

function write(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

function say(text: string): void {
  write(Deno.stderr, new TextEncoder().encode(`vm: ${text}\n`));
}

/** Absolute path of what a person named; it must be there. */
function locate(path: string, what: string): string {
  if (isThere(path)) return Deno.realPathSync(path);
  throw new VmError(`No ${what} "${path}": give one that exists`, { exitCode: 2 });
}

/** Absolute paths of the test files that a request means. */
function filesOf({ lists, paths }: VmRequest): string[] {
  const listed = lists.flatMap((list) => pathsOfList(Deno.readTextFileSync(locate(list, "list"))));
  const named = [...listed, ...paths].map((path) => locate(path, "test"));
  const stranger = named.find((path) => !`${path}/`.startsWith(`${REPOSITORY}/`));
  if (stranger !== undefined) {
    throw new VmError(`The test "${stranger}" is not in this repository: only those can be run`, {
      exitCode: 2,
    });
  }
  const isAll = lists.length + paths.length === 0;
  const from = isAll ? DEFAULT_PATHS.filter(isThere) : named;
  const found = listTestFiles(from, { match: MATCH, except: undefined });
  const files = isAll ? withoutLeftOut(found) : found;
  if (files.length > 0) return files;
  throw new VmError(`No file ends in "${MATCH}" there: name one that is to be run`, {
    exitCode: 2,
  });
}

/** All that are listed must be there: a list that lags behind leaves out nothing that it means. */
function withoutLeftOut(files: readonly string[]): string[] {
  const listed = pathsOfList(Deno.readTextFileSync(LEFT_OUT));
  const leftOut = new Set(listed.map((path) => locate(`${REPOSITORY}/${path}`, "test")));
  say(`${leftOut.size} files of tests are left out: see tests/vm/lists/left_out.txt`);
  return files.filter((file) => !leftOut.has(Deno.realPathSync(file)));
}

/** The files that each kind of machine runs; those on the list of the other run on no cloud's. */
function filesByKind(request: VmRequest): ReadonlyMap<MachineKind, readonly string[]> {
  const listed = pathsOfList(Deno.readTextFileSync(SRIOV)).map((path) =>
    locate(`${REPOSITORY}/${path}`, "test")
  );
  const all = Map.groupBy(
    filesOf(request),
    (file): MachineKind => listed.includes(Deno.realPathSync(file)) ? "sriov" : "cloud",
  );
  return new Map(MACHINE_KINDS.flatMap((kind) => {
    const files = all.get(kind);
    return files === undefined ? [] : [[kind, files]];
  }));
}

/** What the rig does for one request, one machine after the other. */
async function runAll(request: VmRequest, signal: AbortSignal): Promise<SettledRun> {
  const required = requiredCategories(Deno.env.get("REQUIRE") ?? "");
  // No other processor has that machine, whatever is installed.
  const isRequired = required.has("programs") && request.architecture === "amd64";
  const extras = request.extras.map((path) => locate(path, "file or folder"));
  const runs: SettledRun[] = [];
  for (const [kind, files] of filesByKind(request)) {
    const prepared = await prepare(kind, request);
    runs.push(
      typeof prepared === "string"
        ? withoutMachine(prepared, { files, isRequired })
        : await runInMachine(prepared, { request, files, extras, signal }),
    );
  }
  return runs.reduce((left, right) => ({
    counts: sumCounts(left.counts, right.counts),
    exitCode: left.exitCode || right.exitCode,
  }));
}

/** Gets a machine ready; or says why there is none with an SR-IOV NIC here. */
async function prepare(
  kind: MachineKind,
  { architecture, refresh }: VmRequest,
): Promise<PreparedMachine | string> {
  const cache = cacheFolder({
    home: Deno.env.get("HOME"),
    cacheHome: Deno.env.get("XDG_CACHE_HOME"),
  });
  try {
    return await prepareMachine(cache, { kind, architecture, refresh, say });
  } catch (error) {
    const isLacking = kind === "sriov" && error instanceof VmError && error.exitCode === 2;
    if (isLacking) return error.message;
    throw error;
  }
}

/** The tests of a machine that is not to be had: as `testWith` treats what a test needs. */
function withoutMachine(
  reason: string,
  { files, isRequired }: { readonly files: readonly string[]; readonly isRequired: boolean },
): SettledRun {
  const count = files.length;
  const how = isRequired ? "fail, REQUIRE=programs forbids to skip them" : "are skipped";
  say(`the tests of ${files.join(", ")} ${how}: ${reason}`);
  return isRequired
    ? settle({ passed: 0, failed: count, skipped: 0 }, 1)
    : settle({ passed: 0, failed: 0, skipped: count }, 0);
}

async function runInMachine(
  prepared: PreparedMachine,
  { request: { filter, hangSeconds }, files, extras, signal }: {
    readonly request: VmRequest;
    readonly files: readonly string[];
    readonly extras: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<SettledRun> {
  const { kind, architecture, deno, tree, accelerator } = prepared;
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  say(`${count} of tests on Linux ${tree.release}, Deno ${deno.version}, ${accelerator}`);
  const entries = await payloadOf({
    repository: REPOSITORY,
    files,
    extras,
    flags: filter === undefined ? [] : [`--filter=${filter}`],
    environment: {
      REQUIRE: `${REQUIRED},${Deno.env.get("REQUIRE") ?? ""}`,
      [MACHINE_VARIABLE]: kind,
    },
    programs: () => freshPrograms(architecture),
    secondsMax: SECONDS_MAX,
  });
  let last = NEWLINE;
  const print = (piece: Uint8Array) => {
    write(Deno.stdout, piece);
    last = piece.at(-1) ?? last;
  };
  const begunMs = performance.now();
  const end = await bootMachine(prepared, { entries, print, hangSeconds, signal, say });
  if (last !== NEWLINE) write(Deno.stdout, Uint8Array.of(NEWLINE)); // Killed amid a line.
  if (signal.aborted) throw new VmError("Stopped before the tests ended", { exitCode: 1 });
  return conclude(end, (performance.now() - begunMs) / 1000);
}

function conclude({ report, failure, console }: MachineEnd, seconds: number): SettledRun {
  const { outcome, stages: { booted = 0, ended = 0 } } = report;
  if (outcome === undefined) {
    if (console !== undefined && console !== "") {
      say(`the end of the kernel's log:\n${console}`);
    }
    say(`${FAILED} ${failure ?? "The machine gave no result"}`);
    return settle(undefined, 1);
  }
  const times = [booted, ended - booted, seconds].map((time) => time.toFixed(1));
  say(`booted in ${times[0]} s, tests ${times[1]} s, in all ${times[2]} s`);
  if (outcome.counts === undefined) {
    say(`${FAILED} deno ended with exit code ${outcome.exitCode} and no report of its tests`);
  }
  return settle(outcome.counts, outcome.exitCode);
}

async function main(argv: readonly string[]): Promise<number> {
  const request = parseArguments(argv);
  if (!request.ok) {
    say(request.error.text);
    return 2;
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, onSignal);
  }
  try {
    const { counts, exitCode } = await runAll(request.value, stop.signal);
    closeWith(counts, Deno.env.get("COUNTS_FILE"));
    return exitCode;
  } catch (error) {
    const exitCode = error instanceof VmError ? error.exitCode : 1;
    say(errorText(error));
    if (exitCode === 1) closeWith(settle(undefined, 1).counts, Deno.env.get("COUNTS_FILE"));
    return exitCode;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
