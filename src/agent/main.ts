/** Builds the real ports of `spiderpool-agent` and runs it. No logic. */
import type { ProgramPorts } from "../base/program.ts";
import { runAgent } from "./program.ts";

/** Runs `spiderpool-agent` to its end, and gives its exit code. */
export function run(ports: ProgramPorts): number {
  return runAgent(ports);
}
