/** A node: its own file tree, network and processes, with containerd, kubelet and kube-proxy. */
import * as path from "node:path";
import { isNodeReady, NODES } from "../../src/api/kubernetes/node.ts";
import { type ControlPlane, openApi, writeKubeconfig } from "./control_plane.ts";
import { nodeNetworkCommands, nodePortCommands, ROUTER_SYSCTLS } from "./fabric.ts";
import { PAUSE_IMAGE } from "./image.ts";
import {
  endHolder,
  enterHolder,
  type Holder,
  runInside,
  runIp,
  startHolder,
} from "./namespaces.ts";
import { apiServerUrl, type ClusterPlan, type NodePlan } from "./plan.ts";
import { run, startDetached, waitFor } from "./process.ts";

/** What a node that was there before is made of. */
export interface NodePlace {
  readonly plan: ClusterPlan;
  readonly node: NodePlan;
  /** State of this node on the machine: images, pods, logs. It outlives a reboot of the node. */
  readonly folder: string;
  readonly programs: string;
  /** Folder of the standard CNI plugins on the machine. */
  readonly cniPlugins: string;
  readonly fabric: Holder;
  /** Archives that every node has from its start. */
  readonly images: readonly string[];
}

/** What a new node is made of. */
export interface NodeWish extends NodePlace {
  readonly authority: ControlPlane["authority"];
  readonly admin: ControlPlane["admin"];
}

/** Where a node sees its own state folder and the programs. */
const NODE_STATE = "/var/lib/rig";
const NODE_PROGRAMS = "/usr/local/lib/rig";
const READY_TIMEOUT_MS = 90_000;

/** Folders of a node that are kept on disk; the rest of what it writes is in memory. */
const KEPT_FOLDERS = ["containerd", "kubelet", "log"] as const;

/** Starts a node and waits until the API says it is Ready. */
export async function startNode(wish: NodeWish): Promise<Holder> {
  for (const name of ["tree", "etc", ...KEPT_FOLDERS]) {
    await Deno.mkdir(path.join(wish.folder, name), { recursive: true });
  }
  await writeNodeFiles(wish);
  const holder = await boot(wish);
  try {
    await becomeReady(wish);
  } catch (error) {
    await endHolder(holder);
    throw error;
  }
  return holder;
}

/**
 * Ends a node as a power cut does, and starts it again: its network, its processes and what it had
 * in memory are gone; pods, images and logs are kept. It is not waited for.
 */
export async function rebootNode(place: NodePlace, before: Holder): Promise<Holder> {
  await endHolder(before);
  const { fabricLink } = place.node;
  // The cables go with the node's network namespace, a moment after its last process.
  await waitFor(async () => {
    const links = await runInside(place.fabric, { script: "cat /proc/net/dev" });
    return links.includes(`${fabricLink}:`) ? undefined : true;
  }, { what: `the cables of ${place.node.name} to go`, timeoutMs: READY_TIMEOUT_MS, everyMs: 50 });
  // A kubelet that finds groups of pods that do not run looks at each for seconds.
  await removeControlGroups(place.node);
  return await boot(place);
}

/** Removes a node's control groups, deepest first, in both versions of the hierarchy. */
export async function removeControlGroups({ name }: NodePlan): Promise<void> {
  await run([
    "sh",
    "-c",
    `for top in /sys/fs/cgroup/"$1" /sys/fs/cgroup/*/"$1"; do
      [ ! -d "$top" ] || find "$top" -depth -type d -exec rmdir {} \\; ; done`,
    "sh",
    name,
  ]);
}

/** Starts the node of files that are there. */
async function boot(place: NodePlace): Promise<Holder> {
  const { plan, node, folder, fabric } = place;
  const setup = nodeSetup(place);
  const holder = await startHolder({ hostname: node.name, setup, folder, inside: fabric });
  try {
    await runIp(fabric, nodePortCommands(node, holder.init.pid));
    await runIp(holder, nodeNetworkCommands(plan, node.number));
    await startRuntime(holder, place);
    startProgram(holder, place, kubeletCommand(node));
    startProgram(holder, place, proxyCommand(place));
  } catch (error) {
    await endHolder(holder);
    throw error;
  }
  return holder;
}

/**
 * Shell that turns a fresh mount namespace into the node's own tree: the machine's files below,
 * what the node writes in memory above, and folders of its own where Kubernetes and CNI keep
 * theirs.
 */
