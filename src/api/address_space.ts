/** Fields and rules that SpiderIPPool and SpiderSubnet have in common. */
import * as z from "zod";
import { hopSchema, networkSchema, rangesSchema, routesSchema } from "./parts.ts";
import { cel, type CelRule } from "./schema.ts";

/** What the rules below say when they refuse; `write_rules.ts` says the same without CEL. */
export const ADDRESS_SPACE_MESSAGES = {
  ipVersionChanged: "ipVersion never changes: create another object",
  subnetChanged: "subnet never changes: create another object",
  ipVersion: "ipVersion is not the family of subnet: write 4 for IPv4, 6 for IPv6, or leave it out",
  ips: "ips has an entry that is not of the family of subnet",
  excludeIPs: "excludeIPs has an entry that is not of the family of subnet",
  gateway: "gateway is not of the family of subnet",
  routes: "routes has an entry whose dst or gw is not of the family of subnet",
} as const;

/** `ipVersion` of a pool, a subnet or reserved addresses. */
export const ipVersionSchema = z.literal([4, 6]).optional().meta({
  description: "Address family, 4 or 6; derived when absent, never changes once set.",
  type: "integer",
  format: "int64",
  ...cel({
    rule: "self == oldSelf",
    message: ADDRESS_SPACE_MESSAGES.ipVersionChanged,
    // `string()` of a number is too costly for the API server's estimate.
    messageExpression: `'${ADDRESS_SPACE_MESSAGES.ipVersionChanged}, or write ' + ` +
      "(oldSelf == 4 ? '4' : '6')",
  }),
});

/** The `spec` fields of both kinds. Ranges are read by `src/ip`, with the pool's subnet at hand. */
export const addressSpaceShape = {
  ipVersion: ipVersionSchema,
  subnet: networkSchema.meta({
    description: "CIDR that the addresses belong to, in canonical form; never changes.",
    ...cel({
      rule: "self == oldSelf",
      message: ADDRESS_SPACE_MESSAGES.subnetChanged,
      messageExpression: `'${ADDRESS_SPACE_MESSAGES.subnetChanged}, or write "' + oldSelf + '"'`,
    }),
  }),
  ips: rangesSchema.optional().meta({
    description: "Addresses to give out, each entry as 10.6.0.10 or 10.6.0.10-10.6.0.20.",
  }),
  excludeIPs: rangesSchema.optional().meta({
    description: "Addresses among ips that are not given out, written as in ips.",
  }),
  gateway: hopSchema.optional().meta({
    description: "Next hop of the default route; a pool without one takes its SpiderSubnet's.",
  }),
  routes: routesSchema.optional().meta({
    description: "Further routes; a pool without the field takes its SpiderSubnet's.",
  }),
};

const SUBNET_IS_IPV6 = "self.subnet.contains(':')";

/**
 * All addresses are of the subnet's family. Admission says more and better; these hold while it is
 * down, and refuse nothing that the reference's admission let through.
 */
export const ADDRESS_SPACE_RULES: readonly CelRule[] = [
  {
    rule: `!has(self.ipVersion) || (self.ipVersion == 6) == ${SUBNET_IS_IPV6}`,
    message: ADDRESS_SPACE_MESSAGES.ipVersion,
    fieldPath: ".ipVersion",
  },
  {
    rule: `!has(self.ips) || ${ofFamily("self.ips", { isIpv6: SUBNET_IS_IPV6 })}`,
    message: ADDRESS_SPACE_MESSAGES.ips,
    fieldPath: ".ips",
  },
  {
    rule: `!has(self.excludeIPs) || ${ofFamily("self.excludeIPs", { isIpv6: SUBNET_IS_IPV6 })}`,
    message: ADDRESS_SPACE_MESSAGES.excludeIPs,
    fieldPath: ".excludeIPs",
  },
  {
    rule: "!has(self.gateway) || self.gateway == '' || " +
      `self.gateway.contains(':') == ${SUBNET_IS_IPV6}`,
    message: ADDRESS_SPACE_MESSAGES.gateway,
    messageExpression: `'${ADDRESS_SPACE_MESSAGES.gateway}: "' + self.gateway + '" does not go ` +
      `with "' + self.subnet + '"; write an address of that network'`,
    fieldPath: ".gateway",
  },
  {
    rule: "!has(self.routes) || self.routes.all(route, [route.dst, route.gw].all(address, " +
      `address.contains(':') == ${SUBNET_IS_IPV6}))`,
    message: ADDRESS_SPACE_MESSAGES.routes,
    fieldPath: ".routes",
  },
];

/**
 * CEL that is true if every range of a list is of one family. It joins the list and looks once: a
 * macro over the entries takes the API server time quadratic in their number (measured with 65,536
 * entries: 5 s for every write of the object, 0.3 s so). Admission merges two and more entries into
 * canonical text, so only a single one can be IPv6 and hold a dot (`64:ff9b::10.0.0.1`).
 *
 * @param ranges CEL of a list of ranges.
 * @param options.isIpv6 CEL of the family wanted.
 */
export function ofFamily(ranges: string, { isIpv6 }: { readonly isIpv6: string }): string {
  return `(size(${ranges}) == 1 ? ${ranges}[0].contains(':') == (${isIpv6}) : ` +
    `!${ranges}.join('').contains(${isIpv6} ? '.' : ':'))`;
}
