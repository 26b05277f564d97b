/** Puts third parties' plugins into a folder of the node; what others put there stays. */
import type { Clock } from "../../base/clock.ts";
import { errorText } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { quoted } from "../../ipam/brief.ts";
import type { PluginFolders } from "../install.ts";
import { askVersion, hasAnswered, lastLine, type NodePrograms } from "../install_trial.ts";
import {
  isLeftover,
  isOurs,
  type PluginRecord,
  readRecord,
  RECORD_FILE,
  recordText,
  STAGE_PREFIX,
} from "./record.ts";
import type { WantedPlugin } from "./switches.ts";

/** Everybody reads the record; it holds no secret. */
const RECORD_MODE = 0o644;

/** Files of a node. What fails throws. */
export interface ThirdPartyFiles
  extends Pick<PluginFolders, "list" | "copy" | "rename" | "makeFolder" | "remove"> {
  /** `sha256:...`; of a link or a folder a text that no file has; `undefined`: nothing is there. */
  readonly digestOf: (path: string) => Promise<string | undefined>;
  readonly readText: (path: string) => Promise<string>;
  /** Gives a file this text and these permissions, in one instant; it is on disk then. */
  readonly writeWhole: (
    path: string,
    options: { readonly text: string; readonly mode: number },
  ) => Promise<void>;
}

/** What an installation needs of the world. */
export interface ThirdPartyPorts {
  readonly files: ThirdPartyFiles;
  readonly programs: NodePrograms;
  readonly clock: Clock;
  readonly random: Random;
}

/** From where to where, and what. */
export interface ThirdPartyWish {
  /** Folder of the image's plugins. */
  readonly from: string;
  /** Folder of the node's CNI plugins. */
  readonly to: string;
  readonly plugins: readonly WantedPlugin[];
}

/** What was done with the plugins, by name. */
export interface ThirdPartyReport {
  readonly written: readonly string[];
  /** Ours, and as they are meant to be. */
  readonly current: readonly string[];
  /** Somebody else's. */
  readonly left: readonly string[];
}

/** A plugin of the image, and what is on the node. */
interface Found {
  readonly name: string;
  readonly fresh: string;
  readonly there: string | undefined;
}

/**
 * Installs plugins. A file that is there and was not written here stays as it is. The others are
 * made in a folder of their own, each is started there once, and each then appears whole under its
 * name; that they are ours is on disk before. Whenever this is cut off, each plugin is the older or
 * the newer one, and the next run removes the rest.
 *
 * @returns What was done, or one sentence; then no plugin was changed.
 * @throws What `files` throws: the installation is as far as it came.
 */
export async function installThirdParty(
  wish: ThirdPartyWish,
  { ports, signal }: { readonly ports: ThirdPartyPorts; readonly signal: AbortSignal },
): Promise<Result<ThirdPartyReport, string>> {
  const { to } = wish;
  const { files } = ports;
  const names = await files.list(to);
  if (names === undefined) return err(sayRefusal(to, "there is no such folder; mount or make it"));
  for (const name of names.filter(isLeftover)) await files.remove(`${to}/${name}`);
  const known = await recordIn(to, { files, names });
  if (!known.ok) return known;
  const found = await lookAt(wish, files);
  if (!found.ok) return found;
  const isMine = ({ name, there }: Found): boolean =>
    isOurs(name, { digest: there, record: known.value });
  const current = found.value.filter((one) => isMine(one) && one.there === one.fresh);
  const due = found.value.filter((one) => {
    return one.there === undefined || (isMine(one) && one.there !== one.fresh);
  });
  const replaced = due.length === 0
    ? ok({ record: known.value, written: [] })
    : await replace(due, { wish, known: known.value, ports, signal });
  if (!replaced.ok) return replaced;
  const { record, written } = replaced.value;
  await settleRecord(record, { to, files });
  const kept = [...written, ...current.map(({ name }) => name)];
  const left = found.value.map(({ name }) => name).filter((name) => !kept.includes(name));
  return ok({ written, current: current.map(({ name }) => name), left });
}

/**
 * The record of a folder; empty where there is none.
 *
 * @returns Or one sentence, if it cannot be understood: nobody knows then whose the plugins are.
 */
