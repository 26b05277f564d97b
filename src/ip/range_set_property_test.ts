/**
 * `RangeSet` against a slow obvious twin: a `Set` of offsets in a small window of addresses. The
 * windows lie at both ends of each family, and where numbers change their shape: 2^31, 2^64.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { seededRandom } from "../base/random.ts";
import { expectOk } from "../base/result.ts";
import {
  type Address,
  type Family,
  IPV4,
  IPV6,
  parseRangeSet,
  type Range,
  RangeSet,
} from "./mod.ts";
import { BLOCK_RANGES_MAX } from "./range_block.ts";

type Offsets = ReadonlySet<number>;

/** `width` addresses from `base` on. The twin speaks of offsets into it. */
interface Window<A extends Address> {
  readonly family: Family<A>;
  readonly base: A;
  readonly width: number;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function windowAt<A extends Address>(family: Family<A>, text: string, width = 48): Window<A> {
  return { family, base: expectOk(family.parse(text), text), width };
}

const IPV4_WINDOWS = [
  windowAt(IPV4, "0.0.0.0"),
  windowAt(IPV4, "10.6.0.0"),
  windowAt(IPV4, "127.255.255.232"),
  windowAt(IPV4, "255.255.255.208"),
];
const IPV6_WINDOWS = [
  windowAt(IPV6, "::"),
  windowAt(IPV6, "fd00:6::"),
  windowAt(IPV6, "fd00:6:0:0:ffff:ffff:ffff:ffe8"),
  windowAt(IPV6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffd0"),
];

function at<A extends Address>({ family, base }: Window<A>, offset: number): A {
  return family.advance(base, family.count(offset));
}

function rangeOf<A extends Address>(window: Window<A>, { from, to }: Span): Range<A> {
  return { first: at(window, from), last: at(window, to) };
}

function setOf<A extends Address>(window: Window<A>, spans: readonly Span[]): RangeSet<A> {
  return RangeSet.of(window.family, spans.map((span) => rangeOf(window, span)));
}

function twinOf(spans: readonly Span[]): Set<number> {
  const offsets = new Set<number>();
  for (const { from, to } of spans) for (let at = from; at <= to; at++) offsets.add(at);
  return offsets;
}

/** The runs of a twin: what the fewest ranges are. */
function runsOf(offsets: Offsets): Span[] {
  const runs: { from: number; to: number }[] = [];
  for (const offset of [...offsets].sort((one, other) => one - other)) {
    const run = runs.at(-1);
    if (run !== undefined && run.to + 1 === offset) run.to = offset;
    else runs.push({ from: offset, to: offset });
  }
  return runs;
}

/** Same members, as the fewest ranges: everything else follows from the ranges. */
function assertSame<A extends Address>(window: Window<A>, set: RangeSet<A>, twin: Offsets): void {
  assert.deepEqual([...set], runsOf(twin).map((span) => rangeOf(window, span)));
  assert.equal(set.size, window.family.count(twin.size));
  assert.equal(set.isEmpty, twin.size === 0);
}

/** Every question a set answers, asked for every address of the window. */
function assertAnswers<A extends Address>(
  window: Window<A>,
  set: RangeSet<A>,
  twin: Offsets,
): void {
  const sorted = [...twin].sort((one, other) => one - other);
  const [lowest] = sorted;
  const highest = sorted.at(-1);
  assert.equal(set.lowest, lowest === undefined ? undefined : at(window, lowest));
  assert.equal(set.highest, highest === undefined ? undefined : at(window, highest));
  assert.equal(set.rangeCount, runsOf(twin).length);
  for (const [index, offset] of sorted.entries()) {
    assert.equal(set.nth(window.family.count(index)), at(window, offset));
  }
  for (let offset = 0; offset < window.width; offset++) {
    const index = sorted.indexOf(offset);
    assert.equal(set.has(at(window, offset)), twin.has(offset));
    assert.equal(
      set.indexOf(at(window, offset)),
      index < 0 ? undefined : window.family.count(index),
    );
  }
  assert.ok(
    set.equals(RangeSet.ofAddresses(window.family, sorted.map((each) => at(window, each)))),
  );
  assert.ok(expectOk(parseRangeSet(window.family, set.toTexts()), "own text").equals(set));
}

function spanOf(width: number): fc.Arbitrary<Span> {
  return fc.tuple(fc.nat(width - 1), fc.nat(width - 1))
    .map(([one, other]) => ({ from: Math.min(one, other), to: Math.max(one, other) }));
}

/** Short spans mostly, so that sets have many ranges. */
function spansOf(width: number): fc.Arbitrary<Span[]> {
  const short = fc.tuple(fc.nat(width - 1), fc.nat(2))
    .map(([from, length]) => ({ from, to: Math.min(from + length, width - 1) }));
  return fc.array(fc.oneof({ weight: 4, arbitrary: short }, spanOf(width)), { maxLength: 14 });
}

function forEachWindow(
  check: <A extends Address>(window: Window<A>) => void,
): void {
  for (const window of IPV4_WINDOWS) check(window);
  for (const window of IPV6_WINDOWS) check(window);
}

Deno.test("property: RangeSet answers as a set of its addresses does", () => {
  forEachWindow((window) => {
    fc.assert(fc.property(spansOf(window.width), (spans) => {
      const set = setOf(window, spans);
      assertSame(window, set, twinOf(spans));
      assertAnswers(window, set, twinOf(spans));
    }));
  });
});

Deno.test("property: union, subtract, intersect are those of sets, and change neither", () => {
  forEachWindow((window) => {
    const { width } = window;
    fc.assert(fc.property(spansOf(width), spansOf(width), (left, right) => {
      const [one, other] = [setOf(window, left), setOf(window, right)];
      const [oneTwin, otherTwin] = [twinOf(left), twinOf(right)];
      assertSame(window, one.union(other), oneTwin.union(otherTwin));
      assertSame(window, one.subtract(other), oneTwin.difference(otherTwin));
      assertSame(window, one.intersect(other), oneTwin.intersection(otherTwin));
      assert.equal(one.equals(other), oneTwin.symmetricDifference(otherTwin).size === 0);
      assert.equal(one.includes(other), otherTwin.isSubsetOf(oneTwin));
      assert.equal(one.intersects(other), !oneTwin.isDisjointFrom(otherTwin));
      assert.equal(one.lowestOutside(other), one.subtract(other).lowest);
      assertSame(window, one, oneTwin);
      assertSame(window, other, otherTwin);
    }));
  });
});

Deno.test("property: a range is included, met, added and removed as its addresses are", () => {
  forEachWindow((window) => {
    const { width } = window;
    fc.assert(fc.property(spansOf(width), spanOf(width), (spans, span) => {
      const set = setOf(window, spans);
      const twin = twinOf(spans);
      const part = twinOf([span]);
      const range = rangeOf(window, span);
      assert.equal(set.hasRange(range), part.isSubsetOf(twin));
      assert.equal(set.meets(range), !part.isDisjointFrom(twin));
      assertSame(window, set.withRange(range), twin.union(part));
      assertSame(window, set.withoutRange(range), twin.difference(part));
      assertSame(window, set, twin);
    }));
  });
});

Deno.test("property: slice() gives the members from an index on, as many as there are", () => {
  forEachWindow((window) => {
    const { width, family } = window;
    fc.assert(fc.property(spansOf(width), fc.nat(width), fc.nat(width), (spans, from, count) => {
      const sorted = [...twinOf(spans)].sort((one, other) => one - other);
      const slice = setOf(window, spans).slice({
        from: family.count(from),
        count: family.count(count),
      });
      assertSame(window, slice, new Set(sorted.slice(from, from + count)));
    }));
  });
});

Deno.test("property: pick() takes members only, and reaches each of a small set", () => {
  forEachWindow((window) => {
    const { width } = window;
    fc.assert(
      fc.property(spansOf(width), fc.integer(), (spans, seed) => {
        const set = setOf(window, spans);
        const random = seededRandom(seed);
        const reached = new Set<Address>();
        for (let draw = 0; draw < 1_500; draw++) {
          const address = set.pick(random);
          if (address === undefined) return assert.equal(set.isEmpty, true);
          assert.ok(set.has(address));
          reached.add(address);
        }
        assert.equal(reached.size, twinOf(spans).size);
      }),
      { numRuns: 10 },
    );
  });
});

type Change = { readonly kind: "with" | "without"; readonly span: Span };

/**
 * Long runs of changes over a window that takes several blocks, compared with the twin after every
 * step: splits, joins and emptied blocks all happen.
 */
function runChanges<A extends Address>(
  window: Window<A>,
  { start, changes }: { readonly start: readonly Span[]; readonly changes: readonly Change[] },
): void {
  let set = setOf(window, start);
  const twin = twinOf(start);
  for (const { kind, span } of changes) {
    const before = [...set];
    const range = rangeOf(window, span);
    const changed = kind === "with"
      ? (span.from === span.to ? set.with(range.first) : set.withRange(range))
      : (span.from === span.to ? set.without(range.first) : set.withoutRange(range));
    assert.deepEqual([...set], before); // The set that was changed is a snapshot.
    set = changed;
    for (let offset = span.from; offset <= span.to; offset++) {
      if (kind === "with") twin.add(offset);
      else twin.delete(offset);
    }
    assertSame(window, set, twin);
  }
  assertAnswers(window, set, twin);
}

Deno.test("property: with() and without() over many blocks keep up with a rebuild", () => {
  const width = 8 * BLOCK_RANGES_MAX;
  const every = (step: number) =>
    Array.from({ length: Math.floor(width / step) }, (_, index) => {
      return { from: index * step, to: index * step };
    });
  const span = fc.oneof(
    { weight: 12, arbitrary: fc.nat(width - 1).map((from) => ({ from, to: from })) },
    { weight: 1, arbitrary: spanOf(width) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.nat(width - 1), fc.nat(99))
        .map(([from, length]) => ({ from, to: Math.min(from + length, width - 1) })),
    },
  );
  const change = fc.record({ kind: fc.constantFrom("with" as const, "without" as const), span });
  const runs = fc.record({
    start: fc.constantFrom([], every(2), every(3), [{ from: 0, to: width - 1 }]),
    changes: fc.array(change, { minLength: 20, maxLength: 60 }),
  });
  const four = windowAt(IPV4, "255.255.248.0", width);
  const six = windowAt(IPV6, "::", width);
  fc.assert(fc.property(runs, (run) => runChanges(four, run)), { numRuns: 15 });
  fc.assert(fc.property(runs, (run) => runChanges(six, run)), { numRuns: 15 });
});

Deno.test("with() and without() of every address in some order end full and empty", () => {
  const window = windowAt(IPV4, "10.0.0.0", 4 * BLOCK_RANGES_MAX);
  const orders = {
    ascending: (index: number) => index,
    descending: (index: number) => window.width - 1 - index,
    scattered: (index: number) => (index * 389) % window.width, // 389 and the width are coprime.
  };
  for (const order of Object.values(orders)) {
    let set = RangeSet.empty(IPV4);
    const twin = new Set<number>();
    for (let index = 0; index < window.width; index++) {
      set = set.with(at(window, order(index)));
      twin.add(order(index));
      if (index % 97 === 0) assertSame(window, set, twin);
    }
    assert.deepEqual(set.toTexts(), ["10.0.0.0-10.0.3.255"]);
    for (let index = 0; index < window.width; index++) {
      set = set.without(at(window, order(index)));
      twin.delete(order(index));
      if (index % 97 === 0) assertSame(window, set, twin);
    }
    assert.equal(set.isEmpty, true);
  }
});