export function nodeSetup(wish: Pick<NodePlace, "folder" | "programs">): string {
  return `
folder='${wish.folder}'
tree="$folder/tree"
mount -t tmpfs -o mode=0755 tmpfs "$tree"
mkdir "$tree/upper" "$tree/work" "$tree/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$tree/upper,workdir=$tree/work" "$tree/root"
root="$tree/root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for name in opt/cni etc/cni etc/kubernetes var/log var/lib/cni var/lib/kubelet \\
  var/lib/containerd; do
  rm -rf "$root/$name"
  mkdir -p "$root/$name"
done
mkdir -p "$root/opt/cni/bin" "$root/etc/cni/net.d" "$root/run/netns" "$root${NODE_STATE}" \\
  "$root${NODE_PROGRAMS}" "$root/machine"
[ -L "$root/var/run" ] || { rm -rf "$root/var/run"; ln -s /run "$root/var/run"; }
mount --bind "$folder/containerd" "$root/var/lib/containerd"
mount --bind "$folder/kubelet" "$root/var/lib/kubelet"
mount --bind "$folder/log" "$root/var/log"
mount --bind "$folder" "$root${NODE_STATE}"
mount --bind '${wish.programs}' "$root${NODE_PROGRAMS}"
cd "$root"
pivot_root . machine
umount -l /machine
mount --make-rshared /
${ROUTER_SYSCTLS}
${CGROUP_SETUP}`;
}

/** Gives the node's kubelet a control group of its own, in both versions of the hierarchy. */
const CGROUP_SETUP = `
group="$(hostname)"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
  done
  mkdir -p "/sys/fs/cgroup/$group"
else
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    [ ! -d "/sys/fs/cgroup/$controller" ] || mkdir -p "/sys/fs/cgroup/$controller/$group"
  done
  for file in cpuset.cpus cpuset.mems; do
    cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$group/$file"
  done
fi`;

async function writeNodeFiles(wish: NodeWish): Promise<void> {
  const { plan, node, folder, authority, admin } = wish;
  const url = apiServerUrl(plan);
  const pair = await authority.issue({
    commonName: `system:node:${node.name}`,
    organization: "system:nodes",
  });
  const etc = path.join(folder, "etc");
  await writeKubeconfig(path.join(etc, "kubelet.kubeconfig"), { url, authority, pair });
  await writeKubeconfig(path.join(etc, "admin.kubeconfig"), { url, authority, pair: admin });
  await Deno.writeTextFile(path.join(etc, "ca.crt"), authority.certificate);
  await Deno.writeTextFile(path.join(etc, "containerd.toml"), containerdConfiguration());
  const files = {
    "kubelet.json": kubeletConfiguration(node),
    "overlay.conflist": overlayConfiguration(node),
    "multus.conf": multusConfiguration(),
  };
  for (const [name, value] of Object.entries(files)) {
    await Deno.writeTextFile(path.join(etc, name), JSON.stringify(value, null, 2));
  }
}

async function startRuntime(holder: Holder, wish: NodePlace): Promise<void> {
  startProgram(holder, wish, ["containerd", "--config", `${NODE_STATE}/etc/containerd.toml`]);
  await runInside(holder, {
    script: `cp -L "$1"/* /opt/cni/bin/
      cp ${NODE_PROGRAMS}/multus /opt/cni/bin/multus
      mkdir -p /etc/cni/net.d/multus.d
      cp ${NODE_STATE}/etc/admin.kubeconfig /etc/cni/net.d/multus.d/multus.kubeconfig
      cp ${NODE_STATE}/etc/overlay.conflist /etc/cni/net.d/10-overlay.conflist
      cp ${NODE_STATE}/etc/multus.conf /etc/cni/net.d/00-multus.conf`,
    args: [wish.cniPlugins],
  });
  await waitFor(() => runInside(holder, { script: "ctr version >/dev/null; echo up" }), {
    what: `containerd of ${wish.node.name} (see ${path.join(wish.folder, "log")})`,
    timeoutMs: READY_TIMEOUT_MS,
  });
  for (const image of wish.images) await loadImage(holder, image);
}

