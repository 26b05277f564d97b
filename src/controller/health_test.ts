import assert from "node:assert/strict";
import { RUNTIME_PATHS } from "../api/agent.ts";
import { err, ok } from "../base/result.ts";
import type { HttpReply } from "../daemon/http/reply.ts";
import { probeHandler, type ProbeSources } from "./health.ts";

const GOOD: ProbeSources = { hasStarted: () => true, leadership: () => ok(undefined) };

function ask(
  path: string,
  { method = "GET", ...sources }: Partial<ProbeSources> & { readonly method?: string } = {},
): Promise<HttpReply> {
  return probeHandler({ ...GOOD, ...sources })({
    method,
    path,
    query: new URLSearchParams(),
    headers: new Map(),
    body: new Uint8Array(0),
    keepsAlive: true,
  }, { signal: new AbortController().signal });
}

Deno.test("every probe succeeds while all is well", async () => {
  for (const path of Object.values(RUNTIME_PATHS)) {
    assert.deepEqual(await ask(path), { status: 200 }, path);
  }
});

Deno.test("startup fails until the controller has started", async () => {
  const { status, json } = await ask(RUNTIME_PATHS.startup, { hasStarted: () => false });
  assert.equal(status, 500);
  assert.match(String(json), /^Cannot serve yet/);
});

Deno.test("readiness asks for a leader, liveness does not", async () => {
  const leadership = () => err("nobody leads");
  assert.deepEqual(await ask(RUNTIME_PATHS.readiness, { leadership }), {
    status: 500,
    json: "nobody leads",
  });
  assert.deepEqual(await ask(RUNTIME_PATHS.liveness, { leadership }), { status: 200 });
});

Deno.test("webhooks that do not answer fail readiness and liveness", async () => {
  const askWebhooks = () => Promise.resolve(err("no answer"));
  for (const path of [RUNTIME_PATHS.readiness, RUNTIME_PATHS.liveness]) {
    assert.deepEqual(await ask(path, { askWebhooks }), { status: 500, json: "no answer" }, path);
  }
});

Deno.test("what the reference declares and does not serve is 501", async () => {
  const declared = { "/v1/ipam/ip": "PUT", "/v1/ipam/gc_ips": "POST", "/v1/ipam/status": "GET" };
  for (const [path, method] of Object.entries(declared)) {
    assert.equal((await ask(path, { method })).status, 501, path);
  }
});
