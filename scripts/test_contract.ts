/**
 * `deno task test:contract`: the contract of the object stores, and the CRDs, against a real API
 * server on loopback. No root; the server and its data end with the run.
 */
import { startLoopbackControlPlane } from "./cluster/loopback_control_plane.ts";

/** What needs the server; the other stores run with the unit tests. */
const SERVER_TESTS = ["tests/contract/crd_test.ts", "tests/contract/api_server_test.ts"] as const;

async function main(paths: readonly string[]): Promise<number> {
  await using server = await startLoopbackControlPlane({ report: say });
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", "scripts/run_tests.ts", "--allow-all"],
      ...(paths.length > 0 ? paths : SERVER_TESTS.map((file) => `--default=${file}`)),
    ],
    env: {
      CONTRACT_KUBECONFIG: server.kubeconfigPath,
      // The cases use kubectl as a person would; ours is of the server's own version.
      PATH: `${server.programs}:${Deno.env.get("PATH") ?? ""}`,
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
