/** The cluster's own network, by the CNI configurations of a node: one rule for all who ask. */
import { isRecord } from "../api/decode.ts";
import { CONFIG_FILE_BYTES_MAX } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { quoted } from "../ipam/brief.ts";

/** Files of a node. */
export interface NodeFiles {
  /** Names of the files in a folder, folders in it apart. @throws If it cannot be read. */
  readonly listFiles: (folder: string) => Promise<readonly string[]>;
  /** @throws If it cannot be read. */
  readonly readText: (path: string) => Promise<string>;
}

/** The network that a container runtime gives pods where Multus is not asked. */
export interface DefaultNetwork {
  readonly path: string;
  readonly name: string;
  /** What makes it: the first plugin's type; empty where none is named. */
  readonly type: string;
}

/** Files that only root may read, by the names that those who install the networks give them. */
const KNOWN_FILES = /^\d+-(calico|cilium|flannel)\.conf(?:list)?$/;
/** What Calico calls its network. */
const CALICO_NETWORK = "k8s-pod-network";
/** As Multus calls itself in configurations. */
const MULTUS_TYPES: ReadonlySet<string> = new Set(["multus", "multus-shim"]);

/**
 * Finds the default network: the first file, by name, that a runtime reads (`.conf`, `.conflist`,
 * `.json`) and that is not of Multus, by its name or by what is in it. Of a file that only root may
 * read, its name says whose it is.
 *
 * @returns `undefined` if there is none; or what cannot be read, as it reads after a colon.
 * @source containernetworking/cni `libcni/conf.go`, `ConfFiles`. The reference has three rules that
 *   differ in `.json` and in the names of Multus' files.
 */
export async function defaultNetwork(
  folder: string,
  { listFiles, readText }: NodeFiles,
): Promise<Result<DefaultNetwork | undefined, string>> {
  let names: readonly string[];
  try {
    names = (await listFiles(folder)).filter(isConfiguration).toSorted();
  } catch (error) {
    return err(`folder ${quoted(folder)} cannot be read: ${errorText(error)}`);
  }
  for (const name of names) {
    const path = `${folder}/${name}`;
    try {
      const network = readNetwork(await readText(path));
      if (!MULTUS_TYPES.has(network.type)) return ok({ path, ...network });
    } catch (error) {
      const known = error instanceof Deno.errors.PermissionDenied
        ? KNOWN_FILES.exec(name)?.[1]
        : undefined;
      if (known !== undefined) {
        return ok({ path, name: known === "calico" ? CALICO_NETWORK : known, type: "" });
      }
      return err(`CNI configuration ${quoted(path)} cannot be used: ${errorText(error)}`);
    }
  }
  return ok(undefined);
}

function isConfiguration(name: string): boolean {
  return /\.(?:conf|conflist|json)$/.test(name) && !/multus/i.test(name);
}

/** @throws {Error} If the text is no CNI configuration. */
function readNetwork(text: string): Omit<DefaultNetwork, "path"> {
  if (text.length > CONFIG_FILE_BYTES_MAX) throw new Error(`it has ${text.length} characters`);
  const document: unknown = JSON.parse(text);
  if (!isRecord(document)) throw new Error("it is no JSON object");
  const { name, plugins } = document;
  const [first] = Array.isArray(plugins) ? plugins : [document];
  const type = isRecord(first) && typeof first.type === "string" ? first.type : "";
  // Multus' own need no name: nobody goes by it.
  if (typeof name !== "string" && !MULTUS_TYPES.has(type)) throw new Error("it has no name");
  return { name: typeof name === "string" ? name : "", type };
}
