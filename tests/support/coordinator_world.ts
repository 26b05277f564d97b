/** A world for the plugin `coordinator`: an agent, files, and a pod on the model kernel. */
import type { PluginPorts } from "../../cni/coordinator/commands.ts";
import type { CoordinatorKernel, KernelView, Undone } from "../../cni/coordinator/kernel.ts";
import type { RecordFiles } from "../../cni/coordinator/record_files.ts";
import { seededRandom } from "../../src/base/random.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import type { CniVersion } from "../../src/cni/version.ts";
import type { KernelOperation, Step } from "../../src/datapath/operation.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import type { ModelKernel } from "./model_kernel.ts";
import { addNic, modelNode } from "./model_pod.ts";
import { type AgentStep, type PluginWorld, pluginWorld } from "./plugin_ports.ts";

/** What the agent of the specification's fixture answers. */
export const ANSWER = {
  mode: "auto",
  overlayPodCIDR: ["10.244.0.0/16", "fd00:244::/56"],
  serviceCIDR: ["10.233.0.0/18", "fd00:233::/116"],
  hijackCIDR: ["169.254.20.10/32"],
  tunePodRoutes: true,
  hostRuleTable: 500,
};

/** Path of the pod's network namespace. */
export const NETNS = "/var/run/netns/n1";
const CONTAINER = "abcdef0123456789";
const ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=1b-2c";

/** The plugin's world, and what happened in it. */
export interface CoordinatorWorld {
  readonly ports: PluginPorts;
  readonly outside: PluginWorld;
  readonly kernel: ModelKernel;
  readonly records: MemoryRecordFiles;
  readonly namespaces: FakeNamespaces;
}

/** Namespaces that are there, and a kernel that refuses what a test says. */
export class FakeNamespaces implements CoordinatorKernel {
  readonly #kernel: ModelKernel;
  /** Paths at which a namespace is. */
  readonly there = new Set([NETNS]);
  /** Operations that are refused, by kind and by how many are let through before. */
  refusal: { readonly kind: KernelOperation["kind"]; readonly after: number } | undefined;
  /** Views that are open. */
  openCount = 0;

  constructor(kernel: ModelKernel) {
    this.#kernel = kernel;
  }

  open(netns: string): KernelView {
    if (this.there.has(netns)) return this.#view({ hasPod: true });
    const message = `Cannot open network namespace ${JSON.stringify(netns)} (ENOENT)`;
    throw new NetlinkError("no_netns", { message });
  }

  openWhatIsThere(netns: string): KernelView {
    return this.#view({ hasPod: this.there.has(netns) });
  }

  isThere(netns: string): boolean {
    return this.there.has(netns);
  }

  #view({ hasPod }: { readonly hasPod: boolean }): KernelView {
    this.openCount++;
    return {
      factsForAdd: (wish) => this.#kernel.facts(wish.hostRuleTable),
      factsForRemoval: (wish, record) => {
        const { pod, node } = this.#kernel.facts(record?.hostRuleTable ?? wish.hostRuleTable);
        return { pod: hasPod ? pod : undefined, node };
      },
      apply: (steps) => this.#apply(steps),
      carryOut: (operations) =>
        operations.flatMap((operation) => {
          const done = this.#perform(operation);
          return done.ok ? [] : [done.error];
        }),
      [Symbol.dispose]: () => void this.openCount--,
    };
  }

  #apply(steps: readonly Step[]): Result<undefined, Undone> {
    const undos: KernelOperation[] = [];
    for (const { operation, undo } of steps) {
      const done = this.#perform(operation);
      if (done.ok) {
        if (undo !== undefined) undos.unshift(undo);
        continue;
      }
      for (const one of undos) this.#kernel.perform(one);
      return err({ message: done.error, isReverted: true });
    }
    return ok(undefined);
  }

  #perform(operation: KernelOperation): Result<undefined, string> {
    if (operation.kind === this.refusal?.kind) {
      const { kind, after } = this.refusal;
      if (after === 0) return err(`Cannot do ${kind}: no (EPERM)`);
      this.refusal = { kind, after: after - 1 };
    }
    this.#kernel.perform(operation);
    return ok(undefined);
  }
}

/** Files in memory. */
export class MemoryRecordFiles implements RecordFiles {
  readonly texts = new Map<string, string>();
  /** Thrown by the next writes. */
  failing: Error | undefined;
  isLocked = false;
  /** Called when the lock is asked for. */
  onLock: () => void = () => {};

  read(path: string): string | undefined {
    return this.texts.get(path);
  }

  write({ path, text }: { readonly path: string; readonly text: string }): void {
    if (this.failing !== undefined) throw this.failing;
    this.texts.set(path, text);
  }

  list(folder: string): readonly string[] {
    return [...this.texts.keys()].filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length));
  }

  remove(path: string): void {
    this.texts.delete(path);
  }

  tryLock(): Disposable | undefined {
    this.onLock();
    if (this.isLocked) return undefined;
    this.isLocked = true;
    return { [Symbol.dispose]: () => void (this.isLocked = false) };
  }
}

/** A node with a pod that has `eth0` (10.6.0.5, fd00:10:6::5), and an agent with these steps. */
export function coordinatorWorld(
  { steps = [{ status: 200, body: ANSWER }], kernel = nodeWithPod() }: {
    readonly steps?: readonly AgentStep[];
    readonly kernel?: ModelKernel;
  } = {},
): CoordinatorWorld {
  const outside = pluginWorld(...steps);
  const records = new MemoryRecordFiles();
  const namespaces = new FakeNamespaces(kernel);
  const random = seededRandom(7);
  const ports = { ...outside.ports, recordFiles: records, random, kernel: namespaces };
  return { ports, outside, kernel, records, namespaces };
}

function nodeWithPod(): ModelKernel {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5 });
  return kernel;
}

/** A call about a NIC of pod default/web-0, after the plugin that made it. */
export function coordinatorCall(
  { ifName = "eth0", config = {}, args = ARGS, netns = NETNS, version = "1.0.0" }: {
    readonly ifName?: string;
    readonly config?: Readonly<Record<string, unknown>>;
    readonly args?: string;
    readonly netns?: string;
    readonly version?: CniVersion;
  } = {},
): CniCall {
  const interfaces = [{ name: ifName, mac: "02:00:00:00:00:04", sandbox: NETNS }];
  const ips = [{ address: "10.6.0.5/24", gateway: "10.6.0.1", interface: 0 }];
  const given = {
    type: "coordinator",
    logOptions: { logFile: "/log/spiderpool.log", logLevel: "debug" },
    prevResult: { cniVersion: version, interfaces, ips },
    ...config,
  };
  return {
    network: { version, name: "net-a", config: given },
    attachment: { containerId: CONTAINER, netns, ifName, args },
  };
}
