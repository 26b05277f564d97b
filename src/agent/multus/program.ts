/** `spiderpool-agent keep-multus`: what it is told, and what it says. */
import { MULTUS_VARIABLES, readMultusEnvironment } from "../../api/environment_agent.ts";
import type { Clock } from "../../base/clock.ts";
import { jsonLog } from "../../base/log.ts";
import type { ProgramPorts } from "../../base/program.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { TellPod } from "../../daemon/last_word.ts";
import { notUnderstood, readNamedValues } from "../../daemon/named_values.ts";
import { valuesOf } from "../../daemon/settings_file.ts";
import { keepMultus, type MultusFiles, type MultusWish } from "./keeper.ts";

/** What may be said, each once. */
export const KEEP_MULTUS_USAGE = "keep-multus --conf-dir DIR --bin-dir DIR --ready-file FILE";

/** What the command needs of the world. */
export interface KeepMultusPorts
  extends Pick<ProgramPorts, "readEnvironment" | "writeOutput" | "writeError"> {
  readonly files: MultusFiles;
  readonly clock: Clock;
  /** Aborts when the program is told to stop. */
  readonly stop: AbortSignal;
  readonly tellPod: TellPod;
}

/** Runs until it is told to stop, and gives the exit code. */
export async function runKeepMultus(
  args: readonly string[],
  ports: KeepMultusPorts,
): Promise<number> {
  const { readEnvironment, writeError, clock, stop } = ports;
  const places = readMultusArguments(args);
  if (!places.ok) {
    writeError(`${places.error}\n`);
    return 2;
  }
  const wish = readMultusWish(places.value, readEnvironment);
  const tell = (note: string): Promise<void> => {
    return ports.tellPod(note, { reason: "MultusNotConfigured" });
  };
  if (!wish.ok) {
    writeError(`${wish.error}\n`);
    await tell(wish.error);
    return 1;
  }
  const log = jsonLog(ports.writeOutput, { clock, level: "info" });
  try {
    return await keepMultus(wish.value, { ports: { ...ports, log, tell }, signal: stop });
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    log.info("Multus stays configured");
    return 0;
  }
}

type Places = Pick<MultusWish, "confFolder" | "binFolder" | "readyFile">;

function readMultusArguments(args: readonly string[]): Result<Places, string> {
  const names = ["--conf-dir", "--bin-dir", "--ready-file"];
  const [confFolder, binFolder, readyFile] = readNamedValues(args, { names }) ?? [];
  if (confFolder !== undefined && binFolder !== undefined && readyFile !== undefined) {
    return ok({ confFolder, binFolder, readyFile });
  }
  return err(notUnderstood("spiderpool-agent keep-multus", { args, usage: KEEP_MULTUS_USAGE }));
}

/** Reads the environment of the pod. */
function readMultusWish(
  places: Places,
  readEnvironment: ProgramPorts["readEnvironment"],
): Result<MultusWish, string> {
  const environment = readMultusEnvironment(valuesOf(MULTUS_VARIABLES, readEnvironment));
  if (!environment.ok) return environment;
  const host = readEnvironment("KUBERNETES_SERVICE_HOST") ?? "";
  const port = readEnvironment("KUBERNETES_SERVICE_PORT") ?? "";
  if (host !== "" && port !== "") return ok({ ...places, ...environment.value, host, port });
  return err(
    "Cannot keep Multus configured: KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not " +
      "set; run it in a pod, where both are",
  );
}
