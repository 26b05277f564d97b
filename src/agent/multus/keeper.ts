/** Keeps Multus configured on a node, for as long as it is told to. */
import type { Clock } from "../../base/clock.ts";
import { MULTUS_LOOK_MS, MULTUS_RETRY_MS } from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { defaultNetwork, type NodeFiles } from "../../daemon/default_network.ts";
import { quoted } from "../../ipam/brief.ts";
import {
  configurationText,
  kubeconfigText,
  MULTUS_CONFIGURATION,
  MULTUS_FOLDER,
  MULTUS_KUBECONFIG,
  ownerOf,
  serverOf,
} from "./files.ts";

/** Folder of a pod's own credentials. */
const CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Only root of the node reads the token. */
const SECRET_MODE = 0o600;
const OPEN_MODE = 0o644;

/** Files of a node that are written. What fails throws. */
export interface MultusFiles extends NodeFiles {
  readonly isThere: (path: string) => Promise<boolean>;
  /** Permission bits of a file; `undefined` if there is none. */
  readonly modeOf: (path: string) => Promise<number | undefined>;
  readonly makeFolder: (path: string) => Promise<void>;
  /** Gives a file this text and these permissions, in one instant; it is on disk then. */
  readonly writeWhole: (
    path: string,
    options: { readonly text: string; readonly mode: number },
  ) => Promise<void>;
  /** Removes a file, if it is there. */
  readonly remove: (path: string) => Promise<void>;
}

/** What is kept. */
export interface MultusWish {
  /** The node's folder of CNI configurations, as it is seen here. */
  readonly confFolder: string;
  readonly binFolder: string;
  /** A file of the container that is there while Multus is configured: the kubelet looks for it. */
  readonly readyFile: string;
  readonly namespace: string;
  /** Name of the network of all pods' first NIC; empty: the cluster's default network. */
  readonly clusterNetwork: string;
  /** The API server, as the environment of a pod names it. */
  readonly host: string;
  readonly port: string;
}

/** What the keeper needs of the world. */
export interface MultusPorts {
  readonly files: MultusFiles;
  readonly clock: Clock;
  readonly log: Log;
  /** Tells people, beside the log. */
  readonly tell: (sentence: string) => Promise<void>;
}

/**
 * Looks until the signal aborts: every ten seconds, and every two while Multus is not configured. A
 * look that comes to nothing is one sentence in the log and one Event, once for each reason.
 *
 * @throws The signal's reason.
 */
export async function keepMultus(
  wish: MultusWish,
  { ports, signal }: { readonly ports: MultusPorts; readonly signal: AbortSignal },
): Promise<never> {
  const { clock, log } = ports;
  let said = "";
  for (;;) {
    const looked = await lookAndMark(wish, ports);
    const word = looked.ok ? looked.value : looked.error;
    if (word !== said) {
      if (looked.ok) log.info(word);
      else {
        log.warn("Multus is not configured", { problem: word });
        await ports.tell(word);
      }
      said = word;
    }
    await clock.sleep(looked.ok ? MULTUS_LOOK_MS : MULTUS_RETRY_MS, { signal });
  }
}

/** One look, and the file by which a kubelet knows how it ended. */
async function lookAndMark(
  wish: MultusWish,
  { files }: Pick<MultusPorts, "files">,
): Promise<Result<string, string>> {
  const { readyFile: path } = wish;
  const looked = await look(wish, { files });
  try {
    if (!looked.ok) await files.remove(path);
    else if (!await files.isThere(path)) {
      await files.writeWhole(path, { text: "", mode: OPEN_MODE });
    }
    return looked;
  } catch (error) {
    return err(`Cannot say whether Multus is configured: ${errorText(error)}`);
  }
}

/** One look: writes what differs. @returns What is so now, or one sentence that says why not. */
export async function look(
  wish: MultusWish,
  { files }: Pick<MultusPorts, "files">,
): Promise<Result<string, string>> {
  const { confFolder, binFolder } = wish;
  const refuse = (why: string): Result<string, string> =>
    err(`Cannot configure Multus on this node: ${why}`);
  try {
    const other = await otherConfiguration(wish, files);
    if (other !== undefined) return ok(`Multus is somebody else's here, as ${other} says`);
    const program = `${binFolder}/multus`;
    if (!await files.isThere(program)) {
      return refuse(
        `program ${quoted(program)} is not there; install it, as manifests/multus does`,
      );
    }
    await keepKubeconfig(wish, files);
    const path = `${confFolder}/${MULTUS_CONFIGURATION}`;
    const network = await networkFor(wish, files);
    if (!network.ok) {
      // What was written goes on to hold: the network may be away for a moment only.
      const isKept = await files.isThere(path);
      return refuse(isKept ? `${network.error}; ${quoted(path)} stays as it is` : network.error);
    }
    const text = configurationText({ ...wish, clusterNetwork: network.value });
    await keepFile({ path, text, mode: OPEN_MODE }, files);
    return ok(`Multus is configured with network ${quoted(network.value)}`);
  } catch (error) {
    return refuse(errorText(error));
  }
}

/** The first configuration of Multus that is not of this installation. */
async function otherConfiguration(
  { confFolder, namespace }: MultusWish,
  files: MultusFiles,
): Promise<string | undefined> {
  for (const name of (await files.listFiles(confFolder)).toSorted()) {
    if (!/\.(?:conf|conflist|json)$/.test(name)) continue;
    const path = `${confFolder}/${name}`;
    if (ownerOf(await files.readText(path), { namespace }) === "other") return path;
  }
  return undefined;
}

async function keepKubeconfig(
  { confFolder, host, port }: MultusWish,
  files: MultusFiles,
): Promise<void> {
  const [authority, token] = await Promise.all([
    files.readText(`${CREDENTIALS}/ca.crt`),
    files.readText(`${CREDENTIALS}/token`),
  ]);
  const text = kubeconfigText({ server: serverOf({ host, port }), authority, token: token.trim() });
  const folder = `${confFolder}/${MULTUS_FOLDER}`;
  if (!await files.isThere(folder)) await files.makeFolder(folder);
  await keepFile({ path: `${folder}/${MULTUS_KUBECONFIG}`, text, mode: SECRET_MODE }, files);
}

/** The network of every pod's first NIC. */
async function networkFor(
  { confFolder, clusterNetwork }: MultusWish,
  files: MultusFiles,
): Promise<Result<string, string>> {
  // Multus looks for it in its own namespace, or by its name alone.
  if (clusterNetwork !== "") return ok(clusterNetwork.split("/").at(-1) ?? clusterNetwork);
  const found = await defaultNetwork(confFolder, files);
  if (!found.ok) return found;
  if (found.value !== undefined) return ok(found.value.name);
  return err(
    `no default network is in ${quoted(confFolder)} yet; install one, or write clusterNetwork ` +
      "into the ConfigMap",
  );
}

async function keepFile(
  { path, ...wanted }: { readonly path: string; readonly text: string; readonly mode: number },
  files: MultusFiles,
): Promise<void> {
  const isSame = await files.modeOf(path) === wanted.mode &&
    await files.readText(path) === wanted.text;
  if (!isSame) await files.writeWhole(path, wanted);
}
