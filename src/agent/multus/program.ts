/** `spiderpool-agent keep-multus`: what it is told, and what it says. */
import { AGENT_VARIABLES } from "../../api/environment_agent.ts";
import type { Clock } from "../../base/clock.ts";
import { jsonLog } from "../../base/log.ts";
import type { ProgramPorts } from "../../base/program.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { TellPod } from "../../daemon/last_word.ts";
import { keepMultus, type MultusFiles, type MultusWish } from "./keeper.ts";

/** What may be said, each once. */
export const KEEP_MULTUS_USAGE = "keep-multus --conf-dir DIR --bin-dir DIR";

/** What the command needs of the world. */
export interface KeepMultusPorts
  extends Pick<ProgramPorts, "readEnvironment" | "writeOutput" | "writeError"> {
  readonly files: MultusFiles;
  readonly clock: Clock;
  /** Aborts when the program is told to stop. */
  readonly stop: AbortSignal;
  readonly tellPod: TellPod;
}

/** Runs until it is told to stop, and gives the exit code. */
export async function runKeepMultus(
  args: readonly string[],
  ports: KeepMultusPorts,
): Promise<number> {
  const { readEnvironment, writeError, clock, stop } = ports;
  const wish = readMultusWish(args, readEnvironment);
  if (!wish.ok) {
    writeError(`${wish.error}\n`);
    return 2;
  }
  const log = jsonLog(ports.writeOutput, { clock, level: "info" });
  const tell = (note: string): Promise<void> => {
    return ports.tellPod(note, { reason: "MultusNotConfigured" });
  };
  try {
    return await keepMultus(wish.value, { ports: { ...ports, log, tell }, signal: stop });
  } catch (error) {
    if (!(stop.aborted && error === stop.reason)) throw error;
    log.info("Multus stays configured");
    return 0;
  }
}

/** Reads the command line and the environment of the pod. */
export function readMultusWish(
  args: readonly string[],
  readEnvironment: ProgramPorts["readEnvironment"],
): Result<MultusWish, string> {
  const folders = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    folders.set(args[index] ?? "", args[index + 1] ?? "");
  }
  const confFolder = folders.get("--conf-dir") ?? "";
  const binFolder = folders.get("--bin-dir") ?? "";
  if (confFolder === "" || binFolder === "" || args.length !== 4) {
    const given = args.map((one) => `"${one}"`).join(" ");
    return err(`Cannot run spiderpool-agent keep-multus with ${given}: use ${KEEP_MULTUS_USAGE}`);
  }
  const valueOf = (name: string): string => readEnvironment(name)?.trim() ?? "";
  const required = {
    namespace: AGENT_VARIABLES.podNamespace.name,
    host: "KUBERNETES_SERVICE_HOST",
    port: "KUBERNETES_SERVICE_PORT",
  };
  const missing = Object.values(required).find((name) => valueOf(name) === "");
  if (missing !== undefined) {
    return err(
      `Cannot keep Multus configured: ${missing} is not set; run it in a pod that sets it`,
    );
  }
  return ok({
    confFolder,
    binFolder,
    namespace: valueOf(required.namespace),
    host: valueOf(required.host),
    port: valueOf(required.port),
    clusterNetwork: valueOf(AGENT_VARIABLES.multusClusterNetwork.name),
  });
}
