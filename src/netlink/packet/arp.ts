/** ARP over Ethernet for IPv4: bytes of frames. */
import { type Ipv4, isIpv4 } from "../../ip/address.ts";
import { type MacAddress, macBytes, macOfBytes } from "../wire/mac.ts";
import { BROADCAST_MAC, ETHERTYPE, writeHeader, ZERO_MAC } from "./ethernet.ts";

const FRAME_BYTES = 42;
const HARDWARE_ETHERNET = 1;
const OPERATIONS = { request: 1, reply: 2 } as const;

/** What an ARP packet says. */
export interface ArpPacket {
  readonly operation: keyof typeof OPERATIONS;
  readonly senderMac: MacAddress;
  /** 0.0.0.0 in a probe: who asks has no address yet. */
  readonly senderAddress: Ipv4;
  readonly targetMac: MacAddress;
  readonly targetAddress: Ipv4;
}

/**
 * A frame from the packet's sender.
 *
 * @returns 42 bytes, no padding: 0..6 destination | 6..12 sender | 12..14 0x0806 | 14..42 ARP
 * @source RFC 826
 */
export function encodeArp(
  packet: ArpPacket,
  { destination }: { readonly destination: MacAddress },
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(new ArrayBuffer(FRAME_BYTES));
  const view = new DataView(frame.buffer);
  writeHeader(frame, { destination, source: packet.senderMac, type: ETHERTYPE.arp });
  view.setUint16(14, HARDWARE_ETHERNET);
  view.setUint16(16, ETHERTYPE.ipv4);
  view.setUint8(18, 6);
  view.setUint8(19, 4);
  view.setUint16(20, OPERATIONS[packet.operation]);
  frame.set(macBytes(packet.senderMac), 22);
  view.setUint32(28, packet.senderAddress);
  frame.set(macBytes(packet.targetMac), 32);
  view.setUint32(38, packet.targetAddress);
  return frame;
}

/** What a frame says, padding left out; nothing if it is no ARP of Ethernet and IPv4, or cut. */
export function decodeArp(frame: Uint8Array): ArpPacket | undefined {
  if (frame.length < FRAME_BYTES) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const isArp = view.getUint16(12) === ETHERTYPE.arp && view.getUint16(14) === HARDWARE_ETHERNET &&
    view.getUint16(16) === ETHERTYPE.ipv4 && view.getUint8(18) === 6 && view.getUint8(19) === 4;
  const number = view.getUint16(20);
  const operation = number === OPERATIONS.request
    ? "request"
    : number === OPERATIONS.reply
    ? "reply"
    : undefined;
  const senderMac = macOfBytes(frame.subarray(22, 28));
  const targetMac = macOfBytes(frame.subarray(32, 38));
  const senderAddress = view.getUint32(28);
  const targetAddress = view.getUint32(38);
  if (!isArp || operation === undefined || senderMac === undefined) return undefined;
  if (targetMac === undefined || !isIpv4(senderAddress) || !isIpv4(targetAddress)) return undefined;
  return { operation, senderMac, senderAddress, targetMac, targetAddress };
}

/**
 * The frame that asks everyone who has an address.
 *
 * @param question.senderAddress 0.0.0.0 while it is not known whether the address is free.
 * @source RFC 5227 section 2.1.1
 */
export function arpQuestion(
  { senderMac, senderAddress, targetAddress }: {
    readonly senderMac: MacAddress;
    readonly senderAddress: Ipv4;
    readonly targetAddress: Ipv4;
  },
): Uint8Array<ArrayBuffer> {
  return encodeArp(
    { operation: "request", senderMac, senderAddress, targetMac: ZERO_MAC, targetAddress },
    { destination: BROADCAST_MAC },
  );
}

/**
 * The frame that tells everyone where an address is. Equivalent: `arping -U -c 1 ADDRESS`.
 *
 * @source RFC 5227 section 2.3
 */
export function arpAnnouncement(
  { mac, address }: { readonly mac: MacAddress; readonly address: Ipv4 },
): Uint8Array<ArrayBuffer> {
  return arpQuestion({ senderMac: mac, senderAddress: address, targetAddress: address });
}
