/** Folder of a path; empty at the top. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path that `./x` or `../x` means in a file of `folder`; `..` above the top stays. */
export function resolvePath(
  relative: string,
  { folder }: { readonly folder: string },
): string {
  const parts = folder === "" ? [] : folder.split("/");
  for (const part of relative.split("/")) {
    if (part === "." || part === "") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** A test, property test, kernel test or benchmark: by its name, or by being under `tests/`. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || /_(?:test|bench)\.ts$/.test(path);
}
