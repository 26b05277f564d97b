/** SpiderIPPool and SpiderSubnet: what is filled in, and what is refused by the object alone. */
import type { SpiderIpPool } from "../../../api/ip_pool.ts";
import { LABEL_IP_POOL_CIDR, LABEL_OWNER_SUBNET, LABEL_SUBNET_CIDR } from "../../../api/labels.ts";
import { isAutomaticPool, labelValue } from "../../../api/labels.ts";
import { controllerOf, isTerminating } from "../../../api/metadata.ts";
import { type SpiderSubnet } from "../../../api/subnet.ts";
import { formatCidr, formatCidrLabel, parseAnyAddressInCidr } from "../../../ip/mod.ts";
import type { SpaceObject } from "./address_space.ts";
import { addressSpaceFaults } from "./address_space_rules.ts";
import { type Fault, fault, type FieldPath } from "./fault.ts";
import { familyOf, withFinalizer, withLabels, withMergedRanges, withMetadata } from "./mutation.ts";
import { isObjectName, isQualifiedName, NAME_REMEDY } from "./names.ts";
import { applicationAffinityFaults, isEmptySelector, selectorFaults } from "./selector_rules.ts";
import type { Reviewed } from "./settings.ts";

/** Fills in what a pool leaves out; what its SpiderSubnet has is `withSubnet`'s business. */
export function mutatePool(reviewed: Reviewed<SpiderIpPool>): SpiderIpPool {
  return withFinalizer(mutateSpace(reviewed, { label: LABEL_IP_POOL_CIDR }));
}

/**
 * Fills in what a subnet leaves out. Where subnets are switched off nobody would ever take its
 * finalizer away.
 */
export function mutateSubnet(reviewed: Reviewed<SpiderSubnet>): SpiderSubnet {
  const filled = mutateSpace(reviewed, { label: LABEL_SUBNET_CIDR });
  return reviewed.settings.enableSpiderSubnet ? withFinalizer(filled) : filled;
}

/**
 * Family, label of the CIDR, ranges sorted and joined.
 *
 * @source spiderpool `pkg/ippoolmanager/ippool_mutate.go`
 */
function mutateSpace<T extends SpaceObject>(
  { object }: Reviewed<T>,
  { label }: { readonly label: string },
): T {
  const { spec } = object;
  const subnet = parseAnyAddressInCidr(spec.subnet);
  const merged = withMergedRanges(spec, familyOf(spec.subnet));
  const ipVersion = spec.ipVersion ?? (subnet.ok ? subnet.value.version : undefined);
  const filled = { ...object, spec: ipVersion === undefined ? merged : { ...merged, ipVersion } };
  const value = subnet.ok ? formatCidrLabel(subnet.value.cidr) : undefined;
  return value === undefined ? filled : withLabels(filled, { [label]: value });
}

/**
 * Gives a pool to the SpiderSubnet of its network: as its controller, with its gateway and routes
 * where the pool says nothing of them (an empty list of routes is something).
 *
 * @param subnets All there are; of several the first by name.
 */
export function withSubnet(pool: SpiderIpPool, subnets: Iterable<SpiderSubnet>): SpiderIpPool {
  if (controllerOf(pool) !== undefined) return pool;
  const network = networkOf(pool);
  const [subnet] = [...subnets]
    .filter((one) => !isTerminating(one) && networkOf(one) === network && network !== undefined)
    .sort((one, other) => one.metadata.name < other.metadata.name ? -1 : 1);
  const uid = subnet?.metadata.uid;
  if (subnet === undefined || uid === undefined) return pool;
  const { apiVersion, kind, metadata: { name } } = subnet;
  const owner = { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
  const others = (pool.metadata.ownerReferences ?? []).filter((one) => one.uid !== uid);
  const owned = withMetadata(pool, { ownerReferences: [...others, owner] });
  const gateway = pool.spec.gateway ?? subnet.spec.gateway;
  const routes = pool.spec.routes ?? subnet.spec.routes;
  return withLabels({
    ...owned,
    spec: {
      ...owned.spec,
      ...gateway === undefined ? {} : { gateway },
      ...routes === undefined ? {} : { routes },
    },
  }, { [LABEL_OWNER_SUBNET]: labelValue(name) });
}

/** Lists what is wrong with a pool by itself. */
export function poolFaults(reviewed: Reviewed<SpiderIpPool>): readonly Fault[] {
  const { spec } = reviewed.object;
  return [
    ...addressSpaceFaults(reviewed),
    ...affinityFaults(reviewed.object),
    ...nameFaults(spec.nodeName, { path: ["spec", "nodeName"], what: "a node" }),
    ...nameFaults(spec.namespaceName, { path: ["spec", "namespaceName"], what: "a namespace" }),
    ...networkFaults(spec.multusName),
  ];
}

/** Lists what is wrong with a subnet by itself. */
export function subnetFaults(reviewed: Reviewed<SpiderSubnet>): readonly Fault[] {
  return addressSpaceFaults(reviewed);
}

function networkOf({ spec }: SpaceObject): string | undefined {
  const parsed = parseAnyAddressInCidr(spec.subnet);
  return parsed.ok ? formatCidr(parsed.value.cidr) : undefined;
}

function affinityFaults(pool: SpiderIpPool): readonly Fault[] {
  const { podAffinity, nodeAffinity, namespaceAffinity } = pool.spec;
  const path = ["spec", "podAffinity"];
  const faults: Fault[] = [];
  if (podAffinity !== undefined) {
    if (isAutomaticPool(pool)) faults.push(...applicationAffinityFaults(podAffinity, path));
    else if (isEmptySelector(podAffinity)) {
      const why = "it selects nothing in particular; write matchLabels or matchExpressions, or " +
        "leave the field out to give addresses to every pod";
      faults.push(fault(path, podAffinity, { why }));
    } else faults.push(...selectorFaults(podAffinity, path));
  }
  if (nodeAffinity !== undefined) {
    faults.push(...selectorFaults(nodeAffinity, ["spec", "nodeAffinity"]));
  }
  if (namespaceAffinity !== undefined) {
    faults.push(...selectorFaults(namespaceAffinity, ["spec", "namespaceAffinity"]));
  }
  return faults;
}

function nameFaults(
  names: readonly string[] = [],
  { path, what }: { readonly path: FieldPath; readonly what: string },
): readonly Fault[] {
  return names.flatMap((name, index) => {
    if (isObjectName(name)) return [];
    const why = `it is no name of ${what}, and there are no wildcards; write ${NAME_REMEDY}`;
    return [fault([...path, index], name, { why })];
  });
}

function networkFaults(names: readonly string[] = []): readonly Fault[] {
  return names.flatMap((name, index) => {
    if (isQualifiedName(name)) return [];
    const why = "it is no name of a NetworkAttachmentDefinition, and there are no wildcards; " +
      'write "namespace/name", or "name" for one in Spiderpool\'s own namespace';
    return [fault(["spec", "multusName", index], name, { why })];
  });
}
