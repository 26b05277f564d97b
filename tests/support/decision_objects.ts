/** Objects that tests of decisions about addresses start from: small, whole, and overridable. */
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import type { ObjectMeta } from "../../src/base/object_store.ts";
import { expectOk } from "../../src/base/result.ts";
import { type Address, parseAddress, parseAnyCidr } from "../../src/ip/mod.ts";
import type { SpiderIp } from "../../src/api/spider_ip.ts";
import { type Holder, newClaim } from "../../src/ipam/claim.ts";
import type { NicAllocation, PoolOfAddress } from "../../src/ipam/endpoint.ts";
import type { NodeReading } from "../../src/ipam/reclaim.ts";
import type { TopController } from "../../src/ipam/top_controller.ts";

/** A pod that lives: `default/web-0`, UID `uid-1`, on node `n1`. */
export function podOf(
  { metadata = {}, spec = {}, status = {} }: {
    readonly metadata?: Partial<ObjectMeta>;
    readonly spec?: Partial<Pod["spec"]>;
    readonly status?: Pod["status"];
  } = {},
): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-0", namespace: "default", uid: "uid-1", ...metadata },
    spec: { nodeName: "n1", containers: [], ...spec },
    status: { phase: "Running", ...status },
  };
}

/** The NIC `eth0` of the pod of `podOf`, in sandbox `c1`. */
export function holderOf(changes: Partial<Holder> = {}): Holder {
  return {
    podNamespace: "default",
    podName: "web-0",
    podUID: "uid-1",
    containerID: "c1",
    nic: "eth0",
    node: "n1",
    endpointName: "web-0",
    ...changes,
  };
}

/** A stored claim of 10.6.0.17 of the pool `p4`, of the NIC of `holderOf`. */
export function claimOf(
  { holder = {}, metadata = {}, spec = {} }: {
    readonly holder?: Partial<Holder>;
    readonly metadata?: Partial<ObjectMeta>;
    readonly spec?: Partial<SpiderIp["spec"]>;
  } = {},
): SpiderIp {
  const claim = newClaim({ pool: "p4", address: addressAt("10.6.0.17") }, holderOf(holder));
  return {
    ...claim,
    metadata: { ...claim.metadata, uid: "uid-claim", resourceVersion: "1", ...metadata },
    spec: { ...claim.spec, ...spec },
  };
}

/** The controller of the pod of `podOf`. */
export function controllerWith(changes: Partial<TopController> = {}): TopController {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    name: "web",
    namespace: "default",
    uid: "uid-app",
    ...changes,
  };
}

/** An address by its text. */
export function addressAt(text: string): Address {
  return expectOk(parseAddress(text), `${text} is an address`);
}

/** A family of a NIC: an address of a pool by texts. Without `gateway` the pool has none. */
export function familyOf(
  address: string,
  { pool, subnet, gateway, routes = [] }: {
    readonly pool: string;
    readonly subnet: string;
    readonly gateway?: string;
    readonly routes?: PoolOfAddress["routes"];
  },
): NicAllocation["families"][number] {
  const cidr = expectOk(parseAnyCidr(subnet), `${subnet} is a CIDR`);
  const hop = gateway === undefined ? {} : { gateway: addressAt(gateway) };
  return {
    facts: { name: pool, subnet: cidr, routes, ...hop },
    address: addressAt(address),
  };
}

/** A live read of a node: ready, with UID `uid-node` and boot `boot-1`. */
export function nodeThat(
  changes: Partial<Extract<NodeReading, { readonly kind: "present" }>> = {},
): Extract<NodeReading, { readonly kind: "present" }> {
  return {
    kind: "present",
    isReady: true,
    uid: "uid-node",
    bootID: "boot-1",
    isOutOfService: false,
    ...changes,
  };
}
