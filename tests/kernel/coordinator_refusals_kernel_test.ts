/** ADDs that cannot be done: one sentence, the code of the specification, and nothing left. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { type Asking, Fixture, type Pod, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { SOURCE } from "./coordinator/node.ts";
import { WITHOUT_NF_TABLES } from "./coordinator/without_nf_tables.ts";
import { assertCarrier, ping } from "./coordinator/packets.ts";
import { statesOf } from "./coordinator/state.ts";

/** What is refused, as a test names it: how it is asked, the code, and what the sentence says. */
type Case = readonly [Asking & { readonly ifName?: string }, number, RegExp];

/** Sees that ADDs are refused as they should, and that pod and node are as they were. */
async function assertRefused(
  fixture: Fixture,
  { pod, cases }: { readonly pod: Pod; readonly cases: readonly Case[] },
): Promise<void> {
  const before = await statesOf(fixture.node, pod.namespace);
  const records = await fixture.records();
  for (const refused of cases) await assertSentence(fixture, { pod, refused });
  assert.deepEqual(await fixture.records(), records);
  assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
}

async function assertSentence(
  fixture: Fixture,
  { pod, refused: [{ ifName = "eth0", ...asking }, code, said] }: {
    readonly pod: Pod;
    readonly refused: Case;
  },
): Promise<void> {
  const ended = await fixture.run("ADD", pod, { ...asking, ifName });
  const what = JSON.stringify(asking);
  assert.equal(ended.code, 1, `${what}: ${ended.stdout}`);
  assert.equal(ended.stderr, "", what);
  const answer: Readonly<Record<string, unknown>> = JSON.parse(ended.stdout);
  assert.deepEqual(Object.keys(answer), ["cniVersion", "code", "msg"], what);
  const { msg } = answer;
  assert(typeof msg === "string");
  assert.match(msg, said);
  assert.equal(answer.code, code, msg);
  assert.match(msg, /^Cannot [^\n]*[^.\n]$/, "one sentence");
}

const TOO_LONG = "a-name-too-long0";
const CNI = "of the CNI configuration";

