/** Headers of Ethernet II frames, and addresses of groups. */
import { assert } from "../../base/assert.ts";
import { type Address, formatAddressBytes } from "../../ip/address.ts";
import { type MacAddress, macBytes, macOfBytes } from "../wire/mac.ts";

/** What a frame carries. */
export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
/** Bytes before what is carried. */
export const HEADER_BYTES = 14;
/** Everyone. */
export const BROADCAST_MAC = macOf([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
/** Nobody: where a hardware address is what is asked for. */
export const ZERO_MAC = macOf([0, 0, 0, 0, 0, 0]);

/** Writes the first 14 bytes of a frame. */
export function writeHeader(
  frame: Uint8Array<ArrayBuffer>,
  { destination, source, type }: {
    readonly destination: MacAddress;
    readonly source: MacAddress;
    readonly type: number;
  },
): void {
  frame.set(macBytes(destination), 0);
  frame.set(macBytes(source), 6);
  new DataView(frame.buffer).setUint16(12, type);
}

/**
 * Hardware address of a group of IPv6 stations: 33:33 and the group's last four bytes.
 *
 * @source RFC 2464 section 7
 */
export function groupMac(group: Address): MacAddress {
  return macOf([0x33, 0x33, ...formatAddressBytes(group).subarray(12)]);
}

function macOf(bytes: readonly number[]): MacAddress {
  const mac = macOfBytes(Uint8Array.from(bytes));
  assert(mac !== undefined, "six bytes are a hardware address");
  return mac;
}
