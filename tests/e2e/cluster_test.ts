/** The rig itself: real nodes, pods, services and underlay, and nothing left behind. */
import assert from "node:assert/strict";
import { cacheFolder } from "../../scripts/cluster/components.ts";
import { TOOLS_IMAGE } from "../../scripts/cluster/image.ts";
import { ClusterRefusal, nativeDown, nativeUp } from "../../scripts/cluster/native.ts";
import { runInside } from "../../scripts/cluster/namespaces.ts";
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { isAlive, run } from "../../scripts/cluster/process.ts";
import { clusterFolder, type ClusterState } from "../../scripts/cluster/state.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { type Kubectl, kubectlOf } from "./kubectl.ts";

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");

/** A Deployment with one replica on each of two nodes, twice if `replicas` is 4. */
function deployment(
  name: string,
  { replicas, annotations }: {
    readonly replicas: number;
    readonly annotations?: Readonly<Record<string, string>>;
  },
): unknown {
  const matchLabels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels },
      template: {
        metadata: { labels: matchLabels, annotations: annotations ?? {} },
        spec: {
          terminationGracePeriodSeconds: 1,
          topologySpreadConstraints: [{
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels },
          }],
          containers: [{
            name: "web",
            image: TOOLS_IMAGE,
            imagePullPolicy: "Never",
            securityContext: { privileged: true },
            command: [
              "sh",
              "-c",
              "mkdir /www; hostname >/www/index.html; echo serving; exec httpd -f -p 80 -h /www",
            ],
          }],
        },
      },
    },
  };
}

async function webWorks(kubectl: Kubectl, family: ClusterFamily): Promise<void> {
  await kubectl.apply(deployment("web", { replicas: 4 }), {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }], ipFamilyPolicy: "PreferDualStack" },
  });
  await kubectl.run("rollout", "status", "deployment/web", "--timeout=120s");
  const pods = JSON.parse(await kubectl.run("get", "pods", "-l", "app=web", "-o", "json")).items;
  const onNodes = pods.map((pod: { spec: { nodeName: string } }) => pod.spec.nodeName);
  assert.equal(new Set(onNodes).size, 2, "pods are spread over both nodes");
  const service = JSON.parse(await kubectl.run("get", "service", "web", "-o", "json"));
  const addresses: readonly string[] = [
    ...service.spec.clusterIPs,
    ...pods.flatMap((pod: { status: { podIPs: { ip: string }[] } }) =>
      pod.status.podIPs.map(({ ip }) => ip)
    ),
  ];
  const sixes = addresses.filter((address) => address.includes(":")).length;
  const perPod = family === "dual" ? 2 : 1;
  assert.equal(addresses.length, 5 * perPod, "exactly the families asked for");
  assert.equal(sixes, family === "ipv4" ? 0 : 5);
  for (const pod of pods) {
    for (const address of addresses) {
      const host = address.includes(":") ? `[${address}]` : address;
      const said = await kubectl.shell(
        pod.metadata.name,
        `timeout 5 wget -qO- http://${host}/`,
      );
      assert.match(said.stdout, /^web-/, `${pod.metadata.name} reaches ${address}`);
    }
  }
  assert.match(await kubectl.run("logs", "deployment/web"), /serving/);
}

async function underlayWorks(kubectl: Kubectl, family: ClusterFamily): Promise<void> {
  const config = { cniVersion: "1.0.0", name: "flat", type: "macvlan", master: "eth1", ipam: {} };
  await kubectl.apply({
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name: "flat" },
    spec: { config: JSON.stringify(config) },
  });
  const annotations = { "k8s.v1.cni.cncf.io/networks": "flat" };
  await kubectl.apply(deployment("flat", { replicas: 2, annotations }));
  await kubectl.run("rollout", "status", "deployment/flat", "--timeout=120s");
  const names = (await kubectl.run("get", "pods", "-l", "app=flat", "-o", "name")).trim();
  const prefixes = [
    ...(family === "ipv6" ? [] : [{ prefix: "10.6.0.", length: 16 }]),
    ...(family === "ipv4" ? [] : [{ prefix: "fd00:6::", length: 64 }]),
  ];
  const pods = names.split("\n");
  for (const { prefix, length } of prefixes) {
    for (const [position, pod] of pods.entries()) {
      const usableAtOnce = "echo 0 >/proc/sys/net/ipv6/conf/net1/accept_dad";
      const address = `${prefix}${11 + position}/${length}`;
      const add = `${usableAtOnce}; ip address add ${address} dev net1`;
      assert.equal((await kubectl.shell(pod, add)).code, 0, `${pod}: ${add}`);
    }
    for (const host of [1, 11, 12]) {
      const ping = await kubectl.shell(pods[0] ?? "", `ping -c 1 -w 5 ${prefix}${host}`);
      assert.equal(ping.code, 0, `a macvlan pod reaches ${prefix}${host}: ${ping.stdout}`);
    }
  }
}

