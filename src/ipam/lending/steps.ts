/**
 * The writes that bring a Subnet and its pools to what they should be, in the only order in which a
 * crash between any two of them leaves no address with two pools (design.md 2.6).
 */
import { assert } from "../../base/assert.ts";
import { type Address, type Count, RangeSet } from "../../ip/mod.ts";
import type { LendingFacts, Loan, Loans, Use } from "./facts.ts";
import { type LoanPlan, mayChange, planLoans } from "./plan.ts";

/** Addresses of one pool that are held back at a time; what is more comes later. */
export const HOLDS_MAX = 1_000;

/** Addresses that a pool gives back. */
export interface HoldWish<A extends Address> {
  /** How many. */
  readonly count: number;
  /** Those that a shrink before this one held back: they come first. */
  readonly held: RangeSet<A>;
  /** The others; the highest come first. One that a pod gets meanwhile is left out. */
  readonly unused: RangeSet<A>;
}

/** One write, or several of a kind that may happen at the same time. */
export type LendingStep<A extends Address> =
  /**
   * Replaces the record, as it was read or written last; the plan is to be told with it. The first
   * one of a term changes the Subnet, also where the record stays: earlier ones are refused then.
   */
  | { readonly kind: "record"; readonly plan: LoanPlan<A>; readonly loans: Loans<A> }
  /** Gives pools these ranges, each as it was read or written last; makes those that are new. */
  | { readonly kind: "pools"; readonly ranges: ReadonlyMap<string, RangeSet<A>> }
  /** Creates SpiderIPs, so that no pod gets the addresses any more. */
  | { readonly kind: "hold"; readonly wishes: ReadonlyMap<string, HoldWish<A>> };

/** What became of a step. */
export type LendingReply<A extends Address> =
  /** False: somebody else wrote the Subnet. */
  | { readonly kind: "record"; readonly isDone: boolean }
  /** The pools that nobody else wrote meanwhile. */
  | { readonly kind: "pools"; readonly written: ReadonlySet<string> }
  | { readonly kind: "hold"; readonly held: ReadonlyMap<string, RangeSet<A>> };

/** How it ended. */
export interface LendingEnd<A extends Address> {
  readonly plan: LoanPlan<A>;
  /** What the record says now; absent: somebody else wrote the Subnet, so begin again. */
  readonly loans?: Loans<A> | undefined;
  /** Pools that somebody else wrote, or that have more to give back: begin again for them. */
  readonly unfinished: ReadonlySet<string>;
  /** Pools with more addresses than they should have, because pods use them. */
  readonly inUse: ReadonlySet<string>;
}

type Steps<A extends Address, T> = Generator<LendingStep<A>, T, LendingReply<A>>;

/** Yields each step when the one before it is done, and gets what became of it. */
export function* lendingSteps<A extends Address>(
  facts: LendingFacts<A>,
  plan: LoanPlan<A> = planLoans(facts),
): Steps<A, LendingEnd<A>> {
  const nothing: ReadonlySet<string> = new Set();
  const lost = { plan, unfinished: nothing, inUse: nothing };
  const wider = widened(facts, plan);
  // A pool must not grow while a smaller record of an earlier leader may still be carried out.
  const isFirst = !facts.isOurs && wider.size > 0;
  if ((plan.isChanged || isFirst) && !(yield* writeRecord(plan, plan.loans))) return lost;
  const grown = yield* writePools<A>(wider);
  const { wishes, inUse } = givenBack(facts, { plan, wider, grown });
  const held = yield* holdBack<A>(wishes);
  const narrower = narrowed(facts, { loans: plan.loans, held });
  const shrunk = yield* writePools<A>(narrower);
  const loans = trimmed(plan.loans, { held, shrunk });
  if (shrunk.size > 0 && !(yield* writeRecord(plan, loans))) return lost;
  const isLeft = ([pool, { count }]: readonly [string, HoldWish<A>]): boolean =>
    count > HOLDS_MAX || (narrower.has(pool) && !shrunk.has(pool));
  const unfinished = new Set([
    ...[...wider.keys()].filter((pool) => !grown.has(pool)),
    ...[...wishes].filter(isLeft).map(([pool]) => pool),
  ]);
  return { plan, loans, unfinished, inUse: new Set([...inUse, ...taken(wishes, held)]) };
}

/** Pools of which pods got meanwhile what was to be held back. */
function* taken<A extends Address>(
  wishes: ReadonlyMap<string, HoldWish<A>>,
  held: ReadonlyMap<string, RangeSet<A>>,
): Generator<string> {
  for (const [pool, { count }] of wishes) {
    if (Number(held.get(pool)?.size ?? 0) < Math.min(count, HOLDS_MAX)) yield pool;
  }
}

/** Chooses which addresses are held back: as many as wished for, as far as there are. */
export function victimsOf<A extends Address>(
  { count, held, unused }: HoldWish<A>,
): RangeSet<A> {
  const { family } = held;
  const limit = family.count(Math.min(count, HOLDS_MAX));
  const again = highest(held, limit);
  return again.union(highest(unused, family.minus(limit, again.size)));
}

