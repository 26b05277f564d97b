/** Codec of messages about addresses: `struct ifaddrmsg` and IFA_* attributes. */
import { type Address, type Ipv4, versionOf } from "../../ip/address.ts";
import { IPV4 } from "../../ip/family.ts";
import { AttributeReader, BodyWriter } from "./attribute.ts";
import { familyNumber } from "./family.ts";
import type { Message } from "./header.ts";

/** Types of messages about addresses. */
export const RTM_ADDR = { NEW: 20, DEL: 21, GET: 22 } as const;

/** Flags of an address. */
export const IFA_F = {
  /** IPv4: of a network that has another address already. IPv6: temporary. */
  SECONDARY: 0x1,
  NODAD: 0x2,
  OPTIMISTIC: 0x4,
  DADFAILED: 0x8,
  HOMEADDRESS: 0x10,
  DEPRECATED: 0x20,
  TENTATIVE: 0x40,
  PERMANENT: 0x80,
  MANAGETEMPADDR: 0x100,
  NOPREFIXROUTE: 0x200,
} as const;

/** Where an address or a route is valid. */
export const ADDRESS_SCOPE = {
  UNIVERSE: 0,
  SITE: 200,
  LINK: 253,
  HOST: 254,
  NOWHERE: 255,
} as const;

const IFA = {
  ADDRESS: 1,
  LOCAL: 2,
  LABEL: 3,
  BROADCAST: 4,
  CACHEINFO: 6,
  FLAGS: 8,
  PROTO: 11,
} as const;
const ADDRESS_BYTES = 8;
const FOREVER = 0xffff_ffff;
/** An IPv4 network with fewer host bits has no broadcast address. */
const BROADCAST_PREFIX_MAX = 30;
const LOOPBACK_OCTET = 127;
/** Bytes of a label, without the closing NUL. */
const LABEL_BYTES_MAX = 15;

/** An address of a link as the kernel shows it. */
export interface AddressRecord {
  readonly family: 4 | 6;
  readonly linkIndex: number;
  readonly address: Address;
  readonly prefixLength: number;
  /** The other end, where the link has one. */
  readonly peer: Address | undefined;
  readonly broadcast: Ipv4 | undefined;
  /** IPv4: the link's name, or one that begins with it. */
  readonly label: string | undefined;
  /** Of `ADDRESS_SCOPE`, or any other number up to 255. */
  readonly scope: number;
  /** Of `IFA_F`. */
  readonly flags: number;
  /** IPv6: not checked for a double yet. */
  readonly isTentative: boolean;
  /** IPv6: somebody else has it. */
  readonly isDadFailed: boolean;
  /** Who set it: 0 unknown, 1 loopback, 2 router advertisement, 3 link-local. */
  readonly protocol: number;
  /** Seconds that it is kept; nothing for ever. */
  readonly validSeconds: number | undefined;
  /** Seconds that it is taken for new connections; nothing for ever. */
  readonly preferredSeconds: number | undefined;
}

/** What an address of a link is made of. */
export interface AddressSpec {
  readonly linkIndex: number;
  readonly address: Address;
  readonly prefixLength: number;
  readonly peer?: Address;
  /** IPv4; `computed`, if left out: the last address of the network, if that has one. */
  readonly broadcast?: Ipv4 | "computed" | "none";
  /** IPv4: the link's name, which it is if left out, or one that begins with it. */
  readonly label?: string;
  /** Of `ADDRESS_SCOPE`; if left out, `HOST` for 127.0.0.0/8, else `UNIVERSE`. IPv6 has its own. */
  readonly scope?: number;
  /** IPv6: it is used at once, without a check for a double. */
  readonly noDad?: boolean;
  /** No route to its network is made. */
  readonly noPrefixRoute?: boolean;
  readonly validSeconds?: number;
  readonly preferredSeconds?: number;
}

/** Which addresses are asked for. */
export interface AddressFilter {
  readonly family?: 4 | 6;
  readonly linkIndex?: number;
}

/** An address of a link, as it is found again. */
export type AddressPlace = Pick<AddressSpec, "linkIndex" | "address" | "prefixLength" | "peer">;

/** Asks for addresses; kernels before 4.20 give all, so who asks filters the answer. */
export function encodeAddressesQuestion({ family, linkIndex = 0 }: AddressFilter): Message {
  const writer = new BodyWriter().addU8(familyNumber(family)).addU8(0).addU16(0).addU32(linkIndex);
  return { type: RTM_ADDR.GET, flags: 0, body: writer.finish() };
}

