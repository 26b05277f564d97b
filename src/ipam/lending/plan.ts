/** What the record of a Subnet should say: the order of design.md 2.6 begins with it. */
import { type Address, type Count, type Range, RangeSet } from "../../ip/mod.ts";
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
  /** New pools that are not made now: their applications cannot have all that they want. */
  readonly waiting: ReadonlySet<string>;
  /** What is left to lend; found when asked for, at the cost of `unlendable`. */
  readonly free: () => RangeSet<A>;
}

/** What there is before applications are lent anything. */
export type LoanGround<A extends Address> = Pick<LoanPlan<A>, "loans" | "free">;

/**
 * Says which wishes of applications may be lent what they lack. It is asked once; what it is given
 * goes on to tell what is so, also when more is lent.
 */
export type ChooseWishes<A extends Address> = (ground: LoanGround<A>) => ReadonlySet<string>;

const NO_WISHES: ReadonlySet<string> = new Set();

/**
 * Plans the record. What pools have and no record tells is written down before anything is lent, so
 * a record that was lost is rebuilt by the same write that may lend more. Of an automatic pool the
 * record only grows here: what it has too little of was to be given to it, or is taken away from it
 * in order (`lendingSteps`). The record of a pool that a person wrote follows the pool.
 */
export function planLoans<A extends Address>(
  facts: LendingFacts<A>,
  choose: ChooseWishes<A> = () => NO_WISHES,
): LoanPlan<A> {
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
  const purse = new Purse(facts, lentToUsers(facts, { loans, closed: lent.union(givenUp) }));
  const free = (): RangeSet<A> => purse.free;
  const { unmet, waiting } = lendMore(facts, { loans, purse, choose });
  const isChanged = !sameLoans(facts.loans, loans);
  return { loans, isChanged, unmet, strays, givenUp, waiting, free };
}

/**
 * Lends to each pool that wants more what its own pods have and nobody is lent: an agent that had
 * not heard of a shrink gave it to them. No other pool could have it before they end.
 *
 * @param options.closed What is lent, or not to be.
 * @returns The same, and what is lent now.
 */
function lentToUsers<A extends Address>(
  facts: LendingFacts<A>,
  { loans, closed }: { readonly loans: Map<string, Loan<A>>; readonly closed: RangeSet<A> },
): RangeSet<A> {
  const { family, borrowers, total, isTerminating, useOf, unlendable } = facts;
  let all = closed;
  for (const borrower of isTerminating ? [] : borrowers) {
    const { name, wanted = family.zero } = borrower;
    const own = loans.get(name);
    if (borrower.isNew || own === undefined || !mayChange(borrower)) continue;
    if (wanted <= own.addresses.size) continue;
    const used = useOf(name).used.intersect(total).subtract(all);
    if (used.isEmpty) continue;
    const count = family.minus(wanted, own.addresses.size);
    const given = used.subtract(unlendable(name)).slice({ from: family.zero, count });
    loans.set(name, { ...own, addresses: own.addresses.union(given) });
    all = all.union(given);
  }
  return all;
}

/** The addresses that can be lent. */
class Purse<A extends Address> {
  readonly #facts: LendingFacts<A>;
  readonly #closed: RangeSet<A>;
  #free: RangeSet<A> | undefined;

  constructor(facts: LendingFacts<A>, closed: RangeSet<A>) {
    this.#facts = facts;
    this.#closed = closed;
  }

  get free(): RangeSet<A> {
    const { family, total, isTerminating, unlendable } = this.#facts;
    this.#free ??= isTerminating
      ? RangeSet.empty(family)
      : total.subtract(this.#closed).subtract(unlendable());
    return this.#free;
  }

  /** Takes the lowest; `undefined`: there are not so many. */
  take(count: Count<A>): RangeSet<A> | undefined {
    if (this.free.size < count) return undefined;
    const given = this.free.slice({ from: this.#facts.family.zero, count });
    this.#free = this.free.subtract(given);
    return given;
  }
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
      // One that nobody can be about to make any more is lent anew.
      if (!borrower.isNew || !isGone(name)) kept.set(name, loan);
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

/**
 * Lends to each pool that wants more what it wants, the lowest that are free: to those of no
 * application first, then to those that are chosen.
 */
function lendMore<A extends Address>(
  { family, borrowers }: LendingFacts<A>,
  { loans, purse, choose }: {
    readonly loans: Map<string, Loan<A>>;
    readonly purse: Purse<A>;
    readonly choose: ChooseWishes<A>;
  },
): Pick<LoanPlan<A>, "unmet" | "waiting"> {
  const unmet: Unmet<A>[] = [];
  const tooFew = ({ name: pool, called, wanted = family.zero }: Borrower<A>): void => {
    const has = loans.get(pool)?.addresses.size ?? family.zero;
    const free = purse.free.size;
    if (wanted > has && free < family.minus(wanted, has)) {
      unmet.push({ pool, called, wanted, has, free });
    }
  };
  const lendTo = (borrower: Borrower<A>): void => {
    const { name, wanted = family.zero, application } = borrower;
    const own = loans.get(name) ?? { addresses: RangeSet.empty(family), application };
    const has = own.addresses.size;
    const given = wanted > has ? purse.take(family.minus(wanted, has)) : undefined;
    if (given !== undefined) loans.set(name, { ...own, addresses: own.addresses.union(given) });
    else if (wanted > has) tooFew(borrower);
    else if (borrower.isNew) loans.set(name, own);
  };
  const changing = borrowers.filter((one) => one.wanted !== undefined && mayChange(one));
  for (const borrower of changing) if (borrower.wish === undefined) lendTo(borrower);
  const wishing = changing.filter(({ wish }) => wish !== undefined);
  const chosen = choose({ loans, free: () => purse.free });
  const isChosen = ({ wish = "" }: Borrower<A>): boolean => chosen.has(wish);
  for (const borrower of wishing) if (isChosen(borrower)) lendTo(borrower);
  const others = wishing.filter((borrower) => !isChosen(borrower));
  for (const borrower of others) tooFew(borrower);
  return { unmet, waiting: new Set(others.filter(({ isNew }) => isNew).map(({ name }) => name)) };
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
