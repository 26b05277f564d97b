import assert from "node:assert/strict";
import {
  ANSWER,
  coordinatorCall,
  type CoordinatorWorld,
  coordinatorWorld,
  NETNS,
} from "../../tests/support/coordinator_world.ts";
import { addNic } from "../../tests/support/model_pod.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { add } from "./add.ts";

const RECORD = "/var/run/spidernet/coordinator/abcdef0123456789@eth0.json";

async function refusal(world: CoordinatorWorld, call: CniCall) {
  const outcome = await add(call, world.ports);
  assert.ok(!outcome.ok, "the ADD is refused");
  return outcome.error;
}

function recordIn({ records }: CoordinatorWorld): unknown {
  return JSON.parse(records.texts.get(RECORD)?.split("\n")[1] ?? "");
}

function resultOf(outcome: CniOutcome) {
  assert.ok(outcome.ok && outcome.value !== undefined && "whole" in outcome.value);
  return outcome.value.whole;
}

Deno.test("add() asks the agent for the pod, on a GET with a body", async () => {
  const world = coordinatorWorld();
  await add(coordinatorCall(), world.ports);
  assert.deepEqual(world.outside.asked, [{
    method: "GET",
    target: "/v1/coordinator/config",
    body: { podNamespace: "default", podName: "web-0", podUID: "1b-2c" },
  }]);
  assert.deepEqual(world.outside.connected, ["/var/run/spidernet/spiderpool.sock"]);
  assert.deepEqual(world.outside.endedAfter, [1], "no right to connect is kept");
});

Deno.test("add() completes prevResult with the node's end of the pair", async () => {
  const world = coordinatorWorld();
  const result = resultOf(await add(coordinatorCall({ version: "1.1.0" }), world.ports));
  const mac = (links: typeof world.kernel.pod.links, name: string) => {
    return links.find((link) => link.name === name)?.mac;
  };
  assert.deepEqual(result.interfaces, [
    { name: "eth0", mac: mac(world.kernel.pod.links, "eth0"), sandbox: NETNS },
    {
      name: "vethabcdef01234",
      mac: mac(world.kernel.node.links, "vethabcdef01234"),
      mtu: 1500,
    },
  ]);
  assert.equal(world.namespaces.openCount, 0, "every view is closed");
  assert.equal(world.records.isLocked, false);
});

Deno.test("add() says the hardware address that it gave the NIC", async () => {
  const world = coordinatorWorld();
  const call = coordinatorCall({ config: { podMACPrefix: "0A:1b" } });
  const { interfaces } = resultOf(await add(call, world.ports));
  assert.ok(Array.isArray(interfaces));
  assert.equal(interfaces[0].mac, "0a:1b:0a:06:00:05");
});

Deno.test("add() keeps what a DEL needs before it does anything", async () => {
  const world = coordinatorWorld();
  const before = world.kernel.snapshot();
  world.records.failing = new Error("No space left on device");
  const { code, msg } = await refusal(world, coordinatorCall());
  assert.equal(code, 999);
  assert.match(msg, /^Cannot keep what a DEL needs in ".*@eth0\.json": No space left on device;/);
  assert.deepEqual(world.kernel.snapshot(), before);
});

Deno.test("add() again changes nothing and gives the same result", async () => {
  const steps = [1, 2].map(() => ({ status: 200, body: ANSWER }));
  const world = coordinatorWorld({ steps });
  const first = resultOf(await add(coordinatorCall(), world.ports));
  const after = world.kernel.snapshot();
  assert.deepEqual(resultOf(await add(coordinatorCall(), world.ports)), first);
  assert.deepEqual(world.kernel.snapshot(), after);
});

Deno.test("add() that the kernel refuses in between leaves nothing", async () => {
  for (const after of [0, 1, 2, 3]) {
    const world = coordinatorWorld();
    const before = world.kernel.snapshot();
    world.namespaces.refusal = { kind: "route_add", after };
    const { code, msg } = await refusal(world, coordinatorCall());
    assert.equal(code, 999);
    assert.equal(msg, "Cannot do route_add: no (EPERM)");
    assert.deepEqual(world.kernel.snapshot(), before);
    assert.deepEqual([...world.records.texts.keys()], []);
    assert.equal(world.records.isLocked, false);
  }
});

Deno.test("add() that fails the second time leaves what the first did", async () => {
  const steps = [1, 2].map(() => ({ status: 200, body: ANSWER }));
  const world = coordinatorWorld({ steps });
  await add(coordinatorCall(), world.ports);
  const kept = recordIn(world);
  const after = world.kernel.snapshot();
  world.namespaces.refusal = { kind: "route_add", after: 1 };
  const config = { hijackCIDR: ["10.99.0.0/16", "10.98.0.0/16"] };
  await refusal(world, coordinatorCall({ config }));
  assert.deepEqual(world.kernel.snapshot(), after);
  assert.deepEqual(recordIn(world), kept);
});

Deno.test("add() of a NIC that is down takes it down again where it fails", async () => {
  const world = coordinatorWorld();
  const { pod } = world.kernel;
  pod.links = pod.links.map((link) => link.name === "eth0" ? { ...link, isUp: false } : link);
  pod.routes = [];
  const before = world.kernel.snapshot();
  world.namespaces.refusal = { kind: "route_add", after: 0 };
  await refusal(world, coordinatorCall());
  assert.deepEqual(world.kernel.snapshot(), before);
});

Deno.test("add() in a disabled mode passes prevResult on and touches nothing", async () => {
  for (const mode of ["disable", "disabled"]) {
    const world = coordinatorWorld();
    const before = world.kernel.snapshot();
    const call = coordinatorCall({ config: { mode } });
    assert.deepEqual(resultOf(await add(call, world.ports)), call.network.config.prevResult);
    assert.deepEqual(world.kernel.snapshot(), before);
    assert.deepEqual(world.outside.connected, [], "the agent need not be there");
  }
});

