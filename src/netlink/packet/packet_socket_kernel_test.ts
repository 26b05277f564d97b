import assert from "node:assert/strict";
import { expectOk } from "../../base/result.ts";
import { parseIpv4, parseIpv6 } from "../../ip/address.ts";
import { type Namespace, openNamespace } from "../../../tests/kernel/namespace.ts";
import { mac } from "../../../tests/support/netlink_records.ts";
import { linkKind, program, root, testWith } from "../../../tests/support/require.ts";
import { NetlinkError } from "../netlink_error.ts";
import { openNetns } from "../netns.ts";
import { arpAnnouncement, decodeArp } from "./arp.ts";
import { ETHERTYPE, groupMac } from "./ethernet.ts";
import { ALL_NODES, decodeNdp, duplicateQuestion, neighborAnnouncement } from "./ndp.ts";
import { PacketSocket } from "./packet_socket.ts";

const needs = [root, linkKind("veth"), program("ip"), program("nsenter")];
const INDEX = 10;
const HERE = mac("02:00:00:00:00:0a");
const IP4 = expectOk(parseIpv4("10.6.0.10"), "an address");
const IP6 = expectOk(parseIpv6("fd00:6::a"), "an address");
/** Milliseconds that a frame may take; it is there before the call that sends it returns. */
const ARRIVAL_MS = 10_000;

/** Two namespaces with a veth pair between them, `n0` with index 10 in both. */
async function openPair(stack: AsyncDisposableStack): Promise<readonly [Namespace, Namespace]> {
  const here = stack.use(await openNamespace());
  const there = stack.use(await openNamespace());
  const peer = `type veth peer name n0 index ${INDEX} netns ${there.pid}`;
  const add = `link add n0 index ${INDEX} address ${HERE} ${peer}`;
  for (const line of [add, "link set dev n0 up"]) await here.run("ip", ...line.split(" "));
  await there.run("ip", "link", "set", "dev", "n0", "up");
  return [here, there];
}

function openAt({ path }: Namespace, type: number): PacketSocket {
  using netns = openNetns(path);
  const socket = PacketSocket.open({ netns, linkIndex: INDEX, type });
  if (type === ETHERTYPE.ipv6) socket.join(groupMac(ALL_NODES));
  return socket;
}

/** The first frame that a reader can make something of. */
function awaited<T>(socket: PacketSocket, read: (frame: Uint8Array) => T | undefined): T {
  const endMs = performance.now() + ARRIVAL_MS;
  while (performance.now() < endMs) {
    const frame = socket.receive();
    const found = frame === undefined ? undefined : read(frame);
    if (found !== undefined) return found;
    if (frame === undefined) PacketSocket.wait([socket], { milliseconds: 100 });
  }
  throw new Error("no such frame arrives");
}

testWith({
  name: "PacketSocket: announcements of both families arrive at the other end",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [here, there] = await openPair(stack);
    using arp = openAt(here, ETHERTYPE.arp);
    using ndp = openAt(here, ETHERTYPE.ipv6);
    using arpThere = openAt(there, ETHERTYPE.arp);
    using ndpThere = openAt(there, ETHERTYPE.ipv6);
    assert.equal(arp.send(arpAnnouncement({ mac: HERE, address: IP4 })), undefined);
    assert.equal(ndp.send(neighborAnnouncement({ mac: HERE, address: IP6 })), undefined);
    const packet = awaited(arpThere, decodeArp);
    assert.deepEqual([packet.senderMac, packet.senderAddress, packet.targetAddress], [
      HERE,
      IP4,
      IP4,
    ]);
    const message = awaited(ndpThere, (frame) => {
      const seen = decodeNdp(frame);
      return seen?.target === IP6 ? seen : undefined;
    });
    assert.deepEqual([message.kind, message.isOverride], ["advertisement", true]);
  },
});

testWith({
  name: "PacketSocket: a host that has the address answers to all, and own frames are not heard",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [here, there] = await openPair(stack);
    await there.run("ip", "address", "add", "fd00:6::a/64", "dev", "n0", "nodad");
    using ndp = openAt(here, ETHERTYPE.ipv6);
    assert.equal(ndp.send(duplicateQuestion({ mac: HERE, target: IP6 })), undefined);
    const heard = awaited(ndp, (frame) => {
      const seen = decodeNdp(frame);
      return seen?.target === IP6 ? seen : undefined;
    });
    assert.equal(heard.kind, "advertisement");
    assert.equal(heard.destination, ALL_NODES);
  },
});

testWith({
  name: "PacketSocket: a link that is down takes nothing, and one that is not there has no socket",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const [here] = await openPair(stack);
    using arp = openAt(here, ETHERTYPE.arp);
    await here.run("ip", "link", "set", "dev", "n0", "down");
    assert.equal(arp.send(arpAnnouncement({ mac: HERE, address: IP4 })), "ENETDOWN");
    assert.equal(arp.receive(), undefined);
    using netns = openNetns(here.path);
    assert.throws(
      () => PacketSocket.open({ netns, linkIndex: 99, type: ETHERTYPE.arp }),
      (error) => error instanceof NetlinkError && error.code === "no_socket",
    );
  },
});
