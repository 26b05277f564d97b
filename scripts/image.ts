/**
 * Builds the programs and the image that `manifests/deploy` runs, without Docker:
 *
 *   image.ts [--out FILE.tar]
 *
 * The archive is of this machine's architecture; `docker load`, `ctr images import`, `kind load
 * image-archive` and `deno task cluster load` take it. Exits with 2 for a bad argument.
 */
import * as path from "node:path";
import { errorText } from "../src/base/log.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { AGENT_IMAGE, buildAgentImage } from "./build/agent_image.ts";
import { ownArchitecture } from "./build/deno_binary.ts";
import { buildArchitecture } from "./build/layout.ts";
import { cacheFolder } from "./cluster/components.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "..");

/** Reads `[--out FILE.tar]`; the default is `dist/spiderpool-agent-<architecture>.tar`. */
export function readImageArguments(args: readonly string[]): Result<string, string> {
  const [name, file, stray] = args;
  if (name === undefined) {
    return ok(path.join(ROOT, "dist", `spiderpool-agent-${ownArchitecture()}.tar`));
  }
  if (name !== "--out") return err(`Unknown argument "${name}": use --out FILE.tar`);
  if (file === undefined || file === "") return err('Argument "--out" has no value: add a file');
  return stray === undefined ? ok(file) : err(`Unknown argument "${stray}": use --out FILE.tar`);
}

/**
 * Builds the programs of this machine's architecture into `dist`, and the image into a file, which
 * appears whole.
 */
export async function writeAgentImage(
  file: string,
  { say }: { readonly say: (text: string) => void },
): Promise<void> {
  const architecture = ownArchitecture();
  const cache = cacheFolder(Deno.env);
  const folder = path.join(ROOT, "dist", architecture);
  await buildArchitecture(folder, {
    architecture,
    ports: { cache, fetch, readEnvironment: (name) => Deno.env.get(name), say },
  });
  const part = `${file}.part-${Deno.pid}`;
  await Deno.mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await Deno.writeFile(part, await buildAgentImage(folder, { cache }));
  await Deno.rename(part, file);
}

async function main(args: readonly string[]): Promise<number> {
  const file = readImageArguments(args);
  if (!file.ok) {
    print(Deno.stderr, file.error);
    return 2;
  }
  await writeAgentImage(file.value, { say: (text) => print(Deno.stderr, text) });
  print(Deno.stdout, `${file.value}: image ${AGENT_IMAGE}`);
  return 0;
}

function print(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  to.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    print(Deno.stderr, errorText(error));
    Deno.exitCode = 1;
  }
}
