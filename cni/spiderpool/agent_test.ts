import assert from "node:assert/strict";
import { pluginWorld } from "../../tests/support/plugin_ports.ts";
import { Agent } from "./agent.ts";

const BUSY = { refused: new Deno.errors.WouldBlock("Resource temporarily unavailable") };

Deno.test("a full queue of connections is waited for", async () => {
  const world = pluginWorld(BUSY, BUSY, { status: 200 });
  const healthy = new Agent(world.ports, "/run/agent.sock").healthy({ isLast: true });
  await world.clock.advance(19);
  assert.equal(world.connected.length, 1);
  await world.clock.advance(21);
  assert.deepEqual(await healthy, { ok: true, value: undefined });
  assert.equal(world.connected.length, 3);
  assert.deepEqual(world.endedAfter, [3]);
});

Deno.test("a queue of connections that stays full is given up on at the deadline", async () => {
  const world = pluginWorld(...Array<typeof BUSY>(10).fill(BUSY));
  const healthy = new Agent(world.ports, "/run/agent.sock").healthy();
  await world.clock.advance(20);
  world.deadlines[0]?.abort();
  const refused = await healthy;
  assert.ok(!refused.ok);
  assert.equal(refused.error.code, "away");
  assert.match(refused.error.text, /at "\/run\/agent\.sock" did not answer within 30000 ms/);
  assert.equal(world.clock.sleeperCount, 0);
});

Deno.test("the right to connect is kept while there is more to ask", async () => {
  const world = pluginWorld({ status: 200 });
  assert.ok((await new Agent(world.ports, "/run/agent.sock").healthy()).ok);
  assert.deepEqual(world.endedAfter, []);
});

Deno.test("the right to connect is given up with the last connection", async () => {
  const gone = pluginWorld();
  assert.ok(!(await new Agent(gone.ports, "/x").settle()).ok);
  assert.deepEqual(gone.endedAfter, [1]);
  const silent = pluginWorld({ pieces: ["hang"] });
  const settling = new Agent(silent.ports, "/x").settle();
  await silent.clock.advance(0);
  assert.deepEqual(silent.endedAfter, [1]);
  silent.deadlines[0]?.abort();
  assert.ok(!(await settling).ok);
});

Deno.test("what is no HTTP or too long is said, and is no agent that is away", async () => {
  const garbage = pluginWorld({ pieces: ["SSH-2.0\r\n"] });
  const refused = await new Agent(garbage.ports, "/x").healthy();
  assert.ok(!refused.ok);
  assert.equal(refused.error.code, "broken");
  assert.match(
    refused.error.text,
    /at "\/x" answers is no HTTP: it begins with "SSH-2\.0"; see its/,
  );
  const long = pluginWorld({ pieces: ["HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"] });
  const tooLong = await new Agent(long.ports, "/x").healthy();
  assert.ok(!tooLong.ok);
  assert.match(tooLong.error.text, /the answer of .* has more than 1048576 bytes/);
});

Deno.test("names in a query are escaped", async () => {
  const body = { podNamespace: "a", podName: "b", podUID: "", node: "n", interfaces: [] };
  const world = pluginWorld({ status: 200, body });
  await new Agent(world.ports, "/x").endpoint({
    podNamespace: "a&b=c",
    podName: "d e\r\n",
    containerID: "f",
    ifName: "g#h",
  });
  assert.equal(
    world.asked[0]?.target,
    "/v1/workloadendpoint?podNamespace=a%26b%3Dc&podName=d%20e%0D%0A&containerID=f&ifName=g%23h",
  );
});
