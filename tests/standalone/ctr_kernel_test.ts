import assert from "node:assert/strict";
import { freshPrograms } from "../../scripts/demo/programs.ts";
import { findPlugins } from "../../scripts/demo/requirements.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { cniPlugin, linkKind, program, root, testWith } from "../support/require.ts";
import { type Machine, openMachine } from "./machine.ts";

const POOLS = `apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: v4 }
spec: { subnet: 10.6.0.0/24, ips: [10.6.0.10-10.6.0.250], default: true }
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: v6 }
spec: { subnet: "fd00:6::/64", ips: ["fd00:6::10-fd00:6::ffff"], default: true }
`;
/** No snapshots, no images: containers get their files by `--rootfs`. */
const CONTAINERD = `version = 2
root = "/run/containerd-root"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing"]
[grpc]
  address = "/run/containerd/containerd.sock"
`;
/** A NIC with a cable to nowhere, folders, and the files of a container. */
const SETUP = `ip link add eth0 type veth peer name far
ip link set eth0 up
ip link set far up
mkdir -p /etc/cni/net.d /opt/cni/bin /run/rootfs/bin
cp "$(command -v busybox)" /run/rootfs/bin/`;
const DATABASE = "/run/standalone.db";
const SOCKET = "/var/run/spidernet/spiderpool.sock";
const HANG_MS = 120_000;

/** A machine with a NIC, containerd, the plugins and an agent. */
class Runtime implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #programs: string;
  /** Containerd's namespace: the control groups of its containers are below one of that name. */
  readonly #namespace = `standalone-${crypto.randomUUID()}`;

  private constructor(machine: Machine, { programs }: { readonly programs: string }) {
    this.#machine = machine;
    this.#programs = programs;
  }

  static async start(): Promise<Runtime> {
    const programs = await freshPrograms();
    const runtime = new Runtime(await openMachine(), { programs });
    try {
      await runtime.#setUp();
      return runtime;
    } catch (error) {
      await runtime[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #setUp(): Promise<void> {
    const machine = this.#machine;
    const agent = `${this.#programs}/spiderpool-agent`;
    const plugins = await findPlugins() ?? "";
    await this.#sh(SETUP);
    await this.#sh(`cp ${plugins}/macvlan ${plugins}/loopback /opt/cni/bin/`);
    await machine.run(agent, "install-plugins", "--from", this.#programs, "--to", "/opt/cni/bin");
    await this.#write("/run/pools.yaml", POOLS);
    await this.#write("/run/containerd.toml", CONTAINERD);
    await this.network();
    const args = ["--standalone", "--pools", "/run/pools.yaml", "--database", DATABASE];
    await machine.start("/run/agent.log", agent, ...args);
    await machine.start("/run/containerd.log", "containerd", "--config", "/run/containerd.toml");
    await waitFor(() => this.#sh(`ctr version && test -S ${SOCKET}`), {
      what: "containerd and the agent",
      timeoutMs: HANG_MS,
    });
  }

  /** Writes the network that containers get. @param more What else the plugin is told. */
  async network(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const ipam = { type: "spiderpool", log_file_path: "/run/plugin.log", ...more };
    const plugin = { type: "macvlan", master: "eth0", mode: "bridge", ipam };
    const list = { cniVersion: "1.0.0", name: "underlay", plugins: [plugin] };
    await this.#write("/etc/cni/net.d/10-underlay.conflist", JSON.stringify(list));
  }

  /** Runs a container to its end. @returns Addresses that it saw on its NIC. */
  async addressesOf(name: string): Promise<readonly string[]> {
    const see = ["/bin/busybox", "ip", "address", "show", "eth0"];
    const printed = await this.#ctr(
      "run",
      "--rm",
      "--cni",
      "--rootfs",
      "/run/rootfs",
      name,
      ...see,
    );
    const all = [...printed.matchAll(/inet6? (\S+) .*scope global/g)];
    return all.map(([, address = ""]) => address);
  }

  /** Starts a container that goes on. */
  async startContainer(name: string): Promise<void> {
    const wait = ["/bin/busybox", "sleep", "3600"];
    await this.#ctr("run", "--detach", "--cni", "--rootfs", "/run/rootfs", name, ...wait);
  }

  /** Ends a container without a word to the network, as a crash does. */
  async kill(name: string): Promise<void> {
    await this.#ctr("task", "kill", "--signal", "KILL", name);
    await waitFor(() => this.#ctr("task", "delete", name), {
      what: `container ${name} to end`,
      timeoutMs: HANG_MS,
    });
    await this.#ctr("container", "delete", name);
  }

  /** Has the plugin look for what nobody uses any more, as a newer runtime does. */
  async collectGarbage(): Promise<void> {
    const ipam = { type: "spiderpool", log_file_path: "/run/plugin.log" };
    const config = JSON.stringify({ cniVersion: "1.1.0", name: "underlay", ipam });
    await this.#sh(`echo '${config}' | CNI_COMMAND=GC /opt/cni/bin/spiderpool`);
  }

  /** Lines of the table of addresses, each as its cells. */
  async table(): Promise<readonly (readonly string[])[]> {
    const agent = `${this.#programs}/spiderpool-agent`;
    const printed = await this.#machine.run(agent, "addresses", "--database", DATABASE);
    return printed.trimEnd().split("\n").slice(1).map((line) => line.split(/ {2,}/));
  }

  /** Name that the container has for the plugins. */
  idOf(name: string): string {
    return `${this.#namespace}-${name}`;
  }

  async #ctr(...args: readonly string[]): Promise<string> {
    return await this.#machine.run("ctr", "--namespace", this.#namespace, ...args);
  }

  async #sh(script: string): Promise<string> {
    return await this.#machine.run("sh", "-ec", script);
  }

  async #write(path: string, text: string): Promise<void> {
    await this.#machine.run("sh", "-c", 'printf "%s" "$1" >"$0"', path, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine[Symbol.asyncDispose]();
    for (const folder of controlGroups(this.#namespace)) await Deno.remove(folder);
  }
}

