import assert from "node:assert/strict";
import fc from "fast-check";
import { podReadings } from "../../tests/support/decision_arbitraries.ts";
import { claimOf, podOf } from "../../tests/support/decision_objects.ts";
import type { Holder } from "./claim.ts";
import { isDead, uidMatches } from "./pod_life.ts";
import { type PodReading, releasable, type ReleaseRequest } from "./release.ts";

const request: ReleaseRequest = {
  podNamespace: "default",
  podName: "web-0",
  podUID: "uid-1",
  containerID: "c1",
  nic: "eth0",
};
const absent: PodReading = { kind: "absent" };
const deletionTimestamp = "2026-01-01T00:00:00Z";

function present(metadata: object = {}, status: object = {}): PodReading {
  return { kind: "present", pod: podOf({ metadata, status }) };
}

/** What becomes of one claim: `free`, `sticky`, or why it stays. */
function fate(
  holder: Partial<Holder>,
  { pod = absent, asked = {} }: {
    readonly pod?: PodReading;
    readonly asked?: Partial<ReleaseRequest>;
  } = {},
): string {
  const { free, sticky, keep } = releasable([claimOf({ holder })], {
    request: { ...request, ...asked },
    pod,
  });
  assert.equal(free.length + sticky.length + keep.length, 1);
  return free.length === 1 ? "free" : sticky.length === 1 ? "sticky" : keep[0]?.reason ?? "";
}

Deno.test("releasable() frees the NIC of a sandbox whose pod is gone, dead or replaced", () => {
  assert.equal(fate({}), "free");
  assert.equal(fate({}, { pod: present({ deletionTimestamp }) }), "free");
  assert.equal(fate({}, { pod: present({}, { phase: "Failed" }) }), "free");
  assert.equal(fate({}, { pod: present({ uid: "uid-2" }) }), "free");
});

Deno.test("releasable() keeps what a pod that lives has: its next sandbox gets it", () => {
  assert.equal(fate({}, { pod: present() }), "belongs to a pod that lives");
  const asked = { podUID: "" };
  assert.equal(fate({}, { pod: present(), asked }), "belongs to a pod that lives");
});

Deno.test("releasable() keeps what is of another pod, UID, sandbox or NIC", () => {
  assert.equal(fate({ podName: "web-1" }), 'belongs to pod "default/web-1"');
  assert.equal(fate({ podNamespace: "other" }), 'belongs to pod "other/web-0"');
  assert.equal(fate({ podUID: "uid-2" }), 'belongs to pod UID "uid-2"');
  assert.equal(fate({ containerID: "c2" }), 'belongs to sandbox "c2"');
  assert.equal(fate({ nic: "net1" }), 'belongs to NIC "net1"');
});

Deno.test("releasable() goes by the sandbox where the runtime knows no UID", () => {
  const asked = { podUID: "" };
  assert.equal(fate({ podUID: "uid-2" }, { asked }), "free");
  assert.equal(fate({ containerID: "c2" }, { asked }), 'belongs to sandbox "c2"');
});

Deno.test("releasable() never goes by a sandbox that is not on record", () => {
  const asked = { containerID: "" };
  assert.equal(fate({ containerID: "" }, { asked }), "has no sandbox on record");
  assert.equal(fate({}, { asked }), 'belongs to sandbox "c1"');
});

Deno.test("releasable() frees with the first NIC, and with no other, those never named", () => {
  assert.equal(fate({ nic: "#2" }), "free");
  assert.equal(fate({ nic: "#2" }, { asked: { nic: "net2" } }), 'belongs to NIC "#2"');
});

Deno.test("releasable() knows both UIDs of a static pod", () => {
  const annotations = { "kubernetes.io/config.hash": "hash" };
  const pod = present({ annotations, deletionTimestamp });
  const asked = { podUID: "hash" };
  assert.equal(fate({}, { pod, asked }), "free");
  assert.equal(fate({ podUID: "hash" }, { pod }), "free");
  assert.equal(
    fate({ podUID: "hash" }, { pod: present({ annotations }) }),
    fate({}, {
      pod: present(),
    }),
  );
  assert.equal(fate({}, { asked }), 'belongs to pod UID "uid-1"');
});

Deno.test("releasable() leaves what somebody keeps to the question whether he still does", () => {
  const keeper = { kind: "StatefulSet", name: "web" } as const;
  assert.equal(fate({ keeper }), "sticky");
  assert.equal(fate({ keeper }, { pod: present() }), "belongs to a pod that lives");
});

Deno.test("releasable() keeps what a pool takes back", () => {
  const claim = claimOf({ spec: { hold: "shrink" } });
  const { keep } = releasable([claim], { request, pod: absent });
  assert.deepEqual(keep, [{ claim, reason: "is taken back by its pool" }]);
});

const uids = fc.constantFrom("uid-1", "uid-2", "");
const containers = fc.constantFrom("c1", "c2", "");
const nics = fc.constantFrom("eth0", "net1", "#1", "");
const names = fc.constantFrom("web-0", "web-1");
const claims = fc.array(
  fc.record({
    podName: names,
    podUID: uids,
    containerID: containers,
    nic: nics,
    keeper: fc.constantFrom(undefined, { kind: "StatefulSet", name: "web" } as const),
  }).map((holder) => claimOf({ holder })),
  { maxLength: 6 },
);
const requests = fc.record({
  podNamespace: fc.constant("default"),
  podName: names,
  podUID: uids,
  containerID: containers,
  nic: fc.constantFrom("eth0", "net1"),
});

Deno.test("property: releasable() frees nothing of a live pod, another UID or sandbox", () => {
  fc.assert(fc.property(claims, requests, podReadings, (claims, request, pod) => {
    const { free, sticky, keep } = releasable(claims, { request, pod });
    const seen = new Set([...free, ...sticky, ...keep.map(({ claim }) => claim)]);
    assert.deepEqual(seen, new Set(claims));
    for (const { spec } of [...free, ...sticky]) {
      assert.equal(spec.podName, request.podName);
      assert.equal(spec.containerID, request.containerID);
      assert.notEqual(spec.containerID, "");
      if (request.podUID !== "") assert.equal(spec.podUID, request.podUID);
      const lives = pod.kind === "present" && uidMatches(pod.pod, spec.podUID ?? "") &&
        isDead(pod.pod) === undefined;
      assert.ok(!lives);
    }
    for (const { spec } of free) assert.equal(spec.owner, undefined);
  }));
});
