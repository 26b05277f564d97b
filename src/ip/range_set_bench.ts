/**
 * Sets of addresses on the path of one ADD, for a /24, a /8 and an IPv6 /48: within a group the
 * times should be alike, because they depend on ranges, not on addresses. `deno task bench:micro`.
 */
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import {
  type Address,
  type Family,
  formatObjectName,
  IPV4,
  IPV6,
  parseCidr,
  parseObjectName,
  parseRangeSet,
  RangeSet,
} from "./mod.ts";

interface Case<A extends Address> {
  readonly name: string;
  readonly family: Family<A>;
  readonly pool: RangeSet<A>;
  /** Addresses of the pool in scattered order; no two touch, so that each is a range. */
  readonly taken: readonly A[];
}

function caseOf<A extends Address>(
  family: Family<A>,
  { cidr, count }: { readonly cidr: string; readonly count: number },
): Case<A> {
  const pool = RangeSet.of(family, [expectOk(parseCidr(family, cidr), cidr)]);
  const random = seededRandom(1);
  const order = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) { // Fisher and Yates
    const other = random.below(at + 1);
    [order[at], order[other]] = [order[other] ?? 0, order[at] ?? 0];
  }
  const taken = order.map((index) => pool.nth(family.count(2 * index)));
  return { name: `${cidr}, ${count} taken`, family, pool, taken };
}

function benchCase<A extends Address>({ name, family, pool, taken }: Case<A>): void {
  const takenSet = RangeSet.ofAddresses(family, taken);
  const free = pool.subtract(takenSet);
  const random = seededRandom(2);
  const group = (what: string) => ({ group: `${what} (${taken.length} ranges)`, name });
  let next = 0;
  const scattered = () => taken[next = (next + 1) % taken.length] ?? family.first;

  Deno.bench({ ...group("free = pool - taken"), fn: () => void pool.subtract(takenSet) });
  Deno.bench({ ...group("has"), fn: () => void free.has(scattered()) });
  Deno.bench({ ...group("indexOf"), fn: () => void takenSet.indexOf(scattered()) });
  Deno.bench({ ...group("pick at random"), fn: () => void free.pick(random) });
  Deno.bench({ ...group("lowest free"), fn: () => void pool.lowestOutside(takenSet) });
  Deno.bench({
    ...group("take at random: pick, then without"),
    fn: () => {
      const address = free.pick(random);
      if (address !== undefined) free.without(address);
    },
  });
  Deno.bench({
    ...group("give back, then pick: with, then pick"),
    fn: () => void free.with(scattered()).pick(random),
  });
  Deno.bench({
    ...group("set of single addresses"),
    fn: () => void RangeSet.ofAddresses(family, taken),
  });
  if (taken.length > 10_000) return; // Text is read and printed per range: nothing new from here.
  const names = taken.map(formatObjectName);
  const texts = takenSet.toTexts();
  Deno.bench({ ...group("read object names"), fn: () => names.forEach(parseObjectName) });
  Deno.bench({ ...group("print ranges"), fn: () => void takenSet.toTexts() });
  Deno.bench({ ...group("parse ranges"), fn: () => void parseRangeSet(family, texts) });
}

benchCase(caseOf(IPV4, { cidr: "10.6.0.0/24", count: 100 }));
benchCase(caseOf(IPV4, { cidr: "10.0.0.0/8", count: 100 }));
benchCase(caseOf(IPV6, { cidr: "fd00:6::/48", count: 100 }));
benchCase(caseOf(IPV4, { cidr: "10.0.0.0/8", count: 10_000 }));
benchCase(caseOf(IPV6, { cidr: "fd00:6::/48", count: 10_000 }));
benchCase(caseOf(IPV4, { cidr: "10.0.0.0/8", count: 60_000 }));
benchCase(caseOf(IPV6, { cidr: "fd00:6::/48", count: 60_000 }));
