/** What kubeadm leaves in a cluster; the rig's was made without it. */

/** Its ConfigMap; an empty text is left out. */
export function kubeadmConfig(
  subnets: { readonly podSubnet: string; readonly serviceSubnet: string },
): unknown {
  const networking = Object.entries(subnets).filter(([, value]) => value !== "");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "kubeadm-config", namespace: "kube-system" },
    data: {
      ClusterConfiguration: [
        "apiVersion: kubeadm.k8s.io/v1beta4",
        "kind: ClusterConfiguration",
        "networking:",
        "  dnsDomain: cluster.local",
        ...networking.map(([name, value]) => `  ${name}: ${value}`),
        "",
      ].join("\n"),
    },
  };
}
