/** The file system that a plugin's log is in, made of what `Deno` has. */
import type { AppendFile, FileAt, LogFiles } from "./log_file.ts";

/** An open file of the system. */
export interface SystemFile {
  statSync(): { readonly ino: number | null; readonly size: number };
  writeSync(bytes: Uint8Array): number;
  tryLockSync(exclusive: true): boolean;
  close(): void;
}

/** The members of `Deno` that files are made of. All throw what the system says. */
export interface FileSystem {
  openSync(
    path: string,
    options: { readonly append: boolean; readonly create: boolean; readonly mode: number },
  ): SystemFile;
  statSync(path: string): { readonly ino: number | null; readonly isFile: boolean };
  renameSync(from: string, to: string): void;
  readDirSync(path: string): Iterable<{ readonly name: string }>;
  removeSync(path: string): void;
  mkdirSync(path: string, options: { readonly recursive: boolean; readonly mode: number }): void;
}

/** Makes the files of a log. @param system `Deno` itself, from an entry point. */
export function systemFiles(system: FileSystem): LogFiles {
  return {
    at: (path) => whereThere(() => fileAt(system.statSync(path))),
    openAppend: (path) => openAppend(system, path),
    rename: (from, to) => system.renameSync(from, to),
    list: (folder) => Array.from(system.readDirSync(folder), ({ name }) => name),
    remove: (path) => whereThere(() => system.removeSync(path)),
  };
}

function fileAt({ ino, isFile }: ReturnType<FileSystem["statSync"]>): FileAt {
  return { inode: ino ?? 0, isFile };
}

function openAppend(system: FileSystem, path: string): AppendFile {
  const options = { append: true, create: true, mode: 0o600 };
  const file = whereThere(() => system.openSync(path, options));
  if (file !== undefined) return appendFileOf(file);
  const folder = path.slice(0, path.lastIndexOf("/") + 1) || "./";
  system.mkdirSync(folder, { recursive: true, mode: 0o755 });
  return appendFileOf(system.openSync(path, options));
}

function appendFileOf(file: SystemFile): AppendFile {
  return {
    status: () => {
      const { ino, size } = file.statSync();
      return { inode: ino ?? 0, bytes: size };
    },
    append: (text) => {
      const bytes = new TextEncoder().encode(text);
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    },
    tryLock: () => file.tryLockSync(true),
    [Symbol.dispose]: () => file.close(),
  };
}

/** What a step gives, or `undefined` where what it is about is not there. */
function whereThere<T>(step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    if (error instanceof Error && error.name === "NotFound") return undefined;
    throw error;
  }
}
