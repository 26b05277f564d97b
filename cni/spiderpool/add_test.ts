import assert from "node:assert/strict";
import { type AgentStep, callOf, CONFIG, pluginWorld } from "../../tests/support/plugin_ports.ts";
import { add } from "./add.ts";
import type { Prove } from "./nic.ts";

const HEALTHY = { status: 200 } as const;
const DUAL = {
  ips: [
    { version: 4, address: "10.6.0.17/16", nic: "eth0", gateway: "10.6.0.1", ipPool: "p4" },
    { version: 6, address: "fd00::17/64", nic: "eth0", ipPool: "p6" },
    { version: 4, address: "10.7.0.9/16", nic: "net1", gateway: "10.7.0.1" },
  ],
  routes: [
    { ifName: "eth0", dst: "0.0.0.0/0", gw: "10.6.0.1" },
    { ifName: "net1", dst: "10.8.0.0/16", gw: "10.7.0.1" },
  ],
};

function refusal(outcome: Awaited<ReturnType<typeof add>>) {
  assert.ok(!outcome.ok);
  return outcome.error;
}

Deno.test("add() asks whether the agent serves, then for the addresses", async () => {
  const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
  const ipam = {
    ...CONFIG.ipam,
    default_ipv4_ippool: ["p4", "q*"],
    default_ipv6_ippool: ["p6"],
    clean_gateway: true,
    match_master_subnet: true,
    parent_nic_mac: "02:00:00:00:00:a1",
  };
  assert.ok((await add(callOf({ config: { ...CONFIG, ipam } }), world.ports)).ok);
  assert.deepEqual(world.connected, ["/run/agent.sock", "/run/agent.sock"]);
  assert.deepEqual(world.asked, [
    { method: "GET", target: "/v1/ipam/healthy", body: undefined },
    {
      method: "POST",
      target: "/v1/ipam/ip",
      body: {
        containerID: "c0ffee",
        ifName: "eth0",
        netNamespace: "/var/run/netns/n1",
        podNamespace: "default",
        podName: "web-0",
        podUID: "1b-2c",
        defaultIPv4IPPool: ["p4", "q*"],
        defaultIPv6IPPool: ["p6"],
        cleanGateway: true,
        matchMasterSubnet: true,
        parentNicMac: "02:00:00:00:00:a1",
      },
    },
  ]);
  assert.deepEqual(world.deadlines.map(({ timeoutMs }) => timeoutMs), [30_000, 100_000]);
  assert.deepEqual(world.endedAfter, [2]);
});

Deno.test("add() gives the addresses and routes of its own NIC only", async () => {
  const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
  assert.deepEqual(await add(callOf(), world.ports), {
    ok: true,
    value: {
      ips: [
        { version: 4, address: "10.6.0.17/16", gateway: "10.6.0.1" },
        { version: 6, address: "fd00::17/64" },
      ],
      routes: [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }],
      dns: undefined,
    },
  });
  const second = await add(
    callOf({ ifName: "net1" }),
    pluginWorld(HEALTHY, { status: 200, body: DUAL }).ports,
  );
  assert.ok(second.ok);
  assert.deepEqual(second.value?.ips, [
    { version: 4, address: "10.7.0.9/16", gateway: "10.7.0.1" },
  ]);
  assert.deepEqual(second.value?.routes, [{ dst: "10.8.0.0/16", gw: "10.7.0.1" }]);
});

Deno.test("add() has addresses probed if the agent says so, and prints what holds", async () => {
  for (const flag of ["enableIPConflictDetection", "enableGatewayDetection"]) {
    const ips = DUAL.ips.map((ip) => ({ ...ip, [flag]: true }));
    const world = pluginWorld(HEALTHY, { status: 200, body: { ...DUAL, ips } });
    const prove: Prove = (answer, { wish, timing }) => {
      assert.deepEqual([wish.ifName, timing], ["eth0", { count: 3, totalMs: 400 }]);
      assert.deepEqual(world.endedAfter, []); // More may have to be asked.
      const others = answer.ips.map((ip) => ({ ...ip, address: "10.6.0.99/16" }));
      return Promise.resolve({ ok: true, value: { ...answer, ips: others.slice(0, 1) } });
    };
    const ports = { ...world.ports, loadProbing: () => Promise.resolve(prove) };
    const outcome = await add(callOf(), ports);
    assert.ok(outcome.ok);
    assert.deepEqual(outcome.value.ips.map(({ address }) => address), ["10.6.0.99/16"]);
    assert.deepEqual(world.endedAfter, [2]);
  }
});

