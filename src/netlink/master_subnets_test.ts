import assert from "node:assert/strict";
import { fakeSysfs } from "../../tests/support/sysfs_tree.ts";
import { err, ok } from "../base/result.ts";
import { formatAddressInCidr } from "../ip/mod.ts";
import { type MasterPorts, masterSubnetsOf, type NodeAddress } from "./master_subnets.ts";
import { NetlinkError } from "./netlink_error.ts";
import { sysfsAt } from "./sysfs.ts";

const VF = "0000:3b:02.0";
const PLACE = { netns: "/var/run/netns/pod", nic: "net1" };
const NODE: readonly NodeAddress[] = [
  { name: "lo", cidr: "127.0.0.1/8" },
  { name: "ens1f0", cidr: "10.6.0.2/16" },
  { name: "ens1f0:old", cidr: "10.7.0.2/24" },
  { name: "ens1f0", cidr: "fd00:6::2/64" },
  { name: "ens1f01", cidr: "10.8.0.2/24" },
  { name: "bond0", cidr: "172.16.5.9/20" },
  { name: "br0", cidr: "192.168.0.1/24" },
];

/** Ports of a node with one VF of `ens1f0`, and what is different there. */
function portsOf(root: string, changes: Partial<MasterPorts> = {}): MasterPorts {
  return {
    driverOf: () => ok({ driver: "iavf", busInfo: VF }),
    sysfs: sysfsAt(root),
    nodeAddresses: () => NODE,
    ...changes,
  };
}

/** A node with one VF of `ens1f0`. */
function vfTree(): ReturnType<typeof fakeSysfs> {
  const tree = fakeSysfs();
  tree.addFunction("0000:3b:00.0", ["ens1f0"]);
  tree.addFunction(VF, undefined, { physical: "0000:3b:00.0" });
  return tree;
}

async function answerOf(ports: MasterPorts): Promise<readonly string[]> {
  const answer = await masterSubnetsOf(ports)(PLACE);
  assert.ok(answer.ok, answer.ok ? "" : answer.error);
  return answer.value.map(formatAddressInCidr);
}

async function refusalOf(ports: MasterPorts): Promise<string> {
  const answer = await masterSubnetsOf(ports)(PLACE);
  assert.ok(!answer.ok, "this is refused");
  return answer.error;
}

Deno.test("masterSubnetsOf() answers the PF's addresses, also those with a label", async () => {
  using tree = vfTree();
  assert.deepEqual(await answerOf(portsOf(tree.root)), [
    "10.6.0.2/16",
    "10.7.0.2/24",
    "fd00:6::2/64",
  ]);
});

Deno.test("masterSubnetsOf() adds what the PF's bond and its bridge have", async () => {
  using tree = vfTree();
  for (const nic of ["bond0", "br0"]) tree.addNic(nic);
  tree.enslave("ens1f0", { to: "bond0" });
  tree.enslave("bond0", { to: "br0" });
  const nodeAddresses = () => NODE.filter(({ name }) => !name.startsWith("ens1f0"));
  assert.deepEqual(await answerOf(portsOf(tree.root, { nodeAddresses })), [
    "172.16.5.9/20",
    "192.168.0.1/24",
  ]);
});

Deno.test("masterSubnetsOf() answers nothing where the masters have no address", async () => {
  using tree = vfTree();
  assert.deepEqual(await answerOf(portsOf(tree.root, { nodeAddresses: () => [] })), []);
});

Deno.test("masterSubnetsOf() leaves out what is no address of any pool", async () => {
  using tree = vfTree();
  const nodeAddresses = () => [
    { name: "ens1f0", cidr: "::ffff:10.6.0.2/112" },
    { name: "ens1f0", cidr: "10.6.0.3/24" },
  ];
  assert.deepEqual(await answerOf(portsOf(tree.root, { nodeAddresses })), ["10.6.0.3/24"]);
});

Deno.test("masterSubnetsOf() asks for the NIC it was asked for", async () => {
  using tree = vfTree();
  const asked: unknown[] = [];
  await answerOf(portsOf(tree.root, {
    driverOf: (place) => {
      asked.push(place);
      return ok({ driver: "iavf", busInfo: VF });
    },
  }));
  assert.deepEqual(asked, [PLACE]);
});

const NO_VF = `NIC "net1" in network namespace "/var/run/netns/pod" is no SR-IOV VF: `;
const REMEDY = "; take match_master_subnet out of its CNI configuration, or use a VF";

Deno.test("masterSubnetsOf() says which NIC is no VF, and why", async () => {
  using tree = vfTree();
  tree.addFunction("0000:00:03.0", ["eth0"]);
  const cases = [
    [{ driver: "veth", busInfo: "" }, `its driver "veth" has no PCI device`],
    [{ driver: "bridge", busInfo: "N/A" }, `its driver "bridge" has no PCI device but "N/A"`],
    [
      { driver: "virtio_net", busInfo: "0000:00:03.0" },
      `its PCI device 0000:00:03.0 (driver "virtio_net") is one of its own`,
    ],
  ] as const;
  for (const [driver, why] of cases) {
    const ports = portsOf(tree.root, { driverOf: () => ok(driver) });
    assert.equal(await refusalOf(ports), NO_VF + why + REMEDY);
  }
  const silent = portsOf(tree.root, {
    driverOf: () => err({ code: "no_driver", reason: " (EOPNOTSUPP)" }),
  });
  assert.equal(await refusalOf(silent), `${NO_VF}it has no driver (EOPNOTSUPP)${REMEDY}`);
});

Deno.test("masterSubnetsOf() says what of the node it cannot see", async () => {
  using tree = vfTree();
  assert.equal(
    await refusalOf(portsOf(`${tree.root}/nowhere`)),
    `The PF of NIC "net1" in network namespace "/var/run/netns/pod" is not known: /sys does not ` +
      `show the VF's PCI device ${VF} (driver "iavf"); let the agent see the node's /sys`,
  );
  await Deno.remove(`${tree.root}/devices/pci0000:00/0000:3b:00.0/net`, { recursive: true });
  assert.equal(
    await refusalOf(portsOf(tree.root)),
    `The PF of NIC "net1" in network namespace "/var/run/netns/pod", PCI device 0000:3b:00.0, ` +
      `has no NIC on the node: give it back to its kernel driver in the node's own network ` +
      `namespace, or take match_master_subnet out of the CNI configuration`,
  );
});

Deno.test("masterSubnetsOf() says which NIC is missing where", async () => {
  using tree = vfTree();
  const ports = portsOf(tree.root, {
    driverOf: () => err({ code: "no_nic", reason: " (ENODEV)" }),
  });
  assert.equal(
    await refusalOf(ports),
    `Network namespace "/var/run/netns/pod" has no NIC "net1" (ENODEV): the plugin that makes ` +
      `the NIC must put it there before it asks for addresses`,
  );
});

Deno.test("masterSubnetsOf() makes a sentence of a kernel that cannot be asked", async () => {
  using tree = vfTree();
  const ports = portsOf(tree.root, {
    driverOf: () => {
      throw new NetlinkError("no_netns", { message: "Cannot open it: it must exist" });
    },
  });
  assert.equal(
    await refusalOf(ports),
    `Cannot ask for the master of NIC "net1": Cannot open it: it must exist`,
  );
});

Deno.test("masterSubnetsOf() makes no answer of a bug", async () => {
  using tree = vfTree();
  const ports = portsOf(tree.root, {
    driverOf: () => {
      throw new TypeError("a bug");
    },
  });
  await assert.rejects(masterSubnetsOf(ports)(PLACE), /a bug/);
});
