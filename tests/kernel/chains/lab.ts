/** A node at a switch, with an agent and the real plugins, and hosts beside it on the wire. */
import assert from "node:assert/strict";
import {
  addToNetwork,
  type Attachment,
  type CniNetworkList,
  deleteFromNetwork,
  type RunnerOptions,
} from "../../../scripts/demo/cni_runner.ts";
import { freshPrograms } from "../../../scripts/demo/programs.ts";
import { findPlugins } from "../../../scripts/demo/requirements.ts";
import type { Result } from "../../../src/base/result.ts";
import { hangLimit } from "../../support/hang_limit.ts";
import { Namespaces, script } from "../coordinator/namespaces.ts";
import type { Namespace } from "../namespace.ts";
import { ChainAgent } from "./agent.ts";

/** Addresses of the host that every lab has; the gateways of its pools. */
export const PEER = { 4: "10.6.0.1", 6: "fd00:6::1" } as const;
/** Prefix lengths of the network of those. */
const LENGTHS = { 4: 24, 6: 64 } as const;
/** What programs on the node see of the machine: its own NICs, a `/run` of their own. */
const MOUNTS = "mount -t sysfs none /sys; mount -t tmpfs none /run; " +
  // Where the one is no link to the other, as in a machine without a system.
  "[ /var/run -ef /run ] || { mkdir -p /var/run; mount --bind /run /var/run; }; " +
  "mkdir -p /var/run/spidernet";
/** Of all commands of a lab together: an emulated machine takes minutes for many pods. */
const HANG_MS = 600_000;

/** What a lab is made of. */
export interface LabOptions {
  /** NICs of the node: `s0`, `s1` and so on, each with a cable to the switch. */
  readonly cables: number;
  /** The VLAN that the hosts are in: the node's cables carry it tagged, and nothing else. */
  readonly vlan?: number;
  /** Pools, as YAML. */
  readonly pools: string;
  /** What plugins look for on the wire. */
  readonly probes?: readonly string[];
  /** URL of a network provider, as the node reaches it. */
  readonly provider?: string;
}

/** A container: a network namespace with a name. */
export interface Pod {
  readonly id: string;
  readonly namespace: Namespace;
}

/** A plugin of a chain, as in a `.conflist` file. */
export type Plugin = Readonly<Record<string, unknown>>;

/** Node, switch, hosts and agent: they go together. */
export class Lab implements AsyncDisposable {
  readonly node: Namespace;
  /** The switch: bridge `br0`, the node's cables as `port-s0` and so on. */
  readonly wire: Namespace;
  readonly peer: Namespace;
  readonly #stack: AsyncDisposableStack;
  readonly #parts: LabParts;
  #hosts = 0;

  private constructor(stack: AsyncDisposableStack, parts: LabParts) {
    this.#stack = stack;
    this.#parts = parts;
    this.node = parts.node;
    this.wire = parts.wire;
    this.peer = parts.peer;
  }

  /** Makes one, and waits until its agent serves. */
  static async open(options: LabOptions): Promise<Lab> {
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "chains-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const namespaces = stack.use(new Namespaces());
    const { signal } = stack.use(hangLimit(HANG_MS));
    const node = await namespaces.open({ mounts: MOUNTS });
    const wire = await namespaces.open();
    const peer = await namespaces.open();
    const [programs, plugins = ""] = [await freshPrograms(), await findPlugins()];
    const pools = `${folder}/pools.yaml`;
    await Deno.writeTextFile(pools, options.pools);
    const program = `${programs}/spiderpool-agent`;
    const { probes = [], provider } = options;
    const started = await ChainAgent.start({ node, folder, pools, probes, provider, program });
    const agent = stack.use(started);
    const runner = { enter: node.enter, path: [programs, plugins], signal };
    await layCables({ node, wire }, options);
    const { socket } = agent;
    const parts = { namespaces, node, wire, peer, options, runner, folder, socket };
    const lab = new Lab(stack.move(), parts);
    await lab.plugIn(peer, [PEER[4], PEER[6]]);
    return lab;
  }

  /** Gives a namespace a NIC `eth0` with a cable to the switch. @returns Its MAC. */
  async plugIn(host: Namespace, addresses: readonly string[]): Promise<string> {
    const { vlan } = this.#parts.options;
    const port = `host${this.#hosts++}`;
    await script(this.wire, [
      `ip link add ${port} type veth peer name eth0 netns ${host.pid}`,
      `ip link set ${port} master br0 up`,
      ...(vlan === undefined ? [] : [`bridge vlan add dev ${port} vid ${vlan} pvid untagged`]),
    ]);
    const withLength = addresses.map((one) => `${one}/${LENGTHS[one.includes(":") ? 6 : 4]}`);
    await script(host, [
      "ip link set eth0 up",
      ...withLength.map((address) => `ip address add ${address} dev eth0`),
    ]);
    const [link] = JSON.parse(await host.run("ip", "-j", "link", "show", "eth0"));
    return link.address;
  }

