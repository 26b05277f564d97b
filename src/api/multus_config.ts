/** SpiderMultusConfig: one network that pods can attach to, rendered as a CNI configuration. */
import * as z from "zod";
import { coordinatorOverrideSchema } from "./coordinator.ts";
import { type CustomResource, envelope, spiderResource } from "./resource.ts";
import { cel, type CelRule, wholeNumberSchema, type Wire } from "./schema.ts";

/** Main plugins that a SpiderMultusConfig can render. */
export const CNI_TYPES = [
  "macvlan",
  "ipvlan",
  "vlan",
  "sriov",
  "ovs",
  "ib-sriov",
  "ipoib",
  "custom",
] as const;

/** Main plugins that a SpiderMultusConfig can render. */
export type CniType = typeof CNI_TYPES[number];

/** The field of `spec` that belongs to each type. Not always its name: `ib-sriov` is `ibsriov`. */
export const CNI_TYPE_FIELDS = {
  macvlan: "macvlan",
  ipvlan: "ipvlan",
  vlan: "vlan",
  sriov: "sriov",
  ovs: "ovs",
  "ib-sriov": "ibsriov",
  ipoib: "ipoib",
  custom: "customCNI",
} as const satisfies Readonly<Record<CniType, string>>;

const vlanId = wholeNumberSchema({ min: 0, max: 4094 });
const int32 = { format: "int32" };

const poolsSchema = z.looseObject({
  ipv4: z.array(z.string()).optional().meta({ description: "SpiderIPPools for IPv4." }),
  ipv6: z.array(z.string()).optional().meta({ description: "SpiderIPPools for IPv6." }),
  matchMasterSubnet: z.boolean().default(false).meta({
    description: "Whether only pools count whose subnet has an address of the master; sriov only.",
  }),
}).optional().meta({ description: "Pools of NICs of this network, unless the pod names others." });

const bondSchema = z.looseObject({
  name: z.string().meta({ description: "Name of the bond." }),
  mode: wholeNumberSchema({ min: 0, max: 6 }).meta({ description: "Bonding mode.", ...int32 }),
  options: z.string().optional().meta({
    description: "Further options of the bond, as primary=eth1;arp_interval=1.",
  }),
}).optional().meta({ description: "The bond to make of several masters." });

const mtuSchema = wholeNumberSchema({ min: 0 }).default(0).meta({
  description: "MTU of the NIC; 0 leaves it to the kernel.",
  ...int32,
});

function resourceName(description: string): z.ZodOptional<z.ZodString> {
  return z.string().optional().meta({ description });
}

const masterShape = {
  master: z.array(z.string()).meta({
    description: "Interfaces of the node; several are bonded.",
  }),
  mtu: mtuSchema,
  vlanID: vlanId.optional().meta({
    description: "VLAN between master and NIC; 0 or absent for none.",
    ...int32,
  }),
  bond: bondSchema,
  rdmaResourceName: resourceName("Shared RDMA resource that pods of this network ask for."),
  ippools: poolsSchema,
};

const macvlanSchema = z.looseObject(masterShape);

const vlanSchema = z.looseObject({
  ...masterShape,
  vlanMode: z.enum(["manual", "auto"]).default("manual").meta({
    description: "manual: vlanID says the VLAN. auto: the network provider does.",
  }),
});

const sriovSchema = z.looseObject({
  resourceName: resourceName("Device plugin resource of the virtual functions."),
  vlanID: vlanId.optional().meta({ description: "VLAN of the virtual function.", ...int32 }),
  mtu: mtuSchema,
  minTxRateMbps: wholeNumberSchema({ min: 0 }).optional().meta({
    description: "Guaranteed rate; 0 or absent for none.",
  }),
  maxTxRateMbps: wholeNumberSchema({ min: 0 }).optional().meta({
    description: "Highest rate; 0 or absent for no limit.",
  }),
  rdmaIsolation: z.boolean().default(false).meta({
    description: "Whether the RDMA device moves into the pod with its NIC.",
  }),
  ippools: poolsSchema,
});

