/** Networks of the cluster, as a person sees them found. */
import assert from "node:assert/strict";
import { type Corner, namespaceOf, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { eventually } from "../ipam/observed.ts";
import { removeConfiguration, writeConfiguration } from "../networks/node_files.ts";
import { kubeadmConfig } from "./kubeadm.ts";
import { serveKind } from "./kinds.ts";

/** The status of a SpiderCoordinator, as far as it is looked at. */
interface ObservedStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly overlayPodCIDR?: readonly string[];
  readonly serviceCIDR?: readonly string[];
}

const COORDINATOR = ["spidercoordinator", "default"];

/** Waits until the status is as it should be. */
async function untilStatus(
  { site: { kubectl } }: Corner,
  isSo: (status: ObservedStatus) => boolean,
): Promise<void> {
  let status: ObservedStatus = {};
  try {
    await eventually("the SpiderCoordinator to be as it should", async () => {
      const text = await kubectl.run("get", ...COORDINATOR, "-o", "json");
      status = JSON.parse(text).status ?? {};
      return isSo(status);
    });
  } catch (cause) {
    throw new Error(`The SpiderCoordinator is ${JSON.stringify(status)}`, { cause });
  }
}

function isSame(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A further network of services, of each family. */
function furtherServices({ site: { versions } }: Corner): readonly string[] {
  return versions.map((version) => version === 4 ? "10.97.0.0/16" : "fd00:10:97::/112");
}

/** Calico's pools, whose kind comes later than the wish for it. */
async function findCalico(corner: Corner): Promise<void> {
  const { kubectl, versions } = corner.site;
  const cidrs = versions.map((version) => version === 4 ? "10.201.0.0/16" : "fd00:201::/64");
  const group = "crd.projectcalico.org";
  await using _kind = await serveKind(kubectl, { group, version: "v1", kind: "IPPool" });
  await kubectl.apply(...cidrs.map((cidr, index) => ({
    apiVersion: `${group}/v1`,
    kind: "IPPool",
    metadata: { name: `pool-${index}` },
    spec: { cidr },
  })));
  await untilStatus(corner, ({ phase, overlayPodCIDR }) => {
    return phase === "Synced" && isSame(overlayPodCIDR?.toSorted(), cidrs);
  });
}

/** Cilium's pools, once its ConfigMap says that it uses them. */
async function findCilium(corner: Corner): Promise<void> {
  const { kubectl, versions } = corner.site;
  const [cidr4, cidr6] = ["10.202.0.0/16", "fd00:202::/64"];
  const cidrs = versions.map((version) => version === 4 ? cidr4 : cidr6);
  const [group, version] = ["cilium.io", "v2alpha1"];
  await using _kind = await serveKind(kubectl, { group, version, kind: "CiliumPodIPPool" });
  await kubectl.apply({
    apiVersion: `${group}/${version}`,
    kind: "CiliumPodIPPool",
    metadata: { name: "default" },
    spec: {
      ...(versions.includes(4) && { ipv4: { cidrs: [cidr4] } }),
      ...(versions.includes(6) && { ipv6: { cidrs: [cidr6] } }),
    },
  });
  await setType(corner, "cilium");
  await untilStatus(corner, ({ phase, reason = "" }) => {
    return phase === "NotReady" && /ConfigMap "kube-system\/cilium-config" is missing/.test(reason);
  });
  await kubectl.apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "cilium-config", namespace: "kube-system" },
    data: { ipam: "multi-pool" },
  });
  await untilStatus(corner, ({ phase, overlayPodCIDR }) => {
    return phase === "Synced" && isSame(overlayPodCIDR?.toSorted(), cidrs);
  });
  await kubectl.run("delete", "configmap", "-n", "kube-system", "cilium-config");
}

/** The command line of kube-controller-manager, as its static pod shows it; here none runs it. */
async function findByCommand(corner: Corner): Promise<void> {
  const { kubectl, versions } = corner.site;
  const cidrs = versions.map((version) => version === 4 ? "10.203.0.0/16" : "fd00:203::/64");
  const [name, namespace] = ["kube-controller-manager", "kube-system"];
  await kubectl.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { component: name } },
    spec: {
      schedulerName: "nobody",
      containers: [{ name, image: "none", command: [name, `--cluster-cidr=${cidrs.join(",")}`] }],
    },
  });
  await untilStatus(corner, ({ phase, overlayPodCIDR }) => {
    return phase === "Synced" && isSame(overlayPodCIDR, cidrs);
  });
  await kubectl.run("delete", "pod", "-n", namespace, name, `--timeout=${LIMIT}`);
  await untilStatus(corner, ({ phase }) => phase === "NotReady");
}

