/** What is told of a SpiderSubnet: its record, counts and conditions. */
import { ADDRESS_COUNT_MAX } from "../../api/parts.ts";
import { type SpiderSubnet, SUBNET_CONDITIONS } from "../../api/subnet.ts";
import { formatControlledIpPools } from "../../api/subnet_records.ts";
import type { Address } from "../../ip/mod.ts";
import { type Finding, withConditions } from "../conditions.ts";
import type { LendingFacts, Loans } from "./facts.ts";
import { lentCount, type LoanPlan } from "./plan.ts";

/** Pools and ranges that a sentence names. */
const NAMED_MAX = 3;

/** The status of a Subnet. */
export type SubnetStatus = NonNullable<SpiderSubnet["status"]>;

/** The Subnet that a status is derived for, as it is stored. */
export interface StatusOptions {
  readonly subnet: SpiderSubnet;
  readonly nowMs: number;
  /** This term. */
  readonly lender: string;
}

/** Derives the status. Fields and conditions of others stay. */
export function lendingStatus<A extends Address>(
  { facts, plan, loans }: {
    readonly facts: LendingFacts<A>;
    readonly plan: LoanPlan<A>;
    readonly loans: Loans<A>;
  },
  { subnet, nowMs, lender }: StatusOptions,
): SubnetStatus {
  const { controlledIPPools: _record, ...rest } = subnet.status ?? {};
  const text = formatControlledIpPools(
    Array.from(loans, ([pool, { addresses, application }]) => {
      return [pool, { ips: addresses.toTexts(), application }];
    }),
  );
  const findings = [readyFinding(facts), unmetFinding(plan), strayFinding(plan)];
  return {
    ...rest,
    ...(text !== undefined && { controlledIPPools: text }),
    allocatedIPCount: bounded(lentCount(facts, loans)),
    totalIPCount: bounded(facts.total.size),
    lender,
    conditions: conditionsWith(findings, { subnet, nowMs }),
  };
}

/** The status of a Subnet that contradicts itself: what was lent stays so. */
export function brokenStatus(
  problem: string,
  { subnet, nowMs }: Omit<StatusOptions, "lender">,
): SubnetStatus {
  const finding = notReady("Invalid", `${problem}; nothing is lent until then`);
  return { ...subnet.status, conditions: conditionsWith([finding], { subnet, nowMs }) };
}

/** The sentence for a pool that is not lent what it should have. */
export function unmetText<A extends Address>(
  { called, wanted, has, free }: LoanPlan<A>["unmet"][number],
): string {
  return `${called} should have ${wanted} addresses and has ${has}, and ${free} are free to lend`;
}

function conditionsWith(
  findings: readonly Finding[],
  { subnet: { metadata, status }, nowMs }: Omit<StatusOptions, "lender">,
): SubnetStatus["conditions"] {
  const { generation } = metadata;
  return withConditions(status?.conditions, findings, { nowMs, generation });
}

function notReady(reason: string, message: string): Finding {
  return { type: SUBNET_CONDITIONS.ready, holds: false, reason, message };
}

function readyFinding<A extends Address>({ isTerminating }: LendingFacts<A>): Finding {
  if (isTerminating) {
    return notReady("Terminating", "The subnet is being deleted: nothing more is lent");
  }
  const message = "Pools may be lent addresses of it";
  return { type: SUBNET_CONDITIONS.ready, holds: true, reason: "Usable", message };
}

function unmetFinding<A extends Address>({ unmet }: LoanPlan<A>): Finding {
  const [first] = unmet;
  const holds = first !== undefined;
  const more = unmet.length > 1 ? `, and ${unmet.length - 1} more pools wait` : "";
  return {
    type: SUBNET_CONDITIONS.insufficient,
    isOptional: true,
    holds,
    reason: holds ? "TooFewFree" : "EnoughFree",
    message: holds
      ? `${unmetText(first)}${more}: add addresses to spec.ips, or make other pools smaller`
      : "",
  };
}

function strayFinding<A extends Address>({ strays }: LoanPlan<A>): Finding {
  const holds = strays.length > 0;
  const named = strays.slice(0, NAMED_MAX).map(({ pool, outside, shared }) => {
    const reasons = [
      ...outside.isEmpty ? [] : [`${brief(outside)}, which the subnet does not have`],
      ...shared.isEmpty ? [] : [`${brief(shared)}, lent to another pool`],
    ];
    return `SpiderIPPool "${pool}" has ${reasons.join(" and ")}`;
  });
  const more = strays.length - named.length;
  return {
    type: SUBNET_CONDITIONS.strayAddresses,
    isOptional: true,
    holds,
    reason: holds ? "NotLent" : "AllLent",
    message: holds
      ? `${named.join("; ")}${more > 0 ? `; and ${more} more pools` : ""}: take these addresses ` +
        `out of spec.ips of the pool`
      : "",
  };
}

function brief(ranges: { toTexts(): readonly string[] }): string {
  const texts = ranges.toTexts();
  const more = texts.length - NAMED_MAX;
  const shown = texts.slice(0, NAMED_MAX).join(", ");
  return more <= 0 ? shown : `${shown} and ${more} more ranges`;
}

function bounded(count: number | bigint): number {
  return Math.min(Number(count), ADDRESS_COUNT_MAX);
}