Deno.test("add() is disabled by the SpiderCoordinator as well", async () => {
  const world = coordinatorWorld({
    steps: [{ status: 200, body: { ...ANSWER, mode: "disable" } }],
  });
  const before = world.kernel.snapshot();
  assert.ok((await add(coordinatorCall(), world.ports)).ok);
  assert.deepEqual(world.kernel.snapshot(), before);
});

Deno.test("add() without an agent is to be tried again, after it has waited for one", async () => {
  const world = coordinatorWorld({ steps: [] });
  const refusing = refusal(world, coordinatorCall());
  await world.outside.clock.advance(31_000);
  const { code, msg } = await refusing;
  assert.equal(code, 11);
  assert.match(
    msg,
    /^Cannot ask the spiderpool-agent what .*: there is no socket ".*spiderpool\.sock"; see that/,
  );
});

Deno.test("add() passes the agent's own sentence on", async () => {
  const steps = [{ status: 500, body: "coordinator config not found" }];
  const { code, msg } = await refusal(coordinatorWorld({ steps }), coordinatorCall());
  assert.equal(code, 999);
  assert.match(msg, /^coordinator config not found$/);
});

for (
  const [what, call, code, said] of [
    [
      "no prevResult",
      { config: { prevResult: undefined } },
      7,
      /prevResult .*: it is missing; list this plugin in a chain, after one that makes the NIC/,
    ],
    ["a bad value", { config: { podRPFilter: 3 } }, 7, /^Cannot use podRPFilter .* 3: write 0, 1/],
    ["a bad network", { config: { hijackCIDR: ["x"] } }, 7, /^Cannot use hijackCIDR\[0\] of the/],
    [
      "a namespace that is gone",
      { netns: "/x" },
      4,
      /^Cannot open network namespace "\/x" .*CNI_NETNS/,
    ],
    ["a bad mode", { config: { mode: "overlay" } }, 7, /"eth0" in overlay mode: it is the pod's f/],
    ["a NIC that is not there", { ifName: "net7" }, 999, /net7/],
    ["CNI_ARGS that are none", { args: "x" }, 4, /^Cannot use CNI_ARGS: "x" is no pair/],
  ] as const
) {
  Deno.test(`add() with ${what} says so and leaves nothing`, async () => {
    const world = coordinatorWorld();
    const before = world.kernel.snapshot();
    const refused = await refusal(world, coordinatorCall(call));
    assert.equal(refused.code, code);
    assert.match(refused.msg, said);
    assert.deepEqual(world.kernel.snapshot(), before);
    assert.deepEqual([...world.records.texts.keys()], []);
  });
}

Deno.test("add() without nf_tables, or without IPv6, says so and leaves nothing", async () => {
  for (
    const [lacking, said] of [
      [
        { marks: "no_nf_tables" },
        /kernel of this node has no nf_tables, which .*; load the module/,
      ],
      [
        { hasIpv6: false },
        /gives it fd00:10:6::5\/64 and the kernel of this node has no IPv6, ena/,
      ],
    ] as const
  ) {
    const world = coordinatorWorld();
    Object.assign(world.kernel, lacking);
    const before = world.kernel.snapshot();
    const interfaces = [{ name: "eth0", sandbox: NETNS }];
    const ips = [{ address: "10.6.0.5/24" }, { address: "fd00:10:6::5/64" }];
    const prevResult = {
      cniVersion: "1.0.0",
      interfaces,
      ips: ips.map((ip) => ({ ...ip, interface: 0 })),
    };
    const call = coordinatorCall({ config: { prevResult } });
    const { code, msg } = await refusal(world, call);
    assert.equal(code, 999);
    assert.match(msg, said);
    assert.deepEqual(world.kernel.snapshot(), before);
    assert.deepEqual([...world.records.texts.keys()], []);
  }
});

Deno.test("add() waits for the coordinators of other pods, and says who holds it up", async () => {
  const world = coordinatorWorld();
  world.records.isLocked = true;
  let tries = 0;
  world.records.onLock = () => {
    if (++tries === 3) world.records.isLocked = false;
  };
  const waiting = add(coordinatorCall(), world.ports);
  await world.outside.clock.advance(20);
  assert.ok((await waiting).ok);
  const stuck = coordinatorWorld();
  stuck.records.isLocked = true;
  const failing = refusal(stuck, coordinatorCall());
  await stuck.outside.clock.advance(60_200);
  const { code, msg } = await failing;
  assert.equal(code, 11);
  assert.match(msg, /^Cannot lock ".*\/lock": another coordinator has held it for 60000 ms; look/);
});

Deno.test("add() goes on where the record of an earlier ADD cannot be read", async () => {
  const world = coordinatorWorld();
  world.records.texts.set(RECORD, "garbage\n");
  assert.ok((await add(coordinatorCall(), world.ports)).ok);
  assert.match(JSON.stringify(world.outside.logLines()), /record of an earlier ADD not used/);
});

Deno.test("add() of a further NIC makes no pair", async () => {
  const steps = [1, 2].map(() => ({ status: 200, body: ANSWER }));
  const world = coordinatorWorld({ steps });
  await add(coordinatorCall(), world.ports);
  addNic(world.kernel, "net1", { last: 6, families: [4], metric: 50 });
  const { interfaces } = resultOf(await add(coordinatorCall({ ifName: "net1" }), world.ports));
  assert.ok(Array.isArray(interfaces));
  assert.deepEqual(interfaces.map(({ name }) => name), ["net1"]);
});
