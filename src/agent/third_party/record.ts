/**
 * What is kept on a node of the plugins that were installed there: their names, and digests of what
 * was written. A file with another digest is somebody else's. Pure.
 */
import { decode, listOf, members, recordOf, text } from "../../api/decode.ts";
import { err, ok, type Result } from "../../base/result.ts";

/** Its name in the folder of the plugins. */
export const RECORD_FILE = ".spiderpool-third-party.json";
/** Begins the names of all that an installation makes beside, and of what a kill left of it. */
const WORK_PREFIX = ".spiderpool-third-party";
/** Begins the names of folders with what is not installed yet. */
export const STAGE_PREFIX = `${WORK_PREFIX}-`;

/**
 * Digests of each plugin. While one is being replaced it has two, the older and the newer: whenever
 * that is cut off, the file that is there has one of them.
 */
export type PluginRecord = ReadonlyMap<string, readonly string[]>;

/** A file in the folder itself. */
const NAME = /^[a-z0-9][a-z0-9.-]*$/;
const decoder = members({ plugins: recordOf(listOf(text)) });

/** Reads the text of a record. @returns Or what is wrong with it, as the end of a sentence. */
export function readRecord(content: string): Result<PluginRecord, string> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    return err("it is not JSON");
  }
  const read = decode(decoder, value);
  if (!read.ok || !Object.keys(read.value.plugins).every((name) => NAME.test(name))) {
    return err("it is no list of plugins and digests");
  }
  return ok(new Map(Object.entries(read.value.plugins)));
}

/** The text of a record: the same for the same plugins. */
export function recordText(record: PluginRecord): string {
  const sorted = [...record].toSorted(([one], [other]) => one < other ? -1 : 1);
  return `${JSON.stringify({ plugins: Object.fromEntries(sorted) }, undefined, 2)}\n`;
}

/** Whether a name in the folder of the plugins is of an installation that was cut off. */
export function isLeftover(name: string): boolean {
  return name.startsWith(WORK_PREFIX) && name !== RECORD_FILE;
}

/** Whether a file of a plugin is of ours. @param digest Of what is there; `undefined`: nothing. */
export function isOurs(
  name: string,
  { digest, record }: { readonly digest: string | undefined; readonly record: PluginRecord },
): boolean {
  return digest !== undefined && (record.get(name) ?? []).includes(digest);
}
