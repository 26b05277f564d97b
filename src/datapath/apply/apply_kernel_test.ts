import assert from "node:assert/strict";
import { type Namespace, openNamespace } from "../../../tests/kernel/namespace.ts";
import { MACS, wishOf } from "../../../tests/support/model_pod.ts";
import { linkKind, program, root, testWith } from "../../../tests/support/require.ts";
import { openNetns, withNetns } from "../../netlink/netns.ts";
import { planAdd } from "../coordinator_plan.ts";
import type { CoordinatorWish } from "../facts.ts";
import type { Plan } from "../plan.ts";
import type { CoordinatorRecord } from "../record.ts";
import { planRemove } from "../remove_plan.ts";
import { type NodeAndPod, openNodeAndPod, openWhatIsThere } from "./mod.ts";

const needs = [
  root,
  ...["veth", "macvlan"].map(linkKind),
  ...["ip", "nft", "nsenter"].map(program),
];
const STATE = `ip -br link | sed 's/@[^ ]*//' | awk '{print "link", $1, $3}'
ip -o link | sed -n 's/.*\\(mtu [0-9]*\\).*\\(qlen [0-9]*\\).*/\\1 \\2/p'
ip -o addr | awk '{print "addr", $2, $3, $4}'
ip -d route show table all
ip -d -6 route show table all
ip -d rule; ip -d -6 rule
ip neigh show nud permanent
nft list ruleset
for f in /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv6/conf/*/disable_ipv6; do
  echo $f $(cat $f)
done`;

/** A node on a switch, and a pod: the fixture of the specification, without packets. */
class World implements AsyncDisposable {
  readonly node: Namespace;
  readonly pod: Namespace;
  readonly #stack: AsyncDisposableStack;

  constructor(
    stack: AsyncDisposableStack,
    { node, pod }: { readonly node: Namespace; readonly pod: Namespace },
  ) {
    this.#stack = stack;
    this.node = node;
    this.pod = pod;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  async addNic(name: string, { last, metric }: { last: number; metric: number }): Promise<void> {
    const { node, pod } = this;
    await script(
      node,
      `ip link add link up0 name m0 type macvlan mode bridge
       ip link set m0 netns ${pod.pid} name ${name}`,
    );
    await script(
      pod,
      `sysctl -qw net.ipv6.conf.${name}.accept_dad=0 || true
       ip link set ${name} up
       ip addr add 10.6.0.${last}/24 dev ${name}
       ip addr add fd00:10:6::${last}/64 dev ${name} nodad
       ip route append default via 10.6.0.1 dev ${name} metric ${metric}
       ip -6 route append default via fd00:10:6::1 dev ${name} metric ${metric}`,
    );
  }

  /** Calls a function on the node, with node and pod open. */
  within<T>(body: (kernel: NodeAndPod) => T & (T extends PromiseLike<unknown> ? never : unknown)) {
    using node = openNetns(`/proc/${this.node.pid}/ns/net`);
    return withNetns(node, () => {
      using kernel = openNodeAndPod(`/proc/${this.pod.pid}/ns/net`);
      return body(kernel);
    });
  }

  /** What `ip`, `nft` and the sysctls show of both, in an order of its own. */
  async state(): Promise<readonly string[]> {
    const texts = await Promise.all([this.node, this.pod].map((one) => script(one, STATE)));
    // The kernel takes that word from routes some time after a link comes up, and makes addresses.
    const lines = texts.map((text) => text.replaceAll(/ linkdown\b/g, "").split("\n"));
    return lines.flatMap((ofOne) => ofOne.map((line) => line.trim()).toSorted())
      .filter((line) => !/fe80::|ff00::|^multicast|^anycast|^link .*UNKNOWN/.test(line));
  }
}

async function script(where: Namespace, text: string): Promise<string> {
  return await where.run("sh", "-ec", text);
}

async function openWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await openNamespace());
  const outside = stack.use(await openNamespace());
  const pod = stack.use(await openNamespace());
  await script(
    node,
    `ip link set lo up
     ip link add up0 type veth peer name swp netns ${outside.pid}
     ip link set up0 up
     ip addr add 10.6.0.2/24 dev up0
     ip addr add fd00:10:6::2/64 dev up0 nodad`,
  );
  await script(outside, "ip link set swp up");
  await script(pod, "ip link set lo up; echo 2 > /proc/sys/net/ipv4/conf/default/rp_filter");
  return new World(stack.move(), { node, pod });
}

function planIn(
  kernel: NodeAndPod,
  wish: CoordinatorWish,
  { record }: { readonly record?: CoordinatorRecord | undefined } = {},
): Plan {
  const plan = planAdd(wish, kernel.factsForAdd(wish), { macs: MACS, record });
  if (!plan.ok) throw new Error(plan.error.message);
  return plan.value;
}

