/** A cluster with one node, and the built programs that run for it. */
import * as path from "node:path";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { buildArchitecture } from "../../scripts/build/layout.ts";
import { cacheFolder } from "../../scripts/cluster/components.ts";
import { freePorts } from "../../scripts/cluster/free_ports.ts";
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import { type AgentProcess, startAgent } from "../bench/agent_process.ts";
import { type ControllerProcess, startController } from "../bench/controller_process.ts";
import { Lab } from "../bench/lab.ts";
import { nodeName, podObject, PODS_PATH, type PoolPlan, readPod } from "../bench/objects.ts";

/** What a program is told beside what it needs. */
export type Environment = Readonly<Record<string, string>>;

/** Where programs run. Disposing it ends the cluster, not the programs. */
export interface Site extends AsyncDisposable {
  readonly lab: Lab;
  /** The agent of the node. */
  readonly startAgent: (environment: Environment) => Promise<AgentProcess>;
  readonly startController: (environment: Environment) => Promise<ControllerProcess>;
}

/** A port that nobody has on any address. */
export function freePort(): number {
  const [port = 0] = freePorts(1, { hostname: "0.0.0.0" });
  return port;
}

/** Starts a cluster and builds the programs. */
export async function openSite(): Promise<Site> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await Lab.open({ nodes: 1, report: () => {} }));
  const { folder, kubeconfigPath } = lab;
  const programs = path.join(folder, "programs");
  await buildArchitecture(programs, {
    architecture: ownArchitecture(),
    ports: {
      cache: cacheFolder(Deno.env),
      fetch,
      readEnvironment: (name) => Deno.env.get(name),
      say: () => {},
    },
  });
  const end = stack.move();
  const wish = (program: string, environment: Environment) => ({
    ...{ program: path.join(programs, program), folder, kubeconfigPath, environment },
    healthPort: freePort(),
  });
  return {
    lab,
    startAgent: (environment) =>
      startAgent({ ...wish("spiderpool-agent", environment), node: nodeName(0) }),
    startController: (environment) =>
      startController({
        ...wish("spiderpool-controller", {
          SPIDERPOOL_WEBHOOK_PORT: String(freePort()),
          ...environment,
        }),
        lends: true,
      }),
    [Symbol.asyncDispose]: () => end.disposeAsync(),
  };
}

/** Makes pods of one ReplicaSet that want addresses of a pool. */
export async function makePods(
  lab: Lab,
  { count, pool }: { readonly count: number; readonly pool: PoolPlan },
): Promise<readonly Pod[]> {
  const { owner } = await lab.makeOwner("web", { kind: "ReplicaSet", replicas: count });
  const replies = await lab.sendAll(Array.from({ length: count }, (_, index) => ({
    method: "POST" as const,
    path: PODS_PATH,
    body: podObject(`web-${index}`, { node: nodeName(0), owner, pools: [pool] }),
  })));
  return replies.map(readPod);
}