/** Folders of a name at the top of every hierarchy of control groups. */
function controlGroups(name: string): readonly string[] {
  const top = "/sys/fs/cgroup";
  const hierarchies = [...Deno.readDirSync(top)].filter(({ isDirectory }) => isDirectory);
  const folders = [top, ...hierarchies.map((one) => `${top}/${one.name}`)];
  return folders.map((folder) => `${folder}/${name}`).filter((folder) => {
    try {
      return Deno.statSync(folder).isDirectory;
    } catch {
      return false;
    }
  });
}

testWith({
  name: "containers of ctr run --cni get addresses without Kubernetes, and give them back",
  needs: [
    root,
    ...["veth", "macvlan"].map(linkKind),
    ...["ip", "nsenter", "containerd", "ctr", "runc", "busybox"].map(program),
    cniPlugin("macvlan"),
  ],
  async fn() {
    await using runtime = await Runtime.start();
    const [ipv4 = "", ipv6 = "", ...more] = await runtime.addressesOf("web");
    assert.match(ipv4, /^10\.6\.0\.\d+\/24$/);
    assert.match(ipv6, /^fd00:6::[0-9a-f]+\/64$/);
    assert.deepEqual(more, []);
    assert.deepEqual(await runtime.table(), [], "its end released them");

    await runtime.startContainer("crashes");
    const held = await runtime.table();
    assert.deepEqual(held.map(([, pool, ...rest]) => [pool, ...rest]), [
      ["v4", "standalone", "eth0", "-", runtime.idOf("crashes")],
      ["v6", "standalone", "eth0", "-", runtime.idOf("crashes")],
    ]);
    await runtime.collectGarbage();
    assert.deepEqual(await runtime.table(), held, "it lives");
    await runtime.kill("crashes");
    await runtime.collectGarbage();
    assert.deepEqual(await runtime.table(), []);

    await runtime.network({ fixed: "db" });
    const first = await runtime.addressesOf("db-1");
    assert.equal((await runtime.table()).length, 2, "they are kept");
    assert.deepEqual(await runtime.addressesOf("db-2"), first);
  },
});
