import assert from "node:assert/strict";
import { claimOf, controllerWith, holderOf, podOf } from "../../tests/support/decision_objects.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import type { VirtualMachine, VirtualMachineInstance } from "../api/kubernetes/kube_virt.ts";
import type { StatefulSet } from "../api/kubernetes/workload.ts";
import type { ObjectMeta } from "../base/object_store.ts";
import {
  changedNics,
  endpointNameOf,
  keeperOf,
  keeperOfClaim,
  machineKeeps,
  rebindDecision,
  statefulSetKeeps,
} from "./sticky.ts";
import type { PodReading } from "./release.ts";

const settings = { statefulSet: true, kubevirt: true };
const set = controllerWith({ kind: "StatefulSet" });
const machine = controllerWith({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  name: "vm-a",
});
const deletionTimestamp = "2026-01-01T00:00:00Z";

Deno.test("keeperOf() knows StatefulSets and machines, each with its switch", () => {
  assert.deepEqual(keeperOf(set, settings), { kind: "StatefulSet", name: "web" });
  assert.deepEqual(keeperOf(machine, settings), { kind: "VirtualMachineInstance", name: "vm-a" });
  assert.equal(keeperOf(set, { ...settings, statefulSet: false }), undefined);
  assert.equal(keeperOf(machine, { ...settings, kubevirt: false }), undefined);
  assert.equal(keeperOf(controllerWith(), settings), undefined);
});

Deno.test("keeperOf() takes a StatefulSet of another group for any other controller", () => {
  const other = controllerWith({ kind: "StatefulSet", apiVersion: "apps.kruise.io/v1beta1" });
  assert.equal(keeperOf(other, settings), undefined);
  assert.equal(keeperOf({ ...machine, apiVersion: "example.com/v1" }, settings), undefined);
});

Deno.test("keeperOfClaim() reads the claim's owner unless the installation ignores it", () => {
  const keepers = [
    { kind: "StatefulSet", name: "web" },
    { kind: "VirtualMachineInstance", name: "vm-a" },
  ] as const;
  for (const keeper of keepers) {
    const claim = claimOf({ holder: { keeper } });
    assert.deepEqual(keeperOfClaim(claim, settings), keeper);
    assert.equal(keeperOfClaim(claim, { statefulSet: false, kubevirt: false }), undefined);
  }
  assert.equal(keeperOfClaim(claimOf(), settings), undefined);
  const odd = claimOf({ spec: { owner: { kind: "Deployment", name: "web" } } });
  assert.equal(keeperOfClaim(odd, settings), undefined);
});

Deno.test("endpointNameOf() is the machine's name only while machines keep addresses", () => {
  const pod = podOf({ metadata: { name: "virt-launcher-vm-a-x" } });
  assert.equal(endpointNameOf(pod, { controller: machine, settings }), "vm-a");
  const off = { ...settings, kubevirt: false };
  assert.equal(endpointNameOf(pod, { controller: machine, settings: off }), pod.metadata.name);
  assert.equal(endpointNameOf(podOf(), { controller: set, settings }), "web-0");
});

function statefulSet(spec: Omit<Partial<StatefulSet["spec"]>, "template">): StatefulSet {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "web", namespace: "default" },
    spec: { template: {}, ...spec },
  };
}

Deno.test("statefulSetKeeps() keeps the numbers from start, as many as replicas", () => {
  const cases: readonly [string, Omit<Partial<StatefulSet["spec"]>, "template">, boolean][] = [
    ["web-0", {}, true],
    ["web-1", {}, false],
    ["web-2", { replicas: 3 }, true],
    ["web-3", { replicas: 3 }, false],
    ["web-0", { replicas: 0 }, false],
    ["web-4", { replicas: 3, ordinals: { start: 5 } }, false],
    ["web-5", { replicas: 3, ordinals: { start: 5 } }, true],
    ["web-7", { replicas: 3, ordinals: { start: 5 } }, true],
    ["web-8", { replicas: 3, ordinals: { start: 5 } }, false],
    ["web-00", { replicas: 3 }, false],
    ["web", { replicas: 3 }, false],
    ["other-0", { replicas: 3 }, false],
    ["web-0-0", { replicas: 3 }, false],
  ];
  for (const [podName, spec, keeps] of cases) {
    assert.equal(
      statefulSetKeeps({ podName, statefulSet: statefulSet(spec) }).keeps,
      keeps,
      podName,
    );
  }
});

