import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { type Namespace, openNamespace } from "../../tests/kernel/namespace.ts";
import { address, cidr } from "../../tests/support/netlink_records.ts";
import { linkKind, program, root, testWith } from "../../tests/support/require.ts";
import { refusalSentence } from "./kernel_refusal.ts";
import { openNetns } from "./netns.ts";
import {
  addRoute,
  appendRoute,
  listRoutes,
  lookUpRoute,
  removeRoute,
  replaceRoute,
} from "./route.ts";
import { NetlinkSocket } from "./socket.ts";
import {
  describeRoute,
  ROUTE_METRIC,
  ROUTE_TABLE,
  ROUTE_TYPE,
  routeOf,
  type RouteRecord,
  type RouteSpec,
} from "./wire/route_record.ts";

const needs = [root, linkKind("veth"), program("ip"), program("nsenter")];

/** Index of each link of the pair that every test has. */
const N0 = 10;
const N1 = 11;

/** A namespace with two links that are up, of networks 10.6.0.0/24 and 10.7.0.0/24. */
async function openPair(): Promise<Namespace> {
  const pod = await openNamespace();
  for (
    const command of [
      "link set lo up",
      `link add n0 index ${N0} type veth peer name n1 index ${N1}`,
      "link set n0 up",
      "link set n1 up",
      "addr add 10.6.0.5/24 dev n0",
      "addr add 10.7.0.5/24 dev n1",
      "addr add fd00:10:6::5/64 dev n0 nodad",
      "addr add fd00:10:7::5/64 dev n1 nodad",
    ]
  ) await pod.run("ip", ...command.split(" "));
  return pod;
}

function openSocket(pod: Namespace): NetlinkSocket {
  using netns = openNetns(`/proc/${pod.pid}/ns/net`);
  return NetlinkSocket.openRoute({ netns });
}

/** Routes that kernel and tests made, without those that come with addresses. */
function madeRoutes(socket: NetlinkSocket): readonly RouteRecord[] {
  return listRoutes(socket).filter(({ protocol }) => protocol !== 2);
}

/** Routes of all kinds, each by what `ip route show table all` prints of it. */
const ROUTES: Readonly<Record<string, RouteSpec>> = {
  "default via 10.6.0.1 dev n0 src 10.6.0.5 metric 50 mtu 1400 advmss 1300 congctl cubic": {
    family: 4,
    gateway: address("10.6.0.1"),
    linkIndex: N0,
    priority: 50,
    prefSource: address("10.6.0.5"),
    metrics: { [ROUTE_METRIC.mtu]: 1400, [ROUTE_METRIC.advmss]: 1300 },
    congestionControl: "cubic",
  },
  "10.10.0.0/16 via 192.0.2.1 dev n0 table 500 proto static onlink": {
    family: 4,
    destination: cidr("10.10.0.0/16"),
    gateway: address("192.0.2.1"),
    linkIndex: N0,
    protocol: 4,
    table: 500,
    isOnlink: true,
  },
  [
    "10.20.0.0/16 tos 0x10 \n\tnexthop via 10.6.0.1 dev n0 weight 2 \n" +
    "\tnexthop via 10.7.0.1 dev n1 weight 3"
  ]: {
    family: 4,
    destination: cidr("10.20.0.0/16"),
    tos: 16,
    nexthops: [
      { linkIndex: N0, gateway: address("10.6.0.1"), weight: 2 },
      { linkIndex: N1, gateway: address("10.7.0.1"), weight: 3 },
    ],
  },
  "10.30.0.0/16 via inet6 fd00:10:6::1 dev n0": {
    family: 4,
    destination: cidr("10.30.0.0/16"),
    gateway: address("fd00:10:6::1"),
    linkIndex: N0,
  },
  "10.6.0.2 dev n0 table 101 scope link src 10.6.0.5": {
    family: 4,
    destination: cidr("10.6.0.2/32"),
    linkIndex: N0,
    prefSource: address("10.6.0.5"),
    table: 101,
  },
  "unreachable 10.40.0.0/16 table 1000": {
    family: 4,
    destination: cidr("10.40.0.0/16"),
    type: ROUTE_TYPE.unreachable,
    table: 1000,
  },
  "default via fd00:10:6::1 dev n0 table 101 metric 50 mtu 1400 pref high": {
    family: 6,
    gateway: address("fd00:10:6::1"),
    linkIndex: N0,
    table: 101,
    priority: 50,
    pref: 1,
    metrics: { [ROUTE_METRIC.mtu]: 1400 },
  },
  "fd00:97::/64 from fd00:10:6::/64 via fd00:10:6::1 dev n0 metric 1024 pref medium": {
    family: 6,
    destination: cidr("fd00:97::/64"),
    source: cidr("fd00:10:6::/64"),
    gateway: address("fd00:10:6::1"),
    linkIndex: N0,
    priority: 1024,
    pref: 0,
  },
  [
    "fd00:99::/48 metric 1024 pref medium\n\tnexthop via fd00:10:6::1 dev n0 weight 2 \n" +
    "\tnexthop via fd00:10:7::1 dev n1 weight 1"
  ]: {
    family: 6,
    destination: cidr("fd00:99::/48"),
    priority: 1024,
    pref: 0,
    nexthops: [
      { linkIndex: N0, gateway: address("fd00:10:6::1"), weight: 2 },
      { linkIndex: N1, gateway: address("fd00:10:7::1") },
    ],
  },
};

