/** Routes of a network namespace. */
import { assert } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { type KernelRefusal, refusalError } from "./kernel_refusal.ts";
import type { NetlinkSocket } from "./socket.ts";
import { NLM_F } from "./wire/header.ts";
import {
  decodeRoute,
  encodeRoute,
  encodeRouteList,
  encodeRouteQuestion,
  encodeRouteRemoval,
  type RouteQuestion,
} from "./wire/route.ts";
import type { RouteRecord, RouteSpec } from "./wire/route_record.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

/** Which routes are listed; what is left out, all of. */
export interface RouteFilter {
  readonly family?: 4 | 6;
  readonly table?: number;
}

/**
 * Lists routes, in the kernel's order: per family, table and prefix. A table that is not there has
 * none, and so has a family that the kernel lacks.
 *
 * Equivalent: `ip -4 route show table all; ip -6 route show table all`, `ip route show table N`.
 *
 * @throws {NetlinkError} `inconsistent`, and all of `NetlinkSocket`.
 */
export function listRoutes(
  socket: NetlinkSocket,
  filter: RouteFilter = {},
): readonly RouteRecord[] {
  const listed = socket.tryDump({ type: RTM_GETROUTE, flags: 0, body: encodeRouteList(filter) });
  if (!listed.ok) {
    if (listed.error.code === "not_found") return [];
    throw refusalError("list routes", listed.error);
  }
  const { family, table } = filter;
  const routes: RouteRecord[] = [];
  for (const { body } of listed.value) {
    const route = decodeRoute(body);
    // A kernel before 4.20 filters nothing, and one without a family lists the others instead.
    if (route === undefined || route.isCloned) continue;
    if (family !== undefined && route.family !== family) continue;
    if (table !== undefined && route.table !== table) continue;
    routes.push(route);
  }
  return routes;
}

/**
 * Makes a route.
 *
 * Equivalent: `ip route add ...`.
 *
 * @outcome `exists` There is a route to this destination, with this TOS, metric and table.
 * @outcome `not_found` The link, or a router's network, is not there.
 * @outcome `refused`
 */
export function addRoute(
  socket: NetlinkSocket,
  route: RouteSpec,
): Result<undefined, KernelRefusal> {
  return make(socket, { route, flags: NLM_F.CREATE | NLM_F.EXCL });
}

/**
 * Makes a route, in the place of one to this destination, with this TOS, metric and table.
 *
 * Equivalent: `ip route replace ...`.
 *
 * @outcome `not_found`, `refused`
 */
export function replaceRoute(
  socket: NetlinkSocket,
  route: RouteSpec,
): Result<undefined, KernelRefusal> {
  return make(socket, { route, flags: NLM_F.CREATE | NLM_F.REPLACE });
}

/**
 * Makes a route beside others to this destination. IPv6 shows those of one metric as one route with
 * several ways.
 *
 * Equivalent: `ip route append ...`.
 *
 * @outcome `exists` There is the very same route.
 * @outcome `not_found`, `refused`
 */
export function appendRoute(
  socket: NetlinkSocket,
  route: RouteSpec,
): Result<undefined, KernelRefusal> {
  return make(socket, { route, flags: NLM_F.CREATE | NLM_F.APPEND });
}

/**
 * Removes the first route that is as the spec says; what it leaves out may be as it likes, but the
 * table is main, and a route without destination is the default one. A record that was read names
 * its route exactly. Of an IPv6 route with several ways, a spec with one gateway removes that way.
 *
 * Equivalent: `ip route del ...`.
 *
 * @outcome `not_found` There is no such route.
 * @outcome `refused`
 */
export function removeRoute(
  socket: NetlinkSocket,
  route: RouteSpec,
): Result<undefined, KernelRefusal> {
  return socket.request({ type: RTM_DELROUTE, flags: 0, body: encodeRouteRemoval(route) });
}

/**
 * Asks which way a packet would go. The answer names the table it is from, the source address that
 * the packet would get, and the destination as the packet's own address.
 *
 * Equivalent: `ip route get ADDRESS [from SOURCE] [oif LINK] [mark MARK]`.
 *
 * @outcome `refused` There is none (ENETUNREACH, EHOSTUNREACH), or it is forbidden.
 * @outcome `not_found` A link of the question is not there.
 */
export function lookUpRoute(
  socket: NetlinkSocket,
  question: RouteQuestion,
): Result<RouteRecord, KernelRefusal> {
  const body = encodeRouteQuestion(question);
  const answer = socket.ask({ type: RTM_GETROUTE, flags: 0, body });
  if (!answer.ok) return answer;
  const route = decodeRoute(answer.value.body);
  assert(route !== undefined, "the kernel answers with a route of the family it is asked for");
  return ok(route);
}

function make(
  socket: NetlinkSocket,
  { route, flags }: { readonly route: RouteSpec; readonly flags: number },
): Result<undefined, KernelRefusal> {
  return socket.request({ type: RTM_NEWROUTE, flags, body: encodeRoute(route) });
}
