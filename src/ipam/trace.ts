/** Why pools were left out: one short text for each, with the values that were compared. */

/** The rules by which pools are left out, in the order in which they are asked. */
export const DROP_RULES = [
  "absent",
  "broken",
  "terminating",
  "disabled",
  "notUsable",
  "notAdopted",
  "family",
  "node",
  "namespace",
  "pod",
  "multus",
  "masterSubnet",
  "nothingLeft",
  "contended",
  "exhausted",
] as const;

/** The rule by which a pool was left out. */
export type DropRule = typeof DROP_RULES[number];

/** What became of one pool that a NIC could have had. */
export interface CandidateTrace {
  readonly pool: string;
  /** Absent: it was kept. */
  readonly droppedBy?: DropRule | undefined;
  /** Ends the sentence that `pool "x"` begins, with the values compared; empty if kept. */
  readonly detail: string;
  /** What helps, where that is not what helps any pool that this rule left out. */
  readonly remedy?: string | undefined;
}

/** What became of the pools of one NIC and family. */
export interface NicTrace {
  readonly nic: string;
  readonly version: 4 | 6;
  /** In the order in which they were named. */
  readonly candidates: readonly CandidateTrace[];
}

/** A pool that was kept. */
export function keptTrace(pool: string): CandidateTrace {
  return { pool, detail: "" };
}

/**
 * A pool that had nothing to give when it was asked.
 *
 * @param options.size How many addresses it has for pods, reserved and excluded ones left out.
 */
export function exhaustedTrace(
  pool: string,
  { size, remedy }: { readonly size: number | bigint; readonly remedy?: string | undefined },
): CandidateTrace {
  const all = size === 1 || size === 1n ? "its only one is" : `all ${size} are`;
  const detail = `has no free address, ${all} in use`;
  return { pool, droppedBy: "exhausted", detail, ...(remedy === undefined ? {} : { remedy }) };
}

/** A pool of which an installation lets no more than so many addresses be in use. */
export function cappedTrace(pool: string, { max }: { readonly max: number }): CandidateTrace {
  const detail = `has reached SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS: ${max} addresses are in use`;
  return { pool, droppedBy: "exhausted", detail };
}

/** A pool whose addresses others took first, each time. */
export function contendedTrace(
  pool: string,
  { attempts }: { readonly attempts: number },
): CandidateTrace {
  const detail = `lost ${attempts} addresses to other pods that asked at the same time`;
  return { pool, droppedBy: "contended", detail };
}

/** A trace in which what is known later of some pools replaces what was known before. */
export function laterTrace(
  trace: readonly CandidateTrace[],
  { later }: { readonly later: readonly CandidateTrace[] },
): readonly CandidateTrace[] {
  const byPool = new Map(later.map((candidate) => [candidate.pool, candidate]));
  return trace.map((candidate) => byPool.get(candidate.pool) ?? candidate);
}
