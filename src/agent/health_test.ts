import assert from "node:assert/strict";
import { AGENT_PATHS, RUNTIME_PATHS } from "../api/agent.ts";
import { err, ok, type Result } from "../base/result.ts";
import { probeHandler, type ProbeSources } from "./health.ts";
import type { HttpReply } from "../daemon/http/reply.ts";

function ask(
  path: string,
  { method = "GET", started = true, answer = ok(undefined) }: {
    readonly method?: string;
    readonly started?: boolean;
    readonly answer?: Result<void, string>;
  } = {},
): Promise<HttpReply> {
  const sources: ProbeSources = {
    hasStarted: () => started,
    askAgent: () => Promise.resolve(answer),
  };
  return probeHandler(sources)({
    method,
    path,
    query: new URLSearchParams(),
    headers: new Map(),
    body: new Uint8Array(0),
    keepsAlive: true,
  }, { signal: new AbortController().signal });
}

Deno.test("startup succeeds once the agent has started", async () => {
  assert.deepEqual(await ask(RUNTIME_PATHS.startup), { status: 200 });
  const { status, json } = await ask(RUNTIME_PATHS.startup, { started: false });
  assert.equal(status, 500);
  assert.match(String(json), /^Cannot serve yet: the agent is starting/);
});

Deno.test("readiness and liveness are what the agent's socket says", async () => {
  for (const path of [RUNTIME_PATHS.readiness, RUNTIME_PATHS.liveness]) {
    assert.deepEqual(await ask(path), { status: 200 });
    const answer = err("Cannot reach the agent: no such file");
    assert.deepEqual(await ask(path, { answer }), { status: 500, json: answer.error });
  }
});

Deno.test("what the TCP port does not have is 501, 405 or 404", async () => {
  const others = [
    ["GET", AGENT_PATHS.healthy],
    ["POST", AGENT_PATHS.ip],
    ["DELETE", AGENT_PATHS.ip],
    ["POST", AGENT_PATHS.ips],
    ["DELETE", AGENT_PATHS.ips],
    ["GET", AGENT_PATHS.workloadEndpoint],
    ["GET", AGENT_PATHS.coordinatorConfig],
  ] as const;
  for (const [method, path] of others) {
    const { status, json } = await ask(path, { method });
    assert.equal(status, 501);
    assert.match(String(json), /has not yet been implemented here: ask the agent's unix socket$/);
  }
  assert.equal((await ask(RUNTIME_PATHS.startup, { method: "POST" })).status, 405);
  assert.equal((await ask("/metrics")).status, 404);
});
