import assert from "node:assert/strict";
import { expectOk } from "../../base/result.ts";
import { type Address, parseAddress } from "../../ip/address.ts";
import type { Namespace } from "../../../tests/kernel/namespace.ts";
import { HOSTS_MAC, openProbedWire, runIp } from "../../../tests/kernel/probed_wire.ts";
import { linkKind, program, root, testWith } from "../../../tests/support/require.ts";
import { PROBE_TIMING, type ProbeVerdict } from "../probe.ts";
import { type AddressWish, ProbeNic } from "./probe_nic.ts";

const needs = [
  root,
  ...["veth", "macvlan"].map(linkKind),
  ...["ip", "nft", "nsenter"].map(program),
];
function ip(text: string): Address {
  return expectOk(parseAddress(text), text);
}

function openNic({ path }: Namespace): ProbeNic {
  return expectOk(
    ProbeNic.open({ netns: path, name: "eth0", nowMs: () => performance.now() }),
    "the NIC can be probed",
  );
}

function wishOf(address: string, gateway?: string): AddressWish {
  return {
    address: ip(address),
    ...(gateway !== undefined && { gateway: ip(gateway) }),
    detectsConflict: true,
    timing: PROBE_TIMING,
  };
}

function verdictsIn(pod: Namespace, ...wishes: readonly AddressWish[]): readonly ProbeVerdict[] {
  using nic = openNic(pod);
  return expectOk(nic.probe(wishes), "something is sent");
}

testWith({
  name: "ProbeNic: an address in use names the MAC, a free one is free, in both families at once",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { pod } = await openProbedWire(stack);
    const conflict = { kind: "conflict", mac: HOSTS_MAC } as const;
    const used = [wishOf("10.6.0.50"), wishOf("fd00:10:6::50")];
    assert.deepEqual(verdictsIn(pod, ...used), [conflict, conflict]);
    const free = [wishOf("10.6.0.51", "10.6.0.1"), wishOf("fd00:10:6::51", "fd00:10:6::1")];
    assert.deepEqual(verdictsIn(pod, ...free), [{ kind: "usable" }, { kind: "usable" }]);
    const mixed = [wishOf("10.6.0.50"), wishOf("fd00:10:6::51", "fd00:10:6::1")];
    assert.deepEqual(verdictsIn(pod, ...mixed), [conflict, { kind: "usable" }]);
  },
});

testWith({
  name: "ProbeNic: a gateway that nobody has is unreachable",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { pod } = await openProbedWire(stack);
    for (const [address, gateway] of [["10.6.0.51", "10.6.0.99"], ["fd00::51", "fd00::99"]]) {
      assert(address !== undefined && gateway !== undefined);
      const found = verdictsIn(pod, wishOf(address, gateway));
      assert.deepEqual(found, [{ kind: "unreachable", gateway: ip(gateway) }]);
    }
  },
});

testWith({
  name: "ProbeNic: answers that are lost are asked for again",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { pod, hosts } = await openProbedWire(stack);
    // A quota that the first question alone fits into.
    await hosts.run(
      "nft",
      "table netdev lossy { chain in { type filter hook ingress device sw0 priority 0; " +
        "arp daddr ip 10.6.0.1 quota until 50 bytes counter drop; " +
        "icmpv6 type nd-neighbor-solicit ip6 daddr ff02::1:ff00:1 " +
        "quota until 100 bytes counter drop; }; }",
    );
    const wishes = [wishOf("10.6.0.51", "10.6.0.1"), wishOf("fd00:10:6::51", "fd00:10:6::1")];
    assert.deepEqual(verdictsIn(pod, ...wishes), [{ kind: "usable" }, { kind: "usable" }]);
    const rules = await hosts.run("nft", "list", "table", "netdev", "lossy");
    const dropped = [...rules.matchAll(/counter packets (\d+) bytes \d+ drop/g)];
    assert.deepEqual(dropped.map(([, count]) => count), ["1", "1"]);
  },
});

testWith({
  name: "ProbeNic: a NIC that was down is down again, unless it is kept",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { pod } = await openProbedWire(stack);
    const isUp = async () => (await pod.run("ip", "link", "show", "eth0")).includes(",UP");
    verdictsIn(pod, wishOf("10.6.0.50"));
    assert.equal(await isUp(), false);
    {
      using nic = openNic(pod);
      nic.keep();
    }
    assert.equal(await isUp(), true);
  },
});

testWith({
  name: "ProbeNic: a NIC that is not there, and one without a carrier, are named",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { pod, node } = await openProbedWire(stack);
    await runIp(node, ["link set up0 down"]);
    let nowMs = 0; // Each look at the clock is a second later.
    const waiting = ProbeNic.open({ netns: pod.path, name: "eth0", nowMs: () => nowMs += 1_000 });
    assert.ok(!waiting.ok && waiting.error.code === "failed");
    const gone = ProbeNic.open({ netns: pod.path, name: "net9", nowMs: () => 0 });
    assert.ok(!gone.ok && gone.error.code === "failed");
    assert.match(gone.error.message, /there is no such NIC/);
  },
});

testWith({
  name: "ProbeNic: neighbours that remember another learn where the address is now",
  needs,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const { pod, hosts } = await openProbedWire(stack);
    const old = "02:00:00:00:00:77";
    const addresses = ["10.6.0.51", "fd00:10:6::51"];
    for (const address of addresses) {
      await runIp(hosts, [`neigh add ${address} lladdr ${old} dev sw0 nud stale`]);
    }
    const [link] = JSON.parse(await pod.run("ip", "-j", "link", "show", "eth0"));
    using nic = openNic(pod);
    assert.deepEqual(nic.announce(addresses.map(ip)), []);
    for (const address of addresses) {
      const [seen] = JSON.parse(await hosts.run("ip", "-j", "neigh", "show", "to", address));
      assert.equal(seen?.lladdr, link.address);
    }
  },
});
