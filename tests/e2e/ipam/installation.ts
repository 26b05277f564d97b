/** A cluster of two nodes on which this project is installed, the way its manifests say. */
import { existsSync } from "node:fs";
import { assert } from "../../../src/base/assert.ts";
import { auditLogPath } from "../../../scripts/cluster/audit.ts";
import { cacheFolder } from "../../../scripts/cluster/components.ts";
import { runInside } from "../../../scripts/cluster/namespaces.ts";
import { nativeDown, nativeJoin, nativeReboot, nativeUp } from "../../../scripts/cluster/native.ts";
import { loadImage } from "../../../scripts/cluster/node.ts";
import type { ClusterFamily } from "../../../scripts/cluster/plan.ts";
import { clusterFolder, type ClusterState } from "../../../scripts/cluster/state.ts";
import { writeAgentImage } from "../../../scripts/image.ts";
import { RUN_FOLDER } from "../../../scripts/run_tests.ts";
import { type RequestMade, requestsIn } from "../../support/rights.ts";
import { type Kubectl, kubectlOf } from "../kubectl.ts";
import { recordRights } from "../rights.ts";

/** Where scenarios are played. Disposing it takes the cluster down. */
export interface Installation extends AsyncDisposable {
  readonly kubectl: Kubectl;
  /** As it is now: nodes may have joined. */
  readonly state: ClusterState;
  /** Archive of the image of agents and controllers. */
  readonly agentImage: string;
  /** Takes a node's power and gives it back. The answer has the node as it is now. */
  reboot(node: string): Promise<ClusterState>;
  /** Adds a node, which has none of our images. It is Ready. */
  join(): Promise<ClusterState["nodes"][number]>;
  /** What agents and controllers have asked the API server so far. */
  requests(): Promise<readonly RequestMade[]>;
  /** Families that pods have, IPv4 first. */
  readonly versions: readonly (4 | 6)[];
  /** Names of the first two nodes; one is in zone "a", the other in zone "b". */
  readonly nodes: readonly [string, string];
}

/** Longest wait for anything that must happen; nothing waits for a fixed time. */
export const LIMIT = "240s";
/** `LIMIT` in milliseconds. */
export const LIMIT_MS = 240_000;

const MANIFESTS = "manifests";
const WEBHOOKS = "mutatingwebhookconfiguration,validatingwebhookconfiguration";

/**
 * Brings the cluster up and installs. What was made is taken down if a step fails.
 *
 * @param options.name What the test is about: clusters of different tests have different names.
 */
export async function install(
  family: ClusterFamily,
  { name: about = "ipam" }: { readonly name?: string } = {},
): Promise<Installation> {
  const options = {
    clusters: await Deno.makeTempDir({ prefix: "clusters-" }),
    cache: cacheFolder(Deno.env),
    report: () => {},
  };
  const name = `${about}-${family}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => Deno.remove(options.clusters, { recursive: true }));
  undo.defer(() => nativeDown(name, options).then(() => {}));
  const folder = clusterFolder({ ...options, name });
  const requests = async (): Promise<readonly RequestMade[]> => {
    return requestsIn(await Deno.readTextFile(auditLogPath(`${folder}/control-plane`)));
  };
  const [made, image] = await Promise.all([
    nativeUp({ name, nodeCount: 2, family }, options),
    imageOfRun(options.clusters),
  ]);
  let state = made;
  await Promise.all(state.nodes.map((node) => loadImage(node, image)));
  const kubectl = kubectlOf(folder);
  const [first, second] = state.plan.nodes.map((node) => node.name);
  assert(first !== undefined && second !== undefined, "the cluster has two nodes");
  await kubectl.run("label", "node", first, "topology.kubernetes.io/zone=a");
  await kubectl.run("label", "node", second, "topology.kubernetes.io/zone=b");
  await applyManifests(kubectl);
  undo.defer(async () => recordRights(await requests()));
  const whole = undo.move();
  return {
    kubectl,
    get state() {
      return state;
    },
    agentImage: image,
    requests,
    versions: [
      ...(family === "ipv6" ? [] : [4] as const),
      ...(family === "ipv4" ? [] : [6] as const),
    ],
    nodes: [first, second],
    reboot: (node) => nativeReboot(name, { ...options, node }),
    join: async () => {
      state = await nativeJoin(name, options);
      const node = state.nodes.at(-1);
      assert(node !== undefined, "a node has joined");
      return node;
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

/**
 * The image of this tree, made once a run: test files that run at the same time would build over
 * each other.
 *
 * @param folder Where it is made if this is no run.
 */
export async function imageOfRun(folder: string): Promise<string> {
  const file = `${Deno.env.get(RUN_FOLDER) ?? folder}/image.tar`;
  using lock = await Deno.open(`${file}.lock`, { create: true, write: true });
  await lock.lock(true);
  if (!existsSync(file)) await writeAgentImage(file, { say: () => {} });
  return file;
}

/**
 * What `docs/install.md` says. The webhooks go again, for scenarios are about what happens without
 * them until one wants them (`applyWebhooks`).
 */
async function applyManifests(kubectl: Kubectl): Promise<void> {
  await kubectl.run("apply", "-f", `${MANIFESTS}/install.yaml`);
  await kubectl.run("delete", WEBHOOKS, "spiderpool-controller");
  await agentsAreReady(kubectl);
  await controllersAreReady(kubectl);
}

/** What `docs/webhooks.md` says, command by command. */
export async function applyWebhooks(kubectl: Kubectl): Promise<void> {
  await kubectl.run("apply", "-f", `${MANIFESTS}/webhooks`);
  const isTrusted = "--for=jsonpath={.webhooks[0].clientConfig.caBundle}";
  await kubectl.run("wait", WEBHOOKS, "spiderpool-controller", isTrusted, `--timeout=${LIMIT}`);
}

/** Waits until both controllers serve and one of them leads. */
export async function controllersAreReady(kubectl: Kubectl): Promise<void> {
  const controllers = ["-n", "spiderpool", "deployment/spiderpool-controller"];
  await kubectl.run("rollout", "status", ...controllers, `--timeout=${LIMIT}`);
}

/** Waits until an agent answers on every node. */
export async function agentsAreReady(kubectl: Kubectl): Promise<void> {
  const agents = ["-n", "spiderpool", "daemonset/spiderpool-agent", `--timeout=${LIMIT}`];
  await kubectl.run("rollout", "status", ...agents);
}

/** What holds a node. */
export function nodeNamed(
  { state }: Pick<Installation, "state">,
  name: string,
): ClusterState["nodes"][number] {
  const node = state.nodes.find(({ hostname }) => hostname === name);
  assert(node !== undefined, `${name} runs`);
  return node;
}

/** Runs a shell script on a node. @returns What it prints. */
export async function onNode(
  site: Installation,
  name: string,
  { script, args = [] }: { readonly script: string; readonly args?: readonly string[] },
): Promise<string> {
  return await runInside(nodeNamed(site, name), { script, args });
}
