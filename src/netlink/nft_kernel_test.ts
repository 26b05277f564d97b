import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { type Namespace, openNamespace } from "../../tests/kernel/namespace.ts";
import { address } from "../../tests/support/netlink_records.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import {
  changeNfTables,
  listRuleset,
  type NftChange,
  openNfTables,
  readGeneration,
} from "./nft.ts";
import { openNetns } from "./netns.ts";
import { addRoute } from "./route.ts";
import { addRule } from "./rule.ts";
import { NetlinkSocket } from "./socket.ts";
import type { NftChain, NftRule } from "./wire/nft.ts";
import {
  hasConnectionMark,
  hasMark,
  isFromLink,
  isInState,
  restoreMark,
  saveMark,
  setMark,
} from "./wire/nft_statement.ts";

const needs = [root, linkKind("veth"), ...["ip", "nft", "nsenter"].map(program)];

function openSocket(pod: Namespace): NetlinkSocket {
  using netns = openNetns(`/proc/${pod.pid}/ns/net`);
  return openNfTables({ netns });
}

/** Marks connections that come in by veth0, and has their answers routed by that mark. */
function markingChanges(family: "ip" | "ip6"): readonly NftChange[] {
  const table = { family, name: "spiderpool" } as const;
  const inTable = { family, table: "spiderpool" } as const;
  const chains: readonly NftChain[] = [
    { ...inTable, name: "prerouting", type: "filter", hook: "prerouting", priority: -150 },
    { ...inTable, name: "output", type: "route", hook: "output", priority: -150 },
  ];
  const rules: readonly NftRule[] = [
    {
      ...inTable,
      chain: "prerouting",
      expressions: [...isFromLink("veth0"), ...isInState(), ...setMark({ mark: 1 })],
    },
    { ...inTable, chain: "prerouting", expressions: [...hasMark({ mark: 1 }), ...saveMark()] },
    {
      ...inTable,
      chain: "output",
      expressions: [...hasConnectionMark({ mark: 1 }), ...restoreMark()],
    },
  ];
  return [
    { kind: "add_table", table },
    ...chains.map((chain): NftChange => ({ kind: "add_chain", chain })),
    ...rules.map((rule): NftChange => ({ kind: "add_rule", rule })),
  ];
}

/** What `markingChanges` makes, as a person writes it. */
const MARKING = `table ip spiderpool {
  chain prerouting {
    type filter hook prerouting priority -150; policy accept;
    iifname "veth0" ct state new meta mark set 0x1
    meta mark 0x1 ct mark set meta mark
  }
  chain output {
    type route hook output priority -150; policy accept;
    ct mark 0x1 meta mark set ct mark
  }
}`;

testWith({
  name: "changeNfTables() makes what nft makes of the same rules, and reads what it made",
  needs,
  async fn() {
    await using ours = await openNamespace();
    await using theirs = await openNamespace();
    using socket = openSocket(ours);
    expectOk(changeNfTables(socket, markingChanges("ip")), "there is nothing yet");
    await theirs.run("nft", MARKING);
    const listed = await ours.run("nft", "-j", "list", "ruleset");
    assert.equal(listed, await theirs.run("nft", "-j", "list", "ruleset"));
    using other = openSocket(theirs);
    assert.deepEqual(listRuleset(socket), listRuleset(other));
    const read = listRuleset(socket, { family: "ip" });
    assert.deepEqual(markingChanges("ip"), [
      ...read.tables.map((table) => ({ kind: "add_table", table })),
      ...read.chains.map((chain) => ({ kind: "add_chain", chain })),
      ...read.rules.map((rule) => ({ kind: "add_rule", rule })),
    ]);
    assert.deepEqual(listRuleset(socket, { family: "ip6" }), { tables: [], chains: [], rules: [] });
  },
});

testWith({
  name: "a rule with a mask is what nft writes with `and` and `or`, one with a counter is kept",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const table = { family: "inet", name: "t" } as const;
    const expressions = [
      ...hasMark({ mark: 0x10, mask: 0xf0 }),
      ...setMark({ mark: 0x20, mask: 0xf0 }),
    ];
    const chain = {
      family: "inet",
      table: "t",
      name: "c",
      type: "filter",
      hook: "input",
      priority: 5,
    } as const;
    const rule = { family: "inet", table: "t", chain: "c", expressions } as const;
    expectOk(
      changeNfTables(socket, [
        { kind: "add_table", table },
        { kind: "add_chain", chain },
        { kind: "add_rule", rule },
      ]),
      "there is nothing yet",
    );
    const shown = await pod.run("nft", "list", "ruleset");
    assert.match(shown, /meta mark & 0x000000f0 == 0x00000010 meta mark set meta mark & 0xffffff/);
    await pod.run("nft", "add", "rule", "inet", "t", "c", "counter", "accept");
    const [first, second, ...more] = listRuleset(socket).rules;
    assert.deepEqual([first, more], [rule, []]);
    assert.deepEqual(second?.expressions.map(({ kind }) => kind), ["other", "other"]);
  },
});

