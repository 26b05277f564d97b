import { err, ok, type Result } from "../../src/base/result.ts";
import { type Architecture, ARCHITECTURES } from "./arguments.ts";

/** What `deno task image` is asked for. */
export interface ImageRequest {
  readonly architectures: readonly Architecture[];
  /** Which image: our programs, or third parties' plugins. */
  readonly image: "agent" | "plugins";
  /** File of the archive; absent: a release in `dist`. */
  readonly out: string | undefined;
}

const PLUGINS = "--plugins";
const USE = "use --plugins, --arch amd64|arm64|all or --out FILE.tar";

/**
 * Reads `[--plugins] [--arch amd64|arm64|all] [--out FILE.tar]`.
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
  const image = args.includes(PLUGINS) ? "plugins" : "agent";
  const rest = args.filter((one) => one !== PLUGINS);
  for (let index = 0; index < rest.length; index += 2) {
    const [name, value] = rest.slice(index, index + 2);
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
  return ok({ image, architectures, out });
}
