/** What people are told of SpiderIPs that had vanished. */
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import type { ObjectReference } from "../kube/mod.ts";
import type { LeaderParts } from "./parts.ts";

/** What was done. */
const ACTION = "RestoreAddress";

/** An address is its living pod's again. */
export function tellRestored({ recorder, ports: { log } }: LeaderParts, claim: SpiderIp): void {
  const { podNamespace = "", podName = "", ip: address, pool } = claim.spec;
  log.warn("vanished address restored", { address, pool, pod: `${podNamespace}/${podName}` });
  recorder.record({
    type: "Warning",
    reason: "AddressRestored",
    action: ACTION,
    note: `Address ${address} of pool "${pool}" had been freed although this pod uses it: it ` +
      "is the pod's again",
    regarding: podOf(claim),
  });
}

/** Two pods have one address, which only people can settle; nothing if it is the same pod. */
export async function tellTaken(
  { settler, recorder, ports: { log } }: LeaderParts,
  { claim, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<void> {
  const { ip: address } = claim.spec;
  const other = await settler.get(SPIDER_IPS, { name: claim.metadata.name }, { signal });
  if (other === undefined || other.spec.podUID === claim.spec.podUID) return;
  log.error("vanished address is another pod's", {
    address,
    pods: [nameOf(claim), nameOf(other)],
  });
  for (const [one, another] of [[claim, other], [other, claim]] as const) {
    if (one.spec.podName === undefined) continue;
    recorder.record({
      type: "Warning",
      reason: "AddressTaken",
      action: ACTION,
      note: `Address ${address} is also used by pod ${nameOf(another)}: delete one of the two pods`,
      regarding: podOf(one),
      related: podOf(another),
    });
  }
}

function nameOf({ spec: { podNamespace = "", podName = "" } }: SpiderIp): string {
  return `"${podNamespace}/${podName}"`;
}

function podOf({ spec: { podNamespace, podName = "", podUID } }: SpiderIp): ObjectReference {
  const pod = { apiVersion: "v1", kind: "Pod", namespace: podNamespace, name: podName };
  return podUID === undefined ? pod : { ...pod, uid: podUID };
}
