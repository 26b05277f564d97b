import assert from "node:assert/strict";
import { callOf, CONFIG, pluginWorld } from "../../tests/support/plugin_ports.ts";
import { gc } from "./gc.ts";

Deno.test("gc() has dead pods looked for, and passes on no attachments", async () => {
  const world = pluginWorld({ status: 200 });
  const attachments = [{ containerID: "c1", ifname: "eth0" }];
  const config = { ...CONFIG, "cni.dev/valid-attachments": attachments };
  assert.deepEqual(await gc(callOf({ config }), world.ports), { ok: true, value: undefined });
  assert.deepEqual(world.asked, [{ method: "POST", target: "/v1/ipam/ips", body: undefined }]);
  assert.deepEqual(world.deadlines.map(({ timeoutMs }) => timeoutMs), [100_000]);
  assert.equal(world.logLines().at(-1)?.Action, "GC");
});

Deno.test("gc() reports an agent that is away, and one that refuses", async () => {
  const away = await gc(callOf(), pluginWorld().ports);
  assert.ok(!away.ok);
  assert.equal(away.error.code, 11);
  assert.match(away.error.msg, /^Cannot look for addresses of dead pods: there is no socket/);
  const refused = await gc(callOf(), pluginWorld({ status: 500, body: "API: 503" }).ports);
  assert.ok(!refused.ok);
  assert.equal(refused.error.code, 999);
  assert.match(refused.error.msg, /: API: 503$/);
});
