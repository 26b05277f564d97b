/** Sets of addresses as sorted disjoint ranges: a /8 and an IPv6 /48 cost the same as a /24. */
import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Address, Range } from "./address.ts";
import type { Cidr } from "./cidr.ts";
import type { Count, Family } from "./family.ts";
import { formatRange, parseRange } from "./range.ts";
import { intersectRanges, subtractRanges, uniteRanges } from "./range_algebra.ts";
import {
  type Block,
  BlockBuilder,
  type FlatRanges,
  flatten,
  hull,
  item,
  locate,
  type Place,
  placeAfter,
  splice,
} from "./range_block.ts";
import type { RangeRefusal } from "./refusal.ts";

/** Which entry of a list was refused, and why. */
export interface EntryRefusal {
  /** Place in the list, from 0: the 3 of `spec.ips[3]`. */
  readonly index: number;
  readonly refusal: RangeRefusal;
}

/**
 * An immutable set of addresses of one family, kept as the fewest possible ranges.
 *
 * With n ranges (never addresses): membership O(log n); `with` and `without` of one address
 * O(n / 128 + 256) copied words and what they return shares the rest; `union`, `subtract`,
 * `intersect`, `equals` O(n + m). The first `size`, `nth` or `indexOf` on a set costs O(n / 128),
 * the next O(log n + 256). A change gives a new set, so a snapshot stays what it was.
 */
export class RangeSet<A extends Address> {
  readonly family: Family<A>;
  readonly #blocks: readonly Block<A>[];
  /** Members before each block, and at the end those of all; made when first needed. */
  #before: readonly Count<A>[] | undefined;

  private constructor(family: Family<A>, blocks: readonly Block<A>[]) {
    this.family = family;
    this.#blocks = blocks;
  }

  /** The set without members. */
  static empty<A extends Address>(family: Family<A>): RangeSet<A> {
    return new RangeSet(family, []);
  }

  /** The union of ranges in any order, which may overlap. O(n log n), O(n) if they are sorted. */
  static of<A extends Address>(family: Family<A>, ranges: Iterable<Range<A>>): RangeSet<A> {
    const builder = new BlockBuilder(family);
    for (const { first, last } of [...ranges].sort(byFirst)) {
      assert(first <= last, "a range is not reversed");
      builder.push(first, last);
    }
    return new RangeSet(family, builder.finish());
  }

  /** The set of single addresses, in any order, which may repeat. O(n log n). */
  static ofAddresses<A extends Address>(
    family: Family<A>,
    addresses: Iterable<A>,
  ): RangeSet<A> {
    const builder = new BlockBuilder(family);
    for (const address of [...addresses].sort(byValue)) builder.push(address, address);
    return new RangeSet(family, builder.finish());
  }

