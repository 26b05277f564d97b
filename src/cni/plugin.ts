import { errorText } from "../base/log.ts";
import type { ProgramPorts } from "../base/program.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type CniAttachment, readAttachment } from "./environment.ts";
import {
  CNI_INPUT_BYTES_MAX,
  type CniNetwork,
  type JsonObject,
  readAskedVersion,
  readNetwork,
  type VersionedRefusal,
} from "./network.ts";
import { CNI_CODES, type CniRefusal, refusalText } from "./refusal.ts";
import { type IpamResult, ipamResultText } from "./result.ts";
import {
  CNI_COMMANDS,
  CNI_VERSION_NEWEST,
  CNI_VERSIONS,
  type CniCommandName,
  parseCniCommand,
} from "./version.ts";

/** One request of the runtime. */
export interface CniCall {
  readonly network: CniNetwork;
  /** Empty for GC and STATUS. */
  readonly attachment: CniAttachment;
}

/** A result that is printed as it is. */
export interface WholeResult {
  readonly whole: JsonObject;
}

/** What a command gives: a result to print (ADD), nothing to print, or why it was refused. */
export type CniOutcome = Result<IpamResult | WholeResult | undefined, CniRefusal>;

/** Carries out one command. A throw is a bug, and reaches the runtime as an error object. */
export type CniCommand = (call: CniCall) => Promise<CniOutcome>;

/** Commands that a plugin has, beside VERSION. */
export type CniCommands = Readonly<Partial<Record<CniCommandName, CniCommand>>>;

/**
 * Reads what the runtime wants, has it done, and prints the answer: a result or an error object.
 *
 * This is where a plugin ends, so it also catches what nothing else does: a bug is an error object
 * and never a success.
 *
 * @param options.commands Commands that the plugin has; every other one but VERSION is refused.
 * @returns The exit code: 0 only if the command was carried out.
 */
export async function runPlugin(
  plugin: string,
  ports: ProgramPorts,
  { commands = {} }: { readonly commands?: CniCommands } = {},
): Promise<number> {
  let printed: Result<string, VersionedRefusal>;
  try {
    printed = await answer(plugin, { ports, commands });
  } catch (error) {
    ports.writeError(`${error instanceof Error ? error.stack ?? error.message : error}\n`);
    printed = refuse(
      CNI_CODES.failed,
      `Cannot run ${plugin}: a bug stopped it: ${errorText(error)}`,
    );
  }
  if (printed.ok) {
    if (printed.value !== "") ports.writeOutput(printed.value);
    return 0;
  }
  const { refusal, cniVersion } = printed.error;
  ports.writeOutput(refusalText(refusal, { cniVersion }));
  return 1;
}

async function answer(
  plugin: string,
  { ports, commands }: { readonly ports: ProgramPorts; readonly commands: CniCommands },
): Promise<Result<string, VersionedRefusal>> {
  const given = ports.readEnvironment("CNI_COMMAND");
  const command = parseCniCommand(given);
  if (command === undefined) {
    const said = given === undefined ? "not set" : `"${given}"`;
    const msg = `Cannot run ${plugin}: CNI_COMMAND is ${said}; a container runtime sets it to ` +
      `one of ${CNI_COMMANDS.join(", ")}`;
    return refuse(CNI_CODES.badEnvironment, msg);
  }
  const input = readInput(ports);
  if (!input.ok) return input;
  if (command === "VERSION") {
    const asked = readAskedVersion(input.value.text);
    if (!asked.ok) return asked;
    const reply = { cniVersion: asked.value, supportedVersions: CNI_VERSIONS };
    return ok(`${JSON.stringify(reply)}\n`);
  }
  const carryOut = commands[command];
  if (carryOut === undefined) return notServed(plugin, { command, input: input.value.text });
  const network = readNetwork(command, input.value.text);
  if (!network.ok) return network;
  const cniVersion = network.value.version;
  const attachment = readAttachment(command, ports.readEnvironment);
  if (!attachment.ok) return err({ cniVersion, refusal: attachment.error });
  const outcome = await carryOut({ network: network.value, attachment: attachment.value });
  if (!outcome.ok) return err({ cniVersion, refusal: outcome.error });
  const result = outcome.value;
  if (result === undefined) return ok("");
  if ("whole" in result) return ok(`${JSON.stringify(result.whole)}\n`);
  return ok(ipamResultText(result, network.value));
}

function notServed(
  plugin: string,
  { command, input }: { readonly command: CniCommandName; readonly input: string | undefined },
): Result<never, VersionedRefusal> {
  const asked = readAskedVersion(input);
  if (!asked.ok) return asked;
  const msg = `Cannot run ${plugin} ${command}: this version of the plugin does not do ` +
    `${command} yet`;
  return err({ cniVersion: asked.value, refusal: { code: CNI_CODES.notServed, msg } });
}

/** All of standard input; its text is `undefined` if it is too long. */
function readInput(
  ports: ProgramPorts,
): Result<{ readonly text: string | undefined }, VersionedRefusal> {
  try {
    return ok({ text: ports.readInput({ bytesMax: CNI_INPUT_BYTES_MAX }) });
  } catch (error) {
    const msg = `Cannot read the network configuration from standard input: ${errorText(error)}`;
    return refuse(CNI_CODES.inputUnreadable, msg);
  }
}

function refuse(code: CniRefusal["code"], msg: string): Result<never, VersionedRefusal> {
  return err({ cniVersion: CNI_VERSION_NEWEST, refusal: { code, msg } });
}
