import assert from "node:assert/strict";
import { ControllerRig, type Replica } from "../../../tests/support/controller_rig.ts";
import { change, remove } from "../../../tests/support/discovery_world.ts";
import { SPIDER_IP_POOLS } from "../../api/ip_pool.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../../api/network_attachment.ts";

/** Longer than between two looks. */
const LOOK_MS = 130_000;
const NETWORKS = { isOn: true, resyncMs: 60_000 };

async function started(): Promise<{ readonly rig: ControllerRig; readonly replica: Replica }> {
  const rig = new ControllerRig({ settings: { networks: NETWORKS } });
  const replica = await rig.startController("a");
  await makePool(rig, { name: "p4", subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.99"] });
  await makePool(rig, { name: "p6", subnet: "fd00:6::/64", ips: ["fd00:6::1-fd00:6::9"] });
  return { rig, replica };
}

async function makePool(
  rig: ControllerRig,
  { name, ...spec }: {
    readonly name: string;
    readonly subnet: string;
    readonly ips: readonly string[];
  },
): Promise<void> {
  await rig.make(SPIDER_IP_POOLS, { metadata: { name }, spec });
}

/** A network of whereabouts with some range. */
async function makeNetwork(rig: ControllerRig, range: string): Promise<void> {
  const ipam = { type: "whereabouts", range };
  await rig.make(NETWORK_ATTACHMENT_DEFINITIONS, {
    metadata: { namespace: "default", name: "lan" },
    spec: { config: JSON.stringify({ cniVersion: "0.3.1", type: "macvlan", ipam }) },
  });
}

/** Events about shared addresses: pool, network, sentence, and how often it was seen again. */
async function shared(rig: ControllerRig) {
  const events = (await rig.events()).filter(({ reason }) => reason === "AddressesShared");
  return events.map(({ regarding, related, note, series }) => {
    return { pool: regarding?.name, network: related?.name, note, count: series?.count ?? 1 };
  });
}

async function makePod(
  rig: ControllerRig,
  { namespace, component }: { readonly namespace: string; readonly component: string },
): Promise<void> {
  const labels = { "app.kubernetes.io/component": component };
  const metadata = { namespace, name: `${component}-x`, labels };
  const spec = { containers: [{ name: "c" }], nodeName: "n1" };
  await rig.make(PODS, { metadata, spec, status: { phase: "Running" } });
}

Deno.test("addresses that another IPAM hands out too are an Event on the pool", async () => {
  const { rig } = await started();
  await using _ = rig;
  await makeNetwork(rig, "10.6.0.90-10.6.0.120/16");
  await rig.clock.advance(LOOK_MS);
  assert.deepEqual(await shared(rig), [{
    pool: "p4",
    network: "lan",
    note: 'Two pods may get one address: pool "p4" gives out 10.6.0.90-10.6.0.99, and so does ' +
      'whereabouts for NetworkAttachmentDefinition "default/lan": take them out of one of the ' +
      "two (spec.excludeIPs of the pool)",
    count: 1,
  }]);
  await rig.clock.advance(5 * LOOK_MS);
  assert.equal((await shared(rig)).length, 1, "what lasts is one series");
});

Deno.test("the same goes for IPv6", async () => {
  const { rig } = await started();
  await using _ = rig;
  await makeNetwork(rig, "fd00:6::8/125");
  await rig.clock.advance(LOOK_MS);
  const [told] = await shared(rig);
  assert.deepEqual([told?.pool, told?.network], ["p6", "lan"]);
  assert.match(told?.note ?? "", /gives out fd00:6::8-fd00:6::9, and/);
});

Deno.test("one subnet that two IPAMs share in parts is fine", async () => {
  const { rig } = await started();
  await using _ = rig;
  await makeNetwork(rig, "10.6.0.100-10.6.0.120/16");
  await rig.clock.advance(LOOK_MS);
  assert.deepEqual(await shared(rig), []);
});

Deno.test("what the pool leaves out is not shared any more", async () => {
  const { rig } = await started();
  await using _ = rig;
  await makeNetwork(rig, "10.6.0.90-10.6.0.120/16");
  await rig.clock.advance(LOOK_MS);
  await change(rig, {
    resource: SPIDER_IP_POOLS,
    key: { name: "p4" },
    edit: (pool) => ({ ...pool, spec: { ...pool.spec, excludeIPs: ["10.6.0.90-10.6.0.99"] } }),
  });
  const [before] = await shared(rig);
  await rig.clock.advance(10 * LOOK_MS);
  const [after] = await shared(rig);
  assert.equal(after?.count, before?.count);
});

Deno.test("another Spiderpool is told of, for as long as it runs", async () => {
  for (const component of ["spiderpool-agent", "spiderpool-controller"]) {
    const { rig, replica } = await started();
    await using _ = rig;
    await makePod(rig, { namespace: "spiderpool", component });
    await makePod(rig, { namespace: "apps", component: "web" });
    await rig.clock.advance(1_000);
    assert.equal(replica.controller.problem, undefined);
    await makePod(rig, { namespace: "kube-system", component });
    await rig.clock.advance(1_000);
    assert.equal(
      replica.controller.problem,
      'Another Spiderpool runs in namespace "kube-system": its agents and controllers work on ' +
        "the pools of this one: delete its DaemonSet and its Deployment, or this one's in " +
        '"spiderpool"',
    );
    assert.equal(replica.controller.leadership().ok, true);
    await remove(rig, PODS, { namespace: "kube-system", name: `${component}-x` });
    await rig.clock.advance(60_000);
    assert.equal(replica.controller.problem, undefined);
  }
});
