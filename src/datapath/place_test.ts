import assert from "node:assert/strict";
import type { CoordinatorWish } from "./facts.ts";
import type { ModelKernel } from "../../tests/support/model_kernel.ts";
import {
  add,
  addNic,
  addOverlayNic,
  modelNode,
  planOf,
  refusalOf,
  wishOf,
} from "../../tests/support/model_pod.ts";

function underlay(more: Partial<CoordinatorWish> = {}): ModelKernel {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5 });
  add(kernel, wishOf("eth0", more));
  return kernel;
}

function overlay(): ModelKernel {
  const kernel = modelNode();
  addOverlayNic(kernel);
  addNic(kernel, "net1", { last: 6, families: [4], metric: 50 });
  add(kernel, wishOf("net1"));
  return kernel;
}

function rules({ pod }: ModelKernel): readonly unknown[] {
  return pod.rules.filter(({ table }) => table < 253 || table > 255);
}

Deno.test("planAdd() refuses with the object and the remedy", () => {
  const kernel = underlay();
  assert.match(refusalOf(kernel, wishOf("net9")), /^no_nic: .*NIC "net9"/);
  assert.match(
    refusalOf(kernel, wishOf("eth0", { mode: "overlay" })),
    /^overlay_on_first_nic: .*"eth0" in overlay mode/,
  );
  addNic(kernel, "net1", { last: 6, families: [4] });
  assert.match(
    refusalOf(kernel, wishOf("net1", { mode: "overlay" })),
    /^overlay_on_underlay: .*"veth0"/,
  );
  assert.match(
    refusalOf(kernel, wishOf("net1", { defaultRouteNic: "net9" })),
    /^unknown_nic: .*podDefaultRouteNIC "net9".*name one of "eth0", "net1"$/,
  );
  // Where nobody says which NICs come, that one may come.
  underlay({ defaultRouteNic: "net9", laterNics: undefined });
  assert.match(
    refusalOf(underlay(), wishOf("eth0", { defaultRouteNic: "net9", laterNics: ["net1"] })),
    /^unknown_nic: .*podDefaultRouteNIC "net9".*name one of "eth0", "net1"$/,
  );
  kernel.addLink("pod", "net2", { kind: "macvlan" });
  kernel.addAddress("pod", "net2", "169.254.9.9/16");
  assert.match(refusalOf(kernel, wishOf("net2")), /^no_address: .*"net2"/);
});

Deno.test("planAdd() refuses what the pod's own links do not allow", () => {
  const kernel = overlay();
  assert.match(
    refusalOf(kernel, wishOf("net1", { mode: "underlay" })),
    /^first_nic_missing: .*"veth0".*"eth0"/,
  );
  assert.match(
    refusalOf(kernel, wishOf("net1", { firstNic: "eth7" })),
    /^no_overlay_link: .*first NIC "eth7" is not there/,
  );
  const lone = modelNode();
  addNic(lone, "eth0", { last: 5, families: [4] });
  addNic(lone, "net1", { last: 6, families: [4] });
  assert.match(refusalOf(lone, wishOf("net1")), /^no_overlay_link: .*no veth pair/);
  lone.marks = "no_nf_tables";
  assert.match(refusalOf(lone, wishOf("eth0")), /^no_nf_tables: .*load the module nf_tables/);
  lone.addLink("pod", "veth0", { kind: "veth" });
  assert.match(refusalOf(lone, wishOf("eth0")), /^name_taken: .*"veth0"/);
});

Deno.test("planAdd() refuses IPv6 where the kernel has none, and needs none for IPv4", () => {
  const kernel = modelNode();
  kernel.hasIpv6 = false;
  addNic(kernel, "eth0", { last: 5, families: [4] });
  const addresses = ["10.6.0.5/24", "fd00:10:6::5/64"];
  assert.match(refusalOf(kernel, wishOf("eth0", { addresses })), /^no_ipv6: .*fd00:10:6::5\/64/);
  const { isWhole } = add(kernel, wishOf("eth0", { addresses: ["10.6.0.5/24"] }));
  assert(isWhole);
  assert.equal(rules(kernel).length, 1);
});

Deno.test("planAdd() leaves out a family that the node does not have, and says so", () => {
  const kernel = modelNode();
  kernel.node.addresses = kernel.node.addresses.filter(({ version }) => version === 4);
  addNic(kernel, "eth0", { last: 5 });
  const { outcome } = planOf(kernel, wishOf("eth0"));
  assert.match(outcome.remarks.join(), /no IPv6 address/);
  add(kernel, wishOf("eth0"));
  assert.equal(rules(kernel).length, 1);
  assert.equal(kernel.node.routes.filter(({ table }) => table === 500).length, 2);
});

Deno.test("planAdd() finds the first coordinated overlay NIC among others", () => {
  const kernel = modelNode();
  addOverlayNic(kernel);
  addNic(kernel, "net1", { last: 6, families: [4], metric: 50 });
  addNic(kernel, "net2", { last: 7, families: [4], metric: 60 });
  const firsts = ["net2", "net1"].map((name) => {
    const { outcome } = planOf(kernel, wishOf(name));
    add(kernel, wishOf(name));
    return outcome.isFirst;
  });
  assert.deepEqual(firsts, [true, false]);
  assert.equal(planOf(kernel, wishOf("net2")).steps.length, 0);
});
