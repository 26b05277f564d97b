/**
 * Gets the programs a native cluster runs: the official builds where their site can be reached,
 * else built with Go from the modules pinned (with checksums) in `go/`. Either way once, into a
 * cache.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { hasProgram, ignoreMissing, runOrThrow } from "./process.ts";

/** Kubernetes version of the native cluster; `go/kubernetes/go.mod` says the same. */
export const KUBERNETES_VERSION = "v1.34.2";
/** etcd version; `go/etcd/go.mod` says the same. */
export const ETCD_VERSION = "v3.6.5";
/** Multus version; `go/multus/go.mod` says the same. */
export const MULTUS_VERSION = "v4.2.2";

/** Programs that the one Kubernetes executable becomes, by name. */
export const KUBERNETES_PROGRAMS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
  "kubelet",
  "kubectl",
] as const;

const OFFICIAL_SITE = "https://dl.k8s.io";
const REACH_TIMEOUT_MS = 3_000;

/** ovs-cni version; `go/ovs_cni/go.mod` says the same. The VM has it. */
export const OVS_CNI_VERSION = "v0.39.0";

/**
 * cert-manager version; `go/issuer/go.mod` says the same. Later ones keep their programs in
 * modules whose paths no proxy can serve (`controller-binary`); the API and what is injected are
 * the same.
 */
export const CERT_MANAGER_VERSION = "v1.11.5";

/** kind's version; `go/kind/go.mod` says the same. */
export const KIND_VERSION = "v0.30.0";

/** Paths of the programs: a folder with one entry a name. */
export interface Components {
  /** Holds `KUBERNETES_PROGRAMS`, `etcd` and `multus`. */
  readonly folder: string;
}

/** Ports of `ensureComponents`, so that its choice can be tested without a network. */
export interface ComponentSources {
  readonly cache: string;
  readonly report: (line: string) => void;
  readonly fetch: typeof fetch;
}

/**
 * Makes sure that every program is in the cache, and says what it does if that takes time. Two
 * callers at once do the work twice at worst: each program appears by one rename.
 */
export async function ensureComponents(sources: ComponentSources): Promise<Components> {
  const source = await sourceDigest();
  const folder = path.join(sources.cache, `components-${KUBERNETES_VERSION}-${source}`);
  await Deno.mkdir(folder, { recursive: true });
  await ensureKubernetes(folder, sources);
  await ensureBuilt(folder, {
    name: "etcd",
    module: "etcd",
    target: "go.etcd.io/etcd/server/v3",
    ldflags: "-s -w",
    version: ETCD_VERSION,
    sources,
  });
  await ensureBuilt(folder, {
    name: "multus",
    module: "multus",
    target: "gopkg.in/k8snetworkplumbingwg/multus-cni.v4/cmd/multus",
    ldflags: "-s -w",
    version: MULTUS_VERSION,
    sources,
  });
  return { folder };
}

async function ensureKubernetes(folder: string, sources: ComponentSources): Promise<void> {
  const missing = KUBERNETES_PROGRAMS.filter((name) => !existsSync(path.join(folder, name)));
  if (missing.length === 0) return;
  if (await downloadOfficial(folder, missing, sources)) return;
  await ensureBuilt(folder, {
    name: "kube",
    module: "kubernetes",
    target: ".",
    ldflags: kubernetesLdflags(),
    version: KUBERNETES_VERSION,
    sources,
  });
  for (const name of KUBERNETES_PROGRAMS) {
    await Deno.remove(path.join(folder, name)).catch(ignoreMissing);
    await Deno.link(path.join(folder, "kube"), path.join(folder, name));
  }
}

/**
 * Downloads the official programs, each checked against the checksum published beside it.
 *
 * @returns False, with nothing kept, if the site cannot be reached.
 * @throws {Error} If a program's bytes are not what the site's checksum says.
 */
