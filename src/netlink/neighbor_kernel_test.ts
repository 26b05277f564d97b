import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { type Namespace, openNamespace } from "../../tests/kernel/namespace.ts";
import { address, mac } from "../../tests/support/netlink_records.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import { listNeighbors, removeNeighbor, replaceNeighbor } from "./neighbor.ts";
import { openNetns } from "./netns.ts";
import { NetlinkSocket } from "./socket.ts";
import { NEIGHBOR_STATE, neighborOf, type NeighborSpec } from "./wire/neighbor.ts";

const needs = [root, linkKind("veth"), program("ip"), program("nsenter")];

/** Index of the link that every test has. */
const N0 = 10;

function openSocket(pod: Namespace): NetlinkSocket {
  using netns = openNetns(`/proc/${pod.pid}/ns/net`);
  return NetlinkSocket.openRoute({ netns });
}

async function openPair(): Promise<Namespace> {
  const pod = await openNamespace();
  // With a carrier: a moment after it sees that there is none, the kernel forgets neighbours.
  const add = `link add n0 index ${N0} type veth peer name n1`;
  for (const command of [add, "link set n1 up", "link set n0 up"]) {
    await pod.run("ip", ...command.split(" "));
  }
  return pod;
}

const FIRST = mac("0a:1b:0a:06:00:09");

/** Neighbours, each by what `ip neigh` prints of it. */
const NEIGHBORS: Readonly<Record<string, NeighborSpec>> = {
  "10.6.0.9 dev n0 lladdr 0a:1b:0a:06:00:09 PERMANENT": {
    linkIndex: N0,
    address: address("10.6.0.9"),
    macAddress: FIRST,
  },
  "fd00:10:6::9 dev n0 lladdr 0a:1b:0a:06:00:09 router PERMANENT": {
    linkIndex: N0,
    address: address("fd00:10:6::9"),
    macAddress: FIRST,
    isRouter: true,
  },
  "10.6.0.9 dev n0 lladdr 0a:1b:0a:06:00:09 NOARP": {
    linkIndex: N0,
    address: address("10.6.0.9"),
    macAddress: FIRST,
    state: NEIGHBOR_STATE.noarp,
  },
};

for (const [text, spec] of Object.entries(NEIGHBORS)) {
  testWith({
    name: `replaceNeighbor() makes what ip shows as: ${text}`,
    needs,
    async fn() {
      await using pod = await openPair();
      using socket = openSocket(pod);
      expectOk(replaceNeighbor(socket, spec), "the neighbour is possible");
      const shown = await pod.run("ip", "neigh", "show", "nud", "all", "dev", "n0");
      assert.ok(shown.includes(text.replace("dev n0 ", "")), shown);
      const { family } = neighborOf(spec);
      const made = listNeighbors(socket, { family, linkIndex: N0 })
        .filter((neighbor) => neighbor.address === spec.address);
      assert.deepEqual(made, [neighborOf(spec)]);
      // Another hardware address takes the place of the first one.
      const moved = { ...spec, macAddress: mac("0a:1b:0a:06:00:0a") };
      expectOk(replaceNeighbor(socket, moved), "the neighbour moves");
      const listed = listNeighbors(socket).filter((one) => one.address === spec.address);
      assert.deepEqual(listed, [neighborOf(moved)]);
      expectOk(removeNeighbor(socket, spec), "it is there");
    },
  });
}

testWith({
  name: "proxied addresses are a list of their own",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    const proxy = { linkIndex: N0, address: address("10.6.0.10"), isProxy: true };
    expectOk(replaceNeighbor(socket, proxy), "the address may be answered for");
    assert.equal(await pod.run("ip", "neigh", "show", "proxy"), "10.6.0.10 dev n0 proxy");
    const isThere = (isProxy: boolean): boolean =>
      listNeighbors(socket, { isProxy }).some((one) => one.address === proxy.address);
    assert.equal(isThere(true), true);
    assert.equal(isThere(false), false);
    expectOk(removeNeighbor(socket, proxy), "it is there");
    assert.equal(isThere(true), false);
  },
});

testWith({
  name: "a neighbour or a link that is not there is not_found, and has no list",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    const codeOf = (linkIndex: number): string => {
      const removed = removeNeighbor(socket, { linkIndex, address: address("10.6.0.9") });
      return removed.ok ? "removed" : removed.error.code;
    };
    assert.equal(codeOf(N0), "not_found");
    assert.equal(codeOf(99), "not_found");
    assert.deepEqual(listNeighbors(socket, { linkIndex: 99 }), []);
  },
});
