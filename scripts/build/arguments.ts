import { err, ok, type Result } from "../../src/base/result.ts";

/** Architectures that programs are built for. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;
/** One of `ARCHITECTURES`. */
export type Architecture = typeof ARCHITECTURES[number];

/** What the command line asks for. */
export interface BuildRequest {
  readonly architectures: readonly Architecture[];
  /** Folder that gets one folder for each architecture. */
  readonly out: string;
}

/**
 * Reads `[--arch amd64|arm64|all] [--out FOLDER]`.
 *
 * @param own Architecture taken when none is named.
 * @outcome `bad_argument` With a sentence that names the argument and what is taken instead.
 */
export function parseArguments(
  argv: readonly string[],
  { own }: { readonly own: Architecture },
): Result<BuildRequest, { readonly code: "bad_argument"; readonly text: string }> {
  let architectures: readonly Architecture[] = [own];
  let out = "dist";
  for (let index = 0; index < argv.length; index += 2) {
    const name = argv[index];
    const value = argv[index + 1];
    if (name !== "--arch" && name !== "--out") {
      return bad(`Unknown argument "${name}": use --arch amd64|arm64|all or --out FOLDER`);
    }
    if (value === undefined || value === "") return bad(`Argument "${name}" has no value: add one`);
    if (name === "--out") out = value;
    else if (value === "all") architectures = ARCHITECTURES;
    else {
      const named = ARCHITECTURES.find((one) => one === value);
      if (named === undefined) {
        return bad(`Unknown architecture "${value}" of --arch: use amd64, arm64 or all`);
      }
      architectures = [named];
    }
  }
  return ok({ architectures, out });
}

function bad(
  text: string,
): Result<never, { readonly code: "bad_argument"; readonly text: string }> {
  return err({ code: "bad_argument", text });
}