for (const [text, spec] of Object.entries(ROUTES)) {
  const printed = `ip -${spec.family} route show table all`;
  testWith({
    name: `addRoute() makes what ip shows as: ${text.replaceAll(/\s+/g, " ")}`,
    needs,
    async fn() {
      await using pod = await openPair();
      using socket = openSocket(pod);
      expectOk(addRoute(socket, spec), "the route is possible");
      const shown = await pod.run(...printed.split(" "));
      assert.ok(shown.includes(text), shown);
      // The list has it as it was asked for, and what was read takes it away again.
      const made = madeRoutes(socket);
      assert.deepEqual(made, [routeOf(spec)]);
      const again = addRoute(socket, spec);
      assert.equal(again.ok ? "made" : again.error.code, "exists");
      for (const route of made) expectOk(removeRoute(socket, route), "it was read just now");
      assert.deepEqual(madeRoutes(socket), []);
      const gone = removeRoute(socket, spec);
      assert.equal(gone.ok ? "removed" : gone.error.code, "not_found");
    },
  });
}

testWith({
  name: "a route that was read is the same route in another table",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    for (
      const command of [
        "route add default via 10.6.0.1 dev n0 metric 7 src 10.6.0.5 proto dhcp mtu lock 1400",
        "route add 10.9.0.0/16 nexthop via 10.6.0.1 dev n0 onlink nexthop dev n1 weight 9",
        "-6 route add default via fd00:10:6::1 dev n0 proto ra metric 9 expires 300 pref low",
      ]
    ) await pod.run("ip", ...command.split(" "));
    const read = madeRoutes(socket);
    assert.equal(read.length, 3);
    for (const route of read) {
      expectOk(addRoute(socket, { ...route, table: 4_000_000_000 }), "it is possible in main");
    }
    const moved = listRoutes(socket, { table: 4_000_000_000 });
    assert.deepEqual(moved.map(withoutExpiry), read.map(inTable(4_000_000_000)));
    // Seconds go by, of 300.
    for (const { family, expiresSeconds = 0 } of moved) {
      assert.equal(expiresSeconds > 200 && expiresSeconds <= 300, family === 6);
    }
  },
});

function withoutExpiry(route: RouteRecord): RouteRecord {
  return { ...route, expiresSeconds: undefined };
}

function inTable(table: number): (route: RouteRecord) => RouteRecord {
  return (route) => withoutExpiry({ ...route, table });
}

testWith({
  name: "listRoutes() lists one family or table, and nothing of a table that is not there",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    await pod.run("ip", "route", "add", "10.8.0.0/16", "dev", "n0", "table", "500");
    await pod.run("ip", "-6", "route", "add", "fd00:8::/64", "dev", "n0", "table", "500");
    const names = (routes: readonly RouteRecord[]) => routes.map(describeRoute);
    assert.deepEqual(names(listRoutes(socket, { table: 500 })), [
      `10.8.0.0/16 dev #${N0} table 500`,
      `fd00:8::/64 dev #${N0} table 500 metric 1024`,
    ]);
    assert.deepEqual(names(listRoutes(socket, { family: 4, table: 500 })), [
      `10.8.0.0/16 dev #${N0} table 500`,
    ]);
    assert.deepEqual(listRoutes(socket, { table: 77 }), []);
    assert.deepEqual(listRoutes(socket, { family: 4, table: 77 }), []);
    assert.deepEqual(listRoutes(socket, { family: 6, table: 77 }), []);
    const families = new Set(listRoutes(socket, { family: 6 }).map(({ family }) => family));
    assert.deepEqual([...families], [6]);
    const tables = new Set(listRoutes(socket).map(({ table }) => table));
    assert.deepEqual([...tables].toSorted((a, b) => a - b), [254, 255, 500]);
  },
});

testWith({
  name: "a namespace that never had a route has none",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    assert.deepEqual(listRoutes(socket, { family: 4, table: ROUTE_TABLE.main }), []);
    assert.deepEqual(listRoutes(socket, { family: 4 }), []);
  },
});

testWith({
  name: "replaceRoute() takes the place of a route, appendRoute() stands beside it",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    const destination = cidr("10.8.0.0/16");
    const first = { family: 4, destination, gateway: address("10.6.0.1"), linkIndex: N0 } as const;
    const second = { ...first, gateway: address("10.7.0.1"), linkIndex: N1 } as const;
    expectOk(replaceRoute(socket, first), "there is none");
    expectOk(replaceRoute(socket, second), "there is one");
    assert.deepEqual(madeRoutes(socket), [routeOf(second)]);
    expectOk(appendRoute(socket, first), "another one");
    const same = appendRoute(socket, first);
    assert.equal(same.ok ? "made" : same.error.code, "exists");
    assert.deepEqual(madeRoutes(socket), [routeOf(second), routeOf(first)]);
  },
});