/**
 * Pools that lack something of what they are lent: they get it, whatever they want now. One that is
 * new is made with all of it: a leader before may have been about to.
 */
function widened<A extends Address>(
  { borrowers }: LendingFacts<A>,
  { loans, waiting }: LoanPlan<A>,
): ReadonlyMap<string, RangeSet<A>> {
  const ranges = new Map<string, RangeSet<A>>();
  for (const borrower of borrowers) {
    const loan = loans.get(borrower.name);
    if (loan === undefined || !mayChange(borrower) || waiting.has(borrower.name)) continue;
    if (!borrower.isNew && borrower.addresses.includes(loan.addresses)) continue;
    ranges.set(borrower.name, borrower.addresses.union(loan.addresses));
  }
  return ranges;
}

/** What pools have too much of. */
function givenBack<A extends Address>(
  { family, borrowers, useOf }: LendingFacts<A>,
  { plan: { loans, waiting }, wider, grown }: {
    readonly plan: LoanPlan<A>;
    readonly wider: ReadonlyMap<string, RangeSet<A>>;
    readonly grown: ReadonlySet<string>;
  },
): { readonly wishes: ReadonlyMap<string, HoldWish<A>>; readonly inUse: ReadonlySet<string> } {
  const wishes = new Map<string, HoldWish<A>>();
  const inUse = new Set<string>();
  for (const borrower of borrowers) {
    const { name, wanted } = borrower;
    const loan = loans.get(name);
    if (loan === undefined || wanted === undefined || !mayChange(borrower)) continue;
    if (loan.addresses.size <= wanted || waiting.has(name)) continue;
    if (wider.has(name) && !grown.has(name)) continue;
    const { used, held } = withinLoan(loan, useOf(name));
    const unused = loan.addresses.subtract(used).subtract(held);
    const excess = family.minus(loan.addresses.size, wanted);
    const available = family.plus(unused.size, held.size);
    if (available < excess) inUse.add(name);
    const count = Number(available < excess ? available : excess);
    if (count > 0) wishes.set(name, { count, held, unused });
  }
  return { wishes, inUse };
}

function withinLoan<A extends Address>(
  { addresses }: Loan<A>,
  { used, held }: Use<A>,
): Use<A> {
  return { used: used.intersect(addresses), held: held.intersect(addresses) };
}

function narrowed<A extends Address>(
  { borrowers }: LendingFacts<A>,
  { loans, held }: {
    readonly loans: Loans<A>;
    readonly held: ReadonlyMap<string, RangeSet<A>>;
  },
): ReadonlyMap<string, RangeSet<A>> {
  const ranges = new Map<string, RangeSet<A>>();
  for (const { name, addresses } of borrowers) {
    const [loan, victims] = [loans.get(name), held.get(name)];
    if (loan === undefined || victims === undefined || victims.isEmpty) continue;
    ranges.set(name, addresses.union(loan.addresses).subtract(victims));
  }
  return ranges;
}

/** The record when pools have given back what was held. */
function trimmed<A extends Address>(
  loans: Loans<A>,
  { held, shrunk }: {
    readonly held: ReadonlyMap<string, RangeSet<A>>;
    readonly shrunk: ReadonlySet<string>;
  },
): Loans<A> {
  return new Map(Array.from(loans, ([name, loan]) => {
    const victims = shrunk.has(name) ? held.get(name) : undefined;
    if (victims === undefined) return [name, loan];
    return [name, { ...loan, addresses: loan.addresses.subtract(victims) }];
  }));
}

function highest<A extends Address>(set: RangeSet<A>, limit: Count<A>): RangeSet<A> {
  const { family } = set;
  const from = set.size > limit ? family.minus(set.size, limit) : family.zero;
  return set.slice({ from, count: limit });
}

function* writeRecord<A extends Address>(
  plan: LoanPlan<A>,
  loans: Loans<A>,
): Steps<A, boolean> {
  const reply = yield { kind: "record", plan, loans };
  assert(reply.kind === "record", "a reply is to its step");
  return reply.isDone;
}

function* writePools<A extends Address>(
  ranges: ReadonlyMap<string, RangeSet<A>>,
): Steps<A, ReadonlySet<string>> {
  if (ranges.size === 0) return new Set();
  const reply = yield { kind: "pools", ranges };
  assert(reply.kind === "pools", "a reply is to its step");
  return reply.written;
}

function* holdBack<A extends Address>(
  wishes: ReadonlyMap<string, HoldWish<A>>,
): Steps<A, ReadonlyMap<string, RangeSet<A>>> {
  if (wishes.size === 0) return new Map();
  const reply = yield { kind: "hold", wishes };
  assert(reply.kind === "hold", "a reply is to its step");
  return reply.held;
}
