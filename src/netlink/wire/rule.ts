/**
 * Codec of rules: which table a packet is routed by.
 *
 * @source Linux `include/uapi/linux/fib_rules.h`, `net/core/fib_rules.c`
 */
import { assert } from "../../base/assert.ts";
import { type AnyCidr, formatCidr } from "../../ip/cidr.ts";
import { AttributeReader, BodyWriter } from "./attribute.ts";
import { familyNumber, familyOfNumber, networkOf } from "./family.ts";
import { ROUTE_TABLE } from "./route_record.ts";

const HEADER_BYTES = 12;
/** Tables from here on do not fit the header's byte. */
const WIDE_TABLE_MIN = 256;
/** What the kernel says where no prefix, or no group, is passed over. */
const SUPPRESS_NONE = 0xffff_ffff;

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_FLOW = 11;
const FRA_TUN_ID = 12;
const FRA_SUPPRESS_IFGROUP = 13;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;

const FIB_RULE_INVERT = 2;

/** What a rule does with a packet that it matches. */
export const RULE_ACTION = {
  /** Looks in a table; goes on with the next rule if that has no route. */
  table: 1,
  /** Goes on at the rule of priority `goto`. */
  goto: 2,
  nop: 3,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
} as const;

/** Numbers of ports or users, both ends included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** A rule with everything the kernel says of it; what is not there does not matter to it. */
export interface RuleRecord {
  readonly family: 4 | 6;
  /** Place in the list: lower is asked first. */
  readonly priority: number;
  /** `RULE_ACTION`. */
  readonly action: number;
  /** 0 where the action is not `table`, or where `isL3mdev` says which. */
  readonly table: number;
  /** The rule is for packets that do not match. */
  readonly isInverted: boolean;
  readonly from: AnyCidr | undefined;
  readonly to: AnyCidr | undefined;
  readonly tos: number;
  readonly fwMark: number | undefined;
  /** Which bits of the mark count; the kernel has 0xffffffff where a mark was given without. */
  readonly fwMask: number | undefined;
  readonly inputName: string | undefined;
  readonly outputName: string | undefined;
  /** Who made it: 0 nobody who said so, 2 the kernel. */
  readonly protocol: number;
  /** Routes with so short a prefix, or shorter, are passed over: 0 passes over the default. */
  readonly suppressPrefixLength: number | undefined;
  /** Routes over links of this group are passed over. */
  readonly suppressGroup: number | undefined;
  /** Priority of the rule that `goto` leads to. */
  readonly goto: number | undefined;
  readonly realms: number | undefined;
  readonly tunnelId: bigint | undefined;
  /** The table is that of the VRF the packet belongs to. */
  readonly isL3mdev: boolean;
  readonly users: NumberRange | undefined;
  /** IP protocol, such as 6 for TCP. */
  readonly ipProtocol: number | undefined;
  readonly sourcePorts: NumberRange | undefined;
  readonly destinationPorts: NumberRange | undefined;
}

/** A rule to make or to remove. */
export type RuleSpec =
  & Pick<RuleRecord, "family" | "priority">
  & Partial<RuleRecord>;

/** Completes a rule as `ip rule add` does: of every packet, and into the main table. */
export function ruleOf(spec: RuleSpec): RuleRecord {
  const action = spec.action ?? RULE_ACTION.table;
  const isLookup = action === RULE_ACTION.table && spec.isL3mdev !== true;
  return {
    table: isLookup ? ROUTE_TABLE.main : 0,
    isInverted: false,
    from: undefined,
    to: undefined,
    tos: 0,
    fwMark: undefined,
    fwMask: undefined,
    inputName: undefined,
    outputName: undefined,
    protocol: 0,
    suppressPrefixLength: undefined,
    suppressGroup: undefined,
    goto: undefined,
    realms: undefined,
    tunnelId: undefined,
    isL3mdev: false,
    users: undefined,
    ipProtocol: undefined,
    sourcePorts: undefined,
    destinationPorts: undefined,
    ...spec,
    action,
  };
}

