import assert from "node:assert/strict";
import { REPLICA_SETS } from "../api/kubernetes/workload.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { expectOk } from "../base/result.ts";
import type { ObjectStore } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { podOf } from "../../tests/support/decision_objects.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { Owners } from "./owners.ts";
import { Settler } from "../kube/settler.ts";

const NEVER = new AbortController().signal;

/** Owners over a store that counts reads of single objects. */
function countingOwners(lifetime = NEVER) {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const memory = openMemoryStore({ clock, random });
  const reads = { count: 0 };
  const store: ObjectStore = {
    get: (...args) => {
      reads.count++;
      return memory.get(...args);
    },
    list: (...args) => memory.list(...args),
    listRows: (...args) => memory.listRows(...args),
    watch: (...args) => memory.watch(...args),
    create: (...args) => memory.create(...args),
    replace: (...args) => memory.replace(...args),
    replaceStatus: (...args) => memory.replaceStatus(...args),
    remove: (...args) => memory.remove(...args),
    serverTimeMs: () => memory.serverTimeMs(),
  };
  return { owners: new Owners(new Settler({ store, clock, random }), { lifetime }), memory, reads };
}

function podOfSet(uid: string): Pod {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-1", uid, controller: true };
  return podOf({ metadata: { ownerReferences: [owner] } });
}

Deno.test("of() reads the owner of many pods that start together once", async () => {
  const { owners, memory, reads } = countingOwners();
  const set = expectOk(
    REPLICA_SETS.parse({
      spec: { replicas: 1, template: { spec: { containers: [] } } },
      metadata: {
        name: "web-1",
        namespace: "default",
        ownerReferences: [
          { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "u", controller: true },
        ],
      },
    }),
    "a ReplicaSet",
  );
  const made = expectOk(await memory.create(REPLICA_SETS, set, { signal: NEVER }), "it is stored");
  const pod = podOfSet(made.metadata.uid ?? "");
  const found = await Promise.all(
    Array.from({ length: 50 }, () => owners.of(pod, { signal: NEVER })),
  );
  assert.deepEqual(
    new Set(found.map(({ kind, name }) => `${kind} ${name}`)),
    new Set(["Deployment web"]),
  );
  assert.equal(reads.count, 1);
  await owners.of(pod, { signal: NEVER });
  assert.equal(reads.count, 1);
});

Deno.test("of() reads an owner that is gone again, as it may have been too early", async () => {
  const { owners, reads } = countingOwners();
  for (let ask = 1; ask <= 2; ask++) {
    assert.equal((await owners.of(podOfSet("gone"), { signal: NEVER })).kind, "ReplicaSet");
    assert.equal(reads.count, ask);
  }
});

Deno.test("of() lets one go who waits with others, and goes on for them", async () => {
  const { owners } = countingOwners();
  const gone = new AbortController();
  const first = owners.of(podOfSet("x"), { signal: gone.signal });
  const second = owners.of(podOfSet("x"), { signal: NEVER });
  gone.abort(new Error("gone"));
  await assert.rejects(first, /gone/);
  assert.equal((await second).kind, "ReplicaSet");
});
