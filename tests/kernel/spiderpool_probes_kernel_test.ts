/** The plugin `spiderpool` on a real wire: what another host has, whose gateway answers. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { FakeAgent, type Question, reply } from "../build/fake_agent.ts";
import { type Ended, start } from "../build/programs.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import type { Namespace } from "./namespace.ts";
import { HOSTS_MAC, openProbedWire, runIp } from "./probed_wire.ts";

const needs = [
  root,
  ...["veth", "macvlan"].map(linkKind),
  ...["ip", "nft", "nsenter"].map(program),
];
const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");
const PLUGIN = ["run", "--quiet", "--allow-all", "--no-check", `${ROOT}/main.ts`, "spiderpool"];
const FLAGS = { enableIPConflictDetection: true, enableGatewayDetection: true } as const;

/** One address of an answer. */
interface Given {
  readonly address: string;
  readonly gateway?: string;
}

/** A pod with a macvlan NIC that is down, a switch with hosts on it, and an agent. */
class Wire implements AsyncDisposable {
  readonly pod: Namespace;
  readonly hosts: Namespace;
  readonly agent: FakeAgent;
  /** What is given to the NIC, one answer after the other; the last again and again. */
  given: (readonly Given[])[] = [];
  /** What a request to exchange is answered with. */
  exchange: { readonly status: number; readonly body?: string } = { status: 200 };
  readonly exchanges: unknown[] = [];
  readonly #folder: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack, parts: {
    readonly pod: Namespace;
    readonly hosts: Namespace;
    readonly agent: FakeAgent;
    readonly folder: string;
  }) {
    this.pod = parts.pod;
    this.hosts = parts.hosts;
    this.agent = parts.agent;
    this.#folder = parts.folder;
    this.#stack = stack;
    this.agent.answering = (question) => this.#answer(question);
  }

  static async open(): Promise<Wire> {
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "probes-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const agent = stack.use(new FakeAgent(path.join(folder, "agent.sock")));
    const { pod, hosts } = await openProbedWire(stack);
    return new Wire(stack.move(), { pod, hosts, agent, folder });
  }

  #answer({ method, target, body }: Question): string {
    if (target === "/v1/ipam/healthy") return reply(200);
    if (method === "DELETE") {
      this.exchanges.push(JSON.parse(body));
      return reply(this.exchange.status, this.exchange.body);
    }
    const given = this.given.length > 1 ? this.given.shift() : this.given[0];
    const ips = (given ?? []).map(({ address, gateway = "" }) => {
      const version = address.includes(":") ? 6 : 4;
      return { version, nic: "eth0", ipPool: "p", address, gateway, ...FLAGS };
    });
    return reply(200, { ips, routes: [] });
  }

  /** An ADD, as a container runtime has it done. */
  async add(...given: (readonly Given[])[]): Promise<Ended> {
    this.given = given;
    const ipam = {
      type: "spiderpool",
      ipam_unix_socket_path: path.join(this.#folder, "agent.sock"),
      log_file_path: path.join(this.#folder, "spiderpool.log"),
    };
    return await start(Deno.execPath(), {
      args: PLUGIN,
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: Deno.env.get("HOME") ?? "/",
        CNI_COMMAND: "ADD",
        CNI_CONTAINERID: "c0ffee",
        CNI_NETNS: this.pod.path,
        CNI_IFNAME: "eth0",
        CNI_PATH: "/opt/cni/bin",
        CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a;K8S_POD_UID=u",
      },
      input: JSON.stringify({ cniVersion: "1.0.0", name: "net", type: "macvlan", ipam }),
    });
  }

  /** Addresses that an ADD printed. */
  async addresses(...given: (readonly Given[])[]): Promise<readonly unknown[]> {
    const { code, stdout, stderr } = await this.add(...given);
    assert.equal(code, 0, `${stdout}${stderr}`);
    const { ips }: { readonly ips: readonly { readonly address: string }[] } = JSON.parse(stdout);
    return ips.map(({ address }) => address);
  }

  /** What an ADD is refused with. */
  async refusal(...given: (readonly Given[])[]): Promise<string> {
    const { code, stdout, stderr } = await this.add(...given);
    assert.equal(code, 1, `${stdout}${stderr}`);
    const { msg }: { readonly msg: string } = JSON.parse(stdout);
    return msg;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack[Symbol.asyncDispose]();
  }
}

