import { err, ok, type Result } from "../../src/base/result.ts";

/** Processors that the rig can be: named as Debian names them. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;
/** One of `ARCHITECTURES`. */
export type Architecture = typeof ARCHITECTURES[number];

/** What the command line asks for. */
export interface VmRequest {
  readonly architecture: Architecture;
  /** Files that list tests, one path a line. */
  readonly lists: readonly string[];
  /** Tests, and folders with tests. */
  readonly paths: readonly string[];
  /** Files and folders that are laid into the machine at the same place as here. */
  readonly extras: readonly string[];
  readonly filter: string | undefined;
  /** Seconds without the start or end of a test after which the machine is killed. */
  readonly hangSeconds: number;
  /** Whether the kernel and libraries are fetched again. */
  readonly refresh: boolean;
}

const USAGE = "give paths of tests, --refresh, or (each with a value) --arch, --list, --with, " +
  "--filter, --hang-seconds";
/** A chain of plugins takes 40 s of an emulated machine that has a processor for itself. */
const HANG_SECONDS = 300;
const HANG_SECONDS_MAX = 3600;

/**
 * Reads the command line of `deno task test:vm`. A value follows its flag after `=` or as the next
 * argument.
 *
 * @outcome `bad_argument` With a sentence that names the argument and what is taken instead.
 */
export function parseArguments(
  argv: readonly string[],
): Result<VmRequest, { readonly code: "bad_argument"; readonly text: string }> {
  const values = new Map<string, string[]>();
  for (const name of ["--arch", "--list", "--with", "--filter", "--hang-seconds"]) {
    values.set(name, []);
  }
  const paths: string[] = [];
  const rest = argv.slice();
  let refresh = false;
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (!argument.startsWith("-")) {
      paths.push(argument);
      continue;
    }
    if (argument === "--refresh") {
      refresh = true;
      continue;
    }
    const [name = "", ...inline] = argument.split("=");
    const known = values.get(name);
    if (known === undefined) return bad(`Unknown argument "${argument}": ${USAGE}`);
    const value = inline.length > 0 ? inline.join("=") : rest.shift() ?? "";
    if (value === "") return bad(`Argument "${name}" needs a value: write ${name}=VALUE`);
    known.push(value);
  }
  const last = (name: string) => values.get(name)?.at(-1);
  const architecture = ARCHITECTURES.find((name) => name === (last("--arch") ?? "amd64"));
  if (architecture === undefined) {
    return bad(`Argument "--arch" is "${last("--arch")}": give ${ARCHITECTURES.join(" or ")}`);
  }
  const hangText = last("--hang-seconds") ?? String(HANG_SECONDS);
  const hangSeconds = /^\d{1,4}$/.test(hangText) ? Number(hangText) : 0;
  if (hangSeconds < 1 || hangSeconds > HANG_SECONDS_MAX) {
    return bad(`Argument "--hang-seconds" is "${hangText}": give 1 to ${HANG_SECONDS_MAX}`);
  }
  return ok({
    architecture,
    lists: values.get("--list") ?? [],
    paths,
    extras: values.get("--with") ?? [],
    filter: last("--filter"),
    hangSeconds,
    refresh,
  });
}

function bad(
  text: string,
): Result<never, { readonly code: "bad_argument"; readonly text: string }> {
  return err({ code: "bad_argument", text });
}

/** The paths in the text of a list: one a line; empty lines and what follows `#` do not count. */
export function pathsOfList(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/#.*/, "").trim()).filter((line) =>
    line !== ""
  );
}
