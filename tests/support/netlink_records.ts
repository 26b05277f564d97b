import fc from "fast-check";
import { expectOk } from "../../src/base/result.ts";
import {
  type Address,
  type AnyCidr,
  parseAddress,
  parseAddressBytes,
  parseAnyCidr,
} from "../../src/ip/mod.ts";
import { networkOf } from "../../src/netlink/wire/family.ts";
import { type MacAddress, macOfBytes, parseMac } from "../../src/netlink/wire/mac.ts";
import { neighborOf, type NeighborRecord } from "../../src/netlink/wire/neighbor.ts";
import {
  nexthopOf,
  ROUTE_METRIC,
  type RouteHop,
  type RouteMetrics,
  type RouteNexthop,
  routeOf,
  type RouteRecord,
} from "../../src/netlink/wire/route_record.ts";
import {
  type NumberRange,
  RULE_ACTION,
  ruleOf,
  type RuleRecord,
} from "../../src/netlink/wire/rule.ts";

/** The address that a test writes as text. */
export function address(text: string): Address {
  return expectOk(parseAddress(text), "the test names an address");
}

/** The network that a test writes as text. */
export function cidr(text: string): AnyCidr {
  return expectOk(parseAnyCidr(text), "the test names a network");
}

/** Any number of so many bits. */
export function anyUint(bits: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** bits - 1 });
}

/** Any address of a family. */
export function anyAddress(family: 4 | 6): fc.Arbitrary<Address> {
  const length = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
    const value = parseAddressBytes(bytes);
    if (value === undefined) throw new Error(`${length} bytes are an address`);
    return value;
  });
}

/** Any network of a family but that of all addresses; half the time nothing. */
export function anyNetwork(family: 4 | 6): fc.Arbitrary<AnyCidr | undefined> {
  const bits = fc.integer({ min: 1, max: family === 4 ? 32 : 128 });
  const network = fc.tuple(anyAddress(family), bits).map(([first, bits]) =>
    networkOf(first, { bits })
  );
  return perhaps(network);
}

/** Half the time nothing. */
export function perhaps<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined });
}

const anyMetrics: fc.Arbitrary<RouteMetrics> = fc
  .tuple(fc.subarray(Object.values(ROUTE_METRIC)), anyUint(32))
  .map(([numbers, first]) =>
    Object.fromEntries(numbers.map((number, at) => [number, (first + at) % 2 ** 32]))
  );

const anyEncapsulation = fc
  .tuple(fc.integer({ min: 1, max: 10 }), fc.uint8Array({ maxLength: 40 }))
  .map(([type, bytes]) => ({ type, attributes: bytes.slice(0, bytes.length & ~3) }));

/** Gateways of the other family go with routes of IPv4 only. */
function anyHop(family: 4 | 6): fc.Arbitrary<RouteHop> {
  const gateway = family === 4 ? fc.oneof(anyAddress(4), anyAddress(6)) : anyAddress(6);
  return fc.record({
    linkIndex: perhaps(fc.integer({ min: 1, max: 2 ** 31 - 1 })),
    gateway: perhaps(gateway),
    isOnlink: fc.boolean(),
    isDead: fc.constant(false),
    realms: perhaps(anyUint(32)),
    encapsulation: perhaps(anyEncapsulation),
  });
}

function anyNexthop(family: 4 | 6): fc.Arbitrary<RouteNexthop> {
  return fc.tuple(anyHop(family), fc.integer({ min: 1, max: 256 })).map(([hop, weight]) =>
    nexthopOf({ ...hop, weight })
  );
}

/** Where a route leads: by one way, by several, or as an object says. */
function anyWays(family: 4 | 6): fc.Arbitrary<Partial<RouteRecord>> {
  return fc.oneof(
    anyHop(family),
    fc.record({ nexthops: fc.array(anyNexthop(family), { minLength: 1, maxLength: 8 }) }),
    fc.record({ nexthopId: fc.integer({ min: 1, max: 2 ** 31 - 1 }) }),
  );
}

function anyRouteOf(family: 4 | 6): fc.Arbitrary<RouteRecord> {
  const said = fc.record({
    destination: anyNetwork(family),
    source: anyNetwork(family),
    table: fc.oneof(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 256, max: 2 ** 32 - 1 })),
    protocol: anyUint(8),
    scope: anyUint(8),
    type: anyUint(8),
    tos: anyUint(8),
    priority: anyUint(32),
    prefSource: perhaps(anyAddress(family)),
    metrics: anyMetrics,
    congestionControl: perhaps(fc.constantFrom("cubic", "bbr")),
    pref: perhaps(fc.constantFrom(0, 1, 3)),
  });
  return fc.tuple(said, anyWays(family)).map(([route, ways]) =>
    routeOf({ family, ...route, ...ways })
  );
}

/** Any route that can be written: what is only read, and what is written otherwise, is left out. */
export const anyRoute: fc.Arbitrary<RouteRecord> = fc.oneof(anyRouteOf(4), anyRouteOf(6));

/** The hardware address that a test writes as text. */
export function mac(text: string): MacAddress {
  return expectOk(parseMac(text), "the test names a hardware address");
}

const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macOfBytes(bytes));

const anyName = fc.constantFrom("eth0", "veth0", "a", "abcdefghijklmno", "eth0.100");

function anyRange(bits: number): fc.Arbitrary<NumberRange> {
  return fc.tuple(anyUint(bits), anyUint(bits)).map(([one, other]) => ({
    first: Math.min(one, other),
    last: Math.max(one, other),
  }));
}

function anyRuleOf(family: 4 | 6): fc.Arbitrary<RuleRecord> {
  const said = fc.record({
    priority: anyUint(32),
    action: fc.constantFrom(...Object.values(RULE_ACTION)),
    table: anyUint(32),
    isInverted: fc.boolean(),
    from: anyNetwork(family),
    to: anyNetwork(family),
    tos: anyUint(8),
    fwMark: perhaps(anyUint(32)),
    fwMask: perhaps(anyUint(32)),
    inputName: perhaps(anyName),
    outputName: perhaps(anyName),
    protocol: anyUint(8),
    // All ones stand for none.
    suppressPrefixLength: perhaps(fc.integer({ min: 0, max: 128 })),
    suppressGroup: perhaps(anyUint(31)),
    goto: perhaps(anyUint(32)),
    realms: perhaps(anyUint(32)),
    tunnelId: perhaps(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    isL3mdev: fc.boolean(),
    users: perhaps(anyRange(32)),
    ipProtocol: perhaps(anyUint(8)),
    sourcePorts: perhaps(anyRange(16)),
    destinationPorts: perhaps(anyRange(16)),
  });
  return said.map((rule) => ruleOf({ family, ...rule }));
}

/** Any rule. */
export const anyRule: fc.Arbitrary<RuleRecord> = fc.oneof(anyRuleOf(4), anyRuleOf(6));

/** Any neighbour. */
export const anyNeighbor: fc.Arbitrary<NeighborRecord> = fc
  .record({
    linkIndex: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    address: fc.oneof(anyAddress(4), anyAddress(6)),
    macAddress: perhaps(anyMac),
    state: anyUint(16),
    isProxy: fc.boolean(),
    isRouter: fc.boolean(),
    isExternal: fc.boolean(),
    protocol: anyUint(8),
  })
  .map((neighbor) => neighborOf(neighbor));
