/** Neighbours of a network namespace: which hardware address an IP address has on a link. */
import type { Result } from "../base/result.ts";
import { type KernelRefusal, refusalError } from "./kernel_refusal.ts";
import type { NetlinkSocket } from "./socket.ts";
import { NLM_F } from "./wire/header.ts";
import {
  decodeNeighbor,
  encodeNeighbor,
  encodeNeighborList,
  NEIGHBOR_STATE,
  type NeighborRecord,
  type NeighborSpec,
} from "./wire/neighbor.ts";

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

/** Which neighbours are listed; what is left out, all of. */
export interface NeighborFilter {
  readonly family?: 4 | 6;
  readonly linkIndex?: number;
  /** Lists the addresses that are answered for instead. */
  readonly isProxy?: boolean;
}

/**
 * Lists neighbours, in the kernel's order. A link that is not there has none, and so has a family
 * that the kernel lacks.
 *
 * Equivalent: `ip neigh show nud all [dev LINK]`, `ip neigh show proxy`.
 *
 * @throws {NetlinkError} `inconsistent`, and all of `NetlinkSocket`.
 */
export function listNeighbors(
  socket: NetlinkSocket,
  filter: NeighborFilter = {},
): readonly NeighborRecord[] {
  const body = encodeNeighborList(filter);
  const listed = socket.tryDump({ type: RTM_GETNEIGH, flags: 0, body });
  if (!listed.ok) throw refusalError("list neighbours", listed.error);
  const { family, linkIndex } = filter;
  const neighbors: NeighborRecord[] = [];
  for (const { body } of listed.value) {
    const neighbor = decodeNeighbor(body);
    if (neighbor === undefined) continue;
    if (family !== undefined && neighbor.family !== family) continue;
    if (linkIndex !== undefined && neighbor.linkIndex !== linkIndex) continue;
    neighbors.push(neighbor);
  }
  return neighbors;
}

/**
 * Makes a neighbour, in the place of what is known of the address on the link. It is permanent
 * unless the spec says otherwise.
 *
 * Equivalent: `ip neigh replace ADDRESS lladdr MAC dev LINK nud permanent`.
 *
 * @outcome `not_found` There is no such link.
 * @outcome `refused`
 */
export function replaceNeighbor(
  socket: NetlinkSocket,
  neighbor: NeighborSpec,
): Result<undefined, KernelRefusal> {
  const flags = NLM_F.CREATE | NLM_F.REPLACE;
  return socket.request({ type: RTM_NEWNEIGH, flags, body: encodeNeighbor(neighbor) });
}

/**
 * Forgets a neighbour, whatever its hardware address is.
 *
 * Equivalent: `ip neigh del ADDRESS dev LINK`, `ip neigh del proxy ADDRESS dev LINK`.
 *
 * @outcome `not_found` There is no such neighbour, or link.
 * @outcome `refused`
 */
export function removeNeighbor(
  socket: NetlinkSocket,
  { linkIndex, address, isProxy = false }: NeighborSpec,
): Result<undefined, KernelRefusal> {
  const body = encodeNeighbor({ linkIndex, address, isProxy, state: NEIGHBOR_STATE.none });
  return socket.request({ type: RTM_DELNEIGH, flags: 0, body });
}
