/** The network of eth0 of pods that say nothing: Multus' own setting, and the agents'. */
import assert from "node:assert/strict";
import { assertEachNicAnswers } from "../coordinator/several_nics.ts";
import { WEB } from "../coordinator/web.ts";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  pod,
  pools,
  type Scenario,
} from "../ipam/corner.ts";
import { agentsAreReady, type Installation, LIMIT, onNode } from "../ipam/installation.ts";
import { assertAddresses, eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import { setClusterNetwork, writeConfiguration } from "./node_files.ts";
import { MULTUS_NAMESPACE, network } from "./short.ts";

const MACVLAN = { cniType: "macvlan", macvlan: { master: ["eth1"] } };

/** What the ConfigMap says of eth0; agents read it when they start. */
async function tellAgents({ kubectl }: Installation, clusterNetwork: string): Promise<void> {
  const patch = JSON.stringify({ data: { clusterNetwork } });
  const place = ["-n", "spiderpool"];
  await kubectl.run("patch", "configmap", ...place, "spiderpool-conf", "-p", patch);
  await kubectl.run("rollout", "restart", ...place, "daemonset/spiderpool-agent");
  await agentsAreReady(kubectl);
}

/** Networks by NIC of each pod, as Multus reports them. */
async function networksOf(
  { site, name: namespace }: Corner,
  app: string,
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const selected = ["pods", "-n", namespace, "-l", `app=${app}`, "-o", "json"];
  const { items }: {
    readonly items: readonly {
      readonly metadata: {
        readonly name: string;
        readonly annotations?: Readonly<Record<string, string>>;
      };
    }[];
  } = JSON.parse(await site.kubectl.run("get", ...selected));
  return new Map(items.map(({ metadata: { name, annotations } }) => {
    const nics: readonly { readonly interface?: string; readonly name: string }[] = JSON.parse(
      annotations?.["k8s.v1.cni.cncf.io/network-status"] ?? "[]",
    );
    return [name, Object.fromEntries(nics.map((nic) => [nic.interface ?? "", nic.name]))];
  }));
}

/** Pods that say nothing are on the underlay; pools know it by the network's name. */
export const CLUSTER_NETWORK: Scenario = {
  name: "ours",
  promise: "eth0 of pods that say nothing is on the underlay, and the overlay is what they ask for",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "ground", {
      count: 3,
      gateway: true,
      spec: { default: true, multusName: ["plain"] },
    }),
    ...pools(corner, "lab", {
      ...{ count: 5, subnet: 7, gateway: true },
      spec: { default: true, multusName: [`${corner.name}/lab`] },
    }),
    network(corner, "plain", { namespace: MULTUS_NAMESPACE, ...MACVLAN }),
    network(corner, "lab", MACVLAN),
    // A definition without a configuration: Multus looks for a file of this name on the node.
    network(corner, "overlay", { namespace: MULTUS_NAMESPACE, cniType: "custom" }),
  ],
  check: async (corner) => {
    const { site } = corner;
    // The agents' restart takes both container runtimes through far more than this change.
    for (const node of site.nodes) await setClusterNetwork(site, node, "plain");
    await tellAgents(site, `${MULTUS_NAMESPACE}/plain`);
    await site.kubectl.apply(
      deployment(corner, "web", { replicas: 2, networks: ["lab"], container: WEB }),
      pod(corner, "web-over", { firstNetwork: "overlay", networks: ["lab"], container: WEB }),
    );
    await rolledOut(corner, "deployment/web");
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await site.kubectl.run("wait", "-n", corner.name, "pod/web-over", ...ready);
    const [under, over] = await Promise.all(["web", "web-over"].map((app) => podsOf(corner, app)));
    assert.ok(under?.length === 2 && over?.length === 1);
    await assertAddresses(corner, under, { nic: "eth0", from: ["ground"] });
    await assertAddresses(corner, [...under, ...over], { nic: "net1", from: ["lab"] });
    await assertEachNicAnswers(corner, under, ["eth0", "net1"]);
    await assertEachNicAnswers(corner, over, ["net1"]);
    const [first = {}] = (await networksOf(corner, "web-over")).values();
    assert.equal(first["eth0"], `${MULTUS_NAMESPACE}/overlay`);
  },
};