/**
 * Builds what makes a rule (RTM_NEWRULE), or removes one (RTM_DELRULE).
 *
 * @returns `struct fib_rule_hdr`, 12 bytes, and attributes:
 *   0 family | 1 bits of `to` | 2 of `from` | 3 tos | 4 table, 0 if it is in an attribute |
 *   5..7 zeros | 7 action | 8..12 flags
 */
export function encodeRule(spec: RuleSpec): Uint8Array<ArrayBuffer> {
  const rule = ruleOf(spec);
  const { family, from, to, priority, table, fwMark, fwMask, inputName, outputName } = rule;
  for (const cidr of [from, to]) {
    assert(cidr === undefined || cidr.version === family, "a rule's networks are of its family");
  }
  const writer = headerOf(rule);
  if (to !== undefined) writer.putAddress(FRA_DST, to.first);
  if (from !== undefined) writer.putAddress(FRA_SRC, from.first);
  writer.putU32(FRA_PRIORITY, priority);
  if (table >= WIDE_TABLE_MIN) writer.putU32(FRA_TABLE, table);
  if (fwMark !== undefined) writer.putU32(FRA_FWMARK, fwMark);
  if (fwMask !== undefined) writer.putU32(FRA_FWMASK, fwMask);
  if (inputName !== undefined) writer.putText(FRA_IIFNAME, inputName);
  if (outputName !== undefined) writer.putText(FRA_OIFNAME, outputName);
  putRare(writer, rule);
  return writer.finish();
}

/** Builds the question for the rules of all families (RTM_GETRULE with NLM_F_DUMP). */
export function encodeRuleList(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(HEADER_BYTES);
}

/**
 * Reads a rule (RTM_NEWRULE).
 *
 * @param body What follows the message's header.
 * @returns Nothing if it is of another family than IPv4 and IPv6: multicast routing has rules too.
 * @throws {NetlinkError} `bad_message`
 */
export function decodeRule(body: Uint8Array): RuleRecord | undefined {
  const [familyByte = 0, toBits = 0, fromBits = 0, tos = 0, table = 0, , , action = 0] = body;
  const family = familyOfNumber(familyByte);
  if (family === undefined || body.length < HEADER_BYTES) return undefined;
  const flags = new DataView(body.buffer, body.byteOffset).getUint32(8, true);
  const said: { -readonly [name in keyof RuleRecord]: RuleRecord[name] } = ruleOf({
    family,
    priority: 0,
    table,
    action,
    tos,
    isInverted: (flags & FIB_RULE_INVERT) !== 0,
  });
  const reader = new AttributeReader(body, HEADER_BYTES);
  while (reader.next()) {
    switch (reader.type) {
      case FRA_DST:
        said.to = networkOf(reader.address(), { bits: toBits });
        break;
      case FRA_SRC:
        said.from = networkOf(reader.address(), { bits: fromBits });
        break;
      case FRA_PRIORITY:
        said.priority = reader.u32();
        break;
      case FRA_TABLE:
        said.table = reader.u32();
        break;
      case FRA_FWMARK:
        said.fwMark = reader.u32();
        break;
      case FRA_FWMASK:
        said.fwMask = reader.u32();
        break;
      case FRA_IIFNAME:
        said.inputName = reader.text();
        break;
      case FRA_OIFNAME:
        said.outputName = reader.text();
        break;
      default:
        readRare(reader, said);
    }
  }
  return said;
}

/**
 * Names a rule in a message, as `ip rule` prints it: `999: from 10.6.0.5/32 lookup 101`.
 */
export function describeRule(spec: RuleSpec): string {
  const rule = ruleOf(spec);
  const { from, to, fwMark, fwMask, inputName, outputName } = rule;
  const mask = fwMask === undefined || fwMask === 0xffff_ffff ? "" : `/0x${fwMask.toString(16)}`;
  const action = Object.entries(RULE_ACTION).find(([, number]) => number === rule.action)?.[0];
  return [
    `${rule.priority}:`,
    ...(rule.isInverted ? ["not"] : []),
    `from ${from === undefined ? "all" : formatCidr(from)}`,
    ...(to === undefined ? [] : [`to ${formatCidr(to)}`]),
    ...(rule.tos === 0 ? [] : [`tos ${rule.tos}`]),
    ...(fwMark === undefined ? [] : [`fwmark 0x${fwMark.toString(16)}${mask}`]),
    ...(inputName === undefined ? [] : [`iif ${inputName}`]),
    ...(outputName === undefined ? [] : [`oif ${outputName}`]),
    action === "table"
      ? `lookup ${rule.isL3mdev ? "[l3mdev]" : rule.table}`
      : action ?? `action ${rule.action}`,
  ].join(" ");
}

