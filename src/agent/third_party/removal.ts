/** Which of a node's plugins go with Spiderpool: those that `installer.ts` put there. */
import { recordIn, type ThirdPartyFiles } from "./installer.ts";
import { isLeftover, isOurs, RECORD_FILE } from "./record.ts";

/** What of third parties' is in a folder of plugins. */
export interface ThirdPartyTraces {
  /** Plugins that were installed here. */
  readonly plugins: readonly string[];
  /** What tells that, and what an installation that was cut off has left. */
  readonly rest: readonly string[];
}

/**
 * Looks into a folder of plugins.
 *
 * @throws {Error} If the record cannot be understood; and what `files` throws.
 */
export async function thirdPartyTraces(
  folder: string,
  files: Pick<ThirdPartyFiles, "list" | "digestOf" | "readText">,
): Promise<ThirdPartyTraces> {
  const names = await files.list(folder) ?? [];
  const record = await recordIn(folder, { files, names });
  if (!record.ok) throw new Error(record.error);
  const plugins: string[] = [];
  for (const name of record.value.keys()) {
    const digest = await files.digestOf(`${folder}/${name}`);
    if (isOurs(name, { digest, record: record.value })) plugins.push(name);
  }
  const rest = names.filter((name) => name === RECORD_FILE || isLeftover(name));
  return { plugins, rest };
}
