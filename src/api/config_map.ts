/**
 * The configuration file of agent and controller: `conf.yml` of the ConfigMap `spiderpool-conf`. A
 * switch that is absent is off, also those that the chart turns on.
 */
import * as z from "zod";
import { err, ok, type Result } from "../base/result.ts";
import { AGENT_SOCKET_PATH } from "./agent.ts";
import { isRecord } from "./decode.ts";
import { MASTER_NIC_PODS_DEFAULT, SUB_ENI_RESOURCE } from "./device_resources.ts";
import { parseGoDuration } from "./go_text.ts";
import { labelSelectorSchema } from "./parts.ts";
import { pathText } from "./problem.ts";
import { isProviderUrl, PROVIDER_TIMEOUT } from "./provider.ts";
import { readSchema, wholeNumberSchema, type Wire } from "./schema.ts";

/** Name of the ConfigMap unless the installation calls it otherwise. */
export const CONFIG_MAP_NAME = "spiderpool-conf";
/** Its key with the file. */
export const CONFIG_MAP_FILE_KEY = "conf.yml";
/** Its key with the cluster network of Multus. */
export const CONFIG_MAP_CLUSTER_NETWORK_KEY = "clusterNetwork";

/**
 * Addresses beyond the replicas where neither pods nor file say.
 *
 * @source spiderpool's documentation of `ippool-ip-number`; its program takes 0
 */
const FLEXIBLE_NUMBER_DEFAULT = 1;

const off = z.boolean().default(false);
const names = z.array(z.string()).default([]);
const peers = wholeNumberSchema({ min: 0 });

/**
 * What was only read when written in lower case, since the reference's decoder knows no `json` tag.
 */
const selector = z.preprocess((value) => {
  if (!isRecord(value)) return value;
  const { matchlabels, matchexpressions, ...rest } = value;
  return {
    ...(matchlabels === undefined ? {} : { matchLabels: matchlabels }),
    ...(matchexpressions === undefined ? {} : { matchExpressions: matchexpressions }),
    ...rest,
  };
}, labelSelectorSchema).prefault({});

const providerTimeout = z.string().default("").transform((value, context) => {
  if (value === "") return PROVIDER_TIMEOUT.otherwiseMs;
  const ms = parseGoDuration(value);
  if (ms !== undefined && ms > 0 && ms < PROVIDER_TIMEOUT.belowMs) return ms;
  const allowed = 'a duration above 0 and below 100 seconds, such as "50s"';
  context.issues.push({ code: "custom", input: value, params: { allowed }, message: allowed });
  return z.NEVER;
});

const serverUrl = z.string().default("").refine((value) => value === "" || isProviderUrl(value), {
  params: { allowed: 'a URL such as "https://provider.example.com:8443"' },
});

/** A qualified name of Kubernetes: `example.com/name`. */
const resourceName = z.string().default("").transform((value) => value || SUB_ENI_RESOURCE)
  .refine(
    (value) => /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?$/.test(value),
    {
      params: { allowed: `a resource name such as "${SUB_ENI_RESOURCE}"` },
    },
  );

const subEniRule = z.looseObject({
  resourceName,
  defaultMaxCount: peers.default(0),
  nodeSelector: selector,
});

const masterNicRule = z.looseObject({
  defaultMaxCount: peers.default(0).transform((value) => value || MASTER_NIC_PODS_DEFAULT),
  nodeSelector: selector,
  includeInterfaces: names,
  excludeInterfaces: names,
});

const resourcePlugin = z.looseObject({
  enabled: off,
  kubeletRootDir: z.string().default("").transform((value) => value || "/var/lib/kubelet")
    .refine((value) => value.startsWith("/"), { params: { allowed: "an absolute path" } }),
  devicePluginAffinity: z.looseObject({ nodeSelector: selector }).prefault({}),
  resourceAdvertisement: z.looseObject({
    subENI: z.looseObject({ rules: z.array(subEniRule).default([]) }).prefault({}),
    masterNIC: z.looseObject({ rules: z.array(masterNicRule).default([]) }).prefault({}),
  }).prefault({}),
});

