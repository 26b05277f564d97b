import assert from "node:assert/strict";
import { claimOf, controllerWith, nodeThat, podOf } from "../../tests/support/decision_objects.ts";
import type { EndpointNic } from "../api/endpoint.ts";
import type { Node } from "../api/kubernetes/node.ts";
import type { ContainerStatus } from "../api/kubernetes/pod.ts";
import { newEndpoint } from "./endpoint.ts";
import {
  decideReclaim,
  isExtra,
  isSuperseded,
  type NodeReading,
  nodeReading,
  type ReclaimFacts,
} from "./reclaim.ts";
import type { PodReading } from "./release.ts";

const deletionTimestamp = "2026-01-01T00:00:30Z";
const deletionMs = Date.parse(deletionTimestamp);
const keeper = { kind: "StatefulSet", name: "web" } as const;
const absent: PodReading = { kind: "absent" };
const gone: NodeReading = { kind: "absent" };

function present(
  { metadata = {}, status = {}, spec = {} }: Parameters<typeof podOf>[0] = {},
): PodReading {
  return { kind: "present", pod: podOf({ metadata, status, spec }) };
}

/** A pod whose object is gone from a ready node that has no sandbox of it. */
const facts: ReclaimFacts = {
  claim: claimOf(),
  pod: absent,
  node: nodeThat(),
  sandbox: "absent",
  switches: { readyNode: true, notReadyNode: true },
  nowMs: deletionMs + 3_600_000,
};

/** Verdict and reason. */
function verdict(changes: Partial<ReclaimFacts>): string {
  const decision = decideReclaim({ ...facts, ...changes });
  const need = decision.verdict === "ask" ? ` ${decision.need}` : "";
  return `${decision.verdict}${need}: ${decision.reason}`;
}

Deno.test("decideReclaim() keeps what a pod that lives has, whatever else is so", () => {
  for (const node of [nodeThat(), nodeThat({ isReady: false }), gone]) {
    assert.equal(verdict({ pod: present(), node }), "keep: its pod lives");
  }
  const claim = claimOf({ spec: { podUID: "" } });
  assert.equal(verdict({ claim, pod: present({ metadata: { uid: "x" } }) }), "keep: its pod lives");
  const restarting = present({ status: { phase: "Succeeded" } });
  assert.equal(verdict({ pod: restarting }), "keep: its pod lives");
});

Deno.test("decideReclaim() frees what is gone from a ready node, if that has no sandbox", () => {
  const free = 'free: its pod is gone and node "n1" has no sandbox of it';
  assert.equal(verdict({}), free);
  assert.equal(verdict({ pod: present({ metadata: { uid: "uid-2" } }) }), free);
  assert.equal(
    verdict({ sandbox: "present" }),
    'keep: its pod is gone, but node "n1" still has a sandbox of it',
  );
  assert.equal(
    verdict({ sandbox: "unknown" }),
    'ask sandbox: its pod is gone, but node "n1" did not say whether it has a sandbox of it',
  );
});

Deno.test("decideReclaim() keeps what is gone from a node that is not ready", () => {
  const node = nodeThat({ isReady: false });
  const kept = 'keep: its pod is gone, but may still run: node "n1" is not ready';
  for (const sandbox of ["absent", "unknown"] as const) {
    for (const notReadyNode of [true, false]) {
      const switches = { readyNode: true, notReadyNode };
      assert.equal(verdict({ node, sandbox, switches }), kept);
    }
  }
});

Deno.test("decideReclaim() frees what is gone from a node that cannot run it any more", () => {
  const recordedNode = { uid: "uid-node", bootID: "boot-1" };
  const isReady = false;
  const cases: readonly [NodeReading, string][] = [
    [gone, 'free: its pod and node "n1" are gone'],
    [
      nodeThat({ isReady, uid: "x" }),
      'free: its pod is gone and node "n1" is another one of its name',
    ],
    [nodeThat({ isReady, bootID: "x" }), 'free: its pod is gone and node "n1" started anew'],
    [
      nodeThat({ isReady, isOutOfService: true }),
      'free: its pod is gone and node "n1" is out of service',
    ],
  ];
  for (const [node, said] of cases) {
    assert.equal(verdict({ node, recordedNode, sandbox: "unknown" }), said);
  }
  const notReady = nodeThat({ isReady });
  assert.ok(verdict({ node: notReady, recordedNode }).startsWith("keep"));
  const nothing = nodeThat({ isReady, uid: undefined, bootID: "" });
  assert.ok(verdict({ node: nothing, recordedNode }).startsWith("keep"));
});

