/**
 * Edits of SpiderEndpoints: what a pod's NICs have. All of them keep what they do not know and say
 * that the addresses are SpiderIPs; none writes the reference's finalizer, which blocks namespaces.
 */
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../api/group.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import type { Route } from "../api/parts.ts";
import { DEFAULT_NIC } from "../api/pod_annotations.ts";
import { TRUTH } from "../api/truth_fence.ts";
import type { ObjectMeta, OwnerReference } from "../base/object_store.ts";
import {
  type Address,
  type AnyCidr,
  formatAddress,
  formatAddressInCidr,
  IPV4,
  IPV6,
  parseDestination,
  versionOf,
} from "../ip/mod.ts";
import type { Keeper } from "./claim.ts";
import { distinctRoutes, placeRoutes } from "./routes.ts";
import type { TopController } from "./top_controller.ts";

/** What the pool of an address gives to the NIC; `PoolFacts` has all of it. */
export interface PoolOfAddress {
  readonly name: string;
  readonly subnet: AnyCidr;
  readonly gateway?: Address | undefined;
  /** In canonical text. */
  readonly routes: readonly Route[];
}

/** What one NIC was given. */
export interface NicAllocation {
  readonly nic: string;
  /** Present where the user named no NICs: 0 is `eth0`, later ones are named by their own ADD. */
  readonly position?: number | undefined;
  readonly cleanGateway: boolean;
  /** At most one address per family. */
  readonly families: readonly { readonly facts: PoolOfAddress; readonly address: Address }[];
}

/** Who an endpoint is of, at present. */
export interface EndpointPod {
  readonly pod: Pod;
  readonly controller: TopController;
  /** Who keeps the addresses when the pod goes; then the pod does not own the endpoint. */
  readonly keeper?: Keeper | undefined;
}

/** An address of an endpoint. */
export interface EndpointAddress {
  readonly version: 4 | 6;
  readonly address: Address;
  readonly pool: string;
}

/** What a new allocation says of a NIC; anything else of an entry stays when it is replaced. */
const OWN_FIELDS: readonly (keyof EndpointNic)[] = [
  "interface",
  "ipv4",
  "ipv4Pool",
  "ipv4Gateway",
  "ipv6",
  "ipv6Pool",
  "ipv6Gateway",
  "cleanGateway",
  "routes",
  "vlan",
  "mac",
];

/**
 * The entries of what was allocated, in the order given, and which NIC each of the pod's own routes
 * went to: the first that has a pool with the route's gateway in its subnet.
 */
export function endpointNics(
  allocations: readonly NicAllocation[],
  customRoutes: readonly Route[],
): { readonly nics: readonly EndpointNic[]; readonly unplaced: readonly Route[] } {
  const subnets = allocations.map(({ families }) => families.map(({ facts }) => facts.subnet));
  const { placed, unplaced } = placeRoutes(customRoutes, subnets);
  const nics = allocations.map((allocation, index) => nicOf(allocation, placed[index] ?? []));
  return { nics, unplaced };
}

/** The endpoint of a pod that has none. It goes with the pod unless its addresses are kept. */
export function newEndpoint(
  { pod, controller, keeper, endpointName, nics }: EndpointPod & {
    readonly endpointName: string;
    readonly nics: readonly EndpointNic[];
  },
): SpiderEndpoint {
  const owners = ownersOf({ pod, controller, keeper }, []);
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderEndpoint",
    metadata: {
      name: endpointName,
      namespace: pod.metadata.namespace,
      ...(owners.length === 0 ? {} : { ownerReferences: owners }),
    },
    status: {
      current: { uid: uidOf(pod), node: nodeOf(pod), ips: nics },
      ...ownerText(controller),
      truth: TRUTH,
    },
  };
}

/**
 * The endpoint with what was allocated for its pod: an entry of the same NIC is replaced where it
 * stands, others are appended. Entries of other NICs stay if they are this pod's or somebody keeps
 * them; those of a former pod go. Entries without a name are one lay-out: new ones replace all
 * that were there, except that an entry with the same addresses keeps the name it got since.
 *
 * An endpoint that is being deleted is not saved by this.
 */
