import assert from "node:assert/strict";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { SILENT_METRICS } from "../base/metrics.ts";
import { openMetrics } from "../base/metrics_sink.ts";
import type { ObjectStore } from "../base/object_store.ts";
import { err, expectOk } from "../base/result.ts";
import { newClaim } from "../ipam/claim.ts";
import { addArgs, AgentRig, type RigOptions } from "../../tests/support/agent_rig.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";
import { addressAt, holderOf } from "../../tests/support/decision_objects.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { AgentMetrics } from "./agent_metrics.ts";
import { ADD_MS_MAX } from "./limits.ts";

const ALLOCATION = "spiderpool_ipam_allocation";
const RELEASE = "spiderpool_ipam_release";

/** A rig whose agents count, and how to read what they counted. */
async function countingRig(options: RigOptions = {}): Promise<{
  readonly rig: AgentRig;
  readonly read: () => Promise<ReadonlyMap<string, number>>;
}> {
  const { metrics, text } = openMetrics({ keepsDebug: false });
  const rig = await AgentRig.start({ ...options, metrics });
  return {
    rig,
    read: async () => {
      const lines = (await text()).split("\n").filter((line) => /^\w/.test(line));
      return new Map(lines.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }));
    },
  };
}

function annotations(...pools: readonly string[]): Record<string, string> {
  return { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: pools }) };
}

/** Counters of failures that are not 0, without what they have in common. */
function failures(samples: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, value] of samples) {
    const kind = /_ipam_(\w+_(?:failure|err_\w+))_counts_total$/.exec(name)?.[1];
    if (kind !== undefined && value > 0) found[kind] = value;
  }
  return found;
}

Deno.test("the agent counts and times allocations and releases", async () => {
  const { rig, read } = await countingRig();
  await using _rig = rig;
  await rig.pool("p4", { ips: ["10.6.0.10-10.6.0.19"] });
  const pod = await rig.pod("web", { annotations: annotations("p4") });
  for (let ask = 0; ask < 3; ask++) expectOk(await rig.add(pod), "given");
  await rig.removePod("web");
  await rig.del(pod);
  const samples = await read();
  assert.equal(samples.get(`${ALLOCATION}_counts_total`), 3);
  assert.equal(samples.get(`${ALLOCATION}_duration_seconds_count`), 3);
  assert.equal(samples.get(`${ALLOCATION}_limit_duration_seconds_count`), 3);
  assert.equal(samples.get(`${RELEASE}_counts_total`), 1);
  assert.equal(samples.get(`${RELEASE}_duration_seconds_count`), 1);
  assert.equal(samples.get(`${RELEASE}_limit_duration_seconds_count`), 1);
  assert.deepEqual(failures(samples), {});
});

Deno.test("the agent counts each failed allocation under one class", async () => {
  const { rig, read } = await countingRig();
  await using _rig = rig;
  const pods = [
    await rig.pod("typo", { annotations: { "ipam.spidernet.io/ippool": "{" } }),
    await rig.pod("no-pool", { annotations: annotations("nowhere") }),
  ];
  for (const pod of pods) await rig.refusal(pod);
  assert.deepEqual(failures(await read()), {
    allocation_failure: 2,
    allocation_err_wrong_input: 1,
    allocation_err_no_available_pool: 1,
  });
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  await rig.addresses(await rig.pod("first", { annotations: annotations("p4") }));
  await rig.refusal(await rig.pod("second", { annotations: annotations("p4") }));
  const dead = await rig.pod("dead", { annotations: annotations("p4") });
  await rig.removePod("dead");
  await rig.refusal(dead);
  assert.deepEqual(failures(await read()), {
    allocation_failure: 4,
    allocation_err_wrong_input: 1,
    allocation_err_no_available_pool: 1,
    allocation_err_ip_used_out: 1,
    allocation_err_internal: 1,
  });
});

/** The store, but for reads of one object: while `isCut()`, nobody answers them. */
function cutOff(store: ObjectStore, isCut: () => boolean): ObjectStore {
  const message = "Cannot reach the server";
  return {
    ...forwardingStore(store),
    get: (...args) => {
      if (!isCut()) return store.get(...args);
      return Promise.resolve(err({ code: "unavailable", message, outcomeUnknown: false }));
    },
  };
}

Deno.test("the agent counts what is not done in time", async () => {
  let isCut = false;
  const { rig, read } = await countingRig({ wrap: (store) => cutOff(store, () => isCut) });
  await using _rig = rig;
  const pod = await rig.pod("web", { annotations: annotations("p4") });
  isCut = true;
  const asked = rig.agent().add({ ...addArgs(pod), podUID: "" }, { signal: rig.signal });
  await rig.pass(ADD_MS_MAX);
  assert.match(JSON.stringify(await asked), /Cannot reach the server/);
  isCut = false;
  const samples = await read();
  assert.deepEqual(failures(samples), {
    allocation_failure: 1,
    allocation_err_retries_exhausted: 1,
  });
  assert.equal(samples.get(`${ALLOCATION}_latest_duration_seconds`), ADD_MS_MAX / 1_000);
});

Deno.test("the agent counts an allocation whose asker went away as failed", async () => {
  const { rig, read } = await countingRig();
  await using _rig = rig;
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  const pod = await rig.pod("web", { annotations: annotations("p4") });
  const gone = new AbortController();
  gone.abort(new Error("gone"));
  await assert.rejects(rig.agent().add(addArgs(pod), { signal: gone.signal }), /gone/);
  assert.deepEqual(failures(await read()), { allocation_failure: 1, allocation_err_internal: 1 });
});

Deno.test("the agent counts addresses that somebody else had taken", async () => {
  const { rig, read } = await countingRig();
  await using _rig = rig;
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  const other = holderOf({ node: "elsewhere", podName: "other" });
  await rig.make(SPIDER_IPS, newClaim({ pool: "p4", address: addressAt("10.6.0.10") }, other));
  await rig.refusal(await rig.pod("web", { annotations: annotations("p4") }));
  assert.equal((await read()).get(`${ALLOCATION}_update_ippool_conflict_counts_total`), 1);
});

Deno.test("the agent times how long a NIC waits for another of its pod", async () => {
  const { rig, read } = await countingRig();
  await using _rig = rig;
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  await rig.addresses(await rig.pod("first", { annotations: annotations("p4") }));
  const pod = await rig.pod("second", { annotations: annotations("p4") });
  // Nothing is free: the first is refused after 5 s, and only then is it the second's turn.
  await Promise.all([rig.refusal(pod), rig.refusal(pod, { ifName: "net1" })]);
  const samples = await read();
  const waitedS = samples.get(`${ALLOCATION}_max_limit_duration_seconds`) ?? 0;
  assert.ok(waitedS >= 5 && waitedS < 7, `${waitedS}`);
  assert.equal(samples.get(`${ALLOCATION}_min_limit_duration_seconds`), 0);
  assert.equal(samples.get(`${ALLOCATION}_limit_duration_seconds_count`), 3);
});

Deno.test("measure() gives on what the work gives or throws", async () => {
  const { allocation } = new AgentMetrics(SILENT_METRICS, { clock: new ManualClock() });
  const failureOf = (): undefined => undefined;
  assert.equal(await allocation.measure(() => Promise.resolve(3), { failureOf }), 3);
  const failing = allocation.measure(() => Promise.reject(new Error("bug")), { failureOf });
  await assert.rejects(failing, /bug/);
});
