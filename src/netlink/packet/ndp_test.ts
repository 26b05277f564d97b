import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { type Ipv6, isIpv6, parseIpv6 } from "../../ip/address.ts";
import { mac } from "../../../tests/support/netlink_records.ts";
import {
  ALL_NODES,
  decodeNdp,
  duplicateQuestion,
  encodeNdp,
  neighborAnnouncement,
  neighborQuestion,
  solicitedNode,
  UNSPECIFIED,
} from "./ndp.ts";

const A = mac("02:00:00:00:00:0a");
const B = mac("02:00:00:00:00:0b");
function ip(text: string): Ipv6 {
  return expectOk(parseIpv6(text), text);
}
function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(hex);
}

/** Frames of a kernel 6.18: it looks for a neighbour, answers, makes sure of its own address. */
const QUESTION = "3333ff00000b02000000000a86dd6000000000203aff" +
  "fd00000600000000000000000000000aff0200000000000000000001ff00000b" +
  "87007d6700000000fd00000600000000000000000000000b010102000000000a";
const ANSWER = "02000000000b02000000000a86dd6000000000203aff" +
  "fd00000600000000000000000000000afd00000600000000000000000000000b" +
  "88001c6660000000fd00000600000000000000000000000a020102000000000a";
const OWN = "3333ff00000a02000000000a86dd6000000000203aff" +
  "00000000000000000000000000000000ff0200000000000000000001ff00000a" +
  "8700f74e00000000fd00000600000000000000000000000a0e019934f1deed21";

Deno.test("neighborQuestion() is the kernel's own, byte by byte", () => {
  const question = { mac: A, source: ip("fd00:6::a"), target: ip("fd00:6::b") };
  assert.equal(neighborQuestion(question).toHex(), QUESTION);
});

Deno.test("NDP: the kernel's answer is read and written byte by byte", () => {
  const message = decodeNdp(bytes(ANSWER));
  assert.deepEqual(message, {
    kind: "advertisement",
    sourceMac: A,
    destinationMac: B,
    source: ip("fd00:6::a"),
    destination: ip("fd00:6::b"),
    target: ip("fd00:6::a"),
    linkAddress: A,
    isRouter: false,
    isSolicited: true,
    isOverride: true,
  });
  assert.equal(encodeNdp(message).toHex(), ANSWER);
});

Deno.test("duplicateQuestion() is the kernel's, less its nonce", () => {
  const seen = decodeNdp(bytes(OWN));
  assert.equal(seen?.source, UNSPECIFIED);
  assert.deepEqual(decodeNdp(duplicateQuestion({ mac: A, target: ip("fd00:6::a") })), seen);
});

Deno.test("neighborAnnouncement() tells all nodes, and overrides what they remember", () => {
  const frame = neighborAnnouncement({ mac: A, address: ip("fd00:6::a") });
  const message = decodeNdp(frame);
  assert.equal(frame.subarray(0, 6).toHex(), "333300000001");
  assert.equal(message?.destination, ALL_NODES);
  assert.deepEqual([message.isOverride, message.isSolicited, message.isRouter], [
    true,
    false,
    false,
  ]);
  assert.deepEqual([message.target, message.linkAddress], [ip("fd00:6::a"), A]);
});

Deno.test("solicitedNode() keeps the last three bytes", () => {
  assert.equal(solicitedNode(ip("fd00::1234:5678")), ip("ff02::1:ff34:5678"));
});

Deno.test("decodeNdp() refuses what came over a router, is damaged, cut or has no length", () => {
  const frame = bytes(ANSWER);
  for (let length = 0; length < frame.length; length++) {
    assert.equal(decodeNdp(frame.subarray(0, length)), undefined, `${length} bytes`);
  }
  // Ethertype, version, next header, hop limit, type, code, checksum, target, length of an option.
  for (const at of [12, 14, 20, 21, 54, 55, 57, 77, 79]) {
    const other = frame.slice();
    other[at] = (other[at] ?? 0) ^ 0x11;
    assert.equal(decodeNdp(other), undefined, `byte ${at} counts`);
  }
});

Deno.test("decodeNdp() refuses what its standard tells to throw away", () => {
  const good = decodeNdp(bytes(ANSWER));
  assert(good !== undefined);
  const wrong = {
    "a group as target": { ...good, target: ALL_NODES },
    "an answer to nobody that calls itself asked for": { ...good, destination: ALL_NODES },
    "a question from :: to one host": { ...good, kind: "solicitation", source: UNSPECIFIED },
    "a question from :: with a hardware address": {
      ...good,
      kind: "solicitation",
      source: UNSPECIFIED,
      destination: solicitedNode(good.target),
    },
  } as const;
  for (const [what, message] of Object.entries(wrong)) {
    assert.equal(decodeNdp(encodeNdp(message)), undefined, what);
  }
});

Deno.test("decodeNdp() takes options that it does not know, in any number", () => {
  const known = bytes(ANSWER);
  const frame = new Uint8Array(known.length + 16);
  frame.set(known);
  frame.set([0xee, 2], known.length); // 16 bytes of an option without a name; the rest is zero.
  frame[19] = 48;
  const view = new DataView(frame.buffer);
  // Length and option each add to the checksum what they put in.
  view.setUint16(56, (0x1c66 - 16 - 0xee02 + 0xffff * 2) % 0xffff);
  assert.deepEqual(decodeNdp(frame), decodeNdp(known));
});

Deno.test("property: a message that is written and read is the same", () => {
  const unicast = fc.bigInt({ min: 1n, max: 0xfen << 120n }).filter(isIpv6);
  const anyMessage = fc.record({
    kind: fc.constantFrom("advertisement" as const),
    sourceMac: fc.constantFrom(A, B),
    destinationMac: fc.constantFrom(A, B),
    source: unicast,
    destination: unicast,
    target: unicast,
    isRouter: fc.boolean(),
    isSolicited: fc.boolean(),
    isOverride: fc.boolean(),
    linkAddress: fc.constantFrom(A, B),
  }, { noNullPrototype: true });
  fc.assert(fc.property(anyMessage, (message) => {
    assert.deepEqual(decodeNdp(encodeNdp(message)), message);
  }));
});
