/** What `deno task cluster status` says. */
import * as path from "node:path";
import { isComplete } from "./native.ts";
import { isAlive, run } from "./process.ts";
import type { ClusterState } from "./state.ts";

/** Lines about one cluster: its shape, what runs, and what Kubernetes says of its nodes. */
export async function describeCluster(
  state: ClusterState,
  folder: string,
): Promise<readonly string[]> {
  const { plan } = state;
  const lines = [
    `Cluster "${plan.name}": ${plan.family}, ${plan.nodeCount} nodes, provider ${state.provider}`,
    `State and logs: ${folder}`,
  ];
  if (state.provider === "native") {
    const dead = [...(state.fabric === undefined ? [] : [state.fabric]), ...state.nodes]
      .filter((holder) => !isAlive(holder.init))
      .map((holder) => holder.hostname);
    if (!isComplete(state)) {
      const what = dead.length > 0 ? `${dead.join(", ")} ended` : "it was never whole";
      return [...lines, `Not running: ${what}; "up" makes it anew, "down" removes it`];
    }
  }
  const kubectl = path.join(folder, "bin", "kubectl");
  const program = state.provider === "native" ? kubectl : "kubectl";
  const nodes = await run([
    program,
    `--kubeconfig=${path.join(folder, "kubeconfig")}`,
    "--request-timeout=5s",
    "get",
    "nodes,pods",
    "--all-namespaces",
    "--output=wide",
  ]);
  return [...lines, (nodes.code === 0 ? nodes.stdout : nodes.stderr).trimEnd()];
}
