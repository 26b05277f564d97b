import assert from "node:assert/strict";
import { SPIDER_ENDPOINTS } from "../api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { expectOk } from "../base/result.ts";
import { AgentRig } from "../../tests/support/agent_rig.ts";

const FAMILIES = {
  v4: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"], gateway: "10.6.0.1" },
  v6: { subnet: "fd00:6::/64", ips: ["fd00:6::10-fd00:6::19"], gateway: "fd00:6::1" },
};

function pools(...names: readonly string[]): Record<string, string> {
  return { "ipam.spidernet.io/ippool": JSON.stringify({ ipv4: names }) };
}

Deno.test("add() gives an address of the pool with its routes, and the same again", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", { ...FAMILIES.v4, routes: [{ dst: "10.9.0.0/16", gw: "10.6.0.2" }] });
  const pod = await rig.pod("web", { annotations: pools("p4") });
  const first = expectOk(await rig.add(pod), "given");
  assert.equal(first.ips.length, 1);
  assert.match(first.ips[0]?.address ?? "", /^10\.6\.0\.1\d\/16$/);
  assert.equal(first.ips[0]?.ipPool, "p4");
  assert.deepEqual(first.routes.map(({ dst, gw }) => `${dst} ${gw}`).sort(), [
    "0.0.0.0/0 10.6.0.1",
    "10.9.0.0/16 10.6.0.2",
  ]);
  assert.deepEqual(expectOk(await rig.add(pod), "given"), first);
  assert.equal((await rig.claims()).length, 1);
  const endpoint = await rig.endpoint("web");
  assert.equal(endpoint?.status?.current.ips[0]?.ipv4, first.ips[0]?.address);
  assert.equal(endpoint?.status?.ownerControllerType, "Pod");
  assert.equal(endpoint?.metadata.ownerReferences?.[0]?.uid, pod.metadata.uid);
});

Deno.test("add() of a dual-stack pod gives one address of each family", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  await rig.pool("p6", FAMILIES.v6);
  const value = JSON.stringify({ ipv4: ["p4"], ipv6: ["p6"] });
  const pod = await rig.pod("web", { annotations: { "ipam.spidernet.io/ippool": value } });
  const given = await rig.addresses(pod);
  assert.equal(given.length, 2);
  assert.match(given.join(" "), /^10\.6\.0\.1\d\/16 fd00:6::1\d\/64$/);
  assert.equal((await rig.claimObjects()).length, 2);
});

Deno.test("add() of two NICs on one pool gives two addresses", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const pod = await rig.pod("web", { annotations: pools("p4") });
  const eth0 = await rig.addresses(pod);
  const net1 = await rig.addresses(pod, { ifName: "net1" });
  assert.notDeepEqual(eth0, net1);
  assert.deepEqual(await rig.addresses(pod), eth0);
  assert.deepEqual(await rig.addresses(pod, { ifName: "net1" }), net1);
  const nics = (await rig.endpoint("web"))?.status?.current.ips.map((nic) => nic.interface);
  assert.deepEqual(nics, ["eth0", "net1"]);
});

Deno.test("add() of the first NIC gives addresses to all that are named", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  await rig.pool("q4", { subnet: "10.7.0.0/16", ips: ["10.7.0.10"], gateway: "10.7.0.1" });
  const value = JSON.stringify([
    { interface: "eth0", ipv4: ["p4"] },
    { interface: "net1", ipv4: ["q4"], cleangateway: true },
  ]);
  const pod = await rig.pod("web", {
    annotations: {
      "ipam.spidernet.io/ippools": value,
      "k8s.v1.cni.cncf.io/networks": "spiderpool/other",
    },
  });
  const first = expectOk(await rig.add(pod), "given");
  assert.deepEqual(first.ips.map((ip) => `${ip.nic} ${ip.ipPool}`), ["eth0 p4", "net1 q4"]);
  assert.deepEqual(first.routes.map(({ ifName, dst }) => `${ifName} ${dst}`), ["eth0 0.0.0.0/0"]);
  assert.deepEqual(await rig.addresses(pod, { ifName: "net1" }), ["10.7.0.10/16"]);
});

Deno.test("NICs without names are taken in the order in which they are added", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  await rig.pool("q4", { subnet: "10.7.0.0/16", ips: ["10.7.0.10"] });
  const pod = await rig.pod("web", {
    annotations: {
      "ipam.spidernet.io/ippools": JSON.stringify([{ ipv4: ["p4"] }, { ipv4: ["q4"] }]),
      "k8s.v1.cni.cncf.io/networks": "spiderpool/other",
    },
  });
  await rig.addresses(pod);
  assert.match((await rig.claims()).join(), /10\.7\.0\.10 web #1/);
  assert.deepEqual(await rig.addresses(pod, { ifName: "net1" }), ["10.7.0.10/16"]);
  assert.match((await rig.claims()).join(), /10\.7\.0\.10 web net1/);
  assert.deepEqual(await rig.addresses(pod, { ifName: "net1" }), ["10.7.0.10/16"]);
});

