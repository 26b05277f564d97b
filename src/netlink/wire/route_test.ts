import assert from "node:assert/strict";
import fc from "fast-check";
import { AttributeReader } from "./attribute.ts";
import {
  decodeRoute,
  encodeRoute,
  encodeRouteList,
  encodeRouteQuestion,
  encodeRouteRemoval,
} from "./route.ts";
import { describeRoute, ROUTE_METRIC, routeOf, type RouteRecord } from "./route_record.ts";
import { address, anyRoute, cidr } from "../../../tests/support/netlink_records.ts";

/** What a kernel 6.18 says of itself, as RTA_CACHEINFO, of a route that does not expire. */
const CACHE = `24000c00${"00".repeat(32)}`;

/** Routes as a kernel 6.18 dumps them, by what `ip route` says of them. */
const DUMPED: readonly { readonly text: string; readonly hex: string; readonly is: RouteRecord }[] =
  [
    {
      text: "default via 10.6.0.1 dev #3 src 10.6.0.5 metric 50",
      hex:
        "02000000fe0300010000000008000f00fe000000080006003200000014000800080002007805000008000800" +
        "14050000080007000a060005080005000a0600010800040003000000",
      is: routeOf({
        family: 4,
        gateway: address("10.6.0.1"),
        linkIndex: 3,
        prefSource: address("10.6.0.5"),
        priority: 50,
        metrics: { [ROUTE_METRIC.mtu]: 1400, [ROUTE_METRIC.advmss]: 1300 },
      }),
    },
    {
      text: "10.6.0.0/24 dev #3 src 10.6.0.5",
      hex:
        "02180000fe02fd010000000008000f00fe000000080001000a060000080007000a0600050800040003000000",
      is: routeOf({
        family: 4,
        destination: cidr("10.6.0.0/24"),
        linkIndex: 3,
        protocol: 2,
        scope: 253,
        prefSource: address("10.6.0.5"),
      }),
    },
    {
      text: "10.10.0.0/16 via 192.0.2.1 dev #3 onlink table 500",
      hex:
        "02100000fc0400010400000008000f00f4010000080001000a0a000008000500c00002010800040003000000",
      is: routeOf({
        family: 4,
        destination: cidr("10.10.0.0/16"),
        gateway: address("192.0.2.1"),
        linkIndex: 3,
        protocol: 4,
        table: 500,
        isOnlink: true,
      }),
    },
    {
      text: "10.20.0.0/16 tos 16 nexthop via 10.6.0.1 dev #3 weight 2 " +
        "nexthop via 10.7.0.1 dev #2 weight 3",
      hex:
        "02100010fe0300010000000008000f00fe000000080001000a140000240009001000000103000000080005" +
        "000a0600011000000202000000080005000a070001",
      is: routeOf({
        family: 4,
        destination: cidr("10.20.0.0/16"),
        tos: 16,
        nexthops: [
          { linkIndex: 3, gateway: address("10.6.0.1"), weight: 2 },
          { linkIndex: 2, gateway: address("10.7.0.1"), weight: 3 },
        ],
      }),
    },
    {
      text: "10.30.0.0/16 via fd00:10:6::1 dev #3",
      hex:
        "02100000fe0300010000000008000f00fe000000080001000a1e0000160012000a00fd0000100006000000" +
        "000000000000010000" + "0800040003000000",
      is: routeOf({
        family: 4,
        destination: cidr("10.30.0.0/16"),
        gateway: address("fd00:10:6::1"),
        linkIndex: 3,
      }),
    },
    {
      text: "blackhole 10.40.0.0/16 table 1000",
      hex: "02100000fc0300060000000008000f00e8030000080001000a280000",
      is: routeOf({ family: 4, destination: cidr("10.40.0.0/16"), type: 6, table: 1000 }),
    },
    {
      text: "local 127.0.0.0/8 dev #1 table 255 src 127.0.0.1",
      hex:
        "02080000ff02fe020000000008000f00ff000000080001007f000000080007007f0000010800040001000000",
      is: routeOf({
        family: 4,
        destination: cidr("127.0.0.0/8"),
        type: 2,
        protocol: 2,
        linkIndex: 1,
        prefSource: address("127.0.0.1"),
      }),
    },
    {
      text: "default via fd00:10:6::1 dev #3 table 101 metric 50",
      hex:
        "0a000000650300010000000008000f00650000000c00080008000200780500000800060032000000140005" +
        "00fd0000100006000000000000000000010800040003000000" + CACHE + "0500140001000000",
      is: routeOf({
        family: 6,
        gateway: address("fd00:10:6::1"),
        linkIndex: 3,
        table: 101,
        priority: 50,
        metrics: { [ROUTE_METRIC.mtu]: 1400 },
        pref: 1,
      }),
    },
    {
      text: "fd00:97::/64 from fd00:10:6::/64 via fd00:10:6::1 dev #3 metric 1024",
      hex:
        "0a404000fe0300010000000008000f00fe00000014000100fd000097000000000000000000000000140002" +
        "00fd000010000600000000000000000000080006000004000014000500fd0000100006000000000000000000" +
        "010800040003000000" +
        "24000c0000000000000000003ec300000000000000000000000000000000000000000000" +
        "0500140000000000",
      is: routeOf({
        family: 6,
        destination: cidr("fd00:97::/64"),
        source: cidr("fd00:10:6::/64"),
        gateway: address("fd00:10:6::1"),
        linkIndex: 3,
        priority: 1024,
        pref: 0,
        expiresSeconds: 500,
      }),
    },
    {
      text: "unreachable fd00:98::/48 dev #1 metric 1024",
      hex:
        "0a300000fe0300070000000008000f00fe00000014000100fd000098000000000000000000000000080006" +
        "00000400000800040001000000" + CACHE + "0500140000000000",
      is: routeOf({
        family: 6,
        destination: cidr("fd00:98::/48"),
        type: 7,
        linkIndex: 1,
        priority: 1024,
        pref: 0,
      }),
    },
    {
      text: "fd00:99::/48 nexthop via fd00:10:6::1 dev #3 weight 2 " +
        "nexthop via fd00:10:7::1 dev #2 weight 1 metric 1024",
      hex:
        "0a300000fe0300010000000008000f00fe00000014000100fd00009900000000000000000000000008000600" +
        "000400003c0009001c0000010300000014000500fd000010000600000000" +
        "0000000000011c0000000200000014" +
        "000500fd000010000700000000000000000001" + CACHE + "0500140000000000",
      is: routeOf({
        family: 6,
        destination: cidr("fd00:99::/48"),
        priority: 1024,
        pref: 0,
        nexthops: [
          { linkIndex: 3, gateway: address("fd00:10:6::1"), weight: 2 },
          { linkIndex: 2, gateway: address("fd00:10:7::1") },
        ],
      }),
    },
  ];

