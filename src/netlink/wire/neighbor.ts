/**
 * Codec of neighbours: which hardware address an IP address has on a link.
 *
 * @source Linux `include/uapi/linux/neighbour.h`
 */
import { type Address, formatAddress, versionOf } from "../../ip/address.ts";
import { AttributeReader, BodyWriter } from "./attribute.ts";
import { familyNumber, familyOfNumber } from "./family.ts";
import { type MacAddress, macBytes, macOfBytes } from "./mac.ts";

const HEADER_BYTES = 12;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;
const NDA_PROTOCOL = 12;

const NTF_PROXY = 0x08;
const NTF_EXT_LEARNED = 0x10;
const NTF_ROUTER = 0x80;

/** What is known of a neighbour: bits. Entries with `noarp` or `permanent` are never looked up. */
export const NEIGHBOR_STATE = {
  none: 0,
  incomplete: 1,
  reachable: 2,
  stale: 4,
  delay: 8,
  probe: 16,
  failed: 32,
  noarp: 64,
  permanent: 128,
} as const;

/** One neighbour. */
export interface NeighborRecord {
  readonly family: 4 | 6;
  readonly linkIndex: number;
  readonly address: Address;
  /** Nothing while it is looked up, of a proxied address, or where it has not 6 bytes. */
  readonly macAddress: MacAddress | undefined;
  /** `NEIGHBOR_STATE`. */
  readonly state: number;
  /** Somebody else's address that is answered for on this link. */
  readonly isProxy: boolean;
  /** An IPv6 router. */
  readonly isRouter: boolean;
  /** Learned by a daemon such as a routing one: goes when the link loses its carrier. */
  readonly isExternal: boolean;
  /** Who made it, as in `ROUTE_PROTOCOL`; 0 nobody who said so. */
  readonly protocol: number;
}

/** A neighbour to make or to remove; a made one is permanent unless it says otherwise. */
export type NeighborSpec =
  & Pick<NeighborRecord, "linkIndex" | "address">
  & Partial<NeighborRecord>;

/** Completes a neighbour as `ip neigh replace ... nud permanent` does. */
export function neighborOf(spec: NeighborSpec): NeighborRecord {
  return {
    family: versionOf(spec.address),
    macAddress: undefined,
    state: NEIGHBOR_STATE.permanent,
    isProxy: false,
    isRouter: false,
    isExternal: false,
    protocol: 0,
    ...spec,
  };
}

/**
 * Builds what makes a neighbour (RTM_NEWNEIGH), or removes one (RTM_DELNEIGH).
 *
 * @returns `struct ndmsg`, 12 bytes, and attributes:
 *   0 family | 1..4 zeros | 4..8 link | 8..10 state | 10 flags | 11 zero
 */
export function encodeNeighbor(spec: NeighborSpec): Uint8Array<ArrayBuffer> {
  const { linkIndex, address, macAddress, state, protocol, ...rest } = neighborOf(spec);
  const writer = new BodyWriter()
    .addU32(familyNumber(versionOf(address)))
    .addI32(linkIndex)
    .addU16(state)
    .addU8(flagsOf(rest))
    .addU8(0)
    .putAddress(NDA_DST, address);
  if (macAddress !== undefined) writer.putBytes(NDA_LLADDR, macBytes(macAddress));
  if (protocol !== 0) writer.putU8(NDA_PROTOCOL, protocol);
  return writer.finish();
}

/** Builds the question for neighbours (RTM_GETNEIGH with NLM_F_DUMP). */
export function encodeNeighborList(
  { family, linkIndex, isProxy = false }: {
    readonly family?: 4 | 6 | undefined;
    readonly linkIndex?: number | undefined;
    /** Addresses that are answered for, which no other list has. */
    readonly isProxy?: boolean;
  },
): Uint8Array<ArrayBuffer> {
  const writer = new BodyWriter()
    .addU32(familyNumber(family))
    .addU32(0)
    .addU16(0)
    .addU8(isProxy ? NTF_PROXY : 0)
    .addU8(0);
  if (linkIndex !== undefined) writer.putU32(NDA_IFINDEX, linkIndex);
  return writer.finish();
}

/**
 * Reads a neighbour (RTM_NEWNEIGH).
 *
 * @param body What follows the message's header.
 * @returns Nothing if it is of another family than IPv4 and IPv6.
 * @throws {NetlinkError} `bad_message`
 */
export function decodeNeighbor(body: Uint8Array): NeighborRecord | undefined {
  const family = familyOfNumber(body[0] ?? 0);
  if (family === undefined || body.length < HEADER_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset);
  const flags = view.getUint8(10);
  let address: Address | undefined;
  let macAddress: MacAddress | undefined;
  let protocol = 0;
  const reader = new AttributeReader(body, HEADER_BYTES);
  while (reader.next()) {
    if (reader.type === NDA_DST) address = reader.address();
    else if (reader.type === NDA_LLADDR) macAddress = macOfBytes(reader.bytes());
    else if (reader.type === NDA_PROTOCOL) protocol = reader.u8();
  }
  if (address === undefined) return undefined;
  return {
    family,
    linkIndex: view.getInt32(4, true),
    address,
    macAddress,
    state: view.getUint16(8, true),
    isProxy: (flags & NTF_PROXY) !== 0,
    isRouter: (flags & NTF_ROUTER) !== 0,
    isExternal: (flags & NTF_EXT_LEARNED) !== 0,
    protocol,
  };
}

/** Names a neighbour in a message, as `ip neigh` prints it: `10.6.0.9 dev #3 lladdr 0a:...`. */
export function describeNeighbor(
  { address, linkIndex, macAddress, isProxy }: NeighborSpec,
): string {
  return [
    ...(isProxy === true ? ["proxy"] : []),
    formatAddress(address),
    `dev #${linkIndex}`,
    ...(macAddress === undefined ? [] : [`lladdr ${macAddress}`]),
  ].join(" ");
}

function flagsOf(
  { isProxy, isRouter, isExternal }: Pick<NeighborRecord, "isProxy" | "isRouter" | "isExternal">,
): number {
  return (isProxy ? NTF_PROXY : 0) | (isRouter ? NTF_ROUTER : 0) |
    (isExternal ? NTF_EXT_LEARNED : 0);
}
