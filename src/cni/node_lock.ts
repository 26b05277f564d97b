/** The lock that one plugin of a kind at a time holds on a node. */
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/** What locking needs of the world. */
export interface LockPorts {
  /** Locks a file, made with its folder if it is missing. @returns `undefined`: another has it. */
  readonly tryLock: (path: string) => Disposable | undefined;
  readonly clock: Clock;
}

/** The members of `Deno` that locks are made of. */
export interface LockSystem {
  openSync(
    path: string,
    options: { readonly write: true; readonly create: true; readonly mode: number },
  ): { tryLockSync(exclusive: true): boolean; close(): void };
  mkdirSync(path: string, options: { readonly recursive: boolean; readonly mode: number }): void;
}

/** Milliseconds that a plugin waits for the others of the node. */
const LOCK_MS_MAX = 60_000;
/** Milliseconds between two tries: they double from the first to the second. */
const LOCK_GAP_MS = { leastMs: 5, mostMs: 100 };
/** A lock is waited for until its own end. */
const NEVER = new AbortController().signal;

/** Locks files of the machine. @param system `Deno` itself, from an entry point. */
export function fileLocks(system: LockSystem): LockPorts["tryLock"] {
  return (path) => {
    const file = open(system, path);
    if (file.tryLockSync(true)) return { [Symbol.dispose]: () => file.close() };
    file.close();
    return undefined;
  };
}

function open(system: LockSystem, path: string): ReturnType<LockSystem["openSync"]> {
  const options = { write: true, create: true, mode: 0o600 } as const;
  try {
    return system.openSync(path, options);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "NotFound") throw error;
  }
  const folder = path.slice(0, path.lastIndexOf("/") + 1) || "./";
  system.mkdirSync(folder, { recursive: true, mode: 0o755 });
  return system.openSync(path, options);
}

/**
 * Waits for the lock.
 *
 * @param options.plugin Name of the plugin, for messages.
 * @returns The lock, or why there is none, as one sentence.
 */
export async function lockNode(
  path: string,
  { ports: { tryLock, clock }, plugin }: { readonly ports: LockPorts; readonly plugin: string },
): Promise<Result<Disposable, string>> {
  const endMs = clock.monotonicMs() + LOCK_MS_MAX;
  try {
    for (let gapMs = LOCK_GAP_MS.leastMs;; gapMs = Math.min(2 * gapMs, LOCK_GAP_MS.mostMs)) {
      const lock = tryLock(path);
      if (lock !== undefined) return ok(lock);
      if (clock.monotonicMs() >= endMs) {
        return err(
          `Cannot lock "${path}": another ${plugin} has held it for ${LOCK_MS_MAX} ms; look for ` +
            `a process "${plugin}" that hangs, and end it`,
        );
      }
      await clock.sleep(gapMs, { signal: NEVER });
    }
  } catch (error) {
    return err(`Cannot lock "${path}": ${errorText(error)}; see that this folder can be written`);
  }
}