  /** How many members. */
  get size(): Count<A> {
    return item(this.#cumulated(), this.#blocks.length);
  }

  /** Whether there is no member. O(1). */
  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  /** How many ranges it takes to write the set. */
  get rangeCount(): number {
    return this.#blocks.reduce((count, block) => count + block.firsts.length, 0);
  }

  /** The lowest member, if any. O(1). */
  get lowest(): A | undefined {
    return this.#blocks[0]?.firsts[0];
  }

  /** The highest member, if any. O(1). */
  get highest(): A | undefined {
    return this.#blocks.at(-1)?.lasts.at(-1);
  }

  /** Whether an address is a member. O(log n). */
  has(address: A): boolean {
    const place = locate(this.#blocks, address);
    const first = this.#blocks[place.block]?.firsts[place.index];
    return first !== undefined && first <= address;
  }

  /** Whether all addresses of a range are members. O(log n). */
  hasRange(range: Range<A>): boolean {
    const place = locate(this.#blocks, range.last);
    const first = this.#blocks[place.block]?.firsts[place.index];
    return first !== undefined && first <= range.first;
  }

  /** Whether all members of another set are members. O(m log n). */
  includes(other: RangeSet<A>): boolean {
    for (const range of other) if (!this.hasRange(range)) return false;
    return true;
  }

  /** Whether some address of a range is a member. O(log n). */
  meets(range: Range<A>): boolean {
    const place = locate(this.#blocks, range.first);
    const first = this.#blocks[place.block]?.firsts[place.index];
    return first !== undefined && first <= range.last;
  }

  /** Whether two sets share a member. O(m log n), m the ranges of the smaller. */
  intersects(other: RangeSet<A>): boolean {
    const [few, many] = this.rangeCount <= other.rangeCount ? [this, other] : [other, this];
    for (const range of few) if (many.meets(range)) return true;
    return false;
  }

  /**
   * The member with so many members below it.
   *
   * @param index 0 <= index < size; anything else is a bug and asserts.
   */
  nth(index: Count<A>): A {
    const before = this.#cumulated();
    const { family } = this;
    assert(index >= family.zero && index < this.size, "an index is inside its set");
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) { // The last block with at most `index` members before it.
      const middle = (low + high + 1) >>> 1;
      if (item(before, middle) <= index) low = middle;
      else high = middle - 1;
    }
    const { firsts, lasts } = item(this.#blocks, low);
    let rest = family.minus(index, item(before, low));
    for (let at = 0;; at++) {
      const first = item(firsts, at);
      const span = family.span(first, item(lasts, at));
      if (rest < span) return family.advance(first, rest);
      rest = family.minus(rest, span);
    }
  }

  /** How many members are below a member: `nth(indexOf(a)) === a`. undefined if it is none. */
  indexOf(address: A): Count<A> | undefined {
    const { family } = this;
    const place = locate(this.#blocks, address);
    const block = this.#blocks[place.block];
    const start = block?.firsts[place.index];
    if (block === undefined || start === undefined || start > address) return undefined;
    let index = item(this.#cumulated(), place.block);
    for (let at = 0; at < place.index; at++) {
      index = family.plus(index, family.span(item(block.firsts, at), item(block.lasts, at)));
    }
    return family.plus(index, family.minus(family.span(start, address), family.count(1)));
  }

  /** A member at random, each as likely as any other; undefined if there is none. */
  pick(random: Random): A | undefined {
    return this.isEmpty ? undefined : this.nth(this.family.below(random, this.size));
  }

  /** The lowest member that is not in `other`: this − other, without making it. O(n log m). */
  lowestOutside(other: RangeSet<A>): A | undefined {
    for (const { first, last } of this) {
      const place = locate(other.#blocks, first);
      const block = other.#blocks[place.block];
      const covers = block?.firsts[place.index];
      const coversTo = block?.lasts[place.index];
      if (covers === undefined || coversTo === undefined || covers > first) return first;
      // Ranges of a set never touch, so what follows a range of `other` is outside it.
      if (coversTo < last) return this.family.next(coversTo);
    }
    return undefined;
  }

  /** The members with index `from` and the following, `count` of them or as many as there are. */
  slice({ from, count }: { readonly from: Count<A>; readonly count: Count<A> }): RangeSet<A> {
    const { family } = this;
    assert(from >= family.zero && count >= family.zero, "a slice is not negative");
    if (from >= this.size || count <= family.zero) return RangeSet.empty(family);
    const left = family.minus(this.size, from);
    const taken = left < count ? left : count;
    const first = this.nth(from);
    const last = this.nth(family.minus(family.plus(from, taken), family.count(1)));
    return this.intersect(RangeSet.of(family, [{ first, last }]));
  }

  /** This and one more address; `this` itself if it has it. */
  with(address: A): RangeSet<A> {
    return this.withRange({ first: address, last: address });
  }

  /** This and all addresses of a range; `this` itself if it has them. */
  withRange({ first, last }: Range<A>): RangeSet<A> {
    assert(first <= last, "a range is not reversed");
    if (this.hasRange({ first, last })) return this;
    const { family } = this;
    // Ranges that only touch are joined too.
    const low = first === family.first ? first : family.previous(first);
    const high = last === family.last ? last : family.next(last);
    const from = locate(this.#blocks, low);
    const to = placeAfter(this.#blocks, high);
    const touched = hull(this.#blocks, { from, to }) ?? { first, last };
    const joined = {
      firsts: [touched.first < first ? touched.first : first],
      lasts: [touched.last > last ? touched.last : last],
    };
    return this.#replaced({ from, to, pieces: joined });
  }

  /** This less one address; `this` itself if it does not have it. */
  without(address: A): RangeSet<A> {
    return this.withoutRange({ first: address, last: address });
  }

  /** This less all addresses of a range; `this` itself if it has none of them. */
  withoutRange({ first, last }: Range<A>): RangeSet<A> {
    assert(first <= last, "a range is not reversed");
    if (!this.meets({ first, last })) return this;
    const { family } = this;
    const from = locate(this.#blocks, first);
    const to = placeAfter(this.#blocks, last);
    const touched = hull(this.#blocks, { from, to }) ?? { first, last };
    const firsts: A[] = [];
    const lasts: A[] = [];
    if (touched.first < first) {
      firsts.push(touched.first);
      lasts.push(family.previous(first));
    }
    if (touched.last > last) {
      firsts.push(family.next(last));
      lasts.push(touched.last);
    }
    return this.#replaced({ from, to, pieces: { firsts, lasts } });
  }

  /** Members of either set. O(n + m). */
  union(other: RangeSet<A>): RangeSet<A> {
    if (this.isEmpty) return other;
    if (other.isEmpty) return this;
    return new RangeSet(this.family, uniteRanges(this.family, [this.#flat(), other.#flat()]));
  }

  /** Members that are not in `other`. O(n + m). */
  subtract(other: RangeSet<A>): RangeSet<A> {
    if (this.isEmpty || other.isEmpty) return this;
    return new RangeSet(this.family, subtractRanges(this.family, [this.#flat(), other.#flat()]));
  }

  /** Members of both sets. O(n + m). */
  intersect(other: RangeSet<A>): RangeSet<A> {
    if (this.isEmpty) return this;
    if (other.isEmpty) return other;
    return new RangeSet(this.family, intersectRanges(this.family, [this.#flat(), other.#flat()]));
  }

  /** Whether two sets have the same members. O(n). */
  equals(other: RangeSet<A>): boolean {
    if (this.#blocks === other.#blocks) return true;
    const one = this.#flat();
    const two = other.#flat();
    return one.firsts.length === two.firsts.length &&
      one.firsts.every((first, index) => first === two.firsts[index]) &&
      one.lasts.every((last, index) => last === two.lasts[index]);
  }

  /** The ranges in ascending order, none touching the next. */
  *[Symbol.iterator](): Generator<Range<A>> {
    for (const { firsts, lasts } of this.#blocks) {
      for (let at = 0; at < firsts.length; at++) {
        yield { first: item(firsts, at), last: item(lasts, at) };
      }
    }
  }

  /** The ranges as text, `a` or `a-b`: what belongs into `spec.ips`. */
  toTexts(): string[] {
    return Array.from(this, formatRange);
  }

  /** The ranges as one text, with `,` between. For messages: bound what is shown. */
  toString(): string {
    return this.toTexts().join(",");
  }

  #cumulated(): readonly Count<A>[] {
    if (this.#before !== undefined) return this.#before;
    const before: Count<A>[] = [this.family.zero];
    let sum = this.family.zero;
    for (const { size } of this.#blocks) before.push(sum = this.family.plus(sum, size));
    return this.#before = before;
  }

  #flat(): FlatRanges<A> {
    return flatten(this.#blocks);
  }

  #replaced(change: { from: Place; to: Place; pieces: FlatRanges<A> }): RangeSet<A> {
    const { family } = this;
    return new RangeSet(family, splice({ family, blocks: this.#blocks }, change));
  }
}

/**
 * Parses a list of ranges, such as `spec.ips`, into the set of all their addresses. Entries may
 * overlap and stand in any order.
 *
 * @param options.subnet If given, every range must be inside it.
 * @returns All refused entries, not only the first; `describeRefusal` makes a sentence of each.
 */
export function parseRangeSet<A extends Address>(
  family: Family<A>,
  texts: readonly string[],
  options: { readonly subnet?: Cidr<A> | undefined } = {},
): Result<RangeSet<A>, readonly EntryRefusal[]> {
  const ranges: Range<A>[] = [];
  const refused: EntryRefusal[] = [];
  for (const [index, text] of texts.entries()) {
    const parsed = parseRange(family, text, options);
    if (parsed.ok) ranges.push(parsed.value);
    else refused.push({ index, refusal: parsed.error });
  }
  return refused.length > 0 ? err(refused) : ok(RangeSet.of(family, ranges));
}

function byFirst<A extends Address>(one: Range<A>, other: Range<A>): number {
  return byValue(one.first, other.first);
}

function byValue<A extends Address>(one: A, other: A): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
