import assert from "node:assert/strict";
import { LEADER_LEASE_NAME } from "../api/leases.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { LEASES } from "../kube/lease.ts";
import { ControllerRig } from "../../tests/support/controller_rig.ts";

const LEASE = { namespace: "spiderpool", name: LEADER_LEASE_NAME };

Deno.test("the first controller leads, by the reference's Lease and its pod's name", async () => {
  await using rig = new ControllerRig();
  const a = await rig.startController("a");
  const b = await rig.startController("b");
  await rig.clock.advance(60_000);
  assert.equal(rig.leader(), "a");
  const { spec } = await rig.read(LEASES, LEASE);
  assert.deepEqual([spec?.holderIdentity, spec?.leaseDurationSeconds], ["a", 15]);
  for (const { controller } of [a, b]) {
    assert.deepEqual(controller.leadership(), { ok: true, value: undefined });
    assert.equal(controller.problem, undefined);
  }
});

Deno.test("a controller that stops lets the other one lead at once", async () => {
  await using rig = new ControllerRig();
  const a = await rig.startController("a");
  await rig.startController("b");
  await rig.clock.advance(60_000);
  await a.stop();
  assert.equal(rig.leader(), "b");
});

Deno.test("a controller that cannot renew stops before another leads, within 20 s", async () => {
  await using rig = new ControllerRig();
  const a = await rig.startController("a");
  await rig.startController("b");
  await rig.clock.advance(60_000);
  a.line.isCut = true;
  let stoppedMs: number | undefined;
  let takenMs: number | undefined;
  for (let ms = 0; takenMs === undefined; ms += 100) {
    await rig.clock.advance(100);
    if (rig.leader() !== "a") stoppedMs ??= ms;
    if (rig.leader() === "b") takenMs = ms;
    assert.ok(ms < 20_000, "b leads in time");
  }
  assert.ok(stoppedMs !== undefined && takenMs - stoppedMs >= 3_000, `${stoppedMs} ${takenMs}`);
});

Deno.test("a controller says on its probe that nobody leads", async () => {
  await using rig = new ControllerRig();
  const a = await rig.startController("a");
  await rig.startController("b");
  a.line.isCut = true;
  await rig.clock.advance(12_000);
  assert.deepEqual(a.controller.leadership(), {
    ok: false,
    error: 'Cannot say who leads: nobody holds the Lease "spiderpool/spiderpool-controller-leases"',
  });
  a.line.isCut = false;
  await rig.clock.advance(12_000);
  assert.equal(a.controller.leadership().ok, true);
});

Deno.test("the leader takes older records over behind the fence", async () => {
  await using rig = await ControllerRig.start();
  const records = { "10.6.0.10": { pod: "default/dead", podUid: "dead" } };
  await rig.make(SPIDER_IP_POOLS, {
    metadata: { name: "p4" },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.12"] },
    status: { allocatedIPs: JSON.stringify(records), allocatedIPCount: 1 },
  });
  await rig.clock.advance(1_000);
  assert.equal((await rig.read(SPIDER_IP_POOLS, { name: "p4" })).status?.truth, "SpiderIP");
  assert.equal((await rig.read(SPIDER_IPS, { name: "10.6.0.10" })).spec.podUID, "dead");
});