  /** Makes another host on the wire. */
  async host(
    addresses: readonly string[],
  ): Promise<{ readonly namespace: Namespace; readonly mac: string }> {
    const namespace = await this.#parts.namespaces.open();
    return { namespace, mac: await this.plugIn(namespace, addresses) };
  }

  /** Makes a container without a network. */
  async pod(id: string): Promise<Pod> {
    return { id, namespace: await this.#parts.namespaces.open() };
  }

  /** The network that a chain of plugins is. */
  network(plugins: readonly Plugin[]): CniNetworkList {
    return { cniVersion: "1.0.0", name: "underlay", plugins };
  }

  /** `ipam` of a main plugin. @param more What else the plugin `spiderpool` is told. */
  ipam(more: Plugin = {}): Plugin {
    const { socket } = this.#parts;
    const log = this.#logOf("spiderpool");
    return { type: "spiderpool", ipam_unix_socket_path: socket, log_file_path: log, ...more };
  }

  /** The plugin `coordinator`, after a main plugin. @param more What else it is told. */
  coordinator(more: Plugin = {}): Plugin {
    const logOptions = { logFile: this.#logOf("coordinator") };
    const { socket } = this.#parts;
    return { type: "coordinator", ipam_unix_socket_path: socket, logOptions, ...more };
  }

  #logOf(plugin: string): string {
    return `${this.#parts.folder}/${plugin}.log`;
  }

  /** What the plugin `spiderpool` wrote down so far. */
  async pluginLog(): Promise<string> {
    return await Deno.readTextFile(this.#logOf("spiderpool"));
  }

  /** Adds NIC `eth0` as a container runtime does. @returns Its addresses, or the refusal. */
  async tryAdd(pod: Pod, list: CniNetworkList): Promise<Result<readonly string[], string>> {
    const added = await addToNetwork(list, attachmentOf(pod), this.#parts.runner);
    if (!added.ok) return added;
    return {
      ok: true,
      value: added.value.ips.map(({ address }) => address.replace(/\/\d+$/, "")),
    };
  }

  /** An ADD that succeeds. @returns Its addresses, IPv4 first. */
  async add(pod: Pod, list: CniNetworkList): Promise<readonly string[]> {
    const added = await this.tryAdd(pod, list);
    assert.ok(added.ok, added.ok ? "" : added.error);
    return added.value;
  }

  /** An ADD that fails. @returns The plugin's sentence. */
  async refusal(pod: Pod, list: CniNetworkList): Promise<string> {
    const added = await this.tryAdd(pod, list);
    assert.ok(!added.ok, "the ADD fails");
    return added.error;
  }

  /** A DEL that succeeds. */
  async del(pod: Pod, list: CniNetworkList): Promise<void> {
    const done = await deleteFromNetwork(list, attachmentOf(pod), this.#parts.runner);
    assert.ok(done.ok, done.ok ? "" : done.error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

interface LabParts {
  readonly namespaces: Namespaces;
  readonly node: Namespace;
  readonly wire: Namespace;
  readonly peer: Namespace;
  readonly options: LabOptions;
  readonly runner: RunnerOptions;
  /** Where programs write their logs. */
  readonly folder: string;
  /** The agent's. */
  readonly socket: string;
}

function attachmentOf({ id, namespace: { path: netns } }: Pod): Attachment {
  return { containerID: id, netns, ifName: "eth0", args: "IgnoreUnknown=1" };
}

async function layCables(
  { node, wire }: Pick<LabParts, "node" | "wire">,
  { cables, vlan }: LabOptions,
): Promise<void> {
  const filter = vlan === undefined ? "" : "vlan_filtering 1 vlan_default_pvid 0";
  await script(wire, [`ip link add br0 type bridge ${filter}`, "ip link set br0 up"]);
  for (let index = 0; index < cables; index++) {
    const port = `port-s${index}`;
    await script(node, [
      `ip link add s${index} type veth peer name ${port} netns ${wire.pid}`,
    ]);
    await script(wire, [
      `ip link set ${port} master br0 up`,
      ...(vlan === undefined ? [] : [`bridge vlan add dev ${port} vid ${vlan}`]),
    ]);
  }
}
