/** The image of the agent and the controller: every program, and the little of Linux they need. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import {
  BASE_FOLDERS,
  buildImage,
  ensureBusybox,
  libraryEntries,
  shellEntries,
} from "../cluster/image.ts";
import { VERSION } from "../../src/base/version.ts";
import type { TarEntry } from "../tar.ts";
import { RUNTIME_FOLDER } from "./launcher.ts";

/** Name of the image unless a registry gives it another. */
export const AGENT_IMAGE = `spiderpool.local/spiderpool-agent:${VERSION}`;
/** Where the programs are inside. */
const PROGRAM_FOLDER = "usr/lib/spiderpool";

/**
 * Builds the archive of the image from a folder of `deno task build`, of this machine's own
 * architecture: libraries are taken from here. Launchers are shell scripts, so there is a shell.
 *
 * @param folder `dist/<architecture>`, in either layout.
 * @param options.cache Folder for downloads.
 */
export async function buildAgentImage(
  folder: string,
  { cache }: { readonly cache: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const busybox = await ensureBusybox(cache);
  const deno = path.join(folder, RUNTIME_FOLDER, "deno");
  const program = existsSync(deno) ? deno : path.join(folder, "spiderpool-agent");
  return buildImage({
    reference: AGENT_IMAGE,
    entries: [
      ...BASE_FOLDERS,
      ...await shellEntries(busybox),
      // Tries the plugins on the node before it installs them.
      { kind: "symlink", path: "bin/chroot", target: "busybox" },
      ...await libraryEntries([busybox, program]),
      { kind: "folder", path: `${PROGRAM_FOLDER}/`, mode: 0o755 },
      ...await programEntries(folder),
    ],
    command: ["spiderpool-agent"],
    programs: `/${PROGRAM_FOLDER}`,
  });
}

/** All files of the build; names of one file stay names of one file. */
async function programEntries(folder: string): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = [];
  const placeOf = new Map<string, string>();
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name);
    const facts = await Deno.stat(file);
    const place = `${PROGRAM_FOLDER}/${name}`;
    const target = placeOf.get(`${facts.dev}:${facts.ino}`);
    if (facts.isDirectory) {
      entries.push({ kind: "folder", path: `${place}/`, mode: 0o755 });
      for (const inner of await namesIn(file)) {
        entries.push(await fileEntry(path.join(file, inner), `${place}/${inner}`));
      }
    } else if (target === undefined) {
      placeOf.set(`${facts.dev}:${facts.ino}`, place);
      entries.push(await fileEntry(file, place));
    } else entries.push({ kind: "hardlink", path: place, target });
  }
  return entries;
}

async function fileEntry(file: string, place: string): Promise<TarEntry> {
  const { mode } = await Deno.stat(file);
  const bytes = await Deno.readFile(file);
  return { kind: "file", path: place, mode: (mode ?? 0o644) & 0o777, bytes };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
}
