/** DEL, CHECK, STATUS and GC. */
import assert from "node:assert/strict";
import { temporaryName } from "../../src/datapath/vlan_plan.ts";
import {
  givenBy,
  linkOf,
  refusedBy,
  VLAN_CONFIG,
  vlanCall,
  VlanWorld,
} from "../../tests/support/vlan_world.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { del } from "./del.ts";
import { gc } from "./gc.ts";
import { status } from "./status.ts";

const DONE = { ok: true, value: undefined };

async function added(): Promise<VlanWorld> {
  const world = new VlanWorld(givenBy("10.6.0.17/16"));
  assert.ok((await add(vlanCall(), world.ports)).ok);
  world.asked.splice(0);
  return world;
}

Deno.test("del() removes the NIC, then has its addresses released; and again", async () => {
  const world = await added();
  for (const _ of [1, 2]) assert.deepEqual(await del(vlanCall(), world.ports), DONE);
  assert.deepEqual([...world.pod.links.keys()], ["lo"]);
  const asked = { command: "DEL", config: VLAN_CONFIG, links: ["lo"] };
  assert.deepEqual(world.asked, [asked, asked]);
  assert.equal(world.pod.openCount, 0);
});

Deno.test("del() removes what a killed ADD left, and no link of others", async () => {
  const world = await added();
  const half = world.pod.links.get("eth0") ?? linkOf(9, "eth0");
  world.pod.links.delete("eth0");
  const temporary = temporaryName("eth0");
  world.pod.links.set(temporary, { ...half, name: temporary });
  world.pod.links.set("eth0", linkOf(5, "eth0", { kind: "veth" }));
  assert.deepEqual(await del(vlanCall(), world.ports), DONE);
  assert.deepEqual([...world.pod.links.keys()], ["lo", "eth0"]);
});

Deno.test("del() has addresses released where the namespace is gone", async () => {
  const world = await added();
  world.pod.isGone = true;
  assert.deepEqual(await del(vlanCall(), world.ports), DONE);
  assert.deepEqual(world.asked.map(({ command }) => command), ["DEL"]);
});

Deno.test("del() has nothing to release with a configuration that no ADD came with", async () => {
  const world = new VlanWorld();
  for (const more of [{ master: "" }, { vlanId: "x" }, { ipam: undefined }]) {
    assert.deepEqual(await del(vlanCall({ ...VLAN_CONFIG, ...more }), world.ports), DONE);
  }
  assert.deepEqual(world.asked, []);
});

Deno.test("del() tries both, and says all that failed", async () => {
  const world = await added();
  world.ipam.push(refusedBy("Not now"), refusedBy("Not now"));
  assert.deepEqual(await del(vlanCall(), world.ports), {
    ok: false,
    error: { code: 999, msg: "Not now" },
  });
  assert.deepEqual([...world.pod.links.keys()], ["lo"], "the NIC goes whoever fails");
  const stuck = await added();
  stuck.pod.refused = { kind: "remove", refusal: { name: "EBUSY", text: "" } };
  assert.deepEqual(await del(vlanCall(), stuck.ports), {
    ok: false,
    error: { code: 999, msg: "Cannot: no" },
  });
  stuck.ipam.push(refusedBy("Not now"));
  assert.deepEqual(await del(vlanCall(), stuck.ports), {
    ok: false,
    error: { code: 999, msg: "Cannot: no; Not now" },
  });
});

function checked(world: VlanWorld, address = "10.6.0.17/16") {
  const prevResult = {
    interfaces: [{ name: "eth0", sandbox: "/n" }],
    ips: [{ address, interface: 0 }],
  };
  return check(vlanCall({ ...VLAN_CONFIG, prevResult }), world.ports);
}

Deno.test("check() asks the IPAM plugin, then looks at the NIC", async () => {
  const world = await added();
  assert.deepEqual(await checked(world), DONE);
  assert.deepEqual(world.asked.map(({ command }) => command), ["CHECK"]);
  world.ipam.push(refusedBy("It is not mine"));
  assert.deepEqual(await checked(world), {
    ok: false,
    error: { code: 999, msg: "It is not mine" },
  });
  assert.deepEqual(await checked(world, "10.6.0.18/16"), {
    ok: false,
    error: {
      code: 999,
      msg: 'NIC "eth0" is not as it was made: it lacks 10.6.0.18/16 of prevResult; make the pod ' +
        "anew",
    },
  });
  assert.equal(world.pod.openCount, 0);
});

Deno.test("check() says that the namespace is gone", async () => {
  const world = await added();
  world.pod.isGone = true;
  assert.deepEqual(await checked(world), {
    ok: false,
    error: { code: 999, msg: "Cannot open: gone" },
  });
});

Deno.test("status() and gc() are the IPAM plugin's", async () => {
  const world = new VlanWorld();
  assert.deepEqual(await status(vlanCall(), world.ports), DONE);
  assert.deepEqual(await gc(vlanCall(), world.ports), DONE);
  assert.deepEqual(world.asked.map(({ command }) => command), ["STATUS", "GC"]);
  world.ipam.push({ code: 1, printed: '{"code":50,"msg":"The agent is away"}' });
  assert.deepEqual(await status(vlanCall(), world.ports), {
    ok: false,
    error: { code: 50, msg: "The agent is away" },
  });
  const { ipam: _, ...bare } = VLAN_CONFIG;
  assert.deepEqual(await status(vlanCall(bare), world.ports), DONE);
});
