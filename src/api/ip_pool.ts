/** SpiderIPPool: addresses that pods may get, and which pods may get them. */
import * as z from "zod";
import { ADDRESS_SPACE_RULES, addressSpaceShape } from "./address_space.ts";
import { addressCountSchema, conditionsSchema, labelSelectorSchema } from "./parts.ts";
import { column, type CustomResource, envelope, spiderResource } from "./resource.ts";
import { cel, type Wire } from "./schema.ts";
import { TRUTH_FENCE, truthSchema } from "./truth_fence.ts";

const atomicMap = { "x-kubernetes-map-type": "atomic" };

const specSchema = z.looseObject({
  ...addressSpaceShape,
  podAffinity: labelSelectorSchema.optional().meta({
    description: "Pods that may use the pool; all when absent.",
    ...atomicMap,
  }),
  namespaceAffinity: labelSelectorSchema.optional().meta({
    description: "Namespaces that may use the pool; ignored when namespaceName is not empty.",
    ...atomicMap,
  }),
  namespaceName: z.array(z.string()).optional().meta({
    description: "Namespaces that may use the pool, by name.",
  }),
  nodeAffinity: labelSelectorSchema.optional().meta({
    description: "Nodes that may use the pool; ignored when nodeName is not empty.",
    ...atomicMap,
  }),
  nodeName: z.array(z.string()).optional().meta({
    description: "Nodes that may use the pool, by name.",
  }),
  multusName: z.array(z.string()).optional().meta({
    description: "NetworkAttachmentDefinitions whose NICs may use the pool, as namespace/name; " +
      "a bare name is one in Spiderpool's namespace.",
  }),
  default: z.boolean().default(false).meta({
    description: "Whether pods that ask for no pool may use this one.",
  }),
  disable: z.boolean().default(false).meta({
    description: "Whether nothing new is given out; addresses in use stay valid.",
  }),
}).meta({ description: "What the pool gives to whom.", ...cel(...ADDRESS_SPACE_RULES) });

/** Fields of a pool's `spec`: a server says nothing to another one, and drops it. */
export const SPIDER_IP_POOL_SPEC_FIELDS: readonly string[] = Object.keys(specSchema.shape);

const statusSchema = z.looseObject({
  allocatedIPs: z.string().optional().meta({
    description:
      "Addresses in use, as a JSON object from address to pod and podUid. A copy of the " +
      "SpiderIPs for people and tools; left out for very large pools.",
  }),
  allocatedIPCount: addressCountSchema.optional().meta({
    description: "Addresses in use.",
    type: "integer",
    format: "int64",
    minimum: 0,
  }),
  totalIPCount: addressCountSchema.optional().meta({
    description: "Addresses that pods may have: ips less excludeIPs and the gateway.",
    type: "integer",
    format: "int64",
    minimum: 0,
  }),
  freeIPCount: addressCountSchema.optional().meta({
    description: "Those of them that are neither in use nor reserved.",
    type: "integer",
    format: "int64",
    minimum: 0,
  }),
  truth: truthSchema(
    "Set once the pool's addresses are recorded as SpiderIPs and only there; never taken away.",
  ),
  conditions: conditionsSchema,
}).meta({ description: "What is known of the pool; derived, never read back." });

const schema = z.looseObject({
  ...envelope("SpiderIPPool"),
  spec: specSchema,
  status: statusSchema.optional(),
}).meta({ description: "A pool of addresses for pods.", ...cel(TRUTH_FENCE) });

/** A pool of addresses for pods. */
export type SpiderIpPool = Wire<z.output<typeof schema>>;

/** Types of the conditions in a pool's status. */
export const POOL_CONDITIONS = {
  /** Whether pods may get addresses of it, if one is free. */
  ready: "Ready",
  /** Whether none is free. */
  exhausted: "Exhausted",
  /** Whether few are free, or none. */
  nearlyExhausted: "NearlyExhausted",
  /** Whether the spec contradicts itself: nothing is given out of the pool. */
  invalid: "Invalid",
  /** True: the pool must not be used; the same reason stands in `ANNOTATION_NOT_USABLE`. */
  notUsable: "NotUsable",
  /** True: too many records for one object, so `allocatedIPs` is left out. */
  recordsOmitted: "RecordsOmitted",
  /** True: a SpiderIP of the pool lies outside its ranges and stays until its pod ends. */
  addressesOutside: "AddressesOutside",
} as const;

/** The resource. */
export const SPIDER_IP_POOLS: CustomResource<SpiderIpPool> = spiderResource({
  kind: "SpiderIPPool",
  plural: "spiderippools",
  shortName: "sp",
  namespaced: false,
  hasStatus: true,
  columns: [
    column("VERSION", "spec.ipVersion"),
    column("SUBNET", "spec.subnet"),
    column("ALLOCATED-IP-COUNT", "status.allocatedIPCount", { type: "integer" }),
    column("TOTAL-IP-COUNT", "status.totalIPCount", { type: "integer" }),
    column("DEFAULT", "spec.default", { type: "boolean" }),
    column("FREE-IP-COUNT", "status.freeIPCount", { type: "integer", priority: 10 }),
    column("DISABLE", "spec.disable", { type: "boolean", priority: 10 }),
    column("NodeName", "spec.nodeName", { priority: 10 }),
    column("MultusName", "spec.multusName", { priority: 10 }),
    column("APP-NAMESPACE", [
      "spec",
      "podAffinity",
      "matchLabels",
      "ipam.spidernet.io/app-namespace",
    ], { priority: 10 }),
  ],
  schema,
});
