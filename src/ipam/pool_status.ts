/** What is told of a pool: counts, records and conditions, derived from its SpiderIPs. */
import { POOL_CONDITIONS, type SpiderIpPool } from "../api/ip_pool.ts";
import { type AllocationRecord, formatAllocatedIps } from "../api/ip_pool_records.ts";
import { ADDRESS_COUNT_MAX } from "../api/parts.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import type { Address, RangeSet } from "../ip/mod.ts";
import { addressOfClaim } from "./claim.ts";
import { type Finding, withConditions } from "./conditions.ts";
import type { FactsOf, PoolReading } from "./pool_facts.ts";
import type { Reserved } from "./reserved.ts";

/** Records that one object tells; a pool with more tells counts alone (design.md 2.2). */
export const RECORDS_TOLD_MAX = 10_000;
/** Bytes of the records that one object tells, so that the whole fits the API server. */
export const RECORDS_BYTES_MAX = 1_200_000;
/** Addresses named in a message. */
const NAMED_MAX = 3;
/** Few are free: so many hundredths of all; few no longer, when more than that. */
const FEW = { beginsAt: 10, endsAbove: 15 };

/** The status of a pool. */
export type PoolStatus = NonNullable<SpiderIpPool["status"]>;

/** What a status is derived from. */
export interface PoolStatusFacts {
  readonly pool: SpiderIpPool;
  readonly reading: Exclude<PoolReading, { readonly kind: "absent" }>;
  /** Every SpiderIP that names the pool. */
  readonly claims: readonly SpiderIp[];
  readonly reserved: Reserved;
  /** Why the records of the reference are not taken over; absent where nothing hinders it. */
  readonly adoptionProblem?: string | undefined;
  readonly nowMs: number;
}

/** What is in use of a pool, and what is not. */
export interface PoolUse {
  /** SpiderIPs that somebody uses. */
  readonly allocated: number;
  /** Addresses that pods may have. */
  readonly total: number;
  readonly free: number;
  /** Addresses in use that the pool would not give out any more. */
  readonly outside: readonly string[];
}

/**
 * Derives the status. Fields and conditions of others stay.
 *
 * A pool whose older records are not taken over keeps them and its counts: they are the truth.
 */
export function derivePoolStatus(facts: PoolStatusFacts): PoolStatus {
  const { pool, nowMs } = facts;
  const { allocatedIPs: _records, ...rest } = pool.status ?? {};
  const generation = pool.metadata.generation;
  const options = { nowMs, generation };
  if (pool.status?.truth === undefined) {
    const findings = [readyFinding(facts), ...specFindings(facts)];
    return {
      ...pool.status,
      conditions: withConditions(pool.status?.conditions, findings, options),
    };
  }
  const use = useOf(facts);
  const told = recordsOf(facts.claims);
  const findings = [
    readyFinding(facts),
    ...useFindings(facts, use),
    ...specFindings(facts),
    ...recordFindings(told, use),
  ];
  return {
    ...rest,
    ...(told.text !== undefined && { allocatedIPs: told.text }),
    allocatedIPCount: use.allocated,
    totalIPCount: use.total,
    freeIPCount: use.free,
    conditions: withConditions(pool.status.conditions, findings, options),
  };
}

/** Counts. O(n log r) in SpiderIPs and ranges, whatever the size of the pool. */
export function useOf(
  { reading, claims, reserved }: Pick<PoolStatusFacts, "reading" | "claims" | "reserved">,
): PoolUse {
  const used = claims.filter(({ spec }) => spec.hold === undefined);
  if (reading.kind === "broken") {
    return { allocated: used.length, total: 0, free: 0, outside: [] };
  }
  const { facts } = reading;
  return facts.version === 4
    ? counted(facts, { claims, reserved: reserved.ipv4, allocated: used.length })
    : counted(facts, { claims, reserved: reserved.ipv6, allocated: used.length });
}

function counted<A extends Address>(
  { addresses, family }: FactsOf<A>,
  { claims, reserved, allocated }: {
    readonly claims: readonly SpiderIp[];
    readonly reserved: RangeSet<A>;
    readonly allocated: number;
  },
): PoolUse {
  const given = reserved.isEmpty ? addresses : addresses.subtract(reserved);
  const outside: string[] = [];
  let inside = 0;
  for (const claim of claims) {
    const address = addressOfClaim(claim);
    if (isOfVersion<A>(address, family.version) && given.has(address)) inside++;
    else if (claim.spec.hold === undefined) outside.push(claim.spec.ip);
  }
  const free = Number(given.size) - inside;
  return { allocated, total: bounded(Number(addresses.size)), free: bounded(free), outside };
}

function isOfVersion<A extends Address>(
  address: Address | undefined,
  version: 4 | 6,
): address is A {
  return version === 4 ? typeof address === "number" : typeof address === "bigint";
}

function bounded(count: number): number {
  return Math.min(Math.max(count, 0), ADDRESS_COUNT_MAX);
}

/**
 * Records as the reference writes them; of a virtual machine under the machine's name.
 *
 * @param options.recordsMax More are left out, and told in `omitted`; so are too many bytes.
 */
