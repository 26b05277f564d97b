/** The plugin `vlan` on the real kernel: NICs of pods that carry packets on a VLAN of their own. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { temporaryName } from "../../src/datapath/vlan_plan.ts";
import { FakeAgent, reply } from "../build/fake_agent.ts";
import { type Ended, start } from "../build/programs.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { type Namespace, openNamespace } from "./namespace.ts";
import type { Request } from "./vlan_runner.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");
const DENO = [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check"] as const;
const PLUGIN = [...DENO, `${ROOT}/main.ts`, "vlan"];
const RUNNER = [...DENO, `${ROOT}/tests/kernel/vlan_runner.ts`];
const needs = [
  ...[root, linkKind("veth"), linkKind("vlan")],
  ...["ip", "nsenter", "ping"].map(program),
];
/** What a process that was killed ends with. */
const KILLED = 137;
const NOTHING = { code: 0, stdout: "", stderr: "" };

const GIVEN = {
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
 * with an IPAM plugin that does what a test says.
 */
class Lab implements AsyncDisposable {
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
  async ipam(printed: unknown, { refuses = false }: { readonly refuses?: boolean } = {}) {
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

  /** An ADD that succeeds. */
  async add(pod: Namespace, more: Parameters<Lab["run"]>[2] = {}) {
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

interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly linkinfo?: { readonly info_data?: { readonly id?: number } };
}

async function linksOf(where: Namespace): Promise<readonly string[]> {
  const links: readonly ShownLink[] = JSON.parse(await where.run("ip", "-j", "-d", "link"));
  return links.map(({ ifname, mtu, address, linkinfo }) =>
    [ifname, mtu, address, linkinfo?.info_data?.id].join(" ")
  );
}

async function nicOf(pod: Namespace): Promise<ShownLink> {
  const [nic] = JSON.parse(await pod.run("ip", "-j", "-d", "link", "show", "eth0"));
  return nic;
}

testWith({
  name: "vlan: a pod's NIC on a VLAN carries packets, is found as it was made, and goes",
  needs,
  async fn() {
    await using lab = await Lab.open();
    await using pod = await openNamespace();
    // The node has a link of that name itself, and the pod's IPv6 is off.
    await lab.node.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "x");
    await pod.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    const result = await lab.add(pod, { config: { mtu: 1_400 } });
    const nic = await nicOf(pod);
    assert.equal(nic.linkinfo?.info_data?.id, 100);
    assert.equal(nic.mtu, 1_400);
    assert.deepEqual(result, {
      cniVersion: "1.0.0",
      interfaces: [{ name: "eth0", mac: nic.address, sandbox: pod.path }],
      ips: GIVEN.ips.map((one) => ({ interface: 0, ...one })),
      routes: GIVEN.routes,
      dns: {},
    });
    await pod.run("ping", "-c", "1", "-w", "10", "10.6.0.1");
    await pod.run("ping", "-c", "1", "-w", "10", "fd00:6::1");
    assert.match(await pod.run("ip", "route"), /^default via 10\.6\.0\.1 dev eth0/m);
    assert.match(await pod.run("ip", "-6", "route"), /^fd01::\/64 via fd00:6::1 dev eth0/m);
    const config = { mtu: 1_400, prevResult: result };
    assert.deepEqual(await lab.run("CHECK", pod, { config }), NOTHING);
    await pod.run("ip", "address", "del", "10.6.0.17/24", "dev", "eth0");
    const { stdout } = await lab.run("CHECK", pod, { config });
    assert.match(JSON.parse(stdout).msg, /^NIC "eth0" is not .* it lacks 10\.6\.0\.17\/24 of/);
    assert.deepEqual(await lab.run("DEL", pod), NOTHING);
    assert.deepEqual(await linksOf(pod), ["lo 65536 00:00:00:00:00:00 "]);
    assert.deepEqual(await lab.asked(), ["ADD eth0", "CHECK eth0", "CHECK eth0", "DEL eth0"]);
    assert.deepEqual(await lab.run("DEL", { path: `${lab.folder}/gone` }), NOTHING);
    assert.deepEqual(await lab.asked(), ["DEL eth0"]);
  },
});

testWith({
  name: "vlan: a VLAN is one pod's, a pod has several, and what is refused leaves nothing",
  needs,
  async fn() {
    await using lab = await Lab.open();
    await using pod = await openNamespace();
    await using other = await openNamespace();
    await lab.add(other);
    assert.match(await lab.refusal(pod), /another pod of this node has it/);
    assert.match(await lab.refusal(other, { ifName: "net1" }), /is the pod's NIC "eth0" already/);
    const [seven, eight] = [{ vlanId: 7 }, { vlanId: 8, ipam: undefined }];
    await lab.add(pod, { config: seven });
    await lab.add(pod, { config: seven }); // Once more: it is made anew.
    await lab.add(pod, { config: eight, ifName: "net1" });
    const ids = (await linksOf(pod)).map((line) => line.split(" ").at(-1));
    assert.deepEqual(ids.toSorted(), ["", "7", "8"]);
    assert.match(
      await lab.refusal(pod, { config: { vlanId: 9 } }),
      /"eth0" already that is VLAN 7/,
    );
    const own = "ip link add link up0 name up0.9 type vlan id 9".split(" ");
    await lab.node.run(...own);
    const nine = { config: { vlanId: 9 }, ifName: "net2" };
    assert.match(await lab.refusal(pod, nine), /is link "up0\.9" of the node already/);
    await lab.asked();
    await lab.ipam({ code: 999, msg: "All IP used out" }, { refuses: true });
    const ten = { config: { vlanId: 10 }, ifName: "net2" };
    assert.equal(await lab.refusal(pod, ten), "All IP used out");
    await lab.ipam({ ...GIVEN, routes: [{ dst: "0.0.0.0/0", gw: "192.0.2.1" }] });
    assert.match(
      await lab.refusal(pod, ten),
      /ip route add 0\.0\.0\.0\/0 via 192\.0\.2\.1 dev net2/,
    );
    assert.deepEqual(await lab.asked(), ["ADD net2", "ADD net2", "DEL net2"]);
    await lab.node.run("ip", "link", "set", "up0", "down");
    assert.match(await lab.refusal(pod, ten), /"up0" is down, set it up on the node/);
  },
});

testWith({
  name: "vlan: without a VLAN in the configuration the agent says it, and the hardware address",
  needs,
  async fn() {
    await using lab = await Lab.open();
    await using pod = await openNamespace();
    const socket = path.join(lab.folder, "agent.sock");
    await using agent = new FakeAgent(socket);
    const nic = { interface: "eth0", vlan: 7, mac: "02:AB:00:00:00:07", routes: [] };
    const record = { podNamespace: "default", podName: "a", podUID: "u-1", node: "n" };
    agent.answering = () => reply(200, { ...record, interfaces: [nic] });
    await lab.ipam({ ips: [{ address: "10.7.0.17/24" }] });
    const ipam = { type: "ipam", ipam_unix_socket_path: socket };
    const config = { vlanId: undefined, vlanMode: "auto", ipam };
    // A plugin gives up its right to connect, so it is started for each.
    const { interfaces } = await lab.add(pod, { config, words: PLUGIN });
    assert.equal(interfaces[0].mac, "02:ab:00:00:00:07");
    assert.equal((await nicOf(pod)).linkinfo?.info_data?.id, 7);
    await pod.run("ping", "-c", "1", "-w", "10", "10.7.0.1");
    assert.deepEqual(await lab.asked(), ["ADD eth0", "ADD eth0"]);
    agent.answering = () =>
      reply(200, { ...record, interfaces: [{ ...nic, interface: "net1", vlan: 0 }] });
    const words = PLUGIN;
    assert.match(
      await lab.refusal(pod, { config, words, ifName: "net1" }),
      /knows no VLAN of 10\.7\.0\.17\/24/,
    );
  },
});

testWith({
  name: "vlan: an ADD that is killed anywhere is undone by its DEL",
  needs,
  async fn() {
    await using lab = await Lab.open();
    await using pod = await openNamespace();
    const { ips: [first] } = GIVEN;
    await lab.ipam({ ips: [first] });
    const seen = new Set<string>();
    for (let place = 1; place < 20; place++) {
      const words = [...DENO, `${ROOT}/tests/kernel/vlan_killed.ts`, `${place}`];
      const { code, stdout, stderr } = await lab.run("ADD", pod, { words });
      for (const line of await linksOf(pod)) seen.add(line.split(" ")[0] ?? "");
      if (code === 0) {
        assert.ok(place > 5, `${place} places are more than a few`);
        await pod.run("ping", "-c", "1", "-w", "10", "10.6.0.1");
        assert.deepEqual(seen, new Set(["lo", temporaryName("eth0"), "eth0"]));
        return;
      }
      assert.deepEqual({ code, stdout }, { code: KILLED, stdout: "" }, stderr);
    }
    throw new Error("An ADD has more places than that");
  },
});
