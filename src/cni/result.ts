import { type CniVersion, isSince } from "./version.ts";

/** An address that an IPAM plugin gives. */
export interface ResultAddress {
  readonly version: 4 | 6;
  /** `10.6.0.17/16`. */
  readonly address: string;
  readonly gateway?: string;
}

/** A route that belongs to the addresses. */
export interface ResultRoute {
  readonly dst: string;
  readonly gw: string;
}

/** Name servers that belong to the addresses. */
export interface ResultDns {
  readonly nameservers: readonly string[];
  /** Empty for none. */
  readonly domain: string;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** What an ADD of an IPAM plugin gives. */
export interface IpamResult {
  readonly ips: readonly ResultAddress[];
  readonly routes: readonly ResultRoute[];
  readonly dns?: ResultDns | undefined;
}

/**
 * Prints the result of an IPAM plugin as its version wants it. Before 1.0.0 each address says its
 * family, as text; since 1.0.0 it must be read from the address.
 *
 * `interfaces`, and `interface` of an address, are never there: each version, from 0.3.0 to 1.1.0,
 * has an IPAM plugin give an abbreviated result without them, because the plugin that asked knows
 * its interfaces and fills them in.
 *
 * @source CNI specification 0.3.0 to 0.4.0, "IP Allocation"; 1.0.0 and 1.1.0, "Delegated plugins
 *   (IPAM)"
 */
export function ipamResultText(
  { ips, routes, dns }: IpamResult,
  { version }: { readonly version: CniVersion },
): string {
  const saysFamily = !isSince(version, { since: "1.0.0" });
  const result = {
    cniVersion: version,
    ips: ips.map((one) => ({
      ...(saysFamily ? { version: `${one.version}` } : {}),
      address: one.address,
      ...(one.gateway === undefined ? {} : { gateway: one.gateway }),
    })),
    routes: routes.map(({ dst, gw }) => ({ dst, gw })),
    dns: dns === undefined ? {} : dnsMembers(dns),
  };
  return `${JSON.stringify(result)}\n`;
}

function dnsMembers({ nameservers, domain, search, options }: ResultDns): unknown {
  return {
    ...(nameservers.length === 0 ? {} : { nameservers }),
    ...(domain === "" ? {} : { domain }),
    ...(search.length === 0 ? {} : { search }),
    ...(options.length === 0 ? {} : { options }),
  };
}
