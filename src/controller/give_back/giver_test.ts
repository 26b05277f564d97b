import assert from "node:assert/strict";
import { runOn } from "../../../tests/support/cluster_command.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { readAllocatedIps } from "../../api/ip_pool_records.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../../api/kubernetes/custom_resource_definition.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { TRUTH_FENCE } from "../../api/truth_fence.ts";
import { writeRefusal } from "../../api/write_rules.ts";
import type { ObjectStore, Resource, StoredObject, StoreError } from "../../base/object_store.ts";
import { seededRandom } from "../../base/random.ts";
import { err, expectOk } from "../../base/result.ts";
import { openMemoryStore } from "../../store/memory_store.ts";
import { rawOf } from "../raw_objects.ts";
import { runGiveBack } from "./program.ts";

const never = new AbortController().signal;
/** Longest name of a pod: few records fit an object then. */
const LONG = "x".repeat(253);

/** A definition with the fence and one other rule. */
function definitionOf(plural: string): Readonly<Record<string, unknown>> {
  const openAPIV3Schema = { type: "object", "x-kubernetes-validations": [TRUTH_FENCE, OTHER_RULE] };
  const versions = [{ name: "v2beta1", schema: { openAPIV3Schema } }];
  const metadata = { name: `${plural}.spiderpool.spidernet.io` };
  return { metadata, spec: { group: "spiderpool.spidernet.io", versions } };
}

class Cluster {
  readonly clock = new ManualClock();
  readonly store: ObjectStore = openMemoryStore({ clock: this.clock, random: seededRandom(1) });
  refusal: StoreError | undefined;
  #isDefined = false;
  #refusals = 0;
  /** Called before each list of SpiderIPs. */
  onList = (): Promise<void> => Promise.resolve();

  async make<T extends StoredObject>(resource: Resource<T>, value: unknown): Promise<T> {
    const object = expectOk(resource.parse(value), "it is one");
    return expectOk(await this.store.create(resource, object, { signal: never }), "it is new");
  }

  async pool(name: string, status: NonNullable<SpiderIpPool["status"]>): Promise<void> {
    const spec = { subnet: "10.6.0.0/16", ips: ["10.6.0.1-10.6.200.1"] };
    const made = await this.make(SPIDER_IP_POOLS, { metadata: { name }, spec });
    const written = { ...made, status };
    expectOk(await this.store.replaceStatus(SPIDER_IP_POOLS, written, { signal: never }), "stored");
  }

  async claim(ip: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    await this.make(SPIDER_IPS, { metadata: { name: ip }, spec: { ip, ...spec } });
  }

  async agent(name: string, phase: string): Promise<void> {
    const labels = { "app.kubernetes.io/component": "spiderpool-agent" };
    const metadata = { namespace: "spiderpool", name, labels };
    await this.make(PODS, { metadata, spec: { containers: [] }, status: { phase } });
    const pod = expectOk(await this.store.get(PODS, metadata, { signal: never }), "it is there");
    const running = { ...pod, status: { phase } };
    expectOk(await this.store.replaceStatus(PODS, running, { signal: never }), "stored");
  }

  /** The rules of the definition of a kind. */
  async rulesOf(plural: string): Promise<string> {
    const key = { name: `${plural}.spiderpool.spidernet.io` };
    const found = await this.store.get(DEFINITIONS, key, { signal: never });
    return JSON.stringify(expectOk(found, "it is there"));
  }

  async run() {
    for (const plural of ["spiderippools", "spiderendpoints"]) {
      if (this.#isDefined) break;
      await this.make(DEFINITIONS, definitionOf(plural));
    }
    this.#isDefined = true;
    const store: ObjectStore = {
      ...forwardingStore(this.store),
      list: async (resource, options) => {
        if (resource.plural === "spiderips") await this.onList();
        return await this.store.list(resource, options);
      },
      replaceStatus: async (resource, object, options) => {
        if (this.refusal !== undefined) return err(this.refusal);
        const previous = await this.store.get(resource, object.metadata, options);
        const kind = { group: resource.group, kind: resource.kind };
        // A server heeds a definition for a while that has changed.
        const hasRule = (await this.rulesOf("spiderippools")).includes("truth");
        const isHeeded = hasRule || this.#refusals++ < 3;
        const message = isHeeded && previous.ok
          ? writeRefusal({ kind, object, previous: previous.value })
          : undefined;
        if (message !== undefined) return err({ code: "invalid", message });
        return await this.store.replaceStatus(resource, object, options);
      },
    };
    return await runOn(store, {
      clock: this.clock,
      stepMs: 5_000,
      run: (ports) => runGiveBack([], ports),
    });
  }

  async read(name: string): Promise<SpiderIpPool> {
    return expectOk(await this.store.get(SPIDER_IP_POOLS, { name }, { signal: never }), "there");
  }
}

const DEFINITIONS = rawOf(CUSTOM_RESOURCE_DEFINITIONS);
const OTHER_RULE = { rule: "self.spec.subnet != ''", message: "Somebody else's" };
const WEB = { pool: "p", podNamespace: "n", podName: "web", podUID: "u" };

Deno.test("each pool gets all its records, a machine's under its own name", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", { truth: "SpiderIP", allocatedIPCount: 7, totalIPCount: 9 });
  await cluster.pool("empty", { truth: "SpiderIP", allocatedIPs: '{"10.6.0.1":{}}' });
  await cluster.claim("10.6.0.5", WEB);
  const owner = { kind: "VirtualMachineInstance", name: "vm" };
  await cluster.claim("10.6.0.6", { ...WEB, podName: "launcher", owner });
  await cluster.claim("10.6.0.7", { pool: "p", hold: "shrink" });
  assert.deepEqual(await cluster.run(), { code: 0, error: "", told: [] });
  const { status } = await cluster.read("p");
  assert.deepEqual(expectOk(readAllocatedIps(status?.allocatedIPs), "records"), {
    "10.6.0.5": { pod: "n/web", podUid: "u" },
    "10.6.0.6": { pod: "n/vm", podUid: "u" },
  });
  assert.deepEqual([status?.allocatedIPCount, status?.totalIPCount], [2, 9]);
  const empty = (await cluster.read("empty")).status;
  assert.deepEqual([empty?.allocatedIPs, empty?.allocatedIPCount], [undefined, 0]);
});

