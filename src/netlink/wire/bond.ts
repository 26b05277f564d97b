/** Codec of a bond's options: what `IFLA_INFO_DATA` holds for links of the kind `bond`. */
import type { Ipv4 } from "../../ip/address.ts";
import type { AttributeReader, BodyWriter } from "./attribute.ts";
import { type MacAddress, macBytes, macOfBytes } from "./mac.ts";

/**
 * Options of a bond. Choices are numbers as in the kernel; `BOND_MODES` and the lists after it have
 * their names, by number. The kernel refuses those that do not go together.
 */
export interface BondOptions {
  /** Index into `BOND_MODES`. */
  readonly mode?: number;
  /** Index of the link that sends, with an active backup. */
  readonly activeSlave?: number;
  /** Milliseconds between looks at the carrier. */
  readonly miimon?: number;
  /** Milliseconds; a multiple of `miimon`. */
  readonly upDelay?: number;
  /** Milliseconds; a multiple of `miimon`. */
  readonly downDelay?: number;
  /** 1 or 0; newer kernels take only 1. */
  readonly useCarrier?: number;
  /** Milliseconds between ARP requests to `arpIpTargets`. */
  readonly arpInterval?: number;
  /** At most 16. */
  readonly arpIpTargets?: readonly Ipv4[];
  /** Index into `BOND_ARP_VALIDATE`. */
  readonly arpValidate?: number;
  /** 0: any target, 1: all. */
  readonly arpAllTargets?: number;
  /** Index of the link that is taken whenever it can be. */
  readonly primary?: number;
  /** Index into `BOND_PRIMARY_RESELECT`. */
  readonly primaryReselect?: number;
  /** Index into `BOND_FAIL_OVER_MAC`. */
  readonly failOverMac?: number;
  /** Index into `BOND_HASH_POLICIES`. */
  readonly xmitHashPolicy?: number;
  /** IGMP reports after a change of the active link. */
  readonly resendIgmp?: number;
  /** Announcements of neighbours after a change of the active link. */
  readonly numPeerNotif?: number;
  /** 1 or 0. */
  readonly allSlavesActive?: number;
  readonly minLinks?: number;
  /** Seconds between learning packets. */
  readonly lpInterval?: number;
  readonly packetsPerSlave?: number;
  /** Index into `BOND_LACP_RATES`. */
  readonly adLacpRate?: number;
  /** Index into `BOND_AD_SELECT`. */
  readonly adSelect?: number;
  /** 1 to 65535. */
  readonly adActorSysPrio?: number;
  /** 0 to 1023. */
  readonly adUserPortKey?: number;
  readonly adActorSystem?: MacAddress;
  /** 1 or 0. */
  readonly tlbDynamicLb?: number;
  /** Milliseconds between announcements of neighbours. */
  readonly peerNotifDelay?: number;
  /** 1 or 0: whether LACP begins by itself. */
  readonly adLacpActive?: number;
  /** ARP requests without an answer that take a link down. */
  readonly missedMax?: number;
}

/** Names of `mode`. */
export const BOND_MODES = [
  "balance-rr",
  "active-backup",
  "balance-xor",
  "broadcast",
  "802.3ad",
  "balance-tlb",
  "balance-alb",
] as const;
/** Names of `arpValidate`. */
export const BOND_ARP_VALIDATE = [
  "none",
  "active",
  "backup",
  "all",
  "filter",
  "filter_active",
  "filter_backup",
] as const;
/** Names of `primaryReselect`. */
export const BOND_PRIMARY_RESELECT = ["always", "better", "failure"] as const;
/** Names of `failOverMac`. */
export const BOND_FAIL_OVER_MAC = ["none", "active", "follow"] as const;
/** Names of `xmitHashPolicy`. */
export const BOND_HASH_POLICIES = [
  "layer2",
  "layer3+4",
  "layer2+3",
  "encap2+3",
  "encap3+4",
  "vlan+srcmac",
] as const;
/** Names of `adLacpRate`. */
export const BOND_LACP_RATES = ["slow", "fast"] as const;
/** Names of `adSelect`. */
export const BOND_AD_SELECT = ["stable", "bandwidth", "count"] as const;