Deno.test("statefulSetKeeps() says why in a sentence", () => {
  const reasonFor = (podName: string, replicas?: number): string => {
    const gone = replicas === undefined;
    const facts = { podName, statefulSet: gone ? undefined : statefulSet({ replicas }) };
    return statefulSetKeeps(facts).reason;
  };
  assert.equal(reasonFor("web-0"), "Its StatefulSet is gone");
  assert.equal(reasonFor("web-0", 1), 'StatefulSet "web" wants the pod "web-0"');
  assert.equal(reasonFor("web-2", 2), 'StatefulSet "web" wants only the pods 0 to 1, not 2');
  assert.equal(reasonFor("web-0", 0), 'StatefulSet "web" wants no pods, not 0');
  assert.equal(reasonFor("db-0", 2), 'StatefulSet "web" has no pod "db-0"');
});

Deno.test("machineKeeps() keeps while the instance exists, then while the machine does", () => {
  const instance = (changes: Partial<ObjectMeta> = {}): VirtualMachineInstance => ({
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstance",
    metadata: { name: "vm-a", namespace: "default", ...changes },
  });
  const virtual = (changes: Partial<ObjectMeta> = {}): VirtualMachine => ({
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachine",
    metadata: { name: "vm-a", namespace: "default", ...changes },
  });
  const words = [
    machineKeeps({ machineInstance: instance(), machine: undefined }),
    machineKeeps({ machineInstance: instance({ deletionTimestamp }), machine: undefined }),
    machineKeeps({ machineInstance: undefined, machine: virtual() }),
    machineKeeps({ machineInstance: undefined, machine: virtual({ deletionTimestamp }) }),
    machineKeeps({ machineInstance: undefined, machine: undefined }),
  ];
  assert.deepEqual(words, [
    { keeps: true, reason: 'VirtualMachineInstance "vm-a" exists' },
    { keeps: true, reason: 'VirtualMachineInstance "vm-a" is still ending' },
    { keeps: true, reason: 'VirtualMachine "vm-a" exists' },
    { keeps: false, reason: 'VirtualMachine "vm-a" is being deleted' },
    { keeps: false, reason: "Its virtual machine is gone" },
  ]);
});

/** An endpoint of NICs with the pools of both families; an empty text is none. */
function endpointWith(...nics: readonly (readonly [string, string, string])[]): SpiderEndpoint {
  const ips = nics.map(([nic, ipv4Pool, ipv6Pool]): EndpointNic => ({
    interface: nic,
    vlan: 0,
    ...(ipv4Pool === "" ? {} : { ipv4Pool }),
    ...(ipv6Pool === "" ? {} : { ipv6Pool }),
  }));
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name: "web-0", namespace: "default" },
    status: {
      current: { uid: "uid-1", node: "n1", ips },
      ownerControllerType: "StatefulSet",
      ownerControllerName: "web",
    },
  };
}

function allow(nic: string, names: readonly string[], position?: number) {
  return { nic, names: new Set(names), ...(position === undefined ? {} : { position }) };
}

Deno.test("changedNics() looks at the NIC being added alone, and at both its families", () => {
  const endpoint = endpointWith(["eth0", "a4", "a6"], ["net1", "b4", ""]);
  const cases: readonly [string, readonly string[], readonly number[]][] = [
    ["eth0", ["a4", "a6", "x"], []],
    ["eth0", ["a4"], [0]],
    ["eth0", ["a6"], [0]],
    ["net1", ["b4"], []],
    ["net1", ["c4"], [1]],
    ["net2", ["c4"], []],
  ];
  for (const [nic, names, changed] of cases) {
    const allowed = [allow("eth0", nic === "eth0" ? names : []), allow(nic, names)].slice(
      nic === "eth0" ? 1 : 0,
    );
    assert.deepEqual(changedNics(endpoint, { nic, allowed }), changed, `${nic} ${names}`);
  }
});

Deno.test("changedNics() gives up all NICs by position when one of them changed", () => {
  const endpoint = endpointWith(["eth0", "a4", ""], ["net1", "b4", ""], ["", "c4", ""]);
  const fits = [allow("eth0", ["a4"], 0), allow("#1", ["b4"], 1), allow("#2", ["c4"], 2)];
  assert.deepEqual(changedNics(endpoint, { nic: "net1", allowed: fits }), []);
  const moved = [...fits.slice(0, 2), allow("#2", ["b4"], 2)];
  assert.deepEqual(changedNics(endpoint, { nic: "eth0", allowed: moved }), [0, 1, 2]);
  assert.deepEqual(changedNics(endpoint, { nic: "eth0", allowed: fits.slice(0, 2) }), [0, 1, 2]);
});

