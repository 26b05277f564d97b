/** The two files that Multus reads on a node: what they say, and whose they are. Pure. */
import { isRecord } from "../../api/decode.ts";

/** Name of Multus' configuration: the first in its folder for every container runtime. */
export const MULTUS_CONFIGURATION = "00-multus.conf";
/** Folder beside it, and the kubeconfig in it. */
export const MULTUS_FOLDER = "multus.d";
/** Name of the kubeconfig in that folder. */
export const MULTUS_KUBECONFIG = "multus.kubeconfig";
/** Where the node itself has its configurations: Multus runs there, not in a container. */
const NODE_FOLDER = "/etc/cni/net.d";

/**
 * Multus' configuration.
 *
 * @source spiderpool `charts/spiderpool/files/multus/entrypoint.sh`, but for `logLevel`, which is
 *   "debug" there whatever is set.
 */
export function configurationText(
  { clusterNetwork, namespace }: { readonly clusterNetwork: string; readonly namespace: string },
): string {
  const configuration = {
    cniVersion: "0.3.1",
    name: "multus-cni-network",
    type: "multus",
    confDir: NODE_FOLDER,
    logLevel: "error",
    logFile: "/var/log/multus.log",
    capabilities: { portMappings: true, bandwidth: true },
    namespaceIsolation: false,
    clusterNetwork,
    defaultNetworks: [],
    multusNamespace: namespace,
    systemNamespaces: [],
    kubeconfig: `${NODE_FOLDER}/${MULTUS_FOLDER}/${MULTUS_KUBECONFIG}`,
  };
  return `${JSON.stringify(configuration, undefined, 2)}\n`;
}

/** Whose a configuration of Multus is; `none`: the text is no configuration of it. */
export function ownerOf(
  text: string,
  { namespace }: { readonly namespace: string },
): "ours" | "other" | "none" {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "none";
  }
  if (!isRecord(value)) return "none";
  const [first] = Array.isArray(value.plugins) ? value.plugins : [value];
  if (!isRecord(first) || typeof first.type !== "string") return "none";
  if (!["multus", "multus-shim"].includes(first.type)) return "none";
  return first.multusNamespace === namespace ? "ours" : "other";
}

/** A kubeconfig with a token. @param access.authority PEM. */
export function kubeconfigText(
  { server, authority, token }: {
    readonly server: string;
    readonly authority: string;
    readonly token: string;
  },
): string {
  const data = new TextEncoder().encode(authority).toBase64();
  return [
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    "- name: local",
    "  cluster:",
    `    server: ${JSON.stringify(server)}`,
    `    certificate-authority-data: ${data}`,
    "users:",
    "- name: multus",
    "  user:",
    `    token: ${JSON.stringify(token)}`,
    "contexts:",
    "- name: multus-context",
    "  context:",
    "    cluster: local",
    "    user: multus",
    "current-context: multus-context",
    "",
  ].join("\n");
}

/** Address of the API server, as a pod's environment has it; IPv6 in brackets. */
export function serverOf({ host, port }: { readonly host: string; readonly port: string }): string {
  return `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
