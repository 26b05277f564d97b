/** Codec of messages about links: `struct ifinfomsg` and IFLA_* attributes. */
import { unreachable } from "../../base/assert.ts";
import { AttributeReader, BodyWriter } from "./attribute.ts";
import { type BondOptions, writeBondOptions } from "./bond.ts";
import type { Message } from "./header.ts";
import {
  type IpvlanMode,
  type IpvlanSharing,
  type LinkDetails,
  type MacvlanMode,
  readDetails,
  type VlanOptions,
  writeIpvlan,
  writeMacvlan,
  writeVlan,
  writeVrf,
} from "./link_kind.ts";
import { type MacAddress, macBytes, macOfBytes } from "./mac.ts";

/** Types of messages about links. */
export const RTM_LINK = { NEW: 16, DEL: 17, GET: 18, SET: 19 } as const;

/** Flags of a link. */
export const IFF = {
  UP: 0x1,
  BROADCAST: 0x2,
  LOOPBACK: 0x8,
  POINTOPOINT: 0x10,
  RUNNING: 0x40,
  NOARP: 0x80,
  PROMISC: 0x100,
  MULTICAST: 0x1000,
  LOWER_UP: 0x1_0000,
} as const;

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKINFO: 18,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  CARRIER: 33,
  LINK_NETNSID: 37,
  PERM_ADDRESS: 54,
} as const;
const IFLA_INFO = { KIND: 1, DATA: 2 } as const;
const VETH_INFO_PEER = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
const INFO_BYTES = 16;

const OPER_STATES = [
  "unknown",
  "not_present",
  "down",
  "lower_layer_down",
  "testing",
  "dormant",
  "up",
] as const;
/** Whether a link can carry packets, as its driver sees it; `unknown` is as good as `up`. */
export type OperState = typeof OPER_STATES[number];

/** A link as the kernel shows it. */
export interface LinkRecord {
  readonly index: number;
  readonly name: string;
  /** Of `IFF`. */
  readonly flags: number;
  /** Whether it was set up; see `operState` and `hasCarrier` for whether that worked. */
  readonly isUp: boolean;
  readonly mtu: number;
  readonly txQueueLength: number;
  /** Nothing for links without hardware addresses, and for those of another length. */
  readonly address: MacAddress | undefined;
  /** The address that is burnt in, where there is one. */
  readonly permanentAddress: MacAddress | undefined;
  /** Such as `veth`; nothing for hardware. */
  readonly kind: string | undefined;
  /** Index of the parent, or of a veth's peer: in `parentNetnsId`, if that is there. */
  readonly parentIndex: number | undefined;
  /** Number that this namespace has for the parent's; -1 for one that it cannot see. */
  readonly parentNetnsId: number | undefined;
  /** Index of the bond, bridge or VRF that it is a port of. */
  readonly masterIndex: number | undefined;
  readonly operState: OperState;
  readonly hasCarrier: boolean;
  readonly details: LinkDetails | undefined;
}

/** A link by its name or its index. */
export type LinkPlace = { readonly name: string } | { readonly index: number };

/** An open namespace; `Netns` is one. */
export interface NetnsHandle {
  readonly fd: { readonly number: number };
}

/** What can be said of a new link of any kind; the kernel's default where it is left out. */
export interface LinkBasics {
  /** 1 to 15 bytes. */
  readonly name: string;
  readonly mtu?: number;
  readonly txQueueLength?: number;
  readonly address?: MacAddress;
  /** Where it is made, if not in the socket's namespace; a parent is always in that. */
  readonly netns?: NetnsHandle;
}

/** What a link of each kind is made of. */
export type LinkSpec =
  & LinkBasics
  & {
    /** Not for the peer of a veth: the kernel sets it up only once the pair is there. */
    readonly isUp?: boolean;
    readonly masterIndex?: number;
  }
  & (
    | { readonly kind: "veth"; readonly peer: LinkBasics }
    | ({ readonly kind: "vlan"; readonly parentIndex: number } & VlanOptions)
    | { readonly kind: "macvlan"; readonly parentIndex: number; readonly mode: MacvlanMode }
    | {
      readonly kind: "ipvlan";
      readonly parentIndex: number;
      readonly mode?: IpvlanMode;
      readonly sharing?: IpvlanSharing;
    }
    | { readonly kind: "bond"; readonly options?: BondOptions }
    | { readonly kind: "vrf"; readonly table: number }
    | { readonly kind: "bridge" }
    | { readonly kind: "dummy" }
  );

