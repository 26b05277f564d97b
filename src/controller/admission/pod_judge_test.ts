import assert from "node:assert/strict";
import { AdmissionWorld } from "../../../tests/support/admission_world.ts";
import { NAMESPACES } from "../../api/kubernetes/node.ts";
import { expectOk } from "../../base/result.ts";
import type { AdmissionRequest, AdmissionVerdict } from "../../kube/mod.ts";
import { judgeReview } from "./judge.ts";

const KEY = "cni.spidernet.io/network-resource-inject";
const NETWORKS = "/metadata/annotations/k8s.v1.cni.cncf.io~1networks";

function request(
  kind: "Pod" | "Namespace",
  { object, oldObject, operation = "CREATE" }:
    & { readonly object: unknown }
    & Partial<Pick<AdmissionRequest, "oldObject" | "operation">>,
): AdmissionRequest {
  return {
    ...{ uid: "u1", operation, group: "", version: "v1", kind, subResource: "", name: "" },
    ...{ resource: `${kind.toLowerCase()}s`, namespace: "team", username: "u", groups: [] },
    ...{ dryRun: false, object, oldObject },
  };
}

async function asked(world: AdmissionWorld, review: AdmissionRequest): Promise<AdmissionVerdict> {
  const judge = world.judges.get(review.kind.toLowerCase());
  assert.ok(judge !== undefined);
  const { signal } = new AbortController();
  return await judgeReview(review, { judge, question: "mutate", signal });
}

/** A pod as a ReplicaSet makes it: without a name of its own. */
function pod(annotations?: Readonly<Record<string, string>>, spec: object = {}): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "web-", ...annotations === undefined ? {} : { annotations } },
    spec: { containers: [{ name: "a" }], ...spec },
  };
}

async function worldWith(metadata: object = {}): Promise<AdmissionWorld> {
  const world = new AdmissionWorld();
  const namespace = expectOk(NAMESPACES.parse({ metadata: { name: "team", ...metadata } }), "read");
  const { signal } = new AbortController();
  expectOk(await world.objects.create(NAMESPACES, namespace, { signal }), "made");
  await world.stored({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderMultusConfig",
    metadata: { namespace: "fabric", name: "one", annotations: { [KEY]: "rails" } },
    spec: { cniType: "ipvlan", ipvlan: { master: ["ens1"] } },
  });
  return world;
}

Deno.test("a pod that asks gets its networks, whoever makes it", async () => {
  await using world = await worldWith();
  assert.deepEqual(await asked(world, request("Pod", { object: pod({ [KEY]: "rails" }) })), {
    allowed: true,
    patch: [{ op: "add", path: NETWORKS, value: "fabric/one" }],
  });
  const refused = await asked(world, request("Pod", { object: pod({ [KEY]: "others" }) }));
  assert.deepEqual(refused, {
    allowed: false,
    status: 403,
    message: `Cannot use metadata.annotations["${KEY}"] "others": no SpiderMultusConfig has this ` +
      "annotation with this value; write it into one, or remove it from the pod",
  });
});

Deno.test("a pod gets what its namespace asks for, unless it says otherwise", async () => {
  for (const metadata of [{ annotations: { [KEY]: "rails" } }, { labels: { [KEY]: "rails" } }]) {
    await using world = await worldWith(metadata);
    const annotations = { "k8s.v1.cni.cncf.io/networks": "fabric/one" };
    assert.deepEqual(await asked(world, request("Pod", { object: pod() })), {
      allowed: true,
      patch: [{ op: "add", path: "/metadata/annotations", value: annotations }],
    });
    for (const object of [pod({ [KEY]: "" }), pod(undefined, { hostNetwork: true })]) {
      assert.deepEqual(await asked(world, request("Pod", { object })), { allowed: true });
    }
  }
});

Deno.test("a pod that nobody asks for is left alone, and so is one that is there", async () => {
  await using world = await worldWith();
  assert.deepEqual(await asked(world, request("Pod", { object: pod() })), { allowed: true });
  const object = pod({ [KEY]: "others" });
  const update = request("Pod", { object, oldObject: object, operation: "UPDATE" });
  assert.deepEqual(await asked(world, update), { allowed: true });
});

Deno.test("what cannot be looked up is a refusal with a reason", async () => {
  await using world = await worldWith();
  world.reads = "unavailable";
  const answer = await asked(world, request("Pod", { object: pod({ [KEY]: "rails" }) }));
  assert.ok(!answer.allowed);
  assert.equal(answer.status, 503);
  assert.match(answer.message, /^Cannot check Pod "" against others: Cannot reach the API server/);
});

Deno.test("a namespace that asks gets a label that selectors see", async () => {
  await using world = new AdmissionWorld();
  const namespace = (metadata: object): unknown => ({
    ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: "team", ...metadata } },
  });
  const annotations = { [KEY]: "rails" };
  const plain = namespace({ annotations });
  assert.deepEqual(await asked(world, request("Namespace", { object: plain })), {
    allowed: true,
    patch: [{ op: "add", path: "/metadata/labels", value: annotations }],
  });
  const removed = request("Namespace", {
    object: namespace({ labels: annotations }),
    oldObject: namespace({ labels: annotations, annotations }),
    operation: "UPDATE",
  });
  assert.deepEqual(await asked(world, removed), {
    allowed: true,
    patch: [{ op: "remove", path: "/metadata/labels" }],
  });
  const labelled = namespace({ labels: annotations });
  const touched = request("Namespace", {
    ...{ object: labelled, oldObject: labelled, operation: "UPDATE" },
  });
  assert.deepEqual(await asked(world, touched), { allowed: true, patch: [] });
  const wrong = await asked(
    world,
    request("Namespace", {
      object: namespace({ annotations: { [KEY]: "rail 1" } }),
    }),
  );
  assert.match(wrong.allowed ? "" : wrong.message, /"rail 1": it is no name of a group/);
});
