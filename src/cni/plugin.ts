import type { ProgramPorts } from "../base/program.ts";
import { answerCni, CNI_INPUT_BYTES_MAX } from "./version.ts";

/**
 * Asks the ports what the runtime wants of a plugin, and prints the answer.
 *
 * @returns The exit code: 0 only if the command was carried out.
 */
export function runPlugin(plugin: string, ports: ProgramPorts): number {
  const { output, exitCode } = answerCni({
    plugin,
    command: ports.readEnvironment("CNI_COMMAND"),
    input: ports.readInput({ bytesMax: CNI_INPUT_BYTES_MAX }),
  });
  ports.writeOutput(output);
  return exitCode;
}