Deno.test("add() puts the probes off if it is asked to: the NIC is made after it", async () => {
  const ips = [{ ...DUAL.ips[0], enableIPConflictDetection: true }];
  const world = pluginWorld(HEALTHY, { status: 200, body: { ips } });
  const config = { ...CONFIG, ipam: { ...CONFIG.ipam, probe_later: true } };
  assert.ok((await add(callOf({ config }), world.ports)).ok);
});

Deno.test("add() probes nothing for the flags of another NIC", async () => {
  const ips = DUAL.ips.map((ip) => ({ ...ip, enableIPConflictDetection: ip.nic === "net1" }));
  const world = pluginWorld(HEALTHY, { status: 200, body: { ...DUAL, ips } });
  // The world's own `loadProbing` throws.
  assert.ok((await add(callOf(), world.ports)).ok);
});

Deno.test("add() passes on name servers, and takes routes that are null", async () => {
  const dns = { nameservers: ["10.6.0.2"], domain: "a.example" };
  const body = { ips: DUAL.ips, routes: null, dns };
  const outcome = await add(callOf(), pluginWorld(HEALTHY, { status: 200, body }).ports);
  assert.ok(outcome.ok);
  assert.deepEqual(outcome.value.dns, { ...dns, options: [], search: [] });
  assert.deepEqual(outcome.value.routes, []);
});

Deno.test("add() sends an empty UID where the runtime knows none", async () => {
  const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
  await add(callOf({ args: "K8S_POD_NAMESPACE=a;K8S_POD_NAME=b" }), world.ports);
  const [, { body } = { body: {} }] = world.asked;
  assert.ok(typeof body === "object" && body !== null && "podUID" in body);
  assert.equal(body.podUID, "");
});

Deno.test("add() without a pod leaves the names to the agent", async () => {
  const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
  assert.ok((await add(callOf({ args: "" }), world.ports)).ok);
  const [, { body } = { body: {} }] = world.asked;
  const { podNamespace, podName, podUID, ...rest } = Object(body);
  assert.deepEqual({ podNamespace, podName, podUID }, {
    podNamespace: "",
    podName: "",
    podUID: "",
  });
  assert.ok(!("fixed" in rest));
});

Deno.test("add() passes on a fixed name, that of CNI_ARGS first", async () => {
  const config = { ...CONFIG, ipam: { ...CONFIG.ipam, fixed: "of-config" } };
  for (const [args, expected] of [["fixed=of-args", "of-args"], ["fixed=", "of-config"]] as const) {
    const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
    await add(callOf({ args, config }), world.ports);
    assert.equal(Object(world.asked[1]?.body).fixed, expected);
  }
});

/** Nobody is there, for as long as it is asked. */
const GONE: readonly (readonly [string, AgentStep, RegExp])[] = [
  [
    "no socket",
    { refused: new Deno.errors.NotFound("No such file or directory") },
    /there is no socket "\/run\/agent\.sock"; see that the spiderpool-agent pod of this node runs/,
  ],
  [
    "nobody listens",
    { refused: new Deno.errors.ConnectionRefused("Connection refused") },
    /nothing listens at "\/run\/agent\.sock"; see that the spiderpool-agent pod/,
  ],
  ["it hangs up", { pieces: [] }, /closed the connection before it had answered; it may have been/],
  [
    "it is killed",
    { pieces: ["HTTP/1.1 2", new Deno.errors.ConnectionReset("reset by peer")] },
    /closed the connection before it had answered: reset by peer;/,
  ],
];

for (const [what, step, expected] of GONE) {
  Deno.test(`add() waits 30 s for an agent that is gone: ${what}`, async () => {
    const world = pluginWorld(...Array<AgentStep>(1_000).fill(step));
    let outcome: Awaited<ReturnType<typeof add>> | undefined;
    const adding = add(callOf(), world.ports).then((came) => outcome = came);
    await world.clock.advance(29_900);
    assert.equal(outcome, undefined);
    await world.clock.advance(200);
    const { code, msg } = refusal(await adding);
    assert.equal(code, 11);
    assert.match(msg, /^unhealthy spiderpool-agent backend: /);
    assert.match(msg, expected);
    assert.equal(world.logLines().at(-1)?.level, "error");
  });

  Deno.test(`add() goes on with the agent that follows: ${what}`, async () => {
    const world = pluginWorld(step, step, HEALTHY, step, step, { status: 200, body: DUAL });
    const adding = add(callOf(), world.ports);
    await world.clock.advance(1_000);
    assert.ok((await adding).ok);
    assert.deepEqual(world.endedAfter, [6], "and keeps the right to ask until then");
  });
}

