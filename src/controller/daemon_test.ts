import assert from "node:assert/strict";
import { RUNTIME_PATHS } from "../api/agent.ts";
import { isRecord } from "../api/decode.ts";
import { SPIDER_KINDS } from "../api/kinds.ts";
import { ENGINE_LOOK_MS, HTTP_STOP_SETTLE_MS } from "../base/limits.ts";
import { SILENT_METRICS } from "../base/metrics.ts";
import { seededRandom } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import { MemoryListener } from "../../tests/support/byte_streams.ts";
import { HttpClient } from "../../tests/support/http_client.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import type { ControllerEngine, DaemonPorts } from "./daemon.ts";
import { runController } from "./program.ts";

/** Everything around a controller, in memory. */
class World {
  readonly clock = new ManualClock();
  readonly steps: string[] = [];
  readonly errors: string[] = [];
  readonly told: string[] = [];
  readonly output: string[] = [];
  readonly listeners = new Map<number, MemoryListener>();
  environment: Readonly<Record<string, string>> = {
    SPIDERPOOL_POD_NAMESPACE: "spiderpool",
    SPIDERPOOL_POD_NAME: "controller-x",
    SPIDERPOOL_ENABLED_METRIC: "true",
  };
  leadership: Result<void, string> = ok(undefined);
  failure: Error | undefined;
  serverVersion = "v1.34.2";
  /** Plurals of kinds that the API server does not serve. */
  readonly missingKinds = new Set<string>();
  configuration = "enableIPv4: true\n";
  readonly logged: unknown[] = [];
  readonly stop = new AbortController();

  readonly engine: ControllerEngine = {
    problem: undefined,
    leadership: () => this.leadership,
    run: async ({ signal }) => {
      this.steps.push("engine runs");
      if (this.failure !== undefined) throw this.failure;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      this.steps.push("engine ends");
      throw signal.reason;
    },
  };

  get ports(): DaemonPorts {
    return {
      clock: this.clock,
      random: seededRandom(1),
      stop: this.stop.signal,
      readEnvironment: (name) => this.environment[name],
      readText: () => Promise.resolve(this.configuration),
      writeLog: (line) => void this.logged.push(JSON.parse(line)),
      tellPod: (note, { reason }) => Promise.resolve(void this.told.push(`${reason}: ${note}`)),
      writeError: (text) => void this.errors.push(text),
      openMetrics: () =>
        Promise.resolve({
          metrics: SILENT_METRICS,
          contentType: "text/plain",
          text: () => Promise.resolve("metrics\n"),
        }),
      listenTcp: (port) => {
        this.steps.push(`listen ${port}`);
        const listener = new MemoryListener();
        this.listeners.set(port, listener);
        return listener;
      },
      openCluster: () =>
        Promise.resolve(ok({
          server: "https://api:6443",
          engine: this.engine,
          askVersion: () => Promise.resolve(ok({ gitVersion: this.serverVersion })),
          askMissing: (kinds) =>
            Promise.resolve(ok(kinds.filter(({ plural }) => this.missingKinds.has(plural)))),
          [Symbol.dispose]: () => void this.steps.push("close cluster"),
        })),
    };
  }

  run(...args: readonly string[]): Promise<number> {
    return runController({
      ...this.ports,
      openStore: () => Promise.resolve(err("Cannot find a cluster")),
      args,
      readInput: () => "",
      writeOutput: (text) => void this.output.push(text),
    });
  }

  async ask(port: number, path: string): Promise<number> {
    const listener = this.listeners.get(port);
    assert.ok(listener !== undefined, `somebody listens on ${port}`);
    const client = new HttpClient(listener.connect());
    const { status } = await client.ask("GET", path);
    client.close();
    return status;
  }
}

Deno.test("a daemon serves its ports, and ends with its engine before its probes", async () => {
  const world = new World();
  const ending = world.run("daemon");
  await settle();
  assert.equal(await world.ask(5720, RUNTIME_PATHS.startup), 200);
  assert.equal(await world.ask(5720, RUNTIME_PATHS.readiness), 200);
  assert.equal(await world.ask(5721, "/metrics"), 200);
  world.leadership = err("nobody leads");
  assert.equal(await world.ask(5720, RUNTIME_PATHS.readiness), 500);
  world.stop.abort(new Error("told to stop"));
  await world.clock.advance(2 * HTTP_STOP_SETTLE_MS);
  assert.equal(await ending, 0);
  assert.deepEqual(world.steps, [
    "listen 5720",
    "listen 5721",
    "engine runs",
    "engine ends",
    "close cluster",
  ]);
  assert.deepEqual(world.errors, []);
});

