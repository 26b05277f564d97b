import assert from "node:assert/strict";
import { vlanText } from "./vlan_operation.ts";
import { canonicalAddress, type NicAddresses, planAddresses } from "./vlan_addresses.ts";

const V4 = { address: "10.6.0.17/16", gateway: "10.6.0.1" };
const V6 = { address: "FD00:0::17/64", gateway: "fd00:0::1" };

function planOf(given: NicAddresses, disableIpv6 = "0") {
  const plan = planAddresses("net1.5", given, { disableIpv6 });
  assert.ok(plan.ok, plan.ok ? "" : plan.error);
  return plan.value;
}

function refusalOf(given: NicAddresses): string {
  const plan = planAddresses("net1", given, { disableIpv6: "0" });
  assert.ok(!plan.ok, "it is planned");
  return plan.error;
}

Deno.test("planAddresses() sets addresses, then the NIC up, then routes", () => {
  const routes = [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }, { dst: "::/0" }, { dst: "10.8.1.2/16" }];
  assert.deepEqual(planOf({ ips: [V4, V6], routes }, "1").map(vlanText), [
    "sysctl -w net/ipv6/conf/net1.5/disable_ipv6=0",
    "ip addr add 10.6.0.17/16 dev net1.5",
    "ip addr add fd00::17/64 dev net1.5",
    "ip link set net1.5 up",
    "ip route add 0.0.0.0/0 via 10.6.0.1 dev net1.5 table 254",
    "ip route add ::/0 via fd00::1 dev net1.5 table 254",
    "ip route add 10.8.0.0/16 via 10.6.0.1 dev net1.5 table 254",
  ]);
});

Deno.test("planAddresses() leaves IPv6 alone where no address needs it, or it is on", () => {
  const isSysctl = ({ kind }: { readonly kind: string }): boolean => kind === "sysctl";
  assert.equal(planOf({ ips: [V4], routes: [] }, "1").some(isSysctl), false);
  assert.equal(planOf({ ips: [V6], routes: [] }, "0").some(isSysctl), false);
});

Deno.test("planAddresses() only sets a NIC without addresses up", () => {
  assert.deepEqual(planOf({ ips: [], routes: [] }), [{ kind: "up", name: "net1.5" }]);
});

Deno.test("planAddresses() leads a route without a router to that of the first address", () => {
  const ips = [{ address: "10.9.0.1/16" }, V4, { address: "10.7.0.1/16", gateway: "10.7.0.9" }];
  assert.equal(
    planOf({ ips, routes: [{ dst: "0.0.0.0/0" }] }).map(vlanText).at(-1),
    "ip route add 0.0.0.0/0 via 10.6.0.1 dev net1.5 table 254",
  );
});

Deno.test("planAddresses() takes over all that a route says", () => {
  const ips = [{ address: "10.6.0.17/16" }, { address: "fd00::17/64" }];
  const numbers = { mtu: 1_400, advmss: 1_300, priority: 50, table: 7 };
  const routes = [
    { dst: "10.9.0.1", ...numbers },
    { dst: "10.9.0.2/32", gw: "10.6.0.9", ...numbers, scope: 200 },
    { dst: "fd01::/64", ...numbers, scope: 200 },
    { dst: "fd02::/64", gw: "fe80::1" },
  ];
  const base = { protocol: 3, type: 1, device: "net1.5" };
  const told = { metric: 50, table: 7, metrics: { 2: 1_400, 8: 1_300 } };
  assert.deepEqual(
    planOf({ ips, routes }).flatMap((one) => one.kind === "route_add" ? [one.route] : []),
    [
      { ...base, ...told, version: 4, destination: "10.9.0.1/32", scope: 253 },
      {
        ...{ ...base, ...told, version: 4, destination: "10.9.0.2/32", scope: 200 },
        gateway: "10.6.0.9",
      },
      { ...base, ...told, version: 6, destination: "fd01::/64", scope: 0 },
      {
        ...{ ...base, version: 6, destination: "fd02::/64", scope: 0, metric: 1_024, table: 254 },
        gateway: "fe80::1",
      },
    ],
  );
});

Deno.test("planAddresses() refuses what is no address, gateway or route, in one sentence", () => {
  const start = 'Cannot set addresses of NIC "net1": ';
  const none = "which is none; see its pools and configuration";
  const cases: readonly (readonly [NicAddresses, string])[] = [
    [{ ips: [{ address: "10.6.0.17" }], routes: [] }, 'the address "10.6.0.17"'],
    [{ ips: [{ ...V4, gateway: "x" }], routes: [] }, 'the gateway "x"'],
    [{ ips: [V4], routes: [{ dst: "default" }] }, 'the route "default" via ""'],
    [{ ips: [V4], routes: [{ dst: "10.0.0.0/8", gw: "x" }] }, 'the route "10.0.0.0/8" via "x"'],
  ];
  for (const [given, what] of cases) {
    assert.equal(refusalOf(given), `${start}the IPAM plugin gave ${what}, ${none}`);
  }
  assert.deepEqual(planAddresses("net1", { ips: [V6], routes: [] }, { disableIpv6: undefined }), {
    ok: false,
    error: `${start}the node's kernel has no IPv6, use a pool of IPv4`,
  });
});

Deno.test("canonicalAddress() writes an address as the kernel's are, and leaves the rest", () => {
  assert.equal(canonicalAddress("FD00:0:0::17/64"), "fd00::17/64");
  assert.equal(canonicalAddress("x"), "x");
});
