/** The little of Linux that programs in an image need: a shell, the C library, its loader. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { BASE_FOLDERS, ensureBusybox, libraryEntries, shellEntries } from "../cluster/image.ts";
import type { TarEntry } from "../tar.ts";
import { lacks, librariesIn } from "../vm/libraries.ts";
import { fetchTree, withDependencies } from "../vm/packages.ts";
import { hasProgram } from "../vm/process.ts";
import type { Architecture } from "./arguments.ts";
import { ownArchitecture } from "./deno_binary.ts";
import { debianPart, type Part } from "./sbom.ts";

const PACKAGES = ["busybox", "libc6", "libgcc-s1"] as const;
const BUSYBOX = ["bin/busybox", "usr/bin/busybox"] as const;

/** Files of a system, and whose they are. */
export interface SystemFiles {
  readonly entries: readonly TarEntry[];
  readonly parts: readonly Part[];
}

/**
 * Takes them out of Debian's packages of an architecture, with their licences; where there is no
 * apt-get, off this machine, for its own architecture and without saying whose they are.
 *
 * @param programs Programs beside the shell whose libraries are wanted.
 * @param options.cache Folder for downloads.
 * @throws {Error} With one sentence, if they are not to be had.
 */
export async function systemFiles(
  programs: readonly string[],
  { architecture, cache, say }: {
    readonly architecture: Architecture;
    readonly cache: string;
    readonly say: (text: string) => void;
  },
): Promise<SystemFiles> {
  if (!hasProgram("apt-get") && architecture === ownArchitecture()) {
    const busybox = await ensureBusybox(cache);
    const libraries = await libraryEntries([busybox, ...programs]);
    return { entries: [...BASE_FOLDERS, ...await shellEntries(busybox), ...libraries], parts: [] };
  }
  const folder = path.join(cache, "image-system");
  await Deno.mkdir(folder, { recursive: true });
  // Closing it lets go: two that begin without packages would take away each other's.
  using lock = await Deno.open(path.join(folder, ".lock"), { create: true, write: true });
  await lock.lock(true);
  const { root, packages } = await fetchTree({
    place: path.join(folder, architecture),
    what: `Debian's C library and shell for ${architecture}`,
    asked: PACKAGES,
    choose: (apt) => withDependencies(PACKAGES, apt),
  }, { architecture, refresh: false, say });
  const busybox = BUSYBOX.find((place) => existsSync(path.join(root, place)));
  if (busybox === undefined) throw lacks(BUSYBOX[0]);
  const shell = path.join(root, busybox);
  const files = await Promise.all([shell, ...programs].map((file) => Deno.readFile(file)));
  const libraries = await librariesIn(root, files);
  const entries: TarEntry[] = [
    ...BASE_FOLDERS,
    ...await shellEntries(shell),
    ...[...libraries].toSorted(([a], [b]) => a < b ? -1 : 1)
      .map(([place, bytes]): TarEntry => ({ kind: "file", path: place, mode: 0o755, bytes })),
    ...await licencesIn(root),
  ];
  return { entries, parts: packages.map(debianPart) };
}

/** What packages say about the right to copy them. */
async function licencesIn(root: string): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = [];
  const folder = "usr/share/doc";
  const names = await Array.fromAsync(Deno.readDir(path.join(root, folder)), ({ name }) => name);
  for (const name of names.toSorted()) {
    const place = `${folder}/${name}/copyright`;
    const bytes = await Deno.readFile(path.join(root, place)).catch(() => undefined);
    if (bytes !== undefined) entries.push({ kind: "file", path: place, mode: 0o644, bytes });
  }
  return entries;
}
