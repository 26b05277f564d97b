/** Builds the real ports of `spiderpool-init` and runs it. No logic. */
import { systemClock } from "../base/clock.ts";
import type { ProgramPorts } from "../base/program.ts";
import { systemRandom } from "../base/random.ts";
import { nodeFiles, openApiServer, stopSignals } from "../daemon/machine.ts";
import { runInit } from "./program.ts";

/** Runs `spiderpool-init` to its end, and gives its exit code. */
export async function run(ports: ProgramPorts): Promise<number> {
  const clock = systemClock();
  const random = systemRandom();
  using signals = stopSignals();
  return await runInit({
    ...ports,
    clock,
    random,
    files: nodeFiles(),
    stop: signals.stop,
    openStore: () => openApiServer("spiderpool-init", { clock, random }),
  });
}