export function recordsOf(
  claims: readonly SpiderIp[],
  { recordsMax = RECORDS_TOLD_MAX }: { readonly recordsMax?: number } = {},
): { readonly text: string | undefined; readonly omitted: string | undefined } {
  const used = claims.filter(({ spec }) => spec.hold === undefined);
  if (used.length > recordsMax) {
    return { text: undefined, omitted: `${used.length} records, at most ${recordsMax}` };
  }
  const text = formatAllocatedIps(used.map(({ spec }) => [spec.ip, recordOf(spec)]));
  const bytes = text === undefined ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= RECORDS_BYTES_MAX) return { text, omitted: undefined };
  return { text: undefined, omitted: `${bytes} bytes of records, at most ${RECORDS_BYTES_MAX}` };
}

function recordOf(spec: SpiderIp["spec"]): AllocationRecord {
  const { podNamespace = "", podName = "", podUID = "", owner } = spec;
  const name = owner?.kind === "VirtualMachineInstance" ? owner.name : podName;
  return { pod: `${podNamespace}/${name}`, podUid: podUID };
}

function readyFinding({ pool, reading, adoptionProblem }: PoolStatusFacts): Finding {
  const type = POOL_CONDITIONS.ready;
  const no = (reason: string, message: string): Finding => ({
    type,
    holds: false,
    reason,
    message,
  });
  if (pool.metadata.deletionTimestamp !== undefined) {
    return no("Terminating", "The pool is being deleted: nothing is given out of it");
  }
  if (reading.kind === "broken") return no("Invalid", reading.problem);
  const { notUsable, isDisabled } = reading.facts;
  if (notUsable !== undefined) return no("NotUsable", notUsableText(notUsable));
  if (isDisabled) return no("Disabled", "spec.disable is true: nothing new is given out");
  if (pool.status?.truth === undefined) {
    const message = adoptionProblem ?? "Its older records are being taken over";
    return no("NotTakenOver", message);
  }
  return { type, holds: true, reason: "Usable", message: "Pods may get addresses of it" };
}

function specFindings({ reading }: PoolStatusFacts): readonly Finding[] {
  const isBroken = reading.kind === "broken";
  const notUsable = isBroken ? undefined : reading.facts.notUsable;
  const invalid: Finding = isBroken
    ? {
      type: POOL_CONDITIONS.invalid,
      holds: true,
      reason: "SpecInvalid",
      message: reading.problem,
    }
    : { type: POOL_CONDITIONS.invalid, holds: false, reason: "SpecValid", message: "" };
  return [invalid, {
    type: POOL_CONDITIONS.notUsable,
    isOptional: true,
    holds: notUsable !== undefined,
    reason: notUsable === undefined ? "Usable" : "Annotated",
    message: notUsable === undefined ? "" : notUsableText(notUsable),
  }];
}

function notUsableText(reason: string): string {
  return reason === ""
    ? "It must not be used: no reason is given"
    : `It must not be used: ${reason}`;
}

function useFindings(
  { pool, reading }: PoolStatusFacts,
  { total, free }: PoolUse,
): readonly Finding[] {
  const isKnown = reading.kind === "facts";
  const isExhausted = isKnown && free === 0;
  const emptyBecause = isKnown ? reading.facts.emptyBecause : undefined;
  const wasFew = pool.status?.conditions?.some(({ type, status }) => {
    return type === POOL_CONDITIONS.nearlyExhausted && status === "True";
  });
  const hundredths = total === 0 ? 0 : free * 100 / total;
  const isFew = isKnown && hundredths <= (wasFew === true ? FEW.endsAbove : FEW.beginsAt);
  const exhaustedText = emptyBecause === undefined
    ? `None of its ${total} addresses is free: add addresses to spec.ips, or free some`
    : `It ${emptyBecause}`;
  return [
    {
      type: POOL_CONDITIONS.exhausted,
      holds: isExhausted,
      reason: isExhausted ? (total === 0 ? "NoAddress" : "AllInUse") : "SomeFree",
      message: isExhausted ? exhaustedText : "",
    },
    {
      type: POOL_CONDITIONS.nearlyExhausted,
      holds: isFew,
      reason: isFew ? "FewFree" : "EnoughFree",
      message: isFew ? `At most ${FEW.endsAbove} % of its ${total} addresses are free` : "",
    },
  ];
}

function recordFindings(
  { omitted }: { readonly omitted: string | undefined },
  { outside }: PoolUse,
): readonly Finding[] {
  const named = [...outside].sort().slice(0, NAMED_MAX).join(", ");
  const more = outside.length > NAMED_MAX ? ` and ${outside.length - NAMED_MAX} more` : "";
  return [
    {
      type: POOL_CONDITIONS.recordsOmitted,
      isOptional: true,
      holds: omitted !== undefined,
      reason: omitted === undefined ? "RecordsTold" : "TooMany",
      message: omitted === undefined
        ? ""
        : `status.allocatedIPs is left out (${omitted}): kubectl get spiderips shows them`,
    },
    {
      type: POOL_CONDITIONS.addressesOutside,
      isOptional: true,
      holds: outside.length > 0,
      reason: outside.length > 0 ? "InUse" : "NoneOutside",
      message: outside.length > 0
        ? `${named}${more} in use, and not among the addresses that the pool gives out`
        : "",
    },
  ];
}
