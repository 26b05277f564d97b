/** SpiderCoordinator: how pods with underlay NICs reach their node and the cluster's networks. */
import * as z from "zod";
import { COORDINATOR_MODES_ON_WIRE, HOST_RULE_TABLE_DEFAULT } from "./coordinator_mode.ts";
import { routesSchema } from "./parts.ts";
import { type CustomResource, envelope, spiderResource } from "./resource.ts";
import { wholeNumberSchema, type Wire } from "./schema.ts";

/** Where pod CIDRs come from. */
export const POD_CIDR_TYPES = ["auto", "cluster", "calico", "cilium", "none"] as const;

const mode = z.enum(COORDINATOR_MODES_ON_WIRE).meta({
  description: "How the pod is connected to its node: auto, underlay, overlay or disabled.",
});
const tunePodRoutes = z.boolean().meta({
  description: "Whether the routes of pods with several NICs are coordinated.",
});
const hostRuleTable = wholeNumberSchema().meta({
  description: "Routing table of the node for routes to pods.",
});
const podRPFilter = wholeNumberSchema().meta({
  description: "rp_filter inside the pod: 0, 1 or 2; negative leaves it alone.",
});
const txQueueLen = wholeNumberSchema().meta({
  description: "Transmit queue length of the NIC; 0 leaves it alone.",
});

/** `SpiderCoordinator.spec`. */
const coordinatorSpecSchema = z.looseObject({
  mode: mode.default("auto"),
  podCIDRType: z.enum(POD_CIDR_TYPES).optional().meta({
    description: "Where the pod CIDRs of the cluster are read: auto, cluster, calico, cilium or " +
      "none. Required in a SpiderCoordinator.",
  }),
  hijackCIDR: z.array(z.string()).optional().meta({
    description: "Further destinations that pods reach through their node, such as 169.254.0.0/16.",
  }),
  policyRoutes: routesSchema.optional().meta({
    description: "Routes for the policy routing table of the NIC.",
  }),
  podMACPrefix: z.string().optional().meta({
    description: "First two bytes of the pod's hardware addresses, such as 0a:1b; unicast.",
  }),
  tunePodRoutes: tunePodRoutes.default(true),
  podDefaultRouteNIC: z.string().optional().meta({
    description: "NIC that gets the pod's default route; it stays with eth0 when empty.",
  }),
  hostRuleTable: hostRuleTable.default(HOST_RULE_TABLE_DEFAULT),
  podRPFilter: podRPFilter.default(0),
  txQueueLen: txQueueLen.default(0),
  vethLinkAddress: z.string().optional().meta({
    description: "Link-local address of the pod's veth, such as 169.254.100.1; none when empty.",
  }),
  vethMTU: wholeNumberSchema({ min: 1 }).optional().meta({
    description: "MTU of the veth between pod and node.",
  }),
});

/**
 * `SpiderMultusConfig.spec.coordinator`: the same fields. None has a default, unlike in the
 * reference: what is absent is as the SpiderCoordinator says.
 */
export const coordinatorOverrideSchema = coordinatorSpecSchema.extend({
  mode: mode.optional(),
  tunePodRoutes: tunePodRoutes.optional(),
  hostRuleTable: hostRuleTable.optional(),
  podRPFilter: podRPFilter.optional(),
  txQueueLen: txQueueLen.optional(),
});

/** Fields of `SpiderCoordinator.spec`. */
export type CoordinatorSpec = Wire<z.output<typeof coordinatorSpecSchema>>;

/** Fields of `SpiderMultusConfig.spec.coordinator`. */
export type CoordinatorOverride = Wire<z.output<typeof coordinatorOverrideSchema>>;

const schema = z.looseObject({
  ...envelope("SpiderCoordinator"),
  spec: coordinatorSpecSchema.prefault({}).meta({
    description: "What coordinator plugins do unless their configuration says otherwise.",
  }),
  status: z.looseObject({
    phase: z.string().meta({ description: "Synced or NotReady." }),
    reason: z.string().optional().meta({ description: "What is missing when NotReady." }),
    overlayPodCIDR: z.array(z.string()).optional().meta({
      description: "Pod CIDRs of the cluster, found as podCIDRType says.",
    }),
    serviceCIDR: z.array(z.string()).optional().meta({
      description: "Service CIDRs of the cluster.",
    }),
  }).optional().meta({ description: "The networks of the cluster that were found." }),
}).meta({ description: "How pods with underlay NICs reach their node, other pods and services." });

/** How pods with underlay NICs reach their node, other pods and services. */
export type SpiderCoordinator = Wire<z.output<typeof schema>>;

/** Values of `status.phase`. */
export const COORDINATOR_PHASES = { synced: "Synced", notReady: "NotReady" } as const;

/** The resource. */
export const SPIDER_COORDINATORS: CustomResource<SpiderCoordinator> = spiderResource({
  kind: "SpiderCoordinator",
  plural: "spidercoordinators",
  shortName: "scc",
  namespaced: false,
  hasStatus: true,
  columns: [],
  schema,
});
