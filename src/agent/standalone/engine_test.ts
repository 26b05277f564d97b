import assert from "node:assert/strict";
import { PODS } from "../../api/kubernetes/pod.ts";
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { expectOk } from "../../base/result.ts";
import { EVENTS } from "../../kube/events.ts";
import { SILENT_LOG } from "../../base/log.ts";
import { StandaloneRig } from "../../../tests/support/standalone_rig.ts";
import { Janitor } from "./janitor.ts";
import type { NetnsState } from "./ports.ts";

const ADDRESS = /^10\.6\.0\.1[0-3]\/16$/;

Deno.test("add() gives a container without a pod an address, and the same again", async () => {
  await using rig = await StandaloneRig.start();
  const given = await rig.add("c0ffee");
  assert.match(given, ADDRESS);
  assert.equal(await rig.add("c0ffee"), given);
  assert.deepEqual(await rig.claims(), [`${given.replace("/16", "")} c0ffee eth0 m1`]);
});

Deno.test("add() takes container IDs and NICs of any form", async () => {
  await using rig = await StandaloneRig.start();
  assert.match(await rig.add("Default-Web_1.", { nic: "ETH@0" }), ADDRESS);
  assert.match(await rig.add(`${"f".repeat(64)}`, { nic: "eth0" }), ADDRESS);
  assert.equal((await rig.claims()).length, 2);
});

Deno.test("a DEL ends one NIC of a container and leaves the other", async () => {
  await using rig = await StandaloneRig.start();
  const eth0 = await rig.add("a");
  assert.notEqual(await rig.add("a", { nic: "eth1" }), eth0);
  await rig.del("a", { nic: "eth1" });
  assert.deepEqual(await rig.claims(), [`${eth0.replace("/16", "")} a eth0 m1`]);
  assert.equal(await rig.add("a"), eth0);
  await rig.del("a");
  assert.deepEqual(await rig.claims(), []);
  await rig.del("a"); // Runtimes repeat a DEL.
});

Deno.test("a container that starts anew after its DEL has an address of its own", async () => {
  await using rig = await StandaloneRig.start();
  for (let start = 0; start < 3; start++) {
    assert.match(await rig.add("a"), ADDRESS);
    await rig.del("a");
  }
  const given = await rig.add("a");
  assert.deepEqual(await rig.claims(), [`${given.replace("/16", "")} a eth0 m1`]);
});

Deno.test("coordinatorConfig() is what a coordinator does that nobody configured", async () => {
  await using rig = await StandaloneRig.start();
  const args = { podNamespace: "", podName: "", podUID: "" };
  const asked = rig.agent().coordinatorConfig(args, { signal: rig.signal });
  const { mode, tunePodRoutes, ...rest } = expectOk(await rig.until(asked), "it is answered");
  assert.deepEqual([mode, tunePodRoutes], ["auto", true]);
  const networks = [rest.overlayPodCIDR, rest.serviceCIDR, rest.hijackCIDR, rest.policyRoutes];
  assert.deepEqual(networks.flat(), [], "none that only a cluster has");
  assert.deepEqual([rest.hostRuleTable, rest.vethMTU, rest.podRPFilter], [500, 1500, 0]);
});

Deno.test("a full pool is refused, and a release makes room", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("a", { pools: ["one"] });
  assert.match(await rig.add("b", { pools: ["one"] }), /all IP addresses used out.*"one"/);
  await rig.del("a");
  assert.equal(await rig.add("b", { pools: ["one"] }), "10.7.0.10/16");
});

Deno.test("two agents with one database never give one address twice", async () => {
  await using rig = await StandaloneRig.start(["m1", "m2"]);
  const given = [];
  for (const [index, node] of ["m1", "m2", "m1", "m2"].entries()) {
    given.push(await rig.add(`c${index}`, { node }));
  }
  assert.equal(new Set(given).size, 4);
  assert.match(await rig.add("c5", { node: "m2" }), /all IP addresses used out/);
});

