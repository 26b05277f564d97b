import assert from "node:assert/strict";
import type { ModelKernel } from "../../tests/support/model_kernel.ts";
import {
  add,
  addNic,
  addOverlayNic,
  MACS,
  modelNode,
  planOf,
  wishOf,
} from "../../tests/support/model_pod.ts";
import type { Where } from "./operation.ts";

/** Routes of a table, as `ip route` prints them, sorted. */
function routes(kernel: ModelKernel, table: number, where: Where = "pod"): readonly string[] {
  return kernel.side(where).routes.filter((route) => route.table === table).map((route) => {
    const { destination, gateway, device, source, metric, version } = route;
    return [
      destination,
      ...(gateway === undefined ? [] : ["via", gateway]),
      ...(device === undefined ? [] : ["dev", device]),
      ...(source === undefined ? [] : ["src", source]),
      ...(metric === 0 || (version === 6 && metric === 1024) ? [] : ["metric", metric]),
    ].join(" ");
  }).toSorted();
}

/** Rules that are not the kernel's, as `ip rule` prints them. */
function rules(kernel: ModelKernel, where: Where = "pod"): readonly string[] {
  return kernel.side(where).rules.filter(({ table }) => table < 253 || table > 255)
    .map(({ priority, from = "all", mark, table }) =>
      `${priority}: from ${from}${mark === undefined ? "" : ` fwmark ${mark}`} lookup ${table}`
    ).toSorted();
}

function underlay(): ModelKernel {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5 });
  add(kernel, wishOf("eth0"));
  return kernel;
}

function overlay(more: Parameters<typeof wishOf>[1] = {}): ModelKernel {
  const kernel = modelNode();
  addOverlayNic(kernel);
  addNic(kernel, "net1", { last: 6, families: [4], metric: 50 });
  add(kernel, wishOf("net1", more));
  return kernel;
}

Deno.test("planAdd() connects the first underlay NIC by a pair of its own", () => {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5 });
  const plan = planOf(kernel, wishOf("eth0", { vethMtu: 1400 }));
  add(kernel, wishOf("eth0", { vethMtu: 1400 }));
  const inPod = kernel.pod.links.find(({ name }) => name === "veth0");
  const onNode = kernel.node.links.find(({ name }) => name === "vethabcdef01234");
  assert(inPod?.isUp && onNode?.isUp);
  assert.deepEqual([inPod.mac, onNode.mac, inPod.mtu], [MACS.pod, MACS.node, 1400]);
  assert.equal(kernel.node.sysctls["net/ipv6/conf/vethabcdef01234/accept_ra"], "0");
  assert.deepEqual(plan.outcome.veth, {
    podName: "veth0",
    podMac: MACS.pod,
    nodeName: "vethabcdef01234",
    nodeMac: MACS.node,
  });
  assert.deepEqual([plan.outcome.mode, plan.outcome.isFirst], ["underlay", true]);
});

Deno.test("planAdd() of the first underlay NIC gives the reference's routes and rules", () => {
  const kernel = underlay();
  assert.deepEqual(rules(kernel), [
    "1000: from all fwmark 1 lookup 100",
    "1000: from all fwmark 1 lookup 100",
  ]);
  assert.deepEqual(routes(kernel, 100), [
    "0.0.0.0/0 via 10.6.0.2 dev veth0 src 10.6.0.5",
    "::/0 via fd00:10:6::2 dev veth0",
  ]);
  assert.deepEqual(routes(kernel, 101), [
    "10.6.0.2/32 dev veth0 src 10.6.0.5",
    "fd00:10:6::2/128 dev veth0",
  ]);
  assert.deepEqual(routes(kernel, 254), [
    "0.0.0.0/0 via 10.6.0.1 dev eth0",
    "10.233.0.0/18 via 10.6.0.2 dev veth0 src 10.6.0.5",
    "10.244.0.0/16 via 10.6.0.2 dev veth0 src 10.6.0.5",
    "10.6.0.0/24 dev eth0 src 10.6.0.5",
    "10.6.0.2/32 dev veth0 src 10.6.0.5",
    "169.254.20.10/32 via 10.6.0.2 dev veth0 src 10.6.0.5",
    "::/0 via fd00:10:6::1 dev eth0",
    "fd00:10:6::/64 dev eth0 metric 256",
    "fd00:10:6::2/128 dev veth0",
    "fd00:233::/116 via fd00:10:6::2 dev veth0",
    "fd00:244::/56 via fd00:10:6::2 dev veth0",
  ]);
  assert.equal(kernel.marks, "set");
});

