/** Links: list, find, add, change, remove. */
import { err, type Result } from "../base/result.ts";
import { ERRNO } from "./errno.ts";
import { type KernelRefusal, kernelRefusal, refusalError } from "./kernel_refusal.ts";
import type { NetlinkSocket } from "./socket.ts";
import type { BondOptions } from "./wire/bond.ts";
import { isNicName } from "./wire/ethtool.ts";
import { NLM_F } from "./wire/header.ts";
import {
  decodeLink,
  encodeBondChanges,
  encodeLink,
  encodeLinkChanges,
  encodeLinkQuestion,
  encodeLinkRemoval,
  encodeLinksQuestion,
  type LinkChanges,
  type LinkPlace,
  type LinkRecord,
  type LinkSpec,
} from "./wire/link.ts";
import { changesFault, linkFault } from "./wire/link_fault.ts";

/**
 * Lists the links of the socket's namespace, by index.
 *
 * Equivalent: `ip -details link show`.
 *
 * @throws {NetlinkError}
 */
export function listLinks(socket: NetlinkSocket): readonly LinkRecord[] {
  return socket.dump(encodeLinksQuestion()).map(decodeLink);
}

/**
 * Finds a link; nothing if there is none. A name is also looked for among alternative names.
 *
 * Equivalent: `ip -details link show dev NAME`.
 *
 * @throws {NetlinkError}
 */
export function findLink(socket: NetlinkSocket, place: LinkPlace): LinkRecord | undefined {
  if ("name" in place && !isNicName(place.name)) return undefined;
  const found = socket.ask(encodeLinkQuestion(place));
  if (found.ok) return decodeLink(found.value);
  if (found.error.code === "not_found") return undefined;
  throw refusalError(`find link ${textOf(place)}`, found.error);
}

/**
 * Makes a link.
 *
 * Equivalent: `ip link add NAME [link PARENT] [mtu ...] [address ...] type KIND ...`.
 *
 * @outcome `exists` A link has that name, or a VLAN with that ID is on the parent.
 * @outcome `not_found` The parent or the namespace is not there.
 * @outcome `refused` Everything else; `Unknown device type` where the kernel has no such kind.
 * @throws {NetlinkError}
 */
export function addLink(socket: NetlinkSocket, spec: LinkSpec): Result<undefined, KernelRefusal> {
  const text = linkFault(spec);
  if (text !== undefined) return err(kernelRefusal(ERRNO.EINVAL, { text }));
  return socket.request(encodeLink(spec, { flags: NLM_F.CREATE | NLM_F.EXCL }));
}

/**
 * Changes a link. The kernel makes one change after another, and stops at one that it refuses: ask
 * for one at a time where that matters.
 *
 * Equivalent: `ip link set dev NAME [up] [down] [name ...] [mtu ...] [txqueuelen ...] [address ...]
 * [master ...] [netns ...]`.
 *
 * @outcome `exists` A link has the new name.
 * @outcome `not_found` The link, the master or the namespace is not there.
 * @outcome `refused` Everything else.
 * @throws {NetlinkError}
 */
export function setLink(
  socket: NetlinkSocket,
  index: number,
  options: LinkChanges,
): Result<undefined, KernelRefusal> {
  const text = changesFault(options);
  if (text !== undefined) return err(kernelRefusal(ERRNO.EINVAL, { text }));
  return socket.request(encodeLinkChanges(index, options));
}

/**
 * Changes options of a bond. Some can be changed only while it has no ports, or is down.
 *
 * Equivalent: `ip link set dev NAME type bond [mode ...] [miimon ...] ...`.
 *
 * @outcome `not_found` The bond, or a link that an option names, is not there.
 * @outcome `refused` Everything else.
 * @throws {NetlinkError}
 */
export function setBond(
  socket: NetlinkSocket,
  index: number,
  options: BondOptions,
): Result<undefined, KernelRefusal> {
  return socket.request(encodeBondChanges(index, options));
}

/**
 * Removes a link, and what stands on it. Of a veth pair, the peer goes as well.
 *
 * Equivalent: `ip link delete dev NAME`.
 *
 * @outcome `not_found` It is not there.
 * @outcome `refused` It is no link that can be removed, such as `lo` or hardware.
 * @throws {NetlinkError}
 */
export function removeLink(
  socket: NetlinkSocket,
  place: LinkPlace,
): Result<undefined, KernelRefusal> {
  if ("name" in place && !isNicName(place.name)) return err(kernelRefusal(ERRNO.ENODEV));
  return socket.request(encodeLinkRemoval(place));
}

function textOf(place: LinkPlace): string {
  return "name" in place ? JSON.stringify(place.name) : String(place.index);
}
