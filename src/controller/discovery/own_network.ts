/** Which network the cluster itself has, as CNI configurations of the controller's node say. */
import { err, ok, type Result } from "../../base/result.ts";
import { defaultNetwork, type NodeFiles } from "../../daemon/default_network.ts";

export type { NodeFiles } from "../../daemon/default_network.ts";

/** Where pods' networks are read once `auto` is resolved. */
export type NetworkSource = "cluster" | "calico" | "cilium" | "none";

/**
 * Resolves `auto`: by the name of the cluster's default network. A folder without one is a cluster
 * without such a network.
 *
 * @returns Or one sentence: what cannot be read, and what to do.
 */
export async function ownNetwork(
  folder: string,
  files: NodeFiles,
): Promise<Result<NetworkSource, string>> {
  const found = await defaultNetwork(folder, files);
  if (found.ok) return ok(sourceOf(found.value?.name));
  return err(
    `Cannot find the cluster's own network: ${found.error}; mount the node's folder of CNI ` +
      'configurations there, or write another spec.podCIDRType than "auto"',
  );
}

function sourceOf(network: string | undefined): NetworkSource {
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
