/** Which shared libraries programs need, out of a tree of unpacked packages. */
import { interpreterOf, neededLibraries } from "./elf.ts";
import { VmError } from "./failure.ts";
import { isThere } from "./process.ts";

/**
 * Finds the libraries and loaders that programs need, and what those need.
 *
 * @param root Folder of the tree, of the programs' architecture.
 * @returns Bytes by path in the tree, without a slash at its start.
 * @throws {VmError} If the tree lacks one.
 */
export async function librariesIn(
  root: string,
  programs: readonly Uint8Array[],
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const files = [...programs];
  const seen = new Set<string>();
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let file = files.pop(); file !== undefined; file = files.pop()) {
    const loader = interpreterOf(file)?.replace(/^\//, "");
    const needs = neededLibraries(file).map((name) => ({ name, place: libraryPlace(root, name) }));
    if (loader !== undefined) needs.push({ name: loader, place: loader });
    for (const { name, place } of needs) {
      if (seen.has(name)) continue;
      seen.add(name);
      const there = place === undefined ? undefined : await insideOf(root, place);
      if (place === undefined || there === undefined) throw lacks(name);
      const bytes = await Deno.readFile(there);
      found.set(place, bytes);
      files.push(bytes);
    }
  }
  return found;
}

/** That the packages do not hold a file. */
export function lacks(path: string): VmError {
  return new VmError(`Debian's packages hold no "${path}": the rig must learn where it went`, {
    exitCode: 1,
  });
}

/** Where a file of the tree is: a link that names a whole path means the tree, not this machine. */
async function insideOf(root: string, place: string): Promise<string | undefined> {
  const path = `${root}/${place}`;
  const { isSymlink } = await Deno.lstat(path).catch(() => ({ isSymlink: false }));
  const target = isSymlink ? await Deno.readLink(path) : "";
  const there = target.startsWith("/") ? `${root}${target}` : path;
  return isThere(there) ? there : undefined;
}

function libraryPlace(root: string, name: string): string | undefined {
  for (const folder of ["lib", "usr/lib"]) {
    if (!isThere(`${root}/${folder}`)) continue;
    for (const { name: triplet } of Deno.readDirSync(`${root}/${folder}`)) {
      const isPlace = /-linux-gnu$/.test(triplet) &&
        isThere(`${root}/${folder}/${triplet}/${name}`);
      if (isPlace) return `${folder}/${triplet}/${name}`;
    }
  }
  return undefined;
}
