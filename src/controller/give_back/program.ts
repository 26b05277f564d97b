/** `spiderpool-controller give-back`: what it is told, and what it says. */
import { CLEAN_VARIABLES, readCleanEnvironment } from "../../api/environment_init.ts";
import { errorText, jsonLog } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import { err } from "../../base/result.ts";
import { valuesOf } from "../../daemon/settings_file.ts";
import type { CleanProgramPorts } from "../clean/program.ts";
import { giveBack } from "./giver.ts";

/** What may be said. */
export const GIVE_BACK_USAGE = "give-back";

/** Writes records back into the pools, and gives the exit code. */
export async function runGiveBack(
  args: readonly string[],
  ports: CleanProgramPorts,
): Promise<number> {
  const { readEnvironment, writeError, writeLog, tellPod, clock, stop } = ports;
  if (args.length > 0) {
    const given = args.map((one) => `"${one}"`).join(" ");
    writeError(`Cannot run spiderpool-controller give-back with ${given}: it takes nothing\n`);
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
  const work = { ports: { store: opened.store, clock, log }, signal: stop };
  try {
    const given = await giveBack(environment.value.namespace, work).catch((error: unknown) => {
      if (!(error instanceof StoreFailure)) throw error;
      return err(`Cannot give addresses back: ${error.message}`);
    });
    if (given.ok) {
      log.info("every pool has its records: install the reference's definitions now", {
        ...given.value,
      });
      return 0;
    }
    writeError(`${given.error}\n`);
    await tellPod(given.error, { reason: "NotGivenBack" });
    return 1;
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    writeError(`${errorText(error)}\n`);
    return 1;
  }
}
