import assert from "node:assert/strict";
import { type Asked, storeErrorOf } from "./status.ts";

const READ: Asked = { what: 'get pods "a/b"', server: "https://k:6443", isWrite: false };
const WRITE: Asked = { ...READ, what: 'create pods "a/b"', isWrite: true };

function statusBody(fields: Readonly<Record<string, unknown>>): unknown {
  return { kind: "Status", apiVersion: "v1", status: "Failure", ...fields };
}

interface Row {
  readonly status: number;
  readonly body?: unknown;
  readonly asked?: Asked;
  readonly retryAfter?: string;
  readonly expected: Readonly<Record<string, unknown>>;
}

const HTML = "<!DOCTYPE html><html><body>Log in</body></html>";
const NO_OBJECT = statusBody({ message: 'pods "b" not found', details: { name: "b" } });
const ROWS: readonly Row[] = [
  { status: 400, expected: { code: "invalid" } },
  { status: 405, expected: { code: "invalid" } },
  { status: 406, expected: { code: "invalid" } },
  { status: 413, expected: { code: "invalid" } },
  { status: 415, expected: { code: "invalid" } },
  { status: 422, expected: { code: "invalid" } },
  { status: 401, expected: { code: "forbidden", namespaceTerminating: false } },
  { status: 403, expected: { code: "forbidden", namespaceTerminating: false } },
  {
    status: 403,
    body: statusBody({ details: { causes: [{ reason: "NamespaceTerminating" }] } }),
    expected: { code: "forbidden", namespaceTerminating: true },
  },
  { status: 404, body: NO_OBJECT, expected: { code: "not_found" } },
  {
    status: 404,
    body: "404 page not found\n",
    asked: WRITE,
    expected: { code: "unavailable", outcomeUnknown: false, isUnserved: true },
  },
  {
    status: 404,
    body: statusBody({ message: "the server could not find the requested resource", details: {} }),
    expected: { code: "unavailable", outcomeUnknown: false, isUnserved: true },
  },
  { status: 404, body: HTML, expected: { code: "unavailable", outcomeUnknown: false } },
  {
    status: 409,
    body: statusBody({ reason: "AlreadyExists" }),
    expected: { code: "already_exists" },
  },
  { status: 409, body: statusBody({ reason: "Conflict" }), expected: { code: "conflict" } },
  { status: 410, expected: { code: "gone" } },
  { status: 429, expected: { code: "throttled", retryAfterMs: 1_000 } },
  { status: 429, retryAfter: "3", expected: { code: "throttled", retryAfterMs: 3_000 } },
  { status: 429, retryAfter: "86400", expected: { code: "throttled", retryAfterMs: 60_000 } },
  {
    status: 429,
    body: statusBody({ details: { retryAfterSeconds: 2 } }),
    expected: { code: "throttled", retryAfterMs: 2_000 },
  },
  { status: 408, expected: { code: "timeout", outcomeUnknown: false } },
  { status: 504, asked: WRITE, expected: { code: "timeout", outcomeUnknown: true } },
  { status: 500, expected: { code: "unavailable", outcomeUnknown: false } },
  { status: 500, asked: WRITE, expected: { code: "unavailable", outcomeUnknown: true } },
  { status: 502, asked: WRITE, expected: { code: "unavailable", outcomeUnknown: true } },
  { status: 503, asked: WRITE, expected: { code: "unavailable", outcomeUnknown: true } },
  { status: 418, asked: WRITE, expected: { code: "unavailable", outcomeUnknown: true } },
  {
    status: 500,
    asked: WRITE,
    body: statusBody({ message: "etcdserver: request is too large" }),
    expected: { code: "invalid" },
  },
];

Deno.test("storeErrorOf() gives every status its meaning", () => {
  for (const { status, body = "", asked = READ, retryAfter, expected } of ROWS) {
    const { message, ...rest } = storeErrorOf({ status, body, retryAfter }, asked);
    assert.deepEqual(rest, expected, `status ${status} of ${JSON.stringify(body)}`);
    assert.ok(message.startsWith(`Cannot ${asked.what} at https://k:6443: `), message);
    assert.ok(!message.endsWith("."), message);
  }
});

Deno.test("storeErrorOf() tells a missing kind from a missing object", () => {
  const missing = storeErrorOf({ status: 404, body: NO_OBJECT, retryAfter: undefined }, READ);
  assert.equal(missing.message, 'Cannot get pods "a/b" at https://k:6443: pods "b" not found');
  const body = "404 page not found\n";
  const kind = storeErrorOf({ status: 404, body, retryAfter: undefined }, READ);
  assert.match(kind.message, /does not serve this kind: apply its CustomResourceDefinition$/);
});

Deno.test("storeErrorOf() says what to do about a refusal of RBAC", () => {
  const message = 'pods is forbidden: User "u" cannot list resource "pods" in API group ""';
  const error = storeErrorOf({
    status: 403,
    body: statusBody({ message, reason: "Forbidden" }),
    retryAfter: undefined,
  }, READ);
  assert.equal(
    error.message,
    `Cannot get pods "a/b" at https://k:6443: ${message}: ` +
      "grant it with a Role or ClusterRole bound to this user",
  );
});

Deno.test("storeErrorOf() names an HTML page instead of quoting it", () => {
  const error = storeErrorOf({ status: 502, body: HTML, retryAfter: undefined }, READ);
  assert.match(error.message, /the server answered 502 with an HTML page$/);
});
