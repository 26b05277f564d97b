import assert from "node:assert/strict";
import fc from "fast-check";
import { type Bundle, chooseWhole, isWhole, NO_SUPPLY, type Supply } from "./together.ts";

/** Subnets, and what each lends to which wish; a wish is called `application/subnet`. */
class World {
  readonly sizes: ReadonlyMap<string, number>;
  readonly lent = new Map<string, number>();
  /** Wishes whose pools pods use. */
  readonly used = new Set<string>();
  readonly begun = new Set<string>();

  constructor(sizes: Readonly<Record<string, number>>) {
    this.sizes = new Map(Object.entries(sizes));
  }

  free(subnet: string): number {
    let free = this.sizes.get(subnet) ?? 0;
    for (const [wish, count] of this.lent) if (wish.endsWith(`/${subnet}`)) free -= count;
    return free;
  }

  readonly supplyOf = (subnet: string): Supply | undefined => {
    if (!this.sizes.has(subnet)) return NO_SUPPLY;
    return {
      free: () => this.free(subnet),
      lentTo: (wish) => this.lent.get(wish) ?? 0,
      isMade: (wish) => this.lent.has(wish),
      isBlocked: () => false,
      spareOf: (wish) => this.used.has(wish) ? 0 : this.lent.get(wish) ?? 0,
    };
  };

  /** One choice, carried out. @returns Whether there was something to do. */
  choose(bundles: readonly Bundle[]): boolean {
    const { supplyOf, begun } = this;
    const { served, givenBack, applications } = chooseWhole(bundles, { supplyOf, begun });
    begun.clear();
    for (const uid of applications) begun.add(uid);
    const before = JSON.stringify([...this.lent]);
    for (const { wish, count } of bundles.flatMap(({ parts }) => parts)) {
      if (served.has(wish)) this.lent.set(wish, Math.max(count, this.lent.get(wish) ?? 0));
    }
    for (const wish of givenBack) this.lent.delete(wish);
    return JSON.stringify([...this.lent]) !== before;
  }
}

/** @param wants How many addresses of each Subnet. */
function bundle(
  application: string,
  wants: Readonly<Record<string, number>>,
  { created = "" }: { readonly created?: string } = {},
): Bundle {
  const parts = Object.entries(wants).map(([subnet, count]) => {
    return { subnet, wish: `${application}/${subnet}`, count };
  });
  return { application, created, parts };
}

Deno.test("chooseWhole() lends nothing to who cannot have all, and all to the next", () => {
  const world = new World({ s4: 3, s6: 1 });
  world.choose([bundle("a", { s4: 2, s6: 2 }), bundle("b", { s4: 3 })]);
  assert.deepEqual([...world.lent], [["b/s4", 3]]);
});

Deno.test("chooseWhole() serves who was chosen before, then the oldest", () => {
  const wants = { s4: 2, s6: 2 };
  const two = [
    bundle("a", wants, { created: "2026-11-28T00:00:01Z" }),
    bundle("b", wants, { created: "2026-11-28T00:00:00Z" }),
  ];
  const world = new World({ s4: 3, s6: 3 });
  world.choose(two);
  assert.deepEqual([...world.lent.keys()], ["b/s4", "b/s6"]);
  const other = new World({ s4: 3, s6: 3 });
  other.begun.add("a");
  other.choose(two);
  assert.deepEqual([...other.lent.keys()], ["a/s4", "a/s6"]);
});

Deno.test("chooseWhole() takes back a part of the younger of two that block each other", () => {
  const wants = { s4: 2, s6: 2 };
  const two = [bundle("a", wants), bundle("b", wants)];
  const world = new World({ s4: 3, s6: 3 });
  world.lent.set("a/s6", 2).set("b/s4", 2);
  while (world.choose(two));
  assert.deepEqual([...world.lent], [["a/s6", 2], ["a/s4", 2]]);

  const inUse = new World({ s4: 3, s6: 3 });
  inUse.lent.set("a/s6", 2).set("b/s4", 2);
  inUse.used.add("b/s4");
  while (inUse.choose(two));
  assert.deepEqual([...inUse.lent], [["b/s4", 2], ["b/s6", 2]], "what pods use stays");
});

