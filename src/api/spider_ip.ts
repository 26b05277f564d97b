/** SpiderIP: one allocated address. The object is the allocation (design.md 2). */
import * as z from "zod";
import { column, type CustomResource, envelope, spiderResource } from "./resource.ts";
import { cel, type CelRule, type Wire } from "./schema.ts";

/** What the rules below say when they refuse; `write_rules.ts` says the same without CEL. */
export const SPIDER_IP_MESSAGES = {
  ipChanged: "ip never changes: delete the object instead",
  poolChanged: "pool never changes: delete the object instead",
  nobody: "an address belongs to a pod (podNamespace, podName, podUID) or is held back (hold)",
  name: "the name is not that of spec.ip: write the IPv4 address itself, or the IPv6 address as " +
    'eight groups of four hex digits joined with "-", and spec.ip in canonical form',
  mapped: "an IPv4-mapped IPv6 address is no address of its own: write the IPv4 address",
} as const;

const specSchema = z.looseObject({
  ip: z.string().max(39).meta({
    description: "The address in canonical form; the object's name says the same. Never changes.",
    ...cel({ rule: "self == oldSelf", message: SPIDER_IP_MESSAGES.ipChanged }),
  }),
  pool: z.string().max(253).meta({
    description: "SpiderIPPool that the address was taken from. Never changes.",
    ...cel({ rule: "self == oldSelf", message: SPIDER_IP_MESSAGES.poolChanged }),
  }),
  podNamespace: z.string().optional().meta({ description: "Namespace of the pod." }),
  podName: z.string().optional().meta({
    description: "Name of the pod itself, also for a virtual machine.",
  }),
  podUID: z.string().optional().meta({ description: "UID of the pod." }),
  containerID: z.string().optional().meta({
    description: "Sandbox of the last CNI ADD; a DEL of an earlier one frees nothing.",
  }),
  nic: z.string().optional().meta({ description: "NIC inside the pod." }),
  node: z.string().optional().meta({ description: "Node of the pod." }),
  owner: z.looseObject({
    kind: z.string().meta({ description: "StatefulSet or VirtualMachineInstance." }),
    name: z.string().meta({ description: "Name, in podNamespace." }),
  }).optional().meta({
    description: "Who keeps the address when the pod is replaced; absent for other pods.",
  }),
  hold: z.literal("shrink").optional().meta({
    description: "Why nobody may have the address although no pod does: its pool gives it back.",
  }),
}).meta({
  description: "Who has the address.",
  ...cel({
    rule: "has(self.hold) || (has(self.podNamespace) && has(self.podName) && has(self.podUID))",
    message: SPIDER_IP_MESSAGES.nobody,
  }),
});

/** The canonical text of the address that an IPv6 name spells, with one ":" at each bare end. */
const COMPRESSED = compression(
  "(('-' + self.metadata.name).replace('-0', '-').replace('-0', '-').replace('-0', '-')" +
    ".replace('-', ':') + ':')",
);

/**
 * The name decides who has an address, so each address has exactly one: IPv4 in dotted decimal,
 * IPv6 as eight groups of four digits joined with "-". An IPv4-mapped address would be an alias of
 * its IPv4 one.
 */
const RULES: readonly CelRule[] = [
  {
    rule: "self.metadata.name.contains('.') ? self.metadata.name == self.spec.ip : " +
      `((self.spec.ip.startsWith('::') ? '' : ':') + self.spec.ip + ` +
      `(self.spec.ip.endsWith('::') ? '' : ':')) == ${COMPRESSED}`,
    message:
      "the name is not that of spec.ip: write the IPv4 address itself, or the IPv6 address " +
      'as eight groups of four hex digits joined with "-", and spec.ip in canonical form',
  },
  {
    rule: "!self.metadata.name.startsWith('0000-0000-0000-0000-0000-ffff-')",
    message: SPIDER_IP_MESSAGES.mapped,
  },
];

const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

const NAME_PATTERN = `^(${OCTET}(\\.${OCTET}){3}|[0-9a-f]{4}(-[0-9a-f]{4}){7})$`;

const schema = z.looseObject({ ...envelope("SpiderIP"), spec: specSchema }).meta({
  description: "One address in use. Creating it is the allocation, deleting it the release.",
  ...cel(...RULES),
});

/** One allocated address; `metadata.name` is `formatObjectName` of `spec.ip`. */
export type SpiderIp = Wire<z.output<typeof schema>>;

/** The resource. */
export const SPIDER_IPS: CustomResource<SpiderIp> = spiderResource({
  kind: "SpiderIP",
  plural: "spiderips",
  shortName: "sip",
  namespaced: false,
  hasStatus: false,
  columns: [
    column("ADDRESS", "spec.ip"),
    column("POOL", "spec.pool"),
    column("NAMESPACE", "spec.podNamespace"),
    column("POD", "spec.podName"),
    column("NIC", "spec.nic"),
    column("NODE", "spec.node"),
    column("AGE", "metadata.creationTimestamp", { type: "date" }),
  ],
  naming: { pattern: NAME_PATTERN, maxLength: 39 },
  schema,
});

/**
 * CEL that compresses the first longest run of two or more zero groups, as RFC 5952 wants it.
 *
 * @param groups CEL text of the groups without leading zeros: `:fe80:0:0:0:0:0:0:1:`.
 */
function compression(groups: string): string {
  let rule = "groups";
  for (let zeros = 2; zeros <= 8; zeros++) {
    const run = `:${"0:".repeat(zeros)}`;
    rule = `groups.contains('${run}') ? groups.replace('${run}', '::', 1) : ${rule}`;
  }
  return `[${groups}].map(groups, ${rule})[0]`;
}
