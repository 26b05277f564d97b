import { err, ok, type Result } from "../base/result.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";
import {
  CNI_VERSION_NEWEST,
  CNI_VERSION_UNSAID,
  CNI_VERSIONS,
  type CniCommandName,
  type CniVersion,
  commandSince,
  isSince,
  parseCniVersion,
} from "./version.ts";

/** Bytes of one network configuration with its `prevResult`. */
export const CNI_INPUT_BYTES_MAX = 1_048_576;

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The network configuration that a command came with. */
export interface CniNetwork {
  readonly version: CniVersion;
  readonly name: string;
  /** All of it. */
  readonly config: JsonObject;
}

/** A refusal, and the version to say it in. */
export interface VersionedRefusal {
  readonly cniVersion: string;
  readonly refusal: CniRefusal;
}

/**
 * The version that VERSION is asked with: the newest where the input is empty or says none.
 *
 * @param input Text of standard input; `undefined`: longer than `CNI_INPUT_BYTES_MAX`.
 */
export function readAskedVersion(input: string | undefined): Result<string, VersionedRefusal> {
  if (input?.trim() === "") return ok(CNI_VERSION_NEWEST);
  const config = readConfig(input);
  return config.ok ? versionIn(config.value, CNI_VERSION_NEWEST) : config;
}

/**
 * Reads the network configuration of a command.
 *
 * @param input Text of standard input; `undefined`: longer than `CNI_INPUT_BYTES_MAX`.
 * @source CNI specification 1.1.0, "Deriving request configuration from plugin configuration"
 */
export function readNetwork(
  command: CniCommandName,
  input: string | undefined,
): Result<CniNetwork, VersionedRefusal> {
  const config = readConfig(input);
  if (!config.ok) return config;
  const said = versionIn(config.value, CNI_VERSION_UNSAID);
  if (!said.ok) return said;
  const version = parseCniVersion(said.value);
  if (version === undefined) {
    return refuse(
      CNI_CODES.incompatibleVersion,
      `Cannot ${command}: cniVersion "${said.value}" of the network configuration is unknown; ` +
        `write one of ${CNI_VERSIONS.join(", ")}`,
    );
  }
  const since = commandSince(command);
  if (!isSince(version, { since })) {
    return refuse(
      CNI_CODES.incompatibleVersion,
      `Cannot ${command}: cniVersion "${version}" of the network configuration has no such ` +
        `command; write ${since} or newer`,
      { cniVersion: version },
    );
  }
  const { name } = config.value;
  if (typeof name === "string" && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    return ok({ version, name, config: config.value });
  }
  const given = name === undefined ? "it is missing" : `${JSON.stringify(name)} is none`;
  return refuse(
    CNI_CODES.badConfig,
    `Cannot ${command}: the network configuration needs a name, ${given}; write letters, digits, ` +
      `"_", "." and "-", and begin with a letter or a digit`,
    { cniVersion: version },
  );
}

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readConfig(input: string | undefined): Result<JsonObject, VersionedRefusal> {
  let value: unknown;
  try {
    value = input === undefined ? undefined : JSON.parse(input);
  } catch {
    value = undefined;
  }
  return isJsonObject(value) ? ok(value) : unreadable();
}

function versionIn(config: JsonObject, unsaid: string): Result<string, VersionedRefusal> {
  const { cniVersion } = config;
  if (cniVersion === undefined || cniVersion === "") return ok(unsaid);
  return typeof cniVersion === "string" ? ok(cniVersion) : unreadable();
}

function unreadable(): Result<never, VersionedRefusal> {
  return refuse(
    CNI_CODES.undecodable,
    `Cannot read the network configuration: standard input is none; write a JSON object whose ` +
      `"cniVersion" is text, of at most ${CNI_INPUT_BYTES_MAX} bytes`,
  );
}

function refuse(
  code: CniRefusal["code"],
  msg: string,
  { cniVersion = CNI_VERSION_NEWEST }: { readonly cniVersion?: CniVersion } = {},
): Result<never, VersionedRefusal> {
  return err({ cniVersion, refusal: { code, msg } });
}
