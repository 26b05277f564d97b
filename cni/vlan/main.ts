import type { ProgramPorts } from "../../src/base/program.ts";
import { runPlugin } from "../../src/cni/plugin.ts";

/** Runs the CNI plugin `vlan` once, and gives its exit code. */
export function run(ports: ProgramPorts): Promise<number> {
  return runPlugin("vlan", ports);
}
