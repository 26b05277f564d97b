/** Codecs of `struct ifreq` and `struct ethtool_drvinfo`. */
import { assert } from "../../base/assert.ts";

/** What drives a NIC. */
export interface DriverInfo {
  /** Name of the driver, such as `mlx5_core` or `veth`. */
  readonly driver: string;
  /** Where the device is on its bus: `0000:3b:00.2` on PCI; other forms, or nothing, elsewhere. */
  readonly busInfo: string;
}

/** Bytes of a NIC's name, the closing NUL included. */
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;
const DRVINFO_BYTES = 196;
const ETHTOOL_GDRVINFO = 3;
/** Bytes of each text of `struct ethtool_drvinfo`. */
const TEXT_BYTES = 32;
const DRIVER_OFFSET = 4;
const BUS_INFO_OFFSET = 100;

/**
 * Whether the kernel would let a NIC be called so: 1 to 15 bytes, no white space, slash or colon.
 *
 * @source Linux `net/core/dev.c`, `dev_valid_name()`
 */
export function isNicName(name: string): boolean {
  if (name === "." || name === ".." || !/^[^\s/:\0]+$/.test(name)) return false;
  return new TextEncoder().encode(name).length < IFNAMSIZ;
}

/**
 * Builds the argument of an ioctl about a NIC.
 *
 * @param nic A name that `isNicName` takes.
 * @param options.data Address of the bytes that the ioctl reads and writes; 0 if it has none.
 * @returns `struct ifreq`, 40 bytes: 0..16 name | 16..24 address of the data | zeros
 * @source Linux `include/uapi/linux/if.h`
 */
export function encodeNicRequest(
  nic: string,
  { data }: { readonly data: bigint },
): Uint8Array<ArrayBuffer> {
  assert(isNicName(nic), "a NIC's name is checked before it is sent");
  const bytes = new Uint8Array(new ArrayBuffer(IFREQ_BYTES));
  bytes.set(new TextEncoder().encode(nic));
  new DataView(bytes.buffer).setBigUint64(IFNAMSIZ, data, true);
  return bytes;
}

/**
 * Builds the question for a NIC's driver, which the kernel overwrites with its answer. It has a
 * buffer of its own, outside of the collected heap: its address stays what it is.
 *
 * @returns `struct ethtool_drvinfo`, 196 bytes: 0..4 command | zeros
 * @source Linux `include/uapi/linux/ethtool.h`
 */
export function encodeDriverQuestion(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(DRVINFO_BYTES));
  new DataView(bytes.buffer).setUint32(0, ETHTOOL_GDRVINFO, true);
  return bytes;
}

/**
 * Reads the answer.
 *
 * @param bytes `struct ethtool_drvinfo`, 196 bytes: 0..4 command | 4..36 driver | 36..68 version |
 *   68..100 firmware | 100..132 bus info | the rest is not read
 */
export function decodeDriverInfo(bytes: Uint8Array): DriverInfo {
  assert(bytes.length === DRVINFO_BYTES, "an answer is as long as its question");
  return { driver: textAt(bytes, DRIVER_OFFSET), busInfo: textAt(bytes, BUS_INFO_OFFSET) };
}

function textAt(bytes: Uint8Array, offset: number): string {
  const field = bytes.subarray(offset, offset + TEXT_BYTES);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}
