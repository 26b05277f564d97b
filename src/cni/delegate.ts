/** Another plugin that does a part of a command: the IPAM plugin of one that makes a NIC. */
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { isJsonObject, type JsonObject } from "./network.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";
import type { CniCommandName } from "./version.ts";

/** How a plugin ended. */
export interface EndedPlugin {
  readonly code: number;
  /** Standard output. */
  readonly printed: string;
}

/** What running another plugin needs of the world. */
export interface DelegatePorts {
  /** `CNI_PATH`: folders of plugins, between colons. */
  readonly folders: string;
  readonly isFile: (path: string) => boolean;
  /**
   * Runs a program with this process's environment, but for `CNI_COMMAND`, and with its standard
   * error; or throws what the system says. A signal that aborts ends the program.
   */
  readonly execute: (
    path: string,
    how: {
      readonly command: CniCommandName;
      readonly input: string;
      readonly signal: AbortSignal;
    },
  ) => Promise<EndedPlugin>;
  /** A signal that aborts after a time; its timer does not keep the process. */
  readonly deadline: (timeoutMs: number) => AbortSignal;
}

/** Why another plugin did not do its part. */
export interface DelegateProblem {
  readonly refusal: CniRefusal;
  /** Whether it said no in its own words; else nobody knows what it did. */
  readonly isAnswer: boolean;
}

/**
 * Milliseconds that a plugin may take: more than an ADD of ours waits for its agent, less than a
 * runtime waits for all plugins of a pod.
 */
export const DELEGATE_MS_MAX = 150_000;

/**
 * Finds a plugin: the first file of its name.
 *
 * @param type What the configuration names it by.
 * @returns Its path.
 * @source CNI specification 1.1.0, "Section 4: Plugin Delegation"
 */
export function findPlugin(
  type: string,
  { folders, isFile }: Pick<DelegatePorts, "folders" | "isFile">,
): Result<string, CniRefusal> {
  const searched = folders.split(":").filter((folder) => folder !== "");
  if (searched.length === 0) {
    const msg = `Cannot run the plugin "${type}": CNI_PATH is not set; a container runtime sets it`;
    return err({ code: CNI_CODES.badEnvironment, msg });
  }
  const path = searched.map((folder) => `${folder.replace(/\/+$/, "")}/${type}`).find(isFile);
  if (path !== undefined) return ok(path);
  const msg = `Cannot run the plugin "${type}": it is not in ${searched.join(", ")}; install it ` +
    `there, or correct the type in the CNI configuration`;
  return err({ code: CNI_CODES.badConfig, msg });
}

/**
 * Has a plugin do a command, on this configuration.
 *
 * @param path Where it is.
 * @returns What it printed; or its own refusal, unchanged.
 */
export async function delegate(
  path: string,
  { command, config, ports }: {
    readonly command: CniCommandName;
    readonly config: JsonObject;
    readonly ports: Pick<DelegatePorts, "execute" | "deadline">;
  },
): Promise<Result<string, DelegateProblem>> {
  const signal = ports.deadline(DELEGATE_MS_MAX);
  const cannot = `Cannot ${command} with the plugin "${path}"`;
  let ended: EndedPlugin;
  try {
    ended = await ports.execute(path, { command, input: JSON.stringify(config), signal });
  } catch (error) {
    return failed(`${cannot}: ${errorText(error)}; see that it is a program that can be run`);
  }
  const { code, printed } = ended;
  if (code === 0) return ok(printed);
  if (signal.aborted) {
    return failed(
      `${cannot}: it has not ended within ${DELEGATE_MS_MAX} ms; see what it waits for`,
    );
  }
  const refusal = refusalIn(printed);
  if (refusal !== undefined) return err({ refusal, isAnswer: true });
  return failed(
    `${cannot}: it ended with ${code} and no error object; see what it wrote to standard error`,
  );
}

function failed(msg: string): Result<never, DelegateProblem> {
  return err({ refusal: { code: CNI_CODES.failed, msg }, isAnswer: false });
}

/** An error object; a code that only its plugin knows is not passed on as another's. */
function refusalIn(printed: string): CniRefusal | undefined {
  let value: unknown;
  try {
    value = JSON.parse(printed);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { code, msg, details } = value;
  if (typeof msg !== "string" || msg === "") return undefined;
  const known = Object.values(CNI_CODES).find((one) => one === code && one < 100);
  return {
    code: known ?? CNI_CODES.failed,
    msg,
    ...(typeof details === "string" && details !== "" && { details }),
  };
}
