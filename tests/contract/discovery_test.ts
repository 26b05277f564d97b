/** Networks of a cluster, found on a real API server with the rights of `manifests/rbac`. */
import assert from "node:assert/strict";
import { SPIDER_COORDINATORS } from "../../src/api/coordinator.ts";
import { systemClock } from "../../src/base/clock.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { SILENT_METRICS } from "../../src/base/metrics.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { Discoverer } from "../../src/controller/discovery/discoverer.ts";
import type { CoordinatorStatus } from "../../src/controller/discovery/status.ts";
import { EventRecorder, Settler } from "../../src/kube/mod.ts";
import { CONTROLLER_SETTINGS, NO_FILES } from "../support/controller_rig.ts";
import { hangLimit } from "../support/hang_limit.ts";
import { program, testWith } from "../support/require.ts";
import { connectAs } from "./account.ts";
import { apiServer, applyKinds, kubectlOk, TestObjects } from "./kubectl.ts";

const NAME = "contract-discovery";
const COORDINATOR_KIND = "spidercoordinators.spiderpool.spidernet.io";
const CALICO_KIND = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "ippools.crd.projectcalico.org" },
  spec: {
    group: "crd.projectcalico.org",
    scope: "Cluster",
    names: { kind: "IPPool", plural: "ippools", singular: "ippool" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    }],
  },
};

/** Finds networks until it is disposed. */
function startDiscoverer(store: ObjectStore): AsyncDisposable {
  const clock = systemClock();
  const random = systemRandom();
  const ports = {
    ...{ store, clock, random, log: SILENT_LOG },
    ...{ metrics: SILENT_METRICS, files: NO_FILES },
  };
  const named = { controller: "spidernet.io/contract", instance: NAME };
  const recorder = new EventRecorder({ store, clock, random, ...named });
  const discovery = { ...CONTROLLER_SETTINGS.discovery, isOn: true, coordinatorName: NAME };
  const settings = { ...CONTROLLER_SETTINGS, discovery };
  const discoverer = new Discoverer({ ports, settings, recorder, settler: new Settler(ports) });
  const stop = new AbortController();
  const running = discoverer.run({ signal: stop.signal }).catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("told to stop"));
      await running;
    },
  };
}

async function untilStatus(
  store: ObjectStore,
  { isSo, signal }: {
    readonly isSo: (status: CoordinatorStatus) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<CoordinatorStatus> {
  const fieldSelector = `metadata.name=${NAME}`;
  for (;;) {
    for await (const event of store.watch(SPIDER_COORDINATORS, { fieldSelector, signal })) {
      if (event.type !== "added" && event.type !== "modified") continue;
      const { status } = event.object;
      if (status !== undefined && isSo(status)) return status;
    }
  }
}

async function setType(podCIDRType: string): Promise<void> {
  const patch = JSON.stringify({ spec: { podCIDRType } });
  await kubectlOk(["patch", COORDINATOR_KIND, NAME, "--type=merge", "-p", patch]);
}

/** A further ServiceCIDR is found. */
async function assertServicesFollow(
  store: ObjectStore,
  { objects, services, signal }: {
    readonly objects: TestObjects;
    readonly services: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  await objects.created({
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: NAME },
    spec: { cidrs: ["10.97.0.0/16"] },
  });
  const more = await untilStatus(store, {
    isSo: ({ serviceCIDR = [] }) => serviceCIDR.length === 2,
    signal,
  });
  assert.deepEqual(more.serviceCIDR, [...services, "10.97.0.0/16"]);
}

testWith({
  name: "networks of a cluster are found as soon as it says them, with the controller's rights",
  needs: [apiServer, program("kubectl")],
  async fn() {
    using limit = hangLimit();
    const { signal } = limit;
    await applyKinds();
    using session = await connectAs("spiderpool-controller");
    const { store } = session;
    await using objects = new TestObjects();
    await using _discoverer = startDiscoverer(store);
    await objects.created({
      apiVersion: "spiderpool.spidernet.io/v2beta1",
      kind: "SpiderCoordinator",
      metadata: { name: NAME, finalizers: ["spiderpool.spidernet.io"] },
      spec: { podCIDRType: "calico" },
    });
    const missing = await untilStatus(store, { isSo: ({ phase }) => phase === "NotReady", signal });
    assert.match(missing.reason ?? "", /the server has no kind IPPool of crd\.projectcalico\.org/);
    const { serviceCIDR: services = [] } = missing;
    assert.equal(services.length, 1, "the server's own ServiceCIDR");

    await objects.created(CALICO_KIND);
    await kubectlOk([
      "wait",
      "--for=condition=Established",
      "--timeout=60s",
      `crd/${CALICO_KIND.metadata.name}`,
    ]);
    await objects.created({
      apiVersion: "crd.projectcalico.org/v1",
      kind: "IPPool",
      metadata: { name: NAME },
      spec: { cidr: "10.201.0.0/16" },
    });
    const calico = await untilStatus(store, { isSo: ({ phase }) => phase === "Synced", signal });
    assert.deepEqual(calico, {
      phase: "Synced",
      overlayPodCIDR: ["10.201.0.0/16"],
      serviceCIDR: services,
    });

    await setType("cluster");
    await untilStatus(store, { isSo: ({ phase }) => phase === "NotReady", signal });
    await objects.created({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kubeadm-config", namespace: "kube-system" },
      data: { ClusterConfiguration: "networking: {podSubnet: 10.202.0.0/16}" },
    });
    const cluster = await untilStatus(store, { isSo: ({ phase }) => phase === "Synced", signal });
    assert.deepEqual(cluster.overlayPodCIDR, ["10.202.0.0/16"]);

    await assertServicesFollow(store, { objects, services, signal });

    await setType("cilium");
    const cilium = await untilStatus(store, { isSo: ({ phase }) => phase === "NotReady", signal });
    assert.match(cilium.reason ?? "", /ConfigMap "kube-system\/cilium-config" is missing/);
    const path = "-o=jsonpath={.metadata.finalizers}";
    assert.equal(await kubectlOk(["get", COORDINATOR_KIND, NAME, path]), "");
  },
});
