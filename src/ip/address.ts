/**
 * Addresses as text, bytes and object names: the edge where brands are made. `ipaddr.js` reads and
 * prints IPv6 here and nowhere else; arithmetic is in `family.ts`.
 */
import ipaddr from "ipaddr.js";
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AddressRefusal } from "./refusal.ts";

declare const brand: unique symbol;
/** IPv4 address: unsigned 32-bit integer, 10.0.0.1 is 0x0a000001. */
export type Ipv4 = number & { readonly [brand]: "Ipv4" };
/** IPv6 address: unsigned 128-bit integer. */
export type Ipv6 = bigint & { readonly [brand]: "Ipv6" };
/** An address of either family; `typeof` tells which. */
export type Address = Ipv4 | Ipv6;

/** All addresses from `first` to `last`, both included; `first <= last`. */
export interface Range<A extends Address> {
  readonly first: A;
  readonly last: A;
}

/** 255.255.255.255 as a plain number. */
export const IPV4_VALUE_MAX = 0xffff_ffff;
/** ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff as a plain bigint. */
export const IPV6_VALUE_MAX = (1n << 128n) - 1n;

/** Texts longer than any address are refused before anything else looks at them. */
const TEXT_CHARACTERS_MAX = 64;
const IPV4_TEXT = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const IPV6_GROUPS = /^(?:[0-9a-f]{0,4}:){2,8}[0-9a-f]{0,4}$/i;
const IPV6_DOTTED_TAIL = /^([0-9a-f:]*:)(\d[\d.]*)$/i;
const IPV6_OBJECT_NAME = /^[0-9a-f]{4}(?:-[0-9a-f]{4}){7}$/;
/** ::ffff:0:0/96, shifted right by 32 bits. */
const MAPPED_PREFIX = 0xffffn;

/** Tells whether an address is IPv4 (4) or IPv6 (6). */
export function versionOf(address: Address): 4 | 6 {
  return typeof address === "number" ? 4 : 6;
}

/** Whether a number is an IPv4 address: the check behind every `Ipv4`. */
export function isIpv4(value: number): value is Ipv4 {
  return value >= 0 && value <= IPV4_VALUE_MAX && Number.isInteger(value);
}

/** Whether a bigint is an IPv6 address: the check behind every `Ipv6`. */
export function isIpv6(value: bigint): value is Ipv6 {
  return value >= 0n && value <= IPV6_VALUE_MAX;
}

/**
 * Guesses which family a text is meant to be; it need not parse.
 *
 * @returns 6 if it has a `:`, else 4 if it has a `.`, else undefined.
 */
export function guessVersion(text: string): 4 | 6 | undefined {
  if (text.includes(":")) return 6;
  return text.includes(".") ? 4 : undefined;
}

/** Parses an address of either family; see `parseIpv4` and `parseIpv6` for what is refused. */
export function parseAddress(text: string): Result<Address, AddressRefusal> {
  const version = guessVersion(text);
  if (version === undefined) return err(refusalOf(text, undefined));
  return version === 4 ? parseIpv4(text) : parseIpv6(text);
}

/**
 * Parses four decimal numbers with dots. Everything that other programs read in another way is
 * refused: leading zeros (octal), fewer numbers, hexadecimal.
 *
 * @outcome all of `AddressRefusal`, except `zone` and `mapped`.
 */
export function parseIpv4(text: string): Result<Ipv4, AddressRefusal> {
  const value = ipv4Value(text);
  return value === undefined ? err(refusalOf(text, 4)) : ok(value);
}

/**
 * Parses an IPv6 address in any form of RFC 4291 section 2.2, dotted tail included
 * (`64:ff9b::10.0.0.1`), in either case.
 *
 * IPv4-mapped addresses (`::ffff:10.0.0.1` and `::ffff:a00:1`) are refused: they are never on a
 * wire, and Go's and Kubernetes' parsers take them for IPv4. Zones (`fe80::1%eth0`) are refused.
 *
 * @outcome `zone`, `mapped`, `has_prefix_length`, `white_space`, `other_family`, `not_address`
 * @source RFC 4291 section 2.2
 */
export function parseIpv6(text: string): Result<Ipv6, AddressRefusal> {
  const value = ipv6Value(text);
  if (value === undefined) return err(refusalOf(text, 6));
  if (value >> 32n === MAPPED_PREFIX) {
    return err({ code: "mapped", text, ipv4: formatIpv4Value(Number(value & 0xffff_ffffn)) });
  }
  return ok(value);
}

/** Prints four decimal numbers with dots. */
export function formatIpv4(address: Ipv4): string {
  return formatIpv4Value(address);
}

/**
 * Prints the canonical form: lower case, the longest run of two or more zero groups compressed
 * (the first of equals), never a dotted tail.
 *
 * @source RFC 5952 section 4; section 5 (dotted tails) is left out, as in Go's `net/netip`.
 */
export function formatIpv6(address: Ipv6): string {
  const digits = hexDigits(address);
  const groups: number[] = [];
  for (let at = 0; at < 32; at += 4) groups.push(Number.parseInt(digits.slice(at, at + 4), 16));
  return new ipaddr.IPv6(groups).toRFC5952String();
}

/** Prints an address of either family in canonical form. */
export function formatAddress(address: Address): string {
  return typeof address === "number" ? formatIpv4(address) : formatIpv6(address);
}

