import assert from "node:assert/strict";
import { DEPLOYMENTS } from "../../api/kubernetes/workload.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import type { ObjectStore } from "../../base/object_store.ts";
import {
  asking,
  deployment,
  LATER_MS,
  pools,
  subnetObject,
  WITHOUT_PODS,
} from "../../../tests/support/applications.ts";
import { ControllerRig } from "../../../tests/support/controller_rig.ts";

/** Counts what the controller asks of the store about Subnets and pools. */
class Counter {
  /** By method and plural. */
  readonly calls = new Map<string, number>();

  readonly wrap = (store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return (...args: unknown[]) => {
          const [resource] = args;
          const key = `${String(name)} ${Object(resource).plural}`;
          this.calls.set(key, (this.calls.get(key) ?? 0) + 1);
          return method.apply(target, args);
        };
      },
    });

  count(key: string): number {
    return this.calls.get(key) ?? 0;
  }
}

/** Creates applications at once, and lets them have their pools. @returns What that took. */
async function run(applications: number): Promise<{
  readonly looks: number;
  readonly records: number;
  readonly made: number;
  /** What taking older records over asked. */
  readonly taken: number;
}> {
  const counter = new Counter();
  await using rig = await ControllerRig.start({ ...WITHOUT_PODS, wrap: counter.wrap });
  await rig.make(SPIDER_SUBNETS, subnetObject("s", { ips: ["10.6.1.0-10.6.99.255"] }));
  await rig.clock.advance(LATER_MS);
  counter.calls.clear();
  for (let index = 0; index < applications; index++) {
    await rig.make(DEPLOYMENTS, deployment(`web-${index}`, asking("+1")));
  }
  await rig.clock.advance(LATER_MS);
  const all = await pools(rig);
  assert.equal(all.length, applications);
  const had = new Set(all.flatMap(({ spec: { ips = [] } }) => ips));
  assert.equal(had.size, applications, "each has one range of its own");
  const { status } = await rig.read(SPIDER_SUBNETS, { name: "s" });
  assert.equal(status?.allocatedIPCount, applications * 3);
  return {
    looks: counter.count("get spidersubnets"),
    records: counter.count("replaceStatus spidersubnets"),
    made: counter.count("create spiderippools"),
    taken: counter.count("get spiderippools") + counter.count("list spiderendpoints"),
  };
}

Deno.test("1,000 applications of one subnet cost a write each, and few of the subnet", async () => {
  const { looks, records, made, taken } = await run(1_000);
  assert.equal(made, 1_000);
  assert.ok(records <= 5, `${records} writes of the subnet`);
  assert.equal(taken, 0, "what is new and marked has no older records");
  assert.ok(looks <= 10, `${looks} looks at the subnet, each as long as it has pools`);
});