Deno.test("planAdd() tells the node where the NIC is", () => {
  const kernel = underlay();
  assert.deepEqual(rules(kernel, "node"), [
    "1000: from all lookup 500",
    "1000: from all lookup 500",
  ]);
  assert.deepEqual(routes(kernel, 500, "node"), [
    "10.6.0.5/32 dev vethabcdef01234",
    "fd00:10:6::5/128 dev vethabcdef01234",
  ]);
  const neighbors = (where: Where) =>
    kernel.side(where).neighbors.map(({ device, address, mac, isPermanent }) =>
      `${address} ${device} ${mac} ${isPermanent}`
    );
  assert.deepEqual(neighbors("node"), [
    `10.6.0.5 vethabcdef01234 ${MACS.pod} true`,
    `fd00:10:6::5 vethabcdef01234 ${MACS.pod} true`,
  ]);
  assert.deepEqual(neighbors("pod"), [
    `10.6.0.2 veth0 ${MACS.node} true`,
    `fd00:10:6::2 veth0 ${MACS.node} true`,
  ]);
});

Deno.test("planAdd() gives further underlay NICs tables 101, 102 and rules 999, 998", () => {
  const kernel = underlay();
  addNic(kernel, "net1", { last: 6, families: [4], metric: 50 });
  add(kernel, wishOf("net1"));
  assert.deepEqual(rules(kernel).slice(2), ["999: from 10.6.0.6/32 lookup 101"]);
  assert.deepEqual(routes(kernel, 101).filter((one) => !one.includes("fd00")), [
    "0.0.0.0/0 via 10.6.0.1 dev net1 metric 50",
    "10.233.0.0/18 via 10.6.0.2 dev veth0 src 10.6.0.5",
    "10.244.0.0/16 via 10.6.0.2 dev veth0 src 10.6.0.5",
    "10.6.0.0/24 dev net1 src 10.6.0.6",
    "10.6.0.2/32 dev veth0 src 10.6.0.5",
    "169.254.20.10/32 via 10.6.0.2 dev veth0 src 10.6.0.5",
  ]);
  const main = routes(kernel, 254);
  assert(!main.some((one) => one.startsWith("0.0.0.0/0") && one.includes("net1")));
  assert(main.includes("10.6.0.0/24 dev net1 src 10.6.0.6"));

  addNic(kernel, "net2", { last: 7, families: [4], defaults: [] });
  add(kernel, wishOf("net2"));
  assert.deepEqual(rules(kernel).slice(2), [
    "998: from 10.6.0.7/32 lookup 102",
    "999: from 10.6.0.6/32 lookup 101",
  ]);
  assert(!routes(kernel, 102).some((one) => one.startsWith("0.0.0.0/0")));
  addNic(kernel, "net3", { last: 8, families: [4], metric: 70 });
  add(kernel, wishOf("net3"));
  assert.equal(rules(kernel)[2], "997: from 10.6.0.8/32 lookup 103");
});

Deno.test("planAdd() moves a default route with all that it carries", () => {
  const kernel = underlay();
  addNic(kernel, "net1", { last: 6, families: [4], defaults: [] });
  const all = {
    version: 4,
    destination: "0.0.0.0/0",
    device: "net1",
    gateway: "10.6.1.1",
    isOnlink: true,
    source: "10.6.0.6",
    metric: 77,
    protocol: 4,
    metrics: { "2": 1400 },
  } as const;
  kernel.addRoute("pod", all);
  add(kernel, wishOf("net1"));
  const moved = kernel.pod.routes.find(({ table, metric }) => table === 101 && metric === 77);
  assert.deepEqual(moved, { scope: 0, type: 1, ...all, table: 101 });
});

Deno.test("planAdd() keeps the other ways of a default route with several", () => {
  const kernel = underlay();
  addNic(kernel, "net1", { last: 6, families: [4], defaults: [] });
  kernel.addRoute("pod", {
    version: 4,
    destination: "0.0.0.0/0",
    metric: 9,
    nexthops: [
      { device: "eth0", gateway: "10.6.0.1", weight: 1 },
      { device: "net1", gateway: "10.6.0.3", weight: 1 },
    ],
  });
  add(kernel, wishOf("net1"));
  assert(routes(kernel, 254).includes("0.0.0.0/0 via 10.6.0.1 dev eth0 metric 9"));
  assert(routes(kernel, 101).includes("0.0.0.0/0 via 10.6.0.3 dev net1 metric 9"));
  assert(!kernel.pod.routes.some(({ nexthops }) => nexthops !== undefined));
});

