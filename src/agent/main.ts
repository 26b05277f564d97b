/** Builds the real ports of `spiderpool-agent` and runs it. No logic. */
import { createHash } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { errorText } from "../base/log.ts";
import type { ProgramPorts } from "../base/program.ts";
import { type Random, systemRandom } from "../base/random.ts";
import { ok, type Result } from "../base/result.ts";
import type { AgentSettings } from "./config.ts";
import type { Cluster } from "./daemon.ts";
import { type EnginePorts, IpamEngine } from "./engine.ts";
import {
  listenTcp,
  nodeFiles,
  openApiServer,
  openProcessMetrics,
  openProvider,
  stopSignals,
} from "../daemon/machine.ts";
import { tellPodOf } from "../daemon/last_word.ts";
import type { FilePair, PluginFolders } from "./install.ts";
import type { NodePrograms } from "./install_trial.ts";
import type { MultusFiles } from "./multus/keeper.ts";
import { driverOf, masterSubnetsOf, NetlinkSocket, sysfsAt } from "../netlink/mod.ts";
import { podFolderOf } from "./pod_folders.ts";
import { runAgent } from "./program.ts";
import type { RemovalProgramPorts } from "./removal/program.ts";
import { tracesIn } from "./removal/traces.ts";
import type { ThirdPartyFiles } from "./third_party/installer.ts";
import type { AgentEngine } from "./service.ts";
import type { FoundFile, SocketPorts } from "./socket_file.ts";
import type { NetnsState, StandalonePorts } from "./standalone/ports.ts";
import { SYSCTL_FOLDER, type SysctlKey, type SysctlPorts } from "./sysctls.ts";

const OWN_NETNS = "/proc/self/ns/net";
const COMPARED_BYTES = 1_048_576;
/** Permission bits, and those that say who may remove or run as whom. */
const MODE_BITS = 0o7777;
/** Where programs are found that are started. */
const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs `spiderpool-agent` to its end, and gives its exit code. */
export async function run(ports: ProgramPorts): Promise<number> {
  const clock = systemClock();
  const random = systemRandom();
  using signals = stopSignals();
  const openStore = () => openApiServer("spiderpool-agent", { clock, random });
  return await runAgent({
    ...ports,
    clock,
    random,
    stop: signals.stop,
    readText: (path) => Deno.readTextFile(path),
    tellPod: tellPodOf("spiderpool-agent", { ...ports, clock, random, openStore }),
    writeLog: (line) => {
      try {
        ports.writeOutput(line);
      } catch {
        // Who read the log has gone: that is no reason to fail the pods of this node.
      }
    },
    sysctls: sysctlPorts(SYSCTL_FOLDER),
    sockets: socketPorts(),
    listenTcp,
    openMetrics: openProcessMetrics,
    openCluster: (settings, options) => openCluster(settings, { ...options, clock, random }),
    install: { folders: pluginFolders(), programs: nodePrograms(), clock, random },
    thirdParty: { files: thirdPartyFiles({ random }), programs: nodePrograms(), clock, random },
    multus: { files: multusFiles({ random }) },
    removal: removalPorts(),
    standalone: standalonePorts({ clock, random }),
  });
}