Deno.test("add() fails at once where it may not connect", async () => {
  const world = pluginWorld({ refused: new Deno.errors.PermissionDenied("Permission denied") });
  const { code, msg } = refusal(await add(callOf(), world.ports));
  assert.equal(code, 11);
  assert.match(
    msg,
    /^unhealthy spiderpool-agent backend: cannot connect to ".*": Permission denied/,
  );
  assert.equal(world.connected.length, 1);
});

Deno.test("add() fails where the agent says that it is not healthy", async () => {
  const world = pluginWorld({ status: 500, body: "caches are not filled" });
  const { code, msg } = refusal(await add(callOf(), world.ports));
  assert.equal(code, 999);
  assert.equal(msg, "unhealthy spiderpool-agent backend: caches are not filled");
  assert.equal(world.connected.length, 1);
});

Deno.test("add() gives up on an agent that does not answer", async () => {
  const world = pluginWorld(HEALTHY, { pieces: ["hang"] });
  const adding = add(callOf(), world.ports);
  await world.clock.advance(0);
  world.deadlines.at(-1)?.abort();
  const { code, msg } = refusal(await adding);
  assert.equal(code, 11);
  assert.match(msg, /^spiderpool IP allocation error: the .* did not answer within 100000 ms; see/);
});

Deno.test("add() shows the agent's own sentence as it is", async () => {
  const said = 'all IP addresses used out of pool "p4"; add "ips" (10.6.0.9: "x\\y", ünicode)';
  const { code, msg } = refusal(
    await add(callOf(), pluginWorld(HEALTHY, { status: 500, body: said }).ports),
  );
  assert.equal(code, 999);
  assert.equal(msg, `spiderpool IP allocation error: ${said}`);
});

const SAID: readonly (readonly [string, string, string])[] = [
  ["no JSON", "HTTP/1.1 502 Bad\r\n\r\nbad gateway\n", "bad gateway"],
  [
    "a message",
    'HTTP/1.1 422 U\r\n\r\n{"code":602,"message":"podUID is required"}',
    "podUID is required",
  ],
  ["nothing", "HTTP/1.1 501 N\r\n\r\n", "the spiderpool-agent answered 501 and no text"],
];

for (const [what, text, expected] of SAID) {
  Deno.test(`add() shows what an error's body says: ${what}`, async () => {
    const { msg } = refusal(await add(callOf(), pluginWorld(HEALTHY, { pieces: [text] }).ports));
    assert.equal(msg, `spiderpool IP allocation error: ${expected}`);
  });
}

Deno.test("add() cuts a text that no agent of ours says", async () => {
  const world = pluginWorld(HEALTHY, { status: 500, body: "x".repeat(100_000) });
  assert.ok(refusal(await add(callOf(), world.ports)).msg.length < 5_000);
});

