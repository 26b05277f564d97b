/** Neighbour solicitations and advertisements of IPv6 over Ethernet: bytes of frames. */
import { assert } from "../../base/assert.ts";
import { formatAddressBytes, type Ipv6, isIpv6 } from "../../ip/address.ts";
import { type MacAddress, macBytes, macOfBytes } from "../wire/mac.ts";
import { ETHERTYPE, groupMac, HEADER_BYTES, writeHeader } from "./ethernet.ts";

const IP_BYTES = 40;
const MESSAGE_AT = HEADER_BYTES + IP_BYTES;
/** Of a message without options. */
const MESSAGE_BYTES_MIN = 24;
const OPTION_BYTES = 8;
const NEXT_HEADER_ICMPV6 = 58;
/** No router passes it on with this hop limit, so who sent it is on the same link. */
const HOP_LIMIT = 255;
const TYPES = { solicitation: 135, advertisement: 136 } as const;
/** Option with the sender's, or the target's, hardware address. */
const OPTIONS = { solicitation: 1, advertisement: 2 } as const;
const FLAG_ROUTER = 0x8000_0000;
const FLAG_SOLICITED = 0x4000_0000;
const FLAG_OVERRIDE = 0x2000_0000;

/** `::`, the source of who has no address yet. */
export const UNSPECIFIED = ipv6(0n);
/** `ff02::1`. */
export const ALL_NODES = ipv6(0xff02n << 112n | 1n);
const SOLICITED_NODE = 0xff02n << 112n | 0x1_ff00_0000n;

/** What a message says, and the addresses of its frame. */
export interface NdpMessage {
  readonly kind: keyof typeof TYPES;
  readonly sourceMac: MacAddress;
  readonly destinationMac: MacAddress;
  readonly source: Ipv6;
  readonly destination: Ipv6;
  /** Whose hardware address is asked for, or told. */
  readonly target: Ipv6;
  /** Hardware address of the source of a solicitation, of the target of an advertisement. */
  readonly linkAddress?: MacAddress | undefined;
  /** Of advertisements. */
  readonly isRouter: boolean;
  /** Of advertisements. */
  readonly isSolicited: boolean;
  /** Of advertisements: what neighbours remember is no longer true. */
  readonly isOverride: boolean;
}

/** The group that who has an address listens to: `ff02::1:ff` and its last three bytes. */
export function solicitedNode(address: Ipv6): Ipv6 {
  return ipv6(SOLICITED_NODE | address & 0xff_ffffn);
}

/**
 * A frame with the message.
 *
 * @returns 78 bytes, 86 with a hardware address: 0..14 Ethernet | 14..54 IPv6 | 54.. ICMPv6
 * @source RFC 4861 sections 4.3 and 4.4, RFC 8200 section 8.1
 */
export function encodeNdp(message: NdpMessage): Uint8Array<ArrayBuffer> {
  const { kind, linkAddress, sourceMac: source, destinationMac: destination } = message;
  const length = MESSAGE_BYTES_MIN + (linkAddress === undefined ? 0 : OPTION_BYTES);
  const frame = new Uint8Array(new ArrayBuffer(MESSAGE_AT + length));
  const view = new DataView(frame.buffer);
  writeHeader(frame, { destination, source, type: ETHERTYPE.ipv6 });
  view.setUint8(14, 0x60);
  view.setUint16(18, length);
  view.setUint8(20, NEXT_HEADER_ICMPV6);
  view.setUint8(21, HOP_LIMIT);
  frame.set(formatAddressBytes(message.source), 22);
  frame.set(formatAddressBytes(message.destination), 38);
  view.setUint8(54, TYPES[kind]);
  if (kind === "advertisement") view.setUint32(58, flagsOf(message));
  frame.set(formatAddressBytes(message.target), 62);
  if (linkAddress !== undefined) {
    view.setUint8(78, OPTIONS[kind]);
    view.setUint8(79, 1);
    frame.set(macBytes(linkAddress), 80);
  }
  view.setUint16(56, checksum(view, length));
  return frame;
}

function flagsOf({ isRouter, isSolicited, isOverride }: NdpMessage): number {
  const flags = (isRouter ? FLAG_ROUTER : 0) + (isSolicited ? FLAG_SOLICITED : 0);
  return flags + (isOverride ? FLAG_OVERRIDE : 0);
}

/**
 * What a frame says; nothing if it is another message, cut, not of this link (a hop limit below
 * 255), or one that its standard tells to throw away.
 *
 * @source RFC 4861 sections 7.1.1 and 7.1.2
 */
