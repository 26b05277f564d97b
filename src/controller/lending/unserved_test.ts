import assert from "node:assert/strict";
import { ANNOTATION_SUBNET, ANNOTATION_SUBNETS } from "../../api/annotations.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { DEPLOYMENTS } from "../../api/kubernetes/workload.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { err, expectOk } from "../../base/result.ts";
import { CONTROLLER_SETTINGS, ControllerRig } from "../../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";
import {
  asking,
  change,
  deployment,
  events,
  LATER_MS,
  pools,
  record,
  remove,
  subnetObject,
  template,
  told,
  use,
  WITHOUT_PODS,
} from "../../../tests/support/applications.ts";

Deno.test("of two that race for the last addresses one gets all, the other is told", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(DEPLOYMENTS, deployment("older", asking("6")));
  await rig.clock.advance(LATER_MS);
  await rig.make(DEPLOYMENTS, deployment("b", asking("6")));
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.clock.advance(LATER_MS);
  const [pool, ...others] = await told(rig);
  assert.deepEqual([pool, others], ["auto4-older-eth0 10.6.0.10-10.6.0.15", []]);
  assert.deepEqual(await record(rig), ["apps_v1_Deployment_default_older 10.6.0.10-10.6.0.15"]);
  const [event, ...more] = (await events(rig)).filter((one) => !one.includes("NoSubnet"));
  assert.deepEqual(more, []);
  assert.equal(
    event?.split(" in SpiderSubnet")[0],
    'b InsufficientAddresses: The IPv4 pool for NIC "eth0" of Deployment "default/b" should have ' +
      "6 addresses and has 0, and 4 are free to lend",
  );
  const { conditions } = (await rig.read(SPIDER_SUBNETS, { name: "s" })).status ?? {};
  assert.equal(conditions?.find(({ type }) => type === "InsufficientAddresses")?.status, "True");
  await remove(rig, DEPLOYMENTS, { name: "older", namespace: "default" });
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), ["auto4-b-eth0 10.6.0.10-10.6.0.15"]);
});

Deno.test("what cannot be followed is told on the application, and nothing is made", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  const six = { [ANNOTATION_SUBNET]: JSON.stringify({ ipv6: ["s"] }) };
  const items = ["eth0", "net1"].map((nic) => ({ interface: nic, ipv4: ["s"] }));
  const twice = { [ANNOTATION_SUBNETS]: JSON.stringify(items) };
  const empty = { [ANNOTATION_SUBNET]: JSON.stringify({ ipv4: [] }) };
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ["unknown", asking("1", { subnet: "x" }), /NoSubnet: .*SpiderSubnet "x" does not exist/],
    ["family", six, /NoSubnet: .*IPv6 pool.*SpiderSubnet "s" is of IPv4/],
    ["empty", empty, /Invalid: .*ipv4/],
    ["twice", twice, /Invalid: .*ipam\.spidernet\.io\/subnets.*each subnet for one NIC/],
    ["size", asking("-1"), /Invalid: .*ippool-ip-number.*"-1"/],
    ["words", asking("many"), /Invalid: .*ippool-ip-number.*"many"/],
    ["reclaim", asking("1", { reclaim: "perhaps" }), /Invalid: .*ippool-reclaim/],
  ];
  for (const [name, annotations] of cases) {
    await rig.make(DEPLOYMENTS, deployment(name, annotations));
  }
  await rig.clock.advance(LATER_MS);
  assert.deepEqual([await told(rig), await record(rig)], [[], []]);
  const said = await events(rig);
  for (const [name, , expected] of cases) {
    const own = said.filter((one) => one.startsWith(`${name} `));
    assert.equal(own.length, 1, `${name}: ${own}`);
    assert.match(own[0] ?? "", expected);
  }
  await rig.make(SPIDER_SUBNETS, {
    metadata: { name: "x" },
    spec: { subnet: "10.8.0.0/16", ips: ["10.8.0.10"] },
  });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-unknown-eth0 10.8.0.10"]);
});

Deno.test("an annotation that is broken by an edit leaves the pool as it is", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("2")));
  await rig.clock.advance(LATER_MS);
  await change(rig, "web", (spec) => ({ ...spec, template: template(asking("two")) }));
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.11"]);
});

