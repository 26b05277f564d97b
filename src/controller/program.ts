/** What `spiderpool-controller` is asked to do, and who does it. */
import type { ProgramPorts } from "../base/program.ts";
import { VERSION } from "../base/version.ts";
import type { CommandPorts } from "./command.ts";
import { CLEAN_USAGE, runClean } from "./clean/program.ts";
import { readOptions } from "./arguments.ts";
import { GIVE_BACK_USAGE, runGiveBack } from "./give_back/program.ts";
import { type DaemonPorts, runDaemon } from "./daemon.ts";

/** What the controller needs of the world. */
export interface ControllerPorts extends ProgramPorts, DaemonPorts {
  readonly openStore: CommandPorts["openStore"];
}

const USAGE = `use daemon [--config-path FILE], ${CLEAN_USAGE}, ${GIVE_BACK_USAGE}, or --version`;

/** Runs `spiderpool-controller` to its end, and gives its exit code. */
export async function runController(ports: ControllerPorts): Promise<number> {
  const { args, writeOutput, writeError } = ports;
  const [command, ...rest] = args;
  if (command === "daemon") {
    const options = readOptions(rest);
    if (options.ok) return await runDaemon(options.value, ports);
    writeError(`${options.error}\n`);
    return 2;
  }
  if (command === "clean") return await runClean(rest, ports);
  if (command === "give-back") return await runGiveBack(rest, ports);
  if (command === "--version" && rest.length === 0) {
    writeOutput(`spiderpool-controller ${VERSION}\n`);
    return 0;
  }
  const given = args.length === 0 ? "no argument" : args.map((one) => `"${one}"`).join(" ");
  writeError(`Cannot run spiderpool-controller with ${given}: ${USAGE}\n`);
  return 2;
}
