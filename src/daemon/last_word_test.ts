import assert from "node:assert/strict";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { seededRandom } from "../base/random.ts";
import { err, expectOk, ok } from "../base/result.ts";
import { EVENTS } from "../kube/mod.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { tellPodOf } from "./last_word.ts";

const never = new AbortController().signal;
const ENVIRONMENT: Readonly<Record<string, string>> = {
  SPIDERPOOL_POD_NAMESPACE: "spiderpool",
  SPIDERPOOL_POD_NAME: "agent-x",
};

function worldOf(environment: Readonly<Record<string, string>> = ENVIRONMENT) {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const store = openMemoryStore({ clock, random });
  let opened = 0;
  const tellPod = tellPodOf("spiderpool-agent", {
    clock,
    random,
    readEnvironment: (name) => environment[name],
    openStore: () => {
      opened++;
      return Promise.resolve(ok({ store, [Symbol.dispose]: () => void opened-- }));
    },
  });
  const events = async () =>
    expectOk(await store.list(EVENTS, { signal: never }), "it lists").items;
  return { store, tellPod, events, openCount: () => opened };
}

Deno.test("tellPod() writes an Event on the pod, once for each sentence", async () => {
  const { store, tellPod, events, openCount } = worldOf();
  const metadata = { namespace: "spiderpool", name: "agent-x" };
  const pod = { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [] } } as const;
  const { metadata: { uid } } = expectOk(await store.create(PODS, pod, { signal: never }), "new");
  for (const note of ["one", "two", "one"]) await tellPod(note, { reason: `Reason${note}` });
  const found = (await events()).map(({ reason, note, regarding, reportingController }) => {
    return [reason, note, regarding?.name, regarding?.uid === uid, reportingController];
  }).toSorted();
  const source = "spidernet.io/spiderpool-agent";
  assert.deepEqual(found, [
    ["Reasonone", "one", "agent-x", true, source],
    ["Reasontwo", "two", "agent-x", true, source],
  ]);
  assert.equal(openCount(), 0);
});

Deno.test("tellPod() tells also where its own pod cannot be read", async () => {
  const { tellPod, events } = worldOf();
  await tellPod("one", { reason: "Reason" });
  assert.deepEqual((await events()).map(({ regarding }) => regarding?.uid), [undefined]);
});

Deno.test("tellPod() is silent outside a pod, and without a cluster", async () => {
  const { tellPod, events } = worldOf({});
  await tellPod("one", { reason: "Reason" });
  assert.deepEqual(await events(), []);
  const alone = tellPodOf("spiderpool-agent", {
    clock: new ManualClock(),
    random: seededRandom(1),
    readEnvironment: (name) => ENVIRONMENT[name],
    openStore: () => Promise.resolve(err("Cannot find a cluster")),
  });
  await alone("one", { reason: "Reason" });
});
