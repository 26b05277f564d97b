/** Leaders that crash after any step, with writes that come late: what must hold all the time. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { IPV4, type Ipv4, parseCidr, RangeSet } from "../../ip/mod.ts";
import type { LendingFacts, Loan } from "./facts.ts";
import { type LendingReply, type LendingStep, lendingSteps, victimsOf } from "./steps.ts";

const SIZE = 12;
const CIDR = expectOk(parseCidr(IPV4, "10.6.0.0/24"), "a network");
const ALL = setOf(Array.from({ length: SIZE }, (_, offset) => offset));
const AUTOMATIC = ["a", "b"];
const BY_HAND = ["x", "y"];
/** Pools that applications want and that a leader has to make. */
const TO_MAKE = ["m", "n"];

function setOf(offsets: readonly number[]): RangeSet<Ipv4> {
  return RangeSet.ofAddresses(IPV4, offsets.map((offset) => IPV4.advance(CIDR.first, offset)));
}

interface Pool {
  readonly version: number;
  readonly addresses: RangeSet<Ipv4>;
}

/** A write that was sent and is not carried out yet. */
interface Late {
  readonly write: () => void;
  /** The pool that it makes. */
  readonly makes?: string | undefined;
}

/** What is stored, and what is on its way. */
class World {
  recordVersion = 0;
  /** Who wrote the record last. */
  lender = 0;
  /** Who leads. */
  leader = 1;
  loans = new Map<string, Loan<Ipv4>>();
  /** Whether the record was lost and nobody wrote it since. */
  isLost = false;
  readonly pools = new Map<string, Pool>();
  readonly wanted = new Map<string, number>();
  /** SpiderIPs: the pool, and whether the address is only held. */
  readonly claims = new Map<Ipv4, { readonly pool: string; readonly isHold: boolean }>();
  readonly late: Late[] = [];
  #version = 0;

  constructor() {
    for (const name of AUTOMATIC) this.#setPool(name, setOf([]));
  }

  /** What a leader reads. */
  facts(): LendingFacts<Ipv4> {
    const claimed = (isWanted: (pool: string, isHold: boolean) => boolean) =>
      RangeSet.ofAddresses(
        IPV4,
        [...this.claims].filter(([, { pool, isHold }]) => isWanted(pool, isHold))
          .map(([address]) => address),
      );
    const names = new Set(this.pools.keys());
    return {
      version: 4,
      family: IPV4,
      cidr: CIDR,
      total: ALL,
      loans: new Map(this.loans),
      isOurs: this.lender === this.leader,
      borrowers: [
        ...Array.from(this.pools, ([name, { addresses }]) => ({
          name,
          addresses,
          isNew: false,
          wanted: this.wanted.get(name),
        })),
        ...TO_MAKE.filter((name) => this.wanted.has(name) && !names.has(name))
          .map((name) => ({
            name,
            addresses: setOf([]),
            isNew: true,
            wanted: this.wanted.get(name),
          })),
      ].map((borrower) => ({
        ...borrower,
        called: borrower.name,
        isAutomatic: !BY_HAND.includes(borrower.name),
        isTerminating: false,
      })),
      isTerminating: false,
      // A leader waits until nobody can be about to make a pool any more.
      isGone: (name) => !names.has(name) && !this.late.some(({ makes }) => makes === name),
      unlendable: () => claimed(() => true),
      useOf: (name) => ({
        used: claimed((pool, isHold) => pool === name && !isHold),
        held: claimed((pool, isHold) => pool === name && isHold),
      }),
    };
  }

