/** `spiderpool-controller clean`: what it is told, and what it says. */
import { CLEAN_VARIABLES, readCleanEnvironment } from "../../api/environment_init.ts";
import type { Clock } from "../../base/clock.ts";
import { errorText, jsonLog } from "../../base/log.ts";
import type { ObjectStore } from "../../base/object_store.ts";
import type { ProgramPorts } from "../../base/program.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { TellPod } from "../../daemon/last_word.ts";
import { valuesOf } from "../../daemon/settings_file.ts";
import { clean } from "./cleaner.ts";

/** What may be said, each as `--name VALUE` or `--name=VALUE`. */
export const CLEAN_USAGE = "clean --validate NAME --mutating NAME";

/** What the command needs of the world. */
export interface CleanProgramPorts extends Pick<ProgramPorts, "readEnvironment" | "writeError"> {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly writeLog: (line: string) => void;
  readonly tellPod: TellPod;
  /** Finds the cluster, without asking it anything. The refusal is one sentence. */
  readonly openStore: () => Promise<Result<Disposable & { readonly store: ObjectStore }, string>>;
}

/** Removes all that is Spiderpool's, and gives the exit code. */
export async function runClean(
  args: readonly string[],
  ports: CleanProgramPorts,
): Promise<number> {
  const { readEnvironment, writeError, writeLog, tellPod, clock, stop } = ports;
  const names = readCleanArguments(args);
  if (!names.ok) {
    writeError(`${names.error}\n`);
    return 2;
  }
  const environment = readCleanEnvironment(valuesOf(CLEAN_VARIABLES, readEnvironment));
  const cluster = environment.ok ? await ports.openStore() : environment;
  if (!environment.ok || !cluster.ok) {
    writeError(`${cluster.ok ? "" : cluster.error}\n`);
    return 1;
  }
  using opened = cluster.value;
  const log = jsonLog(writeLog, { clock, level: "info" });
  try {
    const failures = await clean({ ...environment.value, ...names.value }, {
      ports: { store: opened.store, clock, log },
      signal: stop,
    });
    for (const failure of failures) {
      writeError(`${failure}\n`);
      await tellPod(failure, { reason: "NotRemoved" });
    }
    if (failures.length === 0) log.info("nothing of Spiderpool is left in the API server");
    return failures.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    writeError(`${errorText(error)}\n`);
    return 1;
  }
}

/** Reads the names of the webhook configurations. */
export function readCleanArguments(
  args: readonly string[],
): Result<{ readonly validatingName: string; readonly mutatingName: string }, string> {
  const given = args.map((one) => `"${one}"`).join(" ");
  const words = args.flatMap((one) => {
    const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(one) ?? [];
    return name === undefined || value === undefined ? [one] : [name, value];
  });
  const values = new Map<string, string>();
  for (let index = 0; index < words.length; index += 2) {
    values.set(words[index] ?? "", words[index + 1] ?? "");
  }
  const validatingName = values.get("--validate") ?? "";
  const mutatingName = values.get("--mutating") ?? "";
  if (words.length === 4 && validatingName !== "" && mutatingName !== "") {
    return ok({ validatingName, mutatingName });
  }
  return err(`Cannot run spiderpool-controller clean with ${given}: use ${CLEAN_USAGE}`);
}
