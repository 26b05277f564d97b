/** What the built agent does with an API server that has nothing, and with signals. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { hangLimit } from "../support/hang_limit.ts";
import { HttpClient } from "../support/http_client.ts";
import { closedPort, type LoggedRequest, serveOnLoopback } from "../support/loopback_server.ts";

/** A folder with a configuration, and where the API server is. */
interface Site {
  readonly program: string;
  readonly folder: string;
  readonly socket: string;
  readonly port: number;
  /** Every process that was started. */
  readonly started: Deno.ChildProcess[];
}

/** A started agent. */
interface Agent {
  readonly process: Deno.ChildProcess;
  /** Resolves with the line of its log that has a text; with all of it, if it ends without one. */
  readonly line: Promise<string>;
}

/** An API server without any object, on which nothing ever happens. */
function answerEmpty({ method, path }: LoggedRequest): Response {
  const url = new URL(path, "http://localhost");
  if (url.pathname === "/version") return Response.json({ gitVersion: "v1.34.2" });
  const headers = { "content-type": "application/json" };
  if (url.searchParams.has("watch")) return new Response(new ReadableStream(), { headers });
  if (method === "GET" && !/\/(?:leases|nodes)\//.test(url.pathname)) {
    return Response.json({ kind: "List", metadata: { resourceVersion: "1" }, items: [] });
  }
  const details = { name: "none", kind: "none" };
  return Response.json({ kind: "Status", code: 404, reason: "NotFound", details }, { status: 404 });
}

async function prepare(program: string, { folder, server }: {
  readonly folder: string;
  readonly server: string;
}): Promise<Site> {
  const socket = path.join(folder, "run", "x.sock");
  const kubeconfig = [
    "current-context: a",
    "contexts: [{name: a, context: {cluster: a, user: a}}]",
    `clusters: [{name: a, cluster: {server: "${server}"}}]`,
    "users: [{name: a, user: {token: t}}]",
    "",
  ];
  await Deno.writeTextFile(path.join(folder, "kubeconfig"), kubeconfig.join("\n"));
  const config = `enableIPv4: true\nipamUnixSocketPath: ${socket}\n`;
  await Deno.writeTextFile(path.join(folder, "conf.yml"), config);
  return { program, folder, socket, port: closedPort(), started: [] };
}

function startAgent({ program, folder, port, started }: Site): Agent {
  const process = new Deno.Command(program, {
    args: ["daemon", `--config-path=${path.join(folder, "conf.yml")}`],
    clearEnv: true,
    env: {
      PATH: "/usr/bin:/bin",
      KUBECONFIG: path.join(folder, "kubeconfig"),
      SPIDERPOOL_POD_NAMESPACE: "spiderpool",
      SPIDERPOOL_POD_NAME: "agent-x",
      SPIDERPOOL_NODE_NAME: "n1",
      SPIDERPOOL_HEALTH_PORT: String(port),
    },
    cwd: "/",
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  started.push(process);
  return { process, line: lineWith(process.stdout, '"agent serves"') };
}

/** Reads a stream to its end; resolves early, with the line that has a text. */
function lineWith(stream: ReadableStream<Uint8Array>, text: string): Promise<string> {
  const found = Promise.withResolvers<string>();
  let all = "";
  const reading = (async (): Promise<void> => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      all += chunk;
      const line = all.split("\n").slice(0, -1).find((one) => one.includes(text));
      if (line !== undefined) found.resolve(line);
    }
    found.resolve(all);
  })();
  reading.catch(found.reject);
  return found.promise;
}

async function end({ process }: Agent, signal: Deno.Signal): Promise<number> {
  process.kill(signal);
  return (await process.status).code;
}

async function connect({ socket }: Site): Promise<HttpClient> {
  return new HttpClient(await Deno.connect({ transport: "unix", path: socket }));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

async function servesAndStops(site: Site): Promise<void> {
  const agent = startAgent(site);
  assert.match(await agent.line, /"agent serves"/);
  const plugin = await connect(site);
  assert.equal((await plugin.ask("GET", "/v1/ipam/healthy")).status, 200);
  const { status, body } = await plugin.ask("GET", "/v1/coordinator/config", { json: {} });
  assert.equal(status, 500);
  assert.match(body, /coordinator config not found/);
  plugin.close();
  const tcp = new HttpClient(await Deno.connect({ hostname: "127.0.0.1", port: site.port }));
  for (const name of ["startup", "readiness", "liveness"]) {
    assert.equal((await tcp.ask("GET", `/v1/runtime/${name}`)).status, 200, name);
  }
  tcp.close();
  await printMemory(agent);
  assert.equal(await end(agent, "SIGTERM"), 0);
  assert.deepEqual(await namesIn(path.dirname(site.socket)), ["x.sock.lock"]);
}

/** Resident memory beside an empty program's; design.md 6 allows 80 MB. */
async function printMemory({ process }: Agent): Promise<void> {
  const status = await Deno.readTextFile(`/proc/${process.pid}/status`);
  const kilobytes = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
  const text = `an idle agent has ${(kilobytes / 1_024).toFixed(0)} MiB\n`;
  await Deno.stdout.write(new TextEncoder().encode(text));
}

async function survivesKill(site: Site): Promise<void> {
  const killed = startAgent(site);
  assert.match(await killed.line, /"agent serves"/);
  assert.notEqual(await end(killed, "SIGKILL"), 0);
  assert.deepEqual(await namesIn(path.dirname(site.socket)), ["x.sock", "x.sock.lock"]);
  await assert.rejects(connect(site), Deno.errors.ConnectionRefused);
  const next = startAgent(site);
  assert.match(await next.line, /"agent serves"/);
  const client = await connect(site);
  assert.equal((await client.ask("GET", "/v1/ipam/healthy")).status, 200);
  client.close();
  assert.equal(await end(next, "SIGINT"), 0);
}

async function leavesTheFirstAlone(site: Site): Promise<void> {
  const first = startAgent(site);
  assert.match(await first.line, /"agent serves"/);
  const second = startAgent({ ...site, port: closedPort() });
  assert.match(await second.line, /another agent of this node has locked/);
  assert.equal((await second.process.status).code, 1);
  const client = await connect(site);
  assert.equal((await client.ask("GET", "/v1/ipam/healthy")).status, 200);
  client.close();
  assert.equal(await end(first, "SIGTERM"), 0);
}

function endIfRunning(process: Deno.ChildProcess): void {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Runs the built agent as a container would. @param program Path of it. */
export async function runAgentCases(t: Deno.TestContext, program: string): Promise<void> {
  using _limit = hangLimit();
  await using server = serveOnLoopback(answerEmpty);
  const folder = await Deno.makeTempDir({ prefix: "agent test-" });
  const site = await prepare(program, { folder, server: server.url });
  try {
    await t.step("the agent serves its socket and its probes, and stops", async () => {
      await servesAndStops(site);
    });
    await t.step("an agent takes the place of one that was killed", async () => {
      await survivesKill(site);
    });
    await t.step("a second agent of a node ends, and the first goes on", async () => {
      await leavesTheFirstAlone(site);
    });
  } finally {
    for (const process of site.started) endIfRunning(process);
    await Deno.remove(folder, { recursive: true });
  }
}