testWith({
  name: "appendRoute() gives an IPv6 route a way more, and removeRoute() takes one of them",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    const ways = [
      { gateway: address("fd00:10:6::1"), linkIndex: N0 },
      { gateway: address("fd00:10:7::1"), linkIndex: N1 },
    ];
    for (const way of ways) {
      expectOk(appendRoute(socket, { family: 6, priority: 1024, ...way }), "a router on the link");
    }
    const [both, ...more] = madeRoutes(socket);
    assert.deepEqual(more, []);
    assert.equal(both?.linkIndex, undefined);
    const gateways = both?.nexthops.map(({ gateway, linkIndex }) => ({ gateway, linkIndex }));
    assert.deepEqual(gateways, ways);
    expectOk(removeRoute(socket, { family: 6, ...ways[0] }), "one of two ways");
    const expected = routeOf({ family: 6, priority: 1024, pref: 0, ...ways[1] });
    assert.deepEqual(madeRoutes(socket), [expected]);
  },
});

testWith({
  name: "lookUpRoute() tells table, way and source address as `ip route get` does",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    await pod.run("ip", "route", "add", "default", "via", "10.6.0.1", "table", "500");
    await pod.run("ip", "rule", "add", "fwmark", "1", "lookup", "500");
    const far = address("8.8.8.8");
    const lost = lookUpRoute(socket, { address: far });
    assert.deepEqual(lost.ok ? {} : { ...lost.error, text: "" }, {
      code: "refused",
      errno: 101,
      name: "ENETUNREACH",
      text: "",
    });
    const found = expectOk(lookUpRoute(socket, { address: far, mark: 1 }), "table 500 has one");
    assert.equal(describeRoute(found), `8.8.8.8/32 via 10.6.0.1 dev #${N0} table 500 src 10.6.0.5`);
    assert.ok(found.isCloned);
    const near = address("fd00:10:7::9");
    const six = expectOk(lookUpRoute(socket, { address: near }), "it is on the link");
    assert.deepEqual([six.table, six.linkIndex, six.prefSource], [
      ROUTE_TABLE.main,
      N1,
      address("fd00:10:7::5"),
    ]);
    const forwarded = { address: far, source: address("10.7.0.9"), inputIndex: N1, mark: 1 };
    assert.equal(lookUpRoute(socket, forwarded).ok, false); // Nobody allowed forwarding.
    const own = lookUpRoute(socket, { address: address("10.6.0.9"), outputIndex: N0 });
    assert.equal(expectOk(own, "it is on the link").linkIndex, N0);
    const gone = lookUpRoute(socket, { address: far, outputIndex: 99 });
    assert.equal(gone.ok ? "found" : gone.error.code, "not_found");
  },
});

testWith({
  name: "a refused route comes with the kernel's own words",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    const sentence = (route: RouteSpec): string => {
      const made = addRoute(socket, route);
      if (made.ok) return "made";
      return refusalSentence(`add route ${describeRoute(route)}`, made.error);
    };
    assert.equal(
      sentence({
        family: 4,
        destination: cidr("10.8.0.0/16"),
        gateway: address("172.16.0.1"),
        linkIndex: N0,
      }),
      `Cannot add route 10.8.0.0/16 via 172.16.0.1 dev #${N0}: Nexthop has invalid gateway ` +
        `(ENETUNREACH)`,
    );
    assert.equal(
      sentence({ family: 4, linkIndex: N0, prefSource: address("192.0.2.7") }),
      `Cannot add route default dev #${N0} src 192.0.2.7: Invalid prefsrc address (EINVAL)`,
    );
    assert.equal(
      sentence({ family: 6, destination: cidr("fd00:8::/64"), gateway: address("fd00:10:6::5") }),
      `Cannot add route fd00:8::/64 via fd00:10:6::5: Gateway can not be a local address (EINVAL)`,
    );
    assert.match(
      sentence({ family: 4, destination: cidr("10.8.0.0/16"), linkIndex: 99 }),
      /^Cannot add route 10\.8\.0\.0\/16 dev #99: .+ \(ENODEV\)$/,
    );
  },
});

testWith({
  name: "a list that the kernel refuses ends with an error, which is in the end of the list",
  needs,
  async fn() {
    await using pod = await openPair();
    using socket = openSocket(pod);
    // Where `struct rtmsg` of 12 bytes is due, strict checking finds 4 bytes too many.
    const body = Uint8Array.of(2, ...new Uint8Array(15));
    const listed = socket.tryDump({ type: 26, flags: 0, body });
    assert.deepEqual(listed.ok ? "listed" : listed.error, {
      code: "refused",
      errno: 22,
      name: "EINVAL",
      text: "bytes leftover after parsing attributes",
    });
    // The socket is as good as before.
    assert.ok(listRoutes(socket).length > 0);
  },
});
