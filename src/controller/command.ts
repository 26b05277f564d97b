/** Commands that work on the whole cluster and end: how they begin, and what they say. */
import {
  CLEAN_VARIABLES,
  type CleanEnvironment,
  readCleanEnvironment,
} from "../api/environment_init.ts";
import type { Clock } from "../base/clock.ts";
import { errorText, jsonLog, type Log } from "../base/log.ts";
import type { ObjectStore } from "../base/object_store.ts";
import type { ProgramPorts } from "../base/program.ts";
import type { Result } from "../base/result.ts";
import type { TellPod } from "../daemon/last_word.ts";
import { valuesOf } from "../daemon/settings_file.ts";

/** What a command needs of the world. */
export interface CommandPorts extends Pick<ProgramPorts, "readEnvironment" | "writeError"> {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly writeLog: (line: string) => void;
  readonly tellPod: TellPod;
  /** Finds the cluster, without asking it anything. The refusal is one sentence. */
  readonly openStore: () => Promise<Result<Disposable & { readonly store: ObjectStore }, string>>;
}

/** What a command works with. */
export interface CommandWork {
  readonly environment: CleanEnvironment;
  readonly ports: { readonly store: ObjectStore; readonly clock: Clock; readonly log: Log };
  readonly signal: AbortSignal;
}

/**
 * Reads the environment, finds the cluster and does the work.
 *
 * @param command.reason Of the Events that tell what hindered it.
 * @param command.act Gives what hindered it, a sentence each; nothing: it is done.
 * @returns The exit code.
 */
export async function runCommand(
  ports: CommandPorts,
  { reason, act }: {
    readonly reason: string;
    readonly act: (work: CommandWork) => Promise<readonly string[]>;
  },
): Promise<number> {
  const { readEnvironment, writeError, writeLog, tellPod, clock, stop } = ports;
  const environment = readCleanEnvironment(valuesOf(CLEAN_VARIABLES, readEnvironment));
  const cluster = environment.ok ? await ports.openStore() : environment;
  if (!environment.ok || !cluster.ok) {
    writeError(`${cluster.ok ? "" : cluster.error}\n`);
    return 1;
  }
  using opened = cluster.value;
  const log = jsonLog(writeLog, { clock, level: "info" });
  try {
    const failures = await act({
      environment: environment.value,
      ports: { store: opened.store, clock, log },
      signal: stop,
    });
    for (const failure of failures) {
      writeError(`${failure}\n`);
      await tellPod(failure, { reason });
    }
    return failures.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    writeError(`${errorText(error)}\n`);
    return 1;
  }
}
