/**
 * Runs `deno test` and closes with one exact line, `N passed, N failed, N skipped`, so that CI can
 * add up what really ran. All test tasks of deno.json go through it.
 *
 *   run_tests.ts [--default=PATH]... [--match=SUFFIX] [--except=SUFFIX] [--as-root]
 *                [flags of deno test] [path...]
 *
 * Without a path the defaults are taken (those that exist). With `COUNTS_FILE` in the environment
 * the closing line is also appended to that file. Exits with deno's status; 2 for a bad argument.
 */
import { errorText } from "../src/base/log.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import {
  countsOfJunit,
  countsText,
  settle,
  type SettledRun,
  type TestCounts,
} from "./test_counts.ts";
import { isPresent, listTestFiles } from "./test_files.ts";

/** What the command line asks for. */
export interface RunRequest {
  /** Flags handed to `deno test` as they are. */
  readonly flags: readonly string[];
  /** Paths the person named; they must exist. */
  readonly paths: readonly string[];
  /** Paths taken when the person named none; those that do not exist are left out. */
  readonly defaults: readonly string[];
  /** Ends of the file names taken from a directory. */
  readonly match: string;
  /** End of the file names left out of a directory. */
  readonly except: string | undefined;
  readonly asRoot: boolean;
}

/** Flags of `deno test` that are handed on: whether a value may or must follow after `=`. */
const FLAG_VALUES: Readonly<Record<string, "none" | "optional" | "required">> = {
  "--quiet": "none",
  "--parallel": "none",
  "--no-check": "none",
  "--trace-leaks": "none",
  "--cached-only": "none",
  "--fail-fast": "optional",
  "--shuffle": "optional",
  "--coverage": "optional",
  "--filter": "required",
  "--seed": "required",
  "--reporter": "required",
  "--v8-flags": "required",
  "--allow-all": "none",
  "--allow-read": "optional",
  "--allow-write": "optional",
  "--allow-run": "optional",
  "--allow-env": "optional",
  "--allow-sys": "optional",
  "--allow-net": "optional",
  "--allow-ffi": "optional",
  "--allow-import": "optional",
};

/**
 * Variable that names a folder which goes with the run: what one test file leaves for another. Who
 * starts several runs as one gives them the same.
 */
export const RUN_FOLDER = "RUN_FOLDER";

/** Our own flags; the rest goes to `deno test`. */
const OWN_FLAGS = ["--default", "--match", "--except"] as const;

/**
 * Reads the command line. `--filter X` is taken like `--filter=X`.
 *
 * @outcome `bad_argument` With a sentence that names the argument and what is taken instead.
 */
export function parseArguments(
  argv: readonly string[],
): Result<RunRequest, { readonly code: "bad_argument"; readonly text: string }> {
  const flags: string[] = [];
  const paths: string[] = [];
  const own = new Map<string, string[]>(OWN_FLAGS.map((name) => [name, []]));
  let asRoot = false;
  const rest = argv.slice();
  while (true) {
    const argument = rest.shift();
    if (argument === undefined) break;
    if (argument === "--as-root") asRoot = true;
    else if (!argument.startsWith("-")) paths.push(argument);
    else {
      const [name = "", inline] = splitFlag(argument);
      const values = own.get(name);
      const takes = values === undefined ? FLAG_VALUES[name] : "required";
      if (takes === undefined) return bad(`Unknown argument "${argument}": ${takenText()}`);
      if (takes === "none" && inline !== undefined) {
        return bad(`Argument "${name}" takes no value, not "${inline}": write it alone`);
      }
      const value = takes === "required" ? inline ?? rest.shift() : inline;
      if (takes === "required" && (value === undefined || value === "")) {
        return bad(`Argument "${name}" needs a value: write ${name}=VALUE`);
      }
      if (values === undefined) flags.push(value === undefined ? name : `${name}=${value}`);
      else values.push(value ?? "");
    }
  }
  return ok({
    flags,
    paths,
    defaults: own.get("--default") ?? [],
    match: own.get("--match")?.at(-1) ?? "_test.ts",
    except: own.get("--except")?.at(-1),
    asRoot,
  });
}

