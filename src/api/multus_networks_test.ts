import assert from "node:assert/strict";
import { nicOf, readNetworks } from "./multus_networks.ts";

const OF = { key: "k8s.v1.cni.cncf.io/networks", namespace: "pods" };

Deno.test("readNetworks() reads the comma list and JSON alike", () => {
  const expected = [
    { namespace: "kube-system", name: "macvlan", interface: "eth1" },
    { namespace: "pods", name: "ipvlan" },
  ];
  const cases = [
    "kube-system/macvlan@eth1,ipvlan",
    " kube-system/macvlan@eth1 ,\n /ipvlan@ ",
    '[{"name":"macvlan","namespace":"kube-system","interface":"eth1"},{"name":"ipvlan"}]',
    '\n[ {"Name":"macvlan","Namespace":"kube-system","Interface":"eth1","mac":"x"},' +
    '{"name":"ipvlan","namespace":"","interface":null} ]',
  ];
  for (const text of cases) assert.deepEqual(readNetworks(text, OF), { ok: true, value: expected });
});

Deno.test("readNetworks() names the entry that it cannot read", () => {
  const form = "write networks as namespace/name@nic, separated by commas, or as a JSON list";
  const of = `of annotation "k8s.v1.cni.cncf.io/networks"`;
  const cases: readonly [string, string][] = [
    ["", `Cannot use [0] ${of} "": ${form}`],
    ["a,,b", `Cannot use [1] ${of} "": ${form}`],
    ["a/b/c", `Cannot use [0] ${of} "a/b/c": ${form}`],
    ["a@b@c", `Cannot use [0] ${of} "a@b@c": ${form}`],
    ["A", `Cannot use [0] ${of} "A": ${form}`],
    ["a@interface-too-long", `Cannot use [0] ${of} "a@interface-too-long": ${form}`],
    ['{"name":"a"}', `Cannot use annotation "${OF.key}" {"name":"a"}: write a list`],
    ['[{"namespace":"a"}]', `Cannot use [0].name ${of}: it is missing; write a string`],
  ];
  for (const [text, error] of cases) assert.deepEqual(readNetworks(text, OF), { ok: false, error });
});

Deno.test("nicOf() counts from net1 where no NIC is named", () => {
  assert.equal(nicOf({ namespace: "a", name: "b" }, 0), "net1");
  assert.equal(nicOf({ namespace: "a", name: "b", interface: "eth7" }, 3), "eth7");
});