/** Asks for an address to be set. */
export function encodeAddress(
  spec: AddressSpec,
  { flags }: { readonly flags: number },
): Message {
  const writer = placeOf(spec, { scope: spec.scope ?? defaultScope(spec.address) });
  const { validSeconds, preferredSeconds } = spec;
  const broadcast = broadcastOf(spec);
  if (broadcast !== undefined) writer.putAddress(IFA.BROADCAST, broadcast);
  if (spec.label !== undefined) writer.putText(IFA.LABEL, spec.label);
  const noDad = spec.noDad === true ? IFA_F.NODAD : 0;
  const noPrefixRoute = spec.noPrefixRoute === true ? IFA_F.NOPREFIXROUTE : 0;
  if ((noDad | noPrefixRoute) !== 0) writer.putU32(IFA.FLAGS, noDad | noPrefixRoute);
  if (validSeconds !== undefined || preferredSeconds !== undefined) {
    const valid = validSeconds ?? FOREVER;
    const times = new DataView(new ArrayBuffer(16)); // preferred | valid | made | changed
    times.setUint32(0, Math.min(preferredSeconds ?? FOREVER, valid), true);
    times.setUint32(4, valid, true);
    writer.putBytes(IFA.CACHEINFO, new Uint8Array(times.buffer));
  }
  return { type: RTM_ADDR.NEW, flags, body: writer.finish() };
}

/** Asks for an address to be taken away. */
export function encodeAddressRemoval(place: AddressPlace): Message {
  return { type: RTM_ADDR.DEL, flags: 0, body: placeOf(place, { scope: 0 }).finish() };
}

/** `struct ifaddrmsg`: 0 family | 1 prefix length | 2 flags | 3 scope | 4..8 link. */
function placeOf(
  { linkIndex, address, prefixLength, peer }: AddressPlace,
  { scope }: { readonly scope: number },
): BodyWriter {
  return new BodyWriter().addU8(familyNumber(versionOf(address))).addU8(prefixLength).addU8(0)
    .addU8(scope)
    .addU32(linkIndex).putAddress(IFA.LOCAL, address).putAddress(IFA.ADDRESS, peer ?? address);
}

function defaultScope(address: Address): number {
  const isLoopback = typeof address === "number" && address >>> 24 === LOOPBACK_OCTET;
  return isLoopback ? ADDRESS_SCOPE.HOST : ADDRESS_SCOPE.UNIVERSE;
}

function broadcastOf(
  { address, prefixLength, peer, broadcast = "computed" }: AddressSpec,
): Ipv4 | undefined {
  if (typeof broadcast === "number") return broadcast;
  const isComputed = broadcast === "computed" && prefixLength <= BROADCAST_PREFIX_MAX;
  if (!isComputed || peer !== undefined || typeof address !== "number") return undefined;
  return defaultScope(address) === ADDRESS_SCOPE.HOST
    ? undefined
    : IPV4.broadcastOf(address, prefixLength);
}

/**
 * Reads an address; nothing for a family that is not IP.
 *
 * @throws {NetlinkError} `bad_message`
 * @source Linux `include/uapi/linux/if_addr.h`
 */
export function decodeAddress({ body }: Message): AddressRecord | undefined {
  const info = new DataView(body.buffer, body.byteOffset, ADDRESS_BYTES);
  const reader = new AttributeReader(body, ADDRESS_BYTES);
  let flags = info.getUint8(2);
  let local: Address | undefined;
  let far: Address | undefined;
  let broadcast: Address | undefined;
  let label: string | undefined;
  let protocol = 0;
  let preferred = FOREVER;
  let valid = FOREVER;
  while (reader.next()) {
    switch (reader.type) {
      case IFA.ADDRESS:
        far = reader.address();
        break;
      case IFA.LOCAL:
        local = reader.address();
        break;
      case IFA.LABEL:
        label = reader.text();
        break;
      case IFA.BROADCAST:
        broadcast = reader.address();
        break;
      case IFA.CACHEINFO:
        preferred = reader.u32();
        valid = reader.u32At(4);
        break;
      case IFA.FLAGS:
        flags = reader.u32();
        break;
      case IFA.PROTO:
        protocol = reader.u8();
        break;
    }
  }
  const address = local ?? far;
  if (address === undefined) return undefined;
  return {
    family: versionOf(address),
    linkIndex: info.getUint32(4, true),
    address,
    prefixLength: info.getUint8(1),
    // One address alone is the link's own; of two, the first is the other end's.
    peer: far === address ? undefined : far,
    broadcast: typeof broadcast === "number" ? broadcast : undefined,
    label,
    scope: info.getUint8(3),
    flags,
    isTentative: (flags & IFA_F.TENTATIVE) !== 0,
    isDadFailed: (flags & IFA_F.DADFAILED) !== 0,
    protocol,
    validSeconds: valid === FOREVER ? undefined : valid,
    preferredSeconds: preferred === FOREVER ? undefined : preferred,
  };
}

/** What cannot be asked of the kernel, in words; nothing if all of it can. */
export function addressFault(
  { address, prefixLength, peer, label }: AddressPlace & Pick<AddressSpec, "label">,
): string | undefined {
  const bits = typeof address === "number" ? 32 : 128;
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bits) {
    return `prefix length ${prefixLength} is not one of 0 to ${bits}`;
  }
  if (peer !== undefined && versionOf(peer) !== versionOf(address)) {
    return "address and peer are of different families";
  }
  if (label !== undefined && new TextEncoder().encode(label).length > LABEL_BYTES_MAX) {
    return `label ${JSON.stringify(label)} has more than ${LABEL_BYTES_MAX} bytes`;
  }
  return undefined;
}
