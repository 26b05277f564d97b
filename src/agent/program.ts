/** What `spiderpool-agent` is asked to do, and who does it. */
import { CONFIG_FILE_PATH } from "../api/environment_agent.ts";
import type { ProgramPorts } from "../base/program.ts";
import { err, ok, type Result } from "../base/result.ts";
import { VERSION } from "../base/version.ts";
import { type DaemonPorts, runDaemon } from "./daemon.ts";
import { type InstallPorts, runInstallPlugins } from "./install.ts";
import { KEEP_MULTUS_USAGE, type KeepMultusPorts, runKeepMultus } from "./multus/program.ts";
import {
  type RemovalProgramPorts,
  runUninstallPlugins,
  UNINSTALL_USAGE,
} from "./removal/program.ts";
import {
  runInstallThirdParty,
  THIRD_PARTY_USAGE,
  type ThirdPartyProgramPorts,
} from "./third_party/program.ts";
import { STANDALONE_USAGE } from "./standalone/arguments.ts";
import { COMMANDS_USAGE, runAddresses, runReleaseFixed } from "./standalone/commands.ts";
import type { StandalonePorts } from "./standalone/ports.ts";
import { runStandalone } from "./standalone/program.ts";

/** What the agent needs of the world. */
export interface AgentPorts extends ProgramPorts, DaemonPorts {
  readonly install: InstallPorts;
  readonly multus: Pick<KeepMultusPorts, "files">;
  readonly removal: Pick<RemovalProgramPorts, "files" | "openKernel">;
  readonly thirdParty: ThirdPartyProgramPorts["install"];
  readonly standalone: StandalonePorts;
}

const USAGE =
  "use daemon [--config-path FILE], install-plugins --from DIR --to DIR [--root DIR], " +
  `${THIRD_PARTY_USAGE}, ${UNINSTALL_USAGE}, ${KEEP_MULTUS_USAGE}, ` +
  `${STANDALONE_USAGE}, ${COMMANDS_USAGE.addresses}, ${COMMANDS_USAGE.releaseFixed}, or --version`;

/** Runs `spiderpool-agent` to its end, and gives its exit code. */
export async function runAgent(ports: AgentPorts): Promise<number> {
  const { args, writeOutput, writeError } = ports;
  const [command, ...rest] = args;
  if (command === "daemon") {
    const path = readConfigPath(rest);
    if (path.ok) return await runDaemon(path.value, ports);
    writeError(`${path.error}\n`);
    return 2;
  }
  if (command === "install-plugins") {
    const { install, stop, tellPod } = ports;
    const streams = { writeOutput, writeError, tellPod };
    return await runInstallPlugins(rest, { ports: install, signal: stop, ...streams });
  }
  if (command === "install-third-party") {
    return await runInstallThirdParty(rest, { ...ports, install: ports.thirdParty });
  }
  if (command === "uninstall-plugins") {
    return await runUninstallPlugins(rest, { ...ports, ...ports.removal });
  }
  if (command === "keep-multus") return await runKeepMultus(rest, { ...ports, ...ports.multus });
  if (command === "--standalone") return await runStandalone(rest, ports);
  if (command === "addresses") return await runAddresses(rest, ports);
  if (command === "release-fixed") return await runReleaseFixed(rest, ports);
  if (command === "--version" && rest.length === 0) {
    writeOutput(`spiderpool-agent ${VERSION}\n`);
    return 0;
  }
  const given = args.length === 0 ? "no argument" : args.map((one) => `"${one}"`).join(" ");
  writeError(`Cannot run spiderpool-agent with ${given}: ${USAGE}\n`);
  return 2;
}

/** Reads `[--config-path FILE]`, or `--config-path=FILE`. */
function readConfigPath(args: readonly string[]): Result<string, string> {
  const [first = "", second, ...more] = args;
  if (args.length === 0) return ok(CONFIG_FILE_PATH);
  const joined = /^--config-path=(.+)$/s.exec(first)?.[1];
  const path = joined ?? (first === "--config-path" ? second : undefined);
  const isWhole = more.length === 0 && (joined === undefined || second === undefined);
  if (path !== undefined && path !== "" && isWhole) return ok(path);
  const given = args.map((one) => `"${one}"`).join(" ");
  return err(`Cannot run spiderpool-agent daemon with ${given}: use --config-path FILE or nothing`);
}