Deno.test("a NIC beyond a list without names is refused, and takes nobody's address", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const pod = await rig.pod("web", {
    annotations: {
      "ipam.spidernet.io/ippools": JSON.stringify([{ ipv4: ["p4"] }]),
      "k8s.v1.cni.cncf.io/networks": "spiderpool/other",
    },
  });
  const given = await rig.addresses(pod);
  assert.match(await rig.refusal(pod, { ifName: "net1" }), /wrong input.*net1/s);
  assert.deepEqual(await rig.addresses(pod), given);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("a lost address is given anew, and that of the other family stays", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  await rig.pool("p6", FAMILIES.v6);
  const value = JSON.stringify({ ipv4: ["p4"], ipv6: ["p6"] });
  const pod = await rig.pod("web", { annotations: { "ipam.spidernet.io/ippool": value } });
  const [v4, v6] = await rig.addresses(pod);
  const claim = (await rig.claimObjects()).find(({ spec }) => spec.pool === "p4");
  assert.ok(claim !== undefined);
  const key = { name: claim.metadata.name };
  expectOk(await rig.store.remove(SPIDER_IPS, key, { signal: rig.signal }), "there");
  const { uid: _uid, resourceVersion: _version, ...metadata } = claim.metadata;
  const spec = { ...claim.spec, podName: "thief", podUID: "thief" };
  await rig.make(SPIDER_IPS, { ...claim, metadata, spec });
  const pool = expectOk(
    await rig.store.get(SPIDER_IP_POOLS, { name: "p6" }, { signal: rig.signal }),
    "there",
  );
  const disabled = { ...pool, spec: { ...pool.spec, disable: true } };
  expectOk(await rig.store.replace(SPIDER_IP_POOLS, disabled, { signal: rig.signal }), "written");
  await rig.pass(10);
  const [other, same] = await rig.addresses(pod);
  assert.equal(same, v6);
  assert.notEqual(other, v4);
  assert.match(other ?? "", /^10\.6\./);
});

Deno.test("a lost address that is no longer wished is left out", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  await rig.pool("p6", { ...FAMILIES.v6, ips: ["fd00:6::10"] });
  const value = JSON.stringify({ ipv4: ["p4"], ipv6: ["p6"] });
  const pod = await rig.pod("web", { annotations: { "ipam.spidernet.io/ippool": value } });
  const [v4] = await rig.addresses(pod);
  const [claim] = (await rig.claimObjects()).filter(({ spec }) => spec.pool === "p6");
  assert.ok(claim !== undefined);
  const key = { name: claim.metadata.name };
  expectOk(await rig.store.remove(SPIDER_IPS, key, { signal: rig.signal }), "there");
  const { uid: _uid, resourceVersion: _version, ...metadata } = claim.metadata;
  const spec = { ...claim.spec, podName: "thief", podUID: "thief" };
  await rig.make(SPIDER_IPS, { ...claim, metadata, spec });
  const changed = { ...pod, metadata: { ...pod.metadata, annotations: pools("p4") } };
  expectOk(await rig.store.replace(PODS, changed, { signal: rig.signal }), "written");
  await rig.pass(10);
  assert.deepEqual(await rig.addresses(pod), [v4]);
  const entry = (await rig.endpoint("web"))?.status?.current.ips[0];
  assert.deepEqual([entry?.ipv4, entry?.ipv6], [v4, undefined]);
});

Deno.test("add() uses pools in the order written, and the next when one is full", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("b", { ips: ["10.6.0.10"] });
  await rig.pool("a", { ips: ["10.6.1.10-10.6.1.12"] });
  const annotations = pools("b", "a");
  const given: string[] = [];
  for (const name of ["w1", "w2", "w3"]) {
    given.push(...await rig.addresses(await rig.pod(name, { annotations })));
  }
  assert.equal(given[0], "10.6.0.10/16");
  assert.match(`${given[1]} ${given[2]}`, /^10\.6\.1\.1\d\/16 10\.6\.1\.1\d\/16$/);
});

Deno.test("add() refuses with the pool when nothing is left, and leaves nothing", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  await rig.pool("p6", FAMILIES.v6);
  await rig.addresses(await rig.pod("first", { annotations: pools("p4") }));
  const value = JSON.stringify({ ipv4: ["p4"], ipv6: ["p6"] });
  const pod = await rig.pod("second", { annotations: { "ipam.spidernet.io/ippool": value } });
  assert.match(await rig.refusal(pod), /all IP addresses used out.*"p4" has no free address/s);
  assert.deepEqual(await rig.claims(), ["10.6.0.10 first eth0"]);
  assert.equal(await rig.endpoint("second"), undefined);
});

