/** Which endpoints a scan looks at, from copies: a copy says when to look, never what to do. */
import type { SpiderEndpoint } from "../../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import type { LeaderParts } from "../parts.ts";

/** Whether the addresses of an endpoint outlive its pod: then the pod does not own it. */
export function isKept({ metadata, status }: SpiderEndpoint): boolean {
  const kind = status?.ownerControllerType;
  if (kind !== "StatefulSet" && kind !== "VirtualMachineInstance") return false;
  return !(metadata.ownerReferences ?? []).some((owner) => owner.kind === "Pod");
}

/** Whether something about an endpoint is not as it should be. */
export function isSuspect(
  { view, life, settings: { reclaim } }: Pick<LeaderParts, "view" | "life" | "settings">,
  endpoint: SpiderEndpoint,
): boolean {
  const { metadata, status } = endpoint;
  if (metadata.finalizers?.includes(SPIDERPOOL_FINALIZER)) return true;
  const { namespace = "", name, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return false;
  const isClaimed = view.keptClaimsOf({ namespace, name }).length > 0;
  if (status === undefined) return isClaimed;
  const { uid } = status.current;
  if (isClaimed || life.seemsAlive(uid) || view.claimsOfPod(uid).length > 0) return false;
  return reclaim.isOn && (isKept(endpoint) || reclaim.cleansEndpoints);
}
