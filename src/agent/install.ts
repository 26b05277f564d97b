/** Puts the CNI plugins where the container runtime of a node looks for them. */
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { TellPod } from "../daemon/last_word.ts";
import { type NodePrograms, tryPlugin } from "./install_trial.ts";

/** Names that a container runtime starts; all are one file. */
export const PLUGIN_NAMES = ["spiderpool", "coordinator", "ifacer", "vlan"] as const;
/** Folder beside launchers with what they start; not there where the names are an executable. */
export const PLUGIN_RUNTIME = "spiderpool.runtime";

const DENO = "deno";
const MAIN = "main.js";
/** Files of the runtime that launchers start; what those load has a dot or a hash in its name. */
const STARTED = /^[a-z-]+\.js$/;
/** Begins the names of folders with what is not installed yet. */
export const PART_PREFIX = ".spiderpool-install-";
/** Plugins that began with the older files have loaded all of them by then. */
const LEFTOVERS_MS = 3_000;
const USAGE = "use --from DIR --to DIR [--root DIR]";

/** One file and another, or the place for it. */
export interface FilePair {
  readonly from: string;
  readonly to: string;
}

/** The folders of a node, as the installation uses them. What fails throws. */
export interface PluginFolders {
  /** Names in a folder; `undefined` if there is no such folder. */
  list(folder: string): Promise<readonly string[] | undefined>;
  /** Whether both are files of the same bytes and permissions. */
  areSame(files: FilePair): Promise<boolean>;
  /** Copies a file and its permissions to a path where nothing is; returns once it is on disk. */
  copy(files: FilePair): Promise<void>;
  /** Gives a file a second name. */
  link(files: FilePair): Promise<void>;
  /** Gives a file another name; what had that name is replaced in the same instant. */
  rename(files: FilePair): Promise<void>;
  makeFolder(folder: string): Promise<void>;
  /** Removes a file, or a folder and what is in it; nothing if there is none. */
  remove(path: string): Promise<void>;
}

/** What an installation needs of the world. */
export interface InstallPorts {
  readonly folders: PluginFolders;
  readonly programs: NodePrograms;
  readonly clock: Clock;
  readonly random: Random;
}

/** From where to where. */
export interface InstallWish {
  /** Folder that `deno task build` made, in either layout. */
  readonly from: string;
  /** Folder of the node's CNI plugins. */
  readonly to: string;
  /** Where the node's own root is seen: what is installed is tried with its loader and shell. */
  readonly root: string;
}

/** What was done: paths below the folder. */
export interface InstallReport {
  readonly written: readonly string[];
  readonly removed: readonly string[];
}

/** Reads `--from DIR --to DIR [--root DIR]`. The refusal is one sentence. */
export function readInstallArguments(args: readonly string[]): Result<InstallWish, string> {
  const values = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    const name = args[index] ?? "";
    const value = args[index + 1] ?? "";
    if (name !== "--from" && name !== "--to" && name !== "--root") {
      return err(`Unknown argument "${name}" of install-plugins: ${USAGE}`);
    }
    if (value === "") return err(`Argument "${name}" of install-plugins has no folder: add one`);
    values.set(name, value);
  }
  const from = values.get("--from");
  const to = values.get("--to");
  if (from === undefined || to === undefined) {
    const missing = from === undefined ? "--from" : "--to";
    return err(`Argument "${missing}" of install-plugins is missing: ${USAGE}`);
  }
  const root = values.get("--root") ?? "/";
  if (root === "/" || to.startsWith(`${root}/`)) return ok({ from, to, root });
  return err(
    `Cannot install plugins into "${to}": it is not below "${root}", where --root says that the ` +
      "node's files are; mount both that way",
  );
}

/**
 * Installs the plugins. All of them are first made beside the older ones, in a folder of their own,
 * and one is started there with the node's own shell and libraries: a node that cannot start it
 * keeps what it has. Then each file appears whole, and in such an order that every plugin can be
 * started at every instant: what the new launchers need comes before them, what only the older ones
 * need goes after. A second run changes nothing; one that was cut off is completed by the next.
 *
 * @returns What was done, or one sentence that says what is missing; then nothing was changed.
 * @throws What `folders` throws: the installation is as far as it came.
 */
export async function installPlugins(
  wish: InstallWish,
  { ports, signal }: { readonly ports: InstallPorts; readonly signal: AbortSignal },
): Promise<Result<InstallReport, string>> {
  const { from, to } = wish;
  const { folders, clock } = ports;
  const source = await readSource(from, folders);
  if (!source.ok) return source;
  if (await folders.list(to) === undefined) {
    return err(`Cannot install plugins into "${to}": there is no such folder; mount or make it`);
  }
  const { runtime } = source.value;
  const stage = `${to}/${PART_PREFIX}${ports.random.bigBelow(1n << 64n).toString(16)}`;
  const site: Site = { ...wish, stage, ports };
  const all = [...(runtime ?? []).map((name) => `${PLUGIN_RUNTIME}/${name}`), ...PLUGIN_NAMES];
  const written: string[] = [];
  for (const path of all) {
    if (!await folders.areSame(placesOf(path, site))) written.push(path);
  }
  if (written.length > 0) await makeStage(all, { site, written });
  const tried = await tryPlugin(`${written.length > 0 ? stage : to}/${PLUGIN_NAMES[0]}`, {
    ...wish,
    ports,
    signal,
  });
  if (!tried.ok) {
    if (written.length > 0) await folders.remove(stage);
    return tried;
  }
  if (runtime !== undefined && await folders.list(`${to}/${PLUGIN_RUNTIME}`) === undefined) {
    await folders.makeFolder(`${to}/${PLUGIN_RUNTIME}`);
  }
  for (const path of written) {
    await folders.rename({ from: `${stage}/${path}`, to: `${to}/${path}` });
  }
  if (written.length > 0) await folders.remove(stage);
  const removed = await leftovers(runtime, site);
  // Parts are nobody's; the rest may be in use by a plugin that has just begun.
  if (removed.some((path) => !isPart(path))) await clock.sleep(LEFTOVERS_MS, { signal });
  for (const path of removed) await folders.remove(`${to}/${path}`);
  return ok({ written, removed });
}

