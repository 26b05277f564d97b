import assert from "node:assert/strict";
import { type ManifestObject, requestsIn, rightsOf, textOf, uses } from "./rights.ts";

const USER = "system:serviceaccount:home:program";
const SUBJECTS = [{ kind: "ServiceAccount", name: "program", namespace: "home" }];

/** A Role or ClusterRole with one rule, and its binding. */
function bound(
  rule: NonNullable<ManifestObject["rules"]>[number],
  namespace?: string,
): readonly ManifestObject[] {
  const kind = namespace === undefined ? "ClusterRole" : "Role";
  const metadata = { name: "role", ...(namespace !== undefined && { namespace }) };
  return [
    { kind, metadata, rules: [rule] },
    { kind: `${kind}Binding`, metadata, roleRef: { kind, name: "role" }, subjects: SUBJECTS },
  ];
}

function entry(change: object): string {
  const annotations = { "authorization.k8s.io/decision": "allow" };
  const user = { username: USER };
  return `${JSON.stringify({ verb: "get", requestURI: "/x", user, annotations, ...change })}\n`;
}

Deno.test("rightsOf() takes rules apart: groups, resources, verbs and names", () => {
  const rule = {
    apiGroups: ["", "apps"],
    resources: ["pods", "pods/status"],
    verbs: ["get", "list"],
    resourceNames: ["a", "b"],
  };
  const texts = rightsOf(bound(rule, "home")).map(textOf);
  assert.equal(texts.length, 16);
  assert.ok(texts.includes("program get pods a in home"));
  assert.ok(texts.includes("program list pods/status.apps b in home"));
});

Deno.test("rightsOf() gives a ServiceAccount what is bound to it, and each right once", () => {
  const rule = { apiGroups: [""], resources: ["pods"], verbs: ["get"] };
  const objects = bound(rule);
  assert.deepEqual(rightsOf([...objects, ...objects]).map(textOf), ["program get pods"]);
  assert.deepEqual(rightsOf(objects.slice(0, 1)), [], "nobody is bound to it");
  assert.throws(() => rightsOf(objects.slice(1)), /No ClusterRole "role"/);
});

Deno.test("requestsIn() reads an audit log: who asked what, and what was denied", () => {
  const objectRef = { resource: "pods", namespace: "a", name: "b", apiVersion: "v1" };
  const log = [
    entry({ objectRef }),
    entry({ objectRef }),
    entry({ requestURI: "/version" }),
    entry({
      verb: "update",
      objectRef: { resource: "spiderippools", subresource: "status", apiGroup: "x.y", name: "p" },
      responseStatus: { code: 403 },
    }),
    entry({ objectRef, annotations: { "authorization.k8s.io/decision": "forbid" } }),
    '{"verb":"get","reque',
  ].join("");
  const requests = requestsIn(log).map((one) => `${textOf(one)}${one.isDenied ? " DENIED" : ""}`);
  assert.deepEqual(requests, [
    "program get pods b in a",
    "program get /version",
    "program update spiderippools/status.x.y p",
    "program get pods b in a DENIED",
  ]);
});

Deno.test("uses() tells by user, verb, group, resource, name and namespace", () => {
  const right = {
    ...{ user: USER, verb: "get", group: "apps", resource: "deployments" },
    ...{ name: "a", namespace: "home" },
  };
  const request = { ...right, isDenied: false };
  assert.equal(uses(request, right), true);
  assert.equal(uses(request, { ...right, name: undefined, namespace: undefined }), true);
  for (const key of ["user", "verb", "group", "resource", "name", "namespace"] as const) {
    assert.equal(uses({ ...request, [key]: "other" }, right), false, key);
  }
  assert.equal(uses({ ...request, resource: "deployments/status" }, right), false);
});