Deno.test("planAdd() keeps a router's next advertisement from undoing the move", () => {
  const kernel = underlay();
  addNic(kernel, "net1", { last: 6, families: [6], defaults: [] });
  const way = { device: "net1", gateway: "fd00:10:6::9", protocol: 9, metric: 1024 };
  kernel.addRoute("pod", { version: 6, destination: "::/0", ...way });
  add(kernel, wishOf("net1"));
  assert.equal(kernel.pod.sysctls["net/ipv6/conf/net1/accept_ra_defrtr"], "0");
  assert(routes(kernel, 101).includes("::/0 via fd00:10:6::9 dev net1"));
});

Deno.test("planAdd() lets the first overlay NIC answer by its own default route", () => {
  const kernel = overlay();
  assert.deepEqual(rules(kernel), [
    "32764: from 10.244.1.5/32 lookup 100",
    "32765: from 10.6.0.6/32 lookup 101",
  ]);
  assert.deepEqual(routes(kernel, 100), ["0.0.0.0/0 via 169.254.1.1 dev eth0"]);
  const main = routes(kernel, 254);
  assert(main.includes("0.0.0.0/0 via 169.254.1.1 dev eth0"));
  assert(main.includes("10.244.0.0/16 via 10.6.0.2 dev eth0 src 10.244.1.5"));
  assert(main.includes("10.6.0.2/32 dev eth0 src 10.244.1.5"));
  // Overlay pods that ask the NIC are answered through the node as well.
  assert(routes(kernel, 101).includes("10.244.0.0/16 via 10.6.0.2 dev eth0 src 10.244.1.5"));
  assert(!kernel.pod.links.some(({ name }) => name === "veth0"));
  assert.equal(kernel.marks, "absent");
  assert.deepEqual(routes(kernel, 500, "node"), ["10.6.0.6/32 dev cali123"]);
  assert.equal(kernel.node.neighbors[0]?.device, "cali123");
  const eth0 = kernel.pod.links.find(({ name }) => name === "eth0");
  assert.equal(kernel.node.neighbors[0]?.mac, eth0?.mac);
});

Deno.test("planAdd() gives the second overlay NIC table 102 and leaves main to the first", () => {
  const kernel = overlay();
  const main = routes(kernel, 254);
  addNic(kernel, "net2", { last: 7, families: [4], metric: 60 });
  add(kernel, wishOf("net2"));
  assert.equal(rules(kernel)[0], "32763: from 10.6.0.7/32 lookup 102");
  assert(routes(kernel, 102).includes("10.233.0.0/18 via 10.6.0.2 dev eth0 src 10.244.1.5"));
  const added = routes(kernel, 254).filter((one) => !main.includes(one));
  assert.deepEqual(added, ["10.6.0.0/24 dev net2 src 10.6.0.7"]);
});

Deno.test("planAdd() hands the default route to the NIC that is named", () => {
  const kernel = overlay({ defaultRouteNic: "net1" });
  assert.deepEqual(rules(kernel), ["32765: from 10.244.1.5/32 lookup 101"]);
  assert.deepEqual(
    routes(kernel, 254).filter((one) => one.startsWith("0.0.0.0/0")),
    ["0.0.0.0/0 via 10.6.0.1 dev net1 metric 50"],
  );
  const table = routes(kernel, 101);
  assert(table.includes("0.0.0.0/0 via 169.254.1.1 dev eth0"));
  assert(table.includes("169.254.1.1/32 dev eth0"));
});

Deno.test("planAdd() waits for a default-route NIC that is still to come", () => {
  const wish = { defaultRouteNic: "net2", laterNics: ["net2"] };
  const kernel = overlay(wish);
  assert(routes(kernel, 254).includes("0.0.0.0/0 via 169.254.1.1 dev eth0"));
  addNic(kernel, "net2", { last: 7, families: [4], metric: 60 });
  add(kernel, wishOf("net2", { ...wish, laterNics: [] }));
  assert.deepEqual(
    routes(kernel, 254).filter((one) => one.startsWith("0.0.0.0/0")),
    ["0.0.0.0/0 via 10.6.0.1 dev net2 metric 60"],
  );
  assert.equal(rules(kernel)[0], "32763: from 10.244.1.5/32 lookup 102");
});

Deno.test("planAdd() hands the default route to a third NIC, back from its table", () => {
  const kernel = overlay();
  addNic(kernel, "net2", { last: 7, families: [4], metric: 60 });
  add(kernel, wishOf("net2", { defaultRouteNic: "net1" }));
  assert.deepEqual(
    routes(kernel, 254).filter((one) => one.startsWith("0.0.0.0/0")),
    ["0.0.0.0/0 via 10.6.0.1 dev net1 metric 50"],
  );
  assert(routes(kernel, 100).includes("0.0.0.0/0 via 169.254.1.1 dev eth0"));
  assert(routes(kernel, 102).includes("0.0.0.0/0 via 10.6.0.1 dev net2 metric 60"));
});