const GATEWAYS = { 4: "10.6.0.1", 6: "fd00:10:6::1" } as const;
const FREE4: Given = { address: "10.6.0.51/24", gateway: GATEWAYS[4] };
const FREE6: Given = { address: "fd00:10:6::51/64", gateway: GATEWAYS[6] };

testWith({
  name: "spiderpool: free addresses with gateways that answer are given, and announced",
  needs,
  async fn() {
    await using wire = await Wire.open();
    const old = "02:00:00:00:00:77";
    for (const address of ["10.6.0.51", "fd00:10:6::51"]) {
      await runIp(wire.hosts, [`neigh add ${address} lladdr ${old} dev sw0 nud stale`]);
    }
    assert.deepEqual(await wire.addresses([FREE4, FREE6]), [FREE4.address, FREE6.address]);
    assert.deepEqual(wire.exchanges, []);
    const [link] = JSON.parse(await wire.pod.run("ip", "-j", "link", "show", "eth0"));
    for (const address of ["10.6.0.51", "fd00:10:6::51"]) {
      const [seen] = JSON.parse(await wire.hosts.run("ip", "-j", "neigh", "show", "to", address));
      assert.equal(seen?.lladdr, link.address);
    }
  },
});

for (const version of [4, 6] as const) {
  const used = version === 4 ? "10.6.0.50/24" : "fd00:10:6::50/64";
  const free = version === 4 ? FREE4 : FREE6;

  testWith({
    name: `spiderpool: an IPv${version} address in use is exchanged inside the same ADD`,
    needs,
    async fn() {
      await using wire = await Wire.open();
      assert.deepEqual(await wire.addresses([{ address: used }], [free]), [free.address]);
      const [asked] = wire.exchanges;
      const conflicts = [{ ip: used.replace(/\/.*/, ""), mac: HOSTS_MAC }];
      const { conflicts: said, ifName, containerID, isReleaseConflictIPs } = Object(asked);
      assert.deepEqual({ said, ifName, containerID, isReleaseConflictIPs }, {
        said: conflicts,
        ifName: "eth0",
        containerID: "c0ffee",
        isReleaseConflictIPs: true,
      });
    },
  });

  testWith({
    name: `spiderpool: a kept IPv${version} address in use fails the ADD, and names the MAC`,
    needs,
    async fn() {
      await using wire = await Wire.open();
      wire.exchange = { status: 522, body: "forbid releasing IPs for stateful workload " };
      const text = await wire.refusal([{ address: used }], [free]);
      assert.ok(text.includes(`ip conflict: "${used.replace(/\/.*/, "")}" of NIC "eth0"`), text);
      assert.ok(text.includes(HOSTS_MAC) && text.includes("never exchanged"), text);
      assert.doesNotMatch(await wire.pod.run("ip", "link", "show", "eth0"), /,UP/);
    },
  });

  testWith({
    name: `spiderpool: an IPv${version} gateway that nobody has fails the ADD`,
    needs,
    async fn() {
      await using wire = await Wire.open();
      const gateway = version === 4 ? "10.6.0.99" : "fd00:10:6::99";
      const text = await wire.refusal([{ ...free, gateway }]);
      assert.ok(text.includes(`gateway ${gateway} is unreachable from NIC "eth0"`), text);
    },
  });
}

testWith({
  name: "spiderpool: a gateway is reached although its first questions are lost",
  needs,
  async fn() {
    await using wire = await Wire.open();
    // Quotas that the first question alone fits into.
    await wire.hosts.run(
      "nft",
      "table netdev lossy { chain in { type filter hook ingress device sw0 priority 0; " +
        "arp daddr ip 10.6.0.1 quota until 50 bytes counter drop; " +
        "icmpv6 type nd-neighbor-solicit ip6 daddr ff02::1:ff00:1 " +
        "quota until 100 bytes counter drop; }; }",
    );
    assert.deepEqual(await wire.addresses([FREE4, FREE6]), [FREE4.address, FREE6.address]);
    const rules = await wire.hosts.run("nft", "list", "table", "netdev", "lossy");
    const dropped = [...rules.matchAll(/counter packets (\d+) bytes \d+ drop/g)];
    assert.deepEqual(dropped.map(([, count]) => count), ["1", "1"]);
  },
});
