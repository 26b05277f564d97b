/** Addresses of links: list, add, replace, remove. */
import { err, type Result } from "../base/result.ts";
import { ERRNO } from "./errno.ts";
import { type KernelRefusal, kernelRefusal, refusalError } from "./kernel_refusal.ts";
import type { NetlinkSocket } from "./socket.ts";
import {
  addressFault,
  type AddressFilter,
  type AddressPlace,
  type AddressRecord,
  type AddressSpec,
  decodeAddress,
  encodeAddress,
  encodeAddressesQuestion,
  encodeAddressRemoval,
} from "./wire/address.ts";
import { type Message, NLM_F } from "./wire/header.ts";

/**
 * Lists addresses, IPv4 before IPv6, each in the order of links; none for a link that is not there.
 *
 * Equivalent: `ip [-4|-6] address show [dev NAME]`.
 *
 * @throws {NetlinkError}
 */
export function listAddresses(
  socket: NetlinkSocket,
  filter: AddressFilter = {},
): readonly AddressRecord[] {
  const listed = socket.tryDump(encodeAddressesQuestion(filter));
  if (!listed.ok) {
    if (listed.error.code === "not_found") return [];
    throw refusalError("list addresses", listed.error);
  }
  return listed.value.flatMap((message) => recordOf(message, filter));
}

function recordOf(
  message: Message,
  { family, linkIndex }: AddressFilter,
): readonly AddressRecord[] {
  const record = decodeAddress(message);
  if (record === undefined || (family ?? record.family) !== record.family) return [];
  return (linkIndex ?? record.linkIndex) === record.linkIndex ? [record] : [];
}

/**
 * Sets an address.
 *
 * Equivalent: `ip address add ADDRESS/LENGTH [peer ...] [broadcast +] dev NAME`.
 *
 * @outcome `exists` The link has that address.
 * @outcome `not_found` There is no such link.
 * @outcome `refused` Everything else; IPv6 is off on the link, for example.
 * @throws {NetlinkError}
 */
export function addAddress(
  socket: NetlinkSocket,
  spec: AddressSpec,
): Result<undefined, KernelRefusal> {
  return set(socket, { spec, flags: NLM_F.CREATE | NLM_F.EXCL });
}

/**
 * Sets an address, or changes its lifetimes and flags if the link has it.
 *
 * Equivalent: `ip address replace ADDRESS/LENGTH dev NAME`.
 *
 * @outcome `not_found` There is no such link.
 * @outcome `refused` Everything else.
 * @throws {NetlinkError}
 */
export function replaceAddress(
  socket: NetlinkSocket,
  spec: AddressSpec,
): Result<undefined, KernelRefusal> {
  return set(socket, { spec, flags: NLM_F.CREATE | NLM_F.REPLACE });
}

function set(
  socket: NetlinkSocket,
  { spec, flags }: { readonly spec: AddressSpec; readonly flags: number },
): Result<undefined, KernelRefusal> {
  const text = addressFault(spec);
  if (text !== undefined) return err(kernelRefusal(ERRNO.EINVAL, { text }));
  return socket.request(encodeAddress(spec, { flags }));
}

/**
 * Takes an address away.
 *
 * Equivalent: `ip address delete ADDRESS/LENGTH dev NAME`.
 *
 * @outcome `not_found` The link does not have it, or is not there.
 * @outcome `refused` Everything else.
 * @throws {NetlinkError}
 */
export function removeAddress(
  socket: NetlinkSocket,
  place: AddressPlace,
): Result<undefined, KernelRefusal> {
  const text = addressFault(place);
  if (text !== undefined) return err(kernelRefusal(ERRNO.EINVAL, { text }));
  return socket.request(encodeAddressRemoval(place));
}
