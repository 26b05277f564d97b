/** `spiderpool-agent install-third-party`: what it is told, and what it says. */
import { PLUGIN_VARIABLES, readPluginEnvironment } from "../../api/environment_agent.ts";
import { errorText } from "../../base/log.ts";
import type { ProgramPorts } from "../../base/program.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { TellPod } from "../../daemon/last_word.ts";
import { notUnderstood, readNamedValues } from "../../daemon/named_values.ts";
import { valuesOf } from "../../daemon/settings_file.ts";
import {
  installThirdParty,
  type ThirdPartyPorts,
  type ThirdPartyReport,
  type ThirdPartyWish,
} from "./installer.ts";
import { wantedPlugins } from "./switches.ts";

/** What may be said. */
export const THIRD_PARTY_USAGE = "install-third-party --from DIR --to DIR";

/** What the command needs of the world. */
export interface ThirdPartyProgramPorts
  extends Pick<ProgramPorts, "readEnvironment" | "writeOutput" | "writeError"> {
  readonly install: ThirdPartyPorts;
  readonly stop: AbortSignal;
  readonly tellPod: TellPod;
}

/** Installs what the switches ask for, and gives the exit code. */
export async function runInstallThirdParty(
  args: readonly string[],
  ports: ThirdPartyProgramPorts,
): Promise<number> {
  const { readEnvironment, writeOutput, writeError, tellPod, install, stop } = ports;
  const folders = readFolders(args);
  if (!folders.ok) {
    writeError(`${folders.error}\n`);
    return 2;
  }
  const refuse = async (sentence: string): Promise<number> => {
    writeError(`${sentence}\n`);
    await tellPod(sentence, { reason: "PluginsNotInstalled" });
    return 1;
  };
  const switches = readPluginEnvironment(valuesOf(PLUGIN_VARIABLES, readEnvironment));
  if (!switches.ok) return await refuse(switches.error);
  const wish = { ...folders.value, plugins: wantedPlugins(switches.value) };
  const report = await installThirdParty(wish, { ports: install, signal: stop })
    .catch((error: unknown) => {
      stop.throwIfAborted();
      return err(`Cannot install plugins into "${wish.to}": ${errorText(error)}`);
    });
  if (!report.ok) return await refuse(report.error);
  for (const line of linesOf(wish, report.value)) writeOutput(`${line}\n`);
  if (!switches.value.vlan) {
    writeOutput(
      `"vlan" is Spiderpool's own, and the agent installs it also where ` +
        `${PLUGIN_VARIABLES.vlan.name} is "false"\n`,
    );
  }
  return 0;
}

/** Reads `--from DIR --to DIR`. */
function readFolders(
  args: readonly string[],
): Result<Pick<ThirdPartyWish, "from" | "to">, string> {
  const [from, to] = readNamedValues(args, { names: ["--from", "--to"] }) ?? [];
  if (from !== undefined && to !== undefined) return ok({ from, to });
  const usage = THIRD_PARTY_USAGE;
  return err(notUnderstood("spiderpool-agent install-third-party", { args, usage }));
}

function linesOf(
  { to }: ThirdPartyWish,
  { written, current, left }: ThirdPartyReport,
): readonly string[] {
  const lines: string[] = [];
  if (written.length > 0) lines.push(`Installed ${namesText(written)} into ${to}`);
  if (current.length > 0) lines.push(`Up to date in ${to}: ${namesText(current)}`);
  if (left.length > 0) {
    lines.push(
      `Left alone in ${to}, where somebody else installed them: ${namesText(left)}; ` +
        "remove a file there to have ours",
    );
  }
  return lines.length > 0 ? lines : [`No plugin is asked for: nothing was installed into ${to}`];
}

function namesText(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