const ibSriovSchema = z.looseObject({
  resourceName: resourceName("Device plugin resource of the virtual functions."),
  pkey: z.string().optional().meta({ description: "InfiniBand partition key." }),
  linkState: z.enum(["auto", "enable", "disable"]).default("enable").meta({
    description: "Link state of the virtual function.",
  }),
  rdmaIsolation: z.boolean().default(true).meta({
    description: "Whether the RDMA device moves into the pod with its NIC.",
  }),
  enableIbKubernetes: z.boolean().default(false).meta({
    description: "Whether ib-kubernetes manages the partition keys.",
  }),
  ippools: poolsSchema,
});

const trunkSchema = z.looseObject({
  minID: vlanId.optional().meta({ description: "First VLAN of a range." }),
  maxID: vlanId.optional().meta({ description: "Last VLAN of a range." }),
  id: vlanId.optional().meta({ description: "A single VLAN." }),
});

const ovsSchema = z.looseObject({
  bridge: z.string().meta({ description: "Open vSwitch bridge." }),
  vlan: wholeNumberSchema().optional().meta({ description: "VLAN of the port.", ...int32 }),
  trunk: z.array(trunkSchema).optional().meta({ description: "VLANs that the port carries." }),
  deviceID: z.string().optional().meta({ description: "PCI address of a virtual function." }),
  ippools: poolsSchema,
});

const ipoibSchema = z.looseObject({
  master: z.string().optional().meta({ description: "InfiniBand interface of the node." }),
  ippools: poolsSchema,
});

/** The configuration of the chosen type is there. What else may be is admission's business. */
const BLOCK_RULES: readonly CelRule[] = CNI_TYPES.filter((type) => type !== "custom").map(
  (type) => ({
    rule: `!has(self.cniType) || self.cniType != '${type}' || has(self.${CNI_TYPE_FIELDS[type]})`,
    message: blockMessage(type),
  }),
);

const specSchema = z.looseObject({
  cniType: z.enum(CNI_TYPES).default("custom").meta({ description: "The main plugin." }),
  macvlan: macvlanSchema.optional().meta({ description: "For cniType macvlan." }),
  ipvlan: macvlanSchema.optional().meta({ description: "For cniType ipvlan." }),
  vlan: vlanSchema.optional().meta({ description: "For cniType vlan." }),
  sriov: sriovSchema.optional().meta({ description: "For cniType sriov." }),
  ovs: ovsSchema.optional().meta({ description: "For cniType ovs." }),
  ibsriov: ibSriovSchema.optional().meta({ description: "For cniType ib-sriov." }),
  ipoib: ipoibSchema.optional().meta({ description: "For cniType ipoib." }),
  customCNI: z.string().optional().meta({
    description: "For cniType custom: the CNI configuration itself, as JSON.",
  }),
  enableCoordinator: z.boolean().default(true).meta({
    description: "Whether the coordinator plugin runs; never for cniType custom.",
  }),
  disableIPAM: z.boolean().default(false).meta({
    description: "Whether the main plugin gets no IPAM.",
  }),
  coordinator: coordinatorOverrideSchema.optional().meta({
    description: "What the coordinator plugin does where it differs from the SpiderCoordinator.",
  }),
  chainCNIJsonData: z.array(z.string()).optional().meta({
    description: "Further plugins, each as JSON, that run after the main one.",
  }),
});

const schema = z.looseObject({
  ...envelope("SpiderMultusConfig"),
  spec: specSchema.prefault({}).meta({
    description: "The network.",
    ...cel(...BLOCK_RULES),
  }),
}).meta({
  description: "A network that pods can attach to, kept as a NetworkAttachmentDefinition.",
});

/** A network that pods can attach to. */
export type SpiderMultusConfig = Wire<z.output<typeof schema>>;

/** Its `spec`. */
export type MultusConfigSpec = SpiderMultusConfig["spec"];

/** The resource. */
export const SPIDER_MULTUS_CONFIGS: CustomResource<SpiderMultusConfig> = spiderResource({
  kind: "SpiderMultusConfig",
  plural: "spidermultusconfigs",
  shortName: "smc",
  namespaced: true,
  hasStatus: false,
  columns: [],
  schema,
});

/** What is said of a configuration without the block of its type. */
export function blockMessage(type: CniType): string {
  return `cniType "${type}" needs its configuration: write ${CNI_TYPE_FIELDS[type]}`;
}
