/** etcd and the Kubernetes control plane: which files, which flags, started where. */
import * as path from "node:path";
import { auditFlags, writeAuditPolicy } from "./audit.ts";
import {
  type Authority,
  createAuthority,
  createTokenKeys,
  openAuthority,
  type PemPair,
} from "./pki.ts";
import {
  endProcess,
  isAlive,
  lastWordsOf,
  type ProcessIdentity,
  startDetached,
  waitFor,
} from "./process.ts";

/** What a control plane is made of. Addresses are the ones its API server is reached at. */
export interface ControlPlaneWish {
  /** Holds keys, etcd's data and `log/`; made if missing. */
  readonly folder: string;
  /** Holds `kube-apiserver`, `etcd`, … */
  readonly programs: string;
  /** First one is advertised; without a prefix. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly etcdPorts: { readonly client: number; readonly peer: number };
  readonly podCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly apiServiceAddresses: readonly string[];
  /** Whether kube-controller-manager and kube-scheduler run as well. */
  readonly controllers: boolean;
  /** Namespace whose ServiceAccounts' requests are written down; absent: none are. */
  readonly auditedNamespace?: string;
  /** Put before each command, to start it inside namespaces. */
  readonly enter: readonly string[];
}

/** Programs of a control plane, in the order in which they start. */
export type ControlPlaneProgram =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler";

/** A running control plane. Disposing it ends its processes; its folder stays. */
export interface ControlPlane extends AsyncDisposable {
  /** `https://address:port`. */
  readonly url: string;
  /** `http://127.0.0.1:port`; without TLS, since it is on loopback or in a namespace. */
  readonly etcdUrl: string;
  /** A kubeconfig file of a cluster administrator. */
  readonly kubeconfigPath: string;
  readonly authority: Authority;
  readonly admin: PemPair;
  readonly processes: ReadonlyMap<ControlPlaneProgram, ProcessIdentity>;
  /** Ends one program (SIGKILL if `force`) and leaves it down. */
  stop(program: ControlPlaneProgram, options: { readonly force: boolean }): Promise<void>;
  /** Starts a stopped program again on the same data, and waits until the API is ready. */
  start(program: ControlPlaneProgram): Promise<void>;
}

const READY_TIMEOUT_MS = 90_000;
const END_GRACE_MS = 15_000;

/** Starts a control plane and waits until its API server says that it is ready. */
export async function startControlPlane(wish: ControlPlaneWish): Promise<ControlPlane> {
  const pki = path.join(wish.folder, "pki");
  await Deno.mkdir(pki, { recursive: true });
  const logs = path.join(wish.folder, "log");
  await Deno.mkdir(logs, { recursive: true });
  const { authority, admin } = await writeKeys(pki, wish);
  const { folder, auditedNamespace: namespace } = wish;
  if (namespace !== undefined) await writeAuditPolicy(folder, { namespace });
  const url = urlOf(wish);
  const kubeconfigPath = path.join(wish.folder, "admin.kubeconfig");
  await writeKubeconfig(kubeconfigPath, { url, authority, pair: admin });

  const commands = controlPlaneCommands(wish, kubeconfigPath);
  const processes = new Map<ControlPlaneProgram, ProcessIdentity>();
  function launch(program: ControlPlaneProgram): void {
    const [name, ...args] = commands[program];
    const command = [...wish.enter, path.join(wish.programs, name), ...args];
    const [first, ...rest] = command;
    if (first === undefined) return;
    processes.set(program, startDetached([first, ...rest], { logPath: logOf(program, { logs }) }));
  }
  async function ready(): Promise<void> {
    using api = openApi({ url, authority, pair: admin });
    await waitFor(async () => await api.isReady() ? true : undefined, {
      what: `the API server at ${url} (see ${logs})`,
      timeoutMs: READY_TIMEOUT_MS,
      hopeless: () => describeDead(processes, { logs }),
    });
  }
  async function stop(
    program: ControlPlaneProgram,
    { force }: { readonly force: boolean },
  ): Promise<void> {
    const identity = processes.get(program);
    if (identity !== undefined) await endProcess(identity, { graceMs: force ? 0 : END_GRACE_MS });
    processes.delete(program);
  }

  const plane: ControlPlane = {
    url,
    etcdUrl: `http://127.0.0.1:${wish.etcdPorts.client}`,
    kubeconfigPath,
    authority,
    admin,
    processes,
    stop,
    start: async (program) => {
      launch(program);
      await ready();
    },
    [Symbol.asyncDispose]: async () => {
      for (const program of [...processes.keys()].toReversed()) {
        await stop(program, { force: true }); // Its data goes with it: nothing to finish.
      }
    },
  };
  try {
    launch("etcd");
    launch("kube-apiserver");
    await ready();
    if (wish.controllers) {
      launch("kube-controller-manager");
      launch("kube-scheduler");
    }
  } catch (error) {
    await plane[Symbol.asyncDispose]();
    throw error;
  }
  return plane;
}

