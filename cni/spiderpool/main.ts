import { systemClock } from "../../src/base/clock.ts";
import type { ProgramPorts } from "../../src/base/program.ts";
import { runPlugin } from "../../src/cni/plugin.ts";
import type { PluginPorts } from "./commands.ts";
import type { AppendFile, FileAt, LogFiles } from "./log.ts";

/**
 * Runs the CNI plugin `spiderpool` once, and gives its exit code. Each command loads what it needs,
 * so that a plugin that is asked for its version loads nothing.
 */
export function run(ports: ProgramPorts): Promise<number> {
  if (Deno.build.standalone) {
    for (const name of NEVER_NEEDED) Deno.permissions.revokeSync({ name });
  }
  const real = realPorts(ports);
  return runPlugin("spiderpool", ports, {
    commands: {
      ADD: async (call) => (await import("./add.ts")).add(call, real),
      DEL: async (call) => (await import("./del.ts")).del(call, real),
      CHECK: async (call) => (await import("./check.ts")).check(call, real),
      STATUS: async (call) => (await import("./status.ts")).status(call, real),
      GC: async (call) => (await import("./gc.ts")).gc(call, real),
    },
  });
}

/** Rights of the one executable of all programs that this one gives up as it starts. */
const NEVER_NEEDED = ["run", "ffi", "sys"] as const;

function realPorts({ writeError }: ProgramPorts): PluginPorts {
  return {
    connect: (path) => Deno.connect({ transport: "unix", path }),
    // Not Clock.sleep(): the first timer of setTimeout() costs as much as half a start.
    deadline: (timeoutMs) => AbortSignal.timeout(timeoutMs),
    endConnecting: () => {
      Deno.permissions.revokeSync({ name: "net" });
    },
    clock: systemClock(),
    files: FILES,
    writeError,
  };
}

/** The file system of the machine. */
export const FILES: LogFiles = {
  at: (path) => whereThere(() => fileAt(path)),
  openAppend,
  rename: (from, to) => Deno.renameSync(from, to),
  list: (folder) => Array.from(Deno.readDirSync(folder), ({ name }) => name),
  remove: (path) => whereThere(() => Deno.removeSync(path)),
};

function fileAt(path: string): FileAt {
  const { ino, isFile } = Deno.statSync(path);
  return { inode: ino ?? 0, isFile };
}

function openAppend(path: string): AppendFile {
  const options = { append: true, create: true, mode: 0o600 } as const;
  const file = whereThere(() => Deno.openSync(path, options));
  if (file !== undefined) return appendFileOf(file);
  const folder = path.slice(0, path.lastIndexOf("/") + 1) || "./";
  Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
  return appendFileOf(Deno.openSync(path, options));
}

function appendFileOf(file: Deno.FsFile): AppendFile {
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
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
