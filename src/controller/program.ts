import { answerVersion, type ProgramPorts } from "../base/program.ts";

/** Runs `spiderpool-controller` to its end, and gives its exit code. */
export function run(ports: ProgramPorts): number {
  return answerVersion("spiderpool-controller", ports);
}