/** Commands of a control plane, first word relative to its program folder. */
export function controlPlaneCommands(
  wish: ControlPlaneWish,
  kubeconfigPath: string,
): Readonly<Record<ControlPlaneProgram, readonly [string, ...string[]]>> {
  const pki = path.join(wish.folder, "pki");
  const etcdUrl = `http://127.0.0.1:${wish.etcdPorts.client}`;
  const peerUrl = `http://127.0.0.1:${wish.etcdPorts.peer}`;
  const advertised = wish.addresses[0] ?? "127.0.0.1";
  const loopbackOnly = advertised === "127.0.0.1";
  return {
    "etcd": [
      "etcd",
      `--data-dir=${path.join(wish.folder, "etcd")}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=default=${peerUrl}`,
      "--unsafe-no-fsync", // Test data: a power cut may lose it.
      "--log-level=warn",
    ],
    "kube-apiserver": [
      "kube-apiserver",
      `--etcd-servers=${etcdUrl}`,
      `--secure-port=${wish.port}`,
      `--bind-address=${loopbackOnly ? "127.0.0.1" : wish.addresses.some(isV6) ? "::" : "0.0.0.0"}`,
      // The Service `kubernetes` takes no loopback endpoint; nobody uses it in that mode.
      `--advertise-address=${loopbackOnly ? "198.18.255.1" : advertised}`,
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
      `--client-ca-file=${pki}/ca.crt`,
      `--service-account-key-file=${pki}/token.pub`,
      `--service-account-signing-key-file=${pki}/token.key`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-cluster-ip-range=${wish.serviceCidrs.join(",")}`,
      "--authorization-mode=Node,RBAC",
      "--allow-privileged=true",
      "--kubelet-preferred-address-types=InternalIP",
      `--kubelet-client-certificate=${pki}/admin.crt`,
      `--kubelet-client-key=${pki}/admin.key`,
      "--enable-aggregator-routing=true", // Webhooks: there is no kube-proxy beside the API server.
      "--enable-admission-plugins=NodeRestriction",
      ...(wish.auditedNamespace === undefined ? [] : auditFlags(wish.folder)),
    ],
    "kube-controller-manager": [
      "kube-controller-manager",
      `--kubeconfig=${kubeconfigPath}`,
      `--service-account-private-key-file=${pki}/token.key`,
      `--root-ca-file=${pki}/ca.crt`,
      `--cluster-cidr=${wish.podCidrs.join(",")}`,
      `--service-cluster-ip-range=${wish.serviceCidrs.join(",")}`,
      "--allocate-node-cidrs=false",
      "--use-service-account-credentials",
      "--leader-elect=false",
    ],
    "kube-scheduler": ["kube-scheduler", `--kubeconfig=${kubeconfigPath}`, "--leader-elect=false"],
  };
}

/** Writes a self-contained kubeconfig (JSON, which is YAML). */
export async function writeKubeconfig(
  file: string,
  { url, authority, pair }: {
    readonly url: string;
    readonly authority: Pick<Authority, "certificate">;
    readonly pair: PemPair;
  },
): Promise<void> {
  const configuration = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "rig",
    clusters: [{
      name: "rig",
      cluster: { server: url, "certificate-authority-data": btoa(authority.certificate) },
    }],
    users: [{
      name: "rig",
      user: {
        "client-certificate-data": btoa(pair.certificate),
        "client-key-data": btoa(pair.key),
      },
    }],
    contexts: [{ name: "rig", context: { cluster: "rig", user: "rig" } }],
  };
  await Deno.writeTextFile(file, JSON.stringify(configuration, null, 2), { mode: 0o600 });
}

/** The rig's own small API client, for what it does before anything of the project runs. */
export interface RigApi extends Disposable {
  isReady(): Promise<boolean>;
  /** Sends one request; `path` begins with `/`. @throws {Error} On any status but 2xx. */
  send(
    path: string,
    options?: { readonly method?: string; readonly body?: unknown; readonly type?: string },
  ): Promise<unknown>;
}

/** Opens the API with a client certificate. */
export function openApi(
  { url, authority, pair }: {
    readonly url: string;
    readonly authority: Pick<Authority, "certificate">;
    readonly pair: PemPair;
  },
): RigApi {
  const client = Deno.createHttpClient({
    caCerts: [authority.certificate],
    cert: pair.certificate,
    key: pair.key,
  });
  return {
    isReady: async () => {
      const reply = await fetch(`${url}/readyz`, { client });
      return (await reply.text()) === "ok";
    },
    send: async (target, { method = "GET", body, type = "application/json" } = {}) => {
      const reply = await fetch(`${url}${target}`, {
        client,
        method,
        headers: { "content-type": type },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await reply.text();
      if (!reply.ok) throw new Error(`Cannot ${method} ${target}: ${reply.status} ${text.trim()}`);
      return JSON.parse(text);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

async function writeKeys(
  pki: string,
  wish: ControlPlaneWish,
): Promise<{ readonly authority: Authority; readonly admin: PemPair }> {
  const authority = await createAuthority("rig");
  const server = await authority.issue({
    commonName: "kube-apiserver",
    dnsNames: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
    addresses: ["127.0.0.1", ...wish.addresses, ...wish.apiServiceAddresses],
  });
  const admin = await authority.issue({ commonName: "admin", organization: "system:masters" });
  const tokens = await createTokenKeys();
  const files = {
    "ca.crt": authority.certificate,
    "ca.key": authority.key,
    "apiserver.crt": server.certificate,
    "apiserver.key": server.key,
    "admin.crt": admin.certificate,
    "admin.key": admin.key,
    "token.key": tokens.key,
    "token.pub": tokens.public,
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(path.join(pki, name), text, { mode: 0o600 });
  }
  return { authority, admin };
}

/** What a control plane was started with, for a node that comes later. */
export async function readKeys(
  { folder }: Pick<ControlPlaneWish, "folder">,
): Promise<Pick<ControlPlane, "authority" | "admin">> {
  const read = async (name: string): Promise<PemPair> => {
    const file = path.join(folder, "pki", name);
    const [certificate, key] = await Promise.all([
      Deno.readTextFile(`${file}.crt`),
      Deno.readTextFile(`${file}.key`),
    ]);
    return { certificate, key };
  };
  const [ca, admin] = await Promise.all([read("ca"), read("admin")]);
  return { authority: await openAuthority(ca), admin };
}

function describeDead(
  processes: ReadonlyMap<ControlPlaneProgram, ProcessIdentity>,
  { logs }: { readonly logs: string },
): string | undefined {
  const dead = [...processes].filter(([, identity]) => !isAlive(identity)).map(([name]) =>
    `${name} ended: ${lastWordsOf(logOf(name, { logs }))}`
  );
  return dead.length === 0 ? undefined : dead.join("; ");
}

/** Where a program writes what it says. */
function logOf(program: ControlPlaneProgram, { logs }: { readonly logs: string }): string {
  return path.join(logs, `${program}.log`);
}

function urlOf(wish: ControlPlaneWish): string {
  const address = wish.addresses[0] ?? "127.0.0.1";
  return `https://${isV6(address) ? `[${address}]` : address}:${wish.port}`;
}

function isV6(address: string): boolean {
  return address.includes(":");
}
