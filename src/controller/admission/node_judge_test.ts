import assert from "node:assert/strict";
import { AdmissionWorld } from "../../../tests/support/admission_world.ts";
import type { AdmissionRequest, AdmissionVerdict } from "../../kube/mod.ts";
import { judgeReview } from "./judge.ts";

const OURS = { key: "ipam.spidernet.io/not-ready", effect: "NoSchedule" };
const THEIRS = { key: "node.cloudprovider.kubernetes.io/uninitialized", effect: "NoSchedule" };

/** What becomes of a node, by the webhook. */
async function asked(
  { os = "linux", spec = {}, operation = "CREATE", ...more }: {
    readonly os?: string | undefined;
    readonly spec?: unknown;
  } & Partial<Pick<AdmissionRequest, "operation" | "object">>,
  settings: { readonly gatesNodes?: boolean } = {},
): Promise<AdmissionVerdict> {
  await using world = new AdmissionWorld(settings);
  world.reads = "unavailable"; // It reads nothing.
  const labels = os === "none" ? {} : { "kubernetes.io/os": os };
  const object = { apiVersion: "v1", kind: "Node", metadata: { name: "n1", labels }, spec };
  const request: AdmissionRequest = {
    ...{ uid: "u1", operation, group: "", version: "v1", kind: "Node", subResource: "" },
    ...{ resource: "nodes", namespace: undefined, name: "n1", username: "system:node:n1" },
    ...{ groups: [], dryRun: false, object, oldObject: undefined, ...more },
  };
  const judge = world.judges.get("node");
  assert.ok(judge !== undefined);
  const { signal } = new AbortController();
  return await judgeReview(request, { judge, question: "mutate", signal });
}

function added(value: readonly unknown[], op: "add" | "replace" = "add"): AdmissionVerdict {
  return { allowed: true, patch: [{ op, path: "/spec/taints", value }] };
}

Deno.test("a new Linux node gets the taint, beside those that it has", async () => {
  assert.deepEqual(await asked({}), added([OURS]));
  assert.deepEqual(await asked({ spec: { taints: null } }), added([OURS]));
  assert.deepEqual(
    await asked({ spec: { taints: [THEIRS], podCIDR: "10.1.0.0/24" } }),
    added([THEIRS, OURS], "replace"),
  );
});

Deno.test("a node that brings the taint keeps it as it is", async () => {
  for (const own of [OURS, { ...OURS, effect: "NoExecute", value: "x" }]) {
    assert.deepEqual(await asked({ spec: { taints: [own] } }), { allowed: true });
  }
});

Deno.test("nodes that are there, and those that run no Linux, are left alone", async () => {
  for (const operation of ["UPDATE", "DELETE"] as const) {
    assert.deepEqual(await asked({ operation }), { allowed: true });
  }
  for (const os of ["windows", "none"]) assert.deepEqual(await asked({ os }), { allowed: true });
});

Deno.test("a node that cannot be read is let through: none is ever refused", async () => {
  for (const object of [undefined, "node", { metadata: {} }]) {
    assert.deepEqual(await asked({ object }), { allowed: true });
  }
  assert.deepEqual(await asked({ spec: { taints: "all" } }), { allowed: true });
});

Deno.test("SPIDERPOOL_NODE_GATE_ENABLED=false: new nodes get no taint", async () => {
  assert.deepEqual(await asked({}, { gatesNodes: false }), { allowed: true });
});
