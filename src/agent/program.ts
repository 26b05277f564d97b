import { answerVersion, type ProgramPorts } from "../base/program.ts";

/** Runs `spiderpool-agent` to its end, and gives its exit code. */
export function runAgent(ports: ProgramPorts): number {
  return answerVersion("spiderpool-agent", ports);
}
