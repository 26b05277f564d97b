import assert from "node:assert/strict";
import { JOBS } from "../api/kubernetes/workload.ts";
import { expectOk } from "../base/result.ts";
import { aboutPools, applicationOf } from "./workloads.ts";

function replicasOf(spec: object): number | undefined {
  const job = JOBS.parse({
    metadata: { name: "j", namespace: "n", uid: "u" },
    spec: { ...spec, template: {} },
  });
  return applicationOf(expectOk(job, "a Job"))?.replicas;
}

Deno.test("applicationOf() counts the pods of a Job as its user means them", () => {
  assert.equal(replicasOf({}), 1);
  assert.equal(replicasOf({ parallelism: 3 }), 3);
  assert.equal(replicasOf({ parallelism: 0 }), 1);
  assert.equal(replicasOf({ completions: 4 }), 4);
  assert.equal(replicasOf({ completions: 0 }), 1);
  assert.equal(replicasOf({ parallelism: 3, completions: 5 }), 5);
});

Deno.test("aboutPools() keeps what says something of pools, and nothing without a subnet", () => {
  const number = { "ipam.spidernet.io/ippool-ip-number": "2" };
  assert.equal(aboutPools({ ...number, other: "x" }), undefined);
  const subnet = { "ipam.spidernet.io/subnet": "{}" };
  assert.deepEqual(aboutPools({ ...subnet, ...number, other: "x" }), { ...subnet, ...number });
});
