/** Numbers of address families, and networks as messages carry them. */
import type { Address } from "../../ip/address.ts";
import { type AnyCidr, cidrAround } from "../../ip/cidr.ts";
import { IPV4, IPV6 } from "../../ip/family.ts";

/** AF_UNSPEC: all families. */
export const AF_UNSPEC = 0;
/** IPv4. */
export const AF_INET = 2;
/** IPv6. */
export const AF_INET6 = 10;

/** The number of a family; of all families if none is given. */
export function familyNumber(family: 4 | 6 | undefined): number {
  if (family === undefined) return AF_UNSPEC;
  return family === 4 ? AF_INET : AF_INET6;
}

/** The family of a number; nothing if it is neither IPv4 nor IPv6. */
export function familyOfNumber(number: number): 4 | 6 | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}

/**
 * The network of an address and a count of bits that stand apart in a message; nothing if there is
 * no address or no bit: that is every address.
 */
export function networkOf(
  address: Address | undefined,
  { bits }: { readonly bits: number },
): AnyCidr | undefined {
  if (address === undefined || bits === 0) return undefined;
  return typeof address === "number"
    ? cidrAround(IPV4, { address, prefixLength: bits })
    : cidrAround(IPV6, { address, prefixLength: bits });
}
