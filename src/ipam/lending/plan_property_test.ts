import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { IPV4, type Ipv4, parseCidr, RangeSet } from "../../ip/mod.ts";
import type { LendingFacts } from "./facts.ts";
import { planLoans } from "./plan.ts";

const SIZE = 20;
const CIDR = expectOk(parseCidr(IPV4, "10.6.0.0/24"), "a network");
const NAMES = ["a", "b", "c", "d"];

function at(offset: number): Ipv4 {
  return IPV4.advance(CIDR.first, offset);
}

function setOf(offsets: Iterable<number>): RangeSet<Ipv4> {
  return RangeSet.ofAddresses(IPV4, Array.from(offsets, at));
}

/** Everything as one record an address: which pool is lent it. */
interface World {
  /** By offset; "" for none. */
  readonly lent: readonly string[];
  /** By offset: the pool that has it in its spec. */
  readonly has: readonly string[];
  readonly total: readonly boolean[];
  readonly unlendable: readonly boolean[];
  readonly automatic: readonly boolean[];
  readonly wanted: readonly (number | undefined)[];
  /** Pools that are not there: of each, whether that is for good. */
  readonly absent: readonly ("no" | "gone" | "unsure")[];
  readonly isTerminating: boolean;
}

function flags(length: number): fc.Arbitrary<boolean[]> {
  return fc.array(fc.boolean(), { minLength: length, maxLength: length });
}

function perPool<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(value, { minLength: NAMES.length, maxLength: NAMES.length });
}

const owner = fc.constantFrom("", "", ...NAMES);
const world: fc.Arbitrary<World> = fc.record({
  lent: fc.array(owner, { minLength: SIZE, maxLength: SIZE }),
  has: fc.array(owner, { minLength: SIZE, maxLength: SIZE }),
  total: flags(SIZE),
  unlendable: flags(SIZE),
  automatic: flags(NAMES.length),
  wanted: perPool(fc.option(fc.nat({ max: 8 }), { nil: undefined })),
  absent: perPool(
    fc.constantFrom("no" as const, "no" as const, "gone" as const, "unsure" as const),
  ),
  isTerminating: fc.boolean(),
});

function offsetsOf(owners: readonly string[], name: string): readonly number[] {
  return owners.flatMap((one, offset) => one === name ? [offset] : []);
}

function factsOf(world: World): LendingFacts<Ipv4> {
  const { lent, has, total, unlendable, automatic, wanted, absent, isTerminating } = world;
  const set = (flags: readonly boolean[]) => setOf(flags.flatMap((is, at) => is ? [at] : []));
  const loans = new Map(
    NAMES.map((name) => [name, { addresses: setOf(offsetsOf(lent, name)) }] as const)
      .filter(([, { addresses }]) => !addresses.isEmpty),
  );
  return {
    version: 4,
    family: IPV4,
    cidr: CIDR,
    total: set(total),
    loans,
    isOurs: true,
    borrowers: NAMES.flatMap((name, index) => {
      if (absent[index] !== "no") return [];
      const isAutomatic = automatic[index] === true;
      return [{
        name,
        addresses: setOf(offsetsOf(has, name)),
        isAutomatic,
        isTerminating: false,
        isNew: false,
        called: name,
        wanted: isAutomatic ? wanted[index] : undefined,
      }];
    }),
    isTerminating,
    isGone: (name) => absent[NAMES.indexOf(name)] === "gone",
    unlendable: () => set(unlendable),
    useOf: () => ({ used: setOf([]), held: setOf([]) }),
  };
}

/** The obvious twin: address by address. @returns By offset, the pool that is lent it. */
function twin(world: World): readonly string[] {
  const { has, total, unlendable, automatic, wanted, absent, isTerminating } = world;
  const isGivenUp = world.lent.map((name, offset) => {
    const index = NAMES.indexOf(name);
    return absent[index] === "no" && !automatic[index] && has[offset] !== name;
  });
  const lent = world.lent.map((name, offset) => {
    const index = NAMES.indexOf(name);
    if (index < 0 || absent[index] === "unsure") return name;
    if (absent[index] === "gone") return "";
    return automatic[index] || has[offset] === name ? name : "";
  });
  for (const [offset, name] of has.entries()) {
    if (absent[NAMES.indexOf(name)] !== "no") continue;
    if (lent[offset] === "" && total[offset]) lent[offset] = name;
  }
  for (const [index, name] of NAMES.entries()) {
    const count = wanted[index];
    if (absent[index] !== "no" || !automatic[index] || count === undefined) continue;
    if (isTerminating) continue;
    const need = count - offsetsOf(lent, name).length;
    const free = lent.flatMap((who, offset) =>
      who === "" && total[offset] && !unlendable[offset] && !isGivenUp[offset] ? [offset] : []
    );
    if (need <= 0 || free.length < need) continue;
    for (const offset of free.slice(0, need)) lent[offset] = name;
  }
  return lent;
}

Deno.test("property: planLoans() lends as a look at each address does", () => {
  fc.assert(
    fc.property(world, (world) => {
      const { loans } = planLoans(factsOf(world));
      const planned = Array.from({ length: SIZE }, (_, offset) => {
        const names = NAMES.filter((name) => loans.get(name)?.addresses.has(at(offset)));
        assert.ok(names.length <= 1, `${names} are lent one address`);
        return names[0] ?? "";
      });
      assert.deepEqual(planned, twin(world));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("property: planLoans() of what it planned changes nothing", () => {
  fc.assert(
    fc.property(world, (world) => {
      const facts = factsOf(world);
      const { loans, unmet, givenUp } = planLoans(facts);
      const unlendable = () => facts.unlendable().union(givenUp);
      const again = planLoans({ ...facts, loans, unlendable });
      assert.equal(again.isChanged, false);
      assert.deepEqual(again.unmet.map(({ pool }) => pool), unmet.map(({ pool }) => pool));
    }),
    { numRuns: 1_000 },
  );
});
