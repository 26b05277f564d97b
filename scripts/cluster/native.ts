/** The native cluster: real Kubernetes programs in namespaces of this machine, no Docker. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { type Components, ensureComponents } from "./components.ts";
import { type ControlPlane, openApi, readKeys, startControlPlane } from "./control_plane.ts";
import {
  fabricCommands,
  fabricRouteCommands,
  fabricSetup,
  hostCommands,
  hostPortCommands,
  joinRouteCommands,
} from "./fabric.ts";
import { ensureRigImages } from "./image.ts";
import { NETWORK_ATTACHMENT_CRD } from "./network_attachment_crd.ts";
import { endHolder, enterHolder, type Holder, runIp, startHolder } from "./namespaces.ts";
import { rebootNode, removeControlGroups, startNode } from "./node.ts";
import { API_PORT, type ClusterPlan, CLUSTERS_MAX, type ClusterWish, planCluster } from "./plan.ts";
import { ignoreMissing, isAlive, run, waitFor } from "./process.ts";
import {
  clusterFolder,
  type ClusterState,
  listStates,
  lockClusters,
  readState,
  writeState,
} from "./state.ts";

/** What the native provider needs of the world. */
export interface NativeOptions {
  readonly clusters: string;
  readonly cache: string;
  readonly report: (line: string) => void;
}

/** A refusal in one sentence: nothing was changed. The command ends with code 2. */
export class ClusterRefusal extends Error {
  override readonly name = "ClusterRefusal";
}

const CNI_FOLDERS = ["/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin"];

/**
 * Brings a cluster up, or says that it already is. A half-made one is made anew.
 *
 * @throws {ClusterRefusal} If one of this name runs with another shape, or no number is free.
 */
export async function nativeUp(wish: ClusterWish, options: NativeOptions): Promise<ClusterState> {
  using _lock = await lockClusters(options.clusters);
  const folder = clusterFolder({ ...options, name: wish.name });
  const found = await readState(folder);
  if (found !== undefined) {
    if (isComplete(found)) return sameShape(found, wish);
    options.report(`Removing what is left of a cluster "${wish.name}" that is not whole`);
    await takeDown(folder, found);
  }
  const index = await freeIndex(options.clusters);
  const components = await ensureComponents({ ...options, fetch });
  const images = await ensureRigImages(options.cache);
  const cniPlugins = findCniPlugins();
  const plan = planCluster(wish, { index });
  await Deno.mkdir(folder, { recursive: true });
  try {
    return await bringUp(plan, { folder, components, images, cniPlugins, options });
  } catch (error) {
    const left = await readState(folder);
    // The logs say why, so they stay; `down` or the next `up` removes them.
    if (left !== undefined) await endProcesses(left);
    throw error;
  }
}

/** Takes a cluster down; false if there is none. Nothing of it is left. */
export async function nativeDown(
  name: string,
  { clusters }: Pick<NativeOptions, "clusters">,
): Promise<boolean> {
  using _lock = await lockClusters(clusters);
  const folder = clusterFolder({ clusters, name });
  const state = await readState(folder);
  if (state === undefined) return false;
  await takeDown(folder, state);
  return true;
}

/**
 * Takes a node's power and gives it back; whether it is Ready again is the caller's to wait for.
 *
 * @throws {ClusterRefusal} If there is no such node.
 */
export async function nativeReboot(
  name: string,
  { node: nodeName, ...options }: NativeOptions & { readonly node: string },
): Promise<ClusterState> {
  using _lock = await lockClusters(options.clusters);
  const folder = clusterFolder({ ...options, name });
  const state = await readState(folder);
  const node = state?.plan.nodes.find((one) => one.name === nodeName);
  const before = state?.nodes.find(({ hostname }) => hostname === nodeName);
  if (state?.fabric === undefined || node === undefined || before === undefined) {
    throw new ClusterRefusal(`Cannot reboot "${nodeName}": cluster "${name}" has no such node`);
  }
  const after = await rebootNode({
    plan: state.plan,
    node,
    folder: path.join(folder, node.name),
    programs: (await ensureComponents({ ...options, fetch })).folder,
    cniPlugins: findCniPlugins(),
    fabric: state.fabric,
    images: await ensureRigImages(options.cache),
  }, before);
  const nodes = state.nodes.map((holder) => holder === before ? after : holder);
  await writeState(folder, { ...state, nodes });
  return { ...state, nodes };
}

