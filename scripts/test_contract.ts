/**
 * `deno task test:contract`: the contract of the object stores, and the CRDs, against a real API
 * server on loopback. No root; the server and its data end with the run.
 */
import * as path from "node:path";
import type { ControlPlane } from "./cluster/control_plane.ts";
import { startLoopbackControlPlane } from "./cluster/loopback_control_plane.ts";

/** What needs the server; the other stores run with the unit tests. */
const SERVER_TESTS = [
  "tests/contract/crd_test.ts",
  "tests/contract/install_test.ts",
  "tests/contract/admission_test.ts",
  "tests/contract/api_server_test.ts",
  "tests/contract/kube_server_test.ts",
  "tests/contract/controller_test.ts",
  "tests/contract/discovery_test.ts",
  "tests/contract/lending_test.ts",
  "tests/contract/bad_cluster_test.ts",
  "tests/contract/give_back_test.ts",
  "tests/contract/node_change_test.ts",
] as const;

async function main(paths: readonly string[]): Promise<number> {
  await using server = await startLoopbackControlPlane({ report: say });
  const listener = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => obey(new URL(request.url).pathname, server.plane),
  );
  await using _listener = { [Symbol.asyncDispose]: () => listener.shutdown() };
  const control = path.join(server.folder, "control");
  await writeControl(control, listener.addr.port);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", "scripts/run_tests.ts", "--allow-all"],
      ...(paths.length > 0 ? paths : SERVER_TESTS.map((file) => `--default=${file}`)),
    ],
    env: {
      CONTRACT_KUBECONFIG: server.kubeconfigPath,
      CONTRACT_CONTROL: control,
      // The cases use kubectl as a person would; ours is of the server's own version.
      PATH: `${server.programs}:${Deno.env.get("PATH") ?? ""}`,
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

/** Does what a case asks of the server; answers when the server is ready again. */
async function obey(pathname: string, plane: ControlPlane): Promise<Response> {
  try {
    if (pathname === "/compact") await compact(plane.etcdUrl);
    else if (!["/restart/stop", "/restart/kill"].includes(pathname)) {
      return new Response(`Unknown request "${pathname}"`, { status: 404 });
    }
    // After a compaction as well: the server's own cache would go on to answer for older versions.
    await plane.stop("kube-apiserver", { force: pathname !== "/restart/stop" });
    await plane.start("kube-apiserver");
    return new Response("done");
  } catch (error) {
    return new Response(String(error), { status: 500 });
  }
}

/** Drops every revision of etcd but the newest, through its JSON gateway. */
async function compact(etcdUrl: string): Promise<void> {
  const range = await post(`${etcdUrl}/v3/kv/range`, { key: btoa("/"), count_only: true });
  const revision = /"revision":"(\d+)"/.exec(range)?.[1];
  await post(`${etcdUrl}/v3/kv/compaction`, { revision, physical: true });
}

async function post(url: string, body: unknown): Promise<string> {
  const reply = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`Cannot post to ${url}: ${reply.status} ${text}`);
  return text;
}

async function writeControl(file: string, port: number): Promise<void> {
  const script = path.join(import.meta.dirname ?? ".", "contract_control.ts");
  const command = `exec "${Deno.execPath()}" run --quiet --allow-net=127.0.0.1 "${script}" ${port}`;
  await Deno.writeTextFile(file, `#!/bin/sh\n${command} "$@"\n`, { mode: 0o755 });
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
