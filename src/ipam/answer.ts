/** What the agent answers: addresses and routes of a pod, and what coordinators do. */
import {
  type CoordinatorConfig,
  type InterfaceDetail,
  type IpamAddResponse,
  type IpConfig,
  isHardwareAddress,
  type NicRoute,
  type WorkloadEndpointStatus,
} from "../api/agent.ts";
import { ANNOTATION_DEFAULT_ROUTE_NIC } from "../api/annotations.ts";
import { COORDINATOR_PHASES, type SpiderCoordinator } from "../api/coordinator.ts";
import { parseCoordinatorMode, VETH_MTU_DEFAULT } from "../api/coordinator_mode.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { nicOf } from "../api/multus_networks.ts";
import type { Route } from "../api/parts.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  type Address,
  type Family,
  formatAddressInCidr,
  IPV4,
  IPV6,
  parseAddressInCidr,
} from "../ip/mod.ts";
import { furtherNetworks } from "./multus.ts";
import { canonicalRoute, DEFAULT_DESTINATION, distinctRoutes } from "./routes.ts";

/** What plugins are to look for before they use an address. */
export interface DetectionFlags {
  readonly conflictDetection: boolean;
  readonly gatewayDetection: boolean;
}

/** One family of a NIC. */
interface NicFamily {
  readonly version: 4 | 6;
  /** With prefix length, in canonical text. */
  readonly address: string;
  readonly pool: string;
  /** Empty for none. */
  readonly gateway: string;
}

/**
 * The answer to an ADD: all NICs of the pod that have a name, each with its addresses, its stored
 * routes and then a default route per family through its gateway, unless it wants none or its
 * stored routes have one already. What a person wrote into the endpoint and nobody can read is left
 * out.
 *
 * @source spiderpool `pkg/utils/convert`: the gateway of an address is told even where there is no
 *   default route through it.
 */
export function answerOf(
  nics: readonly EndpointNic[],
  flags: DetectionFlags,
): IpamAddResponse {
  const named = nics.filter((nic) => nic.interface !== "");
  return {
    ips: named.flatMap((nic) => familiesOf(nic).map((family) => ipConfig(nic, family, flags))),
    routes: named.flatMap(routesOf),
  };
}

/** What a pod has, as the agent tells other plugins: NICs that have a name, and stored routes. */
export function workloadStatus(endpoint: SpiderEndpoint): WorkloadEndpointStatus {
  const { metadata, status } = endpoint;
  const nics = (status?.current.ips ?? []).filter((nic) => nic.interface !== "");
  return {
    podNamespace: metadata.namespace ?? "",
    podName: metadata.name,
    podUID: status?.current.uid ?? "",
    node: status?.current.node ?? "",
    interfaces: nics.map(interfaceDetail),
  };
}

/**
 * What coordinators do for a pod unless their own configuration says otherwise.
 *
 * The mode `disabled` is answered as `disable`: older plugins know only that one, ours both.
 *
 * @param pod Its annotation counts even if it is empty: the default route then stays with the pod's
 *   first NIC. Absent: nothing is known of it, so nothing is changed for it.
 */
export function coordinatorAnswer(
  coordinator: SpiderCoordinator,
  pod: Pod | undefined,
): Result<CoordinatorConfig, string> {
  const { metadata, spec, status } = coordinator;
  const name = `SpiderCoordinator ${JSON.stringify(metadata.name)}`;
  const mode = parseCoordinatorMode(spec.mode);
  if (mode === undefined) {
    return err(
      `Cannot use spec.mode ${JSON.stringify(spec.mode)} of ${name}: write auto, underlay, ` +
        `overlay or disabled`,
    );
  }
  if (status?.phase !== COORDINATOR_PHASES.synced) {
    const { phase = "", reason = "" } = status ?? {};
    const state = phase === "" ? "it has no phase yet" : `its phase is ${JSON.stringify(phase)}`;
    return err(
      `Cannot use ${name}: it is not ready, ${state}${reason === "" ? "" : ` (${reason})`}; ` +
        `spiderpool-controller sets it once it has found the networks of the cluster`,
    );
  }
  const nic = pod?.metadata.annotations?.[ANNOTATION_DEFAULT_ROUTE_NIC];
  return ok({
    mode: mode === "disabled" ? "disable" : mode,
    overlayPodCIDR: status.overlayPodCIDR ?? [],
    serviceCIDR: status.serviceCIDR ?? [],
    tunePodRoutes: spec.tunePodRoutes,
    hijackCIDR: spec.hijackCIDR ?? [],
    policyRoutes: (spec.policyRoutes ?? []).map(({ dst, gw }) => ({ dst, gw })),
    podMACPrefix: spec.podMACPrefix ?? "",
    podDefaultRouteNIC: nic ?? spec.podDefaultRouteNIC ?? "",
    hostRuleTable: spec.hostRuleTable,
    podRPFilter: spec.podRPFilter,
    txQueueLen: spec.txQueueLen,
    vethLinkAddress: spec.vethLinkAddress ?? "",
    vethMTU: spec.vethMTU ?? VETH_MTU_DEFAULT,
    ...(pod !== undefined && { podNICs: furtherNics(pod) }),
  });
}