function config(given: Readonly<Record<string, unknown>>, said: RegExp | string): Case {
  const text = typeof said === "string" ? said.replaceAll(/[.[\]"()]/g, "\\$&") : said;
  return [{ config: given }, 7, new RegExp(text)];
}

/** Every field, out of its range. */
const FIELDS: readonly Case[] = [
  config({ mode: "shared" }, /mode.*"shared": write .*"underlay", "overlay"/),
  config({ mode: "overlay" }, /"eth0" in overlay mode: it is the pod's first NIC, .*; use mode a/),
  config({ vethLinkAddress: "1.2.3" }, `vethLinkAddress ${CNI} "1.2.3": `),
  config({ vethLinkAddress: "fd00::1" }, `vethLinkAddress ${CNI} "fd00::1": write an IPv4 address`),
  config({ vethMTU: -1 }, `vethMTU ${CNI} -1: write a whole number of at least 1`),
  config({ vethMTU: 67 }, `vethMTU ${CNI} 67: write a number from 68 to 65535`),
  config({ vethMTU: 65_536 }, `vethMTU ${CNI} 65536: write a number from 68 to 65535`),
  config({ vethMTU: "1500" }, /vethMTU.*"1500": write /),
  config({ podMACPrefix: "0a-1b" }, `podMACPrefix ${CNI} "0a-1b": write two bytes such as "0a:1b"`),
  config({ podMACPrefix: "03:1b" }, `podMACPrefix ${CNI} "03:1b": write two bytes such as "0a:1b"`),
  config({ podMACPrefix: "0,:1b" }, `podMACPrefix ${CNI} "0,:1b": write two bytes such as "0a:1b"`),
  config({ podDefaultCniNic: TOO_LONG }, /podDefaultCniNic .*at most 15 bytes/),
  config({ podDefaultRouteNic: "a b" }, /podDefaultRouteNic .*"a b": write the name of a NIC/),
  config({ overlayPodCIDR: ["10.0.0.0/33"] }, `overlayPodCIDR[0] ${CNI} "10.0.0.0/33": `),
  config({ serviceCIDR: ["10.0.0.0/8", "x"] }, `serviceCIDR[1] ${CNI} "x`),
  config({ hijackCIDR: [""] }, `hijackCIDR[0] ${CNI} `),
  config({ hijackCIDR: "10.0.0.0/8" }, /hijackCIDR.*"10\.0\.0\.0\/8": write /),
  config({ policyRoutes: [{ dst: "x", gw: "10.6.0.1" }] }, `policyRoutes[0].dst ${CNI} "x`),
  config({ policyRoutes: [{ dst: "10.0.0.0/8", gw: "y" }] }, `policyRoutes[0].gw ${CNI} "y": `),
  config(
    { policyRoutes: [{ dst: "10.0.0.0/8", gw: "fd00::1" }] },
    `policyRoutes[0].gw ${CNI} "fd00::1": write an address of IPv4, the family of dst 10.0.0.0/8`,
  ),
  config({ tunePodRoutes: "no" }, /tunePodRoutes.*"no": write /),
  config({ hostRuleTable: 254 }, `hostRuleTable ${CNI} 254: write a number from 1 to 4294967295`),
  config({ hostRuleTable: -5 }, `hostRuleTable ${CNI} -5: write a number from 1 to 4294967295`),
  config(
    { hostRuleTable: 2 ** 32 },
    `hostRuleTable ${CNI} 4294967296: write a number from 1 to 42`,
  ),
  config({ podRPFilter: 3 }, `podRPFilter ${CNI} 3: write 0, 1 or 2, or a negative number`),
  config({ txQueueLen: 2 ** 32 }, `txQueueLen ${CNI} 4294967296: write a number from 1 to 429`),
  config({ logOptions: { logLevel: "loud" } }, /logLevel.*"loud": write /),
  config({ prevResult: undefined }, /prevResult .*: it is missing; list this plugin in a chain/),
];

testWith({
  name: "coordinator: a field out of range is refused by its name, with its value and the remedy",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await assertRefused(fixture, { pod, cases: FIELDS });
    const { answer } = pod.node;
    for (
      const [wrong, said] of [
        [{ mode: "shared" }, /mode of the SpiderCoordinator "shared": write "auto", "und/],
        [{ podRPFilter: 3 }, /podRPFilter of the SpiderCoordinator 3: write 0, 1 or 2/],
        [{ vethMTU: 70_000 }, /vethMTU of the SpiderCoordinator 70000: write a number from 68/],
      ] as const
    ) {
      pod.node.answer = { ...answer, ...wrong };
      await assertRefused(fixture, { pod, cases: [[{}, 7, said]] });
    }
  },
});

testWith({
  name: "coordinator: what the runtime says wrong is refused by the variable",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const none = /^Cannot open network namespace ".*": .*; CNI_NETNS names it$/;
    const cases: readonly Case[] = [
      [{ ifName: TOO_LONG }, 4, /CNI_IFNAME "a-name-too-long0" is too long; use at most 15/],
      [{ ifName: "a/b" }, 4, /CNI_IFNAME "a\/b" has a "\/"/],
      [{ ifName: "" }, 4, /CNI_IFNAME not set/],
      [{ env: { CNI_CONTAINERID: "../x" } }, 4, /CNI_CONTAINERID "\.\.\/x" is not a container's/],
      [{ env: { CNI_CONTAINERID: "a".repeat(300) } }, 999, /CNI_CONTAINERID has 300 char.*too lo/],
      [{ env: { CNI_ARGS: "K8S_POD_NAME" } }, 4, /CNI_ARGS: "K8S_POD_NAME" is no pair/],
      [{ env: { CNI_NETNS: "" } }, 4, /CNI_NETNS not set/],
      [{ env: { CNI_NETNS: "/proc/1/no/such/net" } }, 4, /"\/proc\/1\/no\/such\/net" \(ENOENT\)/],
      [{ env: { CNI_NETNS: "/etc/passwd" } }, 4, none],
      [{ env: { CNI_NETNS: "/proc/self/ns/uts" } }, 4, none],
      [{ version: "9.9.9" }, 1, /9\.9\.9/],
    ];
    await assertRefused(fixture, { pod, cases });
  },
});

testWith({
  name: "coordinator: a pod that is not as it should be is refused with what is wrong about it",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 2_000 } });
    const { namespace: inside } = pod;
    const refuse = (asking: Case[0], code: number, said: RegExp) =>
      assertRefused(fixture, { pod, cases: [[asking, code, said]] });
    const underlay = { ifName: "net1", config: { mode: "underlay" } };
    await refuse(underlay, 999, /"net1" in underlay mode: the pod has no link "veth0", coordinate/);
    await refuse({ ifName: "net1" }, 999, /overlay mode: .*first NIC "eth0" is no veth pair with/);
    await refuse({ ifName: "net9" }, 999, /"net9": the pod has no link of that name/);

    await script(inside, ["ip link add veth0 type veth peer name other"]);
    await refuse({}, 999, /has a link "veth0" already that does not lead to .*, remove that link/);
    await script(inside, ["ip link del veth0"]);

    const node = "vethabcdef01234";
    await fixture.node.run("ip", "link", "add", node, "type", "bridge");
    await refuse({}, 999, /node has a link "vethabcdef01234" already that is no veth, remove or/);
    await fixture.node.run("ip", "link", "del", node);

    await fixture.add(pod, "eth0");
    const overlay = { ifName: "net1", config: { mode: "overlay" } };
    await refuse(overlay, 7, /overlay mode: link "veth0" says that .*; use mode auto or underlay/);
    const unknown = { ifName: "net1", config: { podDefaultRouteNic: "net9" } };
    await refuse(
      unknown,
      7,
      /podDefaultRouteNIC "net9" is no NIC of it, name one of "eth0", "net1"/,
    );

    await script(inside, ["ip link set net1 down; ip link set net1 name data0"]);
    await refuse({ ifName: "net1" }, 999, /"net1": the pod has no link of that name, the plugin/);
    await script(inside, ["ip link set data0 name net1; ip link set net1 up"]);
    await script(inside, ["ip address flush dev net1 scope global"]);
    await refuse({ ifName: "net1" }, 999, /"net1": it has no address but link-local ones, the plu/);
    await ping(fixture.node, "10.6.0.5");
  },
});

