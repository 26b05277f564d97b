/**
 * The node, the pods and the switch of the coordinator's scenarios: a node with an uplink, pods
 * with macvlan NICs on it, and a gateway behind it. All addresses are in namespaces of their own,
 * and the node sees a folder of its own as `/run/spidernet`.
 */
import assert from "node:assert/strict";
import * as path from "node:path";
import { type Ended, start } from "../../build/programs.ts";
import { FakeAgent, reply } from "../../build/fake_agent.ts";
import { type Namespace, openNamespace } from "../namespace.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../../..");
const CONTAINER = "abcdef0123456789";
const SOURCE = [
  ...[Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check"],
  ...[`${ROOT}/main.ts`, "coordinator"],
];

/** What the agent answers unless a test says otherwise. */
export const ANSWER: Readonly<Record<string, unknown>> = {
  mode: "auto",
  overlayPodCIDR: ["10.244.0.0/16", "fd00:244::/56"],
  serviceCIDR: ["10.233.0.0/18", "fd00:233::/116"],
  hijackCIDR: ["169.254.20.10/32"],
  tunePodRoutes: true,
  hostRuleTable: 500,
};

/** A pod of the node. */
export interface Pod {
  readonly containerId: string;
  readonly namespace: Namespace;
  /** Addresses with prefix length, by NIC: what the main plugin would have printed. */
  readonly nics: Map<string, readonly string[]>;
}

/** How a NIC is made. */
export interface NicWish {
  /** Last number of its addresses: 10.6.0.N, fd00:10:6::N. */
  readonly last: number;
  readonly families?: readonly (4 | 6)[];
  /** Metric of its default routes; absent: the kernel's. */
  readonly metric?: number;
  /** Families that it has a default route for. */
  readonly defaults?: readonly (4 | 6)[];
}

/** How the plugin is asked. */
export interface Asking {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly version?: string;
}

/** A node `hn` (10.6.0.2, fd00:10:6::2) at a gateway `sw` (10.6.0.1, fd00:10:6::1). */
export class Fixture implements AsyncDisposable {
  readonly node: Namespace;
  readonly gateway: Namespace;
  readonly agent: FakeAgent;
  /** What the agent answers. */
  answer = ANSWER;
  readonly #folder: string;
  readonly #program: readonly string[];
  readonly #pods: Pod[] = [];

  private constructor(parts: {
    readonly node: Namespace;
    readonly gateway: Namespace;
    readonly agent: FakeAgent;
    readonly folder: string;
    readonly program: readonly string[];
  }) {
    this.node = parts.node;
    this.gateway = parts.gateway;
    this.agent = parts.agent;
    this.#folder = parts.folder;
    this.#program = parts.program;
    this.agent.answering = () => reply(200, this.answer);
  }

  /**
   * Makes both, joined by a pair.
   *
   * @param options.program Words that start the plugin; without them the source is run.
   */
  static async open(
    { program = SOURCE }: { readonly program?: readonly string[] } = {},
  ): Promise<Fixture> {
    const folder = await Deno.makeTempDir({ prefix: "coordinator-" });
    const agent = new FakeAgent(path.join(folder, "spiderpool.sock"));
    const mounts = "mount -t tmpfs none /run; mkdir /run/spidernet; " +
      `mount --bind ${folder} /run/spidernet`;
    const [node, gateway] = await Promise.all([openNamespace({ mounts }), openNamespace()]);
    const fixture = new Fixture({ node, gateway, agent, folder, program });
    await gateway.run(
      ...words("ip link add swp type veth peer name up0 netns"),
      String(node.pid),
    );
    for (const [where, link, last] of [[gateway, "swp", 1], [node, "up0", 2]] as const) {
      await script(where, [
        "ip link set lo up",
        `ip link set ${link} up`,
        `ip address add 10.6.0.${last}/24 dev ${link}`,
        `ip address add fd00:10:6::${last}/64 dev ${link} nodad`,
      ]);
    }
    await script(node, [
      "ip route add default via 10.6.0.1",
      "ip -6 route add default via fd00:10:6::1",
      "echo 1 > /proc/sys/net/ipv4/ip_forward",
      "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    ]);
    return fixture;
  }

  /** Makes a pod without a NIC. */
  async pod(): Promise<Pod> {
    const index = this.#pods.length;
    const containerId = `${index === 0 ? "" : String.fromCharCode(96 + index)}${CONTAINER}`;
    const pod = { containerId, namespace: await openNamespace(), nics: new Map() };
    await pod.namespace.run("ip", "link", "set", "lo", "up");
    this.#pods.push(pod);
    return pod;
  }

  /** Gives a pod a macvlan NIC, as a main plugin leaves it. */
  async addNic(
    { namespace, nics }: Pod,
    name: string,
    { last, families = [4, 6], metric, defaults = families }: NicWish,
  ): Promise<void> {
    const pid = String(namespace.pid);
    await this.node.run(
      ...words(`ip link add link up0 name m${last} type macvlan mode bridge`),
    );
    await this.node.run("ip", "link", "set", `m${last}`, "netns", pid, "name", name);
    const weight = metric === undefined ? "" : ` metric ${metric}`;
    const addresses = families.map((version) =>
      version === 4 ? `10.6.0.${last}/24` : `fd00:10:6::${last}/64`
    );
    await script(namespace, [
      `ip link set ${name} up`,
      ...addresses.map((address) =>
        `ip address add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`
      ),
      ...defaults.map((version) =>
        version === 4
          ? `ip route add default via 10.6.0.1 dev ${name}${weight}`
          : `ip -6 route add default via fd00:10:6::1 dev ${name}${weight}`
      ),
    ]);
    nics.set(name, addresses);
  }

  /** Starts the plugin on the node as a container runtime does. */
  run(
    command: string,
    { containerId, namespace, nics }: Pod,
    { ifName, config = {}, env = {}, version = "1.0.0" }: Asking & { readonly ifName: string },
  ): Promise<Ended> {
    const interfaces = [{ name: ifName, sandbox: namespace.path }];
    const ips = (nics.get(ifName) ?? []).map((address) => ({ address, interface: 0 }));
    const [program, ...args] = this.node.enter;
    return start(program, {
      args: [...args, ...this.#program],
      env: {
        HOME: Deno.env.get("HOME") ?? "/",
        ...optional("DENO_DIR"),
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: namespace.path,
        CNI_IFNAME: ifName,
        CNI_PATH: "/opt/cni/bin",
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${containerId}`,
        ...env,
      },
      input: JSON.stringify({
        cniVersion: version,
        name: "underlay",
        type: "coordinator",
        logOptions: { logFile: path.join(this.#folder, "coordinator.log"), logLevel: "debug" },
        prevResult: { cniVersion: version, interfaces, ips },
        ...config,
      }),
    });
  }

  /** An ADD that succeeds, and its result. */
  async add(
    pod: Pod,
    ifName: string,
    asking: Asking = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const { code, stdout, stderr } = await this.run("ADD", pod, { ifName, ...asking });
    assert.equal(code, 0, `${stdout}${stderr}`);
    return JSON.parse(stdout);
  }

  /** A DEL that succeeds. */
  async del(pod: Pod, ifName: string, asking: Asking = {}): Promise<void> {
    const { code, stdout, stderr } = await this.run("DEL", pod, { ifName, ...asking });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "" }, stderr);
  }

  /** Names of what coordinators keep on the node, the lock left out. */
  async records(): Promise<readonly string[]> {
    const folder = path.join(this.#folder, "coordinator");
    const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
    return entries.map(({ name }) => name).filter((name) => name !== "lock").toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.#pods) await namespace[Symbol.asyncDispose]();
    await this.node[Symbol.asyncDispose]();
    await this.gateway[Symbol.asyncDispose]();
    await this.agent[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Runs shell commands in a namespace, up to the first that fails. */
export async function script(where: Namespace, commands: readonly string[]): Promise<string> {
  return await where.run("sh", "-ec", commands.join("\n"));
}

function words(text: string): readonly string[] {
  return text.split(" ");
}

function optional(variable: string): Readonly<Record<string, string>> {
  const value = Deno.env.get(variable);
  return value === undefined ? {} : { [variable]: value };
}
