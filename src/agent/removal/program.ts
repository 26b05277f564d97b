/** `spiderpool-agent uninstall-plugins`: what it is told, and what it says. */
import { AGENT_VARIABLES } from "../../api/environment_agent.ts";
import type { Clock } from "../../base/clock.ts";
import { jsonLog } from "../../base/log.ts";
import type { ProgramPorts } from "../../base/program.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { untilAborted } from "../../base/waiting.ts";
import type { TellPod } from "../../daemon/last_word.ts";
import { notUnderstood, readNamedValues } from "../../daemon/named_values.ts";
import { type RemovalFiles, type RemovalWish, removeFromNode, type Trace } from "./remover.ts";

/** What may be said. */
export const UNINSTALL_USAGE =
  "uninstall-plugins --bin-dir DIR --conf-dir DIR --run-dir DIR [--then-wait]";
/** Keeps a pod of a DaemonSet, which may not end, until it is deleted. */
const THEN_WAIT = "--then-wait";

/** What the command needs of the world. */
export interface RemovalProgramPorts
  extends Pick<ProgramPorts, "readEnvironment" | "writeOutput" | "writeError"> {
  readonly files: RemovalFiles;
  /** Opens the node's network namespace, which this program is in. */
  readonly openKernel: () => Disposable & { readonly traces: () => readonly Trace[] };
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly tellPod: TellPod;
}

/** Takes Spiderpool off this node, and gives the exit code. */
export async function runUninstallPlugins(
  args: readonly string[],
  ports: RemovalProgramPorts,
): Promise<number> {
  const { readEnvironment, writeError, tellPod, clock, stop } = ports;
  const wish = readRemovalWish(args, readEnvironment);
  if (!wish.ok) {
    writeError(`${wish.error}\n`);
    return 2;
  }
  const log = jsonLog(ports.writeOutput, { clock, level: "info" });
  using kernel = ports.openKernel();
  const { files } = ports;
  const failures = await removeFromNode(wish.value, { files, traces: kernel.traces, log });
  for (const failure of failures) {
    writeError(`${failure}\n`);
    await tellPod(failure, { reason: "NotRemoved" });
  }
  if (failures.length > 0) return 1;
  log.info("nothing of Spiderpool is left on this node");
  if (wish.value.thenWaits) await untilAborted(stop);
  return 0;
}

/** Reads the command line, and the namespace from the environment. */
export function readRemovalWish(
  args: readonly string[],
  readEnvironment: ProgramPorts["readEnvironment"],
): Result<RemovalWish & { readonly thenWaits: boolean }, string> {
  const folders = args.filter((one) => one !== THEN_WAIT);
  const names = ["--bin-dir", "--conf-dir", "--run-dir"];
  const [binFolder, confFolder, runFolder] = readNamedValues(folders, { names }) ?? [];
  if (binFolder === undefined || confFolder === undefined || runFolder === undefined) {
    const usage = UNINSTALL_USAGE;
    return err(notUnderstood("spiderpool-agent uninstall-plugins", { args, usage }));
  }
  const { name } = AGENT_VARIABLES.podNamespace;
  const namespace = readEnvironment(name)?.trim() ?? "";
  if (namespace === "") return err(`Cannot uninstall plugins: ${name} is not set; write it`);
  return ok({
    binFolder,
    confFolder,
    runFolder,
    namespace,
    thenWaits: folders.length < args.length,
  });
}
