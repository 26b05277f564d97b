/** NetworkAttachmentDefinition: what Multus reads, and what a SpiderMultusConfig is rendered to. */
import * as z from "zod";
import { type CustomResource, customResource } from "./resource.ts";
import { metadataSchema, type Wire } from "./schema.ts";

/** `apiVersion` of the Network Plumbing Working Group's kind. */
export const NETWORK_ATTACHMENT_API_VERSION = "k8s.cni.cncf.io/v1";

const schema = z.looseObject({
  apiVersion: z.literal(NETWORK_ATTACHMENT_API_VERSION).default(NETWORK_ATTACHMENT_API_VERSION),
  kind: z.literal("NetworkAttachmentDefinition").default("NetworkAttachmentDefinition"),
  metadata: metadataSchema,
  spec: z.looseObject({
    config: z.string().optional().meta({
      description: "A CNI configuration as JSON; absent: Multus looks for a file of this name.",
    }),
  }).optional().meta({ description: "The network." }),
}).meta({ description: "A network that pods can attach to with Multus." });

/** A network that pods can attach to with Multus. */
export type NetworkAttachmentDefinition = Wire<z.output<typeof schema>>;

/** The resource. */
export const NETWORK_ATTACHMENT_DEFINITIONS: CustomResource<NetworkAttachmentDefinition> =
  customResource({
    group: "k8s.cni.cncf.io",
    version: "v1",
    kind: "NetworkAttachmentDefinition",
    plural: "network-attachment-definitions",
    singular: "network-attachment-definition",
    shortName: "net-attach-def",
    categories: [],
    namespaced: true,
    hasStatus: false,
    columns: [],
    schema,
  });
