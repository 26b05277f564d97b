/** The plugin's side of HTTP against the agent's own server, byte for byte. */
import assert from "node:assert/strict";
import type { HttpReply } from "../../src/daemon/http/reply.ts";
import type { HttpRequest } from "../../src/daemon/http/request_parser.ts";
import { HttpServer } from "../../src/daemon/http/server.ts";
import { readIpamAddArgs } from "../../src/api/agent.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import type { AgentConnection } from "../../src/cni/agent_client.ts";
import { MemoryListener, type MemoryStream } from "../../tests/support/byte_streams.ts";
import { callOf, CONFIG, pluginWorld } from "../../tests/support/plugin_ports.ts";
import { add } from "./add.ts";
import { del } from "./del.ts";

type Answer = (request: HttpRequest) => HttpReply;

/** Runs a step of the plugin with a server that answers so, and stops the server. */
async function withServer<T>(
  answer: Answer,
  step: (ports: ReturnType<typeof pluginWorld>["ports"]) => Promise<T>,
): Promise<T> {
  const world = pluginWorld();
  const listener = new MemoryListener();
  const server = new HttpServer(listener, {
    clock: world.clock,
    log: SILENT_LOG,
    connectionsMax: 4,
    handler: (request) => Promise.resolve(answer(request)),
  });
  const running = server.run();
  const connect = () => Promise.resolve(connectionOf(listener.connect()));
  const outcome = await step({ ...world.ports, connect });
  const stopping = server.stop();
  await world.clock.advance(1_000);
  await Promise.all([stopping, running]);
  return outcome;
}

function connectionOf(stream: MemoryStream): AgentConnection {
  return {
    read: (into) => stream.read(into),
    write: (bytes) => stream.write(bytes),
    [Symbol.dispose]: () => {
      if (!stream.isClosed) stream.close();
    },
  };
}

Deno.test("the agent's server hears what the plugin asks, and the plugin its answer", async () => {
  const pools = Array.from({ length: 3_000 }, (_, index) => `pool-${index}`); // Many reads long.
  const heard: string[] = [];
  const body = {
    ips: [{ version: 4, address: "10.6.0.17/16", nic: "eth0", ipPool: "ä" }],
    routes: [],
  };
  const answer: Answer = (request) => {
    heard.push(`${request.method} ${request.path}`);
    if (request.method === "GET") return { status: 200 };
    const args = readIpamAddArgs(new TextDecoder().decode(request.body));
    assert.ok(args.ok);
    assert.deepEqual(args.value.defaultIPv4IPPool, pools);
    assert.equal(args.value.podName, "web-0");
    return { status: 200, json: body };
  };
  const config = { ...CONFIG, ipam: { ...CONFIG.ipam, default_ipv4_ippool: pools } };
  const outcome = await withServer(answer, (ports) => add(callOf({ config }), ports));
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.value?.ips, [{ version: 4, address: "10.6.0.17/16" }]);
  assert.deepEqual(heard, ["GET /v1/ipam/healthy", "POST /v1/ipam/ip"]);
});

Deno.test("the agent's refusal reaches the user as it was said", async () => {
  const said = 'all IP addresses used out of pool "p4" — add ü to "ips"';
  const answer: Answer = ({ method }) => {
    return method === "GET" ? { status: 200 } : { status: 500, json: said };
  };
  const outcome = await withServer(answer, (ports) => add(callOf(), ports));
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.msg, `spiderpool IP allocation error: ${said}`);
});

Deno.test("a DEL that the agent's server takes succeeds", async () => {
  const heard: string[] = [];
  const answer: Answer = ({ method }) => {
    heard.push(method);
    return { status: 200 };
  };
  const outcome = await withServer(answer, (ports) => del(callOf(), ports));
  assert.ok(outcome.ok);
  assert.deepEqual(heard, ["GET", "DELETE"]);
});
