import assert from "node:assert/strict";
import { AGENT_PATHS, RUNTIME_PATHS } from "../api/agent.ts";
import { SPIDER_KINDS } from "../api/kinds.ts";
import {
  API_SERVER_RETRY_MS_MAX,
  ENGINE_LOOK_MS,
  HTTP_STOP_SETTLE_MS,
  STOP_ABORT_MS,
  STOP_GRACE_MS,
} from "../base/limits.ts";
import { AgentWorld, CONFIG_PATH, SOCKET_PATH } from "../../tests/support/agent_world.ts";
import { HttpClient } from "../../tests/support/http_client.ts";
import { settle } from "../../tests/support/manual_clock.ts";
import { runDaemon } from "./daemon.ts";

const ADD = {
  containerID: "c",
  ifName: "eth0",
  netNamespace: "/n",
  podNamespace: "default",
  podName: "a",
  podUID: "u",
};
/** What ending both servers takes where nothing is in flight. */
const QUIET_STOP_MS = 2 * HTTP_STOP_SETTLE_MS;

/** Starts a daemon; `ending` is its exit code. */
async function start(world: AgentWorld): Promise<{ readonly ending: Promise<number> }> {
  const ending = runDaemon(CONFIG_PATH, world);
  await settle();
  return { ending };
}

async function stop(world: AgentWorld, ending: Promise<number>): Promise<void> {
  world.terminate();
  await world.clock.advance(QUIET_STOP_MS);
  assert.equal(await ending, 0);
  assert.equal(world.clock.sleeperCount, 0);
}

Deno.test("a daemon starts part after part, and ends them in the reverse order", async () => {
  const world = new AgentWorld();
  world.configuration += "tuneSysctlConfig: true\n";
  const { ending } = await start(world);
  assert.equal(world.logged.at(-1), "agent serves");
  await stop(world, ending);
  assert.deepEqual(world.steps, [
    `read ${CONFIG_PATH}`,
    "write ipv4.neigh.default.gc_thresh3",
    "write ipv4.conf.all.arp_notify",
    "write ipv4.conf.all.forwarding",
    "write ipv4.conf.all.rp_filter",
    "write ipv4.conf.default.rp_filter",
    "write ipv4.conf.eth0.rp_filter",
    "cluster for n1",
    "ask",
    "listen 5710",
    `socket ${SOCKET_PATH}`,
    `remove ${SOCKET_PATH}`,
    "unlock",
    "close cluster",
  ]);
  assert.equal(world.socketListener.isClosed, true);
  assert.equal(world.probeListener.isClosed, true);
  assert.equal(world.logged.at(-1), "agent has stopped");
});

Deno.test("a daemon leaves sysctls alone unless it is told to", async () => {
  const world = new AgentWorld();
  const { ending } = await start(world);
  assert.deepEqual(world.steps.filter((step) => step.startsWith("write")), []);
  await stop(world, ending);
});

Deno.test("a daemon serves plugins and probes", async () => {
  const world = new AgentWorld();
  const { ending } = await start(world);
  const plugin = world.connect();
  assert.equal((await plugin.ask("GET", AGENT_PATHS.healthy)).status, 200);
  const answer = await plugin.ask("POST", AGENT_PATHS.ip, { json: ADD });
  assert.equal(JSON.parse(answer.body).ips[0].address, "10.6.0.17/16");
  const probe = world.probe();
  for (const path of Object.values(RUNTIME_PATHS)) {
    assert.equal((await probe.ask("GET", path)).status, 200, path);
  }
  assert.equal((await probe.ask("POST", AGENT_PATHS.ip, { json: ADD })).status, 501);
  await stop(world, ending);
});

Deno.test("a daemon waits for the API server, longer each time up to a bound", async () => {
  const world = new AgentWorld();
  world.serverAnswers = [...Array<undefined>(12), true];
  const { ending } = await start(world);
  const waits: number[] = [];
  while (world.clock.nextWakeMs !== undefined && world.logged.at(-1) !== "agent serves") {
    waits.push(world.clock.nextWakeMs);
    await world.clock.advance(world.clock.nextWakeMs);
  }
  assert.equal(world.logged.filter((text) => text === "waiting for the API server").length, 12);
  assert.ok(waits.every((ms) => ms >= 250 && ms <= API_SERVER_RETRY_MS_MAX), waits.join());
  assert.ok(waits.slice(6).every((ms) => ms >= API_SERVER_RETRY_MS_MAX / 2), waits.join());
  await stop(world, ending);
});