Deno.test("two containers of one ID on two machines are two containers", async () => {
  await using rig = await StandaloneRig.start(["m1", "m2"]);
  const one = await rig.add("web", { node: "m1" });
  const other = await rig.add("web", { node: "m2" });
  assert.notEqual(one, other);
  await rig.del("web", { node: "m2" });
  assert.equal(await rig.add("web", { node: "m1" }), one);
});

Deno.test("a container whose network namespace is gone gives back its address", async () => {
  await using rig = await StandaloneRig.start();
  const kept = await rig.add("lives");
  await rig.add("crashes");
  rig.kill("crashes");
  await rig.pass(31_000);
  assert.deepEqual(await rig.claims(), [`${kept.replace("/16", "")} lives eth0 m1`]);
});

Deno.test("another network namespace at the same path is another container's", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("a", {});
  rig.netns.set("/run/netns/a", { kind: "there", identity: "4:999" });
  await rig.pass(31_000);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("a container that could not be seen, or cannot be now, keeps its address", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("elsewhere", { netns: "/proc/7/ns/net" });
  await rig.add("hidden");
  rig.netns.set("/run/netns/hidden", { kind: "unknown", why: "Permission denied" });
  await rig.pass(120_000);
  assert.equal((await rig.claims()).length, 2);
});

Deno.test("a container that comes back in a new network namespace keeps its address", async () => {
  await using rig = await StandaloneRig.start();
  const given = await rig.add("a");
  rig.netns.set("/run/netns/a", { kind: "there", identity: "4:999" });
  assert.equal(await rig.add("a"), given);
  await rig.pass(60_000);
  assert.equal((await rig.claims()).length, 1);
});