export async function recordIn(
  folder: string,
  { files, names }: {
    readonly files: Pick<ThirdPartyFiles, "readText">;
    readonly names: readonly string[];
  },
): Promise<Result<PluginRecord, string>> {
  if (!names.includes(RECORD_FILE)) return ok(new Map());
  const path = `${folder}/${RECORD_FILE}`;
  const read = readRecord(await files.readText(path));
  if (read.ok) return read;
  return err(
    `Cannot use ${quoted(path)}: ${read.error}; remove it, then all plugins that are there are ` +
      "left alone",
  );
}

function sayRefusal(to: string, why: string): string {
  return `Cannot install plugins into ${quoted(to)}: ${why}`;
}

/** What the image has of the plugins, and the node. */
async function lookAt(
  { from, to, plugins }: ThirdPartyWish,
  files: ThirdPartyFiles,
): Promise<Result<readonly Found[], string>> {
  const found: Found[] = [];
  for (const { name, variable } of plugins) {
    const fresh = await files.digestOf(`${from}/${name}`);
    if (fresh === undefined) {
      const why = `the image does not have ${quoted(name)}, which ${variable} asks for; write ` +
        `"false" there, and install it as its own project says`;
      return err(sayRefusal(to, why));
    }
    found.push({ name, fresh, there: await files.digestOf(`${to}/${name}`) });
  }
  return ok(found);
}

/** What replacing plugins takes. */
interface Replacing {
  readonly wish: ThirdPartyWish;
  readonly known: PluginRecord;
  readonly ports: ThirdPartyPorts;
  readonly signal: AbortSignal;
}

/** Puts plugins where nothing is, or an older one of ours. @returns Or why none was replaced. */
async function replace(
  due: readonly Found[],
  { wish: { from, to }, known, ports, signal }: Replacing,
): Promise<
  Result<{ readonly record: PluginRecord; readonly written: readonly string[] }, string>
> {
  const { files, random } = ports;
  const stage = `${to}/${STAGE_PREFIX}${random.bigBelow(1n << 64n).toString(16)}`;
  await files.makeFolder(stage);
  for (const { name } of due) {
    await files.copy({ from: `${from}/${name}`, to: `${stage}/${name}` });
    const problem = await problemOf(`${stage}/${name}`, { ports, signal });
    if (problem === undefined) continue;
    await files.remove(stage);
    return err(
      sayRefusal(to, `this node cannot start ${quoted(name)}: ${problem}; nothing was replaced`),
    );
  }
  const record = new Map(known);
  for (const { name, fresh } of due) record.set(name, [...known.get(name) ?? [], fresh]);
  await writeRecord(record, { to, files });
  const written: string[] = [];
  for (const { name, there } of due) {
    // Others install plugins too, often while a node starts.
    if (await files.digestOf(`${to}/${name}`) !== there) continue;
    await files.rename({ from: `${stage}/${name}`, to: `${to}/${name}` });
    written.push(name);
  }
  await files.remove(stage);
  return ok({ record, written });
}

/** Why a plugin cannot be started; it needs no library, so what starts here starts on the node. */
async function problemOf(
  path: string,
  { ports, signal }: Pick<Replacing, "ports" | "signal">,
): Promise<string | undefined> {
  try {
    const ended = await askVersion(path, { root: "/", ports, signal });
    return hasAnswered(ended) ? undefined : lastLine(ended);
  } catch (error) {
    signal.throwIfAborted();
    return errorText(error);
  }
}

interface RecordPlace {
  readonly to: string;
  readonly files: ThirdPartyFiles;
}

function writeRecord(record: PluginRecord, { to, files }: RecordPlace): Promise<void> {
  const options = { text: recordText(record), mode: RECORD_MODE };
  return files.writeWhole(`${to}/${RECORD_FILE}`, options);
}

/** Forgets what is not there any more, and what somebody else has replaced. */
async function settleRecord(record: PluginRecord, { to, files }: RecordPlace): Promise<void> {
  const settled = new Map<string, readonly string[]>();
  for (const [name] of record) {
    const digest = await files.digestOf(`${to}/${name}`);
    if (digest !== undefined && isOurs(name, { digest, record })) settled.set(name, [digest]);
  }
  const before = (await files.list(to) ?? []).includes(RECORD_FILE)
    ? await files.readText(`${to}/${RECORD_FILE}`)
    : recordText(new Map());
  if (recordText(settled) !== before) await writeRecord(settled, { to, files });
}
