/** Text, names and bytes of addresses: round trips, and independent readers as twins. */
import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { expectOk, type Result } from "../base/result.ts";
import {
  type Address,
  cidrAround,
  type Family,
  formatAddress,
  formatAddressBytes,
  formatAddressInCidr,
  formatCidr,
  formatObjectName,
  formatRange,
  guessVersion,
  IPV4,
  IPV6,
  parseAddress,
  parseAddressBytes,
  parseAddressInCidr,
  parseCidr,
  parseIpv4,
  parseIpv6,
  parseObjectName,
  parseRange,
  type Range,
  type RangeRefusal,
} from "./mod.ts";

/** Any bits, and often runs of zeros and ones. */
const ipv4 = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
).map((value) => IPV4.advance(IPV4.first, value));
const ipv6 = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0, 0, 0xffff)),
  { minLength: 8, maxLength: 8 },
).map((groups) => {
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
  return IPV6.advance(IPV6.first, value);
}).filter((address) => address >> 32n !== 0xffffn); // IPv4-mapped text is refused by design.

const address: fc.Arbitrary<Address> = fc.oneof(ipv4, ipv6);

/** Nearly an address: an address with some characters changed, added or left out. */
const nearAddress = fc.tuple(
  address.map(formatAddress),
  fc.array(
    fc.tuple(
      fc.nat(40),
      fc.nat(2),
      fc.constantFrom("", "0", "1", ":", "::", ".", "f", "g", "%", "/", " ", "-", "256", "00"),
    ),
    { maxLength: 3 },
  ),
).map(([text, edits]) => {
  let edited = text;
  for (const [at, removed, inserted] of edits) {
    edited = edited.slice(0, at) + inserted + edited.slice(at + removed);
  }
  return edited;
});

function twinPrint(value: bigint): string {
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) {
    groups.push(((value >> shift) & 0xffffn).toString(16));
  }
  // The first of the longest runs of at least two zero groups.
  for (let length = 8; length >= 2; length--) {
    for (let start = 0; start + length <= 8; start++) {
      if (groups.slice(start, start + length).every((group) => group === "0")) {
        return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
      }
    }
  }
  return groups.join(":");
}

Deno.test("property: an address survives text, object name and bytes", () => {
  fc.assert(
    fc.property(address, (value) => {
      assert.equal(expectOk(parseAddress(formatAddress(value)), "own text"), value);
      assert.equal(parseObjectName(formatObjectName(value)), value);
      assert.equal(parseAddressBytes(formatAddressBytes(value)), value);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("property: IPv6 text is that of RFC 5952", () => {
  fc.assert(
    fc.property(ipv6, (value) => {
      assert.equal(formatAddress(value), twinPrint(value));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("property: IPv6 is read alike in every spelling", () => {
  fc.assert(fc.property(ipv6, fc.boolean(), fc.boolean(), (value, upper, dotted) => {
    const groups = formatObjectName(value).split("-");
    let text = groups.join(":");
    if (dotted) {
      const tail = IPV4.advance(IPV4.first, Number(value & 0xffffffffn));
      text = `${groups.slice(0, 6).join(":")}:${formatAddress(tail)}`;
    }
    assert.equal(expectOk(parseIpv6(upper ? text.toUpperCase() : text), text), value);
  }));
});

Deno.test("property: object names sort as addresses do within IPv6, and are unique", () => {
  fc.assert(fc.property(ipv6, ipv6, (one, other) => {
    assert.equal(formatObjectName(one) < formatObjectName(other), one < other);
  }));
});

Deno.test("property: what is read is an address to node:net, and what is refused is not", () => {
  fc.assert(
    fc.property(fc.oneof(nearAddress, fc.string()), (text) => {
      const [four, six] = [parseIpv4(text), parseIpv6(text)];
      assert.equal(four.ok, isIPv4(text), text);
      if (six.ok) assert.ok(isIPv6(text), text);
      else if (isIPv6(text)) assert.match(six.error.code, /^(mapped|zone)$/, text);
    }),
    { numRuns: 5_000 },
  );
});

function cidrProperties<A extends Address>(family: Family<A>, any: fc.Arbitrary<A>): void {
  const prefix = fc.integer({ min: 0, max: family.bits });
  fc.assert(fc.property(any, prefix, (address, prefixLength) => {
    const cidr = cidrAround(family, { address, prefixLength });
    const full = (value: A) => BigInt(value).toString(2).padStart(family.bits, "0");
    const bits = full(address).slice(0, prefixLength);
    assert.equal(full(cidr.first), bits.padEnd(family.bits, "0"));
    assert.equal(full(cidr.last), bits.padEnd(family.bits, "1"));
    assert.deepEqual(expectOk(parseCidr(family, formatCidr(cidr)), "own text"), cidr);
    const text = formatAddressInCidr({ address, cidr });
    assert.deepEqual(expectOk(parseAddressInCidr(family, text), "own text").cidr, cidr);
    assert.equal(parseCidr(family, text).ok, address === cidr.first);
  }));
}

Deno.test("property: a CIDR keeps its prefix bits, and survives text", () => {
  cidrProperties(IPV4, ipv4);
  cidrProperties(IPV6, ipv6.filter((value) => value >> 48n !== 0n)); // Its network may be mapped.
});

Deno.test("property: a range survives text, and its reverse is refused", () => {
  const pair = fc.oneof(fc.tuple(ipv4, ipv4), fc.tuple(ipv6, ipv6));
  fc.assert(fc.property(pair, ([one, other]) => {
    const [first, last] = one < other ? [one, other] : [other, one];
    const text = formatRange({ first, last });
    const read = (range: string): Result<Range<Address>, RangeRefusal> =>
      guessVersion(range) === 4 ? parseRange(IPV4, range) : parseRange(IPV6, range);
    assert.deepEqual(expectOk(read(text), "own text"), { first, last });
    if (first === last) return;
    const reversed = read(text.split("-").reverse().join("-"));
    assert.deepEqual(!reversed.ok && "range" in reversed.error && reversed.error.range, text);
  }));
});