/** What is changed of a link; what is left out stays as it is. */
export interface LinkChanges {
  readonly isUp?: boolean;
  /** Kernels before 6.2 rename only links that are down. */
  readonly name?: string;
  readonly mtu?: number;
  readonly txQueueLength?: number;
  readonly address?: MacAddress;
  /** Index of the bond, bridge or VRF that it becomes a port of; 0 frees it. */
  readonly masterIndex?: number;
  /** Where it is moved to: it loses its addresses and routes, and is down there. */
  readonly netns?: NetnsHandle;
}

/** Asks for one link. */
export function encodeLinkQuestion(place: LinkPlace): Message {
  const isNamed = "name" in place;
  const writer = infoOf({ index: isNamed ? 0 : place.index });
  writer.putU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (isNamed) writer.putText(IFLA.IFNAME, place.name);
  return { type: RTM_LINK.GET, flags: 0, body: writer.finish() };
}

/** Asks for all links. */
export function encodeLinksQuestion(): Message {
  const writer = infoOf({ index: 0 }).putU32(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return { type: RTM_LINK.GET, flags: 0, body: writer.finish() };
}

/** Asks for a link's end. */
export function encodeLinkRemoval(place: LinkPlace): Message {
  const isNamed = "name" in place;
  const writer = infoOf({ index: isNamed ? 0 : place.index });
  if (isNamed) writer.putText(IFLA.IFNAME, place.name);
  return { type: RTM_LINK.DEL, flags: 0, body: writer.finish() };
}

/** Asks for changes of a link. */
export function encodeLinkChanges(index: number, changes: LinkChanges): Message {
  const { isUp, name, masterIndex } = changes;
  const writer = infoOf({ index, isUp });
  if (name !== undefined) writer.putText(IFLA.IFNAME, name);
  putBasics(changes, writer);
  if (masterIndex !== undefined) writer.putU32(IFLA.MASTER, masterIndex);
  return { type: RTM_LINK.SET, flags: 0, body: writer.finish() };
}

/** Asks for a link. */
export function encodeLink(spec: LinkSpec, { flags }: { readonly flags: number }): Message {
  const writer = infoOf({ index: 0, isUp: spec.isUp }).putText(IFLA.IFNAME, spec.name);
  putBasics(spec, writer);
  if ("parentIndex" in spec) writer.putU32(IFLA.LINK, spec.parentIndex);
  if (spec.masterIndex !== undefined) writer.putU32(IFLA.MASTER, spec.masterIndex);
  const info = writer.openNest(IFLA.LINKINFO);
  writer.putText(IFLA_INFO.KIND, spec.kind);
  const data = writer.openNest(IFLA_INFO.DATA);
  putData(spec, writer);
  writer.closeNest(data).closeNest(info);
  return { type: RTM_LINK.NEW, flags, body: writer.finish() };
}

/** Asks for other options of a bond. */
export function encodeBondChanges(index: number, options: BondOptions): Message {
  const writer = infoOf({ index });
  const info = writer.openNest(IFLA.LINKINFO);
  writer.putText(IFLA_INFO.KIND, "bond");
  const data = writer.openNest(IFLA_INFO.DATA);
  writeBondOptions(options, writer);
  writer.closeNest(data).closeNest(info);
  return { type: RTM_LINK.NEW, flags: 0, body: writer.finish() };
}

/** `struct ifinfomsg`: 0 family | 2..4 type | 4..8 index | 8..12 flags | 12..16 which of them. */
function infoOf(
  { index, isUp }: { readonly index: number; readonly isUp?: boolean | undefined },
): BodyWriter {
  return addInfo(new BodyWriter(), { index, isUp });
}

function addInfo(
  writer: BodyWriter,
  { index, isUp }: { readonly index: number; readonly isUp?: boolean | undefined },
): BodyWriter {
  const flags = isUp === true ? IFF.UP : 0;
  const change = isUp === undefined ? 0 : IFF.UP;
  return writer.addU32(0).addI32(index).addU32(flags).addU32(change);
}

function putBasics(
  { mtu, txQueueLength, address, netns }: Omit<LinkBasics, "name">,
  writer: BodyWriter,
): void {
  if (mtu !== undefined) writer.putU32(IFLA.MTU, mtu);
  if (txQueueLength !== undefined) writer.putU32(IFLA.TXQLEN, txQueueLength);
  if (address !== undefined) writer.putBytes(IFLA.ADDRESS, macBytes(address));
  if (netns !== undefined) writer.putU32(IFLA.NET_NS_FD, netns.fd.number);
}

function putData(spec: LinkSpec, writer: BodyWriter): void {
  switch (spec.kind) {
    case "veth": {
      const nest = writer.openNest(VETH_INFO_PEER);
      addInfo(writer, { index: 0 }).putText(IFLA.IFNAME, spec.peer.name);
      putBasics(spec.peer, writer);
      writer.closeNest(nest);
      return;
    }
    case "vlan":
      return writeVlan(spec, writer);
    case "macvlan":
      return writeMacvlan(spec.mode, writer);
    case "ipvlan":
      return writeIpvlan(spec, writer);
    case "bond":
      return writeBondOptions(spec.options ?? {}, writer);
    case "vrf":
      return writeVrf(spec.table, writer);
    case "bridge":
    case "dummy":
      return;
    default:
      return unreachable(spec);
  }
}

/**
 * Reads a link.
 *
 * @throws {NetlinkError} `bad_message`
 * @source Linux `include/uapi/linux/rtnetlink.h`, `struct ifinfomsg`; `if_link.h`, IFLA_*
 */
export function decodeLink({ body }: Message): LinkRecord {
  const info = new DataView(body.buffer, body.byteOffset, INFO_BYTES);
  const flags = info.getUint32(8, true);
  const reader = new AttributeReader(body, INFO_BYTES);
  let name = "";
  let mtu = 0;
  let txQueueLength = 0;
  let address: MacAddress | undefined;
  let permanentAddress: MacAddress | undefined;
  let parentIndex: number | undefined;
  let parentNetnsId: number | undefined;
  let masterIndex: number | undefined;
  let operState: OperState | undefined;
  let hasCarrier = false;
  let kindAndDetails: KindAndDetails = {};
  while (reader.next()) {
    switch (reader.type) {
      case IFLA.ADDRESS:
        address = macOfBytes(reader.bytes());
        break;
      case IFLA.IFNAME:
        name = reader.text();
        break;
      case IFLA.MTU:
        mtu = reader.u32();
        break;
      case IFLA.LINK:
        parentIndex = reader.u32();
        break;
      case IFLA.MASTER:
        masterIndex = reader.u32();
        break;
      case IFLA.TXQLEN:
        txQueueLength = reader.u32();
        break;
      case IFLA.OPERSTATE:
        operState = OPER_STATES[reader.u8()];
        break;
      case IFLA.LINKINFO:
        kindAndDetails = readInfo(reader.nested());
        break;
      case IFLA.CARRIER:
        hasCarrier = reader.u8() !== 0;
        break;
      case IFLA.LINK_NETNSID:
        parentNetnsId = reader.i32();
        break;
      case IFLA.PERM_ADDRESS:
        permanentAddress = macOfBytes(reader.bytes());
        break;
    }
  }
  return {
    index: info.getInt32(4, true),
    name,
    flags,
    isUp: (flags & IFF.UP) !== 0,
    mtu,
    txQueueLength,
    address,
    permanentAddress,
    kind: kindAndDetails.kind,
    parentIndex,
    parentNetnsId,
    masterIndex,
    operState: operState ?? "unknown",
    hasCarrier,
    details: kindAndDetails.details,
  };
}

interface KindAndDetails {
  readonly kind?: string | undefined;
  readonly details?: LinkDetails | undefined;
}

function readInfo(reader: AttributeReader): KindAndDetails {
  let kind: string | undefined;
  let details: LinkDetails | undefined;
  while (reader.next()) { // The kind comes first.
    if (reader.type === IFLA_INFO.KIND) kind = reader.text();
    else if (reader.type === IFLA_INFO.DATA && kind !== undefined) {
      details = readDetails(kind, reader.nested());
    }
  }
  return { kind, details };
}