Deno.test("planAdd() leaves a family its only default route", () => {
  const kernel = modelNode();
  addOverlayNic(kernel);
  addNic(kernel, "net1", { last: 6 });
  add(kernel, wishOf("net1"));
  assert(routes(kernel, 254).includes("::/0 via fd00:10:6::1 dev net1"));
  assert(routes(kernel, 101).includes("::/0 via fd00:10:6::1 dev net1"));
  assert(rules(kernel).includes("32765: from fd00:10:6::6/128 lookup 101"));
});

Deno.test("planAdd() moves nothing where no other NIC has a default route, and says so", () => {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5, families: [4], defaults: [] });
  add(kernel, wishOf("eth0"));
  addNic(kernel, "net1", { last: 6, families: [4] });
  const plan = planOf(kernel, wishOf("net1"));
  add(kernel, wishOf("net1"));
  assert.deepEqual(rules(kernel), ["1000: from all fwmark 1 lookup 100"]);
  assert(routes(kernel, 254).includes("0.0.0.0/0 via 10.6.0.1 dev net1"));
  assert.match(plan.outcome.remarks.join(), /No other NIC of the pod has a default route/);
});

Deno.test("planAdd() tunes no routes where it is told so", () => {
  const kernel = underlay();
  addNic(kernel, "net1", { last: 6, families: [4], metric: 50 });
  add(kernel, wishOf("net1", { tunePodRoutes: false }));
  assert(routes(kernel, 254).includes("0.0.0.0/0 via 10.6.0.1 dev net1 metric 50"));
  assert.equal(rules(kernel).length, 2);
});

Deno.test("planAdd() takes the next table where somebody else uses the counted one", () => {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5, families: [4] });
  const way = { version: 4, destination: "192.0.2.0/24", device: "eth0" } as const;
  kernel.addRoute("pod", { ...way, table: 100 });
  kernel.pod.rules.push({ version: 4, priority: 500, table: 102, isOther: true });
  add(kernel, wishOf("eth0"));
  assert.equal(rules(kernel)[0], "1000: from all fwmark 1 lookup 103");
  addNic(kernel, "net1", { last: 6, families: [4], metric: 50 });
  add(kernel, wishOf("net1"));
  assert(rules(kernel).some((one) => one.endsWith("from 10.6.0.6/32 lookup 101")));
  addNic(kernel, "net2", { last: 7, families: [4], metric: 60 });
  add(kernel, wishOf("net2"));
  assert(rules(kernel).some((one) => one.endsWith("from 10.6.0.7/32 lookup 104")));
});

Deno.test("planAdd() puts policy routes of the first underlay NIC into main, others not", () => {
  const policyRoutes = [
    { destination: "10.10.1.1/16", gateway: "10.6.0.1" },
    { destination: "192.0.2.1", gateway: "10.6.0.1" },
    { destination: "fd00:99::/64", gateway: "fd00:10:6::1" },
  ];
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5, families: [4] });
  add(kernel, wishOf("eth0", { policyRoutes }));
  assert(routes(kernel, 254).includes("10.10.0.0/16 via 10.6.0.1 dev eth0"));
  assert(routes(kernel, 254).includes("192.0.2.1/32 via 10.6.0.1 dev eth0"));
  assert(!routes(kernel, 254).some((one) => one.startsWith("fd00:99")));
  addNic(kernel, "net1", { last: 6, metric: 50 });
  add(kernel, wishOf("net1", { policyRoutes }));
  assert(routes(kernel, 101).includes("10.10.0.0/16 via 10.6.0.1 dev net1"));
  assert(routes(kernel, 101).includes("fd00:99::/64 via fd00:10:6::1 dev net1"));
});

Deno.test("planAdd() leaves a route alone that is in the way of a wished one", () => {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5, families: [4] });
  add(kernel, wishOf("eth0", { hijackCidrs: ["10.6.0.0/24", "0.0.0.0/0"] }));
  assert(routes(kernel, 254).includes("10.6.0.0/24 dev eth0 src 10.6.0.5"));
  assert.equal(routes(kernel, 254).filter((one) => one.startsWith("0.0.0.0/0")).length, 1);
});

Deno.test("planAdd() brings the NIC up, and moves the routes that it has then", () => {
  const kernel = underlay();
  addNic(kernel, "net1", { last: 6, families: [4], isUp: false });
  const plan = planOf(kernel, wishOf("net1"));
  assert.deepEqual([plan.isPartial, plan.steps.length], [true, 1]);
  add(kernel, wishOf("net1"));
  assert(routes(kernel, 101).includes("10.6.0.0/24 dev net1 src 10.6.0.6"));
});
