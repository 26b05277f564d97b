/** Which network the cluster itself has, as CNI configurations of the controller's node say. */
import { isRecord } from "../../api/decode.ts";
import { CONFIG_FILE_BYTES_MAX } from "../../base/limits.ts";
import { errorText } from "../../base/log.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { quoted } from "../../ipam/brief.ts";

/** Where pods' networks are read once `auto` is resolved. */
export type NetworkSource = "cluster" | "calico" | "cilium" | "none";

/** Files of the controller's node. */
export interface NodeFiles {
  /** Names of the files in a folder. @throws If it cannot be read. */
  readonly listFiles: (folder: string) => Promise<readonly string[]>;
  /** @throws If it cannot be read. */
  readonly readText: (path: string) => Promise<string>;
}

/**
 * Resolves `auto`: by the name of the network in the folder's first configuration that is not
 * Multus' own. A folder without one is a cluster without such a network. Calico and Cilium write
 * files that only root may read: the name of such a file says whose it is.
 *
 * @returns Or one sentence: what cannot be read, and what to do.
 */
export async function ownNetwork(
  folder: string,
  { listFiles, readText }: NodeFiles,
): Promise<Result<NetworkSource, string>> {
  const refuse = (what: string, error: unknown): Result<NetworkSource, string> =>
    err(
      `Cannot find the cluster's own network: ${what}: ${errorText(error)}; ` +
        `mount the node's folder of CNI configurations there, or write another spec.podCIDRType ` +
        `than "auto"`,
    );
  let name: string | undefined;
  try {
    name = (await listFiles(folder)).filter(isConfiguration).toSorted()[0];
  } catch (error) {
    return refuse(`folder ${quoted(folder)} cannot be read`, error);
  }
  if (name === undefined) return ok("none");
  const path = `${folder}/${name}`;
  try {
    return ok(sourceOf(networkName(await readText(path))));
  } catch (error) {
    const byName = error instanceof Deno.errors.PermissionDenied ? sourceOfFile(name) : undefined;
    if (byName !== undefined) return ok(byName);
    return refuse(`CNI configuration ${quoted(path)} cannot be used`, error);
  }
}

function isConfiguration(name: string): boolean {
  return /\.conf(list)?$/.test(name) && !name.includes("00-multus");
}

/** @throws {Error} If the text is no CNI configuration. */
function networkName(text: string): string {
  if (text.length > CONFIG_FILE_BYTES_MAX) throw new Error(`it has ${text.length} characters`);
  const document: unknown = JSON.parse(text);
  if (!isRecord(document)) throw new Error("it is no JSON object");
  const { name } = document;
  if (typeof name !== "string") throw new Error("it has no name");
  return name;
}

function sourceOf(network: string): NetworkSource {
  switch (network) {
    case "calico":
    case "k8s-pod-network":
      return "calico";
    case "cilium":
      return "cilium";
    case "flannel":
      return "cluster";
    default:
      return "none";
  }
}

/** Whose file `10-calico.conflist` or `05-cilium.conflist` is; `undefined`: it does not say. */
function sourceOfFile(name: string): NetworkSource | undefined {
  const network = /^\d+-(calico|cilium|flannel)\.conf(?:list)?$/.exec(name)?.[1];
  return network === undefined ? undefined : sourceOf(network);
}
