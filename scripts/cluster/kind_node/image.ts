/** The image of kind's nodes, made here: for machines that have Docker but reach no registry. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import {
  type Components,
  digestOfFiles,
  KIND_VERSION,
  type KindPrograms,
  KUBERNETES_VERSION,
} from "../components.ts";
import { ensureRigImages } from "../image.ts";
import { type CommandOutput, type RunOptions, runOrThrow, waitFor } from "../process.ts";

/** Runs a command where Docker's client finds its engine. */
export type RunDocker = (
  command: readonly [string, ...string[]],
  options?: RunOptions,
) => Promise<CommandOutput>;

/** What a node is made from. */
export interface NodeImageParts {
  readonly components: Components;
  readonly programs: KindPrograms;
  readonly cache: string;
  readonly report: (line: string) => void;
  readonly run: RunDocker;
}

/** Programs of Kubernetes in the node itself. */
const NODE_PROGRAMS = ["kubelet", "kubectl"] as const;
/** Programs that kubeadm starts as pods, by the names of their images. */
const CONTROL_PLANE = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
] as const;
const DEBIAN = "bookworm";
const DEBIAN_PACKAGES = [
  ...["systemd", "dbus", "containerd", "runc", "containernetworking-plugins"],
  ...["iptables", "nftables", "conntrack", "iproute2", "ethtool", "mount", "kmod"],
  ...["procps", "jq", "ca-certificates"],
] as const;
/** kind applies a storage class of the node's; what is tested here stores nothing. */
const NO_STORAGE = JSON.stringify({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "standard" },
  provisioner: "kubernetes.io/no-provisioner",
});
const HERE = import.meta.dirname ?? ".";
const CONTAINERD_TIMEOUT_MS = 60_000;

/**
 * Has the image in Docker, from the cache or built; that takes minutes. Needs root, debootstrap and
 * Debian's packages.
 *
 * @returns Its reference, for `kind create cluster --image`.
 */