/**
 * Adds a machine to a running cluster, which becomes one more node, and waits until it is Ready.
 *
 * @throws {ClusterRefusal} If there is no such cluster.
 */
export async function nativeJoin(name: string, options: NativeOptions): Promise<ClusterState> {
  using _lock = await lockClusters(options.clusters);
  const folder = clusterFolder({ ...options, name });
  const state = await readState(folder);
  const wish = state && { ...state.plan, nodeCount: state.plan.nodeCount + 1 };
  const plan = wish && planCluster(wish, { index: state.plan.index });
  const node = plan?.nodes.at(-1);
  if (state?.fabric === undefined || plan === undefined || node === undefined) {
    throw new ClusterRefusal(`Cannot add a node: there is no cluster "${name}"`);
  }
  await writeState(folder, { ...state, plan }); // It is taken down with the rest, whatever comes.
  const holder = await startNode({
    plan,
    node,
    folder: path.join(folder, node.name),
    programs: (await ensureComponents({ ...options, fetch })).folder,
    cniPlugins: findCniPlugins(),
    fabric: state.fabric,
    images: await ensureRigImages(options.cache),
    ...await readKeys({ folder: path.join(folder, "control-plane") }),
  });
  const after = { ...state, plan, nodes: [...state.nodes, holder] };
  await writeState(folder, after);
  for (const one of [state.fabric, ...state.nodes]) await runIp(one, joinRouteCommands(node));
  return after;
}

/** Whether every holder of a cluster still runs. */
export function isComplete(state: ClusterState): boolean {
  return state.complete && state.fabric !== undefined && isAlive(state.fabric.init) &&
    state.nodes.length === state.plan.nodeCount && state.nodes.every((node) => isAlive(node.init));
}

async function bringUp(
  plan: ClusterPlan,
  { folder, components, images, cniPlugins, options }: {
    readonly folder: string;
    readonly components: Components;
    readonly images: readonly string[];
    readonly cniPlugins: string;
    readonly options: NativeOptions;
  },
): Promise<ClusterState> {
  let state: ClusterState = { plan, provider: "native", complete: false, nodes: [] };
  await writeState(folder, state);
  const fabric = await startHolder({
    hostname: `${plan.name}-fabric`,
    setup: fabricSetup(),
    folder: path.join(folder, "fabric"),
  });
  state = { ...state, fabric };
  await writeState(folder, state);
  await runIp(fabric, fabricCommands(plan));
  await runIp(undefined, hostCommands(plan, fabric.init.pid));
  await runIp(fabric, hostPortCommands());
  await linkTools(folder, components);

  options.report("Starting the control plane");
  const plane = await startPlane(plan, { folder, components, fabric });
  await installBasics(plane);
  if (plan.nodeCount > 0) options.report(`Starting the nodes: ${plan.nodeCount}`);
  const started = await Promise.allSettled(plan.nodes.map((node) =>
    startNode({
      plan,
      node,
      folder: path.join(folder, node.name),
      programs: components.folder,
      cniPlugins,
      fabric,
      images,
      authority: plane.authority,
      admin: plane.admin,
    })
  ));
  const failed = started.find((result) => result.status === "rejected");
  const nodes = started.filter((result) => result.status === "fulfilled");
  state = { ...state, nodes: nodes.map((result) => result.value), complete: failed === undefined };
  await writeState(folder, state);
  if (failed !== undefined) throw failed.reason;
  await runIp(fabric, fabricRouteCommands(plan));
  return state;
}

function startPlane(
  plan: ClusterPlan,
  { folder, components, fabric }: {
    readonly folder: string;
    readonly components: Components;
    readonly fabric: Holder;
  },
): Promise<ControlPlane> {
  return startControlPlane({
    folder: path.join(folder, "control-plane"),
    programs: components.folder,
    addresses: plan.fabricAddresses,
    port: API_PORT,
    etcdPorts: { client: 2379, peer: 2380 },
    podCidrs: plan.podCidrs,
    serviceCidrs: plan.serviceCidrs,
    apiServiceAddresses: plan.apiServiceAddresses,
    controllers: true,
    auditedNamespace: "spiderpool",
    enter: enterHolder(fabric),
  });
}

