import { answerVersion, type ProgramPorts } from "../base/program.ts";

/** Runs `spiderpoolctl` to its end, and gives its exit code. */
export function run(ports: ProgramPorts): number {
  return answerVersion("spiderpoolctl", ports);
}
