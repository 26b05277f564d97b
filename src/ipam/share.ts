/** Which free address an agent tries: each belongs first to one node, so agents rarely race. */
import type { Random } from "../base/random.ts";
import type { Address, RangeSet } from "../ip/mod.ts";

/** Hashes that one choice may cost: some hundred microseconds. */
const HASHES_MAX = 20_000;
/** Addresses drawn before a set is looked through, at most, and for each node that shares it. */
const DRAWS_MAX = 64;
const DRAWS_PER_NODE = 4;

/**
 * Draws an address of a set: one that belongs to `node` where there is one (rendezvous hashing over
 * the nodes that use the pool), else any. Where the set is large, it looks at a few only.
 *
 * @param options.nodes Nodes that use the pool, `node` among them.
 */
export function ownerShare<A extends Address>(
  set: RangeSet<A>,
  { node, nodes, random }: {
    readonly node: string;
    readonly nodes: readonly string[];
    readonly random: Random;
  },
): A {
  const { family, size } = set;
  const any = set.nth(family.below(random, size));
  if (nodes.length <= 1) return any;
  const seeds = nodes.map(hashText);
  const own = nodes.indexOf(node);
  const isOwn = (address: A): boolean => ownerOf(hashAddress(address), seeds) === own;
  const draws = Math.min(DRAWS_MAX, DRAWS_PER_NODE * nodes.length);
  let address = any;
  for (let draw = 0; draw < draws; draw++) {
    if (isOwn(address)) return address;
    address = set.nth(family.below(random, size));
  }
  if (size > HASHES_MAX / nodes.length) return any;
  const share: A[] = [];
  for (const { first, last } of set) {
    for (let one = first;; one = family.next(one)) {
      if (isOwn(one)) share.push(one);
      if (one === last) break;
    }
  }
  return share[random.below(Math.max(1, share.length))] ?? any;
}

/** Index of the seed whose hash with the address is highest. */
function ownerOf(address: number, seeds: readonly number[]): number {
  let best = -1;
  let owner = 0;
  let index = 0;
  for (const seed of seeds) {
    const hash = mix(seed ^ address);
    if (hash > best) {
      best = hash;
      owner = index;
    }
    index++;
  }
  return owner;
}

/** FNV-1a over UTF-16 units, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return mix(hash);
}

function hashAddress(address: Address): number {
  if (typeof address === "number") return mix(address);
  const low = Number(BigInt.asUintN(32, address));
  return mix(low ^ mix(Number(BigInt.asUintN(32, address >> 32n))));
}

/** The finaliser of MurmurHash3: every bit of the answer depends on every bit of the question. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