/** Database, files and network namespaces of this machine. */
export function standalonePorts(
  parts: Pick<EnginePorts, "clock" | "random">,
): StandalonePorts {
  return {
    openStore: async (options) => {
      const { openSqliteStore } = await import("../store/sqlite_store.ts");
      return await openSqliteStore({ ...options, ...parts });
    },
    makeFolder: (path) => Deno.mkdir(path, { recursive: true }),
    listFolder: async (path) => {
      try {
        return (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
      } catch (error) {
        if (error instanceof Deno.errors.NotADirectory) return undefined;
        throw error;
      }
    },
    lookAtNetns,
    masterSubnets: masterSubnets(),
    openProvider: (settings) => openProvider(settings, parts),
    onReload: (listener) => {
      Deno.addSignalListener("SIGHUP", listener);
      return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", listener) };
    },
  };
}

/** What tells network namespaces from other files is the file system that they are on. */
async function lookAtNetns(path: string): Promise<NetnsState> {
  try {
    const [own, found] = await Promise.all([Deno.stat(OWN_NETNS), Deno.stat(path)]);
    if (found.dev !== own.dev) return { kind: "gone" };
    return { kind: "there", identity: `${found.dev}:${found.ino}` };
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    return isGone ? { kind: "gone" } : { kind: "unknown", why: errorText(error) };
  }
}

/** Looks into network namespaces, each time it is asked. */
function masterSubnets(): EnginePorts["masterSubnets"] {
  return masterSubnetsOf({
    driverOf,
    sysfs: sysfsAt("/sys"),
    nodeAddresses: () => Deno.networkInterfaces(),
  });
}

/** The one place where the engine is made. */
function makeEngine(
  parts: Pick<EnginePorts, "store" | "clock" | "random" | "log" | "metrics">,
  { kubeletRootDir: root, ipam, nodeName, podName, provider }: AgentSettings,
): AgentEngine {
  return new IpamEngine({
    ...parts,
    masterSubnets: masterSubnets(),
    nodeLinks: () => sysfsAt("/sys").list("class/net"),
    provider: provider && openProvider(provider, parts),
    sandboxOf: (uid) => podFolderOf(uid, { root, isFolder }),
  }, { ipam, nodeName, identity: `${podName}-${crypto.randomUUID()}` });
}

/** The cluster by this pod's service account, or by a kubeconfig. */
async function openCluster(
  settings: AgentSettings,
  { log, metrics, clock, random }: Pick<EnginePorts, "log" | "metrics" | "clock" | "random">,
): Promise<Result<Cluster, string>> {
  const opened = await openApiServer("spiderpool-agent", { clock, random });
  if (!opened.ok) return opened;
  const { store } = opened.value;
  const engine = makeEngine({ store, clock, random, log, metrics }, settings);
  return ok({ ...opened.value, engine });
}

/** Settings of this network namespace's kernel, where its /proc/sys/net is mounted. */
export function sysctlPorts(folder: string): SysctlPorts {
  const pathOf = (key: SysctlKey): string => [folder, ...key].join("/");
  return {
    areThere: () => isFolder(folder),
    list: async (key) => {
      const entries = await unlessMissing(Array.fromAsync(Deno.readDir(pathOf(key))));
      return entries?.map(({ name }) => name);
    },
    read: (key) => unlessMissing(Deno.readTextFile(pathOf(key))),
    write: async ({ key, value }) => {
      const options = { create: false };
      const written = Deno.writeTextFile(pathOf(key), `${value}\n`, options).then(() => true);
      return await unlessMissing(written) ?? false;
    },
  };
}

/** Files and unix sockets of this machine. */
export function socketPorts(): SocketPorts {
  return {
    look: async (path) => {
      const found = await unlessMissing(Deno.lstat(path));
      return found === undefined ? undefined : fileOf(found);
    },
    makeFolder: (path) => Deno.mkdir(path, { recursive: true }),
    setMode: (path, mode) => Deno.chmod(path, mode),
    rename: ({ from, to }) => Deno.rename(from, to),
    remove: (path) => Deno.remove(path),
    lock: async (path) => {
      const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
      if (await file.tryLock(true)) return file;
      file.close();
      return undefined;
    },
    listen: (path) => Deno.listen({ transport: "unix", path }),
    connect: (path) => Deno.connect({ transport: "unix", path }),
  };
}

function fileOf({ dev, ino, mode, isDirectory, isSocket }: Deno.FileInfo): FoundFile {
  return {
    kind: isSocket === true ? "socket" : isDirectory ? "folder" : "other",
    identity: `${dev}:${ino}`,
    mode: (mode ?? 0) & MODE_BITS,
  };
}

/** Folders of this machine, for the installation of plugins. */
export function pluginFolders(): PluginFolders {
  return {
    list: async (folder) => {
      const entries = await unlessMissing(Array.fromAsync(Deno.readDir(folder)));
      return entries?.map(({ name }) => name);
    },
    areSame,
    copy: async ({ from, to }) => {
      await Deno.copyFile(from, to);
      using file = await Deno.open(to, { read: true });
      await file.sync();
    },
    link: ({ from, to }) => Deno.link(from, to),
    rename: ({ from, to }) => Deno.rename(from, to),
    makeFolder: (folder) => Deno.mkdir(folder),
    remove: async (path) => {
      await unlessMissing(Deno.remove(path, { recursive: true }));
    },
  };
}

/** CNI configurations of a node. */
export function multusFiles({ random }: { readonly random: Random }): MultusFiles {
  return {
    ...nodeFiles(),
    isThere: async (path) => await unlessMissing(Deno.stat(path)) !== undefined,
    modeOf: async (path) => {
      const found = await unlessMissing(Deno.lstat(path));
      return found === undefined ? undefined : (found.mode ?? 0) & MODE_BITS;
    },
    makeFolder: (path) => Deno.mkdir(path, { mode: 0o700 }),
    remove: async (path) => {
      await unlessMissing(Deno.remove(path));
    },
    writeWhole: async (path, { text, mode }) => {
      // No runtime reads a file that ends so.
      const part = `${path}.${random.bigBelow(1n << 64n).toString(16)}.part`;
      try {
        await Deno.writeTextFile(part, text, { createNew: true, mode });
        await Deno.chmod(part, mode); // Whatever the umask is.
        using file = await Deno.open(part);
        await file.sync();
        await Deno.rename(part, path);
      } catch (error) {
        await unlessMissing(Deno.remove(part));
        throw error;
      }
    },
  };
}

/** Folders of this machine, for plugins of third parties. */
export function thirdPartyFiles({ random }: { readonly random: Random }): ThirdPartyFiles {
  const { writeWhole } = multusFiles({ random });
  return { ...pluginFolders(), readText: (path) => Deno.readTextFile(path), writeWhole, digestOf };
}

/** Digest of a file as it is read, for it may be large. */
async function digestOf(path: string): Promise<string | undefined> {
  const found = await unlessMissing(Deno.lstat(path));
  if (found === undefined) return undefined;
  if (!found.isFile) return "no file";
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const chunk = new Uint8Array(COMPARED_BYTES);
  for (;;) {
    const size = await file.read(chunk);
    if (size === null) return `sha256:${hash.digest("hex")}`;
    hash.update(chunk.subarray(0, size));
  }
}

/** What is taken off this machine, and its network namespace. */
export function removalPorts(): Pick<RemovalProgramPorts, "files" | "openKernel"> {
  const { list, remove } = pluginFolders();
  return {
    files: { list, remove, readText: (path) => Deno.readTextFile(path), digestOf },
    openKernel: () => {
      const socket = NetlinkSocket.openRoute();
      const close = (): void => socket[Symbol.dispose]();
      return { traces: () => tracesIn(socket), [Symbol.dispose]: close };
    },
  };
}

/** Programs of the node, by `chroot`: this container has other ones, or none. */
export function nodePrograms(): NodePrograms {
  return {
    processor: Deno.build.arch,
    run: async (command, { root, environment, input, signal }) => {
      const [program = "", ...args] = root === "/" ? command : ["chroot", root, ...command];
      const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
      const how = { args, clearEnv: true, env: { PATH, ...environment }, signal, ...streams };
      try {
        const child = new Deno.Command(program, how).spawn();
        const writer = child.stdin.getWriter();
        // It may end without reading.
        await writer.write(new TextEncoder().encode(input)).catch(() => {});
        await writer.close().catch(() => {});
        const { code, stdout, stderr } = await child.output();
        const decoder = new TextDecoder();
        return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        return { code: 127, stdout: "", stderr: errorText(error) };
      }
    },
  };
}

async function areSame({ from, to }: FilePair): Promise<boolean> {
  const infos = await Promise.all([from, to].map((path) => unlessMissing(Deno.lstat(path))));
  const [one, other] = infos;
  if (one?.isFile !== true || other?.isFile !== true) return false;
  if (one.size !== other.size || one.mode !== other.mode) return false;
  using first = await Deno.open(from);
  using second = await Deno.open(to);
  const chunks = [new Uint8Array(COMPARED_BYTES), new Uint8Array(COMPARED_BYTES)] as const;
  for (;;) {
    const size = await fill(first, chunks[0]);
    if (await fill(second, chunks[1]) !== size) return false;
    if (size === 0) return true;
    for (let index = 0; index < size; index++) {
      if (chunks[0][index] !== chunks[1][index]) return false;
    }
  }
}

/** Reads until the chunk is full or the file ends. */
async function fill(file: Deno.FsFile, chunk: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < chunk.length) {
    const size = await file.read(chunk.subarray(filled));
    if (size === null) break;
    filled += size;
  }
  return filled;
}

async function isFolder(path: string): Promise<boolean> {
  return (await unlessMissing(Deno.stat(path)))?.isDirectory ?? false;
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
