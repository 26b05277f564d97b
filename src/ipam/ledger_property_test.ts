import assert from "node:assert/strict";
import fc from "fast-check";
import { seededRandom } from "../base/random.ts";
import { IPV4, type Ipv4, RangeSet } from "../ip/mod.ts";
import { PoolLedger } from "./ledger.ts";

const SIZE = 24;

function at(offset: number): Ipv4 {
  return IPV4.advance(IPV4.networkOf(IPV4.last, 8), offset);
}

/** The obvious twin: one record an address. */
class Twin {
  readonly inFlight = new Set<number>();
  readonly own = new Set<number>();
  readonly refused = new Map<number, number>();
  listed = new Set<number>();
  readonly releasedMs = new Map<number, number>();
  begunMs = -Infinity;
  readonly #pool: ReadonlySet<number>;
  readonly #reserved: ReadonlySet<number>;

  constructor(pool: ReadonlySet<number>, reserved: ReadonlySet<number>) {
    this.#pool = pool;
    this.#reserved = reserved;
  }

  isFree(offset: number): boolean {
    return this.#pool.has(offset) && !this.#reserved.has(offset) && !this.inFlight.has(offset) &&
      !this.own.has(offset) && !this.refused.has(offset) && !this.listed.has(offset);
  }

  freeCount(): number {
    return Array.from({ length: SIZE }, (_, offset) => offset).filter((one) => this.isFree(one))
      .length;
  }

  list(begunMs: number, addresses: readonly number[]): void {
    if (begunMs < this.begunMs) return;
    this.begunMs = begunMs;
    this.listed = new Set(
      addresses.filter((one) => (this.releasedMs.get(one) ?? -Infinity) < begunMs),
    );
    for (const [one, ms] of this.refused) if (ms < begunMs) this.refused.delete(one);
  }
}

const offset = fc.integer({ min: 0, max: SIZE - 1 });
const operation = fc.oneof(
  fc.record({ kind: fc.constant("choose" as const), seed: fc.nat() }),
  fc.record({
    kind: fc.constant("settle" as const),
    pick: fc.nat(),
    outcome: fc.constantFrom("claimed" as const, "dropped" as const, "refused" as const),
  }),
  fc.record({ kind: fc.constant("release" as const), pick: fc.nat() }),
  fc.record({ kind: fc.constant("avoid" as const), offset, forMs: fc.nat({ max: 5 }) }),
  fc.record({
    kind: fc.constant("list" as const),
    agoMs: fc.nat({ max: 3 }),
    addresses: fc.array(offset, { maxLength: 8 }),
  }),
);

Deno.test("property: a ledger gives exactly what its slow twin calls free", () => {
  fc.assert(fc.property(
    fc.uniqueArray(offset, { minLength: 1 }),
    fc.uniqueArray(offset, { maxLength: 4 }),
    fc.array(operation, { maxLength: 60 }),
    (pool, reserved, operations) => {
      const space = {
        addresses: RangeSet.ofAddresses(IPV4, pool.map(at)),
        reserved: RangeSet.ofAddresses(IPV4, reserved.map(at)),
      };
      const ledger = new PoolLedger(IPV4, { space, node: "n1" });
      const twin = new Twin(new Set(pool), new Set(reserved));
      for (const [step, one] of operations.entries()) {
        perform(one, { ledger, twin, nowMs: step });
        assert.equal(ledger.counts().free, String(twin.freeCount()));
        assert.equal(ledger.isEmpty, twin.freeCount() === 0);
      }
    },
  ));
});

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function perform(
  one: Operation,
  { ledger, twin, nowMs }: {
    readonly ledger: PoolLedger<Ipv4>;
    readonly twin: Twin;
    readonly nowMs: number;
  },
): void {
  switch (one.kind) {
    case "choose": {
      const chosen = ledger.choose(seededRandom(one.seed), nowMs);
      assert.equal(chosen === undefined, twin.freeCount() === 0);
      if (chosen === undefined) return;
      const found = chosen - at(0);
      assert.equal(twin.isFree(found), true, "it was free");
      twin.inFlight.add(found);
      return;
    }
    case "settle": {
      const flying = [...twin.inFlight];
      const found = flying[one.pick % Math.max(1, flying.length)];
      if (found === undefined) return;
      twin.inFlight.delete(found);
      if (one.outcome === "refused") {
        ledger.settle(at(found), { kind: "refused", nowMs });
        twin.refused.set(found, nowMs);
      } else {
        ledger.settle(at(found), { kind: one.outcome });
        if (one.outcome === "claimed") {
          twin.own.add(found);
          twin.releasedMs.delete(found);
        }
      }
      return;
    }
    case "release": {
      const own = [...twin.own];
      const found = own[one.pick % Math.max(1, own.length)];
      if (found === undefined) return;
      ledger.released(at(found), nowMs);
      twin.own.delete(found);
      twin.refused.delete(found);
      twin.listed.delete(found);
      twin.releasedMs.set(found, nowMs);
      return;
    }
    case "avoid":
      return ledger.avoid(at(one.offset), nowMs + one.forMs);
    case "list": {
      const begunMs = nowMs - one.agoMs;
      ledger.listed({ begunMs, costMs: 1, addresses: one.addresses.map(at), nodes: [] });
      twin.list(begunMs, one.addresses);
    }
  }
}
