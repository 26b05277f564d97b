import assert from "node:assert/strict";
import { err, ok } from "../../base/result.ts";
import type { ClusterFacts } from "./cluster_networks.ts";
import type { Told } from "./found.ts";
import { type CoordinatorStatus, coordinatorStatus, sameStatus } from "./status.ts";

const EMPTY = { kind: "there", objects: [], broken: [] } as const;
const PENDING = { kind: "pending" } as const;
const CIDRS = ["10.96.0.0/16"];

/** A cluster that says its services' networks, and nothing else. */
function facts(given: Partial<ClusterFacts> = {}): ClusterFacts {
  return {
    serviceCidrs: () => ({
      kind: "there",
      broken: [],
      objects: [{
        apiVersion: "networking.k8s.io/v1",
        kind: "ServiceCIDR",
        metadata: { name: "kubernetes" },
        spec: { cidrs: CIDRS },
      }],
    }),
    kubeadmConfig: () => EMPTY,
    controllerManagers: () => EMPTY,
    calicoPools: () => EMPTY,
    ciliumConfig: () => EMPTY,
    ciliumPools: () => EMPTY,
    ciliumKey: { namespace: "kube-system", name: "cilium-config" },
    ...given,
  };
}

function kubeadm(text: string): Partial<ClusterFacts> {
  const told: Told<never> | ReturnType<ClusterFacts["kubeadmConfig"]> = {
    kind: "there",
    broken: [],
    objects: [{
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kubeadm-config", namespace: "kube-system" },
      data: { ClusterConfiguration: text },
    }],
  };
  return { kubeadmConfig: () => told };
}

function statusOf(
  source: Parameters<typeof coordinatorStatus>[0],
  given: Partial<ClusterFacts> = {},
  former?: CoordinatorStatus,
): CoordinatorStatus {
  const status = coordinatorStatus(source, { facts: facts(given), former });
  assert.ok(status !== undefined);
  return status;
}

const BOTH = "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.1.0.0/16}";

Deno.test("coordinatorStatus() is Synced once both are found", () => {
  assert.deepEqual(statusOf(ok("cluster"), kubeadm(BOTH)), {
    phase: "Synced",
    overlayPodCIDR: ["10.244.0.0/16"],
    serviceCIDR: CIDRS,
  });
});

Deno.test("coordinatorStatus() is NotReady without the networks of pods", () => {
  const remedy = "write them into networking.podSubnet of key";
  const rows = [
    ["cluster", `^Cannot find the networks of pods \\(podCIDRType cluster\\): .*; ${remedy} `],
    ["calico", "calico\\): Calico has no IPPool that is not disabled; repair that, or write "],
    ["cilium", 'cilium\\): ConfigMap "kube-system/cilium-config" is missing; repair that, or '],
  ] as const;
  for (const [source, reason] of rows) {
    const { reason: said = "", ...rest } = statusOf(ok(source));
    assert.deepEqual(rest, { phase: "NotReady", overlayPodCIDR: [], serviceCIDR: CIDRS });
    assert.match(said, new RegExp(reason));
  }
});

Deno.test("coordinatorStatus() is NotReady without the networks of services, and says them", () => {
  const given = { ...kubeadm("networking: {podSubnet: 10.244.0.0/16}"), serviceCidrs: () => EMPTY };
  const { reason = "", ...rest } = statusOf(ok("cluster"), given);
  assert.deepEqual(rest, {
    phase: "NotReady",
    overlayPodCIDR: ["10.244.0.0/16"],
    serviceCIDR: [],
  });
  assert.match(
    reason,
    /^Cannot find the networks of services: .*; write them into networking\.ser/,
  );
});

Deno.test("coordinatorStatus() of none is Synced whatever is missing, and says it", () => {
  assert.deepEqual(statusOf(ok("none")), {
    phase: "Synced",
    overlayPodCIDR: [],
    serviceCIDR: CIDRS,
  });
  const { reason = "", ...rest } = statusOf(ok("none"), { serviceCidrs: () => EMPTY });
  assert.deepEqual(rest, { phase: "Synced", overlayPodCIDR: [], serviceCIDR: [] });
  assert.match(reason, /^Cannot find the networks of services: there is no ServiceCIDR; /);
});

Deno.test("coordinatorStatus() says why the type is not known", () => {
  assert.deepEqual(statusOf(err("Cannot find it")), {
    phase: "NotReady",
    reason: "Cannot find it",
    overlayPodCIDR: [],
    serviceCIDR: CIDRS,
  });
});

Deno.test("coordinatorStatus() waits for what decides, and for nothing else", () => {
  const waits = (source: "none" | "cluster", given: Partial<ClusterFacts>): boolean =>
    coordinatorStatus(ok(source), { facts: facts(given), former: undefined }) === undefined;
  assert.ok(waits("none", { serviceCidrs: () => PENDING }));
  assert.ok(waits("cluster", { kubeadmConfig: () => PENDING }));
  assert.ok(waits("cluster", { controllerManagers: () => PENDING }));
  const others = { calicoPools: () => PENDING, ciliumConfig: () => PENDING };
  assert.ok(!waits("cluster", { ...kubeadm(BOTH), ...others, controllerManagers: () => PENDING }));
  assert.ok(!waits("none", { kubeadmConfig: () => PENDING, controllerManagers: () => PENDING }));
});

Deno.test("coordinatorStatus() keeps what is not ours, and no former reason", () => {
  const former = { phase: "NotReady", reason: "old", conditions: [1] };
  assert.deepEqual(statusOf(ok("none"), {}, former), {
    phase: "Synced",
    conditions: [1],
    overlayPodCIDR: [],
    serviceCIDR: CIDRS,
  });
});

Deno.test("sameStatus() compares what is ours; an empty reason is none", () => {
  const one = { phase: "Synced", overlayPodCIDR: ["10.1.0.0/16"], serviceCIDR: [] };
  assert.ok(sameStatus({ ...one, reason: "" }, one));
  assert.ok(!sameStatus(undefined, one));
  assert.ok(!sameStatus({ ...one, phase: "NotReady" }, one));
  assert.ok(!sameStatus({ ...one, reason: "x" }, one));
  assert.ok(!sameStatus({ ...one, overlayPodCIDR: [] }, one));
  assert.ok(!sameStatus({ phase: "Synced", overlayPodCIDR: ["10.1.0.0/16"] }, one));
});
