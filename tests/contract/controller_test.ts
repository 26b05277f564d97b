/** Controllers on a real API server: one leads, tells what pools hold, and hands over. */
import assert from "node:assert/strict";
import { LEADER_LEASE_NAME } from "../../src/api/leases.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { SPIDER_IPS } from "../../src/api/spider_ip.ts";
import { TRUTH_FENCE_MESSAGE } from "../../src/api/truth_fence.ts";
import { systemClock } from "../../src/base/clock.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { SILENT_METRICS } from "../../src/base/metrics.ts";
import type {
  ObjectKey,
  ObjectStore,
  Resource,
  StoredObject,
} from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { Controller } from "../../src/controller/controller.ts";
import { newClaim } from "../../src/ipam/claim.ts";
import { parseAddress } from "../../src/ip/mod.ts";
import { LEASES } from "../../src/kube/mod.ts";
import { CONTROLLER_SETTINGS, NO_FILES } from "../support/controller_rig.ts";
import { hangLimit } from "../support/hang_limit.ts";
import { program, testWith } from "../support/require.ts";
import { connect, openApiServer } from "./api_server.ts";
import { apiServer, applyKinds, kubectl, kubectlOk } from "./kubectl.ts";
import { must } from "./steps.ts";

/** The first state of an object that is as it should be. */
async function until<T extends StoredObject>(
  store: ObjectStore,
  resource: Resource<T>,
  { key, isSo, signal }: {
    readonly key: ObjectKey;
    readonly isSo: (object: T) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<T> {
  const { namespace, name } = key;
  const fieldSelector = `metadata.name=${name}`;
  for (;;) {
    for await (const event of store.watch(resource, { namespace, fieldSelector, signal })) {
      const isObject = event.type === "added" || event.type === "modified";
      if (isObject && isSo(event.object)) return event.object;
    }
  }
}

/** One controller with a connection of its own. */
async function startController(podName: string, namespace: string): Promise<AsyncDisposable> {
  const session = await connect();
  const { store } = session;
  const ports = { store, clock: systemClock(), random: systemRandom(), log: SILENT_LOG };
  // Nobody has these addresses: reclaim would free them.
  const reclaim = { ...CONTROLLER_SETTINGS.reclaim, isOn: false };
  const settings = { ...CONTROLLER_SETTINGS, namespace, podName, reclaim };
  const controller = new Controller(
    { ...ports, metrics: SILENT_METRICS, files: NO_FILES },
    settings,
  );
  const stop = new AbortController();
  const running = controller.run({ signal: stop.signal }).catch((error: unknown) => {
    if (error !== stop.signal.reason) throw error;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("told to stop"));
      await running;
      session[Symbol.dispose]();
    },
  };
}

function claim(ip: string, { pool, pod }: { readonly pool: string; readonly pod: string }) {
  const address = expectOk(parseAddress(ip), "an address");
  return newClaim({ pool, address }, {
    podNamespace: "default",
    podName: pod,
    podUID: `uid-${pod}`,
    containerID: "c",
    nic: "eth0",
    node: "n1",
    endpointName: pod,
  });
}

/** A pool as the reference left it. @returns Its records. */
async function makeOldPool(
  store: ObjectStore,
  { pool, signal }: { readonly pool: string; readonly signal: AbortSignal },
): Promise<string> {
  const made = must(
    await store.create(
      SPIDER_IP_POOLS,
      expectOk(
        SPIDER_IP_POOLS.parse({
          metadata: { name: pool },
          spec: { subnet: "10.201.0.0/24", ips: ["10.201.0.10-10.201.0.12"] },
        }),
        "a pool",
      ),
      { signal },
    ),
  );
  const old = '{"10.201.0.10":{"pod":"default/old","podUid":"uid-old"}}';
  const status = { allocatedIPs: old, allocatedIPCount: 1 };
  must(await store.replaceStatus(SPIDER_IP_POOLS, { ...made, status }, { signal }));
  return old;
}

async function check(
  store: ObjectStore,
  { pool, namespace, signal }: {
    readonly pool: string;
    readonly namespace: string;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const key = { name: pool };
  const untilPool = (isSo: (object: SpiderIpPool) => boolean): Promise<SpiderIpPool> =>
    until(store, SPIDER_IP_POOLS, { key, isSo, signal });
  const holder = (name: string): Promise<unknown> =>
    until(store, LEASES, {
      key: { namespace, name: LEADER_LEASE_NAME },
      isSo: ({ spec }) => spec?.holderIdentity === name,
      signal,
    });
  const old = await makeOldPool(store, { pool, signal });
  const a = await startController("a", namespace);
  await using _rest = await (async () => {
    try {
      await holder("a");
      return await startController("b", namespace);
    } catch (error) {
      await a[Symbol.asyncDispose]();
      throw error;
    }
  })();
  const adopted = await untilPool(({ status }) => status?.freeIPCount === 2);
  assert.deepEqual([adopted.status?.truth, adopted.status?.allocatedIPs], ["SpiderIP", old]);
  const refused = await kubectl([
    ...["patch", "spiderippool", pool, "--subresource=status", "--type=json"],
    ...["-p", '[{"op":"remove","path":"/status/truth"}]'],
  ]);
  assert.equal(refused.success, false);
  assert.ok(refused.stderr.includes(TRUTH_FENCE_MESSAGE), refused.stderr);
  must(await store.create(SPIDER_IPS, claim("10.201.0.11", { pool, pod: "b" }), { signal }));
  await untilPool(({ status }) => status?.allocatedIPCount === 2);
  await a[Symbol.asyncDispose]();
  await holder("b");
  must(await store.create(SPIDER_IPS, claim("10.201.0.12", { pool, pod: "c" }), { signal }));
  const full = await untilPool(({ status }) => status?.freeIPCount === 0);
  const holding = (full.status?.conditions ?? []).filter(({ status }) => status === "True");
  assert.deepEqual(holding.map(({ type }) => type).sort(), [
    "Exhausted",
    "NearlyExhausted",
    "Ready",
  ]);
  await kubectlOk([
    ...["patch", "spiderippool", pool, "--subresource=status", "--type=merge"],
    ...["-p", '{"status":{"allocatedIPCount":77,"allocatedIPs":"{"}}'],
  ]);
  await untilPool(({ status }) => status?.allocatedIPCount === 3 && status.allocatedIPs !== "{");
  const wide = await kubectlOk(["get", "sp", pool, "-o", "wide"]);
  const [head = "", row = ""] = wide.split("\n");
  const place = head.indexOf("FREE-IP-COUNT");
  assert.equal(row.slice(place, place + 13).trim(), "0", wide);
}

testWith({
  name: "controllers lead in turn, and pools tell what SpiderIPs say",
  needs: [apiServer, program("kubectl")],
  async fn() {
    using limit = hangLimit();
    await applyKinds();
    await using harness = await openApiServer();
    const { store, prefix, namespaces: [namespace] } = harness;
    const pool = `${prefix}-p`;
    const { signal } = limit;
    try {
      await check(store, { pool, namespace, signal });
    } finally {
      for (const name of ["10.201.0.10", "10.201.0.11", "10.201.0.12"]) {
        await store.remove(SPIDER_IPS, { name }, { signal });
      }
      await store.remove(SPIDER_IP_POOLS, { name: pool }, { signal });
    }
  },
});
