import assert from "node:assert/strict";
import {
  add,
  addNic,
  MACS,
  modelNode,
  planOf,
  refusalOf,
  wishOf,
} from "../../tests/support/model_pod.ts";
import type { ModelKernel } from "../../tests/support/model_kernel.ts";
import { operationText } from "./operation_text.ts";
import { fixedMac } from "./fixed_mac.ts";

function pod(): ModelKernel {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 7 });
  return kernel;
}

function nicOf({ pod: { links } }: ModelKernel, name: string) {
  const link = links.find((one) => one.name === name);
  assert(link !== undefined, `the pod has ${name}`);
  return link;
}

Deno.test("fixedMac() is the prefix and the last four bytes of the address", () => {
  assert.deepEqual(fixedMac("10.6.0.7", { prefix: "0A:1b" }), {
    ok: true,
    value: "0a:1b:0a:06:00:07",
  });
  const ipv6 = fixedMac("fd00::1:2:a03", { prefix: "0a:1b" });
  assert.deepEqual(ipv6, { ok: true, value: "0a:1b:00:02:0a:03" });
});

Deno.test("fixedMac() refuses groups of stations and every other spelling", () => {
  for (const prefix of ["0a-1b", "0,:1b", "0a:1b:", "0a", "", "0a:1g"]) {
    assert.deepEqual(fixedMac("10.6.0.7", { prefix }), {
      ok: false,
      error: "it must be two bytes such as 0a:1b",
    });
  }
  const odd = fixedMac("10.6.0.7", { prefix: "03:1b" });
  assert(!odd.ok && /its first byte must be even/.test(odd.error));
});

Deno.test("planAdd() gives the NIC its address by podMACPrefix, and has it announced", () => {
  const kernel = pod();
  const wish = wishOf("eth0", { podMacPrefix: "0a:1b" });
  const { outcome, steps } = planOf(kernel, wish);
  assert.equal(outcome.mac, "0a:1b:0a:06:00:07");
  const texts = steps.map(({ operation }) => operationText(operation));
  const at = texts.findIndex((text) => text.includes("address 0a:1b:0a:06:00:07"));
  for (const key of ["net/ipv4/conf/eth0/arp_notify", "net/ipv6/conf/eth0/ndisc_notify"]) {
    const place = texts.findIndex((text) => text.includes(`${key}=1`));
    assert.ok(place >= 0 && place < at, `${key} is set before the address`);
  }
  add(kernel, wish);
  assert.equal(nicOf(kernel, "eth0").mac, "0a:1b:0a:06:00:07");
  assert.deepEqual(planOf(kernel, wish).steps, []);
});

Deno.test("planAdd() refuses a hardware address for an ipvlan, and a bad prefix", () => {
  const kernel = pod();
  kernel.pod.links = kernel.pod.links.map((link) => ({ ...link, kind: "ipvlan" }));
  const good = wishOf("eth0", { podMacPrefix: "0a:1b" });
  assert.match(refusalOf(kernel, good), /^fixed_mac: .*"eth0".*0a:1b:0a:06:00:07.*macvlan$/);
  const bad = wishOf("eth0", { podMacPrefix: "0b:1b" });
  assert.match(refusalOf(kernel, bad), /^bad_value: Cannot use podMACPrefix "0b:1b": .*even/);
});

Deno.test("planAdd() sets the queue of the pod's NIC, and no link of the node", () => {
  const kernel = pod();
  kernel.addLink("node", "eth0");
  add(kernel, wishOf("eth0", { txQueueLength: 2000 }));
  assert.equal(nicOf(kernel, "eth0").txQueueLength, 2000);
  assert.deepEqual(
    kernel.node.links.map(({ txQueueLength }) => txQueueLength),
    [1000, 1000, 1000, 1000, 0],
  );
});

Deno.test("planAdd() gives the pair its address only where the NIC has IPv4", () => {
  const address = { vethLinkAddress: "169.254.100.1" };
  const kernel = pod();
  add(kernel, wishOf("eth0", address));
  const own = kernel.pod.addresses.find(({ device }) => device === "veth0");
  assert.deepEqual([own?.address, own?.prefixLength], ["169.254.100.1", 32]);
  const only6 = modelNode();
  addNic(only6, "eth0", { last: 7, families: [6] });
  add(only6, wishOf("eth0", address));
  assert.equal(only6.pod.addresses.find(({ device }) => device === "veth0"), undefined);
  const bad = wishOf("eth0", { vethLinkAddress: "fe80::1" });
  assert.match(refusalOf(pod(), bad), /^bad_value: Cannot use vethLinkAddress "fe80::1"/);
});

