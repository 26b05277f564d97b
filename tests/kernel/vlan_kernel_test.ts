/** The plugin `vlan` on the real kernel: NICs of pods that carry packets on a VLAN of their own. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { temporaryName } from "../../src/datapath/vlan_plan.ts";
import { FakeAgent, reply } from "../build/fake_agent.ts";
import { testWith } from "../support/require.ts";
import { openNamespace } from "./namespace.ts";
import { DENO, GIVEN, Lab, linksOf, NEEDS, nicOf, PLUGIN, ROOT } from "./vlan_lab.ts";

/** What a process that was killed ends with. */
const KILLED = 137;
const NOTHING = { code: 0, stdout: "", stderr: "" };

testWith({
  name: "vlan: a pod's NIC on a VLAN carries packets, is found as it was made, and goes",
  needs: NEEDS,
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
  needs: NEEDS,
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
  needs: NEEDS,
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
    assert.equal(interfaces[0]?.mac, "02:ab:00:00:00:07");
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
  needs: NEEDS,
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
