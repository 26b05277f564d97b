import assert from "node:assert/strict";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { type Namespace, openNamespace } from "./namespace.ts";

const needs = [
  root,
  ...["veth", "bridge", "macvlan"].map(linkKind),
  ...["ip", "nsenter", "ping"].map(program),
];

/** Joins a node to the switch by a veth pair: `nic` on the node, `port` on the bridge `br0`. */
async function plugIn(
  node: Namespace,
  { into, port }: { readonly into: Namespace; readonly port: string },
): Promise<void> {
  await into.run(
    "ip",
    "link",
    "add",
    port,
    "type",
    "veth",
    "peer",
    "name",
    "nic",
    "netns",
    pid(node),
  );
  await into.run("ip", "link", "set", port, "master", "br0", "up");
  await node.run("ip", "link", "set", "nic", "up");
}

/** Gives a pod a macvlan link on the node's NIC. */
async function attach(
  pod: Namespace,
  { node, address }: { readonly node: Namespace; readonly address: string },
): Promise<void> {
  const on = ["ip", "link", "add", "link", "nic", "name", "net1", "netns", pid(pod)];
  await node.run(...on, "type", "macvlan", "mode", "bridge");
  await pod.run("ip", "address", "add", address, "dev", "net1");
  await pod.run("ip", "link", "set", "net1", "up");
}

function pid(namespace: Namespace): string {
  return String(namespace.pid);
}

testWith({
  name: "macvlan pods of two nodes reach each other through a bridge, and nobody else",
  needs,
  async fn() {
    await using fabric = await openNamespace();
    await using node1 = await openNamespace();
    await using node2 = await openNamespace();
    await using pod1 = await openNamespace();
    await using pod2 = await openNamespace();
    await fabric.run("ip", "link", "add", "br0", "type", "bridge");
    await fabric.run("ip", "link", "set", "br0", "up");
    await plugIn(node1, { into: fabric, port: "p1" });
    await plugIn(node2, { into: fabric, port: "p2" });
    await attach(pod1, { node: node1, address: "10.6.0.1/24" });
    await attach(pod2, { node: node2, address: "10.6.0.2/24" });

    const reply = await pod1.run("ping", "-c", "1", "-w", "10", "10.6.0.2");
    assert.match(reply, /1 packets received|1 received/);
    assert.match(await node1.refuse("ping", "-c", "1", "-w", "1", "10.6.0.2"), /unreachable/);
  },
});

testWith({
  name: "a link is seen only in the namespace it was moved to",
  needs: [root, linkKind("veth"), program("ip"), program("nsenter")],
  async fn() {
    await using left = await openNamespace();
    await using right = await openNamespace();
    await left.run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there");
    await left.run("ip", "link", "set", "there", "netns", pid(right));
    assert.match(await left.run("ip", "-brief", "link"), /here@/);
    assert.match(await left.refuse("ip", "link", "show", "there"), /does not exist/);
    assert.match(await right.run("ip", "link", "show", "there"), /there@/);
    assert.match(await right.refuse("ip", "link", "show", "here"), /does not exist/);
  },
});