/** Imports an image archive (docker-archive or OCI) into a node. */
export async function loadImage(holder: Holder, archive: string): Promise<string> {
  // The file is opened out here: a node does not see the machine's later files.
  const [first, ...rest] = enterHolder(holder);
  const child = new Deno.Command("sh", {
    args: ["-c", `archive=$1; shift; exec "$@" <"$archive"`, "sh", archive, first, ...rest].concat(
      ["ctr", "--namespace", "k8s.io", "images", "import", "--all-platforms", "-"],
    ),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const output = await child.output();
  const text = new TextDecoder().decode(output.stdout);
  if (output.code === 0) return text;
  const said = new TextDecoder().decode(output.stderr).trim();
  throw new Error(`Cannot load image "${archive}" into ${holder.hostname}: ${said}`);
}

function startProgram(
  holder: Holder,
  wish: NodePlace,
  [program, ...args]: readonly [string, ...string[]],
): void {
  const logPath = path.join(wish.folder, "log", `${path.basename(program)}.log`);
  const pidFile = `/run/${path.basename(program)}.pid`;
  const keepPid = `echo $$ >"$1"; shift; exec "$@"`;
  startDetached(
    [...enterHolder(holder), "sh", "-c", keepPid, "sh", pidFile, program, ...args],
    { logPath },
  );
}

/** Waits for Ready and tells the node its pod ranges, as a cloud's node controller would. */
async function becomeReady(wish: NodeWish): Promise<void> {
  const { plan, node, authority, admin } = wish;
  using api = openApi({ url: apiServerUrl(plan), authority, pair: admin });
  const target = `/api/v1/nodes/${node.name}`;
  const what = `node ${node.name} to become Ready (see ${path.join(wish.folder, "log")})`;
  await waitFor(async () => {
    const found = readNode(await api.send(target));
    if (!found.hasPodCidrs) {
      const spec = { podCIDR: node.podCidrs[0], podCIDRs: node.podCidrs };
      await api.send(target, {
        method: "PATCH",
        body: { spec },
        type: "application/merge-patch+json",
      });
    }
    return found.ready ? true : undefined;
  }, { what, timeoutMs: READY_TIMEOUT_MS });
}

function readNode(node: unknown): { readonly hasPodCidrs: boolean; readonly ready: boolean } {
  const parsed = NODES.parse(node);
  if (!parsed.ok) throw new Error(`Cannot read a node: ${parsed.error}`);
  const { spec } = parsed.value;
  return {
    hasPodCidrs: spec !== undefined && "podCIDRs" in spec,
    ready: isNodeReady(parsed.value),
  };
}

function kubeletCommand(node: NodePlan): readonly [string, ...string[]] {
  return [
    `${NODE_PROGRAMS}/kubelet`,
    `--config=${NODE_STATE}/etc/kubelet.json`,
    `--kubeconfig=${NODE_STATE}/etc/kubelet.kubeconfig`,
    "--root-dir=/var/lib/kubelet",
    "--cert-dir=/var/lib/kubelet/pki",
    `--hostname-override=${node.name}`,
    `--node-ip=${node.addresses.join(",")}`,
  ];
}

function proxyCommand({ plan, node }: NodePlace): readonly [string, ...string[]] {
  return [
    `${NODE_PROGRAMS}/kube-proxy`,
    `--kubeconfig=${NODE_STATE}/etc/admin.kubeconfig`,
    `--hostname-override=${node.name}`,
    "--proxy-mode=nftables",
    `--cluster-cidr=${plan.podCidrs.join(",")}`,
    "--conntrack-max-per-core=0", // The machine's own limits are not a node's to change.
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
  ];
}

function kubeletConfiguration(node: NodePlan): unknown {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: `${NODE_STATE}/etc/ca.crt` },
    },
    authorization: { mode: "AlwaysAllow" },
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${node.name}`,
    failCgroupV1: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    evictionHard: { "memory.available": "50Mi", "nodefs.available": "1%" },
    imageGCHighThresholdPercent: 100, // Images come from archives: a collected one is lost.
    maxPods: 200,
    nodeStatusUpdateFrequency: "5s",
    registryPullQPS: 0,
    resolvConf: "/dev/null",
    serializeImagePulls: false,
    syncFrequency: "10s",
  };
}

function overlayConfiguration(node: NodePlan): unknown {
  return {
    cniVersion: "1.0.0",
    name: "overlay",
    plugins: [{
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        ranges: node.podCidrs.map((subnet) => [{ subnet }]),
        routes: node.podCidrs.map((cidr) => ({ dst: cidr.includes(":") ? "::/0" : "0.0.0.0/0" })),
      },
    }, { type: "portmap", capabilities: { portMappings: true } }],
  };
}

function multusConfiguration(): unknown {
  return {
    cniVersion: "1.0.0",
    name: "multus",
    type: "multus",
    capabilities: { portMappings: true },
    kubeconfig: "/etc/cni/net.d/multus.d/multus.kubeconfig",
    clusterNetwork: "overlay",
    confDir: "/etc/cni/net.d",
    binDir: "/opt/cni/bin",
    multusNamespace: "spiderpool", // Where networks of eth0 are: the namespace of the agents.
  };
}

function containerdConfiguration(): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`;
}