function headerOf(rule: RuleRecord): BodyWriter {
  const { family, to, from, tos, table, action, isInverted } = rule;
  return new BodyWriter()
    .addU8(familyNumber(family))
    .addU8(to?.prefixLength ?? 0)
    .addU8(from?.prefixLength ?? 0)
    .addU8(tos)
    .addU8(table < WIDE_TABLE_MIN ? table : 0)
    .addU16(0)
    .addU8(action)
    .addU32(isInverted ? FIB_RULE_INVERT : 0);
}

function putRare(writer: BodyWriter, rule: RuleRecord): void {
  const { suppressPrefixLength, suppressGroup, goto, realms, tunnelId, ipProtocol } = rule;
  if (rule.protocol !== 0) writer.putU8(FRA_PROTOCOL, rule.protocol);
  if (suppressPrefixLength !== undefined) {
    writer.putU32(FRA_SUPPRESS_PREFIXLEN, suppressPrefixLength);
  }
  if (suppressGroup !== undefined) writer.putU32(FRA_SUPPRESS_IFGROUP, suppressGroup);
  if (goto !== undefined) writer.putU32(FRA_GOTO, goto);
  if (realms !== undefined) writer.putU32(FRA_FLOW, realms);
  if (tunnelId !== undefined) writer.putU64Be(FRA_TUN_ID, tunnelId);
  if (rule.isL3mdev) writer.putU8(FRA_L3MDEV, 1);
  if (rule.users !== undefined) {
    const { first, last } = rule.users;
    writer.putBytes(FRA_UID_RANGE, new BodyWriter().addU32(first).addU32(last).finish());
  }
  if (ipProtocol !== undefined) writer.putU8(FRA_IP_PROTO, ipProtocol);
  putPorts(writer, { type: FRA_SPORT_RANGE, ports: rule.sourcePorts });
  putPorts(writer, { type: FRA_DPORT_RANGE, ports: rule.destinationPorts });
}

function putPorts(
  writer: BodyWriter,
  { type, ports }: { readonly type: number; readonly ports: NumberRange | undefined },
): void {
  if (ports === undefined) return;
  writer.putBytes(type, new BodyWriter().addU16(ports.first).addU16(ports.last).finish());
}

function readRare(
  reader: AttributeReader,
  said: { -readonly [name in keyof RuleRecord]: RuleRecord[name] },
): void {
  switch (reader.type) {
    case FRA_PROTOCOL:
      said.protocol = reader.u8();
      break;
    case FRA_SUPPRESS_PREFIXLEN:
      said.suppressPrefixLength = suppressed(reader.u32());
      break;
    case FRA_SUPPRESS_IFGROUP:
      said.suppressGroup = suppressed(reader.u32());
      break;
    case FRA_GOTO:
      said.goto = reader.u32();
      break;
    case FRA_FLOW:
      said.realms = reader.u32();
      break;
    case FRA_TUN_ID:
      said.tunnelId = reader.u64Be();
      break;
    case FRA_L3MDEV:
      said.isL3mdev = reader.u8() === 1;
      break;
    case FRA_UID_RANGE:
      said.users = usersIn(reader.bytes());
      break;
    case FRA_IP_PROTO:
      said.ipProtocol = reader.u8();
      break;
    case FRA_SPORT_RANGE:
      said.sourcePorts = portsIn(reader.u32());
      break;
    case FRA_DPORT_RANGE:
      said.destinationPorts = portsIn(reader.u32());
      break;
  }
}

function suppressed(value: number): number | undefined {
  return value === SUPPRESS_NONE ? undefined : value;
}

function usersIn(bytes: Uint8Array): NumberRange | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { first: view.getUint32(0, true), last: view.getUint32(4, true) };
}

/** Two ports of 16 bits, the first one lower. */
function portsIn(value: number): NumberRange {
  return { first: value & 0xffff, last: value >>> 16 };
}
