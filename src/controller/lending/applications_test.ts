import assert from "node:assert/strict";
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../../api/annotations.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "../../api/kubernetes/workload.ts";
import { SPIDER_IPS } from "../../api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../../api/subnet.ts";
import { ControllerRig } from "../../../tests/support/controller_rig.ts";
import {
  asking,
  change,
  deployment,
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

Deno.test("an application has its pool at once, without a timer", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.clock.advance(LATER_MS);
  await rig.make(DEPLOYMENTS, deployment("web", asking("+1")));
  await rig.clock.advance(0);
  const [pool] = await pools(rig);
  assert.deepEqual(pool?.spec.ips, ["10.6.0.10-10.6.0.12"]);
  assert.equal(pool.status?.truth, "SpiderIP", "agents may give its addresses out");
  const { metadata, spec } = pool;
  const subnet = await rig.read(SPIDER_SUBNETS, { name: "s" });
  assert.deepEqual(metadata.ownerReferences?.map(({ uid, controller }) => [uid, controller]), [
    [subnet.metadata.uid, true],
  ]);
  assert.deepEqual(metadata.finalizers, [SPIDERPOOL_FINALIZER]);
  assert.deepEqual(metadata.annotations, { [ANNOTATION_IP_NUMBER]: "+1" });
  assert.equal(metadata.labels?.["ipam.spidernet.io/ippool-cidr"], "10-6-0-0-16");
  assert.deepEqual([spec.ipVersion, spec.subnet, spec.gateway], [4, "10.6.0.0/16", "10.6.0.1"]);
  assert.deepEqual(await record(rig), [
    "apps_v1_Deployment_default_web 10.6.0.10-10.6.0.12",
  ]);
});

Deno.test("a pool follows its application: up at once, down by what is unused", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("+0"), { replicas: 3 }));
  await rig.clock.advance(LATER_MS);
  await change(rig, "web", (spec) => ({ ...spec, replicas: 10 }));
  await rig.clock.advance(0);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.19"]);
  await use(rig, "10.6.0.19");
  await change(rig, "web", (spec) => ({ ...spec, replicas: 2 }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10,10.6.0.19"]);
  await change(rig, "web", (spec) => ({ ...spec, replicas: 0 }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.19"]);
  await remove(rig, SPIDER_IPS, { name: "10.6.0.19" });
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 "]);
  await rig.clock.advance(12_000);
  await change(rig, "web", (spec) => ({ ...spec, replicas: 5 }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.14"]);
});

Deno.test("each kind of workload has as many addresses as pods", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s", { ips: ["10.6.0.10-10.6.0.99"] }));
  const pods = template(asking("+0"));
  const named = (name: string): object => ({ name, namespace: "default" });
  const owned = (kind: string, apiVersion: string): object => ({
    ownerReferences: [{ apiVersion, kind, name: "above", uid: "above", controller: true }],
  });
  const replicated = { replicas: 2, template: pods };
  await rig.make(REPLICA_SETS, { metadata: named("rs"), spec: replicated });
  await rig.make(REPLICA_SETS, {
    metadata: { ...named("rs-of-deployment"), ...owned("Deployment", "apps/v1") },
    spec: replicated,
  });
  await rig.make(REPLICA_SETS, {
    metadata: { ...named("rs-of-rollout"), ...owned("Rollout", "argoproj.io/v1alpha1") },
    spec: replicated,
  });
  await rig.make(STATEFUL_SETS, { metadata: named("sts"), spec: replicated });
  await rig.make(DAEMON_SETS, {
    metadata: named("ds"),
    spec: { template: pods },
    status: { desiredNumberScheduled: 3 },
  });
  await rig.make(JOBS, { metadata: named("job"), spec: { parallelism: 4, template: pods } });
  await rig.make(JOBS, {
    metadata: { ...named("job-of-cron"), ...owned("CronJob", "batch/v1") },
    spec: { template: pods },
  });
  await rig.make(CRON_JOBS, {
    metadata: named("cron"),
    spec: { jobTemplate: { spec: { parallelism: 4, completions: 5, template: pods } } },
  });
  await rig.make(DEPLOYMENTS, {
    metadata: named("on-host"),
    spec: { replicas: 1, template: template(asking("+0"), { hostNetwork: true }) },
  });
  await rig.clock.advance(LATER_MS);
  const counts = (await pools(rig)).map(({ metadata, spec }) => {
    const [first = "", last = first] = spec.ips?.join().split("-") ?? [];
    const size = Number(last.split(".").at(-1)) - Number(first.split(".").at(-1)) + 1;
    return `${metadata.labels?.["ipam.spidernet.io/owner-application-name"]} ${size}`;
  });
  assert.deepEqual(counts.sort(), ["cron 5", "ds 3", "job 4", "rs 2", "rs-of-rollout 2", "sts 2"]);
});

Deno.test("each NIC and family has a pool of its own", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(SPIDER_SUBNETS, {
    metadata: { name: "t" },
    spec: { subnet: "10.7.0.0/16", ips: ["10.7.0.10-10.7.0.19"] },
  });
  await rig.make(SPIDER_SUBNETS, {
    metadata: { name: "six" },
    spec: { subnet: "fd00:6::/64", ips: ["fd00:6::10-fd00:6::1f"] },
  });
  const items = [{ interface: "eth0", ipv4: ["s"], ipv6: ["six"] }, {
    interface: "net1",
    ipv4: ["t"],
  }];
  const annotations = { [ANNOTATION_SUBNETS]: JSON.stringify(items) };
  await rig.make(DEPLOYMENTS, deployment("web", annotations));
  const second = { [ANNOTATION_SUBNET]: JSON.stringify({ interface: "net1", ipv4: ["t"] }) };
  await rig.make(DEPLOYMENTS, deployment("db", { ...second, [ANNOTATION_IP_NUMBER]: "1" }));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), [
    "auto4-db-net1 10.7.0.10",
    "auto4-web-eth0 10.6.0.10-10.6.0.12",
    "auto4-web-net1 10.7.0.11-10.7.0.13",
    "auto6-web-eth0 fd00:6::10-fd00:6::12",
  ]);
});

