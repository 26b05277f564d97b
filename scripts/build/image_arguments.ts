import { err, ok, type Result } from "../../src/base/result.ts";
import { type Architecture, ARCHITECTURES } from "./arguments.ts";

/** What `deno task image` is asked for. */
export interface ImageRequest {
  readonly architectures: readonly Architecture[];
  /** File of the archive; absent: a release in `dist`. */
  readonly out: string | undefined;
}

const USE = "use --arch amd64|arm64|all or --out FILE.tar";

/**
 * Reads `[--arch amd64|arm64|all] [--out FILE.tar]`.
 *
 * @param own Architecture taken when none is named.
 * @returns Or one sentence that names the argument and what is taken instead.
 */
export function readImageArguments(
  args: readonly string[],
  { own }: { readonly own: Architecture },
): Result<ImageRequest, string> {
  let architectures: readonly Architecture[] = [own];
  let out: string | undefined;
  for (let index = 0; index < args.length; index += 2) {
    const [name, value] = args.slice(index, index + 2);
    if (name !== "--arch" && name !== "--out") return err(`Unknown argument "${name}": ${USE}`);
    if (value === undefined || value === "") {
      return err(`Argument "${name}" has no value: ${USE}`);
    }
    if (name === "--out") out = value;
    else if (value === "all") architectures = ARCHITECTURES;
    else {
      const named = ARCHITECTURES.find((one) => one === value);
      if (named === undefined) return err(`Unknown architecture "${value}" of --arch: ${USE}`);
      architectures = [named];
    }
  }
  return ok({ architectures, out });
}