async function nodesAreApart(state: ClusterState, kubectl: Kubectl): Promise<void> {
  const [first, second] = state.plan.nodes;
  const path = "/etc/cni/net.d/only-here";
  await kubectl.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "host-path" },
    spec: {
      nodeName: first?.name,
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: "c",
        image: TOOLS_IMAGE,
        imagePullPolicy: "Never",
        securityContext: { privileged: true },
        volumeMounts: [
          { name: "d", mountPath: "/d" },
          { name: "n", mountPath: "/n", mountPropagation: "Bidirectional" },
        ],
      }],
      volumes: [
        { name: "d", hostPath: { path: "/etc/cni/net.d" } },
        { name: "n", hostPath: { path: "/var/run/netns" } },
      ],
    },
  });
  await kubectl.run("wait", "pod/host-path", "--for=condition=Ready", "--timeout=60s");
  await kubectl.run(
    ...["exec", "host-path", "--", "sh", "-c"],
    "touch /d/only-here /n/m && mount -t tmpfs made-in-pod /n",
  );
  const script = `ls ${path} || true; cat /proc/self/mountinfo`;
  const [one = "", two = ""] = await Promise.all([first, second].map(async (node) => {
    const holder = state.nodes.find(({ hostname }) => hostname === node?.name);
    return holder === undefined ? "" : await runInside(holder, { script });
  }));
  assert.match(one, /only-here/, "a hostPath is the node's own");
  assert.match(one, /made-in-pod/, "a pod's mount is seen by its node");
  assert.doesNotMatch(two, /only-here|made-in-pod/, "and by no other");
  assert.doesNotMatch(
    (await run(["sh", "-c", `ls ${path}; mount`])).stdout,
    /only-here|made-in-pod/,
  );
  await kubectl.run("delete", "pod", "host-path", "--wait");
}

async function nothingIsLeft(state: ClusterState, folder: string): Promise<void> {
  for (const holder of [...state.nodes, ...(state.fabric === undefined ? [] : [state.fabric])]) {
    assert.equal(isAlive(holder.init), false, `${holder.hostname} ended`);
  }
  assert.notEqual((await run(["ip", "link", "show", state.plan.hostLink])).code, 0);
  assert.doesNotMatch(await Deno.readTextFile("/proc/self/mountinfo"), new RegExp(folder));
  await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  const groups = await run(["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", "e2e-*"]);
  const own = groups.stdout.split("\n").filter((line) => line.includes(`/${state.plan.name}-`));
  assert.deepEqual(own, []);
}

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `cluster: two nodes, pods, services, exec, underlay; nothing left (${family})`,
    needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
    async fn(test) {
      const options = {
        clusters: await Deno.makeTempDir({ prefix: "clusters-" }),
        cache: cacheFolder(Deno.env),
        report: () => {},
      };
      const wish = { name: `e2e-${family}`, nodeCount: 2, family };
      const folder = clusterFolder({ ...options, name: wish.name });
      try {
        const state = await nativeUp(wish, options);
        const kubectl = kubectlOf(folder);
        await test.step("a Deployment of 4 pods reaches pods and a Service", async () => {
          await webWorks(kubectl, family);
        });
        await test.step("macvlan pods of two nodes share one L2", async () => {
          await underlayWorks(kubectl, family);
        });
        await test.step("each node has folders and mounts of its own", async () => {
          await nodesAreApart(state, kubectl);
        });
        await test.step("a second up changes nothing, another shape is refused", async () => {
          assert.deepEqual(await nativeUp(wish, options), state);
          await assert.rejects(nativeUp({ ...wish, nodeCount: 1 }, options), ClusterRefusal);
        });
        await test.step("down leaves nothing behind", async () => {
          assert.equal(await nativeDown(wish.name, options), true);
          await nothingIsLeft(state, folder);
          assert.equal(await nativeDown(wish.name, options), false);
        });
      } finally {
        await nativeDown(wish.name, options);
        await Deno.remove(options.clusters, { recursive: true });
      }
    },
  });
}
