/** Which network each NIC of a pod is on, as Multus decides it. */
import { ANNOTATION_DEFAULT_NETWORK, ANNOTATION_NETWORKS } from "../api/annotations.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { type NetworkSelection, nicOf, readNetworks } from "../api/multus_networks.ts";
import { DEFAULT_NIC } from "../api/pod_annotations.ts";
import { ok, type Result } from "../base/result.ts";
import type { IpamSettings } from "./settings.ts";

/** One NIC of a pod: by name, and in positional mode by its position from 0. */
export interface NicPlace {
  readonly nic: string;
  readonly position?: number | undefined;
}

/** `namespace/name` of the network of a NIC, or why it is not known (a clause with the remedy). */
export type NicNetwork =
  | { readonly kind: "known"; readonly network: string }
  | { readonly kind: "unknown"; readonly reason: string };

/** What decides about networks. */
export interface NetworkFacts {
  readonly pod: Pod;
  readonly settings: Pick<IpamSettings, "agentNamespace" | "clusterNetwork">;
}

/** Whether this is the pod's first NIC, which the cluster's network is on. */
export function isFirstNic({ nic, position }: NicPlace): boolean {
  return position === undefined ? nic === DEFAULT_NIC : position === 0;
}

/** Finds the network of a NIC. */
export function networkOf(place: NicPlace, facts: NetworkFacts): NicNetwork {
  return isFirstNic(place) ? firstNetwork(facts) : furtherNetwork(place, facts);
}

/**
 * Lists the networks of the pod beside its first; the first of them is position 1.
 *
 * @returns Or what is wrong with the annotation, as one sentence.
 */
export function furtherNetworks(pod: Pod): Result<readonly NetworkSelection[], string> {
  const value = pod.metadata.annotations?.[ANNOTATION_NETWORKS];
  if (value === undefined || value.trim() === "") return ok([]);
  const namespace = pod.metadata.namespace ?? "";
  return readNetworks(value, { key: ANNOTATION_NETWORKS, namespace });
}

/** Reads the name of a network as pools and settings write it. */
export function qualifiedNetwork(
  name: string,
  { agentNamespace }: Pick<IpamSettings, "agentNamespace">,
): string {
  return name.includes("/") ? name : `${agentNamespace}/${name}`;
}

function firstNetwork({ pod, settings }: NetworkFacts): NicNetwork {
  const value = pod.metadata.annotations?.[ANNOTATION_DEFAULT_NETWORK];
  if (value !== undefined && value.trim() !== "") {
    const read = readNetworks(value, {
      key: ANNOTATION_DEFAULT_NETWORK,
      namespace: settings.agentNamespace,
    });
    if (!read.ok) return { kind: "unknown", reason: read.error };
    const [network] = read.value;
    if (network !== undefined) return known(network);
  }
  const { clusterNetwork } = settings;
  if (clusterNetwork !== "") {
    return { kind: "known", network: qualifiedNetwork(clusterNetwork, settings) };
  }
  const reason = `the pod has no annotation "${ANNOTATION_DEFAULT_NETWORK}" and the agent no ` +
    `MULTUS_CLUSTER_NETWORK`;
  return { kind: "unknown", reason };
}

function furtherNetwork({ nic, position }: NicPlace, { pod }: NetworkFacts): NicNetwork {
  const networks = furtherNetworks(pod);
  if (!networks.ok) return { kind: "unknown", reason: networks.error };
  const network = position === undefined
    ? networks.value.find((selection, index) => nicOf(selection, index) === nic)
    : networks.value[position - 1];
  if (network !== undefined) return known(network);
  return { kind: "unknown", reason: `annotation "${ANNOTATION_NETWORKS}" has no network for it` };
}

function known({ namespace, name }: NetworkSelection): NicNetwork {
  return { kind: "known", network: `${namespace}/${name}` };
}
