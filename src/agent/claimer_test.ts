import assert from "node:assert/strict";
import { SILENT_LOG } from "../base/log.ts";
import { type ObjectStore, type StoreError, StoreFailure } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err } from "../base/result.ts";
import { IPV4, IPV6, RangeSet } from "../ip/mod.ts";
import { Settler, UnsettledFailure } from "../kube/settler.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { factsOf } from "../../tests/support/pool_objects.ts";
import { Claimer, type ClaimWish } from "./claimer.ts";
import { OwnClaims } from "./own_claims.ts";
import { PoolBook } from "./pool_book.ts";
import { SeenVersions } from "./seen_versions.ts";

const NEVER = new AbortController().signal;
/** Longer than a creation is remembered whose pod is not seen. */
const LONG_MS = 700_000;
const UNKNOWN: StoreError = { code: "timeout", message: "No answer", outcomeUnknown: true };
const REFUSED: StoreError = { code: "invalid", message: "A webhook refused it" };
const OLD_POOL = { name: "old", ips: ["10.6.0.10"] };
const NEW_POOL = { name: "new", ips: ["10.6.0.20"] };

/** A claimer with one creation of pod `u1` that nobody knows the end of: of pool `old`. */
async function claimerInDoubt() {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const memory = openMemoryStore({ clock, random });
  const answers: StoreError[] = [UNKNOWN, REFUSED];
  const store: ObjectStore = {
    get: (...args) => memory.get(...args),
    list: (...args) => memory.list(...args),
    listRows: (...args) => memory.listRows(...args),
    watch: (...args) => memory.watch(...args),
    create: (...args) => {
      const answer = answers.shift();
      return answer === undefined ? memory.create(...args) : Promise.resolve(err(answer));
    },
    replace: (...args) => memory.replace(...args),
    replaceStatus: (...args) => memory.replaceStatus(...args),
    remove: (...args) => memory.remove(...args),
    serverTimeMs: () => memory.serverTimeMs(),
  };
  const settler = new Settler({ store, clock, random });
  const versions = new SeenVersions();
  const ports = { store, settler, clock, versions, nodeName: "n1" };
  const book: PoolBook = new PoolBook({
    ...{ ...ports, log: SILENT_LOG, lifetime: NEVER },
    ownClaims: () => claims.all(),
  });
  const claims = new OwnClaims(ports, book);
  const metrics = { conflicted: () => {} };
  const reader = { read: () => Promise.resolve(new Map()) };
  const claimer = new Claimer({ settler, clock, random, claims, book, reader, metrics });
  const doubted = claimer.claim(wishOf(OLD_POOL));
  const refused = assert.rejects(doubted, UnsettledFailure);
  await clock.advance(1_000);
  await refused;
  return { clock, claimer, answers };
}

function wishOf(pool: typeof OLD_POOL): ClaimWish {
  return {
    holder: {
      podNamespace: "default",
      podName: "a",
      podUID: "u1",
      containerID: "c1",
      nic: "eth0",
      node: "n1",
      endpointName: "a",
    },
    nic: "eth0",
    selection: { version: 4, candidates: [factsOf(pool)], trace: [] },
    reserved: { ipv4: RangeSet.empty(IPV4), ipv6: RangeSet.empty(IPV6) },
    begunMs: 0,
    signal: NEVER,
  };
}

/** Which address the claimer asks for next: the server refuses it, and says which it was. */
async function asksFor(claimer: Claimer, answers: StoreError[]): Promise<string> {
  answers.push(REFUSED);
  const asked = await claimer.claim(wishOf(NEW_POOL)).catch((error) => error);
  assert.ok(asked instanceof StoreFailure);
  // Only what is carried through may have been done before: that failure says so.
  return asked instanceof UnsettledFailure ? "the old address" : "a new address";
}

Deno.test("keepOnly() keeps a creation in doubt although copies do not show its pod", async () => {
  const { claimer, answers } = await claimerInDoubt();
  claimer.keepOnly(new Set());
  assert.equal(await asksFor(claimer, answers), "the old address");
});

Deno.test("keepOnly() forgets it when its pod has not been seen for long", async () => {
  const { clock, claimer, answers } = await claimerInDoubt();
  await clock.advance(LONG_MS);
  claimer.keepOnly(new Set(["u2"]));
  assert.equal(await asksFor(claimer, answers), "a new address");
});

Deno.test("keepOnly() keeps it for as long as its pod is seen", async () => {
  const { clock, claimer, answers } = await claimerInDoubt();
  await clock.advance(LONG_MS);
  claimer.keepOnly(new Set(["u1"]));
  assert.equal(await asksFor(claimer, answers), "the old address");
});