for (const { text, hex, is } of DUMPED) {
  Deno.test(`decodeRoute() reads what a kernel says of ${text}`, () => {
    assert.deepEqual(decodeRoute(Uint8Array.fromHex(hex)), is);
  });

  Deno.test(`describeRoute() says ${text}`, () => {
    assert.equal(describeRoute(is), text);
  });
}

/** Requests as `ip route` makes them. */
const REQUESTED = {
  "ip route add default via 10.6.0.1 dev n0 metric 50 src 10.6.0.5 mtu 1400 advmss 1300": {
    hex: "02000000fe03000100000000080005000a0600010800060032000000080007000a060005" +
      "080004000300000014000800080002007805000008000800" + "14050000",
    is: {
      family: 4,
      gateway: address("10.6.0.1"),
      linkIndex: 3,
      prefSource: address("10.6.0.5"),
      priority: 50,
      metrics: { [ROUTE_METRIC.mtu]: 1400, [ROUTE_METRIC.advmss]: 1300 },
    },
  },
  "ip route add 10.10.0.0/16 via 192.0.2.1 dev n0 onlink proto static table 500": {
    hex: "021000000004000104000000080001000a0a000008000500c000020108000f00f40100000800040003000000",
    is: {
      family: 4,
      destination: cidr("10.10.0.0/16"),
      gateway: address("192.0.2.1"),
      linkIndex: 3,
      protocol: 4,
      table: 500,
      isOnlink: true,
    },
  },
  "ip route add 10.20.0.0/16 tos 0x10 nexthop via 10.6.0.1 dev n0 weight 2 nexthop ...": {
    hex: "02100010fe03000100000000080001000a140000240009001000000103000000080005000a060001" +
      "1000000202000000080005000a070001",
    is: {
      family: 4,
      destination: cidr("10.20.0.0/16"),
      tos: 16,
      nexthops: [
        { linkIndex: 3, gateway: address("10.6.0.1"), weight: 2 },
        { linkIndex: 2, gateway: address("10.7.0.1"), weight: 3 },
      ],
    },
  },
  "ip route add 10.30.0.0/16 via inet6 fd00:10:6::1 dev n0": {
    hex: "02100000fe03000100000000080001000a1e0000160012000a00fd000010000600000000000000000001" +
      "00000800040003000000",
    is: {
      family: 4,
      destination: cidr("10.30.0.0/16"),
      gateway: address("fd00:10:6::1"),
      linkIndex: 3,
    },
  },
  "ip route add 10.6.0.2/32 dev n0 scope link src 10.6.0.5 table 101": {
    hex: "022000006503fd0100000000080001000a060002080007000a0600050800040003000000",
    is: {
      family: 4,
      destination: cidr("10.6.0.2/32"),
      linkIndex: 3,
      prefSource: address("10.6.0.5"),
      table: 101,
    },
  },
  "ip -6 route add fd00:99::/48 nexthop via fd00:10:6::1 dev n0 weight 2 nexthop ...": {
    hex:
      "0a300000fe0300010000000014000100fd0000990000000000000000000000003c0009001c00000103000000" +
      "14000500fd0000100006000000000000000000011c0000000200000014000500fd000010000700000000000000" +
      "000001",
    is: {
      family: 6,
      destination: cidr("fd00:99::/48"),
      nexthops: [
        { linkIndex: 3, gateway: address("fd00:10:6::1"), weight: 2 },
        { linkIndex: 2, gateway: address("fd00:10:7::1") },
      ],
    },
  },
  "ip -6 route add default via fd00:10:6::1 dev n0 metric 50 pref high mtu 1400 table 101": {
    // Without the destination ::, which `ip` gives as well.
    hex: "0a000000650300010000000014000500fd0000100006000000000000000000010800060032000000" +
      "050014000100000008000400030000000c0008000800020078050000",
    is: {
      family: 6,
      gateway: address("fd00:10:6::1"),
      linkIndex: 3,
      priority: 50,
      pref: 1,
      metrics: { [ROUTE_METRIC.mtu]: 1400 },
      table: 101,
    },
  },
} as const;

