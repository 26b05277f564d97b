/** The addresses and routes of a pod's NIC, as an IPAM plugin gave them. */
import { err, ok } from "../base/result.ts";
import { formatAddress, parseAddress } from "../ip/address.ts";
import { formatCidr, parseAnyAddressInCidr, parseAnyDestination } from "../ip/cidr.ts";
import {
  defaultDestination,
  IPV6_METRIC_DEFAULT,
  type IpVersion,
  PROTOCOL_BOOT,
  type RouteSpec,
  SCOPE_LINK,
  SCOPE_UNIVERSE,
  TABLE_MAIN,
  TYPE_UNICAST,
} from "./operation.ts";
import type { VlanOperation, VlanPlan } from "./vlan_operation.ts";

/** What an IPAM plugin gave to a NIC, as it wrote it. */
export interface NicAddresses {
  readonly ips: readonly { readonly address: string; readonly gateway?: string | undefined }[];
  readonly routes: readonly NicRoute[];
}

/** A route that an IPAM plugin gave; without a router it leads to that of the addresses. */
export interface NicRoute {
  readonly dst: string;
  readonly gw?: string | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  readonly priority?: number | undefined;
  readonly table?: number | undefined;
  readonly scope?: number | undefined;
}

/** `RTAX_MTU` and `RTAX_ADVMSS`. */
const METRICS = { mtu: 2, advmss: 8 } as const;

/** What is known when addresses are planned. */
export interface NicSettings {
  /** `net/ipv6/conf/NIC/disable_ipv6`; absent where the kernel has no IPv6. */
  readonly disableIpv6: string | undefined;
}

/** Path of the setting that turns a NIC's IPv6 off. */
export function disableIpv6Path(ifName: string): string {
  return `net/ipv6/conf/${ifName}/disable_ipv6`;
}

/**
 * Plans a NIC's addresses and routes, and sets it up: after the addresses, for a kernel that
 * announces them does so then, and before the routes, which need it.
 *
 * @source `ipam.ConfigureIface` of the CNI plugins: a route without a router has that of the
 *   addresses of its family; the first of two routes that are the same counts.
 */
export function planAddresses(
  ifName: string,
  { ips, routes }: NicAddresses,
  { disableIpv6 }: NicSettings,
): VlanPlan {
  const addresses: VlanOperation[] = [];
  const gateways = new Map<IpVersion, string>();
  let hasIpv6 = false;
  for (const { address, gateway } of ips) {
    const parsed = parseAnyAddressInCidr(address);
    if (!parsed.ok) return given(ifName, { what: `the address "${address}"` });
    const version = versionIn(address);
    hasIpv6 ||= version === 6;
    const canonical = `${formatAddress(parsed.value.address)}/${parsed.value.cidr.prefixLength}`;
    addresses.push({ kind: "address_add", name: ifName, address: canonical });
    if (gateway === undefined || gateway === "") continue;
    const router = parseAddress(gateway);
    if (!router.ok) return given(ifName, { what: `the gateway "${gateway}"` });
    if (!gateways.has(version)) gateways.set(version, formatAddress(router.value));
  }
  const planned: VlanOperation[] = [];
  for (const route of routes) {
    const spec = routeOf(route, { ifName, gateways });
    if (spec === undefined) {
      return given(ifName, { what: `the route "${route.dst}" via "${route.gw ?? ""}"` });
    }
    planned.push({ kind: "route_add", route: spec });
  }
  if (hasIpv6 && disableIpv6 === undefined) {
    return err(
      `Cannot set addresses of NIC "${ifName}": the node's kernel has no IPv6, use a pool of IPv4`,
    );
  }
  const path = disableIpv6Path(ifName);
  const turnedOn = hasIpv6 && disableIpv6 !== "0";
  return ok([
    ...(turnedOn ? [{ kind: "sysctl", path, value: "0" } as const] : []),
    ...addresses,
    { kind: "up", name: ifName },
    ...planned,
  ]);
}

function routeOf(
  { dst, gw, mtu, advmss, priority, table = TABLE_MAIN, scope }: NicRoute,
  { ifName, gateways }: {
    readonly ifName: string;
    readonly gateways: ReadonlyMap<IpVersion, string>;
  },
): RouteSpec | undefined {
  const destination = parseAnyDestination(dst);
  if (!destination.ok) return undefined;
  const version = versionIn(dst);
  const router = parseAddress(gw || gateways.get(version) || "");
  if (!router.ok && (gw ?? "") !== "") return undefined;
  const metrics = {
    ...(mtu !== undefined && { [METRICS.mtu]: mtu }),
    ...(advmss !== undefined && { [METRICS.advmss]: advmss }),
  };
  const reach = version === 4 && !router.ok ? SCOPE_LINK : SCOPE_UNIVERSE;
  const { cidr } = destination.value;
  return {
    version,
    destination: cidr.prefixLength === 0 ? defaultDestination(version) : formatCidr(cidr),
    table,
    protocol: PROTOCOL_BOOT,
    scope: version === 4 ? scope ?? reach : reach,
    type: TYPE_UNICAST,
    metric: priority ?? (version === 4 ? 0 : IPV6_METRIC_DEFAULT),
    device: ifName,
    ...(router.ok && { gateway: formatAddress(router.value) }),
    ...(Object.keys(metrics).length > 0 && { metrics }),
  };
}

/** An address with prefix length as the kernel's are written; what is none stays as it is. */
export function canonicalAddress(text: string): string {
  const parsed = parseAnyAddressInCidr(text);
  if (!parsed.ok) return text;
  return `${formatAddress(parsed.value.address)}/${parsed.value.cidr.prefixLength}`;
}

function given(ifName: string, { what }: { readonly what: string }): VlanPlan {
  return err(
    `Cannot set addresses of NIC "${ifName}": the IPAM plugin gave ${what}, which is none; see ` +
      `its pools and configuration`,
  );
}

function versionIn(text: string): IpVersion {
  return text.includes(":") ? 6 : 4;
}
