/** The first objects of an installation, as the environment asks for them. */
import { ANNOTATION_CR_NAME } from "../api/annotations.ts";
import { SPIDER_COORDINATORS } from "../api/coordinator.ts";
import { type InitEnvironment, readInitEnvironment } from "../api/environment_init.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { SPIDER_MULTUS_CONFIGS } from "../api/multus_config.ts";
import { SPIDER_SUBNETS } from "../api/subnet.ts";
import type { ObjectKey, Resource, StoredObject } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import { defaultNetwork, type NodeFiles } from "../daemon/default_network.ts";
import { describeRefusal, parseAnyCidr, parseAnyDestination } from "../ip/mod.ts";
import { quoted } from "../ipam/brief.ts";

/** An object to be made: as the API takes it, not yet read by its kind's own door. */
export interface WishedObject {
  readonly resource: Resource<StoredObject>;
  readonly key: ObjectKey;
  readonly object: StoredObject;
}

/** What the Job is to do. */
export interface InitWish {
  readonly namespace: string;
  /** Service of the controllers, which are waited for. */
  readonly controllerName: string;
  readonly podName: string;
  readonly objects: readonly WishedObject[];
}

const HIJACK_VARIABLE = "SPIDERPOOL_INIT_DEFAULT_COORDINATOR_HIJACK_CIDR";
/** Network that Calico calls its own; no name for a SpiderMultusConfig that people are to read. */
const CALICO_NETWORK = "k8s-pod-network";
/** What an object of the API may be called. */
const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * Reads what is wished for.
 *
 * @returns Or one sentence: the variable, its value and what to write.
 */
export async function readWish(
  environment: Readonly<Record<string, string | undefined>>,
  { files }: { readonly files: NodeFiles },
): Promise<Result<InitWish, string>> {
  const read = readInitEnvironment(environment);
  if (!read.ok) return read;
  const { namespace, controllerName, podName } = read.value;
  const found: Result<readonly WishedObject[], string>[] = [
    coordinatorOf(read.value),
    ...FAMILIES.map((family) => spacesOf(family, read.value)),
    namesProblem(read.value),
    await networkOf(read.value, files),
  ];
  const objects: WishedObject[] = [];
  for (const part of found) {
    if (!part.ok) return part;
    objects.push(...part.value);
  }
  return ok({ namespace, controllerName, podName, objects });
}

const none: Result<readonly WishedObject[], string> = ok([]);

/** An object that its kind's own door lets in. */
function wished<T extends StoredObject>(
  resource: Resource<T>,
  { metadata, spec }: {
    readonly metadata: ObjectKey & { readonly annotations?: Readonly<Record<string, string>> };
    readonly spec: unknown;
  },
): Result<readonly WishedObject[], string> {
  const { namespace, name } = metadata;
  const key = namespace === undefined ? { name } : { namespace, name };
  const object = resource.parse({ metadata, spec });
  if (!object.ok) return err(`Cannot make ${resource.kind} ${quoted(name)}: ${object.error}`);
  return ok([{ resource, key, object: object.value }]);
}

