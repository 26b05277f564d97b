/** Milliseconds that an ADD waits for a pool of its application, as in the reference. */
export const AUTO_POOL_WAIT_MS = 50_000;

/** What an installation says of addresses: switches and names, each read once at start. */
export interface IpamSettings {
  /** Whether pods get addresses of this family; a family that is off is left out silently. */
  readonly ipv4: boolean;
  /** As `ipv4`. */
  readonly ipv6: boolean;
  /** Whether the pods of StatefulSets keep their addresses. */
  readonly statefulSet: boolean;
  /** Whether KubeVirt's machines keep their addresses. */
  readonly kubevirt: boolean;
  /** Whether SpiderSubnets may be used. */
  readonly spiderSubnet: boolean;
  /** Whether pools are made from SpiderSubnets for applications. */
  readonly autoPool: boolean;
  /** Namespace of Spiderpool: of networks that are named without one. */
  readonly agentNamespace: string;
  /** Network of the first NIC of pods that name none, as `namespace/name`; empty for none. */
  readonly clusterNetwork: string;
  /** Whether plugins look for another holder of an address before they use it. */
  readonly conflictDetection: boolean;
  /** Whether plugins look for the gateway of an address before they use it. */
  readonly gatewayDetection: boolean;
  /** Whether a stateless pod gives back an address that conflicts on the wire. */
  readonly releaseConflicting: boolean;
  /** Milliseconds that an ADD waits for a pool of its application; absent: `AUTO_POOL_WAIT_MS`. */
  readonly autoPoolWaitMs?: number | undefined;
  /** Most addresses of one pool that may be in use; absent: no bound but the pool's own. */
  readonly poolAddressesMax?: number | undefined;
}