testWith({
  name: "coordinator: what the kernel refuses on the way is taken back, and what was before stays",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const policyRoutes = [{ dst: "192.0.2.0/24", gw: "203.0.113.1" }];
    const said = /^Cannot do "pod: ip route add 192\.0\.2\.0\/24 via 203\.0\.113\.1.*: Nexthop has/;
    const refused: Case = [{ config: { policyRoutes, podMACPrefix: "0a:1b" } }, 999, said];
    await assertRefused(fixture, { pod, cases: [refused] });
    // The same where an ADD was before: it still counts.
    await fixture.add(pod, "eth0");
    await assertRefused(fixture, { pod, cases: [[{ config: { policyRoutes } }, 999, said]] });
    await assertCarrier(pod.namespace, "veth0", () => ping(fixture.node, "10.6.0.5"));
    await fixture.del(pod, "eth0");
  },
});

testWith({
  name: "coordinator: without an agent, or with one that cannot answer, an ADD is refused",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    fixture.agent.answering = () => undefined;
    await assertRefused(fixture, { pod, cases: [[{}, 11, /spiderpool-agent/]] });
    await pod.node.loseAgent();
    await assertRefused(fixture, { pod, cases: [[{}, 11, /there is no socket ".*"; see that/]] });
  },
});

testWith({
  name: "coordinator: without nf_tables a first underlay NIC is refused, overlay mode needs none",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    const program = WITHOUT_NF_TABLES;
    const said = /"eth0": the kernel of this node has no nf_tables, .*; load the module nf_tables/;
    await assertRefused(fixture, { pod, cases: [[{ program }, 999, said]] });
    const before = await statesOf(fixture.node, pod.namespace);
    // The runtime's DEL after a refused ADD, and those of pods that need no marks.
    await fixture.del(pod, "eth0", { program });
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
    const other = await fixture.pod();
    await fixture.addOverlayNic(other, { last: 9 });
    await fixture.addNic(other, "net1", { last: 6, metric: 2_000 });
    const start = await statesOf(fixture.node, other.namespace);
    await fixture.add(other, "net1", { program });
    await assertCarrier(other.namespace, "eth0", () => ping(fixture.node, "10.6.0.6"));
    await fixture.del(other, "net1", { program });
    assert.deepEqual(await statesOf(fixture.node, other.namespace), start);
  },
});

testWith({
  name: "coordinator: on a kernel that shows no IPv6, IPv4 works and IPv6 is refused",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const both = await fixture.podWith({ eth0: { last: 5 } });
    const bare = await fixture.podWith({ eth0: { last: 6, families: [4] } });
    // What such a kernel lacks first of all is its sysctls.
    const hide = 'mount -t tmpfs none /proc/sys/net && exec "$@"';
    const program = [
      ...["unshare", "--mount", "--propagation", "private", "sh", "-c", hide, "sh"],
      ...SOURCE,
    ];
    const said = /gives it fd00:10:6::5\/64 and the kernel of this node has no IPv6, enable it or/;
    await assertRefused(fixture, { pod: both, cases: [[{ program }, 999, said]] });
    const before = await statesOf(fixture.node, bare.namespace);
    await fixture.add(bare, "eth0", { program });
    await assertCarrier(bare.namespace, "veth0", () => ping(fixture.node, "10.6.0.6"));
    await fixture.del(bare, "eth0", { program });
    assert.deepEqual(await statesOf(fixture.node, bare.namespace), before);
  },
});
