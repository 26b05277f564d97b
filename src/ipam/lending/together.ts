/**
 * Which applications are lent what they want: each all of its pools, over all NICs, families and
 * Subnets, or nothing more. One order in every Subnet, so that of two which race for the last
 * addresses of several Subnets one gets them whole.
 */
import { assert } from "../../base/assert.ts";

/** One pool that an application should have. */
export interface BundlePart {
  /** Name of the Subnet. */
  readonly subnet: string;
  /** The name that its pool has if it is made now: tells it from all others. */
  readonly wish: string;
  /** Addresses that it should have. */
  readonly count: number;
}

/** Pools that are of use only together: those that the pods of an application ask for. */
export interface Bundle {
  /** UID of the application. */
  readonly application: string;
  /** When the application was made, as text that sorts. */
  readonly created: string;
  readonly parts: readonly BundlePart[];
}

/** What matters of a Subnet, as it was looked at last. */
export interface Supply {
  /** Addresses that can be lent. */
  readonly free: () => number;
  /** Addresses that the pool of a wish is lent. */
  readonly lentTo: (wish: string) => number;
  readonly isMade: (wish: string) => boolean;
  /** Whether a pool cannot be made now, however many addresses are free. */
  readonly isBlocked: (wish: string) => boolean;
  /** Addresses that come free if the pool of a wish is given back; 0 where pods use it. */
  readonly spareOf: (wish: string) => number;
}

/** A Subnet that is not there. */
export const NO_SUPPLY: Supply = {
  free: () => 0,
  lentTo: () => 0,
  isMade: () => false,
  isBlocked: () => false,
  spareOf: () => 0,
};

/** Who is lent what, and what is given back for that. */
export interface Choice {
  /** Applications that can have all of at least one bundle. */
  readonly applications: ReadonlySet<string>;
  /** Wishes that may be lent what they lack. */
  readonly served: ReadonlySet<string>;
  /** Pools that are of no use to their applications, and would make another one whole. */
  readonly givenBack: ReadonlySet<string>;
}

/** Subnets by name; one that was not looked at yet is `undefined`. */
type SupplyOf = (subnet: string) => Supply | undefined;

/** Whether a bundle lacks nothing. */
export function isWhole({ parts }: Bundle, supplyOf: SupplyOf): boolean {
  return parts.every(({ subnet, wish, count }) => {
    const supply = supplyOf(subnet);
    return supply?.isMade(wish) === true && supply.lentTo(wish) >= count;
  });
}

/**
 * Chooses: those that were chosen before first, then the oldest. One that cannot be served does not
 * hold up those behind it. What an application cannot use, since another pool of it has nothing, is
 * given back where that makes another one whole: the youngest gives first.
 *
 * @param options.begun UIDs of applications that were chosen before and are not whole yet.
 */
export function chooseWhole(
  bundles: readonly Bundle[],
  { supplyOf, begun }: { readonly supplyOf: SupplyOf; readonly begun: ReadonlySet<string> },
): Choice {
  const order = bundles.toSorted((one, other) => compare({ one, other, begun }));
  const rest = new Rest(supplyOf);
  const served = new Set<string>();
  const applications = new Set<string>();
  const short: Bundle[] = [];
  for (const bundle of order) {
    const needs = needsOf(bundle, { supplyOf, served });
    if (needs === undefined) continue;
    if (rest.lacks(needs).size > 0) {
      short.push(bundle);
      continue;
    }
    rest.take(needs);
    applications.add(bundle.application);
    for (const { wish } of bundle.parts) served.add(wish);
  }
  return { applications, served, givenBack: giveBack(short, { supplyOf, served, rest }) };
}

function compare(
  { one, other, begun }: {
    readonly one: Bundle;
    readonly other: Bundle;
    readonly begun: ReadonlySet<string>;
  },
): number {
  const isBegun = begun.has(one.application);
  if (isBegun !== begun.has(other.application)) return isBegun ? -1 : 1;
  return compareTexts(one.created, other.created) ||
    compareTexts(one.application, other.application);
}

