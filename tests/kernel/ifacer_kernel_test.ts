/** The plugin `ifacer` on the real kernel: VLANs and bonds that carry packets. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { BOND_MODE_NAMES } from "../../src/api/bond_options.ts";
import { type Ended, start } from "../build/programs.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { type Namespace, openNamespace } from "./namespace.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");
const NEEDS = [root, linkKind("veth"), ...["ip", "nsenter", "ping", "mount"].map(program)];
const VLAN = [...NEEDS, linkKind("vlan")];
const BOND = [...NEEDS, linkKind("bond")];

/** A node whose `s0` and `s1` lead to a switch, and what a pod's network configuration says. */
interface Lab extends AsyncDisposable {
  readonly node: Namespace;
  readonly peer: Namespace;
  run(config: Readonly<Record<string, unknown>>, command?: string): Promise<Ended>;
}

async function openLab(): Promise<Lab> {
  const mounts = "mount -t tmpfs none /run";
  const [node, peer] = await Promise.all([openNamespace({ mounts }), openNamespace()]);
  for (const name of ["s0", "s1"]) {
    await node.run(
      ...["ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns"],
      `${peer.pid}`,
    );
    await peer.run("ip", "link", "set", name, "up");
  }
  return {
    node,
    peer,
    run(config, command = "ADD") {
      const [enter, ...args] = node.enter;
      return start(enter, {
        args: [
          ...args,
          ...[Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check"],
          ...[`${ROOT}/main.ts`, "ifacer"],
        ],
        env: {
          HOME: Deno.env.get("HOME") ?? "/",
          DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? ""}/.cache/deno`,
          CNI_COMMAND: command,
          CNI_CONTAINERID: "c0ffee",
          CNI_NETNS: node.path,
          CNI_IFNAME: "eth0",
          CNI_PATH: "/opt/cni/bin",
        },
        input: JSON.stringify({ cniVersion: "1.0.0", name: "n", type: "ifacer", ...config }),
      });
    },
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}

const EMPTY = { code: 0, stdout: '{"cniVersion":"1.0.0","dns":{}}\n', stderr: "" };

interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly link?: string;
  readonly linkinfo?: { readonly info_data?: Readonly<Record<string, unknown>> };
}

async function linksOf(where: Namespace): Promise<ReadonlyMap<string, ShownLink>> {
  const links: readonly ShownLink[] = JSON.parse(await where.run("ip", "-j", "-d", "link"));
  return new Map(links.map((link) => [link.ifname, link]));
}

/** What of links and addresses does not change by itself: the kernel writes a state late. */
async function stateOf(where: Namespace): Promise<string> {
  const text = `${await where.run("ip", "-d", "link")}${await where.run("ip", "-4", "address")}`;
  return text.replaceAll(/ state [A-Z]+|NO-CARRIER,/g, "");
}

async function refused(lab: Lab, config: Readonly<Record<string, unknown>>): Promise<string> {
  const before = await stateOf(lab.node);
  const { code, stdout } = await lab.run(config);
  assert.equal(code, 1, stdout);
  assert.equal(await stateOf(lab.node), before, "nothing is changed");
  return JSON.parse(stdout).msg;
}

async function addressOn(where: Namespace, link: string, address: string): Promise<void> {
  await where.run("ip", "address", "add", address, "dev", link);
}

testWith({
  name: "ifacer: pods that come at once get one VLAN, and it carries their packets",
  needs: VLAN,
  async fn() {
    await using lab = await openLab();
    const config = { interfaces: ["s0"], vlanID: 100 };
    const ended = await Promise.all([1, 2, 3].map(() => lab.run(config)));
    assert.deepEqual(ended, [EMPTY, EMPTY, EMPTY]);
    const vlan = (await linksOf(lab.node)).get("s0.100");
    assert.equal(vlan?.linkinfo?.info_data?.id, 100);
    assert.equal(vlan?.link, "s0");
    assert.ok(vlan?.flags.includes("UP"));
    await lab.peer.run("ip", "link", "add", "link", "s0", "name", "v", "type", "vlan", "id", "100");
    await lab.peer.run("ip", "link", "set", "v", "up");
    await addressOn(lab.peer, "v", "10.9.0.1/24");
    await addressOn(lab.node, "s0.100", "10.9.0.2/24");
    await lab.node.run("ping", "-c", "1", "-w", "10", "10.9.0.1");
    assert.deepEqual(await lab.run(config, "CHECK"), { code: 0, stdout: "", stderr: "" });
    assert.deepEqual(await lab.run({ interfaces: ["s0"], vlanID: 200 }), EMPTY, "another VLAN");
    for (const command of ["DEL", "DEL"]) assert.equal((await lab.run(config, command)).code, 0);
    assert.ok((await linksOf(lab.node)).has("s0.100"), "other pods may stand on it");
  },
});

testWith({
  name: "ifacer: a VLAN that differs is refused, and nothing is changed",
  needs: VLAN,
  async fn() {
    await using lab = await openLab();
    const config = { interfaces: ["s0"], vlanID: 100 };
    const missing = await lab.run(config, "CHECK");
    assert.match(JSON.parse(missing.stdout).msg, /^The node lacks .*name s0\.100 type vlan id 100/);
    assert.deepEqual(await lab.run(config), EMPTY);
    const same = await refused(lab, { interfaces: ["s1"], vlanID: 100 });
    assert.match(same, /has VLAN 100 already, link "s0\.100" on "s0"/);
    await lab.node.run("ip", "link", "add", "s1.7", "type", "veth", "peer", "name", "x");
    assert.match(await refused(lab, { interfaces: ["s1"], vlanID: 7 }), /"s1\.7" already .*veth/);
    assert.match(await refused(lab, { interfaces: ["s9"], vlanID: 7 }), /no link "s9"/);
  },
});

testWith({
  name: "ifacer: a bond is made with its options, carries packets, and is found again",
  needs: BOND,
  async fn() {
    await using lab = await openLab();
    await lab.node.run("ip", "link", "set", "s0", "up");
    const options = "primary=s0; miimon=100;primary_reselect=better";
    const config = { interfaces: ["s0", "s1"], bond: { name: "b0", mode: 1, options } };
    assert.deepEqual(await Promise.all([lab.run(config), lab.run(config)]), [EMPTY, EMPTY]);
    const links = await linksOf(lab.node);
    const data = links.get("b0")?.linkinfo?.info_data;
    assert.deepEqual(
      [data?.mode, data?.miimon, data?.primary, data?.primary_reselect],
      ["active-backup", 100, "s0", "better"],
    );
    assert.deepEqual(["s0", "s1"].map((name) => links.get(name)?.master), ["b0", "b0"]);
    await addressOn(lab.node, "b0", "10.9.0.2/24");
    await addressOn(lab.peer, "s0", "10.9.0.1/24");
    await lab.node.run("ping", "-c", "1", "-w", "10", "10.9.0.1");
    assert.deepEqual(await lab.run(config, "CHECK"), { code: 0, stdout: "", stderr: "" });
    const other = { ...config, bond: { ...config.bond, mode: 4 } };
    assert.match(
      await refused(lab, other),
      /with mode 1 \(active-backup\), and mode 4 \(802\.3ad\)/,
    );
    const slower = { ...config, bond: { ...config.bond, options: "miimon=200" } };
    assert.match(await refused(lab, slower), /with miimon 100, and 200 is asked for/);
  },
});

testWith({
  name: "ifacer: a bond left half-built is completed, and a NIC in use is left alone",
  needs: BOND,
  async fn() {
    await using lab = await openLab();
    const config = { interfaces: ["s0", "s1"], bond: { name: "b0", mode: 1 } };
    await addressOn(lab.node, "s1", "10.8.0.1/24");
    assert.match(await refused(lab, config), /"s1" is in use, it has 10\.8\.0\.1\/24/);
    const missing = { ...config, interfaces: ["s0", "s9"] };
    assert.match(await refused(lab, missing), /no link "s9"/);
    await lab.node.run("ip", "address", "flush", "dev", "s1");
    await lab.node.run("ip", "link", "add", "b0", "type", "bond", "mode", "active-backup");
    await lab.node.run("ip", "link", "set", "s0", "master", "b0");
    assert.deepEqual(await lab.run(config), EMPTY);
    const links = await linksOf(lab.node);
    for (const name of ["b0", "s0", "s1"]) assert.ok(links.get(name)?.flags.includes("UP"), name);
    assert.equal(links.get("s1")?.master, "b0");
  },
});

testWith({
  name: "ifacer: what the kernel refuses is taken back as a whole",
  needs: BOND,
  async fn() {
    await using lab = await openLab();
    // A delay that is no multiple of miimon is taken, and rounded; a target without ARP is not.
    const options = "arp_interval=100;miimon=100;arp_ip_target=10.0.0.1";
    const bond = { name: "b0", mode: 4, options };
    const said = await refused(lab, { interfaces: ["s0", "s1"], bond });
    assert.match(said, /^Cannot do "ip link add name b0 type bond mode 4 .*": /);
  },
});

testWith({
  name: "ifacer: a VLAN on a bond carries packets, in every mode of the bond",
  needs: [...BOND, linkKind("vlan")],
  async fn() {
    for (const [mode, modeName] of BOND_MODE_NAMES.entries()) {
      await using lab = await openLab();
      const bond = { name: "b0", mode, options: "miimon=50" };
      const config = { interfaces: ["s0", "s1"], vlanID: 30, bond };
      assert.deepEqual(await lab.run(config), EMPTY, modeName);
      const links = await linksOf(lab.node);
      assert.equal(links.get("b0.30")?.link, "b0");
      assert.equal(links.get("b0")?.linkinfo?.info_data?.mode, modeName);
      assert.deepEqual(await lab.run(config), EMPTY, `${modeName}, again`);
    }
  },
});
