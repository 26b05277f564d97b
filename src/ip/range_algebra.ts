/** Union, difference and intersection of sorted disjoint ranges, each in one pass over both. */
import type { Address } from "./address.ts";
import type { Family } from "./family.ts";
import { type Block, BlockBuilder, type FlatRanges, item } from "./range_block.ts";

type Pair<A extends Address> = readonly [FlatRanges<A>, FlatRanges<A>];

/** Ranges of all addresses in either. */
export function uniteRanges<A extends Address>(
  family: Family<A>,
  [one, other]: Pair<A>,
): readonly Block<A>[] {
  const builder = new BlockBuilder(family);
  let i = 0;
  let j = 0;
  while (i < one.firsts.length || j < other.firsts.length) {
    const left = one.firsts[i];
    const right = other.firsts[j];
    if (right === undefined || (left !== undefined && left <= right)) {
      builder.push(item(one.firsts, i), item(one.lasts, i));
      i++;
    } else {
      builder.push(right, item(other.lasts, j));
      j++;
    }
  }
  return builder.finish();
}

/** Ranges of the addresses of the first that are not in the second. */
export function subtractRanges<A extends Address>(
  family: Family<A>,
  [from, taken]: Pair<A>,
): readonly Block<A>[] {
  const builder = new BlockBuilder(family);
  let j = 0;
  for (let i = 0; i < from.firsts.length; i++) {
    let first = item(from.firsts, i);
    const last = item(from.lasts, i);
    while (j < taken.lasts.length && item(taken.lasts, j) < first) j++;
    let isLeft = true;
    for (; j < taken.firsts.length; j++) { // What overlaps first..last is cut out of it.
      const cutFirst = item(taken.firsts, j);
      const cutLast = item(taken.lasts, j);
      if (cutFirst > last) break;
      if (cutFirst > first) builder.push(first, family.previous(cutFirst));
      isLeft = cutLast < last;
      if (!isLeft) break; // It may also cut the next range: j stays.
      first = family.next(cutLast);
    }
    if (isLeft) builder.push(first, last);
  }
  return builder.finish();
}

/** Ranges of the addresses in both. */
export function intersectRanges<A extends Address>(
  family: Family<A>,
  [one, other]: Pair<A>,
): readonly Block<A>[] {
  const builder = new BlockBuilder(family);
  let i = 0;
  let j = 0;
  while (i < one.firsts.length && j < other.firsts.length) {
    const oneFirst = item(one.firsts, i);
    const otherFirst = item(other.firsts, j);
    const oneLast = item(one.lasts, i);
    const otherLast = item(other.lasts, j);
    const first = oneFirst > otherFirst ? oneFirst : otherFirst;
    const last = oneLast < otherLast ? oneLast : otherLast;
    if (first <= last) builder.push(first, last);
    if (oneLast < otherLast) i++;
    else j++;
  }
  return builder.finish();
}