Deno.test("decideReclaim() believes a sandbox that is there more than the node's object", () => {
  const recordedNode = { uid: "uid-node", bootID: "boot-1" };
  for (const node of [gone, nodeThat({ uid: "x" }), nodeThat({ isOutOfService: true })]) {
    assert.ok(verdict({ node, recordedNode, sandbox: "present" }).startsWith("keep"));
  }
  const rebooted = nodeThat({ bootID: "x" });
  assert.ok(verdict({ node: rebooted, recordedNode, sandbox: "present" }).startsWith("free"));
});

Deno.test("decideReclaim() asks for the node where nobody looked", () => {
  const node: NodeReading = { kind: "unknown" };
  const pods = [
    absent,
    present({ status: { phase: "Failed" } }),
    present({
      metadata: { deletionTimestamp },
    }),
  ];
  for (const pod of pods) assert.ok(verdict({ node, pod }).startsWith("ask node"));
});

Deno.test("decideReclaim() of a claim without a node wants every node to be ready", () => {
  const unnamed = (areAllReady: boolean): NodeReading => ({ kind: "unnamed", areAllReady });
  const claim = claimOf({ spec: { node: "" } });
  assert.ok(verdict({ claim, node: unnamed(true) }).startsWith("free"));
  assert.ok(verdict({ claim, node: unnamed(false) }).startsWith("keep"));
  const pod = present({ status: { phase: "Failed" } });
  const said = "ask node: its pod has ended (Failed), but nobody looked at its node";
  assert.equal(verdict({ claim, pod, node: unnamed(true) }), said);
});

Deno.test("decideReclaim() frees what ended where the node was ready to say so", () => {
  const pod = present({ status: { phase: "Failed", reason: "Evicted" } });
  const ended = "its pod has ended (Failed: Evicted)";
  assert.equal(verdict({ pod, sandbox: "present" }), `free: ${ended} and node "n1" is ready`);
  assert.equal(
    verdict({ pod, node: nodeThat({ isReady: false }) }),
    `keep: ${ended}, but node "n1" is not ready to say so`,
  );
  assert.equal(verdict({ pod, node: gone }), `free: ${ended} and node "n1" is gone`);
  const outOfService = nodeThat({ isReady: false, isOutOfService: true });
  assert.equal(
    verdict({ pod, node: outOfService }),
    `free: ${ended} and node "n1" is out of service`,
  );
});

Deno.test("decideReclaim() keeps what a controller called failed and no node did", () => {
  const withState = (state: ContainerStatus["state"]) =>
    present({
      spec: { containers: [{ name: "c" }] },
      status: { phase: "Failed", containerStatuses: [{ name: "c", state }] },
    });
  const said = 'keep: its pod has ended (Failed), but node "n1" did not say so';
  assert.equal(verdict({ pod: withState({ running: {} }) }), said);
  assert.equal(verdict({ pod: withState(undefined) }), said);
  assert.ok(verdict({ pod: withState({ terminated: {} }) }).startsWith("free"));
  const unsaid = present({ spec: { containers: [{ name: "c" }] }, status: { phase: "Failed" } });
  assert.equal(verdict({ pod: unsaid }), said);
  assert.ok(verdict({ pod: unsaid, node: gone }).startsWith("free"), "it cannot be up any more");
});

Deno.test("decideReclaim() gives the node of a pod that ended a minute since it was seen", () => {
  const container = (finishedAt: string) => ({
    name: finishedAt,
    state: { terminated: { finishedAt } },
  });
  const containerStatuses = [
    container("2026-01-01T00:00:30Z"),
    container("2026-01-01T00:00:10Z"),
    { name: "waiting", state: { waiting: {} } },
  ];
  const pod = present({
    spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 5 },
    status: { phase: "Succeeded", containerStatuses },
  });
  const at = (afterMs: number, more: Partial<ReclaimFacts> = {}) =>
    decideReclaim({ ...facts, pod, nowMs: deletionMs + afterMs, ...more });
  assert.equal(at(29_999).verdict, "keep");
  assert.equal(at(30_000).verdict, "free");
  assert.equal(at(30_000, { extraGraceMs: 1 }).verdict, "keep");
  // The node's clock may be hours behind.
  const seenEndedMs = deletionMs + 100_000;
  assert.deepEqual(at(100_000, { seenEndedMs }), {
    verdict: "keep",
    reason: "its pod has ended (Succeeded), but its sandbox may still be about to",
    untilMs: seenEndedMs + 60_000,
  });
  assert.equal(at(160_000, { seenEndedMs }).verdict, "free");
});

