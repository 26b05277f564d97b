/** Takes Spiderpool off a node. */
import { errorText, type Log } from "../../base/log.ts";
import { quoted } from "../../ipam/brief.ts";
import { PART_PREFIX, PLUGIN_NAMES, PLUGIN_RUNTIME } from "../install.ts";
import {
  MULTUS_CONFIGURATION,
  MULTUS_FOLDER,
  MULTUS_KUBECONFIG,
  ownerOf,
} from "../multus/files.ts";
import { thirdPartyTraces } from "../third_party/removal.ts";

/** Files of a node. What fails throws. */
export interface RemovalFiles {
  /** Names in a folder; `undefined` if there is no such folder. */
  readonly list: (folder: string) => Promise<readonly string[] | undefined>;
  readonly readText: (path: string) => Promise<string>;
  /** As of `ThirdPartyFiles`. */
  readonly digestOf: (path: string) => Promise<string | undefined>;
  /** Removes a file, or a folder and what is in it; nothing if there is none. */
  readonly remove: (path: string) => Promise<void>;
}

/** Something of ours in the kernel. */
export interface Trace {
  /** As `ip` prints it. */
  readonly text: string;
  /** @throws If the kernel refuses. */
  readonly remove: () => void;
}

/** Folders of the node, as they are seen here. */
export interface RemovalWish {
  readonly binFolder: string;
  readonly confFolder: string;
  /** Of the agent's socket, and of the coordinators' records. */
  readonly runFolder: string;
  /** Of the installation: its Multus has it in its configuration. */
  readonly namespace: string;
}

/** What removing needs of the world. */
export interface RemovalPorts {
  readonly files: RemovalFiles;
  /** Rules and routes of ours. @throws If they cannot be listed. */
  readonly traces: () => readonly Trace[];
  readonly log: Log;
}

/** Removes all of it. @returns What could not be removed, a sentence each. */
export async function removeFromNode(
  wish: RemovalWish,
  ports: RemovalPorts,
): Promise<readonly string[]> {
  const { files, traces, log } = ports;
  const failures: string[] = [];
  async function attempt(what: string, body: () => unknown): Promise<void> {
    try {
      await body();
    } catch (error) {
      failures.push(`Cannot remove ${what}: ${errorText(error)}`);
    }
  }
  async function removeFiles(folder: string, names: readonly string[]): Promise<void> {
    const there = await files.list(folder) ?? [];
    for (const name of names.filter((one) => there.includes(one))) {
      const path = `${folder}/${name}`;
      await attempt(quoted(path), async () => {
        await files.remove(path);
        log.info("removed", { path });
      });
    }
  }
  const { binFolder, confFolder, runFolder } = wish;
  await attempt("Multus", async () => {
    if (await ownerOfMultus(wish, files) !== "ours") return;
    await removeFiles(confFolder, [MULTUS_CONFIGURATION]);
    await removeFiles(`${confFolder}/${MULTUS_FOLDER}`, [MULTUS_KUBECONFIG]);
    const rest = await files.list(`${confFolder}/${MULTUS_FOLDER}`);
    if (rest?.length === 0) await removeFiles(confFolder, [MULTUS_FOLDER]);
  });
  await attempt(`third parties' plugins in ${quoted(binFolder)}`, async () => {
    const { plugins, rest } = await thirdPartyTraces(binFolder, files);
    const isStarted = await ownerOfMultus(wish, files) === "other";
    const ours = plugins.filter((name) => !(name === "multus" && isStarted));
    await removeFiles(binFolder, ours);
    const there = await files.list(binFolder) ?? [];
    // What could not be removed is found by the next run.
    if (!ours.some((name) => there.includes(name))) await removeFiles(binFolder, rest);
  });
  await attempt(`the plugins in ${quoted(binFolder)}`, async () => {
    const parts = (await files.list(binFolder) ?? []).filter((name) =>
      name.startsWith(PART_PREFIX)
    );
    await removeFiles(binFolder, [...PLUGIN_NAMES, PLUGIN_RUNTIME, ...parts]);
  });
  await attempt(`what is in ${quoted(runFolder)}`, async () => {
    // The folder itself is mounted here.
    await removeFiles(runFolder, await files.list(runFolder) ?? []);
  });
  await attempt("rules and routes", async () => {
    for (const { text, remove } of traces()) {
      await attempt(quoted(text), () => {
        remove();
        log.info("removed", { trace: text });
      });
    }
  });
  return failures;
}

/** Whose the configuration of Multus is, if there is one. */
async function ownerOfMultus(
  { confFolder, namespace }: RemovalWish,
  files: RemovalFiles,
): Promise<ReturnType<typeof ownerOf>> {
  const names = await files.list(confFolder) ?? [];
  if (!names.includes(MULTUS_CONFIGURATION)) return "none";
  const text = await files.readText(`${confFolder}/${MULTUS_CONFIGURATION}`);
  return ownerOf(text, { namespace });
}