export async function ensureNodeImage(parts: NodeImageParts): Promise<string> {
  const files = ["Dockerfile", "cni.yaml", "image.ts"].map((file) => path.join(HERE, file));
  const version = `${KUBERNETES_VERSION}-${KIND_VERSION}-${await digestOfFiles(files)}`;
  const reference = `spiderpool.local/kind-node:${version}`;
  const archive = path.join(parts.cache, `kind-node-${version}.tar`);
  if (!existsSync(archive)) {
    parts.report(`Building the image of kind's nodes (once; kept in the cache)`);
    const work = await Deno.makeTempDir({ dir: parts.cache, prefix: "kind-node-" });
    try {
      await build(reference, { ...parts, work });
      await docker(parts, ["save", "--output", `${work}/node.tar`, reference]);
      await Deno.rename(`${work}/node.tar`, archive);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  } else {
    await docker(parts, ["load", "--quiet", "--input", archive]);
  }
  return reference;
}

async function build(
  reference: string,
  parts: NodeImageParts & { readonly work: string },
): Promise<void> {
  const { work } = parts;
  const context = path.join(work, "context");
  await layOutContext(context, parts);
  await layOutDebian(path.join(context, "debian.tar"), work);
  const images = await buildPods(context, parts);
  const base = `${reference}-base`;
  await docker(parts, ["build", "--quiet", "--target", "node", "--tag", base, context]);
  const started = ["--privileged", "--entrypoint", "sleep", base, "infinity"];
  const container = (await docker(parts, ["run", "--detach", ...started])).trim();
  try {
    await fill(container, { ...parts, archives: [images, ...await ensureRigImages(parts.cache)] });
    await docker(parts, [
      ...["commit", "--change", 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'],
      ...[container, reference],
    ]);
  } finally {
    await docker(parts, ["rm", "--force", "--volumes", container]);
  }
}

/** All of the context but Debian: programs, kind's files, manifests, the Dockerfile. */
async function layOutContext(
  context: string,
  { components: { folder }, programs }: Pick<NodeImageParts, "components" | "programs">,
): Promise<void> {
  const lists = { control_plane: CONTROL_PLANE, node: NODE_PROGRAMS, etcd: ["etcd"] };
  for (const [name, list] of Object.entries(lists)) {
    const place = path.join(context, name);
    await Deno.mkdir(place, { recursive: true });
    await copyPrograms(list, { folder, place });
  }
  await Deno.copyFile(path.join(programs.folder, "kubeadm"), path.join(context, "node/kubeadm"));
  await runOrThrow(["cp", "-r", programs.nodeFiles, path.join(context, "kind")]);
  const manifests = path.join(context, "manifests");
  await Deno.mkdir(manifests);
  await Deno.copyFile(path.join(HERE, "cni.yaml"), path.join(manifests, "default-cni.yaml"));
  await Deno.writeTextFile(path.join(manifests, "default-storage.yaml"), NO_STORAGE);
  await Deno.writeTextFile(path.join(context, "kind/kind/version"), KUBERNETES_VERSION);
  await Deno.copyFile(path.join(HERE, "Dockerfile"), path.join(context, "Dockerfile"));
}

/** What is one file under several names is copied once; the others are links to it. */
async function copyPrograms(
  programs: readonly string[],
  { folder, place }: { readonly folder: string; readonly place: string },
): Promise<void> {
  const copied = new Map<number | null, string>();
  for (const program of programs) {
    const { ino } = await Deno.stat(path.join(folder, program));
    const same = copied.get(ino);
    if (same === undefined) {
      await Deno.copyFile(path.join(folder, program), path.join(place, program));
      copied.set(ino, program);
    } else {
      await Deno.symlink(same, path.join(place, program));
    }
  }
}

async function layOutDebian(archive: string, work: string): Promise<void> {
  const root = path.join(work, "debian");
  const include = `--include=${DEBIAN_PACKAGES.join(",")}`;
  await runOrThrow(["debootstrap", "--variant=minbase", include, DEBIAN, root]);
  const left = ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*"];
  await runOrThrow(["tar", "-C", root, ...left, "-cf", archive, "."]);
  await Deno.remove(root, { recursive: true });
}

/** Builds the images of what kubeadm starts as pods. @returns One archive of them. */
async function buildPods(
  context: string,
  parts: NodeImageParts & { readonly work: string },
): Promise<string> {
  const kubeadm = path.join(parts.programs.folder, "kubeadm");
  const command = ["config", "images", "list", `--kubernetes-version=${KUBERNETES_VERSION}`];
  const wanted = (await runOrThrow([kubeadm, ...command])).trim().split("\n");
  const references: string[] = [];
  for (const [target, names] of [["kubernetes", CONTROL_PLANE], ["etcd", ["etcd"]]] as const) {
    const tags = wanted.filter((image) => names.some((name) => image.includes(`/${name}:`)));
    await docker(parts, [
      ...["build", "--quiet", "--target", target, ...tags.flatMap((tag) => ["--tag", tag])],
      context,
    ]);
    references.push(...tags);
  }
  const archive = path.join(parts.work, "pods.tar");
  await docker(parts, ["save", "--output", archive, ...references]);
  return archive;
}

/** Has the containerd of a node-to-be import images, as its pods find them. */
async function fill(
  container: string,
  { archives, ...parts }: NodeImageParts & { readonly archives: readonly string[] },
): Promise<void> {
  await docker(parts, ["exec", "--detach", container, "containerd"]);
  await waitFor(async () => {
    const { code } = await parts.run(["docker", "exec", container, "ctr", "version"]);
    return code === 0 ? true : undefined;
  }, { what: "containerd in a node of kind", timeoutMs: CONTAINERD_TIMEOUT_MS });
  for (const archive of archives) {
    await docker(parts, ["cp", archive, `${container}:/archive.tar`]);
    const script = "ctr -n k8s.io images import /archive.tar && rm /archive.tar";
    await docker(parts, ["exec", container, "sh", "-ec", script]);
  }
  const end =
    "pkill containerd; while pgrep containerd; do sleep 0.1; done; rm -rf /run/containerd";
  await docker(parts, ["exec", container, "sh", "-c", end]);
}

async function docker(
  { run }: Pick<NodeImageParts, "run">,
  args: readonly string[],
): Promise<string> {
  const { code, stdout, stderr } = await run(["docker", ...args]);
  if (code === 0) return stdout;
  throw new Error(`docker ${args[0]} ended with code ${code}: ${stderr.trim().slice(-2_000)}`);
}