export function decodeNdp(frame: Uint8Array): NdpMessage | undefined {
  if (frame.length < MESSAGE_AT + MESSAGE_BYTES_MIN) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const length = view.getUint16(18);
  const isNdp = view.getUint16(12) === ETHERTYPE.ipv6 && view.getUint8(14) >> 4 === 6 &&
    view.getUint8(20) === NEXT_HEADER_ICMPV6 && view.getUint8(21) === HOP_LIMIT;
  if (!isNdp || length < MESSAGE_BYTES_MIN || MESSAGE_AT + length > frame.length) return undefined;
  const type = view.getUint8(54);
  const kind = type === TYPES.solicitation
    ? "solicitation"
    : type === TYPES.advertisement
    ? "advertisement"
    : undefined;
  if (kind === undefined || view.getUint8(55) !== 0 || checksum(view, length) !== 0) {
    return undefined;
  }
  const destinationMac = macOfBytes(frame.subarray(0, 6));
  const sourceMac = macOfBytes(frame.subarray(6, 12));
  const options = readOptions(frame.subarray(78, MESSAGE_AT + length), OPTIONS[kind]);
  if (destinationMac === undefined || sourceMac === undefined || options === undefined) {
    return undefined;
  }
  const flags = kind === "advertisement" ? view.getUint32(58) : 0;
  const message: NdpMessage = {
    kind,
    sourceMac,
    destinationMac,
    source: addressAt(view, 22),
    destination: addressAt(view, 38),
    target: addressAt(view, 62),
    ...(options.linkAddress !== undefined && { linkAddress: options.linkAddress }),
    isRouter: flags >= FLAG_ROUTER,
    isSolicited: (flags & FLAG_SOLICITED) !== 0,
    isOverride: (flags & FLAG_OVERRIDE) !== 0,
  };
  return isValid(message) ? message : undefined;
}

function isValid(message: NdpMessage): boolean {
  const { kind, source, destination, target, linkAddress, isSolicited } = message;
  if (isGroup(target) || isGroup(source)) return false;
  if (kind === "advertisement") return !(isGroup(destination) && isSolicited);
  if (source !== UNSPECIFIED) return true;
  const isToGroup = destination >> 24n === SOLICITED_NODE >> 24n;
  return isToGroup && linkAddress === undefined;
}

/** Options one after the other; nothing if one of them has no length or is cut. */
function readOptions(
  bytes: Uint8Array,
  wanted: number,
): { readonly linkAddress: MacAddress | undefined } | undefined {
  let linkAddress: MacAddress | undefined;
  for (let at = 0; at < bytes.length;) {
    const length = (bytes[at + 1] ?? 0) * OPTION_BYTES;
    if (length === 0 || at + length > bytes.length) return undefined;
    if (bytes[at] === wanted) linkAddress ??= macOfBytes(bytes.subarray(at + 2, at + length));
    at += length;
  }
  return { linkAddress };
}

/**
 * The message that looks for whoever has an address already. Its source is `::`, and the answer
 * goes to all nodes.
 *
 * @source RFC 4862 section 5.4.2
 */
export function duplicateQuestion(
  { mac, target }: { readonly mac: MacAddress; readonly target: Ipv6 },
): Uint8Array<ArrayBuffer> {
  return encodeNdp({ ...solicitation({ mac, target }), source: UNSPECIFIED });
}

/** The message that asks for a hardware address, with the asker's own. RFC 4861 section 7.2.2 */
export function neighborQuestion(
  { mac, source, target }: {
    readonly mac: MacAddress;
    readonly source: Ipv6;
    readonly target: Ipv6;
  },
): Uint8Array<ArrayBuffer> {
  return encodeNdp({ ...solicitation({ mac, target }), source, linkAddress: mac });
}

function solicitation({ mac, target }: {
  readonly mac: MacAddress;
  readonly target: Ipv6;
}): Omit<NdpMessage, "source"> {
  const destination = solicitedNode(target);
  return {
    kind: "solicitation",
    sourceMac: mac,
    destinationMac: groupMac(destination),
    destination,
    target,
    isRouter: false,
    isSolicited: false,
    isOverride: false,
  };
}

/**
 * The message that tells all nodes where an address is, whatever they remember of it.
 *
 * @source RFC 4861 section 7.2.6
 */
export function neighborAnnouncement(
  { mac, address }: { readonly mac: MacAddress; readonly address: Ipv6 },
): Uint8Array<ArrayBuffer> {
  return encodeNdp({
    kind: "advertisement",
    sourceMac: mac,
    destinationMac: groupMac(ALL_NODES),
    source: address,
    destination: ALL_NODES,
    target: address,
    linkAddress: mac,
    isRouter: false,
    isSolicited: false,
    isOverride: true,
  });
}

/** The checksum to write where 0 stands; 0 over a message whose checksum is right. */
function checksum(view: DataView, length: number): number {
  let sum = length + NEXT_HEADER_ICMPV6;
  for (let at = 22; at + 1 < MESSAGE_AT + length; at += 2) sum += view.getUint16(at);
  if (length % 2 === 1) sum += view.getUint8(MESSAGE_AT + length - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function addressAt(view: DataView, at: number): Ipv6 {
  return ipv6(view.getBigUint64(at) << 64n | view.getBigUint64(at + 8));
}

function isGroup(address: Ipv6): boolean {
  return address >> 120n === 0xffn;
}

function ipv6(value: bigint): Ipv6 {
  assert(isIpv6(value), "128 bits are an IPv6 address");
  return value;
}