testWith({
  name: "a change is made as a whole or not at all, and says which step was refused",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const missing = { family: "ip", table: "spiderpool", chain: "none", expressions: [] } as const;
    const made = changeNfTables(socket, [
      ...markingChanges("ip"),
      { kind: "add_rule", rule: missing },
    ]);
    assert.ok(!made.ok);
    assert.deepEqual([made.error.code, made.error.index], ["not_found", 6]);
    assert.deepEqual(listRuleset(socket).tables, []);
    const table = { family: "ip", name: "spiderpool" } as const;
    const removed = changeNfTables(socket, [{ kind: "remove_table", table }]);
    assert.ok(!removed.ok);
    assert.deepEqual([removed.error.code, removed.error.index], ["not_found", 0]);
    expectOk(changeNfTables(socket, []), "nothing is asked for");
  },
});

testWith({
  name: "a change in place of what is there leaves one table, and removing it leaves nothing",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const table = { family: "ip", name: "spiderpool" } as const;
    const fresh: readonly NftChange[] = [
      { kind: "add_table", table },
      { kind: "remove_table", table },
      ...markingChanges("ip"),
    ];
    expectOk(changeNfTables(socket, fresh), "there is nothing yet");
    const once = listRuleset(socket);
    expectOk(changeNfTables(socket, fresh), "there is one");
    assert.deepEqual(listRuleset(socket), once);
    expectOk(changeNfTables(socket, [{ kind: "remove_table", table }]), "there is one");
    assert.deepEqual(listRuleset(socket), { tables: [], chains: [], rules: [] });
    assert.equal(await pod.run("nft", "list", "ruleset"), "");
  },
});

testWith({
  name: "a table is created only where there is none",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const table = { family: "ip", name: "a" } as const;
    const changes: readonly NftChange[] = [{ kind: "create_table", table }];
    expectOk(changeNfTables(socket, changes), "there is none");
    const again = changeNfTables(socket, changes);
    assert.deepEqual(again.ok ? "made" : [again.error.code, again.error.index], ["exists", 0]);
    assert.deepEqual(listRuleset(socket).tables, [table]);
  },
});

testWith({
  name: "a change that was made from older rules is refused as changed",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const generation = readGeneration(socket);
    const table = { family: "ip", name: "a" } as const;
    const changes: readonly NftChange[] = [{ kind: "add_table", table }];
    expectOk(changeNfTables(socket, changes, { generation }), "nobody changed anything");
    const late = changeNfTables(socket, markingChanges("ip"), { generation });
    assert.deepEqual(late.ok ? "made" : [late.error.code, late.error.index], [
      "changed",
      undefined,
    ]);
    assert.deepEqual(listRuleset(socket).tables, [table]);
  },
});

testWith({
  name: "answers leave by the link that the question came in by, for marked connections only",
  needs: [...needs, program("ping")],
  async fn() {
    await using node = await openNamespace();
    await using pod = await openNamespace();
    await joinPodAndNode(pod, node);
    const ping = (to: string): readonly string[] => ["ping", "-c1", "-W1", "-n", to];
    const targets = { ip: "10.6.0.5", ip6: "fd00:10:6::5" } as const;
    // The pod's answers go to eth0, where nobody is.
    for (const target of Object.values(targets)) await node.refuse(...ping(target));
    using tables = openSocket(pod);
    using netns = openNetns(`/proc/${pod.pid}/ns/net`);
    using routes = NetlinkSocket.openRoute({ netns });
    for (const family of ["ip", "ip6"] as const) {
      const version = family === "ip" ? 4 : 6;
      const gateway = address(version === 4 ? "10.1.0.2" : "fd00:1::2");
      expectOk(changeNfTables(tables, markingChanges(family)), "there is nothing yet");
      expectOk(addRoute(routes, { family: version, gateway, table: 100 }), "the node is there");
      const rule = { family: version, priority: 1000, fwMark: 1, table: 100 } as const;
      expectOk(addRule(routes, rule), "there is none yet");
      await node.run(...ping(targets[family]));
      // Without the mark the pod's own packets still go to eth0.
      const far = version === 4 ? "172.16.0.1" : "fd00:172::1";
      assert.match(await pod.run("ip", "route", "get", far), /dev eth0/);
    }
  },
});

/** The node asks from 172.16.0.1 and fd00:172::1, which the pod's main table sends to eth0. */
async function joinPodAndNode(pod: Namespace, node: Namespace): Promise<void> {
  const commands = (lines: string): readonly string[] => lines.trim().split("\n");
  for (
    const line of commands(`
link set lo up
link add veth0 type veth peer name veth1 netns ${node.pid}
link add eth0 type veth peer name nobody
link set veth0 up
link set eth0 up
link set nobody up
addr add 10.1.0.5/24 dev veth0
addr add fd00:1::5/64 dev veth0 nodad
addr add 10.6.0.5/24 dev eth0
addr add fd00:10:6::5/64 dev eth0 nodad
route add default via 10.6.0.1
-6 route add default via fd00:10:6::1`)
  ) await pod.run("ip", ...line.split(" "));
  for (
    const line of commands(`
link set lo up
link set veth1 up
addr add 10.1.0.2/24 dev veth1
addr add fd00:1::2/64 dev veth1 nodad
addr add 172.16.0.1/32 dev lo
addr add fd00:172::1/128 dev lo nodad
route add 10.6.0.5 via 10.1.0.5 src 172.16.0.1
-6 route add fd00:10:6::5 via fd00:1::5 src fd00:172::1`)
  ) await node.run("ip", ...line.split(" "));
  const relaxed = "for i in all veth0 eth0; do echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done";
  await pod.run("sh", "-c", relaxed);
}
