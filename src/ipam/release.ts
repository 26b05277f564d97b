/** What a DEL frees (design.md 2.1, rule 4). */
import type { Pod } from "../api/kubernetes/pod.ts";
import { DEFAULT_NIC } from "../api/pod_annotations.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { isDead, uidMatches } from "./pod_life.ts";

/** A pod by a read of its name. */
export type PodReading =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly pod: Pod };

/** A NIC of a sandbox that ends. */
export interface ReleaseRequest {
  readonly podNamespace: string;
  readonly podName: string;
  /** Empty: the runtime does not know it. */
  readonly podUID: string;
  readonly containerID: string;
  readonly nic: string;
}

/** A claim that stays, and why: the end of a sentence that the address begins. */
export interface KeptClaim {
  readonly claim: SpiderIp;
  readonly reason: string;
}

/** What becomes of each claim. */
export interface Release {
  readonly free: readonly SpiderIp[];
  /** Those that would be free, were there no owner who may keep them: it has to be asked. */
  readonly sticky: readonly SpiderIp[];
  readonly keep: readonly KeptClaim[];
}

/**
 * Says which claims a DEL frees: those of this NIC of this very sandbox of this very pod, once the
 * pod no longer lives. The DEL of the first NIC also frees what was allocated beforehand for NICs
 * that never came.
 *
 * A claim that names no sandbox was adopted from the reference: reclaim frees it, as this DEL may
 * be that of an earlier sandbox.
 *
 * @param claims May hold claims of anybody.
 */
export function releasable(
  claims: readonly SpiderIp[],
  ended: { readonly request: ReleaseRequest; readonly pod: PodReading },
): Release {
  const free: SpiderIp[] = [];
  const sticky: SpiderIp[] = [];
  const keep: KeptClaim[] = [];
  for (const claim of claims) {
    const reason = keepReason(claim, ended);
    if (reason !== undefined) keep.push({ claim, reason });
    else (claim.spec.owner === undefined ? free : sticky).push(claim);
  }
  return { free, sticky, keep };
}

function keepReason(
  { spec }: SpiderIp,
  { request, pod: reading }: { readonly request: ReleaseRequest; readonly pod: PodReading },
): string | undefined {
  if (spec.hold !== undefined) return "is taken back by its pool";
  if (spec.podNamespace !== request.podNamespace || spec.podName !== request.podName) {
    return `belongs to pod "${spec.podNamespace}/${spec.podName}"`;
  }
  const podUID = spec.podUID ?? "";
  if (!isSameUid(reading, { claimed: podUID, requested: request.podUID })) {
    return `belongs to pod UID "${podUID}"`;
  }
  const containerID = spec.containerID ?? "";
  if (containerID === "") return "has no sandbox on record";
  if (containerID !== request.containerID) return `belongs to sandbox "${containerID}"`;
  if (!isOfNic({ claimed: spec.nic ?? "", requested: request.nic })) {
    return `belongs to NIC "${spec.nic}"`;
  }
  if (reading.kind === "absent" || !uidMatches(reading.pod, podUID)) return undefined;
  return isDead(reading.pod) === undefined ? "belongs to a pod that lives" : undefined;
}

/** A static pod has one UID on its node and another in the API: both are the same pod's. */
function isSameUid(
  reading: PodReading,
  { claimed, requested }: { readonly claimed: string; readonly requested: string },
): boolean {
  if (requested === "" || requested === claimed) return true;
  if (reading.kind === "absent" || claimed === "") return false;
  return uidMatches(reading.pod, requested) && uidMatches(reading.pod, claimed);
}

function isOfNic(
  { claimed, requested }: { readonly claimed: string; readonly requested: string },
): boolean {
  return claimed === requested || (requested === DEFAULT_NIC && claimed.startsWith("#"));
}
