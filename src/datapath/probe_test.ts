import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../base/result.ts";
import { type Address, parseAddress } from "../ip/address.ts";
import {
  AddressProbe,
  PROBE_TIMING,
  type ProbeQuestion,
  type ProbeVerdict,
  type ProbeWish,
  type Sighting,
} from "./probe.ts";

const OWN = "02:00:00:00:00:01";
const OTHER = "02:00:00:00:00:02";
const FAMILIES = {
  4: { address: ip("10.6.0.5"), gateway: ip("10.6.0.1"), other: ip("10.6.0.9") },
  6: { address: ip("fd00::5"), gateway: ip("fd00::1"), other: ip("fd00::9") },
} as const;
const VERSIONS = [4, 6] as const;

function ip(text: string): Address {
  return expectOk(parseAddress(text), text);
}

function wishOf(version: 4 | 6, given: Partial<ProbeWish> = {}): ProbeWish {
  const { address, gateway } = FAMILIES[version];
  const both = { address, gateway, detectsConflict: true };
  return { ...both, ownMac: OWN, timing: PROBE_TIMING, ...given };
}

interface Run {
  readonly verdict: ProbeVerdict;
  readonly endMs: number;
  readonly asked: readonly (readonly [number, ProbeQuestion])[];
}

/** Has a probe done, by a clock that jumps; `world` is what the others say to each question. */
function run(
  wish: ProbeWish,
  world: (question: ProbeQuestion, count: number) => readonly Sighting[] = () => [],
): Run {
  const probe = new AddressProbe(wish);
  const asked: (readonly [number, ProbeQuestion])[] = [];
  let nowMs = 0;
  for (let turn = 0; turn < 1_000; turn++) {
    const { questions, untilMs } = probe.step(nowMs);
    for (const question of questions) asked.push([Math.round(nowMs), question]);
    if (probe.verdict !== undefined) return { verdict: probe.verdict, endMs: nowMs, asked };
    const heard = questions.flatMap((question) => world(question, asked.length));
    for (const sighting of heard) probe.hear(sighting);
    if (heard.length === 0 || probe.verdict === undefined) nowMs = untilMs ?? nowMs;
  }
  throw new Error("the probe comes to no end");
}

/** A gateway that answers, but for its first answers. */
function gatewayAfter(lost: number): (question: ProbeQuestion) => readonly Sighting[] {
  let count = 0;
  return (question) => {
    if (question.kind !== "gateway" || count++ < lost) return [];
    return [{ kind: "has", address: question.gateway, mac: OTHER }];
  };
}

for (const version of VERSIONS) {
  const { address, gateway, other } = FAMILIES[version];

  Deno.test(`IPv${version}: a free address is asked for three times, 100 ms apart`, () => {
    const { verdict, endMs, asked } = run(wishOf(version, { gateway: undefined }));
    assert.deepEqual([verdict, endMs], [{ kind: "usable" }, 300]);
    assert.deepEqual(asked, [0, 100, 200].map((ms) => [ms, { kind: "conflict", address }]));
  });

  Deno.test(`IPv${version}: whoever has the address, or looks for it too, is a conflict`, () => {
    for (const kind of ["has", "wants"] as const) {
      const { verdict, endMs } = run(
        wishOf(version),
        ({ kind: asked }, count) =>
          asked === "conflict" && count >= 2 ? [{ kind, address, mac: OTHER }] : [],
      );
      assert.deepEqual(verdict, { kind: "conflict", mac: OTHER });
      assert.ok(endMs <= 200);
    }
  });

  Deno.test(`IPv${version}: own frames, and what is said of others, are no conflict`, () => {
    const { verdict } = run(wishOf(version, { gateway: undefined }), () => [
      { kind: "has", address, mac: OWN },
      { kind: "wants", address, mac: OWN },
      { kind: "has", address: other, mac: OTHER },
    ]);
    assert.deepEqual(verdict, { kind: "usable" });
  });

  Deno.test(`IPv${version}: a silent gateway is unreachable, after no more than 400 ms`, () => {
    for (const detectsConflict of [true, false]) {
      const { verdict, endMs } = run(wishOf(version, { detectsConflict }));
      assert.deepEqual(verdict, { kind: "unreachable", gateway });
      assert.ok(endMs <= 400.001 && endMs >= 299, `${endMs} ms`);
    }
  });

  Deno.test(`IPv${version}: a gateway is reached although its first answers are lost`, () => {
    for (const lost of [0, 1, 2]) {
      const { verdict } = run(wishOf(version), gatewayAfter(lost));
      assert.deepEqual(verdict, { kind: "usable" });
    }
  });

  Deno.test(`IPv${version}: no question has the address as source before it is proven`, () => {
    const { asked } = run(wishOf(version));
    for (const [ms, question] of asked) {
      if (question.kind === "gateway") assert.equal(question.from !== undefined, ms >= 300);
    }
    assert.ok(asked.some(([ms, { kind }]) => ms >= 300 && kind === "gateway"));
  });

  Deno.test(`IPv${version}: who looks for the gateway's address is not the gateway`, () => {
    const { verdict } = run(wishOf(version), (question) => {
      return question.kind === "gateway" ? [{ kind: "wants", address: gateway, mac: OTHER }] : [];
    });
    assert.equal(verdict.kind, "unreachable");
  });

  Deno.test(`IPv${version}: without a check for conflicts the gateway's answer is the end`, () => {
    const wish = wishOf(version, { detectsConflict: false });
    const { verdict, endMs, asked } = run(wish, gatewayAfter(0));
    assert.deepEqual([verdict, endMs, asked.length], [{ kind: "usable" }, 0, 1]);
  });
}

