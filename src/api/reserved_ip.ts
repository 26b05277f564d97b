/** SpiderReservedIP: addresses that no pool gives out. */
import * as z from "zod";
import { ipVersionSchema, ofFamily } from "./address_space.ts";
import { rangesSchema } from "./parts.ts";
import { column, type CustomResource, envelope, spiderResource } from "./resource.ts";
import { cel, type Wire } from "./schema.ts";

/** What the rule of the ranges says when it refuses. */
export const RESERVED_FAMILY_MESSAGE = "ips has an entry that is not of the family in ipVersion";

const specSchema = z.looseObject({
  ipVersion: ipVersionSchema,
  ips: rangesSchema.optional().meta({
    description: "Addresses to keep free, each entry as 10.6.0.10 or 10.6.0.10-10.6.0.20.",
  }),
}).meta({
  description: "The reserved addresses.",
  ...cel({
    rule: "!has(self.ipVersion) || !has(self.ips) || " +
      ofFamily("self.ips", { isIpv6: "self.ipVersion == 6" }),
    message: RESERVED_FAMILY_MESSAGE,
    fieldPath: ".ips",
  }),
});

/** Fields of `spec`: a server says nothing to another one, and drops it. */
export const SPIDER_RESERVED_IP_SPEC_FIELDS: readonly string[] = Object.keys(specSchema.shape);

const schema = z.looseObject({
  ...envelope("SpiderReservedIP"),
  spec: specSchema,
}).meta({ description: "Addresses that no pool gives out, whatever its ranges say." });

/** Addresses that no pool gives out. */
export type SpiderReservedIp = Wire<z.output<typeof schema>>;

/** The resource. */
export const SPIDER_RESERVED_IPS: CustomResource<SpiderReservedIp> = spiderResource({
  kind: "SpiderReservedIP",
  plural: "spiderreservedips",
  shortName: "sr",
  namespaced: false,
  hasStatus: false,
  columns: [column("VERSION", "spec.ipVersion")],
  schema,
});