Deno.test("an ADD that finds the pool full is served by a DEL within its wait", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", { ips: ["10.6.0.10"] });
  const first = await rig.pod("first", { annotations: pools("p4") });
  await rig.addresses(first);
  const second = await rig.pod("second", { annotations: pools("p4") });
  const waiting = rig.addresses(second);
  await rig.removePod("first");
  await rig.del(first);
  assert.deepEqual(await waiting, ["10.6.0.10/16"]);
});

Deno.test("release() keeps what a live pod has, and what another sandbox of it has", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const pod = await rig.pod("web", { annotations: pools("p4") });
  const given = await rig.addresses(pod);
  await rig.del(pod);
  assert.equal((await rig.claims()).length, 1, "the pod lives");
  assert.deepEqual(await rig.addresses(pod, { containerID: "second" }), given);
  await rig.removePod("web");
  await rig.del(pod);
  assert.equal((await rig.claims()).length, 1, "a late DEL of the first sandbox");
  await rig.del(pod, { containerID: "second" });
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("release() of anything unknown succeeds", async () => {
  await using rig = await AgentRig.start();
  const pod = await rig.pod("web");
  await rig.del(pod);
  await rig.del(pod, { podUID: "", podName: "nobody" });
});

Deno.test("add() of a pod under a former pod's name gives a new address", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const first = await rig.pod("web", { annotations: pools("p4") });
  const old = await rig.addresses(first);
  await rig.removePod("web");
  const second = await rig.pod("web", { annotations: pools("p4") });
  const refused = await rig.refusal(first);
  assert.match(refused, new RegExp(`${first.metadata.uid}`));
  const given = await rig.addresses(second);
  assert.notDeepEqual(given, old);
  await rig.del(first);
  assert.deepEqual(await rig.addresses(second), given);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("a StatefulSet's pod gets its address again, on another node too", async () => {
  await using rig = await AgentRig.start({ nodes: ["n1", "n2"] });
  await rig.pool("p4", FAMILIES.v4);
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };
  const wish = { annotations: pools("p4"), owner };
  const first = await rig.pod("web-0", wish);
  const given = await rig.addresses(first);
  await rig.removePod("web-0");
  const second = await rig.pod("web-0", { ...wish, node: "n2" });
  assert.deepEqual(await rig.addresses(second), given);
  const [claim] = await rig.claimObjects();
  assert.equal(claim?.spec.podUID, second.metadata.uid);
  assert.equal(claim?.spec.node, "n2");
  assert.equal((await rig.endpoint("web-0"))?.metadata.ownerReferences, undefined);
  assert.match(await rig.refusal(first, {}), /web-0/, "the former pod gets nothing");
});

Deno.test("a sandbox of a former pod on this node gets nothing of the pod elsewhere", async () => {
  await using rig = await AgentRig.start({ nodes: ["n1", "n2"] });
  await rig.pool("p4", FAMILIES.v4);
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };
  const pod = await rig.pod("web-0", { annotations: pools("p4"), owner, node: "n2" });
  const given = await rig.addresses(pod);
  const late = await rig.add(pod, { agent: "n1", podUID: "", containerID: "old" });
  assert.match(late.ok ? "" : late.error.message, /"n1".*on "n2"/);
  assert.deepEqual(await rig.addresses(pod), given);
  const [claim] = await rig.claimObjects();
  assert.equal(claim?.spec.node, "n2");
});

Deno.test("a StatefulSet's pod whose pool changed gets an address of the new one", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  await rig.pool("q4", { subnet: "10.7.0.0/16", ips: ["10.7.0.10"] });
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };
  await rig.addresses(await rig.pod("web-0", { annotations: pools("p4"), owner }));
  await rig.removePod("web-0");
  const second = await rig.pod("web-0", { annotations: pools("q4"), owner });
  assert.deepEqual(await rig.addresses(second), ["10.7.0.10/16"]);
  assert.deepEqual(await rig.claims(), ["10.7.0.10 web-0 eth0"]);
});

Deno.test("a StatefulSet's pod without an endpoint finds its address by its claims", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" };
  const wish = { annotations: pools("p4"), owner };
  const given = await rig.addresses(await rig.pod("web-0", wish));
  await rig.removePod("web-0");
  const key = { namespace: "default", name: "web-0" };
  expectOk(await rig.store.remove(SPIDER_ENDPOINTS, key, { signal: rig.signal }), "there");
  assert.deepEqual(await rig.addresses(await rig.pod("web-0", wish)), given);
});

