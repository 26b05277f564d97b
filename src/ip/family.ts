/**
 * What differs between IPv4 and IPv6, as one record each: numbers for one, bigints for the other.
 * Everything else here is written once over `Family<A>`.
 */
import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import {
  type Address,
  formatIpv4,
  formatIpv6,
  type Ipv4,
  IPV4_VALUE_MAX,
  type Ipv6,
  IPV6_VALUE_MAX,
  isIpv4,
  isIpv6,
  parseIpv4,
  parseIpv6,
} from "./address.ts";
import type { AddressRefusal } from "./refusal.ts";

/** 4 or 6, as a literal, so that unions of both families can be told apart. */
export type Version<A extends Address> = A extends Ipv4 ? 4 : 6;
/** How many addresses: number for IPv4 (at most 2^32), bigint for IPv6 (at most 2^128). */
export type Count<A extends Address> = A extends Ipv4 ? number : bigint;

/** Text and arithmetic of one address family. All results stay in the family, or it asserts. */
export interface Family<A extends Address> {
  readonly version: Version<A>;
  /** 32 or 128. */
  readonly bits: number;
  /** 0.0.0.0 or ::. */
  readonly first: A;
  /** 255.255.255.255 or ffff:…:ffff. */
  readonly last: A;
  readonly zero: Count<A>;
  /** Parses one address; see `parseIpv4` and `parseIpv6`. */
  parse(text: string): Result<A, AddressRefusal>;
  /** Prints the canonical text (RFC 5952 for IPv6). */
  format(address: A): string;
  /** The address after; `address` is not the last. */
  next(address: A): A;
  /** The address before; `address` is not the first. */
  previous(address: A): A;
  /** The address `by` further up. */
  advance(address: A, by: Count<A>): A;
  /** How many addresses there are from `first` to `last`, both included. */
  span(first: A, last: A): Count<A>;
  plus(left: Count<A>, right: Count<A>): Count<A>;
  minus(left: Count<A>, right: Count<A>): Count<A>;
  /** A count from a small whole number. */
  count(value: number): Count<A>;
  /** A random count, 0 <= x < bound. */
  below(random: Random, bound: Count<A>): Count<A>;
  /** First address of the network of `prefixLength` bits around `address`. */
  networkOf(address: A, prefixLength: number): A;
  /** Last address (IPv4: broadcast) of the network of `prefixLength` bits around `address`. */
  broadcastOf(address: A, prefixLength: number): A;
}

/** IPv4: 32 bits in a number. */
export const IPV4: Family<Ipv4> = {
  version: 4,
  bits: 32,
  first: ipv4(0),
  last: ipv4(IPV4_VALUE_MAX),
  zero: 0,
  parse: parseIpv4,
  format: formatIpv4,
  next: (address) => ipv4(address + 1),
  previous: (address) => ipv4(address - 1),
  advance: (address, by) => ipv4(address + by),
  span: (first, last) => last - first + 1,
  plus: (left, right) => left + right,
  minus: (left, right) => left - right,
  count: (value) => value,
  below: (random, bound) => random.below(bound),
  networkOf: (address, prefixLength) => ipv4(address - address % 2 ** (32 - prefixLength)),
  broadcastOf: (address, prefixLength) => {
    const size = 2 ** (32 - prefixLength);
    return ipv4(address - address % size + size - 1);
  },
};

/** IPv6: 128 bits in a bigint. */
export const IPV6: Family<Ipv6> = {
  version: 6,
  bits: 128,
  first: ipv6(0n),
  last: ipv6(IPV6_VALUE_MAX),
  zero: 0n,
  parse: parseIpv6,
  format: formatIpv6,
  next: (address) => ipv6(address + 1n),
  previous: (address) => ipv6(address - 1n),
  advance: (address, by) => ipv6(address + by),
  span: (first, last) => last - first + 1n,
  plus: (left, right) => left + right,
  minus: (left, right) => left - right,
  count: (value) => BigInt(value),
  below: (random, bound) => random.bigBelow(bound),
  networkOf: (address, prefixLength) => {
    const shift = BigInt(128 - prefixLength);
    return ipv6((address >> shift) << shift);
  },
  broadcastOf: (address, prefixLength) => ipv6(address | ((1n << BigInt(128 - prefixLength)) - 1n)),
};

function ipv4(value: number): Ipv4 {
  assert(isIpv4(value), "IPv4 arithmetic stays within 32 bits");
  return value;
}

function ipv6(value: bigint): Ipv6 {
  assert(isIpv6(value), "IPv6 arithmetic stays within 128 bits");
  return value;
}
