import assert from "node:assert/strict";
import type { KernelOperation, RouteSpec } from "../../src/datapath/operation.ts";
import { operationText } from "./operation_text.ts";

const ROUTE: RouteSpec = {
  version: 4,
  destination: "10.244.0.0/16",
  table: 101,
  protocol: 3,
  scope: 0,
  type: 1,
  metric: 0,
  device: "veth0",
  gateway: "10.6.0.2",
  source: "10.6.0.5",
};
const NEIGHBOR = {
  version: 4,
  device: "v",
  address: "10.6.0.5",
  mac: "02:00:00:00:00:01",
} as const;

const TEXTS: readonly (readonly [KernelOperation, string])[] = [
  [
    { kind: "veth_add", podName: "veth0", nodeName: "v", mtu: 1500, podMac: "", nodeMac: "" },
    "pod: ip link add veth0 type veth peer name v",
  ],
  [{ kind: "link_remove", where: "node", name: "v" }, "node: ip link del v"],
  [{ kind: "link_state", where: "pod", name: "a", isUp: false }, "pod: ip link set a down"],
  [
    { kind: "address_add", where: "pod", device: "a", address: "10.0.0.1/32" },
    "pod: ip addr add 10.0.0.1/32 dev a",
  ],
  [
    { kind: "neighbor_set", where: "node", neighbor: NEIGHBOR },
    "node: ip neigh replace 10.6.0.5 lladdr 02:00:00:00:00:01 dev v nud permanent",
  ],
  [
    { kind: "route_add", where: "pod", route: ROUTE },
    "pod: ip route add 10.244.0.0/16 via 10.6.0.2 dev veth0 src 10.6.0.5 table 101",
  ],
  [
    {
      kind: "rule_remove",
      where: "pod",
      rule: { version: 6, priority: 1000, table: 100, mark: 1 },
    },
    "pod: ip rule del pref 1000 fwmark 1 lookup 100 (IPv6)",
  ],
  [
    { kind: "sysctl_set", where: "pod", path: "net/ipv4/conf/all/rp_filter", value: "0" },
    "pod: sysctl -w net/ipv4/conf/all/rp_filter=0",
  ],
];

for (const [operation, text] of TEXTS) {
  Deno.test(`operationText() of ${operation.kind} is the command that does the same`, () => {
    assert.equal(operationText(operation), text);
  });
}
