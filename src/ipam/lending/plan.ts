/** What the record of a Subnet should say: the order of design.md 2.6 begins with it. */
import { type Address, type Count, type Family, type Range, RangeSet } from "../../ip/mod.ts";
import type { Borrower, LendingFacts, Loan, Loans } from "./facts.ts";

/** A pool that is not lent what it should have: all of that, or nothing more. */
export interface Unmet<A extends Address> {
  readonly pool: string;
  /** How messages call it. */
  readonly called: string;
  readonly wanted: Count<A>;
  readonly has: Count<A>;
  /** How many there are to lend. */
  readonly free: Count<A>;
}

/** Addresses of a pool that nobody lent it. */
export interface Stray<A extends Address> {
  readonly pool: string;
  /** Those that the Subnet does not have. */
  readonly outside: RangeSet<A>;
  /** Those that another pool is lent. */
  readonly shared: RangeSet<A>;
}

/** What a record should say, and what cannot be helped. */
export interface LoanPlan<A extends Address> {
  readonly loans: Loans<A>;
  /** Whether the record says something else. */
  readonly isChanged: boolean;
  readonly unmet: readonly Unmet<A>[];
  readonly strays: readonly Stray<A>[];
  /** What people took out of their pools: agents may not know yet, so it is not lent at once. */
  readonly givenUp: RangeSet<A>;
}

/**
 * Plans the record. What pools have and no record tells is written down before anything is lent, so
 * a record that was lost is rebuilt by the same write that may lend more. Of an automatic pool the
 * record only grows here: what it has too little of was to be given to it, or is taken away from it
 * in order (`lendingSteps`). The record of a pool that a person wrote follows the pool.
 */
export function planLoans<A extends Address>(facts: LendingFacts<A>): LoanPlan<A> {
  const { family, total, borrowers } = facts;
  const { loans, givenUp } = keptLoans(facts);
  let lent = RangeSet.of(family, rangesOf(loans));
  const strays: Stray<A>[] = [];
  for (const { name, addresses, isAutomatic, isNew, application } of borrowers) {
    const own = loans.get(name);
    if (isNew) continue;
    const had = own?.addresses ?? RangeSet.empty(family);
    const untold = addresses.subtract(had);
    const found = untold.intersect(total).subtract(lent);
    const called = own?.application ?? application;
    const isUntold = own === undefined || own.application !== called;
    if (!found.isEmpty || (isAutomatic && isUntold)) {
      loans.set(name, { application: called, addresses: had.union(found) });
      if (!found.isEmpty) lent = lent.union(found);
    }
    const outside = untold.subtract(total);
    const shared = untold.subtract(outside).subtract(found);
    if (!outside.isEmpty || !shared.isEmpty) strays.push({ pool: name, outside, shared });
  }
  const unmet = lendMore(facts, { loans, closed: lent.union(givenUp) });
  return { loans, isChanged: !sameLoans(facts.loans, loans), unmet, strays, givenUp };
}

/** How many addresses are lent. */
export function lentCount<A extends Address>(
  { family }: Pick<LendingFacts<A>, "family">,
  loans: Loans<A>,
): Count<A> {
  let count = family.zero;
  for (const { addresses } of loans.values()) count = family.plus(count, addresses.size);
  return count;
}

/** All ranges that are lent: their union one by one would cost the square of their number. */
function* rangesOf<A extends Address>(loans: Loans<A>): Generator<Range<A>> {
  for (const { addresses } of loans.values()) yield* addresses;
}

/** The record without those of pools that are gone, or that a person made smaller. */
function keptLoans<A extends Address>(
  { family, loans, borrowers, isGone }: LendingFacts<A>,
): { readonly loans: Map<string, Loan<A>>; readonly givenUp: RangeSet<A> } {
  const kept = new Map<string, Loan<A>>();
  let givenUp = RangeSet.empty(family);
  const byName = new Map(borrowers.map((borrower) => [borrower.name, borrower]));
  for (const [name, loan] of loans) {
    const borrower = byName.get(name);
    if (borrower === undefined) {
      if (!isGone(name)) kept.set(name, loan);
    } else if (borrower.isAutomatic) {
      kept.set(name, loan);
    } else {
      const addresses = loan.addresses.intersect(borrower.addresses);
      if (!addresses.isEmpty) kept.set(name, { ...loan, addresses });
      if (addresses.size < loan.addresses.size) {
        givenUp = givenUp.union(loan.addresses.subtract(addresses));
      }
    }
  }
  return { loans: kept, givenUp };
}

/** Lends to each pool that wants more what it wants, the lowest that are free. */
function lendMore<A extends Address>(
  { family, total, borrowers, isTerminating, unlendable }: LendingFacts<A>,
  { loans, closed }: { readonly loans: Map<string, Loan<A>>; readonly closed: RangeSet<A> },
): readonly Unmet<A>[] {
  const unmet: Unmet<A>[] = [];
  let free: RangeSet<A> | undefined;
  for (const borrower of borrowers) {
    const { name: pool, called, wanted } = borrower;
    const own = loans.get(pool) ?? firstLoan(borrower, family);
    if (own === undefined || wanted === undefined || !mayChange(borrower)) continue;
    const has = own.addresses.size;
    if (wanted <= has) {
      if (borrower.isNew) loans.set(pool, own);
      continue;
    }
    free ??= isTerminating ? RangeSet.empty(family) : total.subtract(closed).subtract(unlendable());
    const count = family.minus(wanted, has);
    if (free.size < count) {
      unmet.push({ pool, called, wanted, has, free: free.size });
      continue;
    }
    const given = free.slice({ from: family.zero, count });
    free = free.subtract(given);
    loans.set(pool, { ...own, addresses: own.addresses.union(given) });
  }
  return unmet;
}

function firstLoan<A extends Address>(
  { isNew, application }: Borrower<A>,
  family: Family<A>,
): Loan<A> | undefined {
  return isNew ? { addresses: RangeSet.empty(family), application } : undefined;
}

/** Whether the leader may write what a pool has. */
export function mayChange<A extends Address>(
  { isAutomatic, isTerminating }: Borrower<A>,
): boolean {
  return isAutomatic && !isTerminating;
}

function sameLoans<A extends Address>(before: Loans<A>, after: Loans<A>): boolean {
  if (before.size !== after.size) return false;
  for (const [name, { addresses, application }] of after) {
    const one = before.get(name);
    if (one === undefined || one.application !== application) return false;
    if (!one.addresses.equals(addresses)) return false;
  }
  return true;
}
