/** Annotation keys: the whole list of those that are read or written. No zod. */

/** Pod: pools per NIC, as JSON (`readPoolsAnnotation`). */
export const ANNOTATION_IP_POOLS = "ipam.spidernet.io/ippools";
/** Pod: pools for the NIC being added, as JSON (`readPoolAnnotation`). */
export const ANNOTATION_IP_POOL = "ipam.spidernet.io/ippool";
/** Pod: subnets per NIC, as JSON (`readSubnetsAnnotation`). */
export const ANNOTATION_SUBNETS = "ipam.spidernet.io/subnets";
/** Pod: subnets for one NIC, as JSON (`readSubnetAnnotation`). */
export const ANNOTATION_SUBNET = "ipam.spidernet.io/subnet";
/** Pod and automatic pool: size of the automatic pool, `5` or `+2` (`readIpNumber`). */
export const ANNOTATION_IP_NUMBER = "ipam.spidernet.io/ippool-ip-number";
/** Pod: whether the automatic pool goes with its application (`readReclaim`). */
export const ANNOTATION_IP_POOL_RECLAIM = "ipam.spidernet.io/ippool-reclaim";
/** Pod: further routes, as JSON (`readRoutesAnnotation`). */
export const ANNOTATION_ROUTES = "ipam.spidernet.io/routes";
/** Pod: NIC with the default route. */
export const ANNOTATION_DEFAULT_ROUTE_NIC = "ipam.spidernet.io/default-route-nic";
/** Pod: a constant of the reference that nothing reads. */
export const ANNOTATION_DNS = "ipam.spidernet.io/dns";

/** Namespace: default pools of its pods, as a JSON list (`readPoolNames`). */
export const ANNOTATION_DEFAULT_IPV4_IP_POOL = "ipam.spidernet.io/default-ipv4-ippool";
/** Namespace: default pools of its pods, as a JSON list (`readPoolNames`). */
export const ANNOTATION_DEFAULT_IPV6_IP_POOL = "ipam.spidernet.io/default-ipv6-ippool";

/** Pod, Namespace, SpiderMultusConfig (there also a label): group of RDMA networks to inject. */
export const ANNOTATION_RDMA_INJECT = "cni.spidernet.io/rdma-resource-inject";
/** Pod, Namespace, SpiderMultusConfig (there also a label): group of networks to inject. */
export const ANNOTATION_NETWORK_INJECT = "cni.spidernet.io/network-resource-inject";
/** SpiderMultusConfig: `name` inside the rendered configuration. */
export const ANNOTATION_CNI_CONFIG_NAME = "cni.spidernet.io/cniconfig-name";
/** SpiderMultusConfig: name of the NetworkAttachmentDefinition. */
export const ANNOTATION_CR_NAME = "multus.spidernet.io/cr-name";
/** SpiderMultusConfig: `cniVersion` of the rendered configuration. */
export const ANNOTATION_CNI_VERSION = "multus.spidernet.io/cni-version";

/** SpiderIP: a person may delete it (design.md 2.1). */
export const ANNOTATION_FORCE_RELEASE = "ipam.spidernet.io/force-release";
/** SpiderIPPool: why agents must not use it; absent: they may (design.md 2.2). */
export const ANNOTATION_NOT_USABLE = "ipam.spidernet.io/not-usable";

/** SpiderIPPool: who wrote `ANNOTATION_NOT_USABLE` and takes it away again; absent: a person. */
export const ANNOTATION_NOT_USABLE_BY = "ipam.spidernet.io/not-usable-by";

/** SpiderIP: what a network provider was told of its address, as JSON (`readProviderMark`). */
export const ANNOTATION_NETWORK_PROVIDER = "ipam.spidernet.io/network-provider";

/** Pod: the network of its first NIC, in Multus syntax (`readNetworks`). */
export const ANNOTATION_DEFAULT_NETWORK = "v1.multus-cni.io/default-network";
/** Pod: its further networks, in Multus syntax (`readNetworks`). */
export const ANNOTATION_NETWORKS = "k8s.v1.cni.cncf.io/networks";
/** Pod: what Multus made of it. */
export const ANNOTATION_NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status";
/** NetworkAttachmentDefinition: the device plugin resource that its pods need. */
export const ANNOTATION_RESOURCE_NAME = "k8s.v1.cni.cncf.io/resourceName";
/** Pod: the KubeVirt migration that it is the target of. */
export const ANNOTATION_MIGRATION_JOB_NAME = "kubevirt.io/migrationJobName";
/** Static pod: its UID on the node, where the API's pod has another one. */
export const ANNOTATION_CONFIG_HASH = "kubernetes.io/config.hash";
/** Certificates of webhooks: cert-manager writes the CA of this `namespace/certificate`. */
export const ANNOTATION_INJECT_CA = "cert-manager.io/inject-ca-from";
