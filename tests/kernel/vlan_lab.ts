/** A node for the plugin `vlan`: a switch with hosts on VLANs, and an IPAM plugin. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { type Ended, start } from "../build/programs.ts";
import { linkKind, type Need, program, root } from "../support/require.ts";
import { type Namespace, openNamespace } from "./namespace.ts";
import type { Request } from "./vlan_runner.ts";

/** The root of the tree. */
export const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");
/** Words that start a program of this tree. */
export const DENO = [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check"] as const;
/** Words that start the plugin as a container runtime does. */
export const PLUGIN: readonly string[] = [...DENO, `${ROOT}/main.ts`, "vlan"];
const RUNNER = [...DENO, `${ROOT}/tests/kernel/vlan_runner.ts`];
/** What a test of it needs of the machine. */
export const NEEDS: readonly Need[] = [
  ...[root, linkKind("veth"), linkKind("vlan")],
  ...["ip", "nsenter", "ping"].map(program),
];

/** What the IPAM plugin gives unless a test says otherwise. */
export const GIVEN = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.6.0.17/24", gateway: "10.6.0.1" }, { address: "fd00:6::17/64" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "fd01::/64", gw: "fd00:6::1" }],
};

const DENO_PLACES = {
  HOME: Deno.env.get("HOME") ?? "/",
  DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? ""}/.cache/deno`,
};

/** A process on a node that runs the plugin as often as it is asked to. */
class Runner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor({ enter: [enter, ...args] }: Namespace) {
    this.#child = new Deno.Command(enter, {
      args: [...args, ...RUNNER],
      env: DENO_PLACES,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async run(request: Request): Promise<Ended> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    let text = "";
    while (!text.endsWith("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`The plugin's process ended: ${text}`);
      text += value;
    }
    return JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }
}

/**
 * A node whose `up0` leads to a switch, which has a host on each of the VLANs 100 and 7; a folder
 * with an IPAM plugin that does what a test says, and the real one.
 */
export class Lab implements AsyncDisposable {
  readonly node: Namespace;
  readonly folder: string;
  readonly #stack: AsyncDisposableStack;
  #runner: Runner | undefined;

  private constructor(stack: AsyncDisposableStack, { node, folder }: {
    readonly node: Namespace;
    readonly folder: string;
  }) {
    this.#stack = stack;
    this.node = node;
    this.folder = folder;
  }