export async function downloadOfficial(
  folder: string,
  names: readonly string[],
  { fetch, report }: Pick<ComponentSources, "fetch" | "report">,
): Promise<boolean> {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const base = `${OFFICIAL_SITE}/${KUBERNETES_VERSION}/bin/linux/${arch}`;
  if (!await canReach(`${base}/${names[0]}.sha256`, fetch)) return false;
  report(`Downloading Kubernetes ${KUBERNETES_VERSION}: ${names.join(", ")}`);
  for (const name of names) {
    const wanted = (await (await fetch(`${base}/${name}.sha256`)).text()).trim().slice(0, 64);
    const bytes = new Uint8Array(await (await fetch(`${base}/${name}`)).arrayBuffer());
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== wanted) {
      throw new Error(`Cannot use "${name}" from ${base}: its sha256 is ${found}, not ${wanted}`);
    }
    const file = path.join(folder, name);
    await Deno.writeFile(`${file}.part`, bytes, { mode: 0o755 });
    await Deno.rename(`${file}.part`, file);
  }
  return true;
}

async function canReach(url: string, fetcher: typeof fetch): Promise<boolean> {
  try {
    const reply = await fetcher(url, { signal: AbortSignal.timeout(REACH_TIMEOUT_MS) });
    await reply.body?.cancel();
    return reply.ok;
  } catch {
    return false; // No network, no such host, a proxy's refusal: all mean that we build instead.
  }
}

interface Build {
  readonly name: string;
  readonly module: string;
  readonly target: string;
  readonly ldflags: string;
  readonly version: string;
  readonly sources: Pick<ComponentSources, "report">;
  /** As Go calls it; absent: this machine's. */
  readonly architecture?: string;
}

/** Builds the CNI plugin `ovs`, unless the folder has it. @returns Its path. */
export async function ensureOvsCni(
  folder: string,
  { architecture, report }: Pick<ComponentSources, "report"> & { readonly architecture: string },
): Promise<string> {
  const name = `ovs-cni-${OVS_CNI_VERSION}`;
  await Deno.mkdir(folder, { recursive: true });
  await ensureBuilt(folder, {
    ...{ name, module: "ovs_cni", ldflags: "-s -w", version: OVS_CNI_VERSION, architecture },
    target: "github.com/k8snetworkplumbingwg/ovs-cni/cmd/plugin",
    sources: { report },
  });
  return path.join(folder, name);
}

/** Programs of cert-manager, by name. */
export const CERT_MANAGER_PROGRAMS = [
  "cert-manager-controller",
  "cert-manager-cainjector",
] as const;

/** Builds cert-manager into the folder of the components. @returns The folder of its kinds. */
export async function ensureCertManager(
  { folder }: Components,
  { report }: Pick<ComponentSources, "report">,
): Promise<string> {
  const module = "issuer";
  const [root, version] = ["github.com/cert-manager/cert-manager", CERT_MANAGER_VERSION];
  for (const name of CERT_MANAGER_PROGRAMS) {
    const target = `${root}/cmd/${name.replace("cert-manager-", "")}`;
    await ensureBuilt(folder, {
      ...{ name, module, target, version, ldflags: "-s -w", sources: { report } },
    });
  }
  return path.join(await sourcesOf(module, { of: `${root}@${version}` }), "deploy", "crds");
}

/** What a cluster of kind needs beside `Components`. */
export interface KindPrograms {
  /** Holds `kind`, and the `kubeadm` of its nodes. */
  readonly folder: string;
  /** Folder of what kind's module keeps for its nodes. */
  readonly nodeFiles: string;
}

