/** SpiderCoordinator: how pods with underlay NICs reach their node and the cluster's networks. */
import * as z from "zod";
import { COORDINATOR_MODES_ON_WIRE, HOST_RULE_TABLE_DEFAULT } from "./coordinator_mode.ts";
import { routesSchema } from "./parts.ts";
import { type CustomResource, envelope, spiderResource } from "./resource.ts";
import { wholeNumberSchema, type Wire } from "./schema.ts";

/** Where pod CIDRs come from. */
export const POD_CIDR_TYPES = ["auto", "cluster", "calico", "cilium", "none"] as const;

/** Fields of `SpiderCoordinator.spec` and of `SpiderMultusConfig.spec.coordinator`. */
export const coordinatorSpecSchema = z.looseObject({
  mode: z.enum(COORDINATOR_MODES_ON_WIRE).default("auto").meta({
    description: "How the pod is connected to its node: auto, underlay, overlay or disabled.",
  }),
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
  tunePodRoutes: z.boolean().default(true).meta({
    description: "Whether the routes of pods with several NICs are coordinated.",
  }),
  podDefaultRouteNIC: z.string().optional().meta({
    description: "NIC that gets the pod's default route; it stays with eth0 when empty.",
  }),
  hostRuleTable: wholeNumberSchema().default(HOST_RULE_TABLE_DEFAULT).meta({
    description: "Routing table of the node for routes to pods.",
  }),
  podRPFilter: wholeNumberSchema().default(0).meta({
    description: "rp_filter inside the pod: 0, 1 or 2; negative leaves it alone.",
  }),
  txQueueLen: wholeNumberSchema().default(0).meta({
    description: "Transmit queue length of the NIC; 0 leaves it alone.",
  }),
  vethLinkAddress: z.string().optional().meta({
    description: "Link-local address of the pod's veth, such as 169.254.100.1; none when empty.",
  }),
  vethMTU: wholeNumberSchema({ min: 1 }).optional().meta({
    description: "MTU of the veth between pod and node.",
  }),
});

/** Fields of `SpiderCoordinator.spec` and of `SpiderMultusConfig.spec.coordinator`. */
export type CoordinatorSpec = Wire<z.output<typeof coordinatorSpecSchema>>;

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