Deno.test("IPv4: a gateway that knows addresses only is asked from the proven one", () => {
  const { verdict, endMs } = run(wishOf(4), (question) => {
    if (question.kind !== "gateway" || question.from === undefined) return [];
    return [{ kind: "has", address: question.gateway, mac: OTHER }];
  });
  assert.deepEqual([verdict, endMs], [{ kind: "usable" }, 300]);
});

Deno.test("a claim that comes while the gateway is asked is a conflict", () => {
  const { address } = FAMILIES[4];
  const { verdict } = run(wishOf(4), (question) => {
    const isLate = question.kind === "gateway" && question.from !== undefined;
    return isLate ? [{ kind: "has", address, mac: OTHER }] : [];
  });
  assert.equal(verdict.kind, "conflict");
});

Deno.test("what is heard after the verdict changes nothing", () => {
  const probe = new AddressProbe(wishOf(4, { gateway: undefined }));
  for (const ms of [0, 100, 200, 300]) probe.step(ms);
  assert.deepEqual(probe.verdict, { kind: "usable" });
  probe.hear({ kind: "has", address: FAMILIES[4].address, mac: OTHER });
  assert.deepEqual(probe.verdict, { kind: "usable" });
});

Deno.test("a process that was held up asks all the same, and hears what came meanwhile", () => {
  const probe = new AddressProbe(wishOf(4, { gateway: undefined }));
  probe.step(0);
  assert.equal(probe.step(60_000).questions.length, 1);
  assert.equal(probe.verdict, undefined);
  probe.hear({ kind: "has", address: FAMILIES[4].address, mac: OTHER });
  probe.step(120_000);
  assert.deepEqual(probe.verdict, { kind: "conflict", mac: OTHER });
});

Deno.test("property: a verdict comes in time, and is a conflict if one is heard", () => {
  const anyRun = fc.record({
    version: fc.constantFrom(...VERSIONS),
    detectsConflict: fc.boolean(),
    hasGateway: fc.boolean(),
    timing: fc.record({
      count: fc.integer({ min: 1, max: 9 }),
      totalMs: fc.integer({ min: 10, max: 9_000 }),
    }),
    says: fc.array(
      fc.record({
        at: fc.integer({ min: 1, max: 12 }),
        kind: fc.constantFrom("has" as const, "wants" as const),
        whose: fc.constantFrom("address" as const, "gateway" as const, "other" as const),
        mac: fc.constantFrom(OWN, OTHER),
      }),
      { maxLength: 6 },
    ),
  });
  fc.assert(fc.property(anyRun, ({ version, detectsConflict, hasGateway, timing, says }) => {
    const family = FAMILIES[version];
    let isClaimed = false;
    let isThere = false;
    const wish = wishOf(version, {
      detectsConflict,
      timing,
      gateway: hasGateway ? family.gateway : undefined,
    });
    const { verdict, endMs } = run(wish, (_question, count) => {
      const heard = says.filter(({ at }) => at === count);
      for (const { kind, whose, mac } of heard) {
        if (mac === OWN) continue;
        isThere ||= kind === "has" && whose === "gateway";
        // An end that came with the gateway's answer is not taken back by what is said next.
        isClaimed ||= whose === "address" && detectsConflict;
      }
      return heard.map(({ kind, whose, mac }) => ({ kind, address: family[whose], mac }));
    });
    assert.ok(endMs <= timing.totalMs + 0.001, `${endMs} ms of ${timing.totalMs}`);
    if (verdict.kind === "conflict") assert.ok(isClaimed);
    else if (isClaimed) assert.ok(verdict.kind === "usable" && isThere);
    if (verdict.kind === "unreachable") assert.ok(hasGateway && !isThere);
    if (verdict.kind === "usable") assert.ok(!hasGateway || isThere);
  }));
});
