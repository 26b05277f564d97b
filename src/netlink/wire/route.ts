/**
 * Codec of routes: `struct rtmsg` and its attributes.
 *
 * @source Linux `include/uapi/linux/rtnetlink.h`
 */
import { assert } from "../../base/assert.ts";
import {
  type Address,
  formatAddressBytes,
  parseAddressBytes,
  versionOf,
} from "../../ip/address.ts";
import { AttributeReader, BodyWriter } from "./attribute.ts";
import { familyNumber, familyOfNumber, networkOf } from "./family.ts";
import { alignedLength } from "./header.ts";
import {
  assertRoute,
  type Encapsulation,
  ROUTE_SCOPE,
  type RouteHop,
  type RouteMetrics,
  type RouteNexthop,
  routeOf,
  type RouteRecord,
  type RouteSpec,
} from "./route_record.ts";

const HEADER_BYTES = 12;
const NEXTHOP_BYTES = 8;
/** Tables from here on do not fit the header's byte. */
const WIDE_TABLE_MIN = 256;
const TABLE_UNSPECIFIED = 0;

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_FLOW = 11;
const RTA_CACHEINFO = 12;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const RTA_VIA = 18;
const RTA_PREF = 20;
const RTA_ENCAP_TYPE = 21;
const RTA_ENCAP = 22;
const RTA_EXPIRES = 23;
const RTA_NH_ID = 30;
const RTAX_CC_ALGO = 16;

const RTNH_F_DEAD = 1;
const RTNH_F_ONLINK = 4;
const RTNH_F_LINKDOWN = 16;
const RTM_F_CLONED = 0x200;
const RTM_F_LOOKUP_TABLE = 0x1000;

/** Where `struct rta_cacheinfo` has the time left, in hundredths of a second. */
const EXPIRES_OFFSET = 8;
const TICKS_PER_SECOND = 100;
/** Where `struct rtvia` has its address. */
const VIA_ADDRESS_OFFSET = 2;

/**
 * Builds what makes a route (RTM_NEWROUTE).
 *
 * @returns `struct rtmsg`, 12 bytes, and attributes:
 *   0 family | 1 bits of destination | 2 of source | 3 tos | 4 table, 0 if it is in an attribute |
 *   5 protocol | 6 scope | 7 type | 8..12 flags
 */
export function encodeRoute(spec: RouteSpec): Uint8Array<ArrayBuffer> {
  const route = routeOf(spec);
  assertRoute(route);
  const { destination, source, table, prefSource, priority, pref, expiresSeconds } = route;
  const writer = headerOf(route);
  if (destination !== undefined) writer.putAddress(RTA_DST, destination.first);
  if (source !== undefined) writer.putAddress(RTA_SRC, source.first);
  if (table >= WIDE_TABLE_MIN) writer.putU32(RTA_TABLE, table);
  putWays(writer, route);
  if (priority !== 0) writer.putU32(RTA_PRIORITY, priority);
  if (prefSource !== undefined) writer.putAddress(RTA_PREFSRC, prefSource);
  putMetrics(writer, route);
  if (pref !== undefined) writer.putU8(RTA_PREF, pref);
  if (expiresSeconds !== undefined) writer.putU32(RTA_EXPIRES, expiresSeconds);
  return writer.finish();
}

/**
 * Builds what removes a route (RTM_DELROUTE). What the spec does not say, the route may have as it
 * likes; its destination, TOS and table are what they are in a route that is made.
 */
export function encodeRouteRemoval(spec: RouteSpec): Uint8Array<ArrayBuffer> {
  return encodeRoute({ scope: ROUTE_SCOPE.nowhere, type: 0, protocol: 0, ...spec });
}

/** Builds the question for routes (RTM_GETROUTE with NLM_F_DUMP), of one table or of all. */
export function encodeRouteList(
  { family, table }: { readonly family?: 4 | 6 | undefined; readonly table?: number | undefined },
): Uint8Array<ArrayBuffer> {
  const writer = new BodyWriter().addU32(familyNumber(family)).addU32(0).addU32(0);
  if (table !== undefined) writer.putU32(RTA_TABLE, table);
  return writer.finish();
}

/** A packet that asks for its route. */
export interface RouteQuestion {
  readonly address: Address;
  /** The packet comes from here. */
  readonly source?: Address;
  /** It leaves by this link. */
  readonly outputIndex?: number;
  /** It came in by this link, so it is forwarded. */
  readonly inputIndex?: number;
  readonly mark?: number;
}

/** Builds the question for the route of a packet (RTM_GETROUTE without NLM_F_DUMP). */
export function encodeRouteQuestion(question: RouteQuestion): Uint8Array<ArrayBuffer> {
  const { address, source, outputIndex, inputIndex, mark } = question;
  const family = versionOf(address);
  const bits = family === 4 ? 32 : 128;
  const writer = new BodyWriter()
    .addU8(familyNumber(family))
    .addU8(bits)
    .addU8(source === undefined ? 0 : bits)
    .addU8(0)
    .addU32(0)
    // IPv6 says the table unasked, and a strict kernel refuses to be asked.
    .addU32(family === 4 ? RTM_F_LOOKUP_TABLE : 0)
    .putAddress(RTA_DST, address);
  if (source !== undefined) writer.putAddress(RTA_SRC, source);
  if (outputIndex !== undefined) writer.putU32(RTA_OIF, outputIndex);
  if (inputIndex !== undefined) writer.putU32(RTA_IIF, inputIndex);
  if (mark !== undefined) writer.putU32(RTA_MARK, mark);
  return writer.finish();
}