export function withNics(
  endpoint: SpiderEndpoint,
  { nics, ...owner }: EndpointPod & { readonly nics: readonly EndpointNic[] },
): SpiderEndpoint {
  const current = endpoint.status?.current;
  const isKept = owner.keeper !== undefined || current?.uid === uidOf(owner.pod);
  const ips = mergedNics(isKept ? current?.ips ?? [] : [], nics);
  return {
    ...endpoint,
    metadata: ownedMetadata(endpoint.metadata, owner),
    status: {
      ...endpoint.status,
      current: { ...current, uid: uidOf(owner.pod), node: nodeOf(owner.pod), ips },
      ...ownerText(owner.controller),
      truth: TRUTH,
    },
  };
}

/**
 * The endpoint with another entry in the place of one, for a NIC whose address had to be given
 * anew. The entry keeps its name, so that a NIC without one keeps its position.
 */
export function withNicReplaced(
  endpoint: SpiderEndpoint,
  { index, nic }: { readonly index: number; readonly nic: EndpointNic },
): SpiderEndpoint {
  return withIps(endpoint, (ips) =>
    ips.map((old, at) => {
      return at === index ? { ...replaced(old, nic), interface: old.interface } : old;
    }));
}

/** The endpoint without some entries, by their indexes. */
export function withoutNics(
  endpoint: SpiderEndpoint,
  indexes: readonly number[],
): SpiderEndpoint {
  return withIps(endpoint, (ips) => ips.filter((_nic, index) => !indexes.includes(index)));
}

/**
 * Finds the entry of a NIC: the one with its name, else the first without a name, which the caller
 * then names (`withNicNamed`).
 */
export function findNic(
  endpoint: SpiderEndpoint,
  nic: string,
): { readonly index: number; readonly isUnnamed: boolean } | undefined {
  const ips = endpoint.status?.current.ips ?? [];
  const named = ips.findIndex((entry) => entry.interface === nic);
  if (named >= 0) return { index: named, isUnnamed: false };
  const unnamed = ips.findIndex((entry) => entry.interface === "");
  return unnamed < 0 ? undefined : { index: unnamed, isUnnamed: true };
}

/** The endpoint with the name of the NIC in an entry. */
export function withNicNamed(
  endpoint: SpiderEndpoint,
  { index, nic }: { readonly index: number; readonly nic: string },
): SpiderEndpoint {
  return withIps(endpoint, (ips) =>
    ips.map((entry, at) => {
      return at === index ? { ...entry, interface: nic } : entry;
    }));
}

/** The endpoint behind the fence: clients of the reference can write it no more. */
export function markedEndpoint(endpoint: SpiderEndpoint): SpiderEndpoint {
  return withIps(endpoint, (ips) => ips);
}

/** The addresses of an entry, IPv4 first, less those that cannot be read or name no pool. */
export function addressesOf(nic: EndpointNic): readonly EndpointAddress[] {
  const found: EndpointAddress[] = [];
  const { ipv4, ipv4Pool, ipv6, ipv6Pool } = nic;
  if (ipv4 !== undefined && ipv4Pool !== undefined && ipv4Pool !== "") {
    const parsed = parseDestination(IPV4, ipv4);
    if (parsed.ok) found.push({ version: 4, address: parsed.value.address, pool: ipv4Pool });
  }
  if (ipv6 !== undefined && ipv6Pool !== undefined && ipv6Pool !== "") {
    const parsed = parseDestination(IPV6, ipv6);
    if (parsed.ok) found.push({ version: 6, address: parsed.value.address, pool: ipv6Pool });
  }
  return found;
}

function nicOf(allocation: NicAllocation, customRoutes: readonly Route[]): EndpointNic {
  const { nic, position = 0, cleanGateway, families } = allocation;
  const gateways = families.filter(({ facts }) => facts.gateway !== undefined);
  const poolRoutes = families.flatMap(({ facts }) => facts.routes);
  const routes = distinctRoutes([...poolRoutes, ...customRoutes]);
  return {
    interface: position > 0 ? "" : allocation.position === undefined ? nic : DEFAULT_NIC,
    ...familyFields(allocation, 4),
    ...familyFields(allocation, 6),
    vlan: 0,
    ...(gateways.length === 0 ? {} : { cleanGateway }),
    ...(routes.length === 0 ? {} : { routes }),
  };
}

