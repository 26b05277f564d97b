/**
 * The storage of `RangeSet`: ranges in blocks of at most 256, each block an array of first and an
 * array of last addresses. A change copies one block and the list of blocks, nothing else.
 */
import { assert } from "../base/assert.ts";
import type { Address } from "./address.ts";
import type { Count, Family } from "./family.ts";

/** A block is split when it would hold more ranges than this. */
export const BLOCK_RANGES_MAX = 256;
/** What bulk operations fill a block with: room for as many again before it splits. */
const BLOCK_RANGES_FILL = 128;
/** A changed block with fewer ranges than this is joined with its right neighbour if they fit. */
const BLOCK_RANGES_MIN = 32;

/** Ranges in ascending order, disjoint and not adjacent; never empty, never changed once made. */
export interface Block<A extends Address> {
  readonly firsts: readonly A[];
  readonly lasts: readonly A[];
  /** Addresses in all its ranges. */
  readonly size: Count<A>;
}

/** The place of a range: block, and index in the block. One past the end is (blocks.length, 0). */
export interface Place {
  readonly block: number;
  readonly index: number;
}

/** The element at an index that is known to exist. */
export function item<T>(list: readonly T[], index: number): T {
  const element = list[index];
  assert(element !== undefined, "an index is inside its list");
  return element;
}

/** Index of the first element that is not below `value`, in an ascending list. O(log n). */
export function lowerBound<A extends Address>(list: readonly A[], value: A): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (item(list, middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The place of the first range that ends at or after an address. O(log n). */
export function locate<A extends Address>(blocks: readonly Block<A>[], address: A): Place {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { lasts } = item(blocks, middle);
    if (item(lasts, lasts.length - 1) < address) low = middle + 1;
    else high = middle;
  }
  const block = blocks[low];
  return { block: low, index: block === undefined ? 0 : lowerBound(block.lasts, address) };
}

/** The place of the first range that begins after an address. O(log n). */
export function placeAfter<A extends Address>(blocks: readonly Block<A>[], address: A): Place {
  const { block, index } = locate(blocks, address);
  const firsts = blocks[block]?.firsts;
  const first = firsts?.[index];
  if (firsts === undefined || first === undefined || first > address) return { block, index };
  return index + 1 < firsts.length ? { block, index: index + 1 } : { block: block + 1, index: 0 };
}

/** The first and last address of the ranges from `from` up to (not including) `to`, if any. */
export function hull<A extends Address>(
  blocks: readonly Block<A>[],
  { from, to }: { readonly from: Place; readonly to: Place },
): { readonly first: A; readonly last: A } | undefined {
  if (from.block === to.block && from.index === to.index) return undefined;
  const first = item(item(blocks, from.block).firsts, from.index);
  const { lasts } = item(blocks, to.index > 0 ? to.block : to.block - 1);
  return { first, last: item(lasts, (to.index > 0 ? to.index : lasts.length) - 1) };
}

/** Takes ranges in ascending order of `first`, joins what touches, and makes blocks of them. */
export class BlockBuilder<A extends Address> {
  readonly #family: Family<A>;
  readonly #firsts: A[] = [];
  readonly #lasts: A[] = [];

  constructor(family: Family<A>) {
    this.#family = family;
  }

  /** Adds a range; its `first` is not below that of the range added before. */
  push(first: A, last: A): void {
    const end = this.#lasts.length - 1;
    const before = this.#lasts[end];
    // If `before` is the family's last address, the first comparison holds: next() is never asked.
    if (before !== undefined && (first <= before || first === this.#family.next(before))) {
      if (last > before) this.#lasts[end] = last;
    } else {
      this.#firsts.push(first);
      this.#lasts.push(last);
    }
  }

  /** The blocks; the builder is not used after. */
  finish(): readonly Block<A>[] {
    return blocksOf(this.#family, { firsts: this.#firsts, lasts: this.#lasts });
  }
}

/** Ranges as two parallel lists. */
export interface FlatRanges<A extends Address> {
  readonly firsts: readonly A[];
  readonly lasts: readonly A[];
}

/** All ranges of some blocks in two lists; without a copy if there is one block. */
export function flatten<A extends Address>(blocks: readonly Block<A>[]): FlatRanges<A> {
  const [only] = blocks;
  if (only !== undefined && blocks.length === 1) return only;
  return {
    firsts: blocks.flatMap((block) => block.firsts),
    lasts: blocks.flatMap((block) => block.lasts),
  };
}

/** Replaces the ranges from `from` up to (not including) `to` by `pieces`. */
export function splice<A extends Address>(
  { family, blocks }: { readonly family: Family<A>; readonly blocks: readonly Block<A>[] },
  { from, to, pieces }: {
    readonly from: Place;
    readonly to: Place;
    readonly pieces: FlatRanges<A>;
  },
): readonly Block<A>[] {
  // The gap before a block is also the end of the block before: fill that, make no new one.
  const isGap = to.index === 0 && from.block === to.block && from.block > 0;
  const start = isGap ? endOf(blocks, from.block - 1) : from;
  let end = to.index > 0 ? to.block + 1 : to.block;

  const head = blocks[start.block];
  const tail = to.block < end ? blocks[to.block] : undefined;
  const firsts = (head?.firsts.slice(0, start.index) ?? [])
    .concat(pieces.firsts, tail?.firsts.slice(to.index) ?? []);
  const lasts = (head?.lasts.slice(0, start.index) ?? [])
    .concat(pieces.lasts, tail?.lasts.slice(to.index) ?? []);

  const neighbour = blocks[end];
  if (
    neighbour !== undefined && firsts.length < BLOCK_RANGES_MIN &&
    firsts.length + neighbour.firsts.length <= BLOCK_RANGES_MAX
  ) {
    end++;
    for (const first of neighbour.firsts) firsts.push(first);
    for (const last of neighbour.lasts) lasts.push(last);
  }
  const changed = firsts.length <= BLOCK_RANGES_MAX && firsts.length > 0
    ? [blockOf(family, { firsts, lasts })]
    : blocksOf(family, { firsts, lasts });
  return blocks.toSpliced(start.block, end - start.block, ...changed);
}

function endOf<A extends Address>(blocks: readonly Block<A>[], block: number): Place {
  return { block, index: item(blocks, block).firsts.length };
}

function blocksOf<A extends Address>(
  family: Family<A>,
  { firsts, lasts }: FlatRanges<A>,
): readonly Block<A>[] {
  const blocks: Block<A>[] = [];
  for (let at = 0; at < firsts.length; at += BLOCK_RANGES_FILL) {
    const end = at + BLOCK_RANGES_FILL;
    blocks.push(blockOf(family, { firsts: firsts.slice(at, end), lasts: lasts.slice(at, end) }));
  }
  return blocks;
}

function blockOf<A extends Address>(family: Family<A>, ranges: FlatRanges<A>): Block<A> {
  let size = family.zero;
  for (let index = 0; index < ranges.firsts.length; index++) {
    const first = item(ranges.firsts, index);
    size = family.plus(size, family.span(first, item(ranges.lasts, index)));
  }
  return { firsts: ranges.firsts, lasts: ranges.lasts, size };
}
