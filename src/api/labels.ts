/** Label keys, and values that fit into 63 characters. No zod. */
import type { ObjectMeta } from "../base/object_store.ts";
import { createHash } from "node:crypto";

/** SpiderIP: its pool. Compare with `labelValue(pool)`. */
export const LABEL_IP_POOL = "ipam.spidernet.io/ippool";
/** SpiderIP: the node of its pod. Compare with `labelValue(node)`. */
export const LABEL_NODE = "ipam.spidernet.io/node";
/** SpiderIP: its pod or virtual machine. Compare with `podLabelValue`. */
export const LABEL_POD = "ipam.spidernet.io/pod";
/** SpiderIP that nobody has: why it is held back, as its `spec.hold`. */
export const LABEL_HOLD = "ipam.spidernet.io/hold";

/** Pod of a Spiderpool, ours or the reference's: which of its programs it runs. */
export const LABEL_COMPONENT = "app.kubernetes.io/component";
/** Values of that of the programs that work on pools. */
export const POOL_COMPONENTS: readonly string[] = ["spiderpool-agent", "spiderpool-controller"];

/** SpiderSubnet: its CIDR in label form (`formatCidrLabel` of `src/ip`). */
export const LABEL_SUBNET_CIDR = "ipam.spidernet.io/subnet-cidr";
/** SpiderIPPool: its CIDR in label form (`formatCidrLabel` of `src/ip`). */
export const LABEL_IP_POOL_CIDR = "ipam.spidernet.io/ippool-cidr";
/** SpiderIPPool: the SpiderSubnet that lends to it. */
export const LABEL_OWNER_SUBNET = "ipam.spidernet.io/owner-spider-subnet";

/** Automatic pool: `apiVersion` of its application with `_` for `/`. */
export const LABEL_OWNER_APPLICATION_GV = "ipam.spidernet.io/owner-application-gv";
/** Automatic pool: kind of its application. */
export const LABEL_OWNER_APPLICATION_KIND = "ipam.spidernet.io/owner-application-kind";
/** Automatic pool: namespace of its application. */
export const LABEL_OWNER_APPLICATION_NAMESPACE = "ipam.spidernet.io/owner-application-namespace";
/** Automatic pool: name of its application. A pool with this label is an automatic one. */
export const LABEL_OWNER_APPLICATION_NAME = "ipam.spidernet.io/owner-application-name";
/** Automatic pool: UID of its application. */
export const LABEL_OWNER_APPLICATION_UID = "ipam.spidernet.io/owner-application-uid";
/** Automatic pool: its NIC. */
export const LABEL_INTERFACE = "ipam.spidernet.io/interface";
/** Automatic pool: `IPv4` or `IPv6`. */
export const LABEL_IP_VERSION = "ipam.spidernet.io/ip-version";
/** Automatic pool: `true` if it goes with its application, else `false`. */
export const LABEL_IP_POOL_RECLAIM = "ipam.spidernet.io/ippool-reclaim";

/**
 * Keys of an automatic pool's `podAffinity.matchLabels`. They match the pod's topmost controller,
 * not labels of the pod.
 */
export const APPLICATION_AFFINITY_LABELS = {
  group: "ipam.spidernet.io/app-api-group",
  version: "ipam.spidernet.io/app-api-version",
  kind: "ipam.spidernet.io/app-kind",
  namespace: "ipam.spidernet.io/app-namespace",
  name: "ipam.spidernet.io/app-name",
} as const;

/** Namespace: its own name, set by the API server; selectors of webhooks use it. */
export const LABEL_NAMESPACE_NAME = "kubernetes.io/metadata.name";

/** Longest value of a label, in characters. */
export const LABEL_VALUE_CHARACTERS_MAX = 63;

/** Characters of the hash at the end of a shortened value: 64 bits. */
const HASH_CHARACTERS = 16;

/**
 * The label value for a name: the name itself, or its beginning and a hash where it is too long.
 * Distinct names give distinct values but for a hash collision, so readers compare the object too.
 *
 * @param name A DNS-1123 name, at most 253 characters.
 */
export function labelValue(name: string): string {
  if (name.length <= LABEL_VALUE_CHARACTERS_MAX) return name;
  const kept = name.slice(0, LABEL_VALUE_CHARACTERS_MAX - HASH_CHARACTERS - 1);
  return `${kept}-${hashText(name, { characters: HASH_CHARACTERS })}`;
}

/** The value of `LABEL_POD`: 128 bits of hash, the same for the same namespace and name. */
export function podLabelValue(
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  return hashText(`${namespace}/${name}`, { characters: 32 });
}

/**
 * The beginning of a text's SHA-256 in hex: the same for the same text, for ever.
 *
 * @param options.characters How many digits; four bits each.
 */
export function hashText(
  text: string,
  { characters }: { readonly characters: number },
): string {
  return createHash("sha256").update(text).digest("hex").slice(0, characters);
}

/** Whether a pool was made for one application. */
export function isAutomaticPool(
  { metadata }: { readonly metadata: Pick<ObjectMeta, "labels"> },
): boolean {
  return metadata.labels?.[LABEL_OWNER_APPLICATION_NAME] !== undefined;
}