/** A body as its structure and its attributes in order of their bytes: `ip` has another order. */
function partsOf(body: Uint8Array): readonly string[] {
  const parts: string[] = [];
  const reader = new AttributeReader(body, 12);
  while (reader.next()) parts.push(`${reader.type}: ${reader.bytes().toHex()}`);
  return [body.subarray(0, 12).toHex(), ...parts.toSorted()];
}

for (const [command, { hex, is }] of Object.entries(REQUESTED)) {
  Deno.test(`encodeRoute() asks for what is asked for by ${command}`, () => {
    assert.deepEqual(partsOf(encodeRoute(is)), partsOf(Uint8Array.fromHex(hex)));
  });
}

Deno.test("encodeRouteRemoval() leaves open what it is not told, as `ip route del` does", () => {
  const body = encodeRouteRemoval({
    family: 4,
    destination: cidr("10.6.0.2/32"),
    linkIndex: 3,
    table: 101,
  });
  assert.equal(body.toHex(), "022000006500ff0000000000080001000a0600020800040003000000");
});

Deno.test("encodeRouteRemoval() of a route that was read names all of it", () => {
  const route = DUMPED[0]?.is ?? routeOf({ family: 4 });
  assert.deepEqual(encodeRouteRemoval(route), encodeRoute(route));
});

