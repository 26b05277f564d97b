/** Versions of the CNI specification that the plugins speak, oldest first. */
export const CNI_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
/** Bytes of one network configuration with its `prevResult`. */
export const CNI_INPUT_BYTES_MAX = 1_048_576;

const NEWEST: typeof CNI_VERSIONS[number] = "1.1.0";
const COMMANDS = new Set(["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"]);
/** Error codes of the specification; from 100 on they are a plugin's own. */
const CODE = { badEnvironment: 4, badInput: 6, notServed: 100 } as const;

/** What a plugin was asked, as the runtime gave it. */
export interface CniQuestion {
  /** Name of the plugin, for messages. */
  readonly plugin: string;
  /** Value of `CNI_COMMAND`. */
  readonly command: string | undefined;
  /** Text of standard input; `undefined` if it is longer than `CNI_INPUT_BYTES_MAX`. */
  readonly input: string | undefined;
}

/** What a plugin prints on standard output, and its exit code. */
export interface CniAnswer {
  readonly output: string;
  readonly exitCode: 0 | 1;
}

/**
 * Answers `VERSION`, and refuses every other command with the error object of the specification.
 *
 * The reply repeats the `cniVersion` that was asked with; where the input has none, it is the
 * newest version.
 *
 * @source CNI specification 1.1.0, "VERSION: probe plugin version support" and "Error".
 */
export function answerCni({ plugin, command, input }: CniQuestion): CniAnswer {
  if (command === undefined || !COMMANDS.has(command)) {
    const given = command === undefined ? "not set" : `"${command}"`;
    return refusal({
      cniVersion: NEWEST,
      code: CODE.badEnvironment,
      msg: `Cannot run ${plugin}: CNI_COMMAND is ${given}`,
      details: `a container runtime sets it to one of ${[...COMMANDS].join(", ")}`,
    });
  }
  const asked = input === undefined ? undefined : versionIn(input);
  if (asked === undefined) {
    return refusal({
      cniVersion: NEWEST,
      code: CODE.badInput,
      msg: `Cannot run ${plugin} ${command}: standard input is no network configuration`,
      details: `it must be a JSON object whose "cniVersion" is text, of at most ` +
        `${CNI_INPUT_BYTES_MAX} bytes`,
    });
  }
  if (command !== "VERSION") {
    return refusal({
      cniVersion: asked,
      code: CODE.notServed,
      msg: `Cannot run ${plugin} ${command}: this version of the plugin does not do ${command} yet`,
      details: "it answers VERSION",
    });
  }
  return answer({ cniVersion: asked, supportedVersions: CNI_VERSIONS }, { exitCode: 0 });
}

/** The `cniVersion` of a configuration; `undefined` if the text is no configuration. */
function versionIn(input: string): string | undefined {
  if (input.trim() === "") return NEWEST;
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  if (!("cniVersion" in value)) return NEWEST;
  return typeof value.cniVersion === "string" ? value.cniVersion : undefined;
}

function refusal(error: {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details: string;
}): CniAnswer {
  return answer(error, { exitCode: 1 });
}

function answer(value: unknown, { exitCode }: { readonly exitCode: 0 | 1 }): CniAnswer {
  return { output: `${JSON.stringify(value)}\n`, exitCode };
}