  /**
   * A look of the one who leads.
   *
   * @param options.steps After so many steps it dies; of the last write nothing is known to it.
   * @param options.isLate Whether that last write is carried out much later, if ever.
   */
  look({ steps, isLate }: { readonly steps: number; readonly isLate: boolean }): void {
    const versions = new Map(Array.from(this.pools, ([name, { version }]) => [name, version]));
    const seen = { record: this.recordVersion, pools: versions, leader: this.leader };
    const running = lendingSteps(this.facts());
    let next = running.next();
    for (let count = 0; next.done !== true; count++) {
      const step = next.value;
      if (count === steps) {
        // Each part of a step is a request of its own; here the first of two may be lost.
        if (isLate) this.late.push(...this.#requests(step, seen));
        this.leader++;
        return;
      }
      next = running.next(this.#perform(step, seen));
      this.check();
    }
  }

  hold(step: LendingStep<Ipv4> & { readonly kind: "hold" }): ReadonlyMap<string, RangeSet<Ipv4>> {
    return new Map(Array.from(step.wishes, ([pool, wish]) => {
      let held = setOf([]);
      for (const { first, last } of victimsOf(wish)) {
        for (let address = first; address <= last; address = IPV4.next(address)) {
          const known = this.claims.get(address);
          if (known !== undefined && !(known.isHold && known.pool === pool)) continue;
          this.claims.set(address, { pool, isHold: true });
          held = held.with(address);
        }
      }
      return [pool, held];
    }));
  }

  #perform(step: LendingStep<Ipv4>, seen: Seen): LendingReply<Ipv4> {
    switch (step.kind) {
      case "record":
        return { kind: "record", isDone: this.#writeRecord(step.loans, seen) };
      case "pools": {
        const written = [...step.ranges].filter(([name, addresses]) => {
          return this.#writePool(name, { addresses, seen });
        });
        return { kind: "pools", written: new Set(written.map(([name]) => name)) };
      }
      case "hold":
        return { kind: "hold", held: this.hold(step) };
    }
  }

  #requests(step: LendingStep<Ipv4>, seen: Seen): readonly Late[] {
    switch (step.kind) {
      case "record":
        return [{ write: () => void this.#writeRecord(step.loans, seen) }];
      case "pools":
        return Array.from(step.ranges, ([name, addresses]) => ({
          write: () => void this.#writePool(name, { addresses, seen }),
          makes: seen.pools.has(name) ? undefined : name,
        }));
      case "hold":
        return [{ write: () => void this.hold(step) }];
    }
  }

  #writeRecord(loans: ReadonlyMap<string, Loan<Ipv4>>, seen: Seen): boolean {
    if (seen.record !== this.recordVersion) return false;
    this.loans = new Map(loans);
    this.lender = seen.leader;
    seen.record = this.recordVersion = ++this.#version;
    this.isLost = false;
    return true;
  }

  #writePool(
    name: string,
    { addresses, seen }: { readonly addresses: RangeSet<Ipv4>; readonly seen: Seen },
  ): boolean {
    const before = this.pools.get(name);
    if (before?.version !== seen.pools.get(name)) return false;
    if (before === undefined) {
      seen.pools.set(name, this.#setPool(name, addresses));
      return true;
    }
    for (const { first, last } of before.addresses.subtract(addresses)) {
      for (let address = first; address <= last; address = IPV4.next(address)) {
        assert.ok(this.claims.has(address), "what a pool gives back was held");
      }
    }
    seen.pools.set(name, this.#setPool(name, addresses));
    return true;
  }

  /** What a person may write: admission lets no other address through. */
  write(name: string, addresses: RangeSet<Ipv4>): void {
    let lent = setOf([]);
    for (const [pool, loan] of this.loans) {
      if (pool !== name) lent = lent.union(loan.addresses);
    }
    for (const [pool, other] of this.pools) {
      if (pool !== name) lent = lent.union(other.addresses);
    }
    this.#setPool(name, addresses.subtract(lent));
  }

  /** Not while a pool is being made, of which only its record can tell (docs/decisions/0014). */
  loseRecord(): void {
    if (this.late.some(({ makes }) => makes !== undefined)) return;
    this.loans = new Map();
    this.recordVersion = ++this.#version;
    this.isLost = true;
  }

  #setPool(name: string, addresses: RangeSet<Ipv4>): number {
    const version = ++this.#version;
    this.pools.set(name, { version, addresses });
    return version;
  }

  check(): void {
    let lent = setOf([]);
    for (const [name, { addresses }] of this.loans) {
      assert.ok(!lent.intersects(addresses), `"${name}" is lent what another pool is lent`);
      lent = lent.union(addresses);
    }
    assert.ok(ALL.includes(lent), "what is lent is the subnet's");
    if (this.isLost) return;
    for (const name of [...AUTOMATIC, ...TO_MAKE]) {
      const has = this.pools.get(name)?.addresses ?? setOf([]);
      const loan = this.loans.get(name)?.addresses ?? setOf([]);
      assert.ok(loan.includes(has), `"${name}" has ${has} and is lent ${loan}`);
    }
  }

  /** Nothing goes wrong any more, and no pod is left. */
  rest(): void {
    this.late.length = 0;
    for (const [address] of this.claims) this.claims.delete(address);
    for (let count = 0; count < 4; count++) {
      this.look({ steps: Infinity, isLate: false });
      this.claims.clear();
    }
    for (const [name, { addresses }] of this.pools) {
      const loan = this.loans.get(name)?.addresses ?? setOf([]);
      const wanted = this.wanted.get(name);
      if (!BY_HAND.includes(name)) {
        assert.ok(loan.equals(addresses), `"${name}" has ${addresses} and is lent ${loan}`);
        assert.ok(wanted === undefined || loan.size <= wanted || wanted > SIZE, "it is too large");
      } else assert.ok(addresses.includes(loan), "the record follows the person");
    }
    const free = SIZE - [...this.loans.values()].reduce((sum, one) => sum + one.addresses.size, 0);
    for (const name of this.loans.keys()) assert.ok(this.pools.has(name), `"${name}" is not made`);
    for (const [name, wanted] of this.wanted) {
      const size = this.loans.get(name)?.addresses.size ?? 0;
      assert.ok(size >= wanted || wanted - size > free, `"${name}" wants ${wanted}, has ${size}`);
    }
  }
}

interface Seen {
  readonly leader: number;
  record: number;
  readonly pools: Map<string, number>;
}

const offset = fc.nat({ max: SIZE - 1 });
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("look" as const),
      steps: fc.constantFrom(0, 1, 2, 3, 4, Infinity, Infinity),
      isLate: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wish" as const),
      name: fc.constantFrom(...AUTOMATIC, ...TO_MAKE),
      wanted: fc.nat({ max: SIZE }),
    }),
  },
  fc.record({ kind: fc.constant("unwish" as const), name: fc.constantFrom(...TO_MAKE) }),
  fc.record({ kind: fc.constant("arrive" as const), pick: fc.nat() }),
  fc.record({
    kind: fc.constant("take" as const),
    name: fc.constantFrom(...AUTOMATIC, ...TO_MAKE),
    pick: fc.nat(),
  }),
  fc.record({ kind: fc.constant("release" as const), offset }),
  fc.record({
    kind: fc.constant("write" as const),
    name: fc.constantFrom(...BY_HAND),
    offsets: fc.uniqueArray(offset, { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("remove" as const), name: fc.constantFrom(...BY_HAND) }),
  fc.record({ kind: fc.constant("lose" as const) }),
);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function perform(world: World, operation: Operation): void {
  switch (operation.kind) {
    case "look":
      return world.look(operation);
    case "wish":
      return void world.wanted.set(operation.name, operation.wanted);
    case "arrive":
      world.late.splice(operation.pick % (world.late.length + 1), 1).forEach(({ write }) =>
        write()
      );
      return;
    case "unwish":
      world.wanted.delete(operation.name);
      // What no pod uses goes with its application.
      if ([...world.claims.values()].every(({ pool }) => pool !== operation.name)) {
        world.pools.delete(operation.name);
      }
      return;
    case "take": {
      const { addresses } = world.pools.get(operation.name) ?? { addresses: setOf([]) };
      if (addresses.isEmpty) return;
      const address = addresses.nth(operation.pick % addresses.size);
      if (world.claims.has(address)) return;
      return void world.claims.set(address, { pool: operation.name, isHold: false });
    }
    case "release":
      return void world.claims.delete(IPV4.advance(CIDR.first, operation.offset));
    case "write":
      return world.write(operation.name, setOf(operation.offsets));
    case "remove":
      return void world.pools.delete(operation.name);
    case "lose":
      return world.loseRecord();
  }
}

/** A leader dies while its smaller record is on the way; the next while it rolls that forward. */
const LATE_RECORD: readonly Operation[] = [
  { kind: "wish", name: "a", wanted: 3 },
  { kind: "look", steps: Infinity, isLate: false },
  { kind: "wish", name: "a", wanted: 1 },
  { kind: "look", steps: 2, isLate: true },
  { kind: "look", steps: 2, isLate: false },
  { kind: "arrive", pick: 0 },
];

/** A leader dies while it makes a pool, the next before it does; then the first one's is made. */
const LATE_POOL: readonly Operation[] = [
  { kind: "wish", name: "m", wanted: 3 },
  { kind: "look", steps: 1, isLate: true },
  { kind: "wish", name: "m", wanted: 1 },
  { kind: "look", steps: 1, isLate: false },
  { kind: "arrive", pick: 0 },
];

Deno.test("property: what is lent is exact under crashes at every step and late writes", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const world = new World();
      for (const operation of operations) {
        perform(world, operation);
        world.check();
      }
      world.rest();
      world.check();
    }),
    { numRuns: 2_000, examples: [[[...LATE_RECORD]], [[...LATE_POOL]]] },
  );
});