/** The cluster's own network by the nodes' first CNI configuration: any may have the leader. */
async function findByFile(corner: Corner): Promise<void> {
  const { site } = corner;
  const { podCidrs } = site.state.plan;
  await site.kubectl.apply(kubeadmConfig({ podSubnet: podCidrs.join(","), serviceSubnet: "" }));
  const file = "05-flannel.conflist";
  const config = { cniVersion: "1.0.0", name: "flannel", plugins: [{ type: "flannel" }] };
  for (const node of site.nodes) await writeConfiguration(site, node, { file, config });
  await setType(corner, "auto");
  await untilStatus(corner, ({ phase, overlayPodCIDR }) => {
    return phase === "Synced" && isSame(overlayPodCIDR, podCidrs);
  });
  for (const node of site.nodes) await removeConfiguration(site, node, file);
  await setType(corner, "none");
}

async function setType({ site: { kubectl } }: Corner, podCIDRType: string): Promise<void> {
  const patch = JSON.stringify({ spec: { podCIDRType } });
  await kubectl.run("patch", ...COORDINATOR, "--type=merge", "--patch", patch);
}

/** What kubeadm and the API server say is in the status, and what is missing in its reason. */
export const DISCOVERY: Scenario = {
  name: "discovery",
  promise: "the networks of pods and services are found, followed, and missed with a reason",
  objects: (corner) => [
    namespaceOf(corner),
    {
      apiVersion: "spiderpool.spidernet.io/v2beta1",
      kind: "SpiderCoordinator",
      metadata: { name: "default", finalizers: ["spiderpool.spidernet.io"] },
      spec: { podCIDRType: "cluster" },
    },
  ],
  check: async (corner) => {
    const { kubectl, state: { plan: { podCidrs, serviceCidrs } } } = corner.site;
    await untilStatus(corner, ({ phase, reason = "", serviceCIDR }) => {
      return phase === "NotReady" && isSame(serviceCIDR, serviceCidrs) &&
        /ConfigMap "kube-system\/kubeadm-config" is missing; .*; write them into /.test(reason);
    });
    await findByCommand(corner);
    await kubectl.apply(kubeadmConfig({ podSubnet: podCidrs.join(","), serviceSubnet: "" }));
    await untilStatus(corner, ({ phase, reason, overlayPodCIDR, serviceCIDR }) => {
      return phase === "Synced" && reason === undefined &&
        isSame(overlayPodCIDR, podCidrs) && isSame(serviceCIDR, serviceCidrs);
    });

    const further = furtherServices(corner);
    await kubectl.apply({
      apiVersion: "networking.k8s.io/v1",
      kind: "ServiceCIDR",
      metadata: { name: "further" },
      spec: { cidrs: further },
    });
    await untilStatus(corner, ({ serviceCIDR }) => {
      return isSame(serviceCIDR, [...serviceCidrs, ...further]);
    });
    await kubectl.run("delete", "servicecidr", "further", `--timeout=${LIMIT}`);
    await untilStatus(corner, ({ serviceCIDR }) => isSame(serviceCIDR, serviceCidrs));

    await kubectl.apply(kubeadmConfig({ podSubnet: "10.244.0.0/99", serviceSubnet: "" }));
    await untilStatus(corner, ({ phase, reason = "", overlayPodCIDR }) => {
      return phase === "NotReady" && isSame(overlayPodCIDR, []) &&
        /networking\.podSubnet "10\.244\.0\.0\/99": its prefix length "99" is not /.test(reason);
    });
    await setType(corner, "calico");
    await untilStatus(corner, ({ phase, reason = "" }) => {
      return phase === "NotReady" && /the server has no kind IPPool of crd\.project/.test(reason);
    });
    await findCalico(corner);
    await findCilium(corner);
    await findByFile(corner);
    // The rig's own network is none of those that `auto` knows.
    await setType(corner, "auto");
    await untilStatus(corner, ({ phase, reason, overlayPodCIDR, serviceCIDR }) => {
      return phase === "Synced" && reason === undefined &&
        isSame(overlayPodCIDR, []) && isSame(serviceCIDR, serviceCidrs);
    });

    const finalizers = ["get", ...COORDINATOR, "-o", "jsonpath={.metadata.finalizers}"];
    assert.equal(await kubectl.run(...finalizers), "");
    await kubectl.run("delete", ...COORDINATOR, `--timeout=${LIMIT}`);
    await kubectl.run("delete", "configmap", "-n", "kube-system", "kubeadm-config");
  },
};
