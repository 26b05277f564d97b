/** SpiderSubnet: addresses that are lent to pools. */
import * as z from "zod";
import { ADDRESS_SPACE_RULES, addressSpaceShape } from "./address_space.ts";
import { addressCountSchema, conditionsSchema } from "./parts.ts";
import { column, type CustomResource, envelope, spiderResource } from "./resource.ts";
import { cel, type Wire } from "./schema.ts";

const statusSchema = z.looseObject({
  controlledIPPools: z.string().optional().meta({
    description: "What is lent, as a JSON object from pool name to ips and, for automatic pools, " +
      "application.",
  }),
  allocatedIPCount: addressCountSchema.optional().meta({
    description: "Addresses lent to pools.",
    type: "integer",
    format: "int64",
    minimum: 0,
  }),
  totalIPCount: addressCountSchema.optional().meta({
    description: "Addresses of ips that excludeIPs does not take away.",
    type: "integer",
    format: "int64",
    minimum: 0,
  }),
  lender: z.string().optional().meta({
    description: "Which controller wrote the status, and the time of its leading that it was in.",
  }),
  conditions: conditionsSchema,
}).meta({ description: "What is lent to which pool." });

const schema = z.looseObject({
  ...envelope("SpiderSubnet"),
  spec: z.looseObject(addressSpaceShape).meta({
    description: "The addresses there are to lend.",
    ...cel(...ADDRESS_SPACE_RULES),
  }),
  status: statusSchema.optional(),
}).meta({ description: "A range of addresses from which pools are lent theirs." });

/** A range of addresses from which pools are lent theirs. */
export type SpiderSubnet = Wire<z.output<typeof schema>>;

/** Types of the conditions in a subnet's status. */
export const SUBNET_CONDITIONS = {
  /** Whether pools may be lent addresses of it. */
  ready: "Ready",
  /** True: a pool wants more addresses than there are to lend. */
  insufficient: "InsufficientAddresses",
  /** True: a pool of its network has addresses that it was not lent. */
  strayAddresses: "StrayAddresses",
} as const;

/** The resource. */
export const SPIDER_SUBNETS: CustomResource<SpiderSubnet> = spiderResource({
  kind: "SpiderSubnet",
  plural: "spidersubnets",
  shortName: "ss",
  namespaced: false,
  hasStatus: true,
  columns: [
    column("VERSION", "spec.ipVersion"),
    column("SUBNET", "spec.subnet"),
    column("ALLOCATED-IP-COUNT", "status.allocatedIPCount", { type: "integer" }),
    column("TOTAL-IP-COUNT", "status.totalIPCount", { type: "integer" }),
  ],
  schema,
});