/** Makes the second node one whose underlay NIC is a port of a bridge. */
async function bridgeUnderlay(site: Installation): Promise<void> {
  const [, node] = site.nodes;
  const make = "ip link add lan0 type bridge; ip link set lan0 up";
  await onNode(site, node, { script: make });
  // The NIC of a macvlan is no port of a bridge; those of other scenarios' pods go meanwhile.
  await eventually("eth1 to be free of macvlan NICs", async () => {
    const script = "ip link set eth1 master lan0 2>/dev/null && echo joined || true";
    return (await onNode(site, node, { script })).trim() === "joined";
  });
}

const BRIDGE = { type: "bridge", bridge: "lan0", ipam: { type: "spiderpool" } };
const CHAIN = { cniVersion: "1.0.0" };
const BRIDGED = { ...CHAIN, name: "bridged", plugins: [BRIDGE, { type: "coordinator" }] };

/** What each node has under one name: its file of CNI. */
function byNode(main: Readonly<Record<string, unknown>>): unknown {
  return { ...CHAIN, name: "by-node", plugins: [main, { type: "coordinator" }] };
}

/** Nodes of two kinds: each has a network of its own for eth0, and of its own for net1. */
export const KINDS: Scenario = {
  name: "kinds",
  promise: "one Deployment is on macvlan on one node and on a bridge on the other",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "ground", { count: 5, gateway: true }),
    ...pools(corner, "lab", { count: 5, subnet: 7, gateway: true }),
    network(corner, "plain", { namespace: MULTUS_NAMESPACE, ...MACVLAN }),
    network(corner, "bridged", {
      namespace: MULTUS_NAMESPACE,
      cniType: "custom",
      customCNI: JSON.stringify(BRIDGED),
    }),
    network(corner, "by-node", { cniType: "custom" }),
  ],
  check: async (corner) => {
    const { site } = corner;
    const [first, second] = site.nodes;
    await bridgeUnderlay(site);
    const file = "50-by-node.conflist";
    const macvlan = { type: "macvlan", master: "eth1", ipam: { type: "spiderpool" } };
    await writeConfiguration(site, first, { file, config: byNode(macvlan) });
    await writeConfiguration(site, second, { file, config: byNode(BRIDGE) });
    await setClusterNetwork(site, first, "plain");
    await setClusterNetwork(site, second, "bridged");
    await tellAgents(site, "");
    await site.kubectl.apply(deployment(corner, "web", {
      replicas: 4,
      networks: ["by-node"],
      ippools: [
        { interface: "eth0", ...ask(corner, "ground") },
        { interface: "net1", ...ask(corner, "lab") },
      ],
      container: WEB,
    }));
    await rolledOut(corner, "deployment/web");
    const pods = await podsOf(corner, "web");
    await assertAddresses(corner, pods, { nic: "eth0", from: ["ground"] });
    await assertAddresses(corner, pods, { nic: "net1", from: ["lab"] });
    await assertEachNicAnswers(corner, pods, ["eth0", "net1"]);
    const networks = await networksOf(corner, "web");
    for (const { name, node } of pods) {
      const own = `${MULTUS_NAMESPACE}/${node === first ? "plain" : "bridged"}`;
      assert.equal(networks.get(name)?.["eth0"], own, `${name} on ${node}`);
    }
    const ports = await onNode(site, second, { script: "ls /sys/class/net/lan0/brif | wc -l" });
    assert.equal(Number(ports), 1 + 2 * 2, "eth1, and two NICs of each of two pods");
  },
};