Deno.test("decideReclaim() does not free under a kubelet that is only a little slow", () => {
  const pod = present({ metadata: { deletionTimestamp, deletionGracePeriodSeconds: 1 } });
  const at = (afterMs: number) => decideReclaim({ ...facts, pod, nowMs: deletionMs + afterMs });
  assert.deepEqual(at(1_000), {
    verdict: "keep",
    reason: "its pod still has time to end",
    untilMs: deletionMs + 30_000,
  });
  assert.equal(at(30_000).verdict, "free");
});

Deno.test("decideReclaim() follows the switches once a deleted pod's grace is over twice", () => {
  const deletionGracePeriodSeconds = 30;
  const pod = present({ metadata: { deletionTimestamp, deletionGracePeriodSeconds } });
  const at = (changes: Partial<ReclaimFacts>) =>
    decideReclaim({ ...facts, pod, nowMs: deletionMs + 30_000, ...changes }).verdict;
  assert.equal(at({ nowMs: deletionMs + 29_999 }), "keep");
  assert.equal(at({}), "free");
  assert.equal(at({ extraGraceMs: 1 }), "keep");
  assert.equal(at({ switches: { readyNode: false, notReadyNode: true } }), "keep");
  const node = nodeThat({ isReady: false });
  assert.equal(at({ node, switches: { readyNode: false, notReadyNode: true } }), "free");
  assert.equal(at({ node, switches: { readyNode: true, notReadyNode: false } }), "keep");
  const off = { readyNode: false, notReadyNode: false };
  assert.equal(at({ node: gone, switches: off }), "free");
  assert.equal(at({ node: nodeThat({ isOutOfService: true }), switches: off }), "free");
});

Deno.test("decideReclaim() follows the switches for a deleted pod of any phase", () => {
  const metadata = { deletionTimestamp, deletionGracePeriodSeconds: 30 };
  const pod = present({ metadata, status: { phase: "Failed" } });
  const node = nodeThat({ isReady: false });
  const off = { readyNode: true, notReadyNode: false };
  assert.equal(decideReclaim({ ...facts, pod, node }).verdict, "free");
  assert.equal(decideReclaim({ ...facts, pod, node, nowMs: deletionMs }).verdict, "keep");
  assert.equal(decideReclaim({ ...facts, pod, node, switches: off }).verdict, "keep");
  const none = { readyNode: false, notReadyNode: false };
  assert.equal(decideReclaim({ ...facts, pod, switches: none }).verdict, "free");
});

Deno.test("decideReclaim() keeps what a deletion time that nobody can read belongs to", () => {
  const pod = present({ metadata: { deletionTimestamp: "soon" } });
  assert.equal(verdict({ pod }), "keep: its pod still has time to end");
});

Deno.test("decideReclaim() asks the owner of a kept address, and believes him", () => {
  const claim = claimOf({ holder: { keeper } });
  assert.equal(
    verdict({ claim }),
    "ask keeper: its owner was not asked whether it still wants it",
  );
  const kept = { keeps: true, reason: 'StatefulSet "web" wants the pod "web-0"' };
  assert.equal(
    verdict({ claim, keeper: kept, node: gone }),
    `keep: its owner keeps it: ${kept.reason}`,
  );
  const given = { keeps: false, reason: "Its StatefulSet is gone" };
  assert.ok(verdict({ claim, keeper: given }).startsWith("free"));
  assert.equal(verdict({ claim, keeper: given, pod: present() }), "keep: its pod lives");
});

Deno.test("decideReclaim() keeps a given-up address while its pod exists", () => {
  const claim = claimOf({ holder: { keeper } });
  const given = { keeps: false, reason: "Its StatefulSet is gone" };
  const pod = present({ metadata: { deletionTimestamp, deletionGracePeriodSeconds: 30 } });
  assert.equal(
    verdict({ claim, keeper: given, pod }),
    "keep: its pod still exists, and was to keep it",
  );
  assert.ok(verdict({ claim, keeper: given, pod, node: gone }).startsWith("free"));
});

Deno.test("decideReclaim() leaves alone what a pool takes back", () => {
  const claim = claimOf({ spec: { hold: "shrink" } });
  assert.equal(verdict({ claim }), "keep: its pool takes it back");
});

Deno.test("nodeReading() reads what reclaim wants to know of a node", () => {
  const taint = { key: "node.kubernetes.io/out-of-service", effect: "NoExecute" };
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n1", uid: "uid-node" },
    spec: { taints: [taint] },
    status: {
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "T" }],
      nodeInfo: { bootID: "boot-1" },
    },
  };
  assert.deepEqual(nodeReading(node), nodeThat({ isOutOfService: true, readySince: "T" }));
  assert.deepEqual(nodeReading({ ...node, spec: {}, status: {} }), {
    kind: "present",
    isReady: false,
    uid: "uid-node",
    bootID: undefined,
    isOutOfService: false,
    readySince: undefined,
  });
  assert.deepEqual(nodeReading(undefined), { kind: "absent" });
});

