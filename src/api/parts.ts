/** Small schemas that several kinds contain. */
import * as z from "zod";
import { POOL_RANGES_MAX, ROUTES_MAX } from "../base/limits.ts";
import { textSchema, wholeNumberSchema, type Wire } from "./schema.ts";

/** One entry of `ips` or `excludeIPs`: `10.6.0.10` or `10.6.0.10-10.6.0.20`. */
export const rangesSchema = z.array(
  textSchema({ max: 96, write: 'an address or a range, such as "10.6.0.10-10.6.0.20"' }),
).max(POOL_RANGES_MAX);

/** A network: `10.6.0.0/16`. */
export const networkSchema = textSchema({ max: 64, write: 'a network, such as "10.6.0.0/16"' });

/** A next hop: `10.6.0.1`. */
export const hopSchema = textSchema({ max: 64, write: 'an address, such as "10.6.0.1"' });

/** An extra route. */
export const routeSchema = z.looseObject({
  dst: networkSchema.meta({ description: "Destination: a CIDR such as 10.100.0.0/16." }),
  gw: hopSchema.meta({ description: "Next hop: an address of the same family as dst." }),
});

/** An extra route. */
export type Route = Wire<z.output<typeof routeSchema>>;

/** Extra routes of a pool, a subnet, a NIC or a coordinator. */
export const routesSchema = z.array(routeSchema).max(ROUTES_MAX);

const requirementSchema = z.looseObject({
  key: z.string().meta({ description: "Label key that the requirement is about." }),
  operator: z.string().meta({ description: "In, NotIn, Exists or DoesNotExist." }),
  values: z.array(z.string()).optional().meta({
    description: "Label values: at least one for In and NotIn, none for Exists and DoesNotExist.",
    "x-kubernetes-list-type": "atomic",
  }),
});

/**
 * A Kubernetes label selector. Which operators there are is left to `src/ipam`: the reference's CRD
 * took any text.
 */
export const labelSelectorSchema = z.looseObject({
  matchLabels: z.record(z.string(), z.string()).optional().meta({
    description: "Labels that must all have exactly these values.",
  }),
  matchExpressions: z.array(requirementSchema).optional().meta({
    description: "Requirements that must all hold.",
    "x-kubernetes-list-type": "atomic",
  }),
});

/** A Kubernetes label selector; empty selects everything. */
export type LabelSelector = Wire<z.output<typeof labelSelectorSchema>>;

/** A condition of a status, as Kubernetes defines it. */
export const conditionSchema = z.looseObject({
  type: z.string().max(316).meta({ description: "What the condition is about, in CamelCase." }),
  status: z.enum(["True", "False", "Unknown"]).meta({ description: "Whether it holds." }),
  observedGeneration: wholeNumberSchema({ min: 0 }).optional().meta({
    description: "metadata.generation that the condition was derived from.",
    format: "int64",
  }),
  lastTransitionTime: z.string().meta({
    description: "When the status last changed.",
    format: "date-time",
  }),
  reason: z.string().max(1024).meta({ description: "Why, as one word in CamelCase." }),
  message: z.string().max(32_768).meta({ description: "Why, as a sentence for people." }),
});

/** A condition of a status. */
export type Condition = Wire<z.output<typeof conditionSchema>>;

/** The `conditions` of a status: one per type. */
export const conditionsSchema = z.array(conditionSchema).optional().meta({
  description: "What holds of the object at present, one entry per type.",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
});

/** Largest count that an `int64` of the API holds and a double can say (2^63 - 1024). */
export const ADDRESS_COUNT_MAX = 2 ** 63 - 1024;

/**
 * A count of addresses: from 0, `int64` on the wire, saturated at `ADDRESS_COUNT_MAX`. The
 * reference saturates at 2^63 - 1, which a double would turn into a number that the API server
 * refuses.
 */
export const addressCountSchema = z.number()
  .overwrite((count) => Math.min(count, ADDRESS_COUNT_MAX))
  .refine((count) => Number.isInteger(count) && count >= 0, {
    params: { allowed: "a whole number of at least 0" },
  });
