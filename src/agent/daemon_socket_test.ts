/** The daemon on real sockets: a unix socket in a folder of its own, TCP on loopback. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { AGENT_PATHS, RUNTIME_PATHS } from "../api/agent.ts";
import { systemClock } from "../base/clock.ts";
import { AGENT_CONNECTIONS_MAX, HTTP_BODY_BYTES_MAX } from "../base/limits.ts";
import { ok } from "../base/result.ts";
import { RecordingService } from "../../tests/support/agent_service.ts";
import { AgentWorld, SOCKET_PATH } from "../../tests/support/agent_world.ts";
import { hangLimit } from "../../tests/support/hang_limit.ts";
import { HttpClient, type ReadReply } from "../../tests/support/http_client.ts";
import { closedPort } from "../../tests/support/loopback_server.ts";
import { type DaemonPorts, runDaemon } from "./daemon.ts";
import { socketPorts } from "./main.ts";

const ADD = {
  containerID: "c",
  ifName: "eth0",
  netNamespace: "/n",
  podNamespace: "default",
  podName: "a",
  podUID: "u",
};

interface Agent {
  readonly path: string;
  readonly port: number;
  readonly engine: RecordingService;
  readonly ending: Promise<number>;
  readonly connect: () => Promise<HttpClient>;
  readonly stop: () => void;
  /** Resolves when the socket's file has been removed. */
  readonly withdrawn: Promise<void>;
}

/** Starts a daemon on a path, and resolves when it serves or has ended. */
async function startAgent(path: string): Promise<Agent> {
  const world = new AgentWorld();
  world.configuration = world.configuration.replace(SOCKET_PATH, path);
  const port = closedPort();
  world.environment = { ...world.environment, SPIDERPOOL_HEALTH_PORT: String(port) };
  const serves = Promise.withResolvers<void>();
  const withdrawn = Promise.withResolvers<void>();
  const sockets = socketPorts();
  const ports: DaemonPorts = {
    ...world,
    stop: world.stop,
    clock: systemClock(),
    sockets: {
      ...sockets,
      remove: async (file) => {
        await sockets.remove(file);
        withdrawn.resolve();
      },
    },
    listenTcp: (port) => Deno.listen({ hostname: "127.0.0.1", port }),
    writeLog: (line) => {
      if (line.includes('"agent serves"')) serves.resolve();
    },
  };
  const ending = runDaemon("/etc/conf.yml", ports);
  await Promise.race([serves.promise, ending]);
  return {
    path,
    port,
    engine: world.engine,
    ending,
    connect: async () => new HttpClient(await Deno.connect({ transport: "unix", path })),
    stop: () => world.terminate(),
    withdrawn: withdrawn.promise,
  };
}

