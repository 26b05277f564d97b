/** Hardware addresses of Ethernet, as text and bytes. */
import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";

declare const brand: unique symbol;
/** Hardware address, six groups of two lower-case digits: `0a:1b:0a:06:00:07`. */
export type MacAddress = string & { readonly [brand]: "MacAddress" };

/** A text that is no hardware address. */
export interface MacRefusal {
  readonly code: "not_mac";
  readonly text: string;
}

const MAC_BYTES = 6;
const CANONICAL = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

function isMac(text: string): text is MacAddress {
  return CANONICAL.test(text);
}

/**
 * Reads a hardware address in either case, with colons only.
 *
 * @outcome `not_mac`
 */
export function parseMac(text: string): Result<MacAddress, MacRefusal> {
  const canonical = text.toLowerCase();
  return isMac(canonical) ? ok(canonical) : err({ code: "not_mac", text });
}

/** Reads a hardware address from bytes; nothing if there are not six: tunnels have others. */
export function macOfBytes(bytes: Uint8Array): MacAddress | undefined {
  if (bytes.length !== MAC_BYTES) return undefined;
  const digits = bytes.toHex();
  let text = digits.slice(0, 2);
  for (let at = 2; at < digits.length; at += 2) text += `:${digits.slice(at, at + 2)}`;
  assert(isMac(text), "six bytes are a hardware address");
  return text;
}

/** The six bytes, as on the wire. */
export function macBytes(mac: MacAddress): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(mac.replaceAll(":", ""));
}
