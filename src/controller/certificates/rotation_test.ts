import assert from "node:assert/strict";
import fc from "fast-check";
import type { CertificateFacts } from "./certificate.ts";
import { type CertificatesFound, nextStep, ROTATION } from "./rotation.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);
const HOSTS = ["a.b", "a.b.svc"];

/** @param madeMs When it was made. */
function facts(madeMs: number, lifetimeMs: number): CertificateFacts {
  const notBeforeMs = madeMs - ROTATION.backdatedMs;
  return { cert: `${madeMs}`, notBeforeMs, notAfterMs: madeMs + lifetimeMs, hosts: HOSTS };
}

function authority(ageMs: number): CertificateFacts {
  return facts(NOW_MS - ageMs, ROTATION.authorityLifetimeMs);
}

function serving(ageMs: number, { isOfAuthority = true, hosts = HOSTS } = {}) {
  return { ...facts(NOW_MS - ageMs, ROTATION.servingLifetimeMs), hosts, isOfAuthority };
}

const WELL: CertificatesFound = {
  authority: authority(DAY_MS),
  former: [],
  serving: serving(DAY_MS),
  isTrusted: true,
  hosts: HOSTS,
};

Deno.test("nextStep() waits while all is well, until something is due", () => {
  assert.deepEqual(nextStep(WELL, NOW_MS), { kind: "wait", untilMs: NOW_MS + 59 * DAY_MS });
});

Deno.test("nextStep() finds what is due", () => {
  const due = ROTATION.authorityLifetimeMs - ROTATION.authorityRenewMs;
  const old = authority(due);
  const cases: readonly (readonly [Partial<CertificatesFound>, string, string])[] = [
    [{ authority: undefined, serving: undefined }, "create", "there is no authority"],
    [{ authority: undefined, next: authority(0) }, "promote", "there is no authority"],
    [{ authority: authority(ROTATION.authorityLifetimeMs) }, "create", "the authority has expired"],
    [{ serving: undefined }, "issue", "there is no certificate"],
    [{ serving: serving(90 * DAY_MS) }, "issue", "the certificate has expired"],
    [{ serving: serving(60 * DAY_MS) }, "issue", "the certificate ends soon"],
    [{ serving: serving(0, { isOfAuthority: false }) }, "issue", "it is not of the authority"],
    [{ serving: serving(0, { hosts: ["a.b"] }) }, "issue", "it is not for a.b.svc"],
    [{ authority: old }, "prepare", "the authority ends soon"],
    [
      { authority: old, next: authority(ROTATION.spreadMs) },
      "promote",
      "the next authority is trusted",
    ],
    [{ authority: old, next: authority(ROTATION.spreadMs - 1) }, "wait", ""],
    [{ authority: old, next: authority(DAY_MS), isTrusted: false }, "wait", ""],
    [
      { former: [old] },
      "forget",
      "no certificate of a former authority is served any more",
    ],
    [{ former: [old], serving: serving(DAY_MS - 1) }, "wait", ""],
  ];
  for (const [change, kind, why] of cases) {
    const step = nextStep({ ...WELL, ...change }, NOW_MS);
    assert.deepEqual([step.kind, "why" in step ? step.why : ""], [kind, why]);
  }
});

interface Model {
  authority: CertificateFacts | undefined;
  next: CertificateFacts | undefined;
  former: readonly CertificateFacts[];
  serving: { readonly facts: CertificateFacts; readonly by: string } | undefined;
}

/** Does a step as the keeper does, in memory. */
function after(model: Model, { kind, nowMs }: { kind: string; nowMs: number }): Model {
  const fresh = facts(nowMs, ROTATION.authorityLifetimeMs);
  const old = model.authority === undefined ? model.former : [model.authority, ...model.former];
  function served(by: CertificateFacts | undefined): Model["serving"] {
    assert.ok(by !== undefined);
    const lifetimeMs = Math.min(ROTATION.servingLifetimeMs, by.notAfterMs - nowMs);
    return { facts: facts(nowMs, lifetimeMs), by: by.cert };
  }
  switch (kind) {
    case "create":
      return { authority: fresh, next: undefined, former: old, serving: served(fresh) };
    case "issue":
      return { ...model, serving: served(model.authority) };
    case "prepare":
      return { ...model, next: fresh };
    case "promote":
      return { authority: model.next, next: undefined, former: old, serving: served(model.next) };
    default:
      return { ...model, former: [] };
  }
}

Deno.test("property: whatever the pauses, who was served is trusted, and nothing expires", () => {
  // A leader may pause, but for less than a certificate has left when it is renewed.
  const pause = fc.oneof(
    fc.integer({ min: 1, max: 3_600_000 }),
    fc.integer({ min: 1, max: 25 * DAY_MS }),
  );
  fc.assert(
    fc.property(fc.array(pause, { minLength: 100, maxLength: 300 }), (pauses) => {
      let model: Model = { authority: undefined, next: undefined, former: [], serving: undefined };
      let nowMs = NOW_MS;
      /** Bundles in the order in which API servers got them, and certificates by replicas. */
      const trust: { readonly atMs: number; readonly certs: ReadonlySet<string> }[] = [];
      const served: { readonly atMs: number; readonly by: string; readonly endMs: number }[] = [];
      for (const [index, ms] of pauses.entries()) {
        if (index > 0) nowMs += ms;
        for (let count = 0;; count++) {
          assert.ok(count < 8, "a look comes to an end");
          const certs = [model.authority, model.next, ...model.former];
          trust.push({
            atMs: nowMs,
            certs: new Set(certs.flatMap((one) => one === undefined ? [] : [one.cert])),
          });
          const found = {
            ...model,
            serving: model.serving &&
              { ...model.serving.facts, isOfAuthority: model.serving.by === model.authority?.cert },
            isTrusted: true,
            hosts: HOSTS,
          };
          const step = nextStep(found, nowMs);
          if (step.kind === "wait") {
            assert.ok(step.untilMs > nowMs);
            break;
          }
          model = after(model, { kind: step.kind, nowMs });
          const { serving } = model;
          if (serving !== undefined && served.at(-1)?.endMs !== serving.facts.notAfterMs) {
            served.push({ atMs: nowMs, by: serving.by, endMs: serving.facts.notAfterMs });
          }
        }
        assert.ok((model.serving?.facts.notAfterMs ?? 0) > nowMs);
      }
      for (const [index, { atMs, by }] of served.entries()) {
        if (index === 0) continue; // The first one has nothing before it.
        // An API server that is behind by less than the spread has a bundle of that time.
        const seenMs = atMs - ROTATION.spreadMs;
        const behind = trust.findLast((bundle) => bundle.atMs <= seenMs) ?? trust[0];
        assert.ok(behind?.certs.has(by), "it is trusted before it is served");
        // A replica that is behind by less than the overlap still serves the one before.
        const before = served[index - 1];
        for (const { atMs: sinceMs, certs } of trust) {
          const isMeanwhile = sinceMs >= atMs && sinceMs < atMs + ROTATION.overlapMs;
          if (isMeanwhile && before !== undefined) assert.ok(certs.has(before.by));
        }
      }
    }),
    { numRuns: 200 },
  );
});
