/** Codec of what each kind of link has of its own: `IFLA_INFO_DATA`. */
import type { AttributeReader, BodyWriter } from "./attribute.ts";
import { type BondOptions, readBondOptions } from "./bond.ts";

/** Which VLAN tag is used. */
export type VlanProtocol = "802.1Q" | "802.1ad";
/** Which of the links on one parent see each other; `bridge` is all. */
export type MacvlanMode = "private" | "vepa" | "bridge" | "passthru" | "source";
/** What is looked at to find the link for a packet. */
export type IpvlanMode = "l2" | "l3" | "l3s";
/** Which of the links on one parent see each other; `bridge` is all. */
export type IpvlanSharing = "bridge" | "private" | "vepa";

/** Flags of a VLAN. */
export const VLAN_FLAGS = {
  REORDER_HEADER: 1,
  GVRP: 2,
  LOOSE_BINDING: 4,
  MVRP: 8,
  BRIDGE_BINDING: 16,
} as const;

/** What a link's kind says of it; kinds that say nothing (veth, dummy, bridge) are not here. */
export type LinkDetails =
  | {
    readonly kind: "vlan";
    /** 0 to 4094. */
    readonly id: number;
    readonly protocol: VlanProtocol;
    /** Of `VLAN_FLAGS`. */
    readonly flags: number;
  }
  | { readonly kind: "macvlan"; readonly mode: MacvlanMode }
  | { readonly kind: "ipvlan"; readonly mode: IpvlanMode; readonly sharing: IpvlanSharing }
  | { readonly kind: "vrf"; readonly table: number }
  | ({ readonly kind: "bond" } & BondOptions);

const IFLA_VLAN = { ID: 1, FLAGS: 2, PROTOCOL: 5 } as const;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN = { MODE: 1, FLAGS: 2 } as const;
const IFLA_VRF_TABLE = 1;

const VLAN_PROTOCOLS = { "802.1Q": 0x8100, "802.1ad": 0x88a8 } as const;
const VLAN_FLAGS_ALL = 0x1f;
const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 } as const;
const IPVLAN_MODES = ["l2", "l3", "l3s"] as const;
const IPVLAN_SHARINGS = ["bridge", "private", "vepa"] as const;

/** What can be said of a VLAN; the default of the kernel where it is left out. */
export interface VlanOptions {
  readonly id: number;
  readonly protocol?: VlanProtocol;
  /** Of `VLAN_FLAGS`: exactly these. */
  readonly flags?: number;
}

/** Writes what a VLAN is made of. */
export function writeVlan({ id, protocol, flags }: VlanOptions, writer: BodyWriter): void {
  writer.putU16(IFLA_VLAN.ID, id);
  if (protocol !== undefined) writer.putU16Be(IFLA_VLAN.PROTOCOL, VLAN_PROTOCOLS[protocol]);
  if (flags === undefined) return;
  writer.putBytes(IFLA_VLAN.FLAGS, Uint8Array.of(flags, 0, 0, 0, VLAN_FLAGS_ALL, 0, 0, 0));
}

/** Writes the mode of a macvlan. */
export function writeMacvlan(mode: MacvlanMode, writer: BodyWriter): void {
  writer.putU32(IFLA_MACVLAN_MODE, MACVLAN_MODES[mode]);
}

/** Writes the mode of an ipvlan, and which links see each other. */
export function writeIpvlan(
  { mode, sharing }: {
    readonly mode?: IpvlanMode | undefined;
    readonly sharing?: IpvlanSharing | undefined;
  },
  writer: BodyWriter,
): void {
  if (mode !== undefined) writer.putU16(IFLA_IPVLAN.MODE, IPVLAN_MODES.indexOf(mode));
  if (sharing !== undefined) {
    writer.putU16(IFLA_IPVLAN.FLAGS, IPVLAN_SHARINGS.indexOf(sharing));
  }
}

/** Writes the table of a VRF. */
export function writeVrf(table: number, writer: BodyWriter): void {
  writer.putU32(IFLA_VRF_TABLE, table);
}

/**
 * Reads what a link's kind says of it; nothing for a kind that is not known here.
 *
 * @source Linux `include/uapi/linux/if_link.h`
 */
export function readDetails(kind: string, reader: AttributeReader): LinkDetails | undefined {
  switch (kind) {
    case "vlan":
      return readVlan(reader);
    case "macvlan":
      return readMacvlan(reader);
    case "ipvlan":
      return readIpvlan(reader);
    case "vrf":
      return readVrf(reader);
    case "bond":
      return { kind, ...readBondOptions(reader) };
    default:
      return undefined;
  }
}

function readVlan(reader: AttributeReader): LinkDetails {
  let id = 0;
  let protocol: VlanProtocol = "802.1Q";
  let flags = 0;
  while (reader.next()) {
    if (reader.type === IFLA_VLAN.ID) id = reader.u16();
    else if (reader.type === IFLA_VLAN.FLAGS) flags = reader.u32();
    else if (reader.type === IFLA_VLAN.PROTOCOL) {
      protocol = reader.u16Be() === VLAN_PROTOCOLS["802.1ad"] ? "802.1ad" : "802.1Q";
    }
  }
  return { kind: "vlan", id, protocol, flags };
}

function readMacvlan(reader: AttributeReader): LinkDetails | undefined {
  let mode: MacvlanMode | undefined;
  while (reader.next()) {
    if (reader.type === IFLA_MACVLAN_MODE) mode = macvlanMode(reader.u32());
  }
  return mode === undefined ? undefined : { kind: "macvlan", mode };
}

function macvlanMode(value: number): MacvlanMode | undefined {
  switch (value) {
    case MACVLAN_MODES.private:
      return "private";
    case MACVLAN_MODES.vepa:
      return "vepa";
    case MACVLAN_MODES.bridge:
      return "bridge";
    case MACVLAN_MODES.passthru:
      return "passthru";
    case MACVLAN_MODES.source:
      return "source";
    default:
      return undefined;
  }
}

function readIpvlan(reader: AttributeReader): LinkDetails | undefined {
  let mode: IpvlanMode | undefined;
  let sharing: IpvlanSharing | undefined = "bridge";
  while (reader.next()) {
    if (reader.type === IFLA_IPVLAN.MODE) mode = IPVLAN_MODES[reader.u16()];
    else if (reader.type === IFLA_IPVLAN.FLAGS) sharing = IPVLAN_SHARINGS[reader.u16()];
  }
  if (mode === undefined || sharing === undefined) return undefined;
  return { kind: "ipvlan", mode, sharing };
}

function readVrf(reader: AttributeReader): LinkDetails {
  let table = 0;
  while (reader.next()) {
    if (reader.type === IFLA_VRF_TABLE) table = reader.u32();
  }
  return { kind: "vrf", table };
}
