/** What people are told of an address that was taken back. */
import { SPIDERPOOL_API_VERSION } from "../api/group.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import type { Happening } from "../kube/events.ts";

/** The Event of an address that is free again. @param reason A clause: `its pod is gone`. */
export function freedHappening({ metadata, spec }: SpiderIp, reason: string): Happening {
  const { ip: address, pool, podNamespace = "", podName = "", podUID = "" } = spec;
  return {
    type: "Normal",
    reason: "AddressFreed",
    action: "Reclaim",
    note: `Address ${address} of pool "${pool}" and pod "${podNamespace}/${podName}" is free ` +
      `again: ${reason}`,
    regarding: {
      apiVersion: SPIDERPOOL_API_VERSION,
      kind: "SpiderIP",
      name: metadata.name,
      ...(metadata.uid !== undefined && { uid: metadata.uid }),
    },
    related: {
      apiVersion: "v1",
      kind: "Pod",
      namespace: podNamespace,
      name: podName,
      uid: podUID,
    },
  };
}
