/**
 * The same cluster on kind, where Docker runs: kind's own network as overlay, a second Docker
 * network as underlay, Multus copied into every node.
 */
import * as path from "node:path";
import { ensureComponents } from "./components.ts";
import { ensureRigImages } from "./image.ts";
import { findCniPlugins } from "./native.ts";
import { NETWORK_ATTACHMENT_CRD } from "./network_attachment_crd.ts";
import { type ClusterPlan, type ClusterWish, planCluster } from "./plan.ts";
import { run, runOrThrow } from "./process.ts";
import {
  clusterFolder,
  type ClusterState,
  listStates,
  lockClusters,
  readState,
  writeState,
} from "./state.ts";

/** Names the image of kind's nodes, with Kubernetes in it; absent: the one that kind takes. */
export const NODE_IMAGE_VARIABLE = "SPIDERPOOL_KIND_IMAGE";

/** A command and its standard input. */
export interface KindStep {
  readonly command: readonly [string, ...string[]];
  readonly input?: string;
}

/** Brings a kind cluster up, or says that it already is. */
export async function kindUp(
  wish: ClusterWish,
  { clusters, cache, report }: {
    readonly clusters: string;
    readonly cache: string;
    readonly report: (line: string) => void;
  },
): Promise<ClusterState> {
  using _lock = await lockClusters(clusters);
  const folder = clusterFolder({ clusters, name: wish.name });
  const found = await readState(folder);
  if (found?.complete === true) return found;
  const components = await ensureComponents({ cache, report, fetch });
  const images = await ensureRigImages(cache);
  const plan = planCluster(wish, {
    index: found?.plan.index ?? (await listStates(clusters)).length,
  });
  await Deno.mkdir(folder, { recursive: true });
  const state: ClusterState = { plan, provider: "kind", complete: false, nodes: [] };
  await writeState(folder, state);
  const multus = path.join(components.folder, "multus");
  const plugins = findCniPlugins();
  const nodeImage = Deno.env.get(NODE_IMAGE_VARIABLE) || undefined;
  const steps = kindUpSteps(plan, { folder, multus, plugins, images, nodeImage });
  for (const step of steps) await perform(step);
  const whole = { ...state, complete: true };
  await writeState(folder, whole);
  return whole;
}

/** Takes a kind cluster and its underlay network down; false if there is none. */
export async function kindDown(
  name: string,
  { clusters }: { readonly clusters: string },
): Promise<boolean> {
  using _lock = await lockClusters(clusters);
  const folder = clusterFolder({ clusters, name });
  if (await readState(folder) === undefined) return false;
  await runOrThrow(["kind", "delete", "cluster", "--name", name]);
  await run(["docker", "network", "rm", underlayName(name)]);
  await Deno.remove(folder, { recursive: true });
  return true;
}

/** Loads an image archive into every node of a kind cluster. */
export async function kindLoad(
  { name, archive }: { readonly name: string; readonly archive: string },
): Promise<void> {
  await runOrThrow(["kind", "load", "image-archive", archive, "--name", name]);
}