Deno.test("a daemon that waits for the API server can be stopped", async () => {
  const world = new AgentWorld();
  world.serverAnswers = [undefined];
  const { ending } = await start(world);
  world.terminate();
  assert.equal(await ending, 0);
  assert.equal(world.isSocketThere, false);
  assert.equal(world.clock.sleeperCount, 0);
});

Deno.test("a daemon is not there for anybody before its engine is ready", async () => {
  const world = new AgentWorld();
  world.engine.isReady = false;
  const { ending } = await start(world);
  assert.equal(world.isSocketThere, false);
  assert.equal(world.steps.includes("listen 5710"), false);
  world.terminate();
  assert.equal(await ending, 0);
  assert.equal(world.steps.at(-1), "close cluster");
});

Deno.test("a stop does not wait for an engine that gets ready", async () => {
  const world = new AgentWorld();
  world.engine.ready = () => new Promise(() => {});
  const { ending } = await start(world);
  world.terminate();
  assert.equal(await ending, 0);
});

Deno.test("probes see that the socket serves no more", async () => {
  const world = new AgentWorld();
  const { ending } = await start(world);
  const probe = world.probe();
  await world.sockets.remove(SOCKET_PATH);
  for (const path of [RUNTIME_PATHS.readiness, RUNTIME_PATHS.liveness]) {
    const { status, body } = await probe.ask("GET", path);
    assert.equal(status, 500);
    assert.match(body, /Cannot reach the agent on \\"\/run\/agent\/x.sock\\": No such file/);
  }
  assert.equal((await probe.ask("GET", RUNTIME_PATHS.startup)).status, 200);
  await stop(world, ending);
});

Deno.test("a stop lets requests in flight end, with nobody new let in", async () => {
  const world = new AgentWorld();
  const held = Promise.withResolvers<void>();
  world.engine.held = held.promise;
  const { ending } = await start(world);
  const plugin = world.connect();
  const asking = plugin.ask("POST", AGENT_PATHS.ip, { json: ADD });
  await settle();
  world.terminate();
  await settle();
  assert.equal(world.isSocketThere, false);
  await world.clock.advance(HTTP_STOP_SETTLE_MS + STOP_GRACE_MS - 1);
  assert.equal(world.socketListener.isClosed, true);
  held.resolve();
  assert.equal((await asking).status, 200);
  await world.clock.advance(QUIET_STOP_MS);
  assert.equal(await ending, 0);
});

Deno.test("a stop aborts requests that do not end in time", async () => {
  const world = new AgentWorld();
  world.engine.held = new Promise(() => {});
  const { ending } = await start(world);
  const asking = world.connect().ask("POST", AGENT_PATHS.ip, { json: ADD });
  await settle();
  world.terminate();
  await world.clock.advance(QUIET_STOP_MS + STOP_GRACE_MS);
  const { status, body } = await asking;
  assert.equal(status, 503);
  assert.match(
    body,
    /Gave up on POST \/v1\/ipam\/ip: the program stops: ask again when it is back/,
  );
  await world.clock.advance(QUIET_STOP_MS);
  assert.equal(await ending, 0);
});

Deno.test("a stop does not wait for an engine that does not end", async () => {
  const world = new AgentWorld();
  world.engine.run = () => new Promise(() => {});
  const { ending } = await start(world);
  world.terminate();
  await world.clock.advance(QUIET_STOP_MS + STOP_ABORT_MS);
  assert.equal(await ending, 0);
  assert.equal(world.logged.includes("the engine does not end"), true);
});

Deno.test("a plugin that goes aborts its request in the engine", async () => {
  const world = new AgentWorld();
  world.engine.held = new Promise(() => {});
  const { ending } = await start(world);
  const plugin = world.connect();
  await plugin.send("POST /v1/ipam/ips HTTP/1.1\r\n\r\n");
  await settle();
  await plugin.closeWrite();
  assert.match((await plugin.reply()).body, /the asker closed its side of the connection/);
  await stop(world, ending);
});