const schema = z.looseObject({
  ipamUnixSocketPath: z.string().default("").transform((value) => value || AGENT_SOCKET_PATH),
  enableIPv4: off,
  enableIPv6: off,
  tuneSysctlConfig: off,
  enableStatefulSet: off,
  enableKubevirtStaticIP: off,
  enableSpiderSubnet: off,
  enableAutoPoolForApplication: off,
  clusterSubnetAutoPoolDefaultRedundantIPNumber: peers.optional(),
  clusterSubnetDefaultFlexibleIPNumber: peers.optional(),
  enableCleanOutdatedEndpoint: off,
  enableIPConflictDetection: off,
  enableGatewayDetection: off,
  enableValidatingResourcesDeletedWebhook: off,
  podResourceInject: z.looseObject({
    enabled: off,
    namespacesExclude: names,
    namespacesInclude: names,
  }).prefault({}),
  iaasNetworkProvider: z.looseObject({ serverUrl, httpRequestTimeout: providerTimeout })
    .prefault({}),
  agent: z.looseObject({ networkResourcePlugin: resourcePlugin.prefault({}) }).prefault({}),
});

/** The configuration, every gap filled. `httpRequestTimeout` is in milliseconds. */
export type Config = Omit<Wire<z.output<typeof schema>>, keyof FlexibleNumber> & {
  /** Addresses of an automatic pool beyond the replicas, where its pods do not say. */
  readonly flexibleIpNumber: number;
};

/** A rule for resources of the network provider. */
export type SubEniRule =
  Config["agent"]["networkResourcePlugin"]["resourceAdvertisement"]["subENI"][
    "rules"
  ][number];

/** A rule for resources of master NICs. */
export type MasterNicRule =
  Config["agent"]["networkResourcePlugin"]["resourceAdvertisement"]["masterNIC"]["rules"][number];

/** The reference's program reads the first key, its chart and documentation write the second. */
interface FlexibleNumber {
  readonly clusterSubnetAutoPoolDefaultRedundantIPNumber: number;
  readonly clusterSubnetDefaultFlexibleIPNumber: number;
}

/** A configuration and what of it nobody reads. */
export interface ReadConfig {
  readonly config: Config;
  /** Paths of unknown keys, to be warned of: most are misspelt. */
  readonly unknown: readonly string[];
}

/**
 * Reads the file. Unknown keys are no error, as in the reference, but are reported.
 *
 * @param document The parsed YAML; an empty file is `null`.
 */
export function readConfig(document: unknown): Result<ReadConfig, string> {
  const given = withoutNulls(document ?? {});
  const parsed = readSchema(schema, given);
  if (!parsed.ok) return err(parsed.error);
  const {
    clusterSubnetAutoPoolDefaultRedundantIPNumber: redundant,
    clusterSubnetDefaultFlexibleIPNumber: flexible,
    ...rest
  } = parsed.value;
  const config = { ...rest, flexibleIpNumber: redundant ?? flexible ?? FLEXIBLE_NUMBER_DEFAULT };
  return ok({ config, unknown: unknownKeys(given, schema) });
}

/** YAML writes nothing as `null`: as good as absent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutNulls(member)]));
}

function unknownKeys(value: unknown, known: z.ZodType): readonly string[] {
  const found: string[] = [];
  collectUnknown({ value, known, path: [] }, found);
  return found;
}

function collectUnknown(
  { value, known, path }: {
    readonly value: unknown;
    readonly known: z.core.$ZodType;
    readonly path: readonly PropertyKey[];
  },
  found: string[],
): void {
  const schema = unwrapped(known);
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      collectUnknown({ value: item, known: schema.element, path: [...path, index] }, found);
    }
  }
  if (!(schema instanceof z.ZodObject) || !isRecord(value)) return;
  for (const [name, member] of Object.entries(value)) {
    const shape = schema.shape[name];
    if (shape === undefined) found.push(pathText([...path, name]));
    else collectUnknown({ value: member, known: shape, path: [...path, name] }, found);
  }
}

/** The schema inside defaults and optional members; a transformed or preprocessed one is opaque. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional
  ) return unwrapped(schema.unwrap());
  return schema;
}