const nic: EndpointNic = { interface: "eth0", ipv4: "10.6.0.17/16", ipv4Pool: "p4", vlan: 0 };
const createdMs = Date.parse("2026-01-01T00:00:00Z");
const extra = {
  claim: claimOf({ metadata: { creationTimestamp: "2026-01-01T00:00:00Z" } }),
  endpoint: newEndpoint({
    pod: podOf(),
    controller: controllerWith(),
    endpointName: "web-0",
    nics: [{ ...nic, ipv4: "10.6.0.18/16" }],
  }),
  pod: podOf(),
  nowMs: createdMs + 60_001,
  olderThanMs: 60_000,
};

Deno.test("isExtra() is a claim that the endpoint does not list, older than any ADD", () => {
  assert.equal(isExtra(extra), true);
  assert.equal(isExtra({ ...extra, nowMs: createdMs + 60_000 }), false);
  const { status, ...endpoint } = extra.endpoint;
  assert.ok(status !== undefined);
  const listing = { ...status, current: { ...status.current, ips: [nic] } };
  assert.equal(isExtra({ ...extra, endpoint: { ...endpoint, status: listing } }), false);
});

Deno.test("isExtra() says nothing without the pod's own endpoint", () => {
  assert.equal(isExtra({ ...extra, endpoint: undefined }), false);
  assert.equal(isExtra({ ...extra, endpoint: { ...extra.endpoint, status: undefined } }), false);
  for (const uid of ["uid-2", ""]) {
    const pod = podOf({ metadata: { uid } });
    const endpoint = newEndpoint({
      pod,
      controller: controllerWith(),
      endpointName: "web-0",
      nics: [],
    });
    assert.equal(isExtra({ ...extra, endpoint }), false);
  }
});

Deno.test("isExtra() is never a claim of another pod, one held back, or one without a time", () => {
  const creationTimestamp = "2026-01-01T00:00:00Z";
  const claims = [
    claimOf({ metadata: { creationTimestamp }, spec: { podUID: "uid-2" } }),
    claimOf({ metadata: { creationTimestamp }, spec: { podUID: "" } }),
    claimOf({ metadata: { creationTimestamp }, spec: { hold: "shrink" } }),
    claimOf({ metadata: { creationTimestamp, name: "odd" } }),
    claimOf(),
  ];
  for (const claim of claims) assert.equal(isExtra({ ...extra, claim }), false);
});

Deno.test("isSuperseded() is a claim for whose NIC and family the endpoint lists another", () => {
  const { claim, endpoint } = extra;
  assert.equal(isSuperseded({ claim, endpoint }), true);
  assert.equal(isSuperseded({ claim, endpoint: undefined }), false);
  const { status, ...rest } = endpoint;
  assert.ok(status !== undefined);
  const listing = (ips: readonly EndpointNic[]): boolean => {
    const current = { ...status.current, ips: [...ips] };
    return isSuperseded({ claim, endpoint: { ...rest, status: { ...status, current } } });
  };
  assert.equal(listing([nic]), false, "it is the listed one");
  assert.equal(listing([{ ...nic, interface: "net1", ipv4: "10.6.0.18/16" }]), false);
  const { ipv4: _ipv4, ipv4Pool: _ipv4Pool, ...bare } = nic;
  assert.equal(listing([{ ...bare, ipv6: "fd00::12/64", ipv6Pool: "p6" }]), false);
  assert.equal(listing([]), false);
});

Deno.test("decideReclaim() frees a kept address whose owner keeps another one instead", () => {
  const claim = claimOf({ holder: { keeper } });
  const word = { keeps: true, reason: "it wants ordinal 0" } as const;
  const free = 'free: its pod is gone and node "n1" has no sandbox of it';
  assert.match(verdict({ claim, keeper: word }), /^keep: its owner keeps it/);
  assert.equal(verdict({ claim, keeper: word, isSuperseded: true }), free);
  const successor = present({ metadata: { uid: "uid-2" } });
  assert.match(verdict({ claim, keeper: word, pod: successor }), /^keep: /);
  assert.equal(verdict({ claim, keeper: word, pod: successor, isSuperseded: true }), free);
  const node = nodeThat({ isReady: false });
  assert.match(
    verdict({ claim, keeper: word, isSuperseded: true, node }),
    /^keep: .* may still run/,
  );
  assert.equal(verdict({ claim, pod: present(), isSuperseded: true }), "keep: its pod lives");
});
