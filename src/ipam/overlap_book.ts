/** Pools that would give out the same addresses: the younger of two must not be used. */
import type { SpiderIpPool } from "../api/ip_pool.ts";
import { isTerminating } from "../api/metadata.ts";
import { type Address, formatRange, type RangeSet } from "../ip/mod.ts";
import { type PoolFacts, readPoolFacts } from "./pool_facts.ts";

/** Ranges named in a message. */
const NAMED_MAX = 2;

interface Entry {
  readonly uid: string;
  readonly generation: number;
  readonly isEnding: boolean;
  /** Sorts pools by age; of two equally old ones by name. */
  readonly age: string;
  /** Absent for a pool that gives nothing out: it is broken, or goes. */
  readonly facts: PoolFacts | undefined;
  /** Names of the pools that share addresses with it. */
  readonly partners: Set<string>;
}

/**
 * What every pool gives out, as far as it is about overlaps. A change costs a look at the bounds of
 * every other pool; nothing costs time per address.
 */
export class OverlapBook {
  readonly #entries = new Map<string, Entry>();

  /**
   * Takes note of a pool as it is now.
   *
   * @returns Names of pools, this one too, whose `reasonOf` may be another now.
   */
  set(pool: SpiderIpPool): ReadonlySet<string> {
    const { name, uid = "", generation = 0, creationTimestamp = "" } = pool.metadata;
    const isEnding = isTerminating(pool);
    const known = this.#entries.get(name);
    const isSame = known?.uid === uid && known.generation === generation &&
      known.isEnding === isEnding;
    if (isSame) return new Set();
    const affected = new Set([name, ...this.delete(name)]);
    const read = isEnding ? undefined : readPoolFacts(pool);
    const facts = read?.ok === true ? read.value : undefined;
    const partners = new Set<string>();
    for (const [otherName, other] of facts === undefined ? [] : this.#entries) {
      if (facts === undefined || other.facts === undefined) continue;
      if (sharedRanges(facts, other.facts) === undefined) continue;
      partners.add(otherName);
      other.partners.add(name);
      affected.add(otherName);
    }
    const age = `${creationTimestamp} ${name}`;
    this.#entries.set(name, { uid, generation, isEnding, age, facts, partners });
    return affected;
  }

  /** Forgets a pool. @returns As `set`. */
  delete(name: string): ReadonlySet<string> {
    const entry = this.#entries.get(name);
    this.#entries.delete(name);
    for (const partner of entry?.partners ?? []) this.#entries.get(partner)?.partners.delete(name);
    return new Set(entry?.partners);
  }

  /** Why a pool must not be used: an older one gives out some of its addresses. */
  reasonOf(name: string): string | undefined {
    const entry = this.#entries.get(name);
    if (entry?.facts === undefined) return undefined;
    for (const partner of [...entry.partners].sort()) {
      const other = this.#entries.get(partner);
      if (other?.facts === undefined || other.age >= entry.age) continue;
      const shared = sharedRanges(entry.facts, other.facts);
      if (shared === undefined) continue;
      return `spec.ips shares ${shared} with the older pool ${
        JSON.stringify(partner)
      }: take them ` +
        "away from one of the two";
    }
    return undefined;
  }
}

/** The addresses that both give out, as text; `undefined` if there are none. */
function sharedRanges(one: PoolFacts, other: PoolFacts): string | undefined {
  if (one.version === 4) {
    return other.version === 4 ? sharedText(one.addresses, other.addresses) : undefined;
  }
  return other.version === 6 ? sharedText(one.addresses, other.addresses) : undefined;
}

/** The addresses that are in both, as text that names a few; `undefined` if there are none. */
export function sharedText<A extends Address>(
  one: RangeSet<A>,
  other: RangeSet<A>,
): string | undefined {
  if (!boundsMeet(one, other)) return undefined;
  const both = one.intersect(other);
  if (both.isEmpty) return undefined;
  const texts: string[] = [];
  for (const range of both) {
    if (texts.length === NAMED_MAX) return `${texts.join(", ")} and more`;
    texts.push(formatRange(range));
  }
  return texts.join(", ");
}

function boundsMeet<A extends Address>(one: RangeSet<A>, other: RangeSet<A>): boolean {
  const { lowest, highest } = one;
  if (lowest === undefined || highest === undefined) return false;
  const { lowest: otherLowest, highest: otherHighest } = other;
  if (otherLowest === undefined || otherHighest === undefined) return false;
  return lowest <= otherHighest && otherLowest <= highest;
}
