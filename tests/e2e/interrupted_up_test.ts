/** The rig again: killed in the middle, it leaves nothing. Family: dual alone, none is used. */
import assert from "node:assert/strict";
import { run, waitFor } from "../../scripts/cluster/process.ts";
import { nativeDown } from "../../scripts/cluster/native.ts";
import { clusterFolder, type ClusterState, readState } from "../../scripts/cluster/state.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";

/** Processes whose command line or mounts name the folder: holders, runtimes, kubelets. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name) || name === String(Deno.pid)) continue;
    const files = [`/proc/${name}/cmdline`, `/proc/${name}/mountinfo`];
    const texts = await Promise.all(files.map((file) => Deno.readTextFile(file).catch(() => "")));
    if (texts.some((text) => text.includes(folder))) found.push(name);
  }
  return found;
}

testWith({
  name: "cluster: an up that is killed half-way is taken down whole (dual)",
  needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
  async fn() {
    const clusters = await Deno.makeTempDir({ prefix: "clusters-" });
    const name = "e2e-killed";
    const folder = clusterFolder({ clusters, name });
    try {
      const up = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "scripts/cluster.ts", "up", "--name", name, "--provider", "native"],
        env: { SPIDERPOOL_CLUSTERS: clusters },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      const state = await waitFor(() => withNodeProcesses(folder), {
        what: "the first node's containerd",
        timeoutMs: 120_000,
        everyMs: 50,
      });
      up.kill("SIGKILL");
      await up.status;
      assert.ok((await processesOf(folder)).length > 3, "nodes run on after their maker");
      assert.equal(await nativeDown(name, { clusters }), true);
      // The commands that entered the namespaces end a moment after what they started.
      await waitFor(async () => (await processesOf(folder)).length === 0 ? true : undefined, {
        what: "the last process of the cluster to end",
        timeoutMs: 30_000,
      });
      assert.notEqual((await run(["ip", "link", "show", state.plan.hostLink])).code, 0);
      await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
    } finally {
      await nativeDown(name, { clusters });
      await Deno.remove(clusters, { recursive: true });
    }
  },
});

/** The state once a node, which no state file names yet, has a container runtime running. */
async function withNodeProcesses(folder: string): Promise<ClusterState | undefined> {
  const state = await readState(folder);
  if (state?.fabric === undefined || state.complete) return undefined;
  const log = `${folder}/${state.plan.nodes[0]?.name}/log/containerd.log`;
  const size = (await Deno.stat(log).catch(() => undefined))?.size ?? 0;
  return size > 0 ? state : undefined;
}
