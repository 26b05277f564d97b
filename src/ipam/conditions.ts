/** Conditions of a status: what is found becomes an entry, and a change becomes news. */
import type { Condition } from "../api/parts.ts";

/** What was found of one type. */
export interface Finding {
  readonly type: string;
  readonly holds: boolean;
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
  /** Whether nothing is said of it as long as it never held. */
  readonly isOptional?: boolean;
}

/** What happened to a condition. */
export interface Transition {
  readonly type: string;
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

/**
 * The conditions with what was found. Those of other types stay as they are and where they are; the
 * time of one changes with its status alone.
 */
export function withConditions(
  before: readonly Condition[] | undefined = [],
  findings: readonly Finding[],
  { nowMs, generation }: { readonly nowMs: number; readonly generation: number | undefined },
): readonly Condition[] {
  const types = new Set(findings.map(({ type }) => type));
  const others = before.filter(({ type }) => !types.has(type));
  const own = findings.flatMap((finding): readonly Condition[] => {
    const { type, holds, reason, message, isOptional = false } = finding;
    const known = before.find((one) => one.type === type);
    if (known === undefined && isOptional && !holds) return [];
    const status = holds ? "True" : "False";
    const lastTransitionTime = known?.status === status
      ? known.lastTransitionTime
      : `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
    return [{
      ...known,
      type,
      status,
      lastTransitionTime,
      reason,
      message,
      ...(generation !== undefined && { observedGeneration: generation }),
    }];
  });
  return [...others, ...own];
}

/**
 * What changed: conditions that hold and did not, and the other way round. A condition that is new
 * is told only if it holds.
 */
export function transitionsOf(
  before: readonly Condition[] | undefined = [],
  after: readonly Condition[] | undefined = [],
): readonly Transition[] {
  return after.flatMap(({ type, status, reason, message }) => {
    const was = before.find((one) => one.type === type)?.status ?? "False";
    return was === status ? [] : [{ type, holds: status === "True", reason, message }];
  });
}