  static async open(): Promise<Lab> {
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "vlan-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const script = [
      "#!/bin/sh",
      `echo "$CNI_COMMAND $CNI_IFNAME" >> ${folder}/asked`,
      `cat > ${folder}/input`,
      `[ ! -e ${folder}/$CNI_COMMAND ] || cat ${folder}/$CNI_COMMAND`,
      `[ ! -e ${folder}/refuses ]`,
    ];
    await Deno.writeTextFile(`${folder}/ipam`, `${script.join("\n")}\n`, { mode: 0o755 });
    const spiderpool = ["#!/bin/sh", `exec ${[...DENO, `${ROOT}/main.ts`].join(" ")} spiderpool`];
    const file = `${folder}/spiderpool`;
    await Deno.writeTextFile(file, `${spiderpool.join("\n")}\n`, { mode: 0o755 });
    const [node, hosts] = [stack.use(await openNamespace()), stack.use(await openNamespace())];
    await node.run(
      ...["ip", "link", "add", "up0", "type", "veth", "peer", "name", "sw0", "netns"],
      `${hosts.pid}`,
    );
    await node.run("ip", "link", "set", "up0", "up");
    await hosts.run("ip", "link", "set", "sw0", "up");
    for (const [id, net] of [[100, "6"], [7, "7"]] as const) {
      await hosts.run(
        "sh",
        "-ec",
        [
          `ip link add link sw0 name v${id} type vlan id ${id}`,
          `ip link set v${id} up`,
          `ip address add 10.${net}.0.1/24 dev v${id}`,
          `ip address add fd00:${net}::1/64 dev v${id} nodad`,
        ].join("\n"),
      );
    }
    const lab = new Lab(stack.move(), { node, folder });
    await lab.ipam(GIVEN);
    return lab;
  }

  /** What the IPAM plugin prints, and whether it says no. */
  async ipam(
    printed: unknown,
    { refuses = false }: { readonly refuses?: boolean } = {},
  ): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/ADD`, JSON.stringify(printed));
    if (refuses) await Deno.writeTextFile(`${this.folder}/refuses`, "");
    else await Deno.remove(`${this.folder}/refuses`).catch(() => {});
  }

  /** What the IPAM plugin was asked since this was called last. */
  async asked(): Promise<readonly string[]> {
    const text = await Deno.readTextFile(`${this.folder}/asked`).catch(() => "");
    await Deno.writeTextFile(`${this.folder}/asked`, "");
    return text.split("\n").filter((line) => line !== "");
  }

  /** Runs the plugin on the node; with `words` it is started as a container runtime does. */
  run(command: string, pod: Pick<Namespace, "path">, {
    config = {},
    ifName = "eth0",
    words,
  }: {
    readonly config?: Readonly<Record<string, unknown>>;
    readonly ifName?: string;
    readonly words?: readonly string[];
  } = {}): Promise<Ended> {
    const request = {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: "c0ffee",
        CNI_NETNS: pod.path,
        CNI_IFNAME: ifName,
        CNI_PATH: this.folder,
        CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a;K8S_POD_UID=u-1",
      },
      input: JSON.stringify({
        ...{ cniVersion: "1.0.0", name: "n", type: "vlan", master: "up0", vlanId: 100 },
        ipam: { type: "ipam" },
        ...config,
      }),
    };
    if (words === undefined) {
      this.#runner ??= this.#stack.use(new Runner(this.node));
      return this.#runner.run(request);
    }
    const [enter, ...args] = this.node.enter;
    const { env, input } = request;
    return start(enter, { args: [...args, ...words], env: { ...env, ...DENO_PLACES }, input });
  }

  /** An ADD that succeeds, and its result. */
  async add(pod: Namespace, more: Parameters<Lab["run"]>[2] = {}): Promise<ShownResult> {
    const { code, stdout, stderr } = await this.run("ADD", pod, more);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
    return JSON.parse(stdout);
  }

  /** What an ADD is refused with; it changes nothing. */
  async refusal(pod: Namespace, more: Parameters<Lab["run"]>[2] = {}): Promise<string> {
    const before = await Promise.all([linksOf(pod), linksOf(this.node)]);
    const { code, stdout } = await this.run("ADD", pod, more);
    assert.equal(code, 1, stdout);
    assert.deepEqual(await Promise.all([linksOf(pod), linksOf(this.node)]), before);
    return JSON.parse(stdout).msg;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack[Symbol.asyncDispose]();
  }
}

/** What an ADD prints. */
export interface ShownResult {
  readonly interfaces: readonly { readonly name: string; readonly mac: string }[];
  readonly ips: readonly unknown[];
}

/** A link as `ip` shows it. */
export interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly linkinfo?: { readonly info_data?: { readonly id?: number } };
}

/** Links of a namespace: name, MTU, hardware address, and VLAN if it is one. */
export async function linksOf(where: Namespace): Promise<readonly string[]> {
  const links: readonly ShownLink[] = JSON.parse(await where.run("ip", "-j", "-d", "link"));
  return links.map(({ ifname, mtu, address, linkinfo }) =>
    [ifname, mtu, address, linkinfo?.info_data?.id].join(" ")
  );
}

/** The NIC `eth0` of a pod. */
export async function nicOf(pod: Namespace): Promise<ShownLink> {
  const [nic] = JSON.parse(await pod.run("ip", "-j", "-d", "link", "show", "eth0"));
  return nic;
}