const UNUSABLE: readonly (readonly [string, unknown, RegExp])[] = [
  ["no object", "none", /^spiderpool IP allocation error: Cannot use the agent's answer "none"/],
  ["no ips", { routes: [] }, /Cannot use ips of the agent's answer: it is missing/],
  ["ips null", { ips: null }, /Cannot use ips of the agent's answer/],
  ["family 5", { ips: [{ version: 5, address: "a", nic: "eth0" }] }, /ips\[0\]\.version of the/],
  ["no addresses", { ips: [] }, /no address of NIC "eth0" is among what the agent gave \(none\)/],
  [
    "another NIC's address",
    { ips: [DUAL.ips[2]] },
    /no address of NIC "eth0" .* \(10\.7\.0\.9\/16 of "net1"\); name this NIC in the pod's annot/,
  ],
  [
    "no prefix length",
    { ips: [{ version: 4, address: "10.6.0.1", nic: "eth0" }] },
    /gave "10\.6\.0\.1", which is no IPv4 address with prefix length/,
  ],
  [
    "another family's address",
    { ips: [{ version: 4, address: "fd00::1/64", nic: "eth0" }] },
    /gave "fd00::1\/64", which is no IPv4 address/,
  ],
  [
    "an IPv4 address as IPv6",
    { ips: [{ version: 6, address: "10.6.0.1/16", nic: "eth0" }] },
    /gave "10\.6\.0\.1\/16", which is no IPv6 address/,
  ],
  [
    "a gateway that is none",
    { ips: [{ version: 4, address: "10.6.0.1/16", nic: "eth0", gateway: "gw" }] },
    /gave the gateway "gw", which is no address; see the pool/,
  ],
  [
    "a route that is none",
    { ips: [DUAL.ips[0]], routes: [{ ifName: "eth0", dst: "default", gw: "10.6.0.1" }] },
    /gave the route "default" via "10\.6\.0\.1", which is none/,
  ],
];

for (const [what, body, expected] of UNUSABLE) {
  Deno.test(`add() refuses an answer with ${what}`, async () => {
    const world = pluginWorld(HEALTHY, { status: 200, body });
    const { code, msg } = refusal(await add(callOf(), world.ports));
    assert.equal(code, 999);
    assert.match(msg, expected);
    assert.match(msg, /^spiderpool IP allocation error: /);
    assert.equal(world.logLines().at(-1)?.level, "error");
  });
}

const BAD_ARGS: readonly (readonly [string, RegExp])[] = [
  ["K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;FOO=c", /^Cannot use CNI_ARGS: "FOO" not known/],
  ["K8S_POD_NAMESPACE=a", /^Cannot use CNI_ARGS: K8S_POD_NAME missing/],
  [
    "K8S_POD_NAME=a;K8S_POD_UID=b",
    /^Cannot use CNI_ARGS: K8S_POD_NAMESPACE missing; Kubernetes' runtimes set it$/,
  ],
];

for (const [args, expected] of BAD_ARGS) {
  Deno.test(`add() refuses CNI_ARGS "${args}" and asks nobody`, async () => {
    const world = pluginWorld(HEALTHY);
    const { code, msg } = refusal(await add(callOf({ args }), world.ports));
    assert.equal(code, 4);
    assert.match(msg, expected);
    assert.deepEqual(world.connected, []);
  });
}

const BAD_CONFIG: readonly (readonly [unknown, RegExp])[] = [
  [undefined, /^Cannot use ipam of the CNI configuration: it is missing/],
  ["spiderpool", /ipam of the CNI configuration "spiderpool": write an object/],
  [{ log_level: "loud" }, /ipam\.log_level of the CNI configuration "loud": write "debug", "info"/],
  [{ log_file_max_size: "big" }, /ipam\.log_file_max_size .* "big"/],
  [{ default_ipv4_ippool: "p4" }, /ipam\.default_ipv4_ippool .* "p4": write a list/],
  [{ default_ipv6_ippool: [6] }, /ipam\.default_ipv6_ippool\[0\] .* 6: write a string/],
  [{ clean_gateway: "yes" }, /ipam\.clean_gateway .* "yes": write true or false/],
  [{ ipam_unix_socket_path: 5 }, /ipam\.ipam_unix_socket_path .* 5/],
];

for (const [ipam, expected] of BAD_CONFIG) {
  Deno.test(`add() refuses the configuration ${JSON.stringify(ipam)}`, async () => {
    const world = pluginWorld(HEALTHY);
    const config = { ...CONFIG, ipam };
    const { code, msg } = refusal(await add(callOf({ config }), world.ports));
    assert.equal(code, 7);
    assert.match(msg, expected);
    assert.deepEqual(world.connected, []);
  });
}

Deno.test("add() logs who, what and the result", async () => {
  const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
  await add(callOf(), world.ports);
  const lines = world.logLines();
  assert.deepEqual(lines.map(({ level, text }) => `${level} ${text}`), [
    "debug addresses asked for",
    "info addresses given",
  ]);
  for (const line of lines) {
    assert.equal(line.time, "2025-01-01T00:00:00.000Z");
    assert.equal(line.logger, "spiderpool");
    assert.equal(line.Action, "ADD");
    assert.equal(line.Network, "net-a");
    assert.equal(line.ContainerID, "c0ffee");
    assert.equal(line.Netns, "/var/run/netns/n1");
    assert.equal(line.IfName, "eth0");
    assert.equal(line.PodName, "web-0");
    assert.equal(line.PodNamespace, "default");
    assert.equal(line.PodUID, "1b-2c");
  }
});

Deno.test("add() succeeds where its log cannot be written, and says so", async () => {
  const world = pluginWorld(HEALTHY, { status: 200, body: DUAL });
  world.files.failing.set(
    "openAppend",
    new Error("Read-only file system"),
  );
  assert.ok((await add(callOf(), world.ports)).ok);
  assert.deepEqual(world.errors, [
    'Cannot write the log "/log/spiderpool.log": Read-only file system\n',
  ]);
});
