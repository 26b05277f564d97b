/** Builds the real ports of `spiderpool-controller` and runs it. No logic. */
import { systemClock } from "../base/clock.ts";
import type { ProgramPorts } from "../base/program.ts";
import { systemRandom } from "../base/random.ts";
import { ok } from "../base/result.ts";
import {
  listenTcp,
  nodeFiles,
  openApiServer,
  openProcessMetrics,
  openProvider,
  stopSignals,
} from "../daemon/machine.ts";
import { tellPodOf } from "../daemon/last_word.ts";
import { openWebhookServer } from "../kube/webhook_server.ts";
import { Controller } from "./controller.ts";
import { runController } from "./program.ts";
import { webhooksOf } from "./webhook_parts.ts";

/** Runs `spiderpool-controller` to its end, and gives its exit code. */
export async function run(ports: ProgramPorts): Promise<number> {
  const clock = systemClock();
  const random = systemRandom();
  const openStore = () => openApiServer("spiderpool-controller", { clock, random });
  const files = nodeFiles();
  const { readText } = files;
  using signals = stopSignals();
  return await runController({
    ...ports,
    clock,
    random,
    stop: signals.stop,
    readText,
    openStore,
    tellPod: tellPodOf("spiderpool-controller", { ...ports, clock, random, openStore }),
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
      const opened = await openStore();
      if (!opened.ok) return opened;
      const { store, kinds } = opened.value;
      const provider = settings.provider && openProvider(settings.provider, { clock });
      const parts = { store, kinds, clock, random, log, metrics, files, provider };
      const webhooks = webhooksOf({ ...parts, openServer: openWebhookServer, readText }, settings);
      const engine = new Controller(parts, settings, { webhooks });
      return ok({ ...opened.value, engine });
    },
  });
}
