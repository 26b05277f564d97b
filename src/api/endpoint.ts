/** SpiderEndpoint: the addresses of one pod, by NIC. */
import * as z from "zod";
import { routesSchema } from "./parts.ts";
import { column, type CustomResource, envelope, spiderResource } from "./resource.ts";
import { cel, wholeNumberSchema, type Wire } from "./schema.ts";
import { TRUTH_FENCE, truthSchema } from "./truth_fence.ts";

const nicSchema = z.looseObject({
  interface: z.string().meta({
    description: "NIC inside the pod; empty until the ADD of a NIC that was allocated beforehand.",
  }),
  ipv4: z.string().optional().meta({ description: "Address with the prefix length of its pool." }),
  ipv6: z.string().optional().meta({ description: "Address with the prefix length of its pool." }),
  ipv4Pool: z.string().optional().meta({ description: "SpiderIPPool of ipv4." }),
  ipv6Pool: z.string().optional().meta({ description: "SpiderIPPool of ipv6." }),
  vlan: wholeNumberSchema({ format: "int64", min: 0, max: 4094 }).default(0).meta({
    description: "VLAN that a network provider assigned; 0 for none.",
    format: "int64",
  }),
  ipv4Gateway: z.string().optional().meta({ description: "Gateway of the pool of ipv4." }),
  ipv6Gateway: z.string().optional().meta({ description: "Gateway of the pool of ipv6." }),
  cleanGateway: z.boolean().optional().meta({
    description: "Whether the NIC gets no default route from its gateway.",
  }),
  routes: routesSchema.optional().meta({ description: "Routes of the NIC, of both families." }),
  mac: z.string().optional().meta({
    description: "Hardware address that a network provider assigned, as aa:bb:cc:dd:ee:ff.",
  }),
});

/** What one NIC of a pod has. */
export type EndpointNic = Wire<z.output<typeof nicSchema>>;

const statusSchema = z.looseObject({
  current: z.looseObject({
    uid: z.string().meta({ description: "UID of the pod." }),
    node: z.string().meta({ description: "Node of the pod." }),
    ips: z.array(nicSchema).meta({ description: "One entry per NIC." }),
  }).meta({ description: "What the pod has at present." }),
  ownerControllerType: z.string().meta({ description: "Kind of the topmost controller." }),
  ownerControllerName: z.string().meta({ description: "Name of the topmost controller." }),
  truth: truthSchema(
    "Set once the addresses are recorded as SpiderIPs: what is listed here gives none away alone.",
  ),
}).meta({ description: "The addresses." });

const schema = z.looseObject({
  ...envelope("SpiderEndpoint"),
  status: statusSchema.optional(),
}).meta({
  description: "The addresses of the pod of the same name, by NIC.",
  ...cel(TRUTH_FENCE),
});

/**
 * The addresses of one pod (for a KubeVirt machine: of the VirtualMachineInstance of this name).
 * `status` is no subresource: it is written with the object.
 */
export type SpiderEndpoint = Wire<z.output<typeof schema>>;

/** The resource. */
export const SPIDER_ENDPOINTS: CustomResource<SpiderEndpoint> = spiderResource({
  kind: "SpiderEndpoint",
  plural: "spiderendpoints",
  shortName: "se",
  namespaced: true,
  hasStatus: false,
  columns: [
    column("INTERFACE", "status.current.ips.0.interface"),
    column("IPV4POOL", "status.current.ips.0.ipv4Pool"),
    column("IPV4", "status.current.ips.0.ipv4"),
    column("IPV6POOL", "status.current.ips.0.ipv6Pool"),
    column("IPV6", "status.current.ips.0.ipv6"),
    column("NODE", "status.current.node"),
  ],
  schema,
});
