/** Objects that tests of decisions about addresses start from: small, whole, and overridable. */
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import type { ObjectMeta } from "../../src/base/object_store.ts";
import type { Holder } from "../../src/ipam/claim.ts";

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