Deno.test("changedNics() of an endpoint without status, or of an unknown NIC, is nothing", () => {
  const allowed = [allow("eth0", ["a4"])];
  const bare = { ...endpointWith(), status: undefined };
  assert.deepEqual(changedNics(bare, { nic: "eth0", allowed }), []);
  assert.deepEqual(changedNics(endpointWith(["net1", "b4", ""]), { nic: "net1", allowed }), []);
});

const keeper = { kind: "StatefulSet", name: "web" } as const;
const vmKeeper = { kind: "VirtualMachineInstance", name: "vm-a" } as const;
const absent: PodReading = { kind: "absent" };
const next = podOf({ metadata: { uid: "uid-2" } });
const nextHolder = holderOf({ podUID: "uid-2", containerID: "c2", keeper });
const facts = {
  claim: claimOf({ holder: { keeper } }),
  pod: next,
  holder: nextHolder,
  recorded: { kind: "present", pod: next } as const,
  isMigrationTarget: false,
};

Deno.test("rebindDecision() knows the pod's own claims, also those without a named NIC", () => {
  const holder = holderOf({ keeper, nic: "net1" });
  for (const nic of ["net1", "#1", ""]) {
    const claim = claimOf({ holder: { keeper, nic } });
    const decision = rebindDecision({ ...facts, claim, holder, pod: podOf() });
    assert.deepEqual(decision, { kind: "ours" });
  }
  const claim = claimOf({ holder: { keeper, nic: "net2" } });
  assert.equal(rebindDecision({ ...facts, claim, holder, pod: podOf() }).kind, "refuse");
});

Deno.test("rebindDecision() hands over once the former pod's UID is gone", () => {
  assert.deepEqual(rebindDecision(facts), { kind: "rebind" });
  assert.deepEqual(rebindDecision({ ...facts, recorded: absent }), { kind: "rebind" });
  const other = podOf({ metadata: { uid: "uid-3" } });
  const recorded = { kind: "present", pod: other } as const;
  assert.deepEqual(rebindDecision({ ...facts, recorded }), { kind: "rebind" });
});

Deno.test("rebindDecision() refuses while the former pod exists, dead or alive", () => {
  const machineHolder = holderOf({ podUID: "uid-2", podName: "vm-a-2", keeper: vmKeeper });
  const claim = claimOf({ holder: { podName: "vm-a-1", keeper: vmKeeper } });
  const former = { name: "vm-a-1" };
  for (const metadata of [former, { ...former, deletionTimestamp }]) {
    const recorded = { kind: "present", pod: podOf({ metadata }) } as const;
    const asked = { ...facts, claim, holder: machineHolder, recorded };
    assert.deepEqual(rebindDecision(asked), {
      kind: "refuse",
      reason: 'Cannot hand over 10.6.0.17: pod "default/vm-a-1", which has it, still exists',
    });
    assert.deepEqual(rebindDecision({ ...asked, isMigrationTarget: true }), { kind: "rebind" });
  }
});

Deno.test("rebindDecision() refuses a pod of another owner, name or namespace", () => {
  const claims = [
    claimOf(),
    claimOf({ holder: { keeper: { ...keeper, name: "db" } } }),
    claimOf({ holder: { keeper: { ...vmKeeper, name: "web" } } }),
    claimOf({ holder: { keeper, podName: "web-1" } }),
    claimOf({ holder: { keeper, podNamespace: "other" } }),
    claimOf({ holder: { keeper }, spec: { hold: "shrink" } }),
  ];
  for (const claim of claims) {
    const decision = rebindDecision({ ...facts, claim, recorded: absent, isMigrationTarget: true });
    assert.equal(decision.kind, "refuse", JSON.stringify(claim.spec));
  }
  const plain = holderOf({ podUID: "uid-2" });
  assert.deepEqual(rebindDecision({ ...facts, holder: plain }), {
    kind: "refuse",
    reason: "Cannot hand over 10.6.0.17: it is the address of pod " +
      '"default/web-0" of StatefulSet "web"',
  });
});

Deno.test("rebindDecision() takes an unknown UID for that of the recorded pod, if not ours", () => {
  const claim = claimOf({ holder: { keeper, podUID: "" } });
  assert.equal(rebindDecision({ ...facts, claim }).kind, "rebind");
  const recorded = { kind: "present", pod: podOf({ metadata: { uid: "uid-3" } }) } as const;
  assert.equal(rebindDecision({ ...facts, claim, recorded }).kind, "refuse");
});
