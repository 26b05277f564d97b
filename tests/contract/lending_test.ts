/** SpiderSubnets lend on a real API server, with the rights of `manifests/rbac`. */
import assert from "node:assert/strict";
import { ANNOTATION_IP_NUMBER } from "../../src/api/annotations.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { SPIDER_IPS } from "../../src/api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../../src/api/subnet.ts";
import { readControlledIpPools } from "../../src/api/subnet_records.ts";
import { systemClock } from "../../src/base/clock.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { SILENT_METRICS } from "../../src/base/metrics.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { runTogether } from "../../src/base/waiting.ts";
import { ClusterView } from "../../src/controller/cluster_view.ts";
import { ControllerMetrics } from "../../src/controller/controller_metrics.ts";
import { Lender } from "../../src/controller/lending/lender.ts";
import { LifeView } from "../../src/controller/reclaim/life_view.ts";
import { EventRecorder, Settler } from "../../src/kube/mod.ts";
import { CONTROLLER_SETTINGS, NO_FILES } from "../support/controller_rig.ts";
import { hangLimit } from "../support/hang_limit.ts";
import { program, testWith } from "../support/require.ts";
import { connectAs } from "./account.ts";
import { apiServer, applyKinds, kubectlOk, TestObjects } from "./kubectl.ts";

const API_VERSION = "spiderpool.spidernet.io/v2beta1";
const NAME = "contract-lending";
const NETWORK = "10.203.0.0/24";
/** Pools of applications that come at the same time. */
const POOLS = 30;

/** Lends until it is disposed. */
function startLender(store: ObjectStore): AsyncDisposable {
  const [clock, random] = [systemClock(), systemRandom()];
  const ports = {
    ...{ store, clock, random, log: SILENT_LOG },
    ...{ metrics: SILENT_METRICS, files: NO_FILES },
  };
  const named = { controller: "spidernet.io/contract", instance: NAME };
  const recorder = new EventRecorder({ store, clock, random, ...named });
  const view = new ClusterView(ports);
  const life = new LifeView(ports);
  const settings = CONTROLLER_SETTINGS;
  const metrics = new ControllerMetrics(SILENT_METRICS, { countPools: () => 0 });
  const settler = new Settler(ports);
  const lender = new Lender({ ports, settings, recorder, view, life, metrics, settler });
  const stop = new AbortController();
  const { signal } = stop;
  const running = runTogether([
    (options) => view.run(options),
    (options) => life.run(options),
    (options) => lender.run(options),
  ], { signal }).catch((error: unknown) => {
    if (error !== signal.reason) throw error;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("told to stop"));
      await running;
    },
  };
}

function poolName(index: number): string {
  return `${NAME}-${index}`;
}

async function makePool(
  objects: TestObjects,
  { name, number, ips = [] }: {
    readonly name: string;
    readonly number?: number;
    readonly ips?: readonly string[];
  },
): Promise<void> {
  const automatic = {
    labels: { "ipam.spidernet.io/owner-application-name": name },
    annotations: { [ANNOTATION_IP_NUMBER]: String(number) },
  };
  await objects.created({
    apiVersion: API_VERSION,
    kind: "SpiderIPPool",
    metadata: { name, ...(number !== undefined && automatic) },
    spec: { subnet: NETWORK, ips: [...ips] },
  });
  const status = JSON.stringify({ status: { truth: "SpiderIP" } });
  const patch = ["--subresource=status", "--type=merge", "-p", status];
  await kubectlOk(["patch", "spiderippools", name, ...patch]);
}

/** Resolves once pools are as they should be; gives the first such state of each. */
async function untilPools(
  store: ObjectStore,
  { names, isSo, signal }: {
    readonly names: readonly string[];
    readonly isSo: (pool: SpiderIpPool) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<readonly SpiderIpPool[]> {
  const found = new Map<string, SpiderIpPool>();
  while (names.some((name) => !found.has(name))) {
    for await (const event of store.watch(SPIDER_IP_POOLS, { signal })) {
      if (event.type !== "added" && event.type !== "modified") continue;
      if (isSo(event.object)) found.set(event.object.metadata.name, event.object);
      if (names.every((name) => found.has(name))) break;
    }
  }
  return names.flatMap((name) => found.get(name) ?? []);
}

async function record(store: ObjectStore, signal: AbortSignal): Promise<object> {
  const subnet = expectOk(await store.get(SPIDER_SUBNETS, { name: NAME }, { signal }), "there");
  return expectOk(readControlledIpPools(subnet.status?.controlledIPPools), "it can be read");
}

testWith({
  name: "a subnet lends to pools that come together, and takes back, with the controller's rights",
  needs: [apiServer, program("kubectl")],
  async fn() {
    using limit = hangLimit();
    const { signal } = limit;
    await applyKinds();
    using session = await connectAs("spiderpool-controller");
    const { store } = session;
    await using _lender = startLender(store);
    await using objects = new TestObjects();
    await objects.created({
      apiVersion: API_VERSION,
      kind: "SpiderSubnet",
      metadata: { name: NAME },
      spec: { subnet: NETWORK, ips: ["10.203.0.10-10.203.0.99"], gateway: "10.203.0.1" },
    });
    const names = Array.from({ length: POOLS }, (_, index) => poolName(index));
    await Promise.all(names.map((name) => makePool(objects, { name, number: 3 })));
    const full = await untilPools(store, {
      names,
      isSo: ({ spec }) => (spec.ips ?? []).length > 0,
      signal,
    });
    const lent = full.map(({ metadata, spec }) => [metadata.name, { ips: spec.ips }]);
    assert.deepEqual(await record(store, signal), Object.fromEntries(lent));
    assert.deepEqual(full.map(({ spec }) => spec.gateway), names.map(() => "10.203.0.1"));

    const fewer = `${ANNOTATION_IP_NUMBER}=1`;
    await kubectlOk(["annotate", "--overwrite", "spiderippools", poolName(0), fewer]);
    const [first] = full[0]?.spec.ips?.[0]?.split("-") ?? [];
    const [less] = await untilPools(store, {
      names: [poolName(0)],
      isSo: ({ spec }) => spec.ips?.[0] === first,
      signal,
    });
    assert.deepEqual(less?.spec.ips, [first]);
    const held = expectOk(await store.list(SPIDER_IPS, { signal }), "listed").items;
    const own = held.filter(({ spec }) => spec.pool === poolName(0));
    assert.deepEqual(own.map(({ spec }) => spec.hold), ["shrink", "shrink"]);

    await kubectlOk(["delete", "spidersubnets", NAME, "--wait=true", "--timeout=60s"]);
    const left = expectOk(await store.list(SPIDER_IP_POOLS, { signal }), "listed").items;
    assert.deepEqual(left.filter(({ spec }) => spec.subnet === NETWORK), []);
  },
});