/**
 * Prints an address as a Kubernetes object name: IPv4 as it is, IPv6 as eight groups of four
 * lower-case hex digits joined with `-`, 39 characters.
 */
export function formatObjectName(address: Address): string {
  if (typeof address === "number") return formatIpv4(address);
  const digits = hexDigits(address);
  let name = digits.slice(0, 4);
  for (let at = 4; at < 32; at += 4) name += "-" + digits.slice(at, at + 4);
  return name;
}

/**
 * Reads an object name back into the address it stands for. Each address has exactly one name.
 *
 * @returns undefined if no address has this name.
 */
export function parseObjectName(name: string): Address | undefined {
  if (!IPV6_OBJECT_NAME.test(name)) return ipv4Value(name);
  const value = BigInt("0x" + name.replaceAll("-", ""));
  return isIpv6(value) ? value : undefined;
}

/**
 * Reads an address in network byte order.
 *
 * @param bytes 4 bytes for IPv4, 16 for IPv6.
 * @returns undefined for any other length.
 */
export function parseAddressBytes(bytes: Uint8Array): Address | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) {
    const value = view.getUint32(0);
    return isIpv4(value) ? value : undefined;
  }
  const value = (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
  return isIpv6(value) ? value : undefined;
}

/** Writes an address in network byte order: 4 bytes for IPv4, 16 for IPv6. */
export function formatAddressBytes(address: Address): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(typeof address === "number" ? 4 : 16);
  const view = new DataView(bytes.buffer);
  if (typeof address === "number") {
    view.setUint32(0, address);
  } else {
    view.setBigUint64(0, address >> 64n);
    view.setBigUint64(8, address & 0xffff_ffff_ffff_ffffn);
  }
  return bytes;
}

function ipv4Value(text: string): Ipv4 | undefined {
  const match = IPV4_TEXT.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (let at = 1; at <= 4; at++) {
    const octet = Number(match[at]);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  assert(isIpv4(value), "four octets are an IPv4 address");
  return value;
}

/** The value of a well-formed text, IPv4-mapped or not. */
function ipv6Value(text: string): Ipv6 | undefined {
  if (text.length > TEXT_CHARACTERS_MAX) return undefined;
  const groups = withHexTail(text);
  // The library alone would take zones, and `::10.0.0.1` for `::ffff:10.0.0.1`; what passes this
  // pattern it reads as RFC 4291 says.
  if (groups === undefined || !IPV6_GROUPS.test(groups)) return undefined;
  const parts = ipv6Parts(groups);
  if (parts === undefined) return undefined;
  let digits = "0x";
  for (const part of parts) digits += part.toString(16).padStart(4, "0");
  const value = BigInt(digits);
  return isIpv6(value) ? value : undefined;
}

/** Eight numbers, or nothing if the library refuses the text. */
function ipv6Parts(text: string): readonly number[] | undefined {
  try {
    return ipaddr.IPv6.parse(text).parts;
  } catch {
    return undefined; // Its only way to say no. Asking isValid() first would parse twice.
  }
}

/** Turns a dotted tail into two groups: `64:ff9b::10.0.0.1` into `64:ff9b::a00:1`. */
function withHexTail(text: string): string | undefined {
  const [, head, tail] = IPV6_DOTTED_TAIL.exec(text) ?? [];
  if (head === undefined || tail === undefined || !tail.includes(".")) return text;
  const value = ipv4Value(tail);
  if (value === undefined) return undefined;
  return `${head}${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
}

function formatIpv4Value(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function hexDigits(address: Ipv6): string {
  return address.toString(16).padStart(32, "0");
}

/** Says why a text is no address; only called for those that are refused. */
function refusalOf(text: string, version: 4 | 6 | undefined): AddressRefusal {
  if (text.length > TEXT_CHARACTERS_MAX) return { code: "not_address", text, version };
  const trimmed = text.replaceAll(/\s+/g, "");
  if (trimmed !== text && isAddressText(trimmed)) {
    return { code: "white_space", text, without: trimmed };
  }
  const [bare] = text.split("/", 1);
  if (bare !== undefined && bare !== text && isAddressText(bare)) {
    return { code: "has_prefix_length", text, without: bare };
  }
  const [unzoned] = text.split("%", 1);
  if (unzoned !== undefined && unzoned !== text && ipv6Value(unzoned) !== undefined) {
    return { code: "zone", text, without: unzoned };
  }
  if (version !== undefined && isAddressText(text)) return { code: "other_family", text, version };
  const numbers = version === 6 ? undefined : numbersRefusal(text);
  return numbers ?? { code: "not_address", text, version };
}

function isAddressText(text: string): boolean {
  return ipv4Value(text) !== undefined || ipv6Value(text) !== undefined;
}

/** What is wrong with a text of decimal numbers and dots. */
function numbersRefusal(text: string): AddressRefusal | undefined {
  if (!/^\d+(?:\.\d+)*$/.test(text)) return undefined;
  const numbers = text.split(".");
  if (numbers.length !== 4) return { code: "number_count", text, count: numbers.length };
  const large = numbers.find((number) => Number(number) > 255);
  if (large !== undefined) return { code: "number_too_large", text, number: large };
  return { code: "leading_zero", text, without: numbers.map(Number).join(".") };
}