/** Does what `spiderpool-agent install-plugins` is asked for, and gives the exit code. */
export async function runInstallPlugins(
  args: readonly string[],
  { ports, signal, writeOutput, writeError, tellPod }: {
    readonly ports: InstallPorts;
    readonly signal: AbortSignal;
    readonly writeOutput: (text: string) => void;
    readonly writeError: (text: string) => void;
    readonly tellPod: TellPod;
  },
): Promise<number> {
  const wish = readInstallArguments(args);
  if (!wish.ok) {
    writeError(`${wish.error}\n`);
    return 2;
  }
  const report = await installPlugins(wish.value, { ports, signal }).catch((error: unknown) => {
    return err(`Cannot install plugins into "${wish.value.to}": ${errorText(error)}`);
  });
  if (!report.ok) {
    writeError(`${report.error}\n`);
    await tellPod(report.error, { reason: "PluginsNotInstalled" });
    return 1;
  }
  writeOutput(`${sayReport(wish.value, report.value)}\n`);
  return 0;
}

function sayReport({ to }: InstallWish, { written, removed }: InstallReport): string {
  const names = PLUGIN_NAMES.join(", ");
  if (written.length === 0 && removed.length === 0) return `${names} in ${to} are up to date`;
  const gone = removed.length === 0 ? "" : `, removed ${removed.join(", ")}`;
  return `Installed ${names} into ${to}: wrote ${written.join(", ") || "nothing"}${gone}`;
}

/** A folder that is being installed into. */
interface Site extends InstallWish {
  /** Folder in it where the new files are made. */
  readonly stage: string;
  readonly ports: InstallPorts;
}

function placesOf(path: string, { from, to }: Site): FilePair {
  return { from: `${from}/${path}`, to: `${to}/${path}` };
}

/** Files of the runtime in the order in which they must appear; `undefined` without a runtime. */
async function readSource(
  from: string,
  folders: PluginFolders,
): Promise<Result<{ readonly runtime: readonly string[] | undefined }, string>> {
  const names = await folders.list(from);
  if (names === undefined) {
    return err(
      `Cannot install plugins from "${from}": there is no such folder; give the folder ` +
        "that deno task build made",
    );
  }
  const missing = PLUGIN_NAMES.find((name) => !names.includes(name));
  if (missing !== undefined) return err(sayMissing(`${from}/${missing}`));
  const runtime = await folders.list(`${from}/${PLUGIN_RUNTIME}`);
  if (runtime === undefined) return ok({ runtime });
  const lacking = [DENO, MAIN].find((name) => !runtime.includes(name));
  if (lacking !== undefined) return err(sayMissing(`${from}/${PLUGIN_RUNTIME}/${lacking}`));
  const started = runtime.filter((name) => STARTED.test(name));
  const loaded = runtime.filter((name) => name !== DENO && !STARTED.test(name));
  return ok({ runtime: [...loaded, DENO, ...started] });
}

function sayMissing(path: string): string {
  return `Cannot install plugins: "${path}" is missing; make the folder with deno task build`;
}

/** Makes all files where nobody looks for them. @param options.written Those that differ. */
async function makeStage(
  all: readonly string[],
  { site, written }: { readonly site: Site; readonly written: readonly string[] },
): Promise<void> {
  const { from, to, stage, ports: { folders } } = site;
  await folders.makeFolder(stage);
  const hasRuntime = all.some((path) => path.startsWith(`${PLUGIN_RUNTIME}/`));
  if (hasRuntime) await folders.makeFolder(`${stage}/${PLUGIN_RUNTIME}`);
  for (const path of all) {
    const place = `${stage}/${path}`;
    const twin = written.includes(path) ? await twinOf(path, site) : `${to}/${path}`;
    if (twin !== undefined && await hasLinked({ from: twin, to: place }, folders)) continue;
    await folders.copy({ from: `${from}/${path}`, to: place });
  }
}

/** Plugins share one file, which is large in one of the layouts: the one that is there already. */
async function twinOf(
  path: string,
  { from, to, stage, ports: { folders } }: Site,
): Promise<string | undefined> {
  const [first, ...others] = PLUGIN_NAMES;
  if (!others.some((name) => name === path)) return undefined;
  for (const twin of [`${to}/${first}`, `${stage}/${first}`]) {
    if (await folders.areSame({ from: `${from}/${path}`, to: twin })) return twin;
  }
  return undefined;
}

/** Gives a file a second name; false where the file system gives a file one name only. */
async function hasLinked(files: FilePair, folders: PluginFolders): Promise<boolean> {
  try {
    await folders.link(files);
    return true;
  } catch {
    return false;
  }
}

/** What is of an older version, or of an installation that was cut off. */
async function leftovers(
  runtime: readonly string[] | undefined,
  { to, ports: { folders } }: Site,
): Promise<readonly string[]> {
  const parts = (await folders.list(to) ?? []).filter(isPart);
  const there = await folders.list(`${to}/${PLUGIN_RUNTIME}`);
  if (there === undefined) return parts;
  if (runtime === undefined) return [...parts, PLUGIN_RUNTIME];
  const old = there.filter((name) => !runtime.includes(name));
  return [...parts, ...old.map((name) => `${PLUGIN_RUNTIME}/${name}`)];
}

function isPart(path: string): boolean {
  return path.startsWith(PART_PREFIX);
}
