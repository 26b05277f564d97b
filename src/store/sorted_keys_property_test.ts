import assert from "node:assert/strict";
import { seededRandom } from "../base/random.ts";
import { SortedKeys } from "./sorted_keys.ts";

Deno.test("property: SortedKeys equals a sorted array, through splits and empty chunks", () => {
  const random = seededRandom(5);
  const keys = new SortedKeys();
  const twin = new Set<string>();
  for (let step = 0; step < 20_000; step++) {
    // Growing first, then shrinking to nothing: chunks are split, thinned out and dropped.
    const grows = random.below(10) < (step < 12_000 ? 8 : 1);
    const key = `k${random.below(5_000)}`;
    if (grows) {
      assert.equal(keys.add(key), !twin.has(key));
      twin.add(key);
    } else {
      const [victim = key] = random.below(2) === 0 ? [key] : [...keys.from(key)];
      assert.equal(keys.delete(victim), twin.delete(victim));
    }
    assert.equal(keys.size, twin.size);
    if (step % 500 !== 0) continue;
    const sorted = [...twin].sort();
    assert.deepEqual([...keys.from("")], sorted);
    const start = `k${random.below(5_000)}`;
    assert.deepEqual([...keys.from(start)], sorted.filter((one) => one >= start));
  }
  for (const key of [...twin]) assert.ok(keys.delete(key));
  assert.deepEqual([...keys.from("")], []);
  assert.equal(keys.delete("k1"), false);
});