/** NICs beside the first, if the annotation that names their networks can be read. */
function furtherNics(pod: Pod): readonly string[] {
  const networks = furtherNetworks(pod);
  return networks.ok ? networks.value.map(nicOf) : [];
}

function ipConfig(
  nic: EndpointNic,
  { version, address, pool, gateway }: NicFamily,
  { conflictDetection, gatewayDetection }: DetectionFlags,
): IpConfig {
  return {
    version,
    address,
    nic: nic.interface,
    ipPool: pool,
    gateway,
    vlan: nic.vlan,
    ...macOf(nic),
    enableGatewayDetection: gatewayDetection,
    enableIPConflictDetection: conflictDetection,
  };
}

/** The readable families of an entry, IPv4 first. */
function familiesOf(nic: EndpointNic): readonly NicFamily[] {
  const families: NicFamily[] = [];
  const ipv4 = parseAddressInCidr(IPV4, nic.ipv4 ?? "");
  if (ipv4.ok) {
    const { ipv4Pool: pool = "", ipv4Gateway } = nic;
    const gateway = gatewayText(IPV4, ipv4Gateway);
    families.push({ version: 4, address: formatAddressInCidr(ipv4.value), pool, gateway });
  }
  const ipv6 = parseAddressInCidr(IPV6, nic.ipv6 ?? "");
  if (ipv6.ok) {
    const { ipv6Pool: pool = "", ipv6Gateway } = nic;
    const gateway = gatewayText(IPV6, ipv6Gateway);
    families.push({ version: 6, address: formatAddressInCidr(ipv6.value), pool, gateway });
  }
  return families;
}

function gatewayText<A extends Address>(family: Family<A>, text = ""): string {
  const gateway = family.parse(text);
  return gateway.ok ? family.format(gateway.value) : "";
}

function routesOf(nic: EndpointNic): readonly NicRoute[] {
  const stored = storedRoutes(nic);
  const defaults: Route[] = [];
  for (const { version, gateway } of nic.cleanGateway === true ? [] : familiesOf(nic)) {
    const dst = DEFAULT_DESTINATION[version];
    if (gateway === "" || stored.some((route) => route.dst === dst)) continue;
    defaults.push({ dst, gw: gateway });
  }
  return [...stored, ...defaults].map((route) => ({ ifName: nic.interface, ...route }));
}

function storedRoutes(nic: EndpointNic): readonly Route[] {
  const routes = (nic.routes ?? []).map(canonicalRoute);
  return distinctRoutes(routes.filter((route) => route !== undefined));
}

function interfaceDetail(nic: EndpointNic): InterfaceDetail {
  const { ipv4, ipv6, ipv4Pool, ipv6Pool, ipv4Gateway, ipv6Gateway, vlan } = nic;
  const routes = storedRoutes(nic).map((route) => ({ ifName: nic.interface, ...route }));
  return {
    interface: nic.interface,
    ipv4,
    ipv6,
    ...macOf(nic),
    vlan,
    ipv4Pool,
    ipv6Pool,
    ipv4Gateway,
    ipv6Gateway,
    routes,
  };
}

/** The hardware address, if it is one: plugins refuse a whole answer for a malformed one. */
function macOf(nic: EndpointNic): { readonly mac?: string } {
  return nic.mac !== undefined && isHardwareAddress(nic.mac) ? { mac: nic.mac } : {};
}