Deno.test("planAdd() relaxes rp_filter of all links, those to come too, or leaves it alone", () => {
  const kernel = pod();
  const before = { ...kernel.pod.sysctls };
  const { podRpFilter: _, ...alone } = wishOf("eth0");
  add(kernel, alone);
  for (const name of ["all", "default", "eth0"]) {
    const path = `net/ipv4/conf/${name}/rp_filter`;
    assert.equal(kernel.pod.sysctls[path], before[path]);
  }
  add(kernel, wishOf("eth0", { podRpFilter: 0 }));
  for (const name of ["all", "default", "eth0", "veth0"]) {
    assert.equal(kernel.pod.sysctls[`net/ipv4/conf/${name}/rp_filter`], "0");
  }
});

Deno.test("planAdd() lets the pair have IPv6 without touching conf/all", () => {
  const kernel = pod();
  kernel.pod.sysctls["net/ipv6/conf/all/disable_ipv6"] = "1";
  add(kernel, wishOf("eth0"));
  assert.equal(kernel.pod.sysctls["net/ipv6/conf/veth0/disable_ipv6"], "0");
  assert.equal(kernel.pod.sysctls["net/ipv6/conf/all/disable_ipv6"], "1");
});

Deno.test("planAdd() keeps the pair of an earlier ADD with its hardware addresses", () => {
  const kernel = pod();
  add(kernel, wishOf("eth0"));
  kernel.perform({ kind: "link_state", where: "node", name: "vethabcdef01234", isUp: false });
  const { steps, outcome } = planOf(kernel, wishOf("eth0"));
  assert(steps.some(({ operation }) => operation.kind === "link_state"));
  assert(!steps.some(({ operation }) => operation.kind === "veth_add"));
  assert.deepEqual([outcome.veth?.podMac, outcome.veth?.nodeMac], [MACS.pod, MACS.node]);
});

Deno.test("planAdd() replaces the pair that led to an earlier namespace of the container", () => {
  const kernel = pod();
  kernel.addLink("node", "vethabcdef01234", { kind: "veth" });
  add(kernel, wishOf("eth0"));
  const { mac } = kernel.node.links.find(({ name }) => name === "vethabcdef01234") ?? {};
  assert.equal(mac, MACS.node);
  const other = pod();
  other.addLink("node", "vethabcdef01234", { kind: "dummy" });
  assert.match(refusalOf(other, wishOf("eth0")), /^name_taken: .*"vethabcdef01234".*no veth/);
});

Deno.test("planAdd() has each of several NICs in one network answer for itself alone", () => {
  const kernel = pod();
  add(kernel, wishOf("eth0"));
  addNic(kernel, "net1", { last: 8, metric: 50 });
  const filters = () =>
    ["eth0", "net1", "veth0"].map((name) => kernel.pod.sysctls[`net/ipv4/conf/${name}/arp_filter`]);
  assert.deepEqual(filters(), ["0", "0", "0"]);
  add(kernel, wishOf("net1"));
  assert.deepEqual(filters(), ["1", "1", "0"]);
});

Deno.test("planAdd() leaves NICs alone that are in different networks, or not to be tuned", () => {
  for (const isApart of [true, false]) {
    const kernel = pod();
    add(kernel, wishOf("eth0"));
    addNic(kernel, "net1", { last: 8, metric: 50 });
    if (isApart) {
      kernel.pod.addresses = kernel.pod.addresses.map((one) =>
        one.device === "net1" ? { ...one, address: one.address.replace("10.6.", "10.7.") } : one
      );
    }
    const { steps } = planOf(kernel, wishOf("net1", { tunePodRoutes: isApart }));
    const paths = steps.map(({ operation }) => "path" in operation ? operation.path : "");
    assert.deepEqual(paths.filter((path) => path.endsWith("/arp_filter")), []);
  }
});
