import { existsSync } from "node:fs";
import * as path from "node:path";
import { hasProgram, runOrThrow } from "../cluster/process.ts";
import type { Architecture } from "./arguments.ts";

/** What an architecture is called by Deno itself, and the npm package with its binary. */
const NAMES = {
  amd64: { cpu: "x86_64", package: "@deno/linux-x64-glibc" },
  arm64: { cpu: "aarch64", package: "@deno/linux-arm64-glibc" },
} as const;

/** Rust's name of an architecture, as `deno compile --target` takes it. */
export function targetOf(architecture: Architecture): string {
  return `${NAMES[architecture].cpu}-unknown-linux-gnu`;
}

/** The architecture of this machine. */
export function ownArchitecture(): Architecture {
  return Deno.build.arch === NAMES.arm64.cpu ? "arm64" : "amd64";
}

/**
 * Gives the path of a `deno` for an architecture, of the version that runs this: this one itself,
 * or the one of the npm package, fetched once into the cache.
 *
 * @throws {Error} With one sentence, if npm is missing or does not have it.
 */
export async function findDeno(
  architecture: Architecture,
  { cache }: { readonly cache: string },
): Promise<string> {
  if (architecture === ownArchitecture()) return Deno.execPath();
  const wanted = `${NAMES[architecture].package}@${Deno.version.deno}`;
  const place = path.join(cache, `deno-${Deno.version.deno}-${architecture}`);
  if (existsSync(place)) return path.join(place, "package", "deno");
  if (!await hasProgram("npm")) {
    throw new Error(`Cannot fetch Deno for ${architecture}: "npm" is missing, install it`);
  }
  await Deno.mkdir(cache, { recursive: true });
  const work = await Deno.makeTempDir({ dir: cache, prefix: "deno-" });
  try {
    const printed = await runOrThrow(
      ["npm", "pack", "--loglevel=error", "--pack-destination", work, wanted],
    ).catch((cause) => {
      throw new Error(`Cannot fetch Deno for ${architecture}: npm does not give "${wanted}"`, {
        cause,
      });
    });
    const archive = path.join(work, printed.trim().split("\n").at(-1) ?? "");
    await runOrThrow(["tar", "-xzf", archive, "-C", work]);
    await Deno.remove(archive);
    await Deno.rename(work, place);
  } finally {
    if (existsSync(work)) await Deno.remove(work, { recursive: true });
  }
  return path.join(place, "package", "deno");
}