Deno.test("encodeRouteList() asks for one family and table, or for all", () => {
  assert.equal(encodeRouteList({}).toHex(), "00".repeat(12));
  assert.equal(
    encodeRouteList({ family: 6, table: 500 }).toHex(),
    `0a${"00".repeat(11)}08000f00f4010000`,
  );
});

Deno.test("encodeRouteQuestion() asks IPv4 for the table, which IPv6 says unasked", () => {
  assert.equal(
    encodeRouteQuestion({ address: address("8.8.8.8") }).toHex(),
    "0220000000000000001000000800010008080808",
  );
  assert.equal(
    encodeRouteQuestion({ address: address("fd00::1"), source: address("fd00::2") }).toHex(),
    "0a808000000000000000000014000100fd000000000000000000000000000001" +
      "14000200fd000000000000000000000000000002",
  );
  assert.equal(
    encodeRouteQuestion({ address: address("8.8.8.8"), outputIndex: 3, mark: 1 }).toHex(),
    "0220000000000000001000000800010008080808080004000300000008001000" + "01000000",
  );
});

Deno.test("decodeRoute() reads the answer to a question as a cached route", () => {
  const route = decodeRoute(Uint8Array.fromHex(
    "02200000fe0000010002000008000f00fe00000008000100080808080800040003000000080007000a060005" +
      "080005000a060001140008000800020078050000080008001405000008001900000000" +
      "0024000c000200000000000000000000000000000000000000000000000000000000000000",
  ));
  assert.deepEqual(
    route,
    routeOf({
      family: 4,
      destination: cidr("8.8.8.8/32"),
      gateway: address("10.6.0.1"),
      linkIndex: 3,
      prefSource: address("10.6.0.5"),
      metrics: { [ROUTE_METRIC.mtu]: 1400, [ROUTE_METRIC.advmss]: 1300 },
      protocol: 0,
      isCloned: true,
    }),
  );
});

Deno.test("decodeRoute() passes over routes of other families", () => {
  assert.equal(decodeRoute(Uint8Array.fromHex(`80${"00".repeat(11)}`)), undefined);
});

Deno.test("encodeRoute() takes no network or source of another family, no weight of 257", () => {
  const foreign = { family: 4, destination: cidr("fd00::/64") } as const;
  assert.throws(() => encodeRoute(foreign), /networks are of its family/);
  const source = { family: 6, prefSource: address("10.6.0.5") } as const;
  assert.throws(() => encodeRoute(source), /source address is of its family/);
  const nexthops = [{ linkIndex: 1, weight: 257 }];
  assert.throws(() => encodeRoute({ family: 4, nexthops }), /a weight is 1 to 256/);
});

Deno.test("routeOf() completes a route as `ip route add` does", () => {
  const scopes = [
    routeOf({ family: 4, linkIndex: 3 }),
    routeOf({ family: 4, gateway: address("10.6.0.1") }),
    routeOf({ family: 4, nexthops: [{ linkIndex: 3 }] }),
    routeOf({ family: 4, type: 2, linkIndex: 1 }),
    routeOf({ family: 4, type: 6 }),
    routeOf({ family: 6, linkIndex: 3 }),
  ].map(({ scope, table }) => ({ scope, table }));
  assert.deepEqual(scopes, [
    { scope: 253, table: 254 },
    { scope: 0, table: 254 },
    { scope: 0, table: 254 },
    { scope: 254, table: 255 },
    { scope: 0, table: 254 },
    { scope: 0, table: 254 },
  ]);
});

Deno.test("routeOf() takes 0.0.0.0/0 and ::/0 for the default route", () => {
  assert.equal(routeOf({ family: 4, destination: cidr("0.0.0.0/0") }).destination, undefined);
  assert.equal(routeOf({ family: 6, destination: cidr("::/0") }).destination, undefined);
});

Deno.test("property: a route that is written is read as it was", () => {
  fc.assert(fc.property(anyRoute, (route) => {
    assert.deepEqual(decodeRoute(encodeRoute(route)), route);
  }));
});
