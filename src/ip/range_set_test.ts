import assert from "node:assert/strict";
import { AssertionError } from "../base/assert.ts";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import { type Family, IPV4, IPV6, parseRangeSet, RangeSet } from "./mod.ts";
import type { Address, Ipv4, Ipv6 } from "./mod.ts";

function setOf<A extends Address>(family: Family<A>, ...texts: string[]): RangeSet<A> {
  return expectOk(parseRangeSet(family, texts), texts.join());
}
function four(text: string): Ipv4 {
  return expectOk(IPV4.parse(text), text);
}
function six(text: string): Ipv6 {
  return expectOk(IPV6.parse(text), text);
}

Deno.test("RangeSet gives what is free of a pool: ranges - excluded - reserved - taken", () => {
  const free = setOf(IPV4, "10.6.0.10-10.6.0.20")
    .subtract(setOf(IPV4, "10.6.0.15"))
    .subtract(setOf(IPV4, "10.6.0.0-10.6.0.11", "10.9.0.0-10.9.255.255"))
    .subtract(RangeSet.ofAddresses(IPV4, [four("10.6.0.20"), four("10.6.0.13")]));
  assert.deepEqual(free.toTexts(), ["10.6.0.12", "10.6.0.14", "10.6.0.16-10.6.0.19"]);
  assert.equal(String(free), "10.6.0.12,10.6.0.14,10.6.0.16-10.6.0.19");
  assert.equal(free.size, 6);
  assert.equal(free.rangeCount, 3);
  assert.equal(free.nth(2), four("10.6.0.16"));
  assert.equal(free.indexOf(four("10.6.0.19")), 5);
  assert.equal(free.indexOf(four("10.6.0.15")), undefined);
});

Deno.test("RangeSet holds a whole family and its edges", () => {
  const all = setOf(IPV4, "0.0.0.0-255.255.255.255");
  assert.equal(all.size, 2 ** 32);
  assert.equal(all.nth(2 ** 32 - 1), IPV4.last);
  assert.equal(all.with(IPV4.last), all);
  assert.deepEqual(all.without(IPV4.first).without(IPV4.last).toTexts(), [
    "0.0.0.1-255.255.255.254",
  ]);
  assert.deepEqual(all.subtract(setOf(IPV4, "0.0.0.0", "255.255.255.255")).toTexts(), [
    "0.0.0.1-255.255.255.254",
  ]);
  assert.equal(all.subtract(all).isEmpty, true);

  const wide = RangeSet.of(IPV6, [IPV6]);
  assert.equal(wide.size, 1n << 128n);
  assert.equal(wide.indexOf(IPV6.last), (1n << 128n) - 1n);
  assert.equal(wide.lowestOutside(wide), undefined);
  assert.equal(wide.without(IPV6.last).with(IPV6.last).equals(wide), true);
});

Deno.test("RangeSet without members answers every question", () => {
  const none = RangeSet.empty(IPV6);
  assert.equal(none.size, 0n);
  assert.equal(none.isEmpty, true);
  assert.equal(none.lowest, undefined);
  assert.equal(none.highest, undefined);
  assert.equal(none.has(six("::")), false);
  assert.equal(none.pick(seededRandom(1)), undefined);
  assert.equal(none.lowestOutside(none), undefined);
  assert.equal(none.slice({ from: 0n, count: 5n }).isEmpty, true);
  assert.equal(none.without(six("::")), none);
  assert.deepEqual(none.toTexts(), []);
  assert.equal(none.equals(setOf(IPV6, "::").without(six("::"))), true);
  assert.equal(none.includes(none), true);
  assert.deepEqual(none.with(six("::1")).toTexts(), ["::1"]);
});

Deno.test("RangeSet.with() and without() return the same set when nothing changes", () => {
  const set = setOf(IPV4, "10.0.0.1-10.0.0.9");
  assert.equal(set.with(four("10.0.0.5")), set);
  assert.equal(set.without(four("10.0.0.10")), set);
  assert.equal(set.withRange({ first: four("10.0.0.1"), last: four("10.0.0.9") }), set);
});

Deno.test("RangeSet.with() joins what it touches on both sides", () => {
  const set = setOf(IPV4, "10.0.0.1-10.0.0.4", "10.0.0.6-10.0.0.9");
  assert.deepEqual(set.with(four("10.0.0.5")).toTexts(), ["10.0.0.1-10.0.0.9"]);
  assert.deepEqual(set.with(four("10.0.0.0")).toTexts(), [
    "10.0.0.0-10.0.0.4",
    "10.0.0.6-10.0.0.9",
  ]);
});

Deno.test("RangeSet.nth() asserts that its index is inside", () => {
  const set = setOf(IPV4, "10.0.0.1-10.0.0.9");
  for (const index of [9, -1, Number.NaN]) assert.throws(() => set.nth(index), AssertionError);
  assert.throws(() => set.nth(0.5), AssertionError);
  assert.throws(() => RangeSet.empty(IPV6).nth(0n), AssertionError);
});

Deno.test("RangeSet asserts that no range it is given is reversed", () => {
  const reversed = { first: four("10.0.0.9"), last: four("10.0.0.1") };
  assert.throws(() => RangeSet.of(IPV4, [reversed]), AssertionError);
  assert.throws(() => RangeSet.empty(IPV4).withRange(reversed), AssertionError);
  assert.throws(() => RangeSet.empty(IPV4).withoutRange(reversed), AssertionError);
});

Deno.test("RangeSet.lowestOutside() jumps over what is taken", () => {
  const pool = setOf(IPV6, "fd00::-fd00:0:0:ffff:ffff:ffff:ffff:ffff");
  assert.equal(pool.lowestOutside(RangeSet.empty(IPV6)), six("fd00::"));
  assert.equal(pool.lowestOutside(setOf(IPV6, "fd00::-fd00::9", "fd00::b")), six("fd00::a"));
  assert.equal(pool.lowestOutside(pool), undefined);
});

Deno.test("RangeSet.slice() lends the lowest addresses of a /8 without expanding it", () => {
  const pool = setOf(IPV4, "10.0.0.0-10.255.255.255").without(four("10.0.0.3"));
  assert.deepEqual(pool.slice({ from: 0, count: 5 }).toTexts(), [
    "10.0.0.0-10.0.0.2",
    "10.0.0.4-10.0.0.5",
  ]);
  assert.deepEqual(pool.slice({ from: 2 ** 24 - 2, count: 2 ** 32 }).toTexts(), [
    "10.255.255.255",
  ]);
});

Deno.test("RangeSet takes tens of thousands of single addresses one by one", () => {
  let taken = RangeSet.empty(IPV6);
  const base = six("2001:db8::");
  for (let index = 0; index < 30_000; index++) {
    taken = taken.with(IPV6.advance(base, BigInt((index * 7919) % 30_000) * 2n));
  }
  assert.equal(taken.size, 30_000n);
  assert.equal(taken.rangeCount, 30_000);
  assert.equal(taken.nth(29_999n), IPV6.advance(base, 59_998n));
});

Deno.test("the families do not mix: the compiler refuses it", () => {
  const [fours, sixes] = [setOf(IPV4, "10.0.0.1"), setOf(IPV6, "fd00::1")];
  // @ts-expect-error: a set of the other family
  assert.throws(() => fours.union(sixes).nth(0), TypeError);
  // @ts-expect-error: an address of the other family
  assert.equal(fours.has(six("::")), false);
  // @ts-expect-error: a plain number is no address
  assert.equal(fours.has(0), false);
  // @ts-expect-error: sizes of IPv6 sets are bigints
  const size: number = sixes.size;
  assert.equal(size, 1n);
});