Deno.test("a pool goes with its application, when no pod uses it", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("2")));
  await rig.clock.advance(LATER_MS);
  await use(rig, "10.6.0.10");
  await remove(rig, DEPLOYMENTS, { name: "web", namespace: "default" });
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.10-10.6.0.11"]);
  // One of its name has a pool of its own meanwhile.
  await rig.make(DEPLOYMENTS, deployment("web", asking("3")));
  await rig.clock.advance(LATER_MS);
  assert.deepEqual(await told(rig), [
    "auto4-web-eth0 10.6.0.10-10.6.0.11",
    "auto4-web-eth0 10.6.0.12-10.6.0.14",
  ]);
  await remove(rig, SPIDER_IPS, { name: "10.6.0.10" });
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.6.0.12-10.6.0.14"]);
  assert.deepEqual(await record(rig), ["apps_v1_Deployment_default_web 10.6.0.12-10.6.0.14"]);
});

Deno.test("a pool that stays is taken by the next application of the name", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(DEPLOYMENTS, deployment("web", asking("2", { reclaim: "false" })));
  await rig.clock.advance(LATER_MS);
  await remove(rig, DEPLOYMENTS, { name: "web", namespace: "default" });
  await rig.clock.advance(20_000);
  const [before] = await pools(rig);
  await rig.make(DEPLOYMENTS, deployment("web", asking("+1", { reclaim: "true" })));
  await rig.clock.advance(LATER_MS);
  const [after, ...others] = await pools(rig);
  assert.deepEqual(others, []);
  assert.equal(after?.metadata.uid, before?.metadata.uid);
  assert.deepEqual(after?.spec.ips, ["10.6.0.10-10.6.0.12"]);
  const { uid } = (await rig.read(DEPLOYMENTS, { name: "web", namespace: "default" })).metadata;
  const { labels, annotations } = after.metadata;
  assert.equal(labels?.["ipam.spidernet.io/owner-application-uid"], uid);
  assert.equal(labels?.["ipam.spidernet.io/ippool-reclaim"], "true");
  assert.equal(annotations?.[ANNOTATION_IP_NUMBER], "+1");
});

Deno.test("another subnet, or none, in the annotation: the old pool goes when unused", async () => {
  await using rig = await ControllerRig.start(WITHOUT_PODS);
  await rig.make(SPIDER_SUBNETS, subnetObject("s"));
  await rig.make(SPIDER_SUBNETS, {
    metadata: { name: "t" },
    spec: { subnet: "10.7.0.0/16", ips: ["10.7.0.10-10.7.0.19"] },
  });
  await rig.make(DEPLOYMENTS, deployment("web", asking("2")));
  await rig.clock.advance(LATER_MS);
  await use(rig, "10.6.0.10");
  const pods = template(asking("2", { subnet: "t" }));
  await change(rig, "web", (spec) => ({ ...spec, template: pods }));
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), [
    "auto4-web-eth0 10.6.0.10-10.6.0.11",
    "auto4-web-eth0 10.7.0.10-10.7.0.11",
  ]);
  await remove(rig, SPIDER_IPS, { name: "10.6.0.10" });
  await rig.clock.advance(20_000);
  assert.deepEqual(await told(rig), ["auto4-web-eth0 10.7.0.10-10.7.0.11"]);
  assert.deepEqual([await record(rig), (await record(rig, "t")).length], [[], 1]);
  await change(rig, "web", (spec) => ({ ...spec, template: template({}) }));
  await rig.clock.advance(20_000);
  assert.deepEqual([await told(rig), await record(rig, "t")], [[], []]);
});