function compareTexts(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

/** What is left of each Subnet, as far as it was asked for. */
class Rest {
  readonly #supplyOf: SupplyOf;
  readonly #left = new Map<string, number>();

  constructor(supplyOf: SupplyOf) {
    this.#supplyOf = supplyOf;
  }

  /** What is missing for needs, by Subnet. */
  lacks(needs: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const lacking = Array.from(needs, ([subnet, need]) => {
      return [subnet, need === 0 ? 0 : need - this.#of(subnet)] as const;
    });
    return new Map(lacking.filter(([, lack]) => lack > 0));
  }

  take(needs: ReadonlyMap<string, number>): void {
    for (const [subnet, need] of needs) {
      if (need > 0) this.#left.set(subnet, this.#of(subnet) - need);
    }
  }

  give(subnet: string, count: number): void {
    this.#left.set(subnet, this.#of(subnet) + count);
  }

  #of(subnet: string): number {
    const left = this.#left.get(subnet) ?? this.#supplyOf(subnet)?.free() ?? 0;
    this.#left.set(subnet, left);
    return left;
  }
}

/** What a bundle lacks, by Subnet; `undefined`: nobody can say, or a pool of it has to wait. */
function needsOf(
  { parts }: Bundle,
  { supplyOf, served }: { readonly supplyOf: SupplyOf; readonly served: ReadonlySet<string> },
): ReadonlyMap<string, number> | undefined {
  const needs = new Map<string, number>();
  for (const { subnet, wish, count } of parts) {
    const supply = supplyOf(subnet);
    if (supply === undefined || supply.isBlocked(wish)) return undefined;
    const need = served.has(wish) ? 0 : Math.max(0, count - supply.lentTo(wish));
    needs.set(subnet, (needs.get(subnet) ?? 0) + need);
  }
  return needs;
}

/** A pool that could be given back. */
interface Spare {
  readonly application: string;
  readonly subnet: string;
  readonly wish: string;
  readonly count: number;
}

/** @param short In the order in which they are served. */
function giveBack(
  short: readonly Bundle[],
  { supplyOf, served, rest }: {
    readonly supplyOf: SupplyOf;
    readonly served: ReadonlySet<string>;
    readonly rest: Rest;
  },
): ReadonlySet<string> {
  const spares = new Map<string, Spare>();
  for (const bundle of short.toReversed()) {
    for (const spare of sparesOf(bundle, supplyOf)) {
      if (!served.has(spare.wish)) spares.set(spare.wish, spare);
    }
  }
  const givenBack = new Set<string>();
  for (const bundle of spares.size === 0 ? [] : short) {
    const needs = needsOf(bundle, { supplyOf, served });
    assert(needs !== undefined, "what is short is known");
    const given = enough(rest.lacks(needs), {
      spares: [...spares.values()].filter(({ application }) => application !== bundle.application),
    });
    if (given === undefined) continue;
    for (const { subnet, wish, count } of given) {
      givenBack.add(wish);
      spares.delete(wish);
      rest.give(subnet, count);
    }
    rest.take(needs);
    // It is to have all: nobody takes anything from it.
    for (const { wish } of bundle.parts) spares.delete(wish);
  }
  return givenBack;
}

/** Pools of an application whose pods cannot run, since another pool of it has nothing. */
function sparesOf({ application, parts }: Bundle, supplyOf: SupplyOf): readonly Spare[] {
  const isIdle = parts.some(({ subnet, wish, count }) => {
    return count > 0 && (supplyOf(subnet)?.lentTo(wish) ?? 0) === 0;
  });
  if (!isIdle) return [];
  return parts.flatMap(({ subnet, wish }) => {
    const count = supplyOf(subnet)?.spareOf(wish) ?? 0;
    return count > 0 ? [{ application, subnet, wish, count }] : [];
  });
}

/** The first spares that are what is lacking; `undefined`: all of them are too few. */
function enough(
  lacks: ReadonlyMap<string, number>,
  { spares }: { readonly spares: readonly Spare[] },
): readonly Spare[] | undefined {
  const given: Spare[] = [];
  for (const [subnet, lack] of lacks) {
    let open = lack;
    for (const spare of spares) {
      if (open <= 0 || spare.subnet !== subnet) continue;
      given.push(spare);
      open -= spare.count;
    }
    if (open > 0) return undefined;
  }
  return given;
}
