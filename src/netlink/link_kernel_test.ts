import assert from "node:assert/strict";
import { type Namespace, openNamespace } from "../../tests/kernel/namespace.ts";
import { untilTrue } from "../../tests/support/hang_limit.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import { expectOk } from "../base/result.ts";
import { parseIpv4 } from "../ip/mod.ts";
import { refusalSentence } from "./kernel_refusal.ts";
import { addLink, findLink, listLinks, removeLink, setBond, setLink } from "./link.ts";
import { openNetns } from "./netns.ts";
import { NetlinkSocket } from "./socket.ts";
import type { LinkDetails } from "./wire/link_kind.ts";
import type { LinkRecord, LinkSpec } from "./wire/link.ts";
import { type MacAddress, parseMac } from "./wire/mac.ts";

const needs = [root, linkKind("veth"), program("ip"), program("nsenter")];
const MAC = mac("0a:1b:0a:06:00:07");
const PEER_MAC = mac("0a:1b:0a:06:00:08");

function mac(text: string): MacAddress {
  return expectOk(parseMac(text), text);
}

/** A namespace with a veth pair `p0` and `p1`, both up and said to be, and a socket in it. */
async function openFabric(): Promise<
  Namespace & { readonly socket: NetlinkSocket; readonly parentIndex: number }
