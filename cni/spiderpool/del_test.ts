import assert from "node:assert/strict";
import { type AgentStep, callOf, CONFIG, pluginWorld } from "../../tests/support/plugin_ports.ts";
import { del } from "./del.ts";

const HEALTHY = { status: 200 } as const;
const DONE = { ok: true, value: undefined };

Deno.test("del() asks whether the agent serves, then has the addresses released", async () => {
  const world = pluginWorld(HEALTHY, { status: 200 });
  assert.deepEqual(await del(callOf(), world.ports), DONE);
  assert.deepEqual(world.asked, [
    { method: "GET", target: "/v1/ipam/healthy", body: undefined },
    {
      method: "DELETE",
      target: "/v1/ipam/ip",
      body: {
        containerID: "c0ffee",
        ifName: "eth0",
        netNamespace: "/var/run/netns/n1",
        podNamespace: "default",
        podName: "web-0",
        podUID: "1b-2c",
      },
    },
  ]);
  assert.deepEqual(world.deadlines.map(({ timeoutMs }) => timeoutMs), [10_000, 100_000]);
  assert.deepEqual(world.endedAfter, [2]);
  const [line] = world.logLines();
  assert.equal(line?.text, "addresses released");
  assert.equal(line?.Action, "DEL");
  assert.equal(line?.PodUID, "1b-2c");
});

Deno.test("del() needs no network namespace", async () => {
  const world = pluginWorld(HEALTHY, { status: 200 });
  assert.deepEqual(await del(callOf({ netns: "" }), world.ports), DONE);
  assert.equal(world.asked.length, 2);
});

Deno.test("del() says what the NIC was to stand on", async () => {
  for (const [master, sent] of [["eth9", "eth9"], ["", undefined], [9, undefined]]) {
    const world = pluginWorld(HEALTHY, { status: 200 });
    assert.deepEqual(await del(callOf({ config: { ...CONFIG, master } }), world.ports), DONE);
    const { body } = world.asked[1] ?? {};
    const said = body as { readonly master?: unknown; readonly network?: unknown };
    assert.equal(said.master, sent);
    assert.equal(said.network, sent === undefined ? undefined : CONFIG.name);
  }
});

const AWAY: readonly (readonly [string, readonly AgentStep[], RegExp])[] = [
  ["no socket", [], /there is no socket/],
  [
    "nobody listens",
    [{ refused: new Deno.errors.ConnectionRefused("refused") }],
    /nothing listens/,
  ],
  ["not healthy", [{ status: 500, body: "caches are not filled" }], /^caches are not filled$/],
  ["it hangs up", [{ pieces: [] }], /closed the connection/],
  ["garbage", [{ pieces: ["\0\n"] }], /no HTTP/],
  ["it goes away between", [HEALTHY], /there is no socket/],
  ["the API server is down", [HEALTHY, { status: 500, body: "API: 503" }], /^API: 503$/],
  ["half an answer", [HEALTHY, { pieces: ["HTTP/1.1 200"] }], /closed the connection/],
];

for (const [what, steps, expected] of AWAY) {
  Deno.test(`del() succeeds, and logs why nothing was released: ${what}`, async () => {
    const world = pluginWorld(...steps);
    assert.deepEqual(await del(callOf(), world.ports), DONE);
    const line = world.logLines().at(-1);
    assert.match(String(line?.text), /the addresses are reclaimed later$/);
    assert.match(String(line?.problem), expected);
    assert.deepEqual(world.errors, []);
  });
}

Deno.test("del() succeeds with an agent that does not answer, soon", async () => {
  const world = pluginWorld({ pieces: ["hang"] });
  const deleting = del(callOf(), world.ports);
  await world.clock.advance(0);
  world.deadlines[0]?.abort();
  assert.deepEqual(await deleting, DONE);
  assert.match(String(world.logLines().at(-1)?.problem), /did not answer within 10000 ms/);
});

Deno.test("del() succeeds with agent, log and network namespace gone", async () => {
  const world = pluginWorld();
  world.files.failing.set(
    "openAppend",
    new Error("Read-only file system"),
  );
  assert.deepEqual(await del(callOf({ netns: "" }), world.ports), DONE);
  assert.equal(world.errors.length, 1);
});

Deno.test("del() without a pod leaves it to the agent what to release", async () => {
  const world = pluginWorld(HEALTHY, { status: 200 });
  assert.deepEqual(await del(callOf({ args: "fixed=web" }), world.ports), DONE);
  const body: unknown = world.asked[1]?.body;
  assert.deepEqual(body, {
    containerID: "c0ffee",
    ifName: "eth0",
    netNamespace: "/var/run/netns/n1",
    podNamespace: "",
    podName: "",
    podUID: "",
  });
});

for (const args of ["K8S_POD_NAME=a", "nonsense", "IgnoreUnknown=maybe;K8S_POD_NAME=a"]) {
  Deno.test(`del() succeeds with CNI_ARGS "${args}", with which no ADD could have`, async () => {
    const world = pluginWorld(HEALTHY);
    assert.deepEqual(await del(callOf({ args }), world.ports), DONE);
    assert.deepEqual(world.connected, []);
    assert.equal(world.logLines().at(-1)?.level, "warn");
  });
}

Deno.test("del() drops keys of CNI_ARGS that it does not know", async () => {
  const world = pluginWorld(HEALTHY, { status: 200 });
  const args = "K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;FOO=c";
  assert.deepEqual(await del(callOf({ args }), world.ports), DONE);
  assert.equal(world.asked.length, 2);
});

Deno.test("del() refuses a configuration that it cannot read", async () => {
  const outcome = await del(callOf({ config: { ...CONFIG, ipam: 5 } }), pluginWorld().ports);
  assert.ok(!outcome.ok);
  assert.equal(outcome.error.code, 7);
});
