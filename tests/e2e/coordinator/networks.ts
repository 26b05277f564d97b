/** The SpiderCoordinator of the cluster, and networks whose pods are coordinated. */
import { kubeadmConfig } from "../controller/kubeadm.ts";
import { type Installation, LIMIT } from "../ipam/installation.ts";

/** Networks of the underlay's subnets 10.6 and 10.7, and their IPv6 twins: the NIC is the same. */
export const COORDINATED = "default/coordinated";

/** A macvlan network with a coordinator. */
export function coordinatedNetwork(
  name: string,
  coordinator: Readonly<Record<string, unknown>> = {},
): unknown {
  const config = {
    cniVersion: "1.0.0",
    name,
    plugins: [
      { type: "macvlan", master: "eth1", mode: "bridge", ipam: { type: "spiderpool" } },
      { type: "coordinator", ...coordinator },
    ],
  };
  return {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    metadata: { name, namespace: "default" },
    spec: { config: JSON.stringify(config) },
  };
}

/** What coordinators do in every scenario. */
export const COORDINATOR = {
  apiVersion: "spiderpool.spidernet.io/v2beta1",
  kind: "SpiderCoordinator",
  metadata: { name: "default" },
  spec: { mode: "auto", podCIDRType: "cluster" },
};

/** Says what kubeadm would have said, and waits until the controller has found it. */
export async function tellNetworks({ kubectl, state }: Installation): Promise<void> {
  const { podCidrs, serviceCidrs } = state.plan;
  const subnets = { podSubnet: podCidrs.join(","), serviceSubnet: serviceCidrs.join(",") };
  await kubectl.apply(kubeadmConfig(subnets));
  const synced = ["--for=jsonpath={.status.phase}=Synced", `--timeout=${LIMIT}`];
  await kubectl.run("wait", "spidercoordinator", "default", ...synced);
}