function coordinatorOf(environment: InitEnvironment): Result<readonly WishedObject[], string> {
  const { coordinatorName: name, coordinatorMode, coordinatorPodCidrType } = environment;
  if (name === "") return none;
  const { coordinatorVethLinkAddress: vethLinkAddress } = environment;
  const hijacked: string[] = [];
  for (const text of environment.coordinatorHijackCidr) {
    const destination = parseAnyDestination(text);
    if (!destination.ok) {
      return err(describeRefusal(destination.error, HIJACK_VARIABLE));
    }
    hijacked.push(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`);
  }
  return wished(SPIDER_COORDINATORS, {
    metadata: { name },
    spec: {
      mode: coordinatorMode === "" ? "auto" : coordinatorMode,
      podCIDRType: coordinatorPodCidrType === "" ? "auto" : coordinatorPodCidrType,
      tunePodRoutes: environment.coordinatorTunePodRoutes,
      hijackCIDR: hijacked,
      policyRoutes: environment.coordinatorPolicyRoutes,
      vethMTU: environment.coordinatorVethMtu,
      ...vethLinkAddress === "" ? {} : { vethLinkAddress },
    },
  });
}

const FAMILIES = ["ipv4", "ipv6"] as const;
type FamilyName = typeof FAMILIES[number];

/** What the variables of one family say, and how they are called. */
function familyOf(family: FamilyName, environment: InitEnvironment) {
  const prefix = `SPIDERPOOL_INIT_DEFAULT_${family.toUpperCase()}`;
  return {
    version: family === "ipv4" ? 4 : 6,
    subnetVariable: `${prefix}_IPPOOL_SUBNET`,
    subnetName: environment[`${family}SubnetName`],
    poolName: environment[`${family}PoolName`],
    subnet: environment[`${family}Subnet`],
    ranges: environment[`${family}Ranges`],
    gateway: environment[`${family}Gateway`],
  };
}

/** The SpiderSubnet and the SpiderIPPool of a family. */
function spacesOf(
  family: FamilyName,
  environment: InitEnvironment,
): Result<readonly WishedObject[], string> {
  const { version, subnetVariable, subnetName, poolName, subnet, ranges, gateway } = familyOf(
    family,
    environment,
  );
  if (subnetName === "" && poolName === "") return none;
  const cidr = parseAnyCidr(subnet);
  if (!cidr.ok) return err(describeRefusal(cidr.error, subnetVariable));
  if (subnet.includes(":") !== (version === 6)) {
    return err(
      `Cannot use ${subnetVariable} ${quoted(subnet)}: it is of the other family; write an ` +
        `IPv${version} network`,
    );
  }
  const space = {
    ipVersion: version,
    subnet,
    ips: ranges,
    ...gateway === "" ? {} : { gateway },
  };
  const parts = [
    subnetName === "" ? none : wished(SPIDER_SUBNETS, {
      metadata: { name: subnetName },
      spec: space,
    }),
    poolName === "" ? none : wished(SPIDER_IP_POOLS, {
      metadata: { name: poolName },
      spec: { ...space, default: true },
    }),
  ];
  const refused = parts.find((part) => !part.ok);
  return refused ?? ok(parts.flatMap((part) => part.ok ? part.value : []));
}

/** Both families' objects have names of their own. */
function namesProblem(environment: InitEnvironment): Result<readonly WishedObject[], string> {
  const { ipv4SubnetName, ipv6SubnetName, ipv4PoolName, ipv6PoolName } = environment;
  const pairs = [
    ["SUBNET", ipv4SubnetName, ipv6SubnetName],
    ["IPPOOL", ipv4PoolName, ipv6PoolName],
  ] as const;
  for (const [kind, one, other] of pairs) {
    if (one === "" || one !== other) continue;
    return err(
      `Cannot use SPIDERPOOL_INIT_DEFAULT_IPV6_${kind}_NAME ${
        quoted(one)
      }: the IPv4 one has that ` +
        "name; write another",
    );
  }
  return none;
}

/** The SpiderMultusConfig of the cluster's own network. */
async function networkOf(
  { multusConfigEnabled, cniFolder, cniName, cniNamespace, namespace: own }: InitEnvironment,
  files: NodeFiles,
): Promise<Result<readonly WishedObject[], string>> {
  if (!multusConfigEnabled) return none;
  const namespace = cniNamespace === "" ? own : cniNamespace;
  const make = (name: string, definition = name): Result<readonly WishedObject[], string> => {
    const annotations = definition === name ? {} : { [ANNOTATION_CR_NAME]: definition };
    return wished(SPIDER_MULTUS_CONFIGS, {
      metadata: { namespace, name, annotations },
      spec: { cniType: "custom", enableCoordinator: false },
    });
  };
  if (cniName !== "") return make(cniName);
  if (cniFolder === "") return make("default");
  const found = await defaultNetwork(cniFolder, files);
  if (!found.ok) {
    return err(
      `Cannot find the cluster's own network: ${found.error}; mount the node's folder of CNI ` +
        "configurations there, or write its name into SPIDERPOOL_INIT_DEFAULT_CNI_NAME",
    );
  }
  if (found.value === undefined) return make("default");
  const { name, path } = found.value;
  if (name === CALICO_NETWORK) return make("calico", name);
  if (OBJECT_NAME.test(name)) return make(name);
  return err(
    `Cannot make a SpiderMultusConfig for network ${quoted(name)} of ${quoted(path)}: no object ` +
      "may have that name; rename the network, or turn SPIDERPOOL_INIT_ENABLE_MULTUS_CONFIG off",
  );
}
