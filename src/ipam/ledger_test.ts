import assert from "node:assert/strict";
import { seededRandom } from "../base/random.ts";
import { formatAddress, IPV4, type Ipv4, parseIpv4, parseRangeSet, RangeSet } from "../ip/mod.ts";
import { expectOk } from "../base/result.ts";
import { CONFLICT_AVOIDED_MS, PoolLedger, RELEASED_AVOIDED_MS } from "./ledger.ts";

function set(...texts: readonly string[]): RangeSet<Ipv4> {
  return expectOk(parseRangeSet(IPV4, texts), "ranges of a test");
}

function ip(text: string): Ipv4 {
  return expectOk(parseIpv4(text), "an address of a test");
}

const NOTHING = RangeSet.empty(IPV4);

function ledgerOf(
  ranges: string,
  { reserved = NOTHING, node = "n1" }: {
    readonly reserved?: RangeSet<Ipv4>;
    readonly node?: string;
  } = {},
): PoolLedger<Ipv4> {
  return new PoolLedger(IPV4, { space: { addresses: set(ranges), reserved }, node });
}

/** Every address that the ledger gives until it gives none. */
function drain(ledger: PoolLedger<Ipv4>, nowMs = 0): readonly string[] {
  const random = seededRandom(1);
  const given: string[] = [];
  for (let next = ledger.choose(random, nowMs); next !== undefined;) {
    given.push(formatAddress(next));
    next = ledger.choose(random, nowMs);
  }
  return given.sort();
}

