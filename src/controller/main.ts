/** Builds the real ports of `spiderpool-controller` and runs it. No logic. */
import { systemClock } from "../base/clock.ts";
import type { ProgramPorts } from "../base/program.ts";
import { systemRandom } from "../base/random.ts";
import { ok } from "../base/result.ts";
import { listenTcp, openApiServer, openProcessMetrics, stopSignals } from "../daemon/machine.ts";
import { Controller } from "./controller.ts";
import { runController } from "./program.ts";

/** Runs `spiderpool-controller` to its end, and gives its exit code. */
export async function run(ports: ProgramPorts): Promise<number> {
  const clock = systemClock();
  const random = systemRandom();
  using signals = stopSignals();
  return await runController({
    ...ports,
    clock,
    random,
    stop: signals.stop,
    readText: (path) => Deno.readTextFile(path),
    writeLog: (line) => {
      try {
        ports.writeOutput(line);
      } catch {
        // Who read the log has gone: the cluster still needs a controller.
      }
    },
    listenTcp,
    openMetrics: openProcessMetrics,
    openCluster: async (settings, { log, metrics }) => {
      const opened = await openApiServer("spiderpool-controller", { clock, random });
      if (!opened.ok) return opened;
      const { store } = opened.value;
      const engine = new Controller({ store, clock, random, log, metrics }, settings);
      return ok({ ...opened.value, engine });
    },
  });
}