> {
  await using stack = new AsyncDisposableStack();
  const namespace = stack.use(await openNamespace());
  using netns = openNetns(`/proc/${namespace.pid}/ns/net`);
  const socket = stack.use(NetlinkSocket.openRoute({ netns }));
  expectOk(addLink(socket, { kind: "veth", name: "p0", isUp: true, peer: { name: "p1" } }), "new");
  expectOk(setLink(socket, found(socket, "p1").index, { isUp: true }), "p1 is there");
  const isUp = (name: string) => found(socket, name).operState === "up";
  await untilTrue(() => isUp("p0") && isUp("p1")); // The kernel says it up to a second later.
  const kept = stack.move();
  return {
    ...namespace,
    socket,
    parentIndex: found(socket, "p0").index,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function found(socket: NetlinkSocket, name: string): LinkRecord {
  const link = findLink(socket, { name });
  assert.ok(link !== undefined, `link ${name} is there`);
  return link;
}

/** What `ip` shows of a link. */
async function shown(namespace: Namespace, name: string): Promise<Record<string, unknown>> {
  const text = await namespace.run("ip", "-json", "-details", "link", "show", "dev", name);
  return JSON.parse(text)[0];
}

interface KindCase {
  readonly spec: (parentIndex: number) => LinkSpec;
  /** What `ip` shows as `info_data`, among other things. */
  readonly shown: Readonly<Record<string, unknown>>;
  readonly details: LinkDetails | undefined;
  /** Kind, where it is not the name of the case. */
  readonly kind?: string;
}

const CASES: Readonly<Record<string, KindCase>> = {
  veth: {
    spec: () => ({ kind: "veth", name: "n0", peer: { name: "n1" } }),
    shown: {},
    details: undefined,
  },
  bridge: {
    spec: () => ({ kind: "bridge", name: "n0" }),
    shown: { stp_state: 0 },
    details: undefined,
  },
  dummy: { spec: () => ({ kind: "dummy", name: "n0" }), shown: {}, details: undefined },
  macvlan: {
    spec: (parentIndex) => ({ kind: "macvlan", name: "n0", parentIndex, mode: "bridge" }),
    shown: { mode: "bridge" },
    details: { kind: "macvlan", mode: "bridge" },
  },
  "macvlan private": {
    kind: "macvlan",
    spec: (parentIndex) => ({ kind: "macvlan", name: "n0", parentIndex, mode: "private" }),
    shown: { mode: "private" },
    details: { kind: "macvlan", mode: "private" },
  },
  vlan: {
    spec: (parentIndex) => ({ kind: "vlan", name: "n0", parentIndex, id: 100 }),
    shown: { protocol: "802.1Q", id: 100, flags: ["REORDER_HDR"] },
    details: { kind: "vlan", id: 100, protocol: "802.1Q", flags: 1 },
  },
  "vlan with flags": {
    kind: "vlan",
    spec: (parentIndex) => ({
      ...{ kind: "vlan", name: "n0", parentIndex, id: 4094, protocol: "802.1ad" },
      flags: 4,
    }),
    shown: { protocol: "802.1ad", id: 4094, flags: ["LOOSE_BINDING"] },
    details: { kind: "vlan", id: 4094, protocol: "802.1ad", flags: 4 },
  },
  ipvlan: {
    spec: (parentIndex) => ({ kind: "ipvlan", name: "n0", parentIndex }),
    shown: { mode: "l3" },
    details: { kind: "ipvlan", mode: "l3", sharing: "bridge" },
  },
  "ipvlan l2": {
    kind: "ipvlan",
    spec: (parentIndex) => ({
      ...{ kind: "ipvlan", name: "n0", parentIndex, mode: "l2" },
      sharing: "private",
    }),
    shown: { mode: "l2" },
    details: { kind: "ipvlan", mode: "l2", sharing: "private" },
  },
  vrf: {
    spec: () => ({ kind: "vrf", name: "n0", table: 500 }),
    shown: { table: 500 },
    details: { kind: "vrf", table: 500 },
  },
};

for (const [name, { spec, shown: data, details, kind = name }] of Object.entries(CASES)) {
  testWith({
    name: `addLink() makes a link that ip shows as a ${name}, and removeLink() removes it`,
    needs: [...needs, linkKind(kind)],
    async fn() {
      await using fabric = await openFabric();
      const { socket, parentIndex } = fabric;
      expectOk(addLink(socket, spec(parentIndex)), "it is new");
      const link = found(socket, "n0");
      assert.equal(link.kind, kind);
      assert.deepEqual(link.details, details);
      assert.equal(link.isUp, false);
      const { linkinfo, ifindex, mtu, txqlen, address } = await shown(fabric, "n0");
      assert.partialDeepStrictEqual(linkinfo, { info_kind: kind });
      if (Object.keys(data).length > 0) {
        assert.partialDeepStrictEqual(linkinfo, { info_data: data });
      }
      assert.deepEqual(
        [link.index, link.mtu, link.txQueueLength, link.address],
        [ifindex, mtu, txqlen, address],
      );
      assert.deepEqual(findLink(socket, { index: link.index }), link);
      assert.deepEqual(listLinks(socket).find((one) => one.name === "n0"), link);
      const again = addLink(socket, spec(parentIndex));
      assert.equal(again.ok ? "" : again.error.code, "exists");
      expectOk(removeLink(socket, { index: link.index }), "it is there");
      assert.equal(findLink(socket, { name: "n0" }), undefined);
      const gone = removeLink(socket, { name: "n0" });
      assert.equal(gone.ok ? "" : gone.error.code, "not_found");
    },
  });
}

testWith({
  name: "addLink() makes both ends of a veth at once, one in another namespace",
  needs,
  async fn() {
    await using node = await openNamespace();
    await using pod = await openFabric();
    using netns = openNetns(`/proc/${node.pid}/ns/net`);
    using nodeSocket = NetlinkSocket.openRoute({ netns });
    const peer = { name: "vethabcdef01234", mtu: 1400, txQueueLength: 0, address: PEER_MAC, netns };
    const spec = {
      kind: "veth",
      name: "veth0",
      mtu: 1450,
      txQueueLength: 5,
      address: MAC,
    } as const;
    expectOk(addLink(pod.socket, { ...spec, isUp: true, peer }), "new");
    const { index } = found(nodeSocket, "vethabcdef01234");
    expectOk(setLink(nodeSocket, index, { isUp: true }), "it is there");
    const near = found(pod.socket, "veth0");
    const far = found(nodeSocket, "vethabcdef01234");
    assert.deepEqual(
      [near.mtu, near.txQueueLength, near.address, near.isUp, near.parentIndex, near.parentNetnsId],
      [1450, 5, MAC, true, far.index, 0],
    );
    assert.deepEqual(
      [far.mtu, far.txQueueLength, far.address, far.isUp, far.parentIndex],
      [1400, 0, PEER_MAC, true, near.index],
    );
    await untilTrue(() => found(pod.socket, "veth0").operState === "up");
    assert.equal(found(pod.socket, "veth0").hasCarrier, true);
    // The name of the far end is taken: nothing is left of either.
    const taken = addLink(pod.socket, { ...spec, name: "veth1", peer });
    assert.equal(taken.ok ? "" : taken.error.code, "exists");
    assert.equal(findLink(pod.socket, { name: "veth1" }), undefined);
    expectOk(removeLink(nodeSocket, { name: far.name }), "it is there");
    assert.equal(findLink(pod.socket, { name: "veth0" }), undefined);
  },
});

testWith({
  name: "a link that is made in another namespace stands on its parent in this one",
  needs: [...needs, linkKind("macvlan")],
  async fn() {
    await using node = await openFabric();
    await using pod = await openNamespace();
    using netns = openNetns(`/proc/${pod.pid}/ns/net`);
    using socket = NetlinkSocket.openRoute({ netns });
    const { parentIndex } = node;
    const spec = { kind: "macvlan", name: "net1", parentIndex, mode: "bridge" } as const;
    expectOk(addLink(node.socket, { ...spec, address: MAC, netns }), "it is new");
    const link = found(socket, "net1");
    assert.deepEqual([link.address, link.parentIndex], [MAC, parentIndex]);
    assert.notEqual(link.parentNetnsId, undefined);
    assert.equal(findLink(node.socket, { name: "net1" }), undefined);
  },
});

testWith({
  name: "setLink() changes what ip shows, and moves a link to another namespace",
  needs: [...needs, linkKind("bridge")],
  async fn() {
    await using fabric = await openFabric();
    await using other = await openNamespace();
    using netns = openNetns(`/proc/${other.pid}/ns/net`);
    const { socket, parentIndex: index } = fabric;
    expectOk(addLink(socket, { kind: "bridge", name: "br0" }), "it is new");
    const masterIndex = found(socket, "br0").index;
    expectOk(setLink(socket, index, { mtu: 1400, txQueueLength: 7, address: MAC }), "it can");
    expectOk(setLink(socket, index, { masterIndex }), "it can");
    assert.partialDeepStrictEqual(await shown(fabric, "p0"), {
      ...{ mtu: 1400, txqlen: 7, address: MAC, master: "br0", operstate: "UP" },
    });
    const link = found(socket, "p0");
    assert.deepEqual([link.masterIndex, link.operState, link.isUp], [masterIndex, "up", true]);
    expectOk(setLink(socket, index, { isUp: false, masterIndex: 0 }), "it can");
    expectOk(setLink(socket, index, { name: "renamed" }), "it is down");
    const renamed = found(socket, "renamed");
    assert.deepEqual([renamed.masterIndex, renamed.isUp], [undefined, false]);
    expectOk(setLink(socket, index, { netns, name: "moved", isUp: true }), "it can");
    assert.equal(findLink(socket, { name: "moved" }), undefined);
    assert.partialDeepStrictEqual(await shown(other, "moved"), { address: MAC, mtu: 1400 });
  },
});

testWith({
  name: "addLink() makes a bond with LACP, and its options are read as they were given",
  needs: [...needs, linkKind("bond")],
  async fn() {
    await using fabric = await openFabric();
    const { socket, parentIndex } = fabric;
    const options = {
      ...{ mode: 4, miimon: 100, upDelay: 200, downDelay: 300, adLacpRate: 1, adSelect: 1 },
      ...{ minLinks: 2, xmitHashPolicy: 1, adActorSysPrio: 65_000, adUserPortKey: 1_000 },
      adActorSystem: MAC,
    };
    expectOk(addLink(socket, { kind: "bond", name: "n0", options }), "it is new");
    const bond = found(socket, "n0");
    assert.partialDeepStrictEqual(bond.details, { kind: "bond", ...options });
    assert.partialDeepStrictEqual(await shown(fabric, "n0"), {
      linkinfo: {
        info_kind: "bond",
        info_data: {
          ...{ mode: "802.3ad", miimon: 100, updelay: 200, downdelay: 300, min_links: 2 },
          ...{ ad_lacp_rate: "fast", ad_select: "bandwidth", xmit_hash_policy: "layer3+4" },
          ...{ ad_actor_sys_prio: 65_000, ad_user_port_key: 1_000, ad_actor_system: MAC },
        },
      },
    });
    expectOk(setLink(socket, parentIndex, { isUp: false }), "ports are down when they join");
    expectOk(setLink(socket, parentIndex, { masterIndex: bond.index }), "it is down");
    assert.equal(found(socket, "p0").masterIndex, bond.index);
  },
});

testWith({
  name: "a bond with ARP targets has them, and setBond() changes its primary",
  needs: [...needs, linkKind("bond")],
  async fn() {
    await using fabric = await openFabric();
    const { socket, parentIndex } = fabric;
    const targets = ["10.6.0.1", "10.6.0.2"].map((text) => expectOk(parseIpv4(text), text));
    const arp = { arpInterval: 100, arpIpTargets: targets, arpValidate: 3 };
    const options = { mode: 1, failOverMac: 1, ...arp };
    expectOk(addLink(socket, { kind: "bond", name: "n0", options }), "it is new");
    const { index } = found(socket, "n0");
    expectOk(setLink(socket, parentIndex, { isUp: false }), "ports are down when they join");
    expectOk(setLink(socket, parentIndex, { masterIndex: index }), "it is down");
    const more = { primary: parentIndex, primaryReselect: 2, resendIgmp: 3 };
    expectOk(setBond(socket, index, more), "it has that port");
    assert.partialDeepStrictEqual(found(socket, "n0").details, { ...options, ...more });
    assert.partialDeepStrictEqual(await shown(fabric, "n0"), {
      linkinfo: {
        info_data: {
          ...{ mode: "active-backup", arp_interval: 100, arp_validate: "all", primary: "p0" },
          ...{ arp_ip_target: ["10.6.0.1", "10.6.0.2"], primary_reselect: "failure" },
        },
      },
    });
    const refused = setBond(socket, index, { mode: 9 });
    assert.equal(refused.ok ? "" : refused.error.code, "refused");
  },
});

testWith({
  name: "what cannot be is refused with one sentence each, and nothing is made",
  needs: [...needs, linkKind("macvlan")],
  async fn() {
    await using fabric = await openFabric();
    const { socket, parentIndex } = fabric;
    const before = listLinks(socket);
    const macvlan = { kind: "macvlan", name: "n0", parentIndex: 4_000, mode: "bridge" } as const;
    const sentence = (spec: LinkSpec): string => {
      const result = addLink(socket, spec);
      return result.ok ? "done" : refusalSentence(`add link "${spec.name}"`, result.error);
    };
    assert.equal(
      sentence({ kind: "bridge", name: "abcdefghijklmnop" }),
      `Cannot add link "abcdefghijklmnop": interface name "abcdefghijklmnop" has 16 bytes, at ` +
        `most 15 are allowed (EINVAL)`,
    );
    assert.match(
      sentence({ kind: "veth", name: "n0", peer: { name: "a/b" } }),
      /^Cannot add link "n0": of the peer, interface name "a\/b" is not allowed: .* \(EINVAL\)$/,
    );
    assert.equal(sentence(macvlan), `Cannot add link "n0": there is no such link (ENODEV)`);
    assert.equal(
      sentence({ kind: "vlan", name: "n0", parentIndex, id: 4_095 }),
      `Cannot add link "n0": VLAN ID 4095 is not one of 0 to 4094 (EINVAL)`,
    );
    assert.match(sentence({ kind: "bridge", name: "n0", mtu: 1.5 }), /: MTU 1\.5 is not one of 0/);
    assert.match(sentence({ kind: "vrf", name: "n0", table: 0 }), /: table 0 is not one of 1 to/);
    assert.equal(findLink(socket, { name: "abcdefghijklmnop" }), undefined);
    const unknown = setLink(socket, 4_000, { isUp: true });
    assert.equal(unknown.ok ? "" : unknown.error.code, "not_found");
    const loopback = removeLink(socket, { name: "lo" });
    assert.equal(loopback.ok ? "" : loopback.error.name, "EOPNOTSUPP");
    assert.deepEqual(listLinks(socket), before);
  },
});

testWith({
  name: "a kind that the kernel does not have is refused in the kernel's words",
  needs,
  async fn() {
    await using fabric = await openFabric();
    const kinds = ["vlan", "bond", "ipvlan", "vrf", "dummy"] as const;
    const specs: Readonly<Record<typeof kinds[number], LinkSpec>> = {
      vlan: { kind: "vlan", name: "n0", parentIndex: fabric.parentIndex, id: 5 },
      bond: { kind: "bond", name: "n0" },
      ipvlan: { kind: "ipvlan", name: "n0", parentIndex: fabric.parentIndex },
      vrf: { kind: "vrf", name: "n0", table: 5 },
      dummy: { kind: "dummy", name: "n0" },
    };
    for (const kind of kinds) {
      const result = addLink(fabric.socket, specs[kind]);
      if (linkKind(kind).probe() === undefined) {
        expectOk(result, `the kernel has ${kind}`);
        expectOk(removeLink(fabric.socket, { name: "n0" }), "it was made");
      } else {
        assert.equal(
          result.ok ? "done" : refusalSentence(`add ${kind} "n0"`, result.error),
          `Cannot add ${kind} "n0": Unknown device type (EOPNOTSUPP)`,
        );
      }
    }
  },
});

/**
 * Takes the capability NET_ADMIN (number 12) from the program that runs it: `struct
 * __user_cap_data_struct` twice, each 0..4 effective | 4..8 permitted | 8..12 inheritable.
 */
const DROP_NET_ADMIN = `
  const capabilities = { parameters: ["buffer", "buffer"], result: "i32" };
  const { symbols } = Deno.dlopen("libc.so.6", { capget: capabilities, capset: capabilities });
  const header = new Uint32Array([0x20080522, 0]);
  const sets = new Uint32Array(6);
  if (symbols.capget(header, sets) !== 0) throw new Error("capget");
  for (const index of [0, 1]) sets[index] &= ~(1 << 12);
  if (symbols.capset(header, sets) !== 0) throw new Error("capset");
`;

testWith({
  name: "a program without NET_ADMIN lists links, and is told what it lacks to make one",
  needs,
  async fn() {
    await using namespace = await openNamespace();
    const program = `
      import { addLink, listLinks, NetlinkSocket, refusalSentence } from "${
      import.meta.resolve("./mod.ts")
    }";
      ${DROP_NET_ADMIN}
      using socket = NetlinkSocket.openRoute();
      const made = addLink(socket, { kind: "bridge", name: "n0" });
      console.log(listLinks(socket)[0].name, refusalSentence('add link "n0"', made.error));
    `;
    const config = new URL(import.meta.resolve("../../deno.json")).pathname;
    const args = ["eval", "--cached-only", `--config=${config}`, program];
    assert.equal(
      await namespace.run(Deno.execPath(), ...args),
      `lo Cannot add link "n0": this program needs the capability NET_ADMIN (EPERM)`,
    );
  },
});
