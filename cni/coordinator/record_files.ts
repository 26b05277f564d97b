/** The files that records are kept in, made of what `Deno` has. */
import { fileLocks } from "../../src/cni/node_lock.ts";

/** The file system, as records need it. All of it throws what the system says. */
export interface RecordFiles {
  /** `undefined` if there is none. */
  read(path: string): string | undefined;
  /** Replaces a file: it has all of the text or what it had, also if the machine stops. */
  write(file: { readonly path: string; readonly text: string }): void;
  /** Names in a folder, which is given with its slash; none if it is missing. */
  list(folder: string): readonly string[];
  /** Succeeds if there is nothing. */
  remove(path: string): void;
  /** Locks a file, made with its folder if it is missing. @returns `undefined`: another has it. */
  tryLock(path: string): Disposable | undefined;
}

/** An open file of the system. */
interface OpenFile {
  writeSync(bytes: Uint8Array): number;
  syncSync(): void;
  tryLockSync(exclusive: true): boolean;
  close(): void;
}

/** The members of `Deno` that these files are made of. */
export interface RecordSystem {
  openSync(
    path: string,
    options: {
      readonly write: true;
      readonly create: true;
      readonly truncate: boolean;
      readonly mode: number;
    },
  ): OpenFile;
  readTextFileSync(path: string): string;
  renameSync(from: string, to: string): void;
  readDirSync(path: string): Iterable<{ readonly name: string }>;
  removeSync(path: string): void;
  mkdirSync(path: string, options: { readonly recursive: boolean; readonly mode: number }): void;
}

/** Makes the files of records. @param system `Deno` itself, from an entry point. */
export function recordFiles(system: RecordSystem): RecordFiles {
  return {
    read: (path) => whereThere(() => system.readTextFileSync(path)),
    write: (file) => write(system, file),
    list: (folder) => {
      return whereThere(() => Array.from(system.readDirSync(folder), ({ name }) => name)) ?? [];
    },
    remove: (path) => {
      // A write that was killed has left its own.
      for (const one of [youngOf(path), path]) whereThere(() => system.removeSync(one));
    },
    tryLock: fileLocks(system),
  };
}

function write(
  system: RecordSystem,
  { path, text }: { readonly path: string; readonly text: string },
): void {
  const young = youngOf(path);
  const file = open(system, { path: young, truncate: true });
  try {
    const bytes = new TextEncoder().encode(text);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    file.syncSync();
  } finally {
    file.close();
  }
  system.renameSync(young, path);
}

/** Where a text is until all of it is written. */
function youngOf(path: string): string {
  const slash = path.lastIndexOf("/") + 1;
  return `${path.slice(0, slash)}.${path.slice(slash)}.new`;
}

function open(
  system: RecordSystem,
  { path, truncate }: { readonly path: string; readonly truncate: boolean },
): OpenFile {
  const options = { write: true, create: true, truncate, mode: 0o600 } as const;
  const file = whereThere(() => system.openSync(path, options));
  if (file !== undefined) return file;
  const folder = path.slice(0, path.lastIndexOf("/") + 1) || "./";
  system.mkdirSync(folder, { recursive: true, mode: 0o755 });
  return system.openSync(path, options);
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
