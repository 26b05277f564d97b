import { err, ok, type Result } from "../base/result.ts";
import { formatAddressBytes, parseAddress } from "../ip/address.ts";

const PREFIX = /^[0-9a-f]{2}:[0-9a-f]{2}$/;

/**
 * The hardware address that a NIC has for its address: the prefix, and the last four bytes of the
 * address. `0a:1b` and 10.6.0.7 give `0a:1b:0a:06:00:07`.
 *
 * @param prefix Two bytes in lower or upper case; the first even, for an odd one is a group's.
 * @returns In lower case; or what is wrong, as the end of a sentence.
 */
export function fixedMac(
  address: string,
  { prefix }: { readonly prefix: string },
): Result<string, string> {
  const lower = prefix.toLowerCase();
  if (!PREFIX.test(lower)) return err("it must be two bytes such as 0a:1b");
  if (Number.parseInt(lower.slice(0, 2), 16) % 2 === 1) {
    return err("its first byte must be even, for odd ones are groups of stations");
  }
  const parsed = parseAddress(address);
  if (!parsed.ok) return err(`${address} is no address`);
  const bytes = [...formatAddressBytes(parsed.value).slice(-4)];
  return ok([lower, ...bytes.map((byte) => byte.toString(16).padStart(2, "0"))].join(":"));
}
