/** Whether a NetworkAttachmentDefinition says what is wanted, and whose it is. Pure. */
import { ANNOTATION_RESOURCE_NAME } from "../../api/annotations.ts";
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import { controllerOf } from "../../api/metadata.ts";
import type { SpiderMultusConfig } from "../../api/multus_config.ts";
import {
  NETWORK_ATTACHMENT_API_VERSION,
  type NetworkAttachmentDefinition,
} from "../../api/network_attachment.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import type { RenderedNetwork } from "./render.ts";

/** Annotations with these beginnings are as in the network: a surplus one is taken away. */
const KEPT_EQUAL = ["multus.spidernet.io/", "cni.spidernet.io/", ANNOTATION_RESOURCE_NAME];

/** Name of the SpiderMultusConfig that a definition belongs to, in its namespace. */
export function keeperOf(attachment: NetworkAttachmentDefinition): string | undefined {
  const owner = controllerOf(attachment);
  return owner?.kind === "SpiderMultusConfig" && owner.apiVersion === SPIDERPOOL_API_VERSION
    ? owner.name
    : undefined;
}

/** Why a definition is not this network's to write: the end of a sentence. */
export function strangerOf(
  attachment: NetworkAttachmentDefinition,
  { metadata }: SpiderMultusConfig,
): string | undefined {
  if (keeperOf(attachment) === metadata.name) return undefined;
  const owner = controllerOf(attachment);
  return owner === undefined
    ? "somebody else made it"
    : `it belongs to ${owner.kind} "${owner.name}"`;
}

/** The definition of a network that has none. */
export function newAttachment(
  network: SpiderMultusConfig,
  rendered: RenderedNetwork,
): NetworkAttachmentDefinition {
  const { namespace } = network.metadata;
  return kept({
    apiVersion: NETWORK_ATTACHMENT_API_VERSION,
    kind: "NetworkAttachmentDefinition",
    metadata: { name: rendered.name, ...namespace === undefined ? {} : { namespace } },
  }, { network, rendered });
}

/**
 * The definition as it must be: other annotations, labels and owners than ours are left alone.
 *
 * @returns `stored` itself if it is so; the order of keys in its configuration does not matter.
 */
export function mended(
  stored: NetworkAttachmentDefinition,
  wanted: { readonly network: SpiderMultusConfig; readonly rendered: RenderedNetwork },
): NetworkAttachmentDefinition {
  const next = kept(stored, wanted);
  const { config } = wanted.rendered;
  const isSaid = isSameConfig(stored.spec?.config, config);
  return isSaid && isSameJson(stored.metadata, next.metadata) ? stored : next;
}

function kept(
  stored: NetworkAttachmentDefinition,
  { network, rendered: { annotations, config } }: {
    readonly network: SpiderMultusConfig;
    readonly rendered: RenderedNetwork;
  },
): NetworkAttachmentDefinition {
  const { config: _config, ...spec } = stored.spec ?? {};
  const others = Object.entries(stored.metadata.annotations ?? {}).filter(([key]) => {
    return !KEPT_EQUAL.some((beginning) => key.startsWith(beginning));
  });
  const all = { ...Object.fromEntries(others), ...annotations };
  return {
    ...stored,
    metadata: {
      ...stored.metadata,
      annotations: Object.keys(all).length === 0 ? undefined : all, // None is stored as absence.
      ownerReferences: ownersOf(stored, network),
    },
    spec: config === undefined ? spec : { ...spec, config },
  };
}

/** The network is its controller, whatever UID it had when it was made before. */
function ownersOf(
  stored: NetworkAttachmentDefinition,
  { metadata: { name, uid } }: SpiderMultusConfig,
): NonNullable<NetworkAttachmentDefinition["metadata"]["ownerReferences"]> {
  const owners = stored.metadata.ownerReferences ?? [];
  if (owners.some((owner) => owner.controller === true && owner.uid === uid)) return owners;
  const others = owners.filter((owner) => owner.controller !== true);
  const apiVersion = SPIDERPOOL_API_VERSION;
  const kind = "SpiderMultusConfig";
  return [...others, { apiVersion, kind, name, uid: uid ?? "", controller: true }];
}

function isSameConfig(stored: string | undefined, wanted: string | undefined): boolean {
  if (stored === wanted) return true;
  const [one, other] = [parsed(stored), parsed(wanted)];
  return one !== undefined && other !== undefined && isSameJson(one, other);
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