/**
 * Reads a route (RTM_NEWROUTE).
 *
 * @param body What follows the message's header.
 * @returns Nothing if it is of another family than IPv4 and IPv6: multicast routes are.
 * @throws {NetlinkError} `bad_message`
 */
export function decodeRoute(body: Uint8Array): RouteRecord | undefined {
  const [familyByte = 0, destinationBits = 0, sourceBits = 0, tos = 0] = body;
  const [table = 0, protocol = 0, scope = 0, type = 0] = body.subarray(4);
  const family = familyOfNumber(familyByte);
  if (family === undefined || body.length < HEADER_BYTES) return undefined;
  const flags = new DataView(body.buffer, body.byteOffset).getUint32(8, true);
  const found = attributesOf(new AttributeReader(body, HEADER_BYTES));
  return {
    family,
    destination: networkOf(found.destination, { bits: destinationBits }),
    source: networkOf(found.source, { bits: sourceBits }),
    table: found.table ?? table,
    protocol,
    scope,
    type,
    tos,
    priority: found.priority ?? 0,
    prefSource: found.prefSource,
    metrics: found.metrics ?? {},
    congestionControl: found.congestionControl,
    pref: found.pref,
    expiresSeconds: found.expiresSeconds,
    ...hopOf(found, { flags }),
    nexthops: found.nexthops ?? [],
    nexthopId: found.nexthopId,
    isCloned: (flags & RTM_F_CLONED) !== 0,
  };
}

/** What attributes say, before it is known what the rest means. */
interface Attributes {
  destination?: Address | undefined;
  source?: Address | undefined;
  table?: number;
  priority?: number;
  prefSource?: Address | undefined;
  metrics?: RouteMetrics;
  congestionControl?: string;
  pref?: number;
  expiresSeconds?: number | undefined;
  linkIndex?: number;
  gateway?: Address | undefined;
  realms?: number;
  encapsulationType?: number;
  encapsulation?: Uint8Array;
  nexthops?: readonly RouteNexthop[];
  nexthopId?: number;
}

function attributesOf(reader: AttributeReader): Attributes {
  const found: Attributes = {};
  while (reader.next()) {
    switch (reader.type) {
      case RTA_DST:
        found.destination = reader.address();
        break;
      case RTA_SRC:
        found.source = reader.address();
        break;
      case RTA_TABLE:
        found.table = reader.u32();
        break;
      case RTA_PRIORITY:
        found.priority = reader.u32();
        break;
      case RTA_PREFSRC:
        found.prefSource = reader.address();
        break;
      case RTA_METRICS:
        readMetrics(reader.nested(), found);
        break;
      case RTA_PREF:
        found.pref = reader.u8();
        break;
      case RTA_CACHEINFO:
        found.expiresSeconds = expiryIn(reader.bytes());
        break;
      case RTA_MULTIPATH:
        found.nexthops = nexthopsIn(reader.bytes());
        break;
      case RTA_NH_ID:
        found.nexthopId = reader.u32();
        break;
      default:
        readHopAttribute(reader, found);
    }
  }
  return found;
}

/** Attributes that a route has, and each way of a multipath route as well. */
function readHopAttribute(reader: AttributeReader, found: Attributes): void {
  switch (reader.type) {
    case RTA_OIF:
      found.linkIndex = reader.u32();
      break;
    case RTA_GATEWAY:
      found.gateway = reader.address();
      break;
    case RTA_VIA:
      found.gateway = parseAddressBytes(reader.bytes().subarray(VIA_ADDRESS_OFFSET));
      break;
    case RTA_FLOW:
      found.realms = reader.u32();
      break;
    case RTA_ENCAP_TYPE:
      found.encapsulationType = reader.u16();
      break;
    case RTA_ENCAP:
      found.encapsulation = reader.bytes().slice();
      break;
  }
}

function hopOf(found: Attributes, { flags }: { readonly flags: number }): RouteHop {
  const { linkIndex, gateway, realms, encapsulationType: type, encapsulation: attributes } = found;
  const isWrapped = type !== undefined && attributes !== undefined;
  return {
    linkIndex,
    gateway,
    isOnlink: (flags & RTNH_F_ONLINK) !== 0,
    isDead: (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) !== 0,
    realms,
    encapsulation: isWrapped ? { type, attributes } : undefined,
  };
}