Deno.test("a daemon ends with 1 and a sentence when its engine does", async () => {
  const world = new World();
  world.failure = new Error("a bug");
  const ending = world.run("daemon");
  await world.clock.advance(2 * HTTP_STOP_SETTLE_MS);
  assert.equal(await ending, 1);
  assert.deepEqual(world.errors, ["a bug\n"]);
  assert.deepEqual(world.told, ["CannotRun: a bug"]);
});

Deno.test("a daemon that is told nonsense ends with 1 before it listens", async () => {
  const world = new World();
  world.environment = {};
  assert.equal(await world.run("daemon"), 1);
  assert.match(world.errors.join(), /SPIDERPOOL_POD_NAMESPACE/);
  assert.deepEqual(world.told, [`CannotStart: ${world.errors.join().trim()}`]);
  assert.deepEqual(world.steps, []);
});

Deno.test("the program answers its version, and refuses the rest with 2", async () => {
  const world = new World();
  assert.equal(await world.run("--version"), 0);
  assert.match(world.output.join(), /^spiderpool-controller \d/);
  for (const args of [[], ["shutdown"], ["daemon", "--x"], ["clean"], ["clean", "--validate=a"]]) {
    assert.equal(await world.run(...args), 2, args.join(" "));
  }
  assert.match(
    world.errors.join(),
    /Cannot run spiderpool-controller with no argument: use daemon/,
  );
});

/** Runs a controller for three looks at what hinders it, and stops it. @returns Its exit code. */
async function runFor(world: World): Promise<number> {
  const ending = world.run("daemon");
  await world.clock.advance(3 * ENGINE_LOOK_MS);
  world.stop.abort(new Error("told to stop"));
  await world.clock.advance(2 * HTTP_STOP_SETTLE_MS);
  return await ending;
}

/** Texts of the log. */
function textsOf({ logged }: World): readonly unknown[] {
  return logged.map((line) => isRecord(line) ? line.text : line);
}

Deno.test("each missing definition is told in log and Event, and nothing ends", async () => {
  for (const { plural } of SPIDER_KINDS) {
    const world = new World();
    world.missingKinds.add(plural);
    assert.equal(await runFor(world), 0);
    assert.deepEqual(world.told, [
      `Hindered: CustomResourceDefinition "${plural}.spiderpool.spidernet.io" is missing in this ` +
      "cluster: run kubectl apply -f manifests/install.yaml",
    ]);
    assert.ok(textsOf(world).includes("the engine is hindered"));
  }
});

Deno.test("several missing definitions are one sentence", async () => {
  const world = new World();
  for (const { plural } of SPIDER_KINDS) world.missingKinds.add(plural);
  assert.equal(await runFor(world), 0);
  assert.equal(world.told.length, 1);
  assert.match(world.told.join(), /CustomResourceDefinitions "spiderippools\..*" are missing/);
});

Deno.test("an old API server is told of, and worked with", async () => {
  const world = new World();
  world.serverVersion = "v1.24.17";
  assert.equal(await runFor(world), 0);
  assert.match(
    world.told.join(),
    /^UnsupportedKubernetes: Kubernetes v1\.24\.17 is older than 1\.25/,
  );
  assert.ok(textsOf(world).includes("the API server is not supported"));
});

Deno.test("a value of the ConfigMap that cannot be used is told, and the end", async () => {
  const world = new World();
  world.configuration = "enableIPv4: maybe\n";
  assert.equal(await world.run("daemon"), 1);
  assert.match(
    world.errors.join(),
    /^Cannot use enableIPv4 "maybe": write true or false: it is in /,
  );
  assert.deepEqual(world.told, [`CannotStart: ${world.errors.join().trim()}`]);
});

Deno.test("a key that nobody reads is told in log and Event, and all goes on", async () => {
  const world = new World();
  world.configuration = "enableIpV4: true\n";
  assert.equal(await runFor(world), 0);
  assert.match(world.told.join(), /^SettingWithoutEffect: A setting has no effect: enableIpV4 of /);
  assert.ok(textsOf(world).includes("a setting has no effect"));
});
