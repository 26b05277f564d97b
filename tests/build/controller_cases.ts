/** What the built controller does with an API server that keeps one Lease, and with signals. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { hangLimit } from "../support/hang_limit.ts";
import { HttpClient } from "../support/http_client.ts";
import { closedPort, type LoggedRequest, serveOnLoopback } from "../support/loopback_server.ts";

/** An API server that lets a Lease be made and replaced, and has nothing else. */
class LeaseServer {
  /** Who holds the Lease, by each write. */
  readonly holders: string[] = [];
  readonly #held = Promise.withResolvers<void>();
  /** Resolves when somebody holds it. */
  readonly held = this.#held.promise;
  #lease: { readonly metadata: Readonly<Record<string, unknown>> } | undefined;

  readonly answer = ({ method, path: target, body }: LoggedRequest): Response => {
    const url = new URL(target, "http://localhost");
    if (url.pathname === "/version") return Response.json({ gitVersion: "v1.34.2" });
    const headers = { "content-type": "application/json" };
    if (url.searchParams.has("watch")) return new Response(new ReadableStream(), { headers });
    const isLease = url.pathname.includes("/leases");
    if (isLease && (method === "POST" || method === "PUT")) {
      const lease = JSON.parse(body);
      this.holders.push(lease.spec.holderIdentity);
      this.#held.resolve();
      const resourceVersion = String(this.holders.length + 1);
      this.#lease = { ...lease, metadata: { ...lease.metadata, resourceVersion } };
      return Response.json(this.#lease);
    }
    if (/\/leases\//.test(url.pathname)) {
      return this.#lease === undefined ? notFound() : Response.json(this.#lease);
    }
    return Response.json({ kind: "List", metadata: { resourceVersion: "1" }, items: [] });
  };
}

function notFound(): Response {
  const details = { name: "none", kind: "none" };
  return Response.json({ kind: "Status", code: 404, reason: "NotFound", details }, { status: 404 });
}

async function waitForProbe(port: number, name: string): Promise<number> {
  for (;;) {
    try {
      const client = new HttpClient(await Deno.connect({ hostname: "127.0.0.1", port }));
      const { status } = await client.ask("GET", `/v1/runtime/${name}`);
      client.close();
      if (status === 200) return status;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs the built controller as a container would. @param program Path of it. */
export async function runControllerCases(t: Deno.TestContext, program: string): Promise<void> {
  using _limit = hangLimit();
  const api = new LeaseServer();
  await using server = serveOnLoopback(api.answer);
  const folder = await Deno.makeTempDir({ prefix: "controller test-" });
  const port = closedPort();
  const kubeconfig = [
    "current-context: a",
    "contexts: [{name: a, context: {cluster: a, user: a}}]",
    `clusters: [{name: a, cluster: {server: "${server.url}"}}]`,
    "users: [{name: a, user: {token: t}}]",
    "",
  ];
  await Deno.writeTextFile(path.join(folder, "kubeconfig"), kubeconfig.join("\n"));
  await Deno.writeTextFile(path.join(folder, "conf.yml"), "enableIPv4: true\n");
  const child = new Deno.Command(program, {
    args: ["daemon", `--config-path=${path.join(folder, "conf.yml")}`],
    clearEnv: true,
    env: {
      PATH: "/usr/bin:/bin",
      KUBECONFIG: path.join(folder, "kubeconfig"),
      SPIDERPOOL_POD_NAMESPACE: "spiderpool",
      SPIDERPOOL_POD_NAME: "controller-x",
      SPIDERPOOL_HEALTH_PORT: String(port),
    },
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    await t.step("the controller leads, answers its probes, and gives the Lease up", async () => {
      // Readiness waits for the webhooks' certificate, which this server has no place for.
      for (const name of ["startup", "liveness"]) {
        assert.equal(await waitForProbe(port, name), 200, name);
      }
      await api.held; // Its answer may be on its way still: it is given up all the same.
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
      assert.deepEqual([api.holders[0], api.holders.at(-1)], ["controller-x", ""]);
    });
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await Deno.remove(folder, { recursive: true });
  }
}
