import assert from "node:assert/strict";
import fc from "fast-check";
import type { SpiderIp } from "../api/spider_ip.ts";
import { formatAddress, IPV4, parseRangeSet, RangeSet } from "../ip/mod.ts";
import { addressAt, holderOf } from "../../tests/support/decision_objects.ts";
import { poolOf } from "../../tests/support/pool_objects.ts";
import { expectOk } from "../base/result.ts";
import { newClaim } from "./claim.ts";
import { readPool } from "./pool_facts.ts";
import {
  derivePoolStatus,
  type PoolStatus,
  type PoolStatusFacts,
  RECORDS_TOLD_MAX,
  useOf,
} from "./pool_status.ts";
import { NOTHING_RESERVED } from "./reserved.ts";

const NOW_MS = Date.UTC(2025, 0, 1);

function statusOf(facts: Partial<PoolStatusFacts> = {}): PoolStatus {
  const { pool = poolOf() } = facts;
  const reading = readPool(pool);
  assert.ok(reading.kind !== "absent");
  return derivePoolStatus({
    pool,
    reading,
    claims: [],
    reserved: NOTHING_RESERVED,
    nowMs: NOW_MS,
    ...facts,
  });
}

function claimAt(text: string, spec: Partial<SpiderIp["spec"]> = {}): SpiderIp {
  const claim = newClaim({ pool: "p1", address: addressAt(text) }, holderOf());
  return { ...claim, spec: { ...claim.spec, ...spec } };
}

Deno.test("derivePoolStatus() gives the same again when nothing changed", () => {
  const claims = [claimAt("10.6.0.10"), claimAt("10.9.0.1")];
  const once = statusOf({ claims });
  const pool = { ...poolOf(), status: once };
  assert.deepEqual(statusOf({ pool, claims, nowMs: NOW_MS + 60_000 }), once);
});

Deno.test("derivePoolStatus() leaves out records above the bound, and says so", () => {
  const pool = poolOf({ ips: ["10.6.0.0-10.6.255.255"] });
  const claims = Array.from(
    { length: RECORDS_TOLD_MAX + 1 },
    (_, index) => claimAt(`10.6.${index >> 8}.${index & 255}`),
  );
  const { allocatedIPs, allocatedIPCount, conditions = [] } = statusOf({ pool, claims });
  assert.deepEqual([allocatedIPs, allocatedIPCount], [undefined, RECORDS_TOLD_MAX + 1]);
  const omitted = conditions.find(({ type }) => type === "RecordsOmitted");
  assert.deepEqual([omitted?.status, omitted?.reason], ["True", "TooMany"]);
  const fewer = statusOf({
    pool: { ...pool, status: { truth: "SpiderIP", conditions } },
    claims: claims.slice(1),
  });
  assert.equal(fewer.conditions?.find(({ type }) => type === "RecordsOmitted")?.status, "False");
  assert.ok((fewer.allocatedIPs?.length ?? 0) > RECORDS_TOLD_MAX);
});

Deno.test("derivePoolStatus() leaves out records that would not fit one object", () => {
  const pool = poolOf({ ips: ["10.6.0.0-10.6.255.255"] });
  const claims = Array.from(
    { length: 5_000 },
    (_, index) => claimAt(`10.6.${index >> 8}.${index & 255}`, { podName: "p".repeat(253) }),
  );
  const { allocatedIPs, allocatedIPCount } = statusOf({ pool, claims });
  assert.deepEqual([allocatedIPs, allocatedIPCount], [undefined, 5_000]);
});

Deno.test("derivePoolStatus() counts no address that is held back as in use, nor as free", () => {
  const claims = [claimAt("10.6.0.10", { hold: "shrink" }), claimAt("10.6.0.11")];
  const { allocatedIPs = "", allocatedIPCount, freeIPCount } = statusOf({ claims });
  assert.deepEqual([allocatedIPCount, freeIPCount], [1, 8]);
  assert.equal(Object.keys(JSON.parse(allocatedIPs)).join(), "10.6.0.11");
});

Deno.test("derivePoolStatus() tells why a pool is not ready, the weightiest reason first", () => {
  const reasonOf = (facts: Partial<PoolStatusFacts>): string | undefined =>
    statusOf(facts).conditions?.find(({ type }) => type === "Ready")?.reason;
  const deletionTimestamp = "2025-01-01T00:00:00Z";
  assert.equal(reasonOf({}), "Usable");
  assert.equal(reasonOf({ pool: poolOf({ disable: true }) }), "Disabled");
  assert.equal(reasonOf({ pool: poolOf({ metadata: { deletionTimestamp } }) }), "Terminating");
  assert.equal(reasonOf({ pool: poolOf({ ips: ["10.7.0.1"] }) }), "Invalid");
  assert.equal(reasonOf({ pool: poolOf({ adopted: false }) }), "NotTakenOver");
});

Deno.test("an empty IPv6 /64 is counted without a look at its addresses", () => {
  const pool = poolOf({
    ipVersion: 6,
    subnet: "fd00:6::/64",
    ips: ["fd00:6::-fd00:6::ffff:ffff:ffff:ffff"],
  });
  const { totalIPCount, freeIPCount } = statusOf({ pool, claims: [claimAt("fd00:6::5")] });
  assert.equal(totalIPCount, 2 ** 63 - 1024, "as many as the API can say");
  assert.equal(freeIPCount, 2 ** 63 - 1024);
});

Deno.test("property: useOf() counts what a look at every address does", () => {
  const last = fc.integer({ min: 0, max: 40 });
  const range = fc.tuple(last, last).map(([one, other]) => {
    const [low, high] = [Math.min(one, other), Math.max(one, other)];
    return `10.6.0.${low}-10.6.0.${high}`;
  });
  const ranges = fc.array(range, { maxLength: 4 });
  fc.assert(fc.property(
    fc.record({ ips: ranges, excludeIPs: ranges, reserved: ranges, taken: fc.uniqueArray(last) }),
    ({ ips, excludeIPs, reserved: texts, taken }) => {
      const reading = readPool(poolOf({ ips, excludeIPs }));
      assert.ok(reading.kind !== "absent");
      const ipv4 = expectOk(parseRangeSet(IPV4, texts), "ranges");
      const claims = taken.map((one) => claimAt(`10.6.0.${one}`));
      const use = useOf({ reading, claims, reserved: { ...NOTHING_RESERVED, ipv4 } });
      const has = (set: readonly string[], one: number): boolean =>
        expectOk(parseRangeSet(IPV4, set), "ranges").has(addressIn(one));
      const all = Array.from({ length: 41 }, (_, one) => one);
      const total = all.filter((one) => has(ips, one) && !has(excludeIPs, one));
      const given = total.filter((one) => !has(texts, one));
      assert.deepEqual(use, {
        allocated: taken.length,
        total: total.length,
        free: given.filter((one) => !taken.includes(one)).length,
        outside: taken.filter((one) => !given.includes(one)).map((one) => `10.6.0.${one}`),
      });
    },
  ));
});

function addressIn(last: number) {
  const only = expectOk(parseRangeSet(IPV4, [`10.6.0.${last}`]), "an address");
  assert.ok(only instanceof RangeSet && only.lowest !== undefined);
  assert.equal(formatAddress(only.lowest), `10.6.0.${last}`);
  return only.lowest;
}
