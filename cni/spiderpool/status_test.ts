import assert from "node:assert/strict";
import { callOf, CONFIG, pluginWorld } from "../../tests/support/plugin_ports.ts";
import { status } from "./status.ts";

Deno.test("status() succeeds where the agent serves", async () => {
  const world = pluginWorld({ status: 200 });
  assert.deepEqual(await status(callOf(), world.ports), { ok: true, value: undefined });
  assert.deepEqual(world.asked.map(({ target }) => target), ["/v1/ipam/healthy"]);
  assert.deepEqual(world.deadlines.map(({ timeoutMs }) => timeoutMs), [30_000]);
  assert.deepEqual(world.endedAfter, [1]);
});

for (const steps of [[], [{ status: 500, body: "caches are not filled" }], [{ pieces: ["x\n"] }]]) {
  Deno.test(`status() is unavailable after ${JSON.stringify(steps)}, with the reason`, async () => {
    const world = pluginWorld(...steps);
    const outcome = await status(callOf(), world.ports);
    assert.ok(!outcome.ok);
    assert.equal(outcome.error.code, 50);
    assert.match(outcome.error.msg, /^unhealthy spiderpool-agent backend: .+/);
    assert.equal(world.logLines().at(-1)?.Action, "STATUS");
  });
}

Deno.test("status() refuses a configuration that it cannot read", async () => {
  const outcome = await status(callOf({ config: { ...CONFIG, ipam: [] } }), pluginWorld().ports);
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.code, 7);
});