Deno.test("a daemon ends with 1 and one sentence when a part cannot be had", async () => {
  const cases: readonly [(world: AgentWorld) => void, RegExp][] = [
    [(world) => world.configuration = "enableIPv4: 7", /^Cannot use enableIPv4 7: write true or/],
    [
      (world) => world.environment = {},
      /^Cannot use SPIDERPOOL_POD_NAMESPACE: it is missing; .* \(and 2 more problems\)\n$/,
    ],
    [(world) => world.clusterRefusal = "Cannot find it", /^Cannot find it\n$/],
    [
      (world) => world.tcpFailure = new Error("Address already in use (os error 98)"),
      /^Cannot listen on TCP port 5710: Address .* or set SPIDERPOOL_HEALTH_PORT\n$/,
    ],
    [(world) => world.isLocked = true, /^Cannot listen on ".+": another agent of this node has /],
    [
      (world) => {
        world.configuration += "tuneSysctlConfig: true\n";
        world.sysctls.write = () => Promise.reject(new Error("Read-only file system"));
      },
      /^Cannot set the sysctl net.ipv4.+: Read-only file system: mount the node's /,
    ],
    [
      (world) => world.engine.run = () => Promise.reject(new Error("Broken invariant: x")),
      /^Broken invariant: x\n$/,
    ],
  ];
  for (const [spoil, sentence] of cases) {
    const world = new AgentWorld();
    spoil(world);
    const { ending } = await start(world);
    await world.clock.advance(QUIET_STOP_MS);
    assert.equal(await ending, 1);
    assert.equal(world.errors.length, 1);
    assert.match(world.errors[0] ?? "", sentence);
    assert.equal(world.isSocketThere, false);
    assert.equal(world.clock.sleeperCount, 0);
  }
});

Deno.test("a daemon ends when its engine does, and takes its socket away", async () => {
  const world = new AgentWorld();
  const broken = Promise.withResolvers<never>();
  world.engine.run = () => broken.promise;
  const { ending } = await start(world);
  assert.equal(world.isSocketThere, true);
  broken.reject(new Error("Broken invariant: x"));
  await world.clock.advance(QUIET_STOP_MS);
  assert.equal(await ending, 1);
  assert.equal(world.isSocketThere, false);
  assert.equal(world.logged.includes("agent ends"), true);
});

Deno.test("a daemon ends when a listener ends by itself", async () => {
  const world = new AgentWorld();
  const { ending } = await start(world);
  world.socketListener.close();
  await world.clock.advance(QUIET_STOP_MS);
  assert.equal(await ending, 1);
});

Deno.test("what hinders the engine is said once, and that it is over", async () => {
  const world = new AgentWorld();
  world.engine.isReady = false;
  world.engine.problem = "Cannot list spiderippools: forbidden";
  const { ending } = await start(world);
  await world.clock.advance(3 * ENGINE_LOOK_MS);
  const ofEngine = (): readonly string[] => {
    return world.logged.filter((text) => text.startsWith("the engine"));
  };
  assert.deepEqual(ofEngine(), ["the engine is hindered"]);
  world.engine.problem = undefined;
  await world.clock.advance(2 * ENGINE_LOOK_MS);
  assert.deepEqual(ofEngine(), ["the engine is hindered", "the engine is well again"]);
  world.terminate();
  assert.equal(await ending, 0);
});

Deno.test("metrics are served where they are wanted", async () => {
  const without = new AgentWorld();
  const first = await start(without);
  assert.equal(without.steps.includes("listen 5711"), false);
  await stop(without, first.ending);
  const world = new AgentWorld();
  world.environment = {
    ...world.environment,
    SPIDERPOOL_ENABLED_METRIC: "true",
    SPIDERPOOL_ENABLED_DEBUG_METRIC: "true",
  };
  const { ending } = await start(world);
  const client = new HttpClient(world.metricsListener.connect());
  for (const path of ["/metrics", "/anything"]) {
    const { status, headers, body } = await client.ask("GET", path);
    assert.deepEqual([status, body], [200, "debug true\n"]);
    assert.equal(headers.get("content-type"), "text/plain; version=0.0.4");
  }
  assert.equal((await client.ask("POST", "/metrics")).status, 405);
  world.terminate();
  await world.clock.advance(3 * HTTP_STOP_SETTLE_MS);
  assert.equal(await ending, 0);
});

