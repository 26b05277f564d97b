/** Puts the CNI plugins where the container runtime of a node looks for them. */
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Names that a container runtime starts; all are one file. */
export const PLUGIN_NAMES = ["spiderpool", "coordinator", "ifacer", "vlan"] as const;
/** Folder beside launchers with what they start; not there where the names are an executable. */
export const PLUGIN_RUNTIME = "spiderpool.runtime";

const DENO = "deno";
const MAIN = "main.js";
/** Files of the runtime that launchers start; what those load has a dot or a hash in its name. */
const STARTED = /^[a-z-]+\.js$/;
/** Begins the names of files that are not whole yet. */
const PART_PREFIX = ".spiderpool-install-";
/** Plugins that began with the older files have loaded all of them by then. */
const LEFTOVERS_MS = 3_000;

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
  readonly clock: Clock;
  readonly random: Random;
}

/** From where to where. */
export interface InstallWish {
  /** Folder that `deno task build` made, in either layout. */
  readonly from: string;
  /** Folder of the node's CNI plugins. */
  readonly to: string;
}

/** What was done: paths below the folder. */
export interface InstallReport {
  readonly written: readonly string[];
  readonly removed: readonly string[];
}

/** Reads `--from DIR --to DIR`. The refusal is one sentence. */
export function readInstallArguments(args: readonly string[]): Result<InstallWish, string> {
  const values = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    const name = args[index] ?? "";
    const value = args[index + 1] ?? "";
    if (name !== "--from" && name !== "--to") {
      return err(`Unknown argument "${name}" of install-plugins: use --from DIR --to DIR`);
    }
    if (value === "") return err(`Argument "${name}" of install-plugins has no folder: add one`);
    values.set(name, value);
  }
  const from = values.get("--from");
  const to = values.get("--to");
  if (from === undefined || to === undefined) {
    const missing = from === undefined ? "--from" : "--to";
    return err(`Argument "${missing}" of install-plugins is missing: use --from DIR --to DIR`);
  }
  return ok({ from, to });
}

/**
 * Installs the plugins. Each file appears whole, and in such an order that every plugin can be
 * started at every instant: what the new launchers need comes before them, what only the older ones
 * need goes after. A second run changes nothing; one that was cut off is completed by the next.
 *
 * @returns What was done, or one sentence that says what is missing; then nothing was changed.
 * @throws What `folders` throws: the installation is as far as it came.
 */
export async function installPlugins(
  { from, to }: InstallWish,
  { ports, signal }: { readonly ports: InstallPorts; readonly signal: AbortSignal },
): Promise<Result<InstallReport, string>> {
  const { folders } = ports;
  const source = await readSource(from, folders);
  if (!source.ok) return source;
  if (await folders.list(to) === undefined) {
    return err(`Cannot install plugins into "${to}": there is no such folder; mount or make it`);
  }
  const { runtime } = source.value;
  const site: Site = { from, to, ports, written: [] };
  if (runtime !== undefined) {
    if (await folders.list(`${to}/${PLUGIN_RUNTIME}`) === undefined) {
      await folders.makeFolder(`${to}/${PLUGIN_RUNTIME}`);
    }
    for (const name of runtime) await place(`${PLUGIN_RUNTIME}/${name}`, site);
  }
  for (const name of PLUGIN_NAMES) await place(name, site);
  const removed = await leftovers(runtime, site);
  // Parts are nobody's; the rest may be in use by a plugin that has just begun.
  if (removed.some((path) => !isPart(path))) await ports.clock.sleep(LEFTOVERS_MS, { signal });
  for (const path of removed) await folders.remove(`${to}/${path}`);
  return ok({ written: site.written, removed });
}

/** Does what `spiderpool-agent install-plugins` is asked for, and gives the exit code. */
export async function runInstallPlugins(
  args: readonly string[],
  { ports, signal, writeOutput, writeError }: {
    readonly ports: InstallPorts;
    readonly signal: AbortSignal;
    readonly writeOutput: (text: string) => void;
    readonly writeError: (text: string) => void;
  },
): Promise<number> {
  const wish = readInstallArguments(args);
  if (!wish.ok) {
    writeError(`${wish.error}\n`);
    return 2;
  }
  try {
    const report = await installPlugins(wish.value, { ports, signal });
    if (!report.ok) {
      writeError(`${report.error}\n`);
      return 1;
    }
    writeOutput(`${sayReport(wish.value, report.value)}\n`);
    return 0;
  } catch (error) {
    writeError(`Cannot install plugins into "${wish.value.to}": ${errorText(error)}\n`);
    return 1;
  }
}

function sayReport({ to }: InstallWish, { written, removed }: InstallReport): string {
  const names = PLUGIN_NAMES.join(", ");
  if (written.length === 0 && removed.length === 0) return `${names} in ${to} are up to date`;
  const gone = removed.length === 0 ? "" : `, removed ${removed.join(", ")}`;
  return `Installed ${names} into ${to}: wrote ${written.join(", ") || "nothing"}${gone}`;
}

/** A folder that is being installed into. */
interface Site extends InstallWish {
  readonly ports: InstallPorts;
  readonly written: string[];
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

/** Brings one file, unless it is there. */
async function place(path: string, site: Site): Promise<void> {
  const { from, to, ports: { folders, random }, written } = site;
  if (await folders.areSame({ from: `${from}/${path}`, to: `${to}/${path}` })) return;
  const part = `${to}/${PART_PREFIX}${random.bigBelow(1n << 64n).toString(16)}`;
  if (!await linkTwin(path, { site, part })) {
    await folders.copy({ from: `${from}/${path}`, to: part });
  }
  await folders.rename({ from: part, to: `${to}/${path}` });
  written.push(path);
}

/** Plugins share one file, which is large in one of the layouts; false if this one cannot. */
async function linkTwin(
  path: string,
  { site: { from, to, ports: { folders } }, part }: { readonly site: Site; readonly part: string },
): Promise<boolean> {
  const [first, ...others] = PLUGIN_NAMES;
  if (!others.some((name) => name === path)) return false;
  const twin = `${to}/${first}`;
  if (!await folders.areSame({ from: `${from}/${path}`, to: twin })) return false;
  try {
    await folders.link({ from: twin, to: part });
    return true;
  } catch {
    return false; // This file system gives a file one name only: a copy does as well.
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
