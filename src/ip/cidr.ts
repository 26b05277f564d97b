/** CIDRs, and addresses with a prefix length. */
import { err, ok, type Result } from "../base/result.ts";
import {
  type Address,
  formatAddress,
  guessVersion,
  type Ipv4,
  type Ipv6,
  type Range,
} from "./address.ts";
import { type Count, type Family, IPV4, IPV6, type Version } from "./family.ts";
import type { CidrRefusal } from "./refusal.ts";

/** A network: its host bits are zero. Also a `Range` of all its addresses. */
export interface Cidr<A extends Address> {
  readonly version: Version<A>;
  readonly family: Family<A>;
  /** The network address. */
  readonly first: A;
  /** The last address; for IPv4 the broadcast address. */
  readonly last: A;
  /** 0 to 32 or 128. */
  readonly prefixLength: number;
}

/** A network of either family; `version` tells which. */
export type AnyCidr = Cidr<Ipv4> | Cidr<Ipv6>;

/** What it takes to print a network: any `Cidr` fits. */
interface CidrOfSomeFamily {
  readonly first: Address;
  readonly prefixLength: number;
}

/** An address and the network it is in, such as `172.31.199.193/20`. */
export interface AddressInCidr<A extends Address> {
  readonly version: Version<A>;
  readonly address: A;
  readonly cidr: Cidr<A>;
}

/** An address of either family in its network; `version` tells which. */
export type AnyAddressInCidr = AddressInCidr<Ipv4> | AddressInCidr<Ipv6>;

/**
 * Parses a network in canonical form only (what `formatCidr` prints): `spec.subnet` is compared as
 * text by everything around us, so there is one spelling.
 *
 * @outcome all of `CidrRefusal`; `host_bits` and `not_canonical` say which network was meant.
 */
export function parseCidr<A extends Address>(
  family: Family<A>,
  text: string,
): Result<Cidr<A>, CidrRefusal> {
  const parsed = parseAddressInCidr(family, text);
  if (!parsed.ok) return parsed;
  const { address, cidr } = parsed.value;
  const canonical = formatCidr(cidr);
  if (canonical === text) return ok(cidr);
  return address === cidr.first
    ? err({ code: "not_canonical", text, canonical })
    : err({ code: "host_bits", text, network: canonical });
}

/** Parses a network of either family in canonical form; see `parseCidr`. */
export function parseAnyCidr(text: string): Result<AnyCidr, CidrRefusal> {
  return guessVersion(text) === 6 ? parseCidr(IPV6, text) : parseCidr(IPV4, text);
}

/**
 * Parses `address/prefix length`; host bits are kept, and the address may be in any spelling.
 *
 * @outcome `bad_address`, `no_prefix_length`, `bad_prefix_length`, `netmask`
 */
export function parseAddressInCidr<A extends Address>(
  family: Family<A>,
  text: string,
): Result<AddressInCidr<A>, CidrRefusal> {
  const slash = text.indexOf("/");
  const parsed = family.parse(slash < 0 ? text : text.slice(0, slash));
  if (!parsed.ok) return err({ code: "bad_address", text, address: parsed.error });
  if (slash < 0) return err({ code: "no_prefix_length", text, version: family.version });
  const prefixLength = prefixLengthOf(family, text.slice(slash + 1));
  if (prefixLength === undefined) return err(prefixLengthRefusal(family, { text, slash }));
  return ok(addressIn(family, { address: parsed.value, prefixLength }));
}

/** Parses `address/prefix length` of either family; see `parseAddressInCidr`. */
export function parseAnyAddressInCidr(text: string): Result<AnyAddressInCidr, CidrRefusal> {
  return guessVersion(text) === 6 ? parseAddressInCidr(IPV6, text) : parseAddressInCidr(IPV4, text);
}

/**
 * Parses where a route leads: `address/prefix length` with host bits kept, or a bare address,
 * which is a network of its own (/32 or /128).
 *
 * @outcome `bad_address`, `bad_prefix_length`, `netmask`
 */
export function parseDestination<A extends Address>(
  family: Family<A>,
  text: string,
): Result<AddressInCidr<A>, CidrRefusal> {
  return parseAddressInCidr(family, text.includes("/") ? text : `${text}/${family.bits}`);
}

