import assert from "node:assert/strict";
import { AGENT_PATHS, RUNTIME_PATHS } from "../api/agent.ts";
import { RecordingService } from "../../tests/support/agent_service.ts";
import type { HttpReply } from "../daemon/http/reply.ts";
import { agentHandler } from "./server.ts";

const NEVER = new AbortController().signal;
const POD = { podNamespace: "default", podName: "a", podUID: "u" };
const ADD = { containerID: "c", ifName: "eth0", netNamespace: "/run/netns/x", ...POD };

interface Asked {
  readonly body?: string | Uint8Array;
  readonly query?: string;
  readonly service?: RecordingService;
}

async function ask(
  method: string,
  path: string,
  { body = "", query = "", service = new RecordingService() }: Asked = {},
): Promise<HttpReply> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const reply = await agentHandler(service)({
    method,
    path,
    query: new URLSearchParams(query),
    headers: new Map(),
    body: bytes,
    keepsAlive: true,
  }, { signal: NEVER });
  return { ...reply, json: reply.json === undefined ? undefined : wire(reply.json) };
}

function wire(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

Deno.test("GET healthy answers with nothing", async () => {
  assert.deepEqual(await ask("GET", AGENT_PATHS.healthy), { status: 200, json: undefined });
});

Deno.test("POST ip gives what the service gave, members that say nothing left out", async () => {
  const service = new RecordingService();
  const reply = await ask("POST", AGENT_PATHS.ip, { body: JSON.stringify(ADD), service });
  assert.deepEqual(reply, {
    status: 200,
    json: {
      ips: [{
        version: 4,
        address: "10.6.0.17/16",
        nic: "eth0",
        ipPool: "p4",
        gateway: "10.6.0.1",
        enableIPConflictDetection: true,
      }],
      routes: [{ ifName: "eth0", dst: "0.0.0.0/0", gw: "10.6.0.1" }],
    },
  });
  assert.deepEqual(service.asked, [{
    what: "add",
    args: {
      ...ADD,
      defaultIPv4IPPool: [],
      defaultIPv6IPPool: [],
      cleanGateway: false,
      matchMasterSubnet: false,
    },
  }]);
});

Deno.test("DELETE ip, DELETE ips and POST ips succeed with nothing", async () => {
  const service = new RecordingService();
  const empty = { status: 200, json: undefined };
  const body = JSON.stringify(ADD);
  assert.deepEqual(await ask("DELETE", AGENT_PATHS.ip, { body, service }), empty);
  const batch = JSON.stringify({ containerID: "c", ...POD, isReleaseConflictIPs: true });
  assert.deepEqual(await ask("DELETE", AGENT_PATHS.ips, { body: batch, service }), empty);
  assert.deepEqual(await ask("POST", AGENT_PATHS.ips, { service }), empty);
  assert.deepEqual(service.asked, [
    { what: "release", args: ADD },
    {
      what: "releaseAll",
      args: { containerID: "c", netNamespace: "", ...POD, isReleaseConflictIPs: true },
    },
    { what: "settle", args: undefined },
  ]);
});

Deno.test("GET workloadendpoint reads its query", async () => {
  const service = new RecordingService();
  const query = "podNamespace=default&podName=a%20b";
  const { status, json } = await ask("GET", AGENT_PATHS.workloadEndpoint, { query, service });
  assert.equal(status, 200);
  assert.deepEqual(json, {
    ...POD,
    node: "n1",
    interfaces: [{
      interface: "eth0",
      ipv4: "10.6.0.17/16",
      ipv4Pool: "p4",
      ipv4Gateway: "10.6.0.1",
      routes: [],
    }],
  });
  const args = { podNamespace: "default", podName: "a b", nic: undefined };
  assert.deepEqual(service.asked, [{ what: "endpoint", args }]);
});

Deno.test("GET workloadendpoint takes a container and its NIC for the names", async () => {
  const service = new RecordingService();
  const query = "podNamespace=&podName=&containerID=c0ffee&ifName=eth0";
  const { status } = await ask("GET", AGENT_PATHS.workloadEndpoint, { query, service });
  assert.equal(status, 200);
  const nic = { containerID: "c0ffee", ifName: "eth0" };
  const args = { podNamespace: "", podName: "", nic };
  assert.deepEqual(service.asked, [{ what: "endpoint", args }]);
});

Deno.test("GET workloadendpoint needs both names", async () => {
  for (const [query, name] of [["podName=a", "podNamespace"], ["podNamespace=b", "podName"]]) {
    assert.deepEqual(await ask("GET", AGENT_PATHS.workloadEndpoint, { query: query ?? "" }), {
      status: 422,
      json: {
        code: 602,
        message: `Cannot use ${name} of the query: it is missing; write what the pod is called`,
      },
      headers: {},
    });
  }
});

Deno.test("GET coordinator/config reads its body, and keeps required members", async () => {
  const service = new RecordingService();
  const body = `{"podName":"a","podNamespace":"b"}`;
  const { status, json } = await ask("GET", AGENT_PATHS.coordinatorConfig, { body, service });
  assert.equal(status, 200);
  assert.deepEqual(json, {
    mode: "underlay",
    overlayPodCIDR: [],
    serviceCIDR: ["10.96.0.0/12"],
    tunePodRoutes: false,
    hijackCIDR: [],
    policyRoutes: [],
    hostRuleTable: 500,
    podNICs: [],
  });
  const args = { podName: "a", podNamespace: "b", podUID: "" };
  assert.deepEqual(service.asked, [{ what: "coordinatorConfig", args }]);
});

Deno.test("a body that cannot be used is refused before anything is done", async () => {
  const { podUID: _podUID, ...rest } = ADD;
  const cases: readonly [string | Uint8Array, number, number, RegExp][] = [
    ["", 422, 602, /^Cannot use the request: it is missing; write an object$/],
    ["{", 400, 400, /^Cannot use the request "\{": write valid JSON$/],
    [Uint8Array.of(0x22, 0xff, 0x22), 400, 400, /not valid UTF-8: write JSON in UTF-8$/],
    ["[]", 422, 601, /^Cannot use the request \[\]: write an object$/],
    [JSON.stringify(rest), 422, 602, /^Cannot use podUID of the request: it is missing; write a /],
    [
      JSON.stringify({ ...ADD, podName: 7 }),
      422,
      601,
      /^Cannot use podName of the request 7: write a string$/,
    ],
    [
      JSON.stringify({ ...ADD, ifName: null }),
      422,
      602,
      /^Cannot use ifName of the request: it is missing; write a string$/,
    ],
    [
      JSON.stringify({ ...ADD, containerID: ["c"] }),
      422,
      601,
      /containerID of the request \["c"\]/,
    ],
  ];
  for (const [body, status, code, sentence] of cases) {
    for (const method of ["POST", "DELETE"]) {
      const service = new RecordingService();
      const reply = await ask(method, AGENT_PATHS.ip, { body, service });
      assert.equal(reply.status, status, String(body));
      const json = reply.json;
      assert.ok(typeof json === "object" && json !== null && "code" in json && "message" in json);
      assert.equal(json.code, code, String(body));
      assert.match(String(json.message), sentence);
      assert.deepEqual(service.asked, []);
    }
  }
});

Deno.test("required texts may be empty", async () => {
  const body = JSON.stringify({ ...ADD, podUID: "", netNamespace: "" });
  assert.equal((await ask("POST", AGENT_PATHS.ip, { body })).status, 200);
});

Deno.test("a failure is its status and its text alone", async () => {
  for (const status of [404, 500, 521, 522] as const) {
    const service = new RecordingService();
    service.failure = { status, message: "Cannot do it: no" };
    const asked = [
      ask("POST", AGENT_PATHS.ip, { body: JSON.stringify(ADD), service }),
      ask("DELETE", AGENT_PATHS.ip, { body: JSON.stringify(ADD), service }),
      ask("DELETE", AGENT_PATHS.ips, { body: JSON.stringify(ADD), service }),
      ask("POST", AGENT_PATHS.ips, { service }),
      ask("GET", AGENT_PATHS.coordinatorConfig, { body: "{}", service }),
      ask("GET", AGENT_PATHS.workloadEndpoint, { query: "podName=a&podNamespace=b", service }),
    ];
    for (const reply of await Promise.all(asked)) {
      assert.deepEqual(reply, { status, json: "Cannot do it: no" });
    }
  }
});

Deno.test("what the socket does not have is 501, 405 or 404", async () => {
  for (const path of Object.values(RUNTIME_PATHS)) {
    const { status, json } = await ask("GET", path);
    assert.equal(status, 501);
    assert.match(String(json), /^Operation GET \/v1\/runtime\/\w+ has not yet been implemented/);
  }
  const wrong = await ask("PUT", AGENT_PATHS.ip);
  assert.deepEqual(wrong, {
    status: 405,
    json: { code: 405, message: "Cannot PUT /v1/ipam/ip: ask with POST or DELETE" },
    headers: { Allow: "POST, DELETE" },
  });
  for (const path of ["/", "/v1", "/v1/ipam/ip/", "/v1/ipam/IP", "//v1/ipam/ip", "/__proto__"]) {
    const { status, json } = await ask("GET", path);
    assert.equal(status, 404);
    assert.match(JSON.stringify(json), /"code":404,"message":"Cannot find .+ \/v1\/ipam\/healthy/);
  }
});
