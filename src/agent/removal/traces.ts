/** What coordinators leave in the network namespace of a node. */
import type { Result } from "../../base/result.ts";
import { PROTOCOL_OWN } from "../../datapath/operation.ts";
import {
  describeRoute,
  describeRule,
  type KernelRefusal,
  listRoutes,
  listRules,
  type NetlinkSocket,
  refusalError,
  removeRoute,
  removeRule,
} from "../../netlink/mod.ts";
import type { Trace } from "./remover.ts";

/**
 * Lists rules and routes of protocol 83, rules first: without them the tables mean nothing.
 *
 * Equivalent: `ip rule show proto 83`, `ip route show table all proto 83`; in both families.
 *
 * @throws {NetlinkError} If they cannot be listed.
 */
export function tracesIn(socket: NetlinkSocket): readonly Trace[] {
  const rules = listRules(socket).filter(({ protocol }) => protocol === PROTOCOL_OWN);
  const routes = listRoutes(socket).filter(({ protocol }) => protocol === PROTOCOL_OWN);
  return [
    ...rules.map((rule): Trace => {
      const text = describeRule(rule);
      return { text, remove: () => expectGone(text, removeRule(socket, rule)) };
    }),
    ...routes.map((route): Trace => {
      const text = describeRoute(route);
      return { text, remove: () => expectGone(text, removeRoute(socket, route)) };
    }),
  ];
}

function expectGone(text: string, removed: Result<undefined, KernelRefusal>): void {
  if (removed.ok || removed.error.code === "not_found") return;
  throw refusalError(`remove ${text}`, removed.error);
}
