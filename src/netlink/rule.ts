/** Rules of a network namespace: which table a packet is routed by. */
import type { Result } from "../base/result.ts";
import { type KernelRefusal, refusalError } from "./kernel_refusal.ts";
import type { NetlinkSocket } from "./socket.ts";
import { NLM_F } from "./wire/header.ts";
import {
  decodeRule,
  encodeRule,
  encodeRuleList,
  type RuleRecord,
  type RuleSpec,
} from "./wire/rule.ts";

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

/**
 * Lists rules, each family's in the order they are asked in. A family that the kernel lacks has
 * none.
 *
 * Equivalent: `ip -4 rule; ip -6 rule`.
 *
 * @throws {NetlinkError} `inconsistent`, and all of `NetlinkSocket`.
 */
export function listRules(
  socket: NetlinkSocket,
  { family }: { readonly family?: 4 | 6 } = {},
): readonly RuleRecord[] {
  const listed = socket.tryDump({ type: RTM_GETRULE, flags: 0, body: encodeRuleList() });
  if (!listed.ok) throw refusalError("list rules", listed.error);
  const rules: RuleRecord[] = [];
  for (const { body } of listed.value) {
    const rule = decodeRule(body);
    if (rule === undefined) continue;
    if (family === undefined || rule.family === family) rules.push(rule);
  }
  return rules;
}

/**
 * Makes a rule. Its priority is said, never left to the kernel: otherwise a second rule of the same
 * kind would be another one.
 *
 * Equivalent: `ip rule add ... pref PRIORITY`.
 *
 * @outcome `exists` There is the very same rule.
 * @outcome `refused` The kernel lacks the family (EAFNOSUPPORT), or does not take the rule.
 */
export function addRule(socket: NetlinkSocket, rule: RuleSpec): Result<undefined, KernelRefusal> {
  const flags = NLM_F.CREATE | NLM_F.EXCL;
  return socket.request({ type: RTM_NEWRULE, flags, body: encodeRule(rule) });
}

/**
 * Removes the first rule of this priority that is as the spec says. What the spec leaves out may be
 * as it likes: without `from`, a rule with one may go. So say all of it, or look before.
 *
 * Equivalent: `ip rule del ... pref PRIORITY`.
 *
 * @outcome `not_found` There is no such rule.
 * @outcome `refused` The kernel lacks the family (EAFNOSUPPORT).
 */
export function removeRule(
  socket: NetlinkSocket,
  rule: RuleSpec,
): Result<undefined, KernelRefusal> {
  return socket.request({ type: RTM_DELRULE, flags: 0, body: encodeRule(rule) });
}
