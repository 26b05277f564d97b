import assert from "node:assert/strict";
import type { ModelKernel } from "../../tests/support/model_kernel.ts";
import {
  add,
  addNic,
  addOverlayNic,
  modelNode,
  remove,
  wishOf,
} from "../../tests/support/model_pod.ts";
import { planRemove } from "./remove_plan.ts";

function pair(): ModelKernel {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5 });
  return kernel;
}

function hostRules({ node }: ModelKernel): number {
  return node.rules.filter(({ table }) => table === 500).length;
}

Deno.test("planRemove() removes the pair, and what is on it goes with it", () => {
  const kernel = pair();
  const wish = wishOf("eth0");
  const { record } = add(kernel, wish);
  const { pod, node } = kernel.facts();
  const operations = planRemove(record, { pod, node }, { wish });
  assert(!operations.some((one) => one.kind === "neighbor_remove"));
  assert(!operations.some((one) => one.kind === "route_remove"));
  assert.deepEqual(operations.filter((one) => one.kind === "link_remove").length, 1);
});

Deno.test("planRemove() leaves the pair to its NIC when another one goes", () => {
  const kernel = pair();
  add(kernel, wishOf("eth0"));
  addNic(kernel, "net1", { last: 6, metric: 50 });
  const { record } = add(kernel, wishOf("net1"));
  remove(kernel, record, { wish: wishOf("net1") });
  assert(kernel.pod.links.some(({ name }) => name === "veth0"));
  assert.equal(hostRules(kernel), 2);
});

Deno.test("planRemove() takes the node's rule with the last pod, and only its own", () => {
  const kernel = pair();
  const { record } = add(kernel, wishOf("eth0"));
  const other = { destination: "10.6.0.99/32", device: "up0", table: 500 };
  kernel.addRoute("node", { version: 4, scope: 253, ...other });
  const after = kernel.copy();
  remove(kernel, record, { wish: wishOf("eth0") });
  assert.equal(hostRules(kernel), 1);
  after.node.routes = after.node.routes.filter(({ destination }) =>
    destination !== other.destination
  );
  after.node.rules = after.node.rules.map(({ protocol: _, ...rule }) => rule);
  remove(after, record, { wish: wishOf("eth0") });
  assert.equal(hostRules(after), 2);
});

Deno.test("planRemove() leaves alone what somebody changed since", () => {
  const kernel = pair();
  const wish = wishOf("eth0", { podMacPrefix: "0a:1b", txQueueLength: 2000 });
  const { record } = add(kernel, wish);
  kernel.perform({ kind: "link_mac", where: "pod", name: "eth0", mac: "02:aa:aa:aa:aa:aa" });
  kernel.perform({ kind: "link_queue", where: "pod", name: "eth0", length: 3000 });
  kernel.pod.sysctls["net/ipv4/conf/all/rp_filter"] = "1";
  remove(kernel, record, { wish });
  const nic = kernel.pod.links.find(({ name }) => name === "eth0");
  assert.deepEqual([nic?.mac, nic?.txQueueLength], ["02:aa:aa:aa:aa:aa", 3000]);
  assert.equal(kernel.pod.sysctls["net/ipv4/conf/all/rp_filter"], "1");
});

Deno.test("planRemove() of a dead pod spares the one that has its address now", () => {
  const kernel = modelNode();
  addOverlayNic(kernel);
  addNic(kernel, "net1", { last: 6, families: [4] });
  const dead = add(kernel, wishOf("net1")).record;
  const peer = kernel.addLink("node", "cali999", { kind: "veth" });
  kernel.node.routes = kernel.node.routes.map((route) =>
    route.table === 500 ? { ...route, device: peer.name } : route
  );
  for (const record of [dead, undefined]) {
    const wish = wishOf("net1", { addresses: ["10.6.0.6/24"] });
    remove(kernel, record, { wish });
    const left = kernel.node.routes.filter(({ table }) => table === 500);
    assert.deepEqual(left.map(({ device }) => device), ["cali999"]);
    assert.equal(hostRules(kernel), 1);
  }
});

Deno.test("planAdd() replaces what is left of a dead pod with its address, for good", () => {
  const kernel = pair();
  const stale = { destination: "10.6.0.5/32", device: "up0", table: 500 };
  kernel.addRoute("node", { version: 4, scope: 253, ...stale });
  const { record } = add(kernel, wishOf("eth0"));
  const devices = () =>
    kernel.node.routes.filter(({ destination }) => destination === stale.destination)
      .map(({ device }) => device);
  assert.deepEqual(devices(), ["vethabcdef01234"]);
  remove(kernel, record, { wish: wishOf("eth0") });
  assert.deepEqual(devices(), []);
});