Deno.test("choose() gives each address once, and none that is reserved", () => {
  const ledger = ledgerOf("10.0.0.1-10.0.0.5", { reserved: set("10.0.0.2", "10.0.0.9") });
  assert.deepEqual(drain(ledger), ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5"]);
  assert.equal(ledger.isEmpty, true);
  assert.deepEqual(ledger.counts(), { total: "5", reserved: "1", free: "0" });
});

Deno.test("settle() frees what was dropped and keeps what was claimed or refused", () => {
  const ledger = ledgerOf("10.0.0.1-10.0.0.3");
  drain(ledger);
  ledger.settle(ip("10.0.0.1"), { kind: "dropped" });
  ledger.settle(ip("10.0.0.2"), { kind: "claimed" });
  ledger.settle(ip("10.0.0.3"), { kind: "refused", nowMs: 0 });
  assert.deepEqual(drain(ledger), ["10.0.0.1"]);
});

Deno.test("listed() replaces what older lists said, and keeps what is known since it began", () => {
  const ledger = ledgerOf("10.0.0.1-10.0.0.4");
  ledger.listed({ begunMs: 5, costMs: 1, addresses: [ip("10.0.0.1")], nodes: [] });
  drain(ledger);
  ledger.settle(ip("10.0.0.2"), { kind: "refused", nowMs: 20 });
  ledger.settle(ip("10.0.0.3"), { kind: "claimed" });
  ledger.settle(ip("10.0.0.4"), { kind: "refused", nowMs: 5 });
  ledger.listed({ begunMs: 10, costMs: 1, addresses: [], nodes: [] });
  assert.deepEqual(drain(ledger), ["10.0.0.1", "10.0.0.4"], "2 was refused since, 3 is our own");
});

Deno.test("listed() of an older list than the last changes nothing", () => {
  const ledger = ledgerOf("10.0.0.1-10.0.0.2");
  ledger.listed({ begunMs: 10, costMs: 1, addresses: [ip("10.0.0.1")], nodes: [] });
  ledger.listed({ begunMs: 5, costMs: 1, addresses: [], nodes: [] });
  assert.deepEqual(drain(ledger), ["10.0.0.2"]);
});

Deno.test("a list that began before a release does not take the address again", () => {
  const ledger = ledgerOf("10.0.0.1");
  ledger.claimed(ip("10.0.0.1"));
  ledger.released(ip("10.0.0.1"), 20);
  ledger.listed({ begunMs: 10, costMs: 1, addresses: [ip("10.0.0.1")], nodes: [] });
  assert.deepEqual(drain(ledger), ["10.0.0.1"]);
  const other = ledgerOf("10.0.0.1");
  other.claimed(ip("10.0.0.1"));
  other.released(ip("10.0.0.1"), 5);
  other.listed({ begunMs: 10, costMs: 1, addresses: [ip("10.0.0.1")], nodes: [] });
  assert.deepEqual(drain(other), [], "somebody else took it since");
});

Deno.test("an address that was just released is given last for a while", () => {
  const ledger = ledgerOf("10.0.0.1-10.0.0.2");
  ledger.claimed(ip("10.0.0.1"));
  ledger.released(ip("10.0.0.1"), 0);
  const random = seededRandom(1);
  assert.equal(ledger.choose(random, 1), ip("10.0.0.2"));
  assert.equal(ledger.choose(random, 1), ip("10.0.0.1"), "better than none");
  const later = ledgerOf("10.0.0.1-10.0.0.2");
  later.claimed(ip("10.0.0.1"));
  later.released(ip("10.0.0.1"), 0);
  later.attempt(ip("10.0.0.2"));
  later.settle(ip("10.0.0.2"), { kind: "dropped" });
  const first = new Set(
    Array.from({ length: 40 }, (_, seed) => {
      const chosen = later.choose(seededRandom(seed), RELEASED_AVOIDED_MS);
      if (chosen !== undefined) later.settle(chosen, { kind: "dropped" });
      return chosen;
    }),
  );
  assert.equal(first.size, 2, "both are chosen at random");
});

Deno.test("an address that conflicted is given after those that were just released", () => {
  for (let seed = 0; seed < 8; seed++) {
    const random = seededRandom(seed);
    const ledger = ledgerOf("10.0.0.1-10.0.0.3");
    for (const address of [1, 2, 3]) {
      ledger.claimed(ip(`10.0.0.${address}`));
      ledger.released(ip(`10.0.0.${address}`), 0);
    }
    ledger.avoid(ip("10.0.0.2"), CONFLICT_AVOIDED_MS);
    const first = new Set([ledger.choose(random, 1), ledger.choose(random, 1)]);
    assert.deepEqual(first, new Set([ip("10.0.0.1"), ip("10.0.0.3")]));
    assert.equal(ledger.choose(random, 1, { isSound: true }), undefined);
    assert.equal(ledger.hasOnlyConflicting(1), true);
    assert.equal(ledger.hasOnlyConflicting(CONFLICT_AVOIDED_MS), false, "it may be free by now");
    assert.equal(ledger.choose(random, 1), ip("10.0.0.2"), "better than none");
  }
});

/** Tries addresses of a ledger; others have the first so many. */
function tryOut(
  ledger: PoolLedger<Ipv4>,
  { refused, claimed = 0 }: { readonly refused: number; readonly claimed?: number },
): void {
  for (let index = 0; index < refused + claimed; index++) {
    const address = ledger.choose(seededRandom(index), 0);
    assert.ok(address !== undefined);
    ledger.settle(
      address,
      index < refused ? { kind: "refused", nowMs: 1_000 } : { kind: "claimed" },
    );
  }
}

Deno.test("wantsList() is true once refusals cost more than another list", () => {
  const ledger = ledgerOf("10.0.0.0-10.0.255.255");
  const ask = { spread: 0, refusedInRow: 0 };
  const addresses = Array.from({ length: 1_280 }, (_, at) => ip(`10.0.${at >> 8}.${at & 255}`));
  ledger.listed({ begunMs: 1_000, costMs: 8, addresses, nodes: [] });
  tryOut(ledger, { refused: 11 });
  assert.equal(ledger.wantsList(9_000, ask), false, "a list of 1,280 costs more");
  tryOut(ledger, { refused: 1 });
  assert.equal(ledger.wantsList(1_199, ask), false, "lists keep a distance");
  assert.equal(ledger.wantsList(1_200, ask), true);
  const spread = { ...ask, spread: 0.5 };
  assert.equal(ledger.wantsList(1_200, spread), false, "and do not all come at once");
});

Deno.test("wantsList() has a small pool listed after one refusal, a large one after tries", () => {
  const ask = { spread: 0, refusedInRow: 1 };
  const small = ledgerOf("10.0.0.0-10.0.0.127");
  assert.equal(small.wantsList(0, ask), false, "nothing was tried");
  tryOut(small, { refused: 1 });
  assert.equal(small.wantsList(0, ask), true);
  const large = ledgerOf("10.0.0.0-10.0.255.255");
  tryOut(large, { refused: 80, claimed: 431 });
  assert.equal(large.wantsList(0, ask), false, "10,000 in use cost as much as 80 refusals");
  assert.equal(large.wantsList(0, { ...ask, refusedInRow: 63 }), false);
  assert.equal(large.wantsList(0, { ...ask, refusedInRow: 64 }), true, "nearly all are in use");
  tryOut(large, { refused: 0, claimed: 1 });
  assert.equal(large.wantsList(0, ask), true);
  const free = ledgerOf("10.0.0.0-10.0.255.255");
  tryOut(free, { refused: 0, claimed: 600 });
  assert.equal(free.wantsList(0, ask), false, "whom nobody refuses needs no list");
});

Deno.test("a refusal that no list of the pool explains calls for a list of all", () => {
  const ledger = ledgerOf("10.0.0.1");
  ledger.attempt(ip("10.0.0.1"));
  ledger.settle(ip("10.0.0.1"), { kind: "refused", nowMs: 0 });
  ledger.listed({ begunMs: 10, costMs: 1, addresses: [], nodes: [] });
  assert.equal(ledger.needsFullList, true);
  assert.equal(ledger.isEmpty, false, "it may have been freed since");
  const foreign = [ip("10.0.0.1"), ip("10.9.9.9")];
  ledger.listed({ begunMs: 20, costMs: 1, addresses: [], foreign, nodes: [] });
  assert.equal(ledger.isEmpty, true);
  assert.equal(ledger.needsFullList, true, "the ranges overlap");
  ledger.listed({ begunMs: 30, costMs: 1, addresses: [], foreign: [ip("10.9.9.9")], nodes: [] });
  assert.equal(ledger.needsFullList, false);
});

Deno.test("setSpace() takes what was added and drops what was taken away", () => {
  const ledger = ledgerOf("10.0.0.1-10.0.0.2");
  ledger.claimed(ip("10.0.0.1"));
  ledger.setSpace({ addresses: set("10.0.0.1-10.0.0.4"), reserved: set("10.0.0.4") });
  assert.deepEqual(drain(ledger), ["10.0.0.2", "10.0.0.3"]);
});

Deno.test("agents with the same view first choose different addresses", () => {
  const nodes = ["n1", "n2", "n3", "n4"];
  const owners = new Map<string, number>();
  for (const node of nodes) {
    const ledger = ledgerOf("10.0.0.0-10.0.0.255", { node });
    ledger.listed({ begunMs: 0, costMs: 1, addresses: [], nodes });
    for (let pick = 0; pick < 30; pick++) {
      const chosen = ledger.choose(seededRandom(pick), 1);
      assert.ok(chosen !== undefined);
      const text = formatAddress(chosen);
      owners.set(text, (owners.get(text) ?? 0) + 1);
    }
  }
  assert.equal(owners.size, 120, "no address was chosen twice");
});
