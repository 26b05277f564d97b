/** Folders that hold no tests of ours. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([".git", "dist", "node_modules", "testdata"]);

/** Whether a file or directory of that name is there. */
export function isPresent(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Lists the test files below paths, sorted, each once. A path that is a file is taken whatever its
 * name; links to directories are not followed.
 *
 * @param paths Files and directories that exist.
 * @param options.match End of the file names to take, such as `_kernel_test.ts`.
 * @param options.except End of the file names to leave out.
 */
export function listTestFiles(
  paths: readonly string[],
  { match, except }: { readonly match: string; readonly except: string | undefined },
): string[] {
  const found = new Set<string>();
  const folders: string[] = [];
  for (const path of paths) {
    const plain = path === "/" ? path : path.replace(/\/+$/, "");
    if (Deno.statSync(plain).isDirectory) folders.push(plain);
    else found.add(plain);
  }
  while (true) {
    const folder = folders.pop();
    if (folder === undefined) break;
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory && !SKIPPED_FOLDERS.has(entry.name)) folders.push(path);
      const wanted = entry.name.endsWith(match) &&
        (except === undefined || !entry.name.endsWith(except));
      if (entry.isFile && wanted) found.add(path);
    }
  }
  return [...found].toSorted();
}