function familyFields(
  { families }: NicAllocation,
  version: 4 | 6,
): Omit<Partial<EndpointNic>, "interface" | "vlan"> {
  const found = families.find(({ address }) => versionOf(address) === version);
  if (found === undefined) return {};
  const { facts: { name, subnet, gateway }, address } = found;
  const ip = formatAddressInCidr({ address, cidr: subnet });
  const gatewayText = gateway === undefined ? undefined : formatAddress(gateway);
  if (version === 4) {
    const fields = { ipv4: ip, ipv4Pool: name };
    return gatewayText === undefined ? fields : { ...fields, ipv4Gateway: gatewayText };
  }
  const fields = { ipv6: ip, ipv6Pool: name };
  return gatewayText === undefined ? fields : { ...fields, ipv6Gateway: gatewayText };
}

function mergedNics(
  old: readonly EndpointNic[],
  nics: readonly EndpointNic[],
): readonly EndpointNic[] {
  const isLayout = nics.some((nic) => nic.interface === "");
  const left = new Set(nics);
  const merged: EndpointNic[] = [];
  for (const entry of old) {
    const named = nics.find((nic) => nic.interface !== "" && nic.interface === entry.interface);
    const nic = named ?? nics.find((nic) => nic.interface === "" && hasSameAddresses(nic, entry));
    if (nic === undefined) {
      if (!isLayout || entry.interface !== "") merged.push(entry);
    } else if (left.delete(nic)) {
      merged.push({ ...replaced(entry, nic), interface: entry.interface });
    }
  }
  return [...merged, ...left];
}

function hasSameAddresses(one: EndpointNic, other: EndpointNic): boolean {
  return one.ipv4 === other.ipv4 && one.ipv6 === other.ipv6;
}

/** What `nic` says, and of `old` only what no allocation says anything of. */
function replaced(old: EndpointNic, nic: EndpointNic): EndpointNic {
  const rest: Partial<EndpointNic> = { ...old };
  for (const field of OWN_FIELDS) delete rest[field];
  return { ...rest, ...nic };
}

function withIps(
  endpoint: SpiderEndpoint,
  edit: (ips: readonly EndpointNic[]) => readonly EndpointNic[],
): SpiderEndpoint {
  const { status } = endpoint;
  if (status === undefined) return endpoint;
  const current = { ...status.current, ips: edit(status.current.ips) };
  return { ...endpoint, status: { ...status, current, truth: TRUTH } };
}

function ownedMetadata(metadata: ObjectMeta, owner: EndpointPod): ObjectMeta {
  const { finalizers = [], ownerReferences = [], ...rest } = metadata;
  const left = finalizers.filter((name) => name !== SPIDERPOOL_FINALIZER);
  const owners = ownersOf(owner, ownerReferences);
  return {
    ...rest,
    ...(left.length === 0 ? {} : { finalizers: left }),
    ...(owners.length === 0 ? {} : { ownerReferences: owners }),
  };
}

/** A former pod among the owners would take the endpoint with it when it is collected. */
function ownersOf(
  { pod, keeper }: EndpointPod,
  stored: readonly OwnerReference[],
): readonly OwnerReference[] {
  const isPod = ({ apiVersion, kind }: OwnerReference) => apiVersion === "v1" && kind === "Pod";
  const uid = uidOf(pod);
  const kept = stored.filter((owner) => {
    return !isPod(owner) || (keeper === undefined && owner.uid === uid);
  });
  if (keeper !== undefined || kept.some(isPod)) return kept;
  return [...kept, { apiVersion: "v1", kind: "Pod", name: pod.metadata.name, uid }];
}

function ownerText(
  controller: TopController,
): { readonly ownerControllerType: string; readonly ownerControllerName: string } {
  return { ownerControllerType: controller.kind, ownerControllerName: controller.name };
}

function uidOf(pod: Pod): string {
  return pod.metadata.uid ?? "";
}

function nodeOf(pod: Pod): string {
  return pod.spec.nodeName ?? "";
}