Deno.test("chooseWhole() takes nothing from who has something of each, or for nobody", () => {
  const world = new World({ s4: 5, s6: 5 });
  world.lent.set("a/s4", 3).set("a/s6", 3);
  world.choose([bundle("a", { s4: 9, s6: 9 }), bundle("b", { s4: 4 })]);
  assert.deepEqual([...world.lent], [["a/s4", 3], ["a/s6", 3]]);
  const half = new World({ s4: 3, s6: 0 });
  half.lent.set("a/s4", 2);
  half.choose([bundle("a", { s4: 2, s6: 2 }), bundle("b", { s4: 4 })]);
  assert.deepEqual([...half.lent], [["a/s4", 2]], "it would help nobody");
});

Deno.test("chooseWhole() waits for a Subnet that nobody has looked at, and takes nothing", () => {
  const world = new World({ s4: 3 });
  world.lent.set("a/s4", 2);
  const supplyOf = (subnet: string): Supply | undefined => {
    return subnet === "s6" ? undefined : world.supplyOf(subnet);
  };
  const bundles = [bundle("a", { s4: 2, s6: 2 }), bundle("b", { s4: 3 })];
  const { served, givenBack } = chooseWhole(bundles, { supplyOf, begun: new Set() });
  assert.deepEqual([[...served], [...givenBack]], [[], []]);
});

const SUBNETS = ["s1", "s2", "s3"];
const size = fc.nat({ max: 6 });
const application = fc.record({
  wants: fc.dictionary(fc.constantFrom(...SUBNETS), fc.nat({ max: 4 }), { minKeys: 1 }),
  /** What it holds of each at first, and whether pods use that. */
  holds: fc.dictionary(fc.constantFrom(...SUBNETS), fc.boolean()),
  created: fc.constantFrom("1", "2"),
});

Deno.test("property: at rest nobody holds a part that would make another one whole", () => {
  fc.assert(
    fc.property(
      fc.tuple(size, size, size),
      fc.array(application, { maxLength: 5 }),
      ([s1, s2, s3], applications) => {
        const world = new World({ s1, s2, s3 });
        const bundles = applications.map(({ wants, created }, index) => {
          return bundle(`a${index}`, wants, { created });
        });
        for (const [index, { holds, wants }] of applications.entries()) {
          for (const [subnet, isUsed] of Object.entries(holds)) {
            const count = wants[subnet] ?? 0;
            if (count === 0 || world.free(subnet) < count) continue;
            world.lent.set(`a${index}/${subnet}`, count);
            if (isUsed) world.used.add(`a${index}/${subnet}`);
          }
        }
        let rounds = 0;
        while (world.choose(bundles)) assert.ok(++rounds < 20, "it comes to rest");
        for (const subnet of SUBNETS) {
          assert.ok(world.free(subnet) >= 0, `${subnet} lends too much`);
        }
        checkRest(world, bundles);
      },
    ),
    { numRuns: 3_000 },
  );
});

/** The obvious twin: what each could have if all that is of no use was given back. */
function checkRest(world: World, bundles: readonly Bundle[]): void {
  const isIdle = ({ parts }: Bundle): boolean =>
    parts.some(({ wish, count }) => count > 0 && !world.lent.has(wish));
  for (const one of bundles) {
    if (isWhole(one, world.supplyOf)) continue;
    const isPossible = one.parts.every(({ subnet, wish, count }) => {
      let room = world.free(subnet) + (world.lent.get(wish) ?? 0);
      for (const other of bundles.filter((other) => other !== one && isIdle(other))) {
        const part = other.parts.find((part) => part.subnet === subnet);
        if (part && !world.used.has(part.wish)) room += world.lent.get(part.wish) ?? 0;
      }
      return room >= count;
    });
    assert.ok(!isPossible, `${one.application} could be whole beside ${[...world.lent]}`);
  }
}