type NumberName = Exclude<keyof BondOptions, "arpIpTargets" | "adActorSystem">;

/** IFLA_BOND_* by option, with the bytes that the kernel reads and writes. */
const NUMBERS: readonly (readonly [name: NumberName, type: number, bytes: 1 | 2 | 4])[] = [
  ["mode", 1, 1],
  ["activeSlave", 2, 4],
  ["miimon", 3, 4],
  ["upDelay", 4, 4],
  ["downDelay", 5, 4],
  ["useCarrier", 6, 1],
  ["arpInterval", 7, 4],
  ["arpValidate", 9, 4],
  ["arpAllTargets", 10, 4],
  ["primary", 11, 4],
  ["primaryReselect", 12, 1],
  ["failOverMac", 13, 1],
  ["xmitHashPolicy", 14, 1],
  ["resendIgmp", 15, 4],
  ["numPeerNotif", 16, 1],
  ["allSlavesActive", 17, 1],
  ["minLinks", 18, 4],
  ["lpInterval", 19, 4],
  ["packetsPerSlave", 20, 4],
  ["adLacpRate", 21, 1],
  ["adSelect", 22, 1],
  ["adActorSysPrio", 24, 2],
  ["adUserPortKey", 25, 2],
  ["tlbDynamicLb", 27, 1],
  ["peerNotifDelay", 28, 4],
  ["adLacpActive", 29, 1],
  ["missedMax", 30, 1],
];
const BY_TYPE = new Map(NUMBERS.map((row) => [row[1], row]));
const IFLA_BOND_ARP_IP_TARGET = 8;
const IFLA_BOND_AD_ACTOR_SYSTEM = 26;

/**
 * Writes those options that are given.
 *
 * @source Linux `include/uapi/linux/if_link.h`, IFLA_BOND_*; `drivers/net/bonding/bond_netlink.c`
 */
export function writeBondOptions(options: BondOptions, writer: BodyWriter): void {
  for (const [name, type, bytes] of NUMBERS) {
    const value = options[name];
    if (value === undefined) continue;
    if (bytes === 1) writer.putU8(type, value);
    else if (bytes === 2) writer.putU16(type, value);
    else writer.putU32(type, value);
  }
  const { arpIpTargets, adActorSystem } = options;
  if (arpIpTargets !== undefined) {
    const nest = writer.openNest(IFLA_BOND_ARP_IP_TARGET);
    for (const [index, target] of arpIpTargets.entries()) writer.putAddress(index, target);
    writer.closeNest(nest);
  }
  if (adActorSystem !== undefined) {
    writer.putBytes(IFLA_BOND_AD_ACTOR_SYSTEM, macBytes(adActorSystem));
  }
}

/** Reads the options of a bond. `activeSlave` and `primary` are left out where there is none. */
export function readBondOptions(reader: AttributeReader): BondOptions {
  const numbers: { -readonly [Name in NumberName]?: number } = {};
  let arpIpTargets: readonly Ipv4[] = [];
  let adActorSystem: MacAddress | undefined;
  while (reader.next()) {
    const row = BY_TYPE.get(reader.type);
    if (row !== undefined) {
      const [name, , bytes] = row;
      numbers[name] = bytes === 1 ? reader.u8() : bytes === 2 ? reader.u16() : reader.u32();
    } else if (reader.type === IFLA_BOND_ARP_IP_TARGET) arpIpTargets = targetsIn(reader.nested());
    else if (reader.type === IFLA_BOND_AD_ACTOR_SYSTEM) adActorSystem = macOfBytes(reader.bytes());
  }
  return {
    ...numbers,
    arpIpTargets,
    ...(adActorSystem === undefined ? {} : { adActorSystem }),
  };
}

function targetsIn(reader: AttributeReader): readonly Ipv4[] {
  const targets: Ipv4[] = [];
  while (reader.next()) {
    const target = reader.address();
    if (typeof target === "number") targets.push(target);
  }
  return targets;
}