/** Parses a destination of either family; see `parseDestination`. */
export function parseAnyDestination(text: string): Result<AnyAddressInCidr, CidrRefusal> {
  return guessVersion(text) === 6 ? parseDestination(IPV6, text) : parseDestination(IPV4, text);
}

/** The network of `prefixLength` bits around an address. */
export function cidrAround<A extends Address>(
  family: Family<A>,
  { address, prefixLength }: { readonly address: A; readonly prefixLength: number },
): Cidr<A> {
  return addressIn(family, { address, prefixLength }).cidr;
}

/** Prints the canonical form, `172.18.40.0/24`. */
export function formatCidr({ first, prefixLength }: CidrOfSomeFamily): string {
  return `${formatAddress(first)}/${prefixLength}`;
}

/** Prints an address with its prefix length, `172.31.199.193/20`. */
export function formatAddressInCidr(
  { address, cidr }: { readonly address: Address; readonly cidr: CidrOfSomeFamily },
): string {
  return `${formatAddress(address)}/${cidr.prefixLength}`;
}

/**
 * Prints a network as a label value: `172.18.40.0/24` as `172-18-40-0-24`.
 *
 * A leading `::` becomes `0--`: the reference's form starts with `-`, which no label may.
 *
 * @source spiderpool `pkg/ip`: each of `.`, `:` and `/` becomes `-`
 */
export function formatCidrLabel(cidr: CidrOfSomeFamily): string {
  const label = formatCidr(cidr).replaceAll(/[.:/]/g, "-");
  return label.startsWith("-") ? `0${label}` : label;
}

/** How many addresses a network has, network and broadcast address included. */
export function cidrSize<A extends Address>(cidr: Cidr<A>): Count<A> {
  return cidr.family.span(cidr.first, cidr.last);
}

/**
 * The addresses that hosts of a network can have: IPv4 without network and broadcast address,
 * unless it has only one or two; IPv6 all of them.
 *
 * @source RFC 3021 for /31
 */
export function hostRange<A extends Address>(cidr: Cidr<A>): Range<A> {
  const { family, first, last } = cidr;
  if (cidr.version === 6 || cidr.prefixLength >= 31) return { first, last };
  return { first: family.next(first), last: family.previous(last) };
}

/** How many addresses hosts of a network can have; see `hostRange`. */
export function hostCount<A extends Address>(cidr: Cidr<A>): Count<A> {
  const { first, last } = hostRange(cidr);
  return cidr.family.span(first, last);
}

/** Whether an address is in a network. */
export function cidrContains<A extends Address>(cidr: Cidr<A>, address: A): boolean {
  return cidr.first <= address && address <= cidr.last;
}

/** Whether two networks of one family share an address, that is, whether one contains the other. */
export function cidrsOverlap<A extends Address>(one: Cidr<A>, other: Cidr<A>): boolean {
  return one.first <= other.last && other.first <= one.last;
}

function addressIn<A extends Address>(
  family: Family<A>,
  { address, prefixLength }: { readonly address: A; readonly prefixLength: number },
): AddressInCidr<A> {
  const first = family.networkOf(address, prefixLength);
  const last = family.broadcastOf(address, prefixLength);
  const { version } = family;
  return { version, address, cidr: { version, family, first, last, prefixLength } };
}

function prefixLengthOf<A extends Address>(family: Family<A>, text: string): number | undefined {
  if (!/^(?:0|[1-9]\d{0,2})$/.test(text)) return undefined;
  const prefixLength = Number(text);
  return prefixLength <= family.bits ? prefixLength : undefined;
}

function prefixLengthRefusal<A extends Address>(
  family: Family<A>,
  { text, slash }: { readonly text: string; readonly slash: number },
): CidrRefusal {
  const prefixLength = text.slice(slash + 1);
  const mask = IPV4.parse(prefixLength);
  if (family.version === 4 && mask.ok) {
    const ones = Math.clz32(~mask.value); // Leading one bits, if nothing but zeros follows.
    if (IPV4.networkOf(IPV4.last, ones) === mask.value) {
      return { code: "netmask", text, meant: `${text.slice(0, slash)}/${ones}` };
    }
  }
  return { code: "bad_prefix_length", text, prefixLength, bits: family.bits };
}
