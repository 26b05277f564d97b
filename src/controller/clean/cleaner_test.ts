import assert from "node:assert/strict";
import { runOn } from "../../../tests/support/cluster_command.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import { SPIDER_COORDINATORS } from "../../api/coordinator.ts";
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../../api/kubernetes/custom_resource_definition.ts";
import { WEBHOOK_CONFIGURATIONS } from "../../api/kubernetes/webhook_configuration.ts";
import { NODES } from "../../api/kubernetes/node.ts";
import { JOBS } from "../../api/kubernetes/workload.ts";
import { SPIDER_MULTUS_CONFIGS } from "../../api/multus_config.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../../api/network_attachment.ts";
import { TAINT_NOT_READY } from "../../api/node_gate.ts";
import { SPIDER_RESERVED_IPS } from "../../api/reserved_ip.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import {
  apiVersionOf,
  type ObjectStore,
  type Resource,
  type StoredObject,
  type StoreError,
} from "../../base/object_store.ts";
import { seededRandom } from "../../base/random.ts";
import { err, expectOk } from "../../base/result.ts";
import { openMemoryStore } from "../../store/memory_store.ts";
import { rawOf } from "../raw_objects.ts";
import { readCleanArguments, runClean } from "./program.ts";

const OURS = "spiderpool.spidernet.io";
const never = new AbortController().signal;
const NAME = { name: "spiderpool-controller" };
const KINDS: readonly Resource<StoredObject>[] = [
  SPIDER_IP_POOLS,
  SPIDER_SUBNETS,
  SPIDER_ENDPOINTS,
  SPIDER_RESERVED_IPS,
  SPIDER_MULTUS_CONFIGS,
  SPIDER_COORDINATORS,
].map((one) => rawOf<StoredObject>(one));
const ALL: readonly Resource<StoredObject>[] = [
  ...WEBHOOK_CONFIGURATIONS,
  ...KINDS,
  NETWORK_ATTACHMENT_DEFINITIONS,
  CUSTOM_RESOURCE_DEFINITIONS,
  JOBS,
].map((one) => rawOf<StoredObject>(one));

/** A cluster in which Spiderpool was used, beside others. */
class Cluster {
  readonly clock = new ManualClock();
  readonly store: ObjectStore = openMemoryStore({ clock: this.clock, random: seededRandom(1) });
  /** Kinds in the order in which their first object was asked to go. */
  readonly order: string[] = [];
  refuse: (resource: Resource<StoredObject>) => StoreError | undefined = () => undefined;
  /** What the next replacements of nodes end with. */
  readonly writeErrors: StoreError[] = [];

  async make(
    resource: Resource<StoredObject>,
    metadata: StoredObject["metadata"],
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const { kind } = resource;
    const object = { apiVersion: apiVersionOf(resource), kind, metadata, ...more };
    expectOk(await this.store.create(rawOf(resource), object, { signal: never }), "it is new");
  }

  /** One object of each kind with our finalizer, and what is around. */
  async use(): Promise<void> {
    for (const resource of WEBHOOK_CONFIGURATIONS) {
      for (const name of [NAME.name, "other"]) await this.make(resource, { name });
    }
    for (const resource of KINDS) {
      const namespace = resource.namespaced ? { namespace: "n" } : {};
      await this.make(resource, { ...namespace, name: "one", finalizers: [OURS] });
      await this.make(resource, { ...namespace, name: "two" }, { spec: "no such spec" });
    }
    const owner = { apiVersion: `${OURS}/v2beta1`, kind: "SpiderMultusConfig", name: "one" };
    const ownerReferences = [{ ...owner, uid: "u" }];
    const namespace = "n";
    await this.make(NETWORK_ATTACHMENT_DEFINITIONS, { namespace, name: "one", ownerReferences });
    await this.make(NETWORK_ATTACHMENT_DEFINITIONS, { namespace, name: "theirs" });
    for (const group of [OURS, "sriovnetwork.openshift.io"]) {
      await this.make(CUSTOM_RESOURCE_DEFINITIONS, { name: `x.${group}` }, { spec: { group } });
    }
    await this.make(JOBS, { namespace: "spiderpool", name: "spiderpool-init" }, { spec: {} });
  }

  async run() {
    const store: ObjectStore = {
      ...forwardingStore(this.store),
      replace: (resource, object, options) => {
        const refused = resource.kind === NODES.kind ? this.writeErrors.shift() : undefined;
        if (refused !== undefined) return Promise.resolve(err(refused));
        return this.store.replace(resource, object, options);
      },
      remove: (resource, key, options) => {
        if (!this.order.includes(resource.kind)) this.order.push(resource.kind);
        const refused = this.refuse(rawOf(resource));
        if (refused !== undefined) return Promise.resolve(err(refused));
        return this.store.remove(resource, key, options);
      },
    };
    return await runOn(store, {
      clock: this.clock,
      stepMs: 1_000,
      run: (ports) => runClean(["--validate", NAME.name, `--mutating=${NAME.name}`], ports),
    });
  }

  async left(): Promise<readonly string[]> {
    const lists = await Promise.all(ALL.map(async (resource) => {
      const { items } = expectOk(await this.store.list(resource, { signal: never }), "it lists");
      return items.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    }));
    return lists.flat();
  }
}

/** What is not ours. */
const OTHERS = [
  "MutatingWebhookConfiguration other",
  "ValidatingWebhookConfiguration other",
  "NetworkAttachmentDefinition theirs",
  "CustomResourceDefinition x.sriovnetwork.openshift.io",
];