/** Runs a test with a daemon, and checks that it ends well. */
async function withAgent(test: (agent: Agent) => Promise<void>): Promise<void> {
  using limit = hangLimit();
  const folder = await Deno.makeTempDir({ prefix: "agent-" });
  const stuck = new Promise<never>((_resolve, reject) => {
    limit.signal.addEventListener("abort", () => reject(limit.signal.reason), { once: true });
  });
  try {
    const agent = await Promise.race([startAgent(`${folder}/x.sock`), stuck]);
    await Promise.race([test(agent), stuck]);
    agent.stop();
    assert.equal(await Promise.race([agent.ending, stuck]), 0);
    assert.deepEqual(await namesIn(folder), ["x.sock.lock"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("one connection for each request, and one for several, both are served", async () => {
  await withAgent(async ({ connect }) => {
    for (let index = 0; index < 3; index++) {
      const client = await connect();
      const headers = "Connection: close\r\n";
      const { status } = await client.ask("POST", AGENT_PATHS.ip, { json: ADD, headers });
      assert.equal(status, 200);
      assert.equal(await client.end(), "");
      client.close();
    }
    const kept = await connect();
    for (let index = 0; index < 3; index++) {
      const json = { podName: "a", podNamespace: "b" };
      const reply = await kept.ask("GET", AGENT_PATHS.coordinatorConfig, { json });
      assert.equal(JSON.parse(reply.body).mode, "underlay");
    }
    kept.close();
  });
});

Deno.test("another HTTP client gets its answer, to a GET with a body too", async () => {
  await withAgent(async ({ path: socketPath }) => {
    const body = await new Promise<string>((resolve, reject) => {
      const path = AGENT_PATHS.coordinatorConfig;
      const asking = request({ socketPath, path, method: "GET" }, (reply) => {
        let text = "";
        reply.setEncoding("utf8");
        reply.on("data", (chunk: string) => text += chunk);
        reply.on("end", () => resolve(text));
        reply.on("error", reject);
      });
      asking.on("error", reject);
      asking.setHeader("content-length", 2);
      asking.end("{}");
    });
    assert.equal(JSON.parse(body).mode, "underlay");
  });
});

Deno.test("requests that are sent at once are answered in order", async () => {
  await withAgent(async ({ connect }) => {
    const client = await connect();
    const paths = [AGENT_PATHS.healthy, "/nothing", AGENT_PATHS.ips, AGENT_PATHS.healthy];
    await client.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: \r\n\r\n`).join(""));
    const statuses: number[] = [];
    for (const _path of paths) statuses.push((await client.reply()).status);
    assert.deepEqual(statuses, [200, 404, 405, 200]);
    client.close();
  });
});

Deno.test("a body of 10 MB is refused with a sentence, and nothing is asked", async () => {
  await withAgent(async ({ connect, engine }) => {
    const client = await connect();
    const size = 10 * 1_048_576;
    await client.send(`POST ${AGENT_PATHS.ip} HTTP/1.1\r\nContent-Length: ${size}\r\n\r\n`);
    const sending = client.send("x".repeat(size)).then(() => "sent", () => "cut off");
    const { status, body } = await client.reply();
    assert.equal(status, 413);
    assert.match(body, new RegExp(`Cannot take a body of ${size} .* ${HTTP_BODY_BYTES_MAX}"`));
    assert.equal(await sending, "cut off");
    client.close();
    assert.deepEqual(engine.asked, []);
    const next = await connect();
    assert.equal((await next.ask("GET", AGENT_PATHS.healthy)).status, 200);
    next.close();
  });
});

Deno.test("a socket that is closed half-way is told so, and nothing is asked", async () => {
  await withAgent(async ({ connect, engine }) => {
    const client = await connect();
    await client.send(`POST ${AGENT_PATHS.ip} HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"pod`);
    await client.closeWrite();
    const { status, body } = await client.reply();
    assert.equal(status, 400);
    assert.match(body, /the connection ended within it: send it whole/);
    client.close();
    assert.deepEqual(engine.asked, []);
  });
});

Deno.test("an asker that goes, wholly or half, aborts what the engine does for it", async () => {
  await withAgent(async ({ connect, engine }) => {
    const asked = Promise.withResolvers<AbortSignal>();
    engine.settle = ({ signal }) => {
      asked.resolve(signal);
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    };
    const half = await connect();
    await half.send(`POST ${AGENT_PATHS.ips} HTTP/1.1\r\n\r\n`);
    await half.closeWrite();
    assert.match((await half.reply()).body, /the asker closed its side of the connection/);
    half.close();
    const aborted = Promise.withResolvers<void>();
    engine.settle = ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted.resolve();
          reject(signal.reason);
        }, { once: true });
        whole.close();
      });
    const whole = await connect();
    await whole.send(`POST ${AGENT_PATHS.ips} HTTP/1.1\r\n\r\n`);
    await aborted.promise;
    assert.equal((await asked.promise).aborted, true);
  });
});

Deno.test("1,000 idle connections hurt nobody", async () => {
  await withAgent(async ({ connect, port }) => {
    const idle: HttpClient[] = [];
    for (let index = 0; index < 1_000; index++) idle.push(await connect());
    const client = await connect();
    assert.equal((await client.ask("POST", AGENT_PATHS.ip, { json: ADD })).status, 200);
    const ended = idle.slice(0, 1_001 - AGENT_CONNECTIONS_MAX);
    const replies = await Promise.all(ended.map((one) => one.reply()));
    assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([503]));
    assert.equal((await probe(port, RUNTIME_PATHS.liveness)).status, 200);
    for (const one of [...idle, client]) one.close();
  });
});

Deno.test("probes over TCP ask the socket itself", async () => {
  await withAgent(async ({ port, path }) => {
    for (const one of Object.values(RUNTIME_PATHS)) {
      assert.equal((await probe(port, one)).status, 200);
    }
    await Deno.rename(path, `${path}.away`);
    const { status, body } = await probe(port, RUNTIME_PATHS.readiness);
    assert.equal(status, 500);
    assert.match(body, /Cannot reach the agent on .* No such file or directory/);
    await Deno.rename(`${path}.away`, path);
  });
});

Deno.test("a second daemon takes nothing from the first", async () => {
  await withAgent(async ({ path, connect }) => {
    const second = await startAgent(path);
    assert.equal(await second.ending, 1);
    const client = await connect();
    assert.equal((await client.ask("GET", AGENT_PATHS.healthy)).status, 200);
    client.close();
  });
});

Deno.test("a request that is in flight when the daemon is stopped gets its answer", async () => {
  await withAgent(async ({ connect, engine, stop, ending, withdrawn }) => {
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    engine.release = async () => {
      asked.resolve();
      await held.promise;
      return ok(undefined);
    };
    const client = await connect();
    const asking = client.ask("DELETE", AGENT_PATHS.ip, { json: ADD });
    await asked.promise;
    stop();
    await withdrawn;
    await assert.rejects(connect(), Deno.errors.NotFound);
    held.resolve();
    const { status, headers } = await asking;
    assert.deepEqual([status, headers.get("connection")], [200, "close"]);
    client.close();
    assert.equal(await ending, 0);
  });
});

async function probe(port: number, path: string): Promise<ReadReply> {
  const client = new HttpClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  try {
    return await client.ask("GET", path);
  } finally {
    client.close();
  }
}
