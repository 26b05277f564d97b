/** Where the settings of a daemon are: a file, and variables. */
import { parse } from "yaml";
import type { Variables } from "../api/environment.ts";
import { CONFIG_FILE_BYTES_MAX } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Where settings come from. */
export interface SettingsSources {
  readonly readEnvironment: (name: string) => string | undefined;
  readonly readText: (path: string) => Promise<string>;
}

/** What is set of a table of variables, under each of their spellings. */
export function valuesOf(
  variables: Variables,
  readEnvironment: SettingsSources["readEnvironment"],
): Readonly<Record<string, string | undefined>> {
  const names = Object.values(variables).flatMap(({ name, aliases }) => [name, ...aliases]);
  return Object.fromEntries(names.map((name) => [name, readEnvironment(name)]));
}

/**
 * Reads a configuration file.
 *
 * @returns Its document, or one sentence.
 */
export async function readYaml(
  path: string,
  readText: SettingsSources["readText"],
): Promise<Result<unknown, string>> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    return err(`Cannot read the configuration file "${path}": ${errorText(error)}`);
  }
  if (text.length > CONFIG_FILE_BYTES_MAX) {
    return err(
      `Cannot use the configuration file "${path}": it has ${text.length} characters: ` +
        `a ConfigMap holds ${CONFIG_FILE_BYTES_MAX} bytes`,
    );
  }
  try {
    return ok(parse(text));
  } catch (error) {
    const [reason = ""] = errorText(error).split("\n"); // The lines below it quote the file.
    return err(`Cannot use the configuration file "${path}": it is no YAML: ${reason}`);
  }
}