function splitFlag(argument: string): [string, string | undefined] {
  const at = argument.indexOf("=");
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
}

function takenText(): string {
  return `give paths of tests, or one of ${Object.keys(FLAG_VALUES).join(", ")}`;
}

function bad(
  text: string,
): Result<never, { readonly code: "bad_argument"; readonly text: string }> {
  return err({ code: "bad_argument", text });
}

/**
 * Runs `deno test` on files, its output going where this program's output goes.
 *
 * @param files Test files; at least one.
 * @returns What `settle` makes of deno's report and exit code.
 */
export async function runTestFiles(
  files: readonly string[],
  { flags, environment = {} }: {
    readonly flags: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<SettledRun> {
  const folder = await Deno.makeTempDir({ prefix: "run_tests-" });
  try {
    const report = `${folder}/junit.xml`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["test", `--junit-path=${report}`, ...flags, ...files],
      // A test that runs tests must not be counted twice.
      env: { ...environment, COUNTS_FILE: "", [RUN_FOLDER]: Deno.env.get(RUN_FOLDER) ?? folder },
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    using _signals = passSignalsTo(child);
    const { code } = await child.status;
    return settle(await countsIn(report), code);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function countsIn(report: string): Promise<TestCounts | undefined> {
  try {
    return countsOfJunit(await Deno.readTextFile(report));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return undefined; // The modules did not compile: nothing was run.
  }
}

/** A terminal's Ctrl-C reaches the child by itself; a SIGTERM sent to this program does not. */
function passSignalsTo(child: Deno.ChildProcess): Disposable {
  const wait = () => {};
  const pass = () => child.kill("SIGTERM");
  Deno.addSignalListener("SIGINT", wait);
  Deno.addSignalListener("SIGTERM", pass);
  return {
    [Symbol.dispose]() {
      Deno.removeSignalListener("SIGINT", wait);
      Deno.removeSignalListener("SIGTERM", pass);
    },
  };
}

/**
 * Prints the closing line, and appends it to the file that `COUNTS_FILE` names: several runs may
 * share one file, a sum over its lines is the sum over the runs.
 */
export function closeWith(counts: TestCounts, countsFile: string | undefined): void {
  const line = new TextEncoder().encode(`${countsText(counts)}\n`);
  if (countsFile !== undefined && countsFile !== "") {
    Deno.writeFileSync(countsFile, line, { append: true });
  }
  writeAll(Deno.stdout, line);
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

function complain(text: string): 2 {
  writeAll(Deno.stderr, new TextEncoder().encode(`${text}\n`));
  return 2;
}

async function main(argv: readonly string[]): Promise<number> {
  const request = parseArguments(argv);
  if (!request.ok) return complain(request.error.text);
  const { paths, defaults, flags, match, except, asRoot } = request.value;
  const missing = paths.find((path) => !isPresent(path));
  if (missing !== undefined) {
    return complain(`No test "${missing}": give a file or a directory that exists`);
  }
  if (asRoot && Deno.uid() !== 0) {
    return complain(
      `These tests make network namespaces, and user ${Deno.uid()} may not: run them as root`,
    );
  }
  const from = paths.length > 0 ? paths : defaults.filter(isPresent);
  const files = listTestFiles(from, { match, except });
  if (files.length === 0) {
    const where = from.length === 0 ? "here" : `in ${from.map((path) => `"${path}"`).join(", ")}`;
    return complain(`No file ends in "${match}" ${where}: name one that is there`);
  }
  const { counts, exitCode } = await runTestFiles(files, { flags });
  closeWith(counts, Deno.env.get("COUNTS_FILE"));
  return exitCode;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    complain(`Cannot run the tests: ${errorText(error)}`);
    Deno.exitCode = 1;
  }
}