/** Puts the kubeconfig and kubectl where `up` says they are. */
async function linkTools(folder: string, components: Components): Promise<void> {
  await Deno.mkdir(path.join(folder, "bin"), { recursive: true });
  await relink(path.join(components.folder, "kubectl"), path.join(folder, "bin", "kubectl"));
  await relink("control-plane/admin.kubeconfig", path.join(folder, "kubeconfig"));
}

async function relink(target: string, file: string): Promise<void> {
  await Deno.remove(file).catch(ignoreMissing);
  await Deno.symlink(target, file);
}

/** What every cluster has from its start: the kind that Multus reads. */
async function installBasics(plane: ControlPlane): Promise<void> {
  using api = openApi({ url: plane.url, authority: plane.authority, pair: plane.admin });
  await api.send("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    method: "POST",
    body: NETWORK_ATTACHMENT_CRD,
  });
  // Pods cannot be made before their namespace has its account.
  await waitFor(() => api.send("/api/v1/namespaces/default/serviceaccounts/default"), {
    what: "the service account of namespace default",
    timeoutMs: 30_000,
  });
}

async function takeDown(folder: string, state: ClusterState): Promise<void> {
  await endProcesses(state);
  for (const node of state.plan.nodes) await removeControlGroups(node);
  await Deno.remove(folder, { recursive: true });
}

async function endProcesses(state: ClusterState): Promise<void> {
  await Promise.all(state.nodes.map(endHolder));
  if (state.fabric !== undefined) await endHolder(state.fabric);
  // The link goes with the switch's namespace, a moment after its last process.
  await waitFor(
    async () => (await run(["ip", "link", "show", state.plan.hostLink])).code === 0 ? undefined : 1,
    { what: `link ${state.plan.hostLink} to go`, timeoutMs: 15_000, everyMs: 20 },
  );
}

function sameShape(found: ClusterState, wish: ClusterWish): ClusterState {
  const { nodeCount, family } = found.plan;
  if (nodeCount === wish.nodeCount && family === wish.family) return found;
  throw new ClusterRefusal(
    `Cannot bring cluster "${wish.name}" up with --nodes ${wish.nodeCount} --family ` +
      `${wish.family}: it runs with --nodes ${nodeCount} --family ${family}; take it down first ` +
      `or choose another --name`,
  );
}

async function freeIndex(clusters: string): Promise<number> {
  const used = new Set((await listStates(clusters)).map((state) => state.plan.index));
  const links = new Set((await Deno.readTextFile("/proc/net/dev")).match(/spc\d+/g) ?? []);
  for (let index = 0; index < CLUSTERS_MAX; index++) {
    if (used.has(index) || links.has(`spc${index}`)) continue;
    if (!await isRouted(planCluster({ name: "x", nodeCount: 0, family: "dual" }, { index }))) {
      return index;
    }
  }
  throw new ClusterRefusal(
    `Cannot bring another cluster up: ${CLUSTERS_MAX} are there; take one down`,
  );
}

/** Whether the machine already has a route into the node network of this number. */
async function isRouted(plan: ClusterPlan): Promise<boolean> {
  const shown = await Promise.all(
    plan.hostCidrs.map((cidr) =>
      run(["ip", ...(cidr.includes(":") ? ["-6"] : []), "route", "show", "root", cidr])
    ),
  );
  return shown.some(({ stdout }) => stdout.trim() !== "");
}

/** The folder of the standard CNI plugins. @throws {ClusterRefusal} If there is none. */
export function findCniPlugins(): string {
  const folder = CNI_FOLDERS.find((name) => existsSync(path.join(name, "macvlan")));
  if (folder !== undefined) return folder;
  throw new ClusterRefusal(
    `Cannot bring a cluster up: no CNI plugins in ${CNI_FOLDERS.join(", ")}; ` +
      "run scripts/setup.sh cluster",
  );
}