Deno.test("clean takes all that is ours, webhooks first, and nothing else", async () => {
  const cluster = new Cluster();
  await cluster.use();
  assert.deepEqual(await cluster.run(), { code: 0, error: "", told: [] });
  assert.deepEqual(await cluster.left(), OTHERS);
  assert.deepEqual(cluster.order.slice(0, 2), [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
  ]);
  assert.deepEqual(cluster.order.slice(-3), [
    "NetworkAttachmentDefinition",
    "CustomResourceDefinition",
    "Job",
  ]);
});

Deno.test("clean has nothing to do the second time, nor without our kinds", async () => {
  const cluster = new Cluster();
  await cluster.use();
  await cluster.run();
  assert.deepEqual(await cluster.run(), { code: 0, error: "", told: [] });
  const unserved = new Cluster();
  const list = unserved.store.list.bind(unserved.store);
  unserved.store.list = (resource, options) => {
    if (resource.group !== OURS) return list(resource, options);
    const message = "the server does not serve this kind";
    const error = {
      code: "unavailable",
      message,
      outcomeUnknown: false,
      isUnserved: true,
    } as const;
    return Promise.resolve(err(error));
  };
  assert.deepEqual(await unserved.run(), { code: 0, error: "", told: [] });
});

Deno.test("somebody else's finalizer stays, and is told; the rest goes on", async () => {
  const cluster = new Cluster();
  await cluster.use();
  const finalizers = ["theirs.example.com/x", OURS];
  await cluster.make(rawOf(SPIDER_SUBNETS), { name: "held", finalizers });
  const { code, error, told } = await cluster.run();
  assert.equal(code, 1);
  assert.equal(
    error,
    'Cannot remove SpiderSubnet "held": its deletion waits for finalizer "theirs.example.com/x"\n',
  );
  assert.deepEqual(told, [error.trim()]);
  assert.deepEqual(await cluster.left(), [
    ...OTHERS.slice(0, 2),
    "SpiderSubnet held",
    ...OTHERS.slice(2),
  ]);
});

Deno.test("a server that is busy is asked again, one that refuses is told of once", async () => {
  const busy = new Cluster();
  await busy.use();
  let refusals = 3;
  busy.refuse = ({ kind }) => {
    const error = { code: "throttled", message: "busy", retryAfterMs: 1 } as const;
    return kind === "SpiderIPPool" && refusals-- > 0 ? error : undefined;
  };
  assert.equal((await busy.run()).code, 0);
  const refusing = new Cluster();
  await refusing.use();
  const message = "Cannot delete it: no right";
  refusing.refuse = ({ kind }) => {
    const error = { code: "forbidden", message, namespaceTerminating: false } as const;
    return kind === "Job" ? error : undefined;
  };
  const { code, error } = await refusing.run();
  assert.deepEqual({ code, error }, {
    code: 1,
    error: `Cannot remove Job "spiderpool/spiderpool-init": ${message}\n`,
  });
});

Deno.test("readCleanArguments() takes what the reference's chart writes, and nothing else", () => {
  const names = { ok: true, value: { validatingName: "a", mutatingName: "b" } };
  assert.deepEqual(readCleanArguments(["--validate", "a", "--mutating", "b"]), names);
  assert.deepEqual(readCleanArguments(["--mutating=b", "--validate=a"]), names);
  for (const args of [[], ["--validate", "a"], ["--validate", "a", "--mutate", "b"]]) {
    const refused = readCleanArguments(args);
    assert.ok(!refused.ok);
    assert.match(refused.error, /^Cannot run spiderpool-controller clean with .*: use clean --val/);
  }
});

/** Nodes, with the taints that are left of theirs. */
async function taintsIn(cluster: Cluster): Promise<unknown> {
  const { items } = expectOk(await cluster.store.list(NODES, { signal: never }), "it lists");
  return Object.fromEntries(items.map(({ metadata, spec }) => {
    return [metadata.name, spec.taints?.map(({ key }) => key)];
  }));
}

Deno.test("clean takes our taint off nodes, and nothing else of them", async () => {
  const cluster = new Cluster();
  const [ours, theirs] = [TAINT_NOT_READY, "theirs"].map((key) => ({ key, effect: "NoSchedule" }));
  await cluster.make(rawOf(NODES), { name: "new" }, { spec: { taints: [theirs, ours] } });
  await cluster.make(rawOf(NODES), { name: "old" }, { spec: { taints: [theirs] } });
  await cluster.make(rawOf(NODES), { name: "plain" }, { spec: {} });
  cluster.writeErrors.push({ code: "conflict", message: "a kubelet wrote it" });
  assert.deepEqual(await cluster.run(), { code: 0, error: "", told: [] });
  assert.deepEqual(await taintsIn(cluster), { new: ["theirs"], old: ["theirs"], plain: undefined });
  assert.equal(cluster.writeErrors.length, 0);
});

Deno.test("a taint that may not be taken off is told, and the rest goes on", async () => {
  const cluster = new Cluster();
  await cluster.use();
  const taints = [{ key: TAINT_NOT_READY, effect: "NoSchedule" }];
  await cluster.make(rawOf(NODES), { name: "new" }, { spec: { taints } });
  const message = "no right";
  cluster.writeErrors.push({ code: "forbidden", message, namespaceTerminating: false });
  const { code, error } = await cluster.run();
  assert.deepEqual({ code, error }, {
    code: 1,
    error: `Cannot take taint "${TAINT_NOT_READY}" off Node "new": no right\n`,
  });
  assert.deepEqual(await cluster.left(), OTHERS);
});
