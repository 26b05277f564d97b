import assert from "node:assert/strict";
import fc from "fast-check";
import { poolOf } from "../../tests/support/pool_objects.ts";
import { OverlapBook } from "./overlap_book.ts";

function aged(name: string, { ips, second, generation = 1, deletionTimestamp }: {
  readonly ips: readonly string[];
  readonly second: number;
  readonly generation?: number;
  readonly deletionTimestamp?: string | undefined;
}) {
  const creationTimestamp = new Date(Date.UTC(2025, 0, 1, 0, 0, second)).toISOString();
  return poolOf({ name, ips, metadata: { creationTimestamp, generation, deletionTimestamp } });
}

Deno.test("OverlapBook names the older pool and the shared addresses", () => {
  const book = new OverlapBook();
  book.set(aged("b", { ips: ["10.6.0.1-10.6.0.9"], second: 1 }));
  const affected = book.set(aged("a", { ips: ["10.6.0.5-10.6.0.20"], second: 2 }));
  assert.deepEqual([...affected].sort(), ["a", "b"]);
  assert.equal(book.reasonOf("b"), undefined);
  assert.equal(
    book.reasonOf("a"),
    'spec.ips shares 10.6.0.5-10.6.0.9 with the older pool "b": take them away from one of the two',
  );
});

Deno.test("OverlapBook minds no pool that goes, is broken or is of the other family", () => {
  const book = new OverlapBook();
  const deletionTimestamp = "2025-01-01T00:00:00Z";
  book.set(aged("going", { ips: ["10.6.0.1"], second: 1, deletionTimestamp }));
  book.set(aged("broken", { ips: ["10.7.0.1"], second: 1 }));
  book.set(poolOf({ name: "six", ipVersion: 6 }));
  book.set(aged("a", { ips: ["10.6.0.1"], second: 2 }));
  for (const name of ["going", "broken", "six", "a"]) assert.equal(book.reasonOf(name), undefined);
});

Deno.test("property: OverlapBook says after every change what a new one would say", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const low = fc.integer({ min: 0, max: 20 });
  const change = fc.record({
    name,
    low,
    size: fc.integer({ min: 0, max: 8 }),
    isGone: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
    const book = new OverlapBook();
    const pools = new Map<string, ReturnType<typeof aged>>();
    const said = new Map<string, string | undefined>();
    for (const [index, { name, low, size, isGone }] of changes.entries()) {
      const pool = aged(name, {
        ips: [`10.6.0.${low}-10.6.0.${low + size}`],
        second: name.charCodeAt(0) % 2,
        generation: index + 1,
      });
      const affected = isGone ? book.delete(name) : book.set(pool);
      if (isGone) pools.delete(name);
      else pools.set(name, pool);
      const fresh = new OverlapBook();
      for (const one of pools.values()) fresh.set(one);
      for (const one of ["a", "b", "c", "d"]) {
        const reason = book.reasonOf(one);
        assert.equal(reason, fresh.reasonOf(one), one);
        if (reason !== said.get(one) && one !== name) assert.ok(affected.has(one), one);
        said.set(one, reason);
      }
    }
  }));
});