Deno.test("a key that nobody reads is told in log and Event, and all goes on", async () => {
  const world = new AgentWorld();
  world.configuration += "enableIpV6: true\n";
  const { ending } = await start(world);
  assert.equal(world.logged.includes("a setting has no effect"), true);
  assert.equal(world.logged.at(-1), "agent serves");
  assert.deepEqual(world.told, [
    `SettingWithoutEffect: A setting has no effect: enableIpV6 of "${CONFIG_PATH}": nobody reads ` +
    "it; correct its name, or take it out",
  ]);
  await stop(world, ending);
});

Deno.test("a setting that cannot be used is told on the pod, too", async () => {
  const world = new AgentWorld();
  world.configuration = "enableIPv4: maybe\n";
  assert.equal(await runDaemon(CONFIG_PATH, world), 1);
  assert.deepEqual(world.told, [`CannotStart: ${world.errors.join("").trim()}`]);
  assert.match(world.told.join(), /enableIPv4 "maybe"/);
});

Deno.test("what ends a daemon is told on the pod, too", async () => {
  const world = new AgentWorld();
  world.clusterRefusal = "Cannot find a cluster";
  assert.equal(await runDaemon(CONFIG_PATH, world), 1);
  assert.deepEqual(world.told, ["CannotRun: Cannot find a cluster"]);
});

Deno.test("an old API server is told of, and worked with", async () => {
  const world = new AgentWorld();
  world.serverVersion = "v1.24.17-eks-1";
  const { ending } = await start(world);
  assert.equal(world.logged.at(-1), "agent serves");
  assert.match(world.told.join(), /^UnsupportedKubernetes: Kubernetes v1\.24\.17-eks-1 is older /);
  await stop(world, ending);
});

Deno.test("what hinders the engine is told on the pod, once", async () => {
  const world = new AgentWorld();
  const { ending } = await start(world);
  world.engine.problem = "Cannot list spiderippools: the server does not serve this kind";
  await world.clock.advance(3 * ENGINE_LOOK_MS);
  assert.deepEqual(world.told, [`Hindered: ${world.engine.problem}`]);
  await stop(world, ending);
});

Deno.test("a stop does not wait until people were told", async () => {
  const world = new AgentWorld();
  world.tellPod = () => new Promise(() => {}); // The API server does not answer.
  const { ending } = await start(world);
  world.engine.problem = "Cannot list spiderippools: no answer";
  await world.clock.advance(ENGINE_LOOK_MS);
  await stop(world, ending);
});

Deno.test("each missing definition is told in log and Event until it is there", async () => {
  for (const { plural } of SPIDER_KINDS) {
    if (plural === "spidermultusconfigs") continue; // No agent asks for these.
    const world = new AgentWorld();
    world.configuration += "enableSpiderSubnet: true\n";
    world.missingKinds = [plural];
    world.engine.isReady = false;
    const { ending } = await start(world);
    await world.clock.advance(3 * ENGINE_LOOK_MS);
    assert.deepEqual(world.told, [
      `Hindered: CustomResourceDefinition "${plural}.spiderpool.spidernet.io" is missing in this ` +
      "cluster: run kubectl apply -f manifests/install.yaml",
    ]);
    const ofEngine = (): readonly string[] => {
      return world.logged.filter((text) => text.startsWith("the engine"));
    };
    assert.deepEqual(ofEngine(), ["the engine is hindered"]);
    world.missingKinds = [];
    await world.clock.advance(2 * ENGINE_LOOK_MS);
    assert.equal(ofEngine().at(-1), "the engine is well again");
    world.terminate();
    assert.equal(await ending, 0);
  }
});

Deno.test("an agent without SpiderSubnets does not miss their definition", async () => {
  const world = new AgentWorld();
  world.missingKinds = ["spidersubnets", "spidermultusconfigs"];
  const { ending } = await start(world);
  await world.clock.advance(3 * ENGINE_LOOK_MS);
  assert.deepEqual(world.told, []);
  await stop(world, ending);
});