/** An ADD that must work. */
function add(world: World, wish: CoordinatorWish): CoordinatorRecord {
  return world.within((kernel) => {
    const plan = planIn(kernel, wish);
    const applied = kernel.apply(plan.steps);
    assert(applied.ok, applied.ok ? "" : applied.error.message);
    const { record } = plan;
    assert.deepEqual(planIn(kernel, wish, { record }).steps, []);
    assert.deepEqual(planIn(kernel, wish).steps, []);
    return record;
  });
}

/** A DEL that must work. */
function remove(world: World, wish: CoordinatorWish, record?: CoordinatorRecord): void {
  world.within((kernel) => {
    const facts = kernel.factsForRemoval(wish, record);
    assert.deepEqual(kernel.carryOut(planRemove(record, facts, { wish })), []);
    const again = planRemove(record, kernel.factsForRemoval(wish, record), { wish });
    assert.deepEqual(again, []);
  });
}

testWith({
  name: "an ADD has nothing to do twice, and a DEL restores what was, for underlay NICs",
  needs,
  async fn() {
    await using world = await openWorld();
    const nics = [
      { wish: wishOf("eth0", { podMacPrefix: "0a:1b", vethLinkAddress: "169.254.100.1" }) },
      { wish: wishOf("net1", { txQueueLength: 2000 }) },
      { wish: wishOf("net2", { defaultRouteNic: "net2" }) },
    ];
    const undos: (() => Promise<void>)[] = [];
    for (const [at, { wish }] of nics.entries()) {
      await world.addNic(wish.ifName, { last: 5 + at, metric: 50 + at });
      const before = await world.state();
      const { defaultRouteNic: _, ...plain } = wish;
      const record = at === 2 ? addTaking(world, wish) : add(world, plain);
      undos.push(async () => {
        remove(world, wish, record);
        assert.deepEqual(await world.state(), before);
        await world.pod.run("ip", "link", "del", wish.ifName);
      });
    }
    for (const undo of undos.toReversed()) await undo();
  },
});

/** Without its record, nobody knows whose default route a NIC took over. */
function addTaking(world: World, wish: CoordinatorWish): CoordinatorRecord {
  return world.within((kernel) => {
    const { steps, record } = planIn(kernel, wish);
    const applied = kernel.apply(steps);
    assert(applied.ok, applied.ok ? "" : applied.error.message);
    assert.deepEqual(planIn(kernel, wish, { record }).steps, []);
    return record;
  });
}

testWith({
  name: "a DEL restores what was, after whichever step the ADD was killed",
  needs,
  async fn(test) {
    await using world = await openWorld();
    await world.addNic("eth0", { last: 5, metric: 50 });
    const first = wishOf("eth0", { podMacPrefix: "0a:1b" });
    await killedAnywhere(world, { wish: first, test });
    add(world, first);
    await world.addNic("net1", { last: 6, metric: 60 });
    await killedAnywhere(world, { wish: wishOf("net1"), test });
  },
});

/** Places at a time: an emulated processor shows that it goes on. */
const PLACES = 5;

async function killedAnywhere(
  world: World,
  { wish, test }: { readonly wish: CoordinatorWish; readonly test: Deno.TestContext },
): Promise<void> {
  const before = await world.state();
  const count = world.within((kernel) => planIn(kernel, wish).steps.length);
  assert(count > 10);
  for (let from = 0; from <= count; from += PLACES) {
    await test.step(`${wish.ifName}, from step ${from}`, async () => {
      for (let killed = from; killed <= Math.min(count, from + PLACES - 1); killed++) {
        const record = world.within((kernel) => {
          const plan = planIn(kernel, wish);
          assert(kernel.apply(plan.steps.slice(0, killed)).ok);
          return plan.record;
        });
        remove(world, wish, record);
        assert.deepEqual(await world.state(), before, `killed after ${killed} steps`);
      }
    });
  }
}