Deno.test("an address whose SpiderIP vanished is made again, or given anew if taken", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", { ips: ["10.6.0.10-10.6.0.11"] });
  const pod = await rig.pod("web", { annotations: pools("p4") });
  const given = await rig.addresses(pod);
  const [claim] = await rig.claimObjects();
  assert.ok(claim !== undefined);
  const key = { name: claim.metadata.name };
  expectOk(await rig.store.remove(SPIDER_IPS, key, { signal: rig.signal }), "there");
  assert.deepEqual(await rig.addresses(pod), given);
  expectOk(await rig.store.remove(SPIDER_IPS, key, { signal: rig.signal }), "there");
  const { uid: _uid, resourceVersion: _version, ...metadata } = claim.metadata;
  const spec = { ...claim.spec, podName: "thief", podUID: "thief" };
  await rig.make(SPIDER_IPS, { ...claim, metadata, spec });
  const anew = await rig.addresses(pod);
  assert.notDeepEqual(anew, given);
  assert.equal((await rig.claims()).length, 2);
  assert.deepEqual(await rig.addresses(pod), anew);
});

Deno.test("a static pod keeps its address when its mirror is made anew", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const annotations = { ...pools("p4"), "kubernetes.io/config.hash": "hash-of-the-file" };
  const asked = { podUID: "hash-of-the-file", containerID: "c" };
  const given = await rig.addresses(await rig.pod("static-n1", { annotations }), asked);
  await rig.removePod("static-n1");
  const mirror = await rig.pod("static-n1", { annotations });
  await rig.pass(200_000);
  assert.deepEqual(await rig.addresses(mirror, asked), given);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("a route of the pod goes to one NIC, also where NICs are added one by one", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const routes = JSON.stringify([{ dst: "10.9.0.0/16", gw: "10.6.0.2" }]);
  const annotations = { ...pools("p4"), "ipam.spidernet.io/routes": routes };
  const pod = await rig.pod("web", { annotations });
  await rig.addresses(pod);
  const both = expectOk(await rig.add(pod, { ifName: "net1" }), "given");
  const own = both.routes.filter(({ dst }) => dst === "10.9.0.0/16");
  assert.deepEqual(own.map(({ ifName }) => ifName), ["eth0"]);
});

Deno.test("settling frees the claim of a pod that is gone, once its sandbox is", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const pod = await rig.pod("web", { annotations: pools("p4") });
  await rig.addresses(pod);
  rig.sandboxes.set(pod.metadata.uid ?? "", "present");
  await rig.removePod("web");
  await rig.pass(120_000);
  assert.equal((await rig.claims()).length, 1);
  rig.sandboxes.set(pod.metadata.uid ?? "", "absent");
  await rig.pass(31_000);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("a new agent of the node knows and frees what the former one gave", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const pod = await rig.pod("web", { annotations: pools("p4") });
  const given = await rig.addresses(pod);
  await rig.startAgent("n1");
  assert.deepEqual(await rig.addresses(pod), given);
  await rig.removePod("web");
  await rig.del(pod);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("an extra claim of a live pod is freed within two minutes", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", FAMILIES.v4);
  const pod = await rig.pod("web", { annotations: pools("p4") });
  await rig.addresses(pod);
  const [claim] = await rig.claimObjects();
  assert.ok(claim !== undefined);
  const { uid: _uid, resourceVersion: _version, ...metadata } = claim.metadata;
  const extra = { ...claim, metadata: { ...metadata, name: "10.6.0.99" } };
  await rig.make(SPIDER_IPS, { ...extra, spec: { ...claim.spec, ip: "10.6.0.99" } });
  await rig.pass(125_000);
  assert.deepEqual((await rig.claimObjects()).map(({ spec }) => spec.ip), [claim.spec.ip]);
});

Deno.test("releaseAll() frees a conflicting address, which is then avoided", async () => {
  await using rig = await AgentRig.start();
  await rig.pool("p4", { ips: ["10.6.0.10-10.6.0.11"] });
  const pod = await rig.pod("web", { annotations: pools("p4") });
  const given = await rig.addresses(pod);
  const args = {
    containerID: `sandbox-of-${pod.metadata.uid}`,
    netNamespace: "",
    podNamespace: "default",
    podName: "web",
    podUID: pod.metadata.uid ?? "",
    isReleaseConflictIPs: true,
  };
  const released = rig.agent().releaseAll(args, { signal: rig.signal });
  expectOk(await rig.until(released), "released");
  assert.deepEqual(await rig.claims(), []);
  assert.notDeepEqual(await rig.addresses(pod), given);
});