Deno.test("settle() looks for containers that are gone at once", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("a");
  rig.kill("a");
  expectOk(await rig.until(rig.agent().settle({ signal: rig.signal })), "it settles");
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("an agent that starts looks at the containers of its machine alone", async () => {
  await using rig = await StandaloneRig.start(["m1", "m2"]);
  await rig.add("a", { node: "m1" });
  rig.kill("a");
  await rig.pass(20_000);
  await rig.startAgent("m3");
  await rig.pass(1_000);
  assert.equal((await rig.claims()).length, 1);
  await rig.startAgent("m1");
  await rig.pass(1_000);
  assert.equal((await rig.claims()).length, 0);
});

Deno.test("a fixed name keeps its address for the next container, on any machine", async () => {
  await using rig = await StandaloneRig.start(["m1", "m2"]);
  const given = await rig.add("a", { fixed: "web" });
  await rig.del("a");
  await rig.pass(120_000);
  assert.equal((await rig.claims()).length, 1);
  assert.equal(await rig.add("b", { fixed: "web" }), given);
  await rig.del("b");
  assert.equal(await rig.add("c", { fixed: "web", node: "m2" }), given);
  assert.deepEqual(await rig.claims(), [`${given.replace("/16", "")} c eth0 m2`]);
});

Deno.test("a fixed name keeps an address for each NIC", async () => {
  await using rig = await StandaloneRig.start();
  const first = [await rig.add("a", { fixed: "web" })];
  first.push(await rig.add("a", { fixed: "web", nic: "eth1" }));
  await rig.del("a", { nic: "eth1" });
  await rig.del("a");
  const second = [await rig.add("b", { fixed: "web" })];
  second.push(await rig.add("b", { fixed: "web", nic: "eth1" }));
  assert.deepEqual(second, first);
});

Deno.test("a second container of a fixed name is refused while the first lives", async () => {
  await using rig = await StandaloneRig.start(["m1", "m2"]);
  const given = await rig.add("a", { fixed: "web" });
  assert.equal(
    await rig.add("b", { fixed: "web" }),
    'Cannot give container "b" the addresses kept as "web": container "a" has them on NIC ' +
      '"eth0"; remove that container first, or take another name',
  );
  assert.match(await rig.add("c", { fixed: "web", node: "m2" }), /container "a" of node "m1" has/);
  rig.kill("a"); // Its DEL never came.
  assert.equal(await rig.add("b", { fixed: "web" }), given);
});

Deno.test("a fixed name that cannot be one is refused", async () => {
  await using rig = await StandaloneRig.start();
  assert.match(await rig.add("a", { fixed: "Web_1" }), /^Cannot use fixed "Web_1": write 1 to 63/);
  assert.match(await rig.add("a", { fixed: "w".repeat(64) }), /^Cannot use fixed "www/);
  assert.deepEqual(await rig.claims(), []);
});

Deno.test("endpoint() goes by container and NIC, whatever the pod is called", async () => {
  await using rig = await StandaloneRig.start();
  for (const fixed of [{}, { fixed: "web" }]) {
    const given = await rig.add("a", fixed);
    const nic = { containerID: "a", ifName: "eth0" };
    const who = { podNamespace: "podman", podName: "a", nic };
    const options = { signal: rig.signal };
    const found = expectOk(await rig.until(rig.agent().endpoint(who, options)), "it is recorded");
    assert.deepEqual(found.interfaces.map(({ ipv4 }) => ipv4), [given]);
    const other = { ...who, nic: { ...nic, ifName: "eth1" } };
    const absent = await rig.until(rig.agent().endpoint(other, options));
    assert.deepEqual(absent.ok ? undefined : absent.error, {
      status: 404,
      message: 'Nothing is recorded for NIC "eth1" of container "a"',
    });
    await rig.del("a");
  }
});

Deno.test("releaseAll() frees every NIC of a container", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("a");
  await rig.add("a", { nic: "eth1" });
  await rig.add("b");
  const args = {
    ...{ containerID: "a", netNamespace: "", podNamespace: "", podName: "", podUID: "" },
    isReleaseConflictIPs: true,
  };
  const { signal } = rig;
  expectOk(await rig.until(rig.agent().releaseAll(args, { signal })), "it is released");
  assert.match((await rig.claims()).join("|"), /^\S+ b eth0 m1$/);
});

Deno.test("releaseAll() frees a conflicting address of one NIC; the next is another", async () => {
  await using rig = await StandaloneRig.start();
  const first = await rig.add("a");
  await rig.add("a", { nic: "eth1" });
  const before = await rig.claims();
  const [ip = ""] = before.find((claim) => claim.endsWith(" a eth0 m1"))?.split(" ") ?? [];
  const args = {
    ...{ containerID: "a", netNamespace: "", podNamespace: "", podName: "", podUID: "" },
    ...{ ifName: "eth0", isReleaseConflictIPs: true },
    conflicts: [{ ip, mac: "02:00:00:00:00:0b" }],
  };
  const { signal } = rig;
  expectOk(await rig.until(rig.agent().releaseAll(args, { signal })), "it is given back");
  const left = before.filter((claim) => !claim.startsWith(`${ip} `));
  assert.deepEqual(await rig.claims(), left);
  assert.notEqual(await rig.add("a"), first);
});

Deno.test("nothing is left in the database of containers that ended", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("a");
  await rig.add("b");
  await rig.del("a");
  rig.kill("b");
  await rig.pass(61_000);
  const { store, signal } = rig;
  assert.deepEqual(await rig.claims(), []);
  assert.deepEqual(expectOk(await store.list(PODS, { signal }), "a list").items, []);
  assert.deepEqual(expectOk(await store.list(SPIDER_ENDPOINTS, { signal }), "a list").items, []);
});

Deno.test("Events are kept for an hour", async () => {
  await using rig = await StandaloneRig.start();
  await rig.add("a", { pools: ["one"] });
  await rig.add("b", { pools: ["one"] });
  await rig.pass(1_000);
  const events = async () => {
    const listed = await rig.store.list(EVENTS, { signal: rig.signal });
    return expectOk(listed, "a list").items.length;
  };
  assert.notEqual(await events(), 0);
  const { store, clock, signal } = rig;
  const lookAtNetns = (): Promise<NetnsState> => Promise.resolve({ kind: "unknown", why: "" });
  const janitor = new Janitor({ store, clock, log: SILENT_LOG, lookAtNetns, nodeName: "m1" });
  await janitor.sweep({ signal });
  assert.notEqual(await events(), 0);
  clock.setNowMs(clock.nowMs() + 3_600_001);
  await janitor.sweep({ signal });
  assert.equal(await events(), 0);
});