Deno.test("no marker and no fence is left: our definitions would find it again", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", { truth: "SpiderIP" });
  await cluster.claim("10.6.0.5", WEB);
  assert.deepEqual(await cluster.run(), { code: 0, error: "", told: [] });
  const { status } = await cluster.read("p");
  assert.equal(status?.truth, undefined);
  assert.match(status?.allocatedIPs ?? "", /10\.6\.0\.5/);
  for (const plural of ["spiderippools", "spiderendpoints"]) {
    const rules = await cluster.rulesOf(plural);
    assert.ok(!rules.includes(TRUTH_FENCE.rule) && rules.includes(OTHER_RULE.rule), rules);
  }
  assert.equal((await cluster.run()).code, 0, "it may be run again");
});

Deno.test("a pool that was never taken over keeps what it has", async () => {
  const cluster = new Cluster();
  const status = { allocatedIPs: '{"10.6.0.1":{"pod":"n/p","podUid":"u"}}', allocatedIPCount: 1 };
  await cluster.pool("p", status);
  assert.equal((await cluster.run()).code, 0);
  assert.deepEqual((await cluster.read("p")).status, status);
});

Deno.test("nothing is written while an agent runs: it is waited for, then it is told", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", { truth: "SpiderIP" });
  await cluster.agent("agent-done", "Succeeded");
  await cluster.agent("agent-x", "Running");
  await cluster.claim("10.6.0.5", WEB);
  const { code, error, told } = await cluster.run();
  assert.equal(code, 1);
  assert.match(error, /^Cannot give addresses back: "agent-x" still runs and may give one out; /);
  assert.deepEqual(told, [error.trim()]);
  assert.equal((await cluster.read("p")).status?.allocatedIPs, undefined);
});

Deno.test("a SpiderIP that comes late is in the records", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", { truth: "SpiderIP" });
  let lists = 0;
  cluster.onList = async () => {
    if (++lists === 2) await cluster.claim("10.6.0.9", WEB);
  };
  assert.equal((await cluster.run()).code, 0);
  assert.match((await cluster.read("p")).status?.allocatedIPs ?? "", /10\.6\.0\.9/);
  assert.ok(cluster.clock.monotonicMs() >= 60_000, "requests in flight were waited for");
  cluster.onList = () => cluster.claim(`10.6.1.${lists++}`, WEB);
  const { code, error } = await cluster.run();
  assert.equal(code, 1);
  assert.match(error, /SpiderIPs go on changing/);
});

Deno.test("a pool whose records do not fit one object is disabled, and says why", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", { truth: "SpiderIP" });
  for (let index = 0; index < 4_500; index++) {
    const ip = `10.6.${Math.floor(index / 250)}.${index % 250 + 1}`;
    await cluster.claim(ip, { ...WEB, podName: LONG });
  }
  assert.equal((await cluster.run()).code, 0);
  const { spec, metadata, status } = await cluster.read("p");
  assert.equal(spec.disable, true);
  assert.match(
    metadata.annotations?.["ipam.spidernet.io/not-usable"] ?? "",
    /^its records do not fit one object \(\d+ bytes of records/,
  );
  assert.deepEqual([status?.allocatedIPs, status?.truth], [undefined, undefined]);
});

Deno.test("what the API server refuses is a sentence and an Event", async () => {
  const cluster = new Cluster();
  await cluster.pool("p", { truth: "SpiderIP" });
  cluster.refusal = { code: "conflict", message: "Cannot replace it: it was changed" };
  const sentence = "Cannot give addresses back: Cannot replace it: it was changed";
  assert.deepEqual(await cluster.run(), { code: 1, error: `${sentence}\n`, told: [sentence] });
});