testWith({
  name: "an overlay pod's further NICs share its way to the node, and give it back",
  needs,
  async fn() {
    await using world = await openWorld();
    await script(
      world.node,
      `ip link add cali123 type veth peer name eth0 netns ${world.pod.pid}
       ip link set cali123 up; ip route add 10.244.1.5 dev cali123`,
    );
    await script(
      world.pod,
      `ip link set eth0 up; ip addr add 10.244.1.5/32 dev eth0
       ip route add 169.254.1.1 dev eth0 scope link
       ip route add default via 169.254.1.1 dev eth0`,
    );
    await world.addNic("net1", { last: 6, metric: 50 });
    const before = await world.state();
    const record = add(world, wishOf("net1"));
    const rules = await world.pod.run("ip", "rule");
    assert.match(rules, /32764:\s+from 10\.244\.1\.5 lookup 100[^]*32765:\s+from 10\.6\.0\.6/);
    assert.match(await world.node.run("ip", "route", "show", "table", "500"), /cali123/);
    remove(world, wishOf("net1"), record);
    assert.deepEqual(await world.state(), before);
    add(world, wishOf("net1"));
    remove(world, { ...wishOf("net1"), addresses: ["10.6.0.6/24", "fd00:10:6::6/64"] });
    assert.equal(await world.node.run("ip", "route", "show", "table", "500"), "");
    assert.doesNotMatch(await world.node.run("ip", "rule"), /lookup 500/);
  },
});

testWith({
  name: "routes move with all they carry, also as one way of several, and come back",
  needs,
  async fn() {
    await using world = await openWorld();
    await world.addNic("eth0", { last: 5, metric: 50 });
    add(world, wishOf("eth0"));
    await world.addNic("net1", { last: 6, metric: 50 });
    await script(
      world.pod,
      `ip route add default metric 70 nexthop via 10.6.0.1 dev eth0 nexthop via 10.6.0.9 dev net1
       ip route add default via 10.9.9.9 dev net1 onlink metric 71 mtu 1400 src 10.6.0.6 proto 77
       ip route add 192.0.2.0/24 via 10.6.0.1 dev net1 tos 0x10 advmss 900
       ip -6 route add 2001:db8::/64 via fd00:10:6::1 dev net1 metric 5 pref high`,
    );
    const before = await world.state();
    const record = add(world, wishOf("net1"));
    const ipv4 = await world.pod.run("ip", "route", "show", "table", "101");
    assert.match(
      ipv4,
      /default via 10\.9\.9\.9 dev net1 proto 77 src 10\.6\.0\.6 metric 71 onlink mtu 1400/,
    );
    assert.match(ipv4, /default via 10\.6\.0\.9 dev net1 metric 70/);
    assert.match(ipv4, /192\.0\.2\.0\/24 tos 0x10 via 10\.6\.0\.1 dev net1 advmss 900/);
    const ipv6 = await world.pod.run("ip", "-6", "route", "show", "table", "101");
    assert.match(ipv6, /default via fd00:10:6::1 dev net1 metric 50/);
    assert.match(ipv6, /2001:db8::\/64 via fd00:10:6::1 dev net1 metric 5 pref high/);
    const main = await world.pod.run("ip", "route");
    assert.match(main, /default via 10\.6\.0\.1 dev eth0 metric 70/);
    assert.doesNotMatch(main + await world.pod.run("ip", "-6", "route"), /default .*dev net1/);
    remove(world, wishOf("net1"), record);
    assert.deepEqual(await world.state(), before);
  },
});

testWith({
  name: "apply() takes back what it did when the kernel refuses a step",
  needs,
  async fn() {
    await using world = await openWorld();
    await world.addNic("eth0", { last: 5, metric: 50 });
    const before = await world.state();
    const policyRoutes = [{ destination: "192.0.2.0/24", gateway: "203.0.113.1" }];
    const message = world.within((kernel) => {
      const { steps } = planIn(kernel, wishOf("eth0", { policyRoutes }));
      const applied = kernel.apply(steps);
      assert(!applied.ok && applied.error.isReverted);
      return applied.error.message;
    });
    assert.match(message, /^Cannot do "pod: ip route add 192\.0\.2\.0\/24 via 203\.0\.113\.1/);
    assert.match(message, /Nexthop has invalid gateway \(ENETUNREACH\)$/);
    assert.deepEqual(await world.state(), before);
  },
});

testWith({
  name: "a DEL cleans the node of a pod whose namespace is gone",
  needs,
  async fn() {
    await using world = await openWorld();
    await world.addNic("eth0", { last: 5, metric: 50 });
    const wish = wishOf("eth0");
    const before = await world.node.run("ip", "rule");
    const record = add(world, wish);
    using node = openNetns(`/proc/${world.node.pid}/ns/net`);
    withNetns(node, () => {
      using kernel = openWhatIsThere("/run/netns/no-such-namespace");
      const facts = kernel.factsForRemoval(wish, record);
      assert.equal(facts.pod, undefined);
      assert.deepEqual(kernel.carryOut(planRemove(record, facts, { wish })), []);
    });
    assert.equal(await world.node.run("ip", "rule"), before);
    assert.doesNotMatch(await world.node.run("ip", "-br", "link"), /vethabcdef01234/);
  },
});