/** `struct rtnexthop`s: 0..2 length | 2 flags | 3 weight less one | 4..8 link | attributes */
function nexthopsIn(bytes: Uint8Array): readonly RouteNexthop[] {
  const hops: RouteNexthop[] = [];
  let rest = bytes;
  while (rest.length >= NEXTHOP_BYTES) {
    const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
    const length = view.getUint16(0, true);
    assert(length >= NEXTHOP_BYTES && length <= rest.length, "a nexthop is within its attribute");
    const found: Attributes = {};
    const linkIndex = view.getInt32(4, true);
    if (linkIndex !== 0) found.linkIndex = linkIndex;
    const reader = new AttributeReader(rest.subarray(0, length), NEXTHOP_BYTES);
    while (reader.next()) readHopAttribute(reader, found);
    hops.push({ ...hopOf(found, { flags: view.getUint8(2) }), weight: view.getUint8(3) + 1 });
    rest = rest.subarray(alignedLength(length));
  }
  return hops;
}

function readMetrics(reader: AttributeReader, found: Attributes): void {
  const metrics: Record<number, number> = {};
  while (reader.next()) {
    if (reader.type === RTAX_CC_ALGO) found.congestionControl = reader.text();
    else metrics[reader.type] = reader.u32();
  }
  found.metrics = metrics;
}

/** Of `struct rta_cacheinfo`; nothing for a route that stays. */
function expiryIn(bytes: Uint8Array): number | undefined {
  if (bytes.length < EXPIRES_OFFSET + 4) return undefined;
  const ticks = new DataView(bytes.buffer, bytes.byteOffset).getInt32(EXPIRES_OFFSET, true);
  return ticks === 0 ? undefined : Math.ceil(ticks / TICKS_PER_SECOND);
}

function headerOf(route: RouteRecord): BodyWriter {
  const { family, destination, source, tos, table, protocol, scope, type, isOnlink } = route;
  return new BodyWriter()
    .addU8(familyNumber(family))
    .addU8(destination?.prefixLength ?? 0)
    .addU8(source?.prefixLength ?? 0)
    .addU8(tos)
    .addU8(table < WIDE_TABLE_MIN ? table : TABLE_UNSPECIFIED)
    .addU8(protocol)
    .addU8(scope)
    .addU8(type)
    .addU32(isOnlink ? RTNH_F_ONLINK : 0);
}

/** A nexthop object says it all, and the kernel refuses to hear it twice. */
function putWays(writer: BodyWriter, route: RouteRecord): void {
  const { family, nexthops, nexthopId, linkIndex } = route;
  if (nexthopId !== undefined) {
    writer.putU32(RTA_NH_ID, nexthopId);
  } else if (nexthops.length > 0) {
    const ways = new BodyWriter();
    for (const hop of nexthops) addNexthop(ways, { hop, family });
    writer.putBytes(RTA_MULTIPATH, ways.finish());
  } else {
    putHop(writer, { hop: route, family });
    if (linkIndex !== undefined) writer.putU32(RTA_OIF, linkIndex);
  }
}

function addNexthop(
  writer: BodyWriter,
  { hop, family }: { readonly hop: RouteNexthop; readonly family: 4 | 6 },
): void {
  const attributes = new BodyWriter();
  putHop(attributes, { hop, family });
  const bytes = attributes.finish();
  writer
    .addU16(NEXTHOP_BYTES + bytes.length)
    .addU8(hop.isOnlink ? RTNH_F_ONLINK : 0)
    .addU8(hop.weight - 1)
    .addI32(hop.linkIndex ?? 0)
    .addBytes(bytes);
}

function putHop(
  writer: BodyWriter,
  { hop, family }: { readonly hop: RouteHop; readonly family: 4 | 6 },
): void {
  const { gateway, realms, encapsulation } = hop;
  if (gateway !== undefined) putGateway(writer, { gateway, family });
  if (realms !== undefined) writer.putU32(RTA_FLOW, realms);
  if (encapsulation !== undefined) putEncapsulation(writer, encapsulation);
}

function putGateway(
  writer: BodyWriter,
  { gateway, family }: { readonly gateway: Address; readonly family: 4 | 6 },
): void {
  const version = versionOf(gateway);
  if (version === family) {
    writer.putAddress(RTA_GATEWAY, gateway);
    return;
  }
  // `struct rtvia`: 0..2 family | 2.. address
  const via = new BodyWriter()
    .addU16(familyNumber(version))
    .addBytes(formatAddressBytes(gateway));
  writer.putBytes(RTA_VIA, via.finish());
}

function putEncapsulation(writer: BodyWriter, { type, attributes }: Encapsulation): void {
  writer.putU16(RTA_ENCAP_TYPE, type);
  const start = writer.openNest(RTA_ENCAP);
  writer.addBytes(attributes).closeNest(start);
}

function putMetrics(writer: BodyWriter, { metrics, congestionControl }: RouteRecord): void {
  const numbers = Object.entries(metrics);
  if (numbers.length === 0 && congestionControl === undefined) return;
  const start = writer.openNest(RTA_METRICS);
  for (const [number, value] of numbers) writer.putU32(Number(number), value);
  if (congestionControl !== undefined) writer.putText(RTAX_CC_ALGO, congestionControl);
  writer.closeNest(start);
}