/** Everything `kindUp` runs, in order. Pure, so that it can be read and tested without Docker. */
export function kindUpSteps(
  plan: ClusterPlan,
  { folder, multus, plugins, images, nodeImage }: {
    readonly folder: string;
    readonly multus: string;
    /** Folder of the standard CNI plugins: a node of kind has those of its own network only. */
    readonly plugins: string;
    readonly images: readonly string[];
    /** Absent: the one that kind takes. */
    readonly nodeImage?: string | undefined;
  },
): readonly KindStep[] {
  const { name } = plan;
  const nodes = kindNodeNames(plan);
  const kubeconfig = path.join(folder, "kubeconfig");
  return [
    {
      command: [
        "kind",
        "create",
        "cluster",
        "--name",
        name,
        "--config",
        "-",
        "--kubeconfig",
        kubeconfig,
        ...(nodeImage === undefined ? [] : ["--image", nodeImage]),
      ],
      input: JSON.stringify(kindConfiguration(plan)),
    },
    { command: ["docker", "network", "create", ...underlayArguments(plan), underlayName(name)] },
    ...nodes.flatMap((node): readonly KindStep[] => [
      { command: ["docker", "network", "connect", underlayName(name), node] },
      { command: ["docker", "cp", multus, `${node}:/opt/cni/bin/multus`] },
      ...["macvlan", "ipvlan"].map((name): KindStep => ({
        command: ["docker", "cp", "-L", path.join(plugins, name), `${node}:/opt/cni/bin/${name}`],
      })),
      {
        command: ["docker", "exec", "-i", node, "sh", "-euc", INSTALL_MULTUS],
        input: JSON.stringify(multusConfiguration()),
      },
    ]),
    {
      command: ["kubectl", `--kubeconfig=${kubeconfig}`, "create", "-f", "-"],
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items: MULTUS_OBJECTS }),
    },
    ...images.map((archive): KindStep => ({
      command: ["kind", "load", "image-archive", archive, "--name", name],
    })),
  ];
}

/** Names kind gives its containers. With no nodes wished for, the control plane carries pods. */
function kindNodeNames(plan: ClusterPlan): readonly string[] {
  const workers = plan.nodes.map(({ number }) =>
    `${plan.name}-worker${number === 1 ? "" : number}`
  );
  return [`${plan.name}-control-plane`, ...workers];
}

function kindConfiguration(plan: ClusterPlan): unknown {
  return {
    apiVersion: "kind.x-k8s.io/v1alpha4",
    kind: "Cluster",
    networking: {
      ipFamily: plan.family,
      podSubnet: plan.podCidrs.join(","),
      serviceSubnet: plan.serviceCidrs.join(","),
    },
    nodes: [{ role: "control-plane" }, ...plan.nodes.map(() => ({ role: "worker" }))],
  };
}

function underlayArguments(plan: ClusterPlan): readonly string[] {
  const first = plan.underlays.slice(0, plan.family === "dual" ? 2 : 1);
  return [
    ...(plan.family === "ipv4" ? [] : ["--ipv6"]),
    ...first.flatMap(({ cidr, gateway }) => ["--subnet", cidr, "--gateway", gateway]),
  ];
}

function underlayName(name: string): string {
  return `${name}-underlay`;
}

const NODES_READ_NETWORKS = "nodes-read-networks";
const RBAC = "rbac.authorization.k8s.io";

/** What networks are, and that nodes may read them: Multus asks as the kubelet beside it. */
const MULTUS_OBJECTS: readonly unknown[] = [
  NETWORK_ATTACHMENT_CRD,
  {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRole",
    metadata: { name: NODES_READ_NETWORKS },
    rules: [{
      apiGroups: ["k8s.cni.cncf.io"],
      resources: ["network-attachment-definitions"],
      verbs: ["get", "list", "watch"],
    }],
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name: NODES_READ_NETWORKS },
    roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: NODES_READ_NETWORKS },
    subjects: [{ apiGroup: RBAC, kind: "Group", name: "system:nodes" }],
  },
];

// A node's own administrator file is only on the control plane; kubelet's works everywhere.
const INSTALL_MULTUS = `mkdir -p /etc/cni/net.d/multus.d
cp /etc/kubernetes/kubelet.conf /etc/cni/net.d/multus.d/multus.kubeconfig
cat >/etc/cni/net.d/00-multus.conf`;

function multusConfiguration(): unknown {
  return {
    cniVersion: "0.3.1",
    name: "multus",
    type: "multus",
    capabilities: { portMappings: true },
    kubeconfig: "/etc/cni/net.d/multus.d/multus.kubeconfig",
    clusterNetwork: "kindnet",
    confDir: "/etc/cni/net.d",
    binDir: "/opt/cni/bin",
    multusNamespace: "spiderpool", // Where networks of eth0 are: the namespace of the agents.
  };
}

async function perform({ command, input }: KindStep): Promise<void> {
  await runOrThrow(command, input === undefined ? {} : { input });
}