/** Builds `kind` and `kubeadm`, once, into the cache. */
export async function ensureKindPrograms(
  sources: Pick<ComponentSources, "cache" | "report">,
): Promise<KindPrograms> {
  const digest = await digestOf(["kind/go.mod", "kubeadm/go.mod"]);
  const folder = path.join(sources.cache, `kind-${KIND_VERSION}-${digest}`);
  await Deno.mkdir(folder, { recursive: true });
  await ensureBuilt(folder, {
    ...{ name: "kind", module: "kind", target: "sigs.k8s.io/kind", ldflags: "-s -w" },
    ...{ version: KIND_VERSION, sources },
  });
  await ensureBuilt(folder, {
    ...{ name: "kubeadm", module: "kubeadm", target: "k8s.io/kubernetes/cmd/kubeadm" },
    ...{ ldflags: kubernetesLdflags(), version: KUBERNETES_VERSION, sources },
  });
  const sourceFolder = await sourcesOf("kind", { of: `sigs.k8s.io/kind@${KIND_VERSION}` });
  return { folder, nodeFiles: path.join(sourceFolder, "images", "base", "files") };
}

/** Folder of the sources of a module that one of `go/` requires. @param options.of With version. */
async function sourcesOf(module: string, { of }: { readonly of: string }): Promise<string> {
  const command = [await findGo(), "mod", "download", "-json", of] as const;
  return JSON.parse(await runOrThrow(command, { cwd: moduleFolder(module) })).Dir;
}

function moduleFolder(module: string): string {
  return path.join(import.meta.dirname ?? ".", "go", module);
}

async function ensureBuilt(folder: string, build: Build): Promise<void> {
  const file = path.join(folder, build.name);
  if (existsSync(file)) return;
  const go = await findGo();
  build.sources.report(
    `Building ${build.module} ${build.version} with Go (once; kept in the cache)`,
  );
  const part = `${file}.part-${Deno.pid}`;
  await runOrThrow(
    [go, "build", "-trimpath", "-ldflags", build.ldflags, "-o", part, build.target],
    {
      cwd: moduleFolder(build.module),
      env: {
        ...{ CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" },
        ...(build.architecture !== undefined && { GOARCH: build.architecture }),
      },
    },
  );
  await Deno.rename(part, file);
}

/**
 * Finds a Go toolchain.
 *
 * @throws {Deno.errors.NotFound} With the remedy, if there is none.
 */
export async function findGo(): Promise<string> {
  for (const candidate of ["go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go"]) {
    if (await hasProgram(candidate)) return candidate;
  }
  throw new Deno.errors.NotFound(
    'Cannot build the programs of a rig: no "go" was found; run scripts/setup.sh cluster',
  );
}

function kubernetesLdflags(): string {
  const [major, minor] = KUBERNETES_VERSION.slice(1).split(".");
  const version = "k8s.io/component-base/version";
  const values = { gitVersion: KUBERNETES_VERSION, gitMajor: major, gitMinor: minor };
  const flags = Object.entries(values).map(([name, value]) => `-X ${version}.${name}=${value}`);
  return ["-s -w", ...flags].join(" ");
}

/** Changes whenever anything that decides the programs does: sources, modules, toolchain. */
function sourceDigest(): Promise<string> {
  return digestOf(["kubernetes/main.go", "kubernetes/go.mod", "etcd/go.mod", "multus/go.mod"]);
}

function digestOf(modules: readonly string[]): Promise<string> {
  return digestOfFiles(modules.map(moduleFolder));
}

/** Twelve digits that change with the content of files. */
export async function digestOfFiles(files: readonly string[]): Promise<string> {
  const digest = createHash("sha256");
  for (const file of files) digest.update(await Deno.readFile(file));
  return digest.digest("hex").slice(0, 12);
}

/** Folder that keeps what is expensive to make, outside any clone. */
export function cacheFolder(environment: { get(name: string): string | undefined }): string {
  const named = environment.get("SPIDERPOOL_CACHE");
  if (named !== undefined && named !== "") return named;
  const base = environment.get("XDG_CACHE_HOME") ??
    path.join(environment.get("HOME") ?? "/tmp", ".cache");
  return path.join(base, "spiderpool-deno");
}