Deno.test("a pool that a leader could not make is made by the next one", async () => {
  let isRefused = true;
  await using rig = new ControllerRig({
    ...WITHOUT_PODS,
    refuse: (request) => {
      const isPool = request.operation === "create" && request.key.name.startsWith("auto");
      if (!isPool || !isRefused) return undefined;
      return { code: "invalid", message: "a webhook says no" };
    },
  });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("3")));
  const before = await rig.startController("a");
  await rig.clock.advance(LATER_MS);
  const lent = ["apps_v1_Deployment_default_web 10.6.0.10-10.6.0.12"];
  assert.deepEqual([await told(rig), await record(rig)], [[], lent]);
  await before.stop();
  isRefused = false;
  await change(rig, "web", (spec) => ({ ...spec, template: template(asking("1")) }));
  await rig.startController("b");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10"]);
});

Deno.test("a record whose pool was not made waits for late leaders", async () => {
  await using rig = new ControllerRig(WITHOUT_PODS);
  await rig.make(DEPLOYMENTS, deployment("web", asking("3")));
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  const first = await rig.startController("a");
  await rig.clock.advance(LATER_MS);
  await first.stop();
  // As if the pool had been on its way: only its record is there.
  const [pool] = await pools(rig);
  assert.ok(pool);
  const freed = { ...pool, metadata: { ...pool.metadata, finalizers: [] } };
  expectOk(await rig.store.replace(SPIDER_IP_POOLS, freed, { signal: rig.signal }), "changed");
  await remove(rig, SPIDER_IP_POOLS, { name: pool.metadata.name });
  await rig.startController("b");
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.12"]);
  await remove(rig, DEPLOYMENTS, { name: "web", namespace: "default" });
  await rig.clock.advance(20_000);
  assert.deepEqual([await told(rig), (await record(rig)).length], [[], 1]);
  await rig.clock.advance(60_000);
  assert.deepEqual(await record(rig), []);
});

Deno.test("what a pool was lent waits for a creation of it whose answer was lost", async () => {
  let late: (() => Promise<unknown>) | undefined;
  await using rig = await ControllerRig.start({
    ...WITHOUT_PODS,
    wrap: (store) => ({
      ...forwardingStore(store),
      create: (resource, object, options) => {
        if (late !== undefined || resource.plural !== SPIDER_IP_POOLS.plural) {
          return store.create(resource, object, options);
        }
        late = () => rig.store.create(resource, object, { signal: rig.signal });
        const lost = { code: "timeout", message: "no answer", outcomeUnknown: true } as const;
        return Promise.resolve(err(lost));
      },
    }),
  });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("6")));
  await rig.clock.advance(30_000);
  await remove(rig, DEPLOYMENTS, { name: "web", namespace: "default" });
  await rig.make(DEPLOYMENTS, deployment("next", asking("6")));
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), []);
  await late?.();
  await rig.clock.advance(LATER_MS);
  assert.deepEqual((await record(rig)).length, 1, "nobody else has what it has");
  await rig.clock.advance(60_000);
  assert.deepEqual(await told(rig), ["auto4-next-eth0 10.6.0.10-10.6.0.15"]);
});

Deno.test("no pool is made for applications where that is switched off", async () => {
  const { lending } = CONTROLLER_SETTINGS;
  const autoPools = { ...lending.autoPools, isOn: false };
  await using rig = await ControllerRig.start({ settings: { lending: { ...lending, autoPools } } });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("3")));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await pools(rig), []);
});

Deno.test("a subnet that is deleted takes pools along, and has them again", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("2")));
  await rig.clock.advance(LATER_MS);
  await use(rig, "10.6.0.10");
  await remove(rig, SPIDER_SUBNETS, { name: "s" });
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.11"]);
  assert.match((await events(rig)).join(), /SpiderSubnet "s" is being deleted; name another one/);
  await remove(rig, SPIDER_IPS, { name: "10.6.0.10" });
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), []);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.11"]);
});

Deno.test("no pool is made of a subnet that is deleted while its record is written", async () => {
  let isOver = false;
  await using rig = await ControllerRig.start({
    ...WITHOUT_PODS,
    wrap: (store) => ({
      ...forwardingStore(store),
      replaceStatus: async (resource, object, options) => {
        const written = await store.replaceStatus(resource, object, options);
        if (isOver || !JSON.stringify(object).includes("default_web")) return written;
        isOver = true;
        expectOk(await store.remove(SPIDER_SUBNETS, { name: "s" }, options), "it is there");
        return err({ code: "timeout", message: "the answer is lost", outcomeUnknown: true });
      },
    }),
  });
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.clock.advance(LATER_MS);
  await rig.make(DEPLOYMENTS, deployment("web", asking("2")));
  await rig.clock.advance(20_000);
  assert.deepEqual([isOver, await told(rig)], [true, []]);
});
