/** CNI configurations of a node, as who sets nodes up writes them. */
import { type Installation, onNode } from "../ipam/installation.ts";

const FOLDER = "/etc/cni/net.d";

/** Writes a configuration, whole at once: a container runtime reads these files as they change. */
export async function writeConfiguration(
  site: Installation,
  node: string,
  { file, config }: { readonly file: string; readonly config: unknown },
): Promise<void> {
  const script = `printf '%s' "$2" >"$1.part"; mv "$1.part" "$1"`;
  await onNode(site, node, { script, args: [`${FOLDER}/${file}`, JSON.stringify(config)] });
}

/** Removes a configuration. */
export async function removeConfiguration(
  site: Installation,
  node: string,
  file: string,
): Promise<void> {
  await onNode(site, node, { script: `rm "$1"`, args: [`${FOLDER}/${file}`] });
}

/** Makes Multus give eth0 of pods that say nothing to a network of its namespace. */
export async function setClusterNetwork(
  site: Installation,
  node: string,
  clusterNetwork: string,
): Promise<void> {
  const file = "00-multus.conf";
  const text = await onNode(site, node, { script: `cat "$1"`, args: [`${FOLDER}/${file}`] });
  await writeConfiguration(site, node, { file, config: { ...JSON.parse(text), clusterNetwork } });
}
