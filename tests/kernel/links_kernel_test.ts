import assert from "node:assert/strict";
import { linkKind, type Need, program, root, testWith } from "../support/require.ts";
import { openNamespace } from "./namespace.ts";

/** Kinds that the project makes or stands on, what `ip` is told for one, and what it then shows. */
const KINDS: Readonly<Record<string, readonly [add: string, shown: RegExp]>> = {
  veth: ["add name n0 type veth peer name n1", /\bveth\b/],
  bridge: ["add name n0 type bridge stp_state 1", /bridge .*stp_state 1/],
  macvlan: ["add link p0 name n0 type macvlan mode bridge", /macvlan mode bridge/],
  vlan: ["add link p0 name n0 type vlan id 100", /vlan protocol 802\.1Q id 100/],
  bond: ["add name n0 type bond mode 802.3ad", /bond mode 802\.3ad/],
  ipvlan: ["add link p0 name n0 type ipvlan mode l2", /ipvlan\s+mode l2/],
  dummy: ["add name n0 type dummy", /\bdummy\b/],
  vrf: ["add name n0 type vrf table 10", /vrf table 10/],
};

/** Loaded already: asking for it would load it, and a test leaves nothing behind. */
const openVswitch: Need = {
  category: "modules",
  label: 'the loaded kernel module "openvswitch"',
  probe() {
    const { success } = new Deno.Command("test", {
      args: ["-e", "/sys/module/openvswitch"],
    }).outputSync();
    return success ? undefined : "it is not loaded";
  },
};

for (const [kind, [add, shown]] of Object.entries(KINDS)) {
  testWith({
    name: `the kernel makes a link of the kind ${kind}, shows it as such and removes it`,
    needs: [root, linkKind(kind), program("ip"), program("nsenter")],
    async fn() {
      await using namespace = await openNamespace();
      await namespace.run("ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1");
      await namespace.run("ip", "link", "set", "p0", "up");
      await namespace.run("ip", "link", ...add.split(" "));
      await namespace.run("ip", "link", "set", "n0", "up");
      assert.match(await namespace.run("ip", "-details", "link", "show", "n0"), shown);
      await namespace.run("ip", "link", "delete", "n0");
      assert.match(await namespace.refuse("ip", "link", "show", "n0"), /does not exist/);
    },
  });
}

testWith({
  name: "a bond takes a link, and a VLAN on top of it carries its address",
  needs: [root, linkKind("bond"), linkKind("vlan"), program("ip"), program("nsenter")],
  async fn() {
    await using namespace = await openNamespace();
    for (
      const command of [
        "link add name p0 type veth peer name p1",
        "link add name bond0 type bond mode active-backup",
        "link set p0 master bond0",
        "link set p0 up",
        "link set p1 up",
        "link set bond0 up",
        "link add link bond0 name bond0.7 type vlan id 7",
        "address add 10.7.0.1/24 dev bond0.7",
        "link set bond0.7 up",
      ]
    ) await namespace.run("ip", ...command.split(" "));
    assert.match(await namespace.run("ip", "link", "show", "p0"), /master bond0/);
    assert.match(
      await namespace.run("ip", "-brief", "address"),
      /bond0\.7@bond0 .*10\.7\.0\.1\/24/,
    );
  },
});

testWith({
  name: "the kernel answers for the Open vSwitch datapath",
  needs: [root, openVswitch, program("genl")],
  async fn() {
    const { code, stdout } = await new Deno.Command("genl", {
      args: ["ctrl", "get", "name", "ovs_datapath"],
    }).output();
    assert.equal(code, 0);
    assert.match(new TextDecoder().decode(stdout).trim(), /^Name: ovs_datapath\n\s*ID: 0x/);
  },
});
