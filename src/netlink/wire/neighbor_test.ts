import assert from "node:assert/strict";
import fc from "fast-check";
import { address, anyNeighbor, mac } from "../../../tests/support/netlink_records.ts";
import {
  decodeNeighbor,
  describeNeighbor,
  encodeNeighbor,
  encodeNeighborList,
  neighborOf,
} from "./neighbor.ts";

/** Neighbours as a kernel 6.18 dumps them. */
const DUMPED = {
  "10.6.0.9 dev n0 lladdr 0a:1b:0a:06:00:09 PERMANENT": {
    hex: "020000000300000080000001080001000a0600090a0002000a1b0a06000900000800040000000000" +
      "1400030010000000100000001000000000000000",
    is: neighborOf({
      linkIndex: 3,
      address: address("10.6.0.9"),
      macAddress: mac("0a:1b:0a:06:00:09"),
    }),
  },
  "ff02::16 dev n0 lladdr 33:33:00:00:00:16 NOARP": {
    hex: "0a000000030000004000000514000100ff0200000000000000000000000000160a000200333300000016" +
      "000008000400000000001400030083170000130000001300000000000000",
    is: neighborOf({
      linkIndex: 3,
      address: address("ff02::16"),
      macAddress: mac("33:33:00:00:00:16"),
      state: 64,
    }),
  },
  "fd00:10:6::9 dev n0 lladdr 0a:1b:0a:06:00:09 router PERMANENT": {
    hex: "0a000000030000008000800114000100fd0000100006000000000000000000090a0002000a1b0a060009" +
      "0000080004000000000014000300" + "0f0000000f0000000f00000000000000",
    is: neighborOf({
      linkIndex: 3,
      address: address("fd00:10:6::9"),
      macAddress: mac("0a:1b:0a:06:00:09"),
      isRouter: true,
    }),
  },
  "10.6.0.10 dev n0 proxy": {
    hex: "020000000300000000000801080001000a06000a",
    is: neighborOf({ linkIndex: 3, address: address("10.6.0.10"), state: 0, isProxy: true }),
  },
} as const;

for (const [text, { hex, is }] of Object.entries(DUMPED)) {
  Deno.test(`decodeNeighbor() reads what a kernel says of ${text}`, () => {
    assert.deepEqual(decodeNeighbor(Uint8Array.fromHex(hex)), is);
  });
}

/** Requests as `ip neigh` makes them. */
const REQUESTED = {
  "ip neigh replace 10.6.0.9 lladdr 0a:1b:0a:06:00:09 dev n0 nud permanent": {
    hex: "020000000300000080000000080001000a0600090a0002000a1b0a0600090000",
    is: { linkIndex: 3, address: address("10.6.0.9"), macAddress: mac("0a:1b:0a:06:00:09") },
  },
  "ip neigh add proxy 10.6.0.10 dev n0": {
    hex: "020000000300000080000800080001000a06000a",
    is: { linkIndex: 3, address: address("10.6.0.10"), isProxy: true },
  },
  "ip -6 neigh add fd00:10:6::9 lladdr 0a:1b:0a:06:00:09 dev n0 nud permanent router": {
    hex: "0a000000030000008000800014000100fd0000100006000000000000000000090a0002000a1b0a060009" +
      "0000",
    is: {
      linkIndex: 3,
      address: address("fd00:10:6::9"),
      macAddress: mac("0a:1b:0a:06:00:09"),
      isRouter: true,
    },
  },
  "ip neigh del 10.6.0.9 dev n0": {
    hex: "020000000300000000000000080001000a060009",
    is: { linkIndex: 3, address: address("10.6.0.9"), state: 0 },
  },
} as const;

for (const [command, { hex, is }] of Object.entries(REQUESTED)) {
  Deno.test(`encodeNeighbor() asks for what is asked for by ${command}`, () => {
    assert.equal(encodeNeighbor(is).toHex(), hex);
  });
}

Deno.test("encodeNeighborList() asks for one family, one link, and proxied addresses", () => {
  assert.equal(encodeNeighborList({}).toHex(), "00".repeat(12));
  assert.equal(
    encodeNeighborList({ family: 6, linkIndex: 3, isProxy: true }).toHex(),
    "0a0000000000000000000800" + "0800080003000000",
  );
});

Deno.test("decodeNeighbor() has no MAC of an address that is not of Ethernet", () => {
  // A GRE tunnel's neighbour: four bytes.
  const body = "020000000300000080000001080001000a06000908000200c0000201";
  const expected = neighborOf({ linkIndex: 3, address: address("10.6.0.9") });
  assert.deepEqual(decodeNeighbor(Uint8Array.fromHex(body)), expected);
});

Deno.test("decodeNeighbor() passes over other families, and what names no address", () => {
  assert.equal(decodeNeighbor(Uint8Array.fromHex(`07${"00".repeat(11)}`)), undefined);
  assert.equal(decodeNeighbor(Uint8Array.fromHex(`02${"00".repeat(11)}`)), undefined);
});

Deno.test("describeNeighbor() names it as `ip neigh` does, its link by number", () => {
  const known = DUMPED["10.6.0.9 dev n0 lladdr 0a:1b:0a:06:00:09 PERMANENT"].is;
  assert.equal(describeNeighbor(known), "10.6.0.9 dev #3 lladdr 0a:1b:0a:06:00:09");
  const proxy = DUMPED["10.6.0.10 dev n0 proxy"].is;
  assert.equal(describeNeighbor(proxy), "proxy 10.6.0.10 dev #3");
});

Deno.test("property: a neighbour that is written is read as it was", () => {
  fc.assert(fc.property(anyNeighbor, (neighbor) => {
    assert.deepEqual(decodeNeighbor(encodeNeighbor(neighbor)), neighbor);
  }));
});
