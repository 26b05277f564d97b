import type { Architecture } from "./arguments.ts";
import { VmError } from "./failure.ts";
import { hasProgram, isThere, REMEDY, run, runFor } from "./process.ts";

/** A Deno binary and what it is. */
export interface DenoBinary {
  readonly path: string;
  readonly version: string;
}

/**
 * Gives a Deno binary for an architecture: the one that runs this program, or else the one of the
 * same version that npm has. A registry that lags behind may lack that version: then the newest
 * one of the same minor is taken, and it is said.
 *
 * @param folder Folder of the cache for this architecture.
 * @throws {VmError} If npm is missing, or has no such binary.
 */
export async function fetchDeno(
  folder: string,
  { architecture, say }: {
    readonly architecture: Architecture;
    readonly say: (text: string) => void;
  },
): Promise<DenoBinary> {
  const own = Deno.version.deno;
  const { cpu, package: name } = NAMES[architecture];
  if (Deno.build.arch === cpu) return { path: Deno.execPath(), version: own };
  const place = `${folder}/deno-for-${own}`;
  if (!isThere(place)) {
    if (!hasProgram("npm")) {
      throw new VmError(`Cannot fetch Deno for ${architecture}: npm is missing, ${REMEDY}`, {
        exitCode: 2,
      });
    }
    say(`fetching Deno for ${architecture}, once`);
    await Deno.mkdir(folder, { recursive: true });
    const work = await Deno.makeTempDir({ dir: folder, prefix: "deno-" });
    try {
      const archive = await pack(name, work);
      await runFor(["tar", "-xzf", archive, "-C", work], { purpose: `unpack ${name}` });
      await Deno.remove(archive);
      await Deno.rename(work, place);
    } finally {
      if (isThere(work)) await Deno.remove(work, { recursive: true });
    }
  }
  const { version } = JSON.parse(await Deno.readTextFile(`${place}/package/package.json`));
  if (version !== own) say(`npm has no Deno ${own} for ${architecture}: this is ${version}`);
  return { path: `${place}/package/deno`, version };
}

/** What an architecture is called by Deno itself, and the package with its binary. */
const NAMES = {
  amd64: { cpu: "x86_64", package: "@deno/linux-x64-glibc" },
  arm64: { cpu: "aarch64", package: "@deno/linux-arm64-glibc" },
} as const;

/** Downloads the package into a folder. Gives the path of the archive. */
async function pack(name: string, folder: string): Promise<string> {
  const own = Deno.version.deno;
  const command = ["npm", "pack", "--loglevel=error", "--pack-destination", folder];
  const exact = await run([...command, `${name}@${own}`]);
  const printed = exact.code === 0
    ? exact.stdout
    : await runFor([...command, `${name}@~${own}`.replace(/\.\d+$/, ".0")], {
      purpose: `fetch ${name}`,
    });
  return `${folder}/${printed.trim().split("\n").at(-1)}`;
}
