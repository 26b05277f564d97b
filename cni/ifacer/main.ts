import type { ProgramPorts } from "../../src/base/program.ts";
import { runPlugin } from "../../src/cni/plugin.ts";

/** Runs the CNI plugin `ifacer` once, and gives its exit code. */
export function run(ports: ProgramPorts): Promise<number> {
  return runPlugin("ifacer", ports);
}
