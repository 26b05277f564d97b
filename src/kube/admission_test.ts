import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { pointerStep, readReview, REVIEW_BYTES_MAX, writeReview } from "./admission.ts";

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

const REQUEST = {
  uid: "u1",
  kind: { group: "g", version: "v1", kind: "Thing" },
  resource: { group: "g", version: "v1", resource: "things" },
  subResource: "status",
  name: "a",
  namespace: "n",
  operation: "UPDATE",
  userInfo: { username: "joe", groups: ["system:masters"] },
  object: { metadata: { name: "a" }, unknown: 1 },
  oldObject: { metadata: { name: "a" } },
  dryRun: true,
};
const REVIEW = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: REQUEST };

Deno.test("readReview() reads a request, the objects as they stand", () => {
  assert.deepEqual(expectOk(readReview(encode(REVIEW)), "it is good"), {
    uid: "u1",
    operation: "UPDATE",
    group: "g",
    version: "v1",
    kind: "Thing",
    resource: "things",
    subResource: "status",
    namespace: "n",
    name: "a",
    username: "joe",
    groups: ["system:masters"],
    dryRun: true,
    object: { metadata: { name: "a" }, unknown: 1 },
    oldObject: { metadata: { name: "a" } },
  });
});

Deno.test("readReview() reads a deletion and a cluster-scoped creation without a name", () => {
  const { object: _object, ...deletion } = { ...REQUEST, operation: "DELETE" };
  const read = expectOk(readReview(encode({ ...REVIEW, request: deletion })), "it is good");
  assert.equal(read.object, undefined);
  const { namespace: _namespace, name: _name, ...creation } = { ...REQUEST, operation: "CREATE" };
  const made = expectOk(readReview(encode({ ...REVIEW, request: creation })), "it is good");
  assert.deepEqual([made.namespace, made.name], [undefined, ""]);
});

Deno.test("readReview() says what is wrong with a review", () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ["{", /^The review is not JSON: send an AdmissionReview$/],
    [[], /^kind is undefined: send an AdmissionReview$/],
    [{ ...REVIEW, kind: "Pod" }, /^kind is "Pod": send/],
    [
      { ...REVIEW, apiVersion: "admission.k8s.io/v1beta1" },
      /only admission\.k8s\.io\/v1 is known$/,
    ],
    [{ ...REVIEW, request: undefined }, /^request is missing$/],
    [{ ...REVIEW, request: { ...REQUEST, uid: "" } }, /^request\.uid is missing$/],
    [
      { ...REVIEW, request: { ...REQUEST, operation: "PATCH" } },
      /^request\.operation is "PATCH": CREATE, UPDATE, DELETE, CONNECT are known$/,
    ],
    ["x".repeat(REVIEW_BYTES_MAX + 1), /^The review has 3500001 bytes: 3500000 are taken$/],
  ];
  for (const [review, expected] of cases) {
    const read = readReview(encode(review));
    assert.match(read.ok ? "" : read.error, expected);
  }
  assert.equal(readReview(Uint8Array.of(0x22, 0xff, 0x22)).ok, false);
});

Deno.test("writeReview() writes verdicts, warnings and patches", () => {
  function answer(verdict: Parameters<typeof writeReview>[1]): unknown {
    const review = JSON.parse(writeReview({ uid: "u1" }, verdict));
    assert.equal(review.apiVersion, "admission.k8s.io/v1");
    assert.equal(review.kind, "AdmissionReview");
    return review.response;
  }
  assert.deepEqual(answer({ allowed: true }), { uid: "u1", allowed: true });
  assert.deepEqual(answer({ allowed: true, patch: [], warnings: ["w"] }), {
    uid: "u1",
    allowed: true,
    warnings: ["w"],
  });
  const path = `/metadata/annotations/${pointerStep("a.b/c~d")}`;
  assert.equal(path, "/metadata/annotations/a.b~1c~0d");
  const patch = [{ op: "add", path, value: "ä" }] as const;
  assert.deepEqual(answer({ allowed: true, patch }), {
    uid: "u1",
    allowed: true,
    patchType: "JSONPatch",
    patch: new TextEncoder().encode(JSON.stringify(patch)).toBase64(),
  });
  assert.deepEqual(answer({ allowed: false, message: "spec.ips is wrong", status: 422 }), {
    uid: "u1",
    allowed: false,
    status: { code: 422, reason: "Invalid", message: "spec.ips is wrong" },
  });
});

Deno.test("writeReview() names every wrong field, so many that they can be read", () => {
  const causes = Array.from({ length: 40 }, (_, index) => ({
    reason: "FieldValueInvalid" as const,
    field: `spec.ips[${index}]`,
    message: "no",
  }));
  const request = { uid: "u", group: "g", kind: "Thing", name: "a" };
  const verdict = { allowed: false, message: "m", status: 422, causes } as const;
  const { details } = JSON.parse(writeReview(request, verdict)).response.status;
  assert.deepEqual([details.group, details.kind, details.name], ["g", "Thing", "a"]);
  assert.equal(details.causes.length, 33);
  assert.deepEqual(details.causes[31], causes[31]);
  assert.equal(details.causes[32].message, "8 more fields are wrong as well");
});

Deno.test("writeReview() bounds what it says", () => {
  const text = writeReview({ uid: "u" }, {
    allowed: false,
    message: "ä".repeat(5_000),
    warnings: Array.from({ length: 100 }, (_, index) => `w${index}`),
  });
  const { status, warnings } = JSON.parse(text).response;
  assert.equal(warnings.length, 16);
  assert.ok(new TextEncoder().encode(status.message).length <= 4_096);
  assert.match(status.message, /^ä+…$/);
});
