import assert from "node:assert/strict";
import fc from "fast-check";
import { type Ipv4, isIpv4, parseIpv4 } from "../../ip/address.ts";
import { expectOk } from "../../base/result.ts";
import { anyUint, mac } from "../../../tests/support/netlink_records.ts";
import { arpAnnouncement, type ArpPacket, arpQuestion, decodeArp, encodeArp } from "./arp.ts";
import { BROADCAST_MAC, ZERO_MAC } from "./ethernet.ts";

const A = mac("02:00:00:00:00:0a");
const B = mac("02:00:00:00:00:0b");
function ip(text: string): Ipv4 {
  return expectOk(parseIpv4(text), text);
}

/** Frames of a kernel 6.18 that looks for a neighbour, and of one that answers. */
const SEEN: Readonly<Record<string, { readonly hex: string; readonly packet: ArpPacket }>> = {
  question: {
    hex: "ffffffffffff02000000000a0806000108000604000102000000000a0a06000a000000000000" +
      "0a06000b",
    packet: {
      operation: "request",
      senderMac: A,
      senderAddress: ip("10.6.0.10"),
      targetMac: ZERO_MAC,
      targetAddress: ip("10.6.0.11"),
    },
  },
  answer: {
    hex: "02000000000b02000000000a0806000108000604000202000000000a0a06000a02000000000b" +
      "0a06000b",
    packet: {
      operation: "reply",
      senderMac: A,
      senderAddress: ip("10.6.0.10"),
      targetMac: B,
      targetAddress: ip("10.6.0.11"),
    },
  },
};

for (const [name, { hex, packet }] of Object.entries(SEEN)) {
  Deno.test(`ARP: the kernel's ${name} is read and written byte by byte`, () => {
    assert.deepEqual(decodeArp(Uint8Array.fromHex(hex)), packet);
    const destination = name === "answer" ? B : BROADCAST_MAC;
    assert.equal(encodeArp(packet, { destination }).toHex(), hex);
  });
}

Deno.test("arpQuestion() with 0.0.0.0 is the probe of RFC 5227", () => {
  const frame = arpQuestion({
    senderMac: A,
    senderAddress: ip("0.0.0.0"),
    targetAddress: ip("10.6.0.11"),
  });
  const expected = "ffffffffffff02000000000a0806000108000604000102000000000a" +
    "000000000000000000000a06000b";
  assert.equal(frame.toHex(), expected);
});

Deno.test("arpAnnouncement() has one address as sender and target", () => {
  const frame = arpAnnouncement({ mac: A, address: ip("10.6.0.10") });
  const packet = decodeArp(frame);
  assert.equal(packet?.operation, "request");
  assert.equal(packet.senderAddress, packet.targetAddress);
  assert.equal(frame.subarray(0, 6).toHex(), "ffffffffffff");
});

Deno.test("decodeArp() leaves padding alone, and refuses what is cut or of another kind", () => {
  const bytes = Uint8Array.fromHex(SEEN.answer?.hex ?? "");
  const padded = new Uint8Array(60);
  padded.set(bytes);
  assert.deepEqual(decodeArp(padded), SEEN.answer?.packet);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(decodeArp(bytes.subarray(0, length)), undefined);
  }
  for (const at of [12, 14, 16, 18, 19, 20]) {
    const other = bytes.slice();
    other[at] = 0x77;
    assert.equal(decodeArp(other), undefined, `byte ${at} counts`);
  }
});

Deno.test("property: an ARP packet that is written and read is the same", () => {
  const address = anyUint(32).filter(isIpv4);
  const anyPacket = fc.record({
    operation: fc.constantFrom("request" as const, "reply" as const),
    senderMac: fc.constantFrom(A, B),
    senderAddress: address,
    targetMac: fc.constantFrom(A, B, ZERO_MAC),
    targetAddress: address,
  }, { noNullPrototype: true });
  fc.assert(fc.property(anyPacket, (packet) => {
    assert.deepEqual(decodeArp(encodeArp(packet, { destination: B })), packet);
  }));
});
