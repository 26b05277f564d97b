import assert from "node:assert/strict";
import { callOf, CONFIG, pluginWorld } from "../../tests/support/plugin_ports.ts";
import { check } from "./check.ts";

const INTERFACES = [{ name: "eth0", sandbox: "/var/run/netns/n1" }];

function recorded(...interfaces: readonly Readonly<Record<string, unknown>>[]) {
  return { podNamespace: "default", podName: "web-0", podUID: "1b-2c", node: "n1", interfaces };
}

const EMPTY_RECORD = recorded({ interface: "net1", ipv4: "10.7.0.9/16", routes: null });
const RECORD = recorded(
  { interface: "eth0", ipv4: "10.6.0.17/16", ipv6: "fd00::17/64", routes: [] },
  { interface: "net1", ipv4: "10.7.0.9/16", routes: null },
);

function config(addresses: readonly string[]) {
  const ips = addresses.map((address) => ({ address, interface: 0 }));
  return { ...CONFIG, prevResult: { cniVersion: "1.0.0", ips, interfaces: INTERFACES } };
}

async function run(
  { addresses = ["10.6.0.17/16", "fd00::17/64"], body = RECORD, status = 200, args }: {
    readonly addresses?: readonly string[];
    readonly body?: unknown;
    readonly status?: number;
    readonly args?: string;
  },
) {
  const world = pluginWorld({ status, body });
  const call = callOf({ config: config(addresses), ...(args === undefined ? {} : { args }) });
  return { world, outcome: await check(call, world.ports) };
}

Deno.test("check() succeeds where the NIC has what is recorded", async () => {
  const { world, outcome } = await run({});
  assert.deepEqual(outcome, { ok: true, value: undefined });
  assert.deepEqual(world.asked, [{
    method: "GET",
    target:
      "/v1/workloadendpoint?podNamespace=default&podName=web-0&containerID=c0ffee&ifName=eth0",
    body: undefined,
  }]);
});

Deno.test("check() speaks of the container where no pod is named", async () => {
  assert.ok((await run({ args: "" })).outcome.ok);
  const { outcome } = await run({ args: "", addresses: ["10.6.0.18/16"] });
  assert.ok(!outcome.ok);
  assert.match(outcome.error.msg, /NIC "eth0" of container "c0ffee" differs .*make the container/);
});

Deno.test("check() does not mind the order and the spelling of addresses", async () => {
  const addresses = ["FD00:0:0::17/64", "10.6.0.17/16"];
  assert.ok((await run({ addresses })).outcome.ok);
});

const DIFFERENT: readonly (readonly [string, Parameters<typeof run>[0], RegExp])[] = [
  [
    "another address",
    { addresses: ["10.6.0.18/16", "fd00::17/64"] },
    /: 10\.6\.0\.18\/16 of prevResult is not recorded; recorded 10\.6\.0\.17\/16 is not in prevRes/,
  ],
  [
    "another prefix length",
    { addresses: ["10.6.0.17/24", "fd00::17/64"] },
    /10\.6\.0\.17\/24 of prevResult is not recorded; recorded 10\.6\.0\.17\/16 is not/,
  ],
  [
    "an address less",
    { addresses: ["10.6.0.17/16"] },
    /: recorded fd00::17\/64 is not in prevResult/,
  ],
  [
    "an address more",
    { addresses: ["10.6.0.17/16", "fd00::17/64", "10.6.0.99/16"] },
    /: 10\.6\.0\.99\/16 of prevResult is not recorded; delete the pod/,
  ],
  [
    "nothing recorded for the NIC",
    { body: EMPTY_RECORD },
    /10\.6\.0\.17\/16 of prevResult is not recorded; fd00::17\/64 of prevResult is not recorded/,
  ],
  [
    "an address that is none",
    { addresses: ["10.6.0.17/16", "fd00::17/64", "x"] },
    /: x of prevRes/,
  ],
  [
    "another pod of the same name",
    { args: "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=9-9" },
    /: it is recorded for pod UID "1b-2c", and this pod has "9-9"; delete/,
  ],
];

for (const [what, facts, expected] of DIFFERENT) {
  Deno.test(`check() names each difference: ${what}`, async () => {
    const { world, outcome } = await run(facts);
    assert.ok(!outcome.ok);
    assert.equal(outcome.error.code, 999);
    const { msg } = outcome.error;
    assert.match(
      msg,
      /^spiderpool IP check error: NIC "eth0" of pod "default\/web-0" differs from/,
    );
    assert.match(msg, expected);
    assert.equal(world.logLines().at(-1)?.level, "error");
  });
}

for (const uid of ["", "0123456789abcdef0123456789abcdef"]) {
  Deno.test(`check() does not compare the UID "${uid}", which the API does not give`, async () => {
    const args = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=${uid}`;
    assert.ok((await run({ args })).outcome.ok);
  });
}

Deno.test("check() fails where nothing is recorded for the pod, in the agent's words", async () => {
  const said = "SpiderEndpoint not found for pod default/web-0";
  const { outcome } = await run({ status: 404, body: said });
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.msg, `spiderpool IP check error: ${said}`);
});

Deno.test("check() fails where the agent is away: addresses cannot be told right", async () => {
  const outcome = await check(callOf({ config: config([]) }), pluginWorld().ports);
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.code, 11);
  assert.match(outcome.error.msg, /^spiderpool IP check error: there is no socket/);
});

Deno.test("check() refuses a call without prevResult, before it asks", async () => {
  const world = pluginWorld();
  const outcome = await check(callOf(), world.ports);
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.code, 7);
  assert.match(outcome.error.msg, /prevResult .* it is missing/);
  assert.deepEqual(world.connected, []);
});

Deno.test("check() refuses an answer that it cannot read", async () => {
  const { outcome } = await run({ body: { podName: "web-0" } });
  assert.ok(!outcome.ok);
  assert.match(outcome.error.msg, /podNamespace of the agent's answer: it is missing/);
});
