/**
 * Builds all programs into `dist/<architecture>`:
 *
 *   build.ts [--arch amd64|arm64|all] [--out FOLDER]
 *
 * Says in one line which layout it made. Exits with 2 for a bad argument, having changed nothing.
 */
import * as path from "node:path";
import { errorText } from "../src/base/log.ts";
import { parseArguments } from "./build/arguments.ts";
import { ownArchitecture } from "./build/deno_binary.ts";
import { buildArchitecture, type Layout } from "./build/layout.ts";
import { cacheFolder } from "./cluster/components.ts";

const SAID: Readonly<Record<Layout, string>> = {
  compiled: "one executable, compiled with deno compile",
  launchers: "launchers with a deno and a bundle, as the runtime of deno compile is not to be had",
};

async function main(argv: readonly string[]): Promise<number> {
  const request = parseArguments(argv, { own: ownArchitecture() });
  if (!request.ok) {
    print(Deno.stderr, request.error.text);
    return 2;
  }
  for (const architecture of request.value.architectures) {
    const folder = path.join(request.value.out, architecture);
    const layout = await buildArchitecture(path.resolve(folder), {
      architecture,
      ports: {
        cache: cacheFolder(Deno.env),
        fetch,
        readEnvironment: (name) => Deno.env.get(name),
        say: (text) => print(Deno.stderr, text),
      },
    });
    print(Deno.stdout, `${folder}: ${SAID[layout]}`);
  }
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
